"""How few labels are judged by models that have not seen them; the scores are made up."""

import numpy as np
import pytest

from orthotype.transfer.adapt.report import held_out_scores

CLASSES = np.array(["a", "b", "c"], dtype=object)


def scores(called: list[int]) -> np.ndarray:
    """Return scores of cells that are called so, surely."""
    return 9.0 * np.eye(len(CLASSES))[called]


def test_a_class_whose_only_label_is_held_out_is_shown_and_not_counted() -> None:
    true = np.array([0, 0, 1, 1, 2])
    found = held_out_scores(scores([0, 1, 1, 1, 2]), scores([0, 0, 1, 1, 0]), true, classes=CLASSES)
    assert (found.recall_before, found.recall_after) == pytest.approx((0.75, 1.0))
    assert found.loss_after < 0.01
    assert found.cells == 5
    assert [row["recall_after"] for row in found.by_class] == [1.0, 1.0, 0.0]


def test_where_every_class_has_one_label_all_are_counted() -> None:
    found = held_out_scores(scores([0, 1, 2]), scores([0, 0, 0]), np.array([0, 1, 2]), classes=CLASSES)
    assert (found.recall_before, found.recall_after) == pytest.approx((1.0, 1 / 3))
