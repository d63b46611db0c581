"""Arguments of another kind than expected: one message that says what was found, and what to pass."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import orthotype as ot
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


@pytest.mark.parametrize("kind", ["DataFrame", "ndarray", "NoneType"])
def test_what_is_no_cells_is_refused(
    small_model: ot.LabelTransfer, small_human: "AnnData", kind: str
) -> None:
    few = small_human[:20]
    given: Any = {"DataFrame": few.to_df(), "ndarray": few.X.toarray(), "NoneType": None}[kind]
    for work in (small_model.annotate, small_model.predict):
        with pytest.raises(InputError, match=f"found a {kind} in place of cells; expected an AnnData"):
            work(given)


@pytest.mark.parametrize("n_neighbors", [2.5, "15", None, -1])
def test_neighbours_are_a_whole_number(
    small_model: ot.LabelTransfer, small_human: "AnnData", n_neighbors: Any
) -> None:
    with pytest.raises(InputError, match=f"n_neighbors is {n_neighbors!r}; expected 0 for none, or a number"):
        small_model.annotate(small_human, n_neighbors=n_neighbors)
    with pytest.raises(InputError, match="n_neighbors is"):
        small_model.calibrate(small_human, labels=LABELS, n_neighbors=n_neighbors)


def test_a_whole_number_of_numpy_is_one(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    found = small_model.annotate(small_human[:60].copy(), n_neighbors=np.int64(3))  # type: ignore[arg-type]
    assert '"n_neighbors": 3' in found.uns["orthotype"]["details"]


def test_labels_to_calibrate_by_are_a_column(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    labels: Any = small_human.obs[LABELS]
    with pytest.raises(InputError, match="labels is a Series; expected the name of an obs column"):
        small_model.calibrate(small_human, labels=labels)


@pytest.mark.parametrize("labels", [["a", "b"], None, {"a": "b"}])
def test_labels_to_learn_from_are_a_column(small_mouse: "AnnData", labels: Any) -> None:
    kind = type(labels).__name__
    with pytest.raises(InputError, match=f"labels is a {kind}; expected the name of an obs column"):
        ot.LabelTransfer().fit(small_mouse, labels=labels)


@pytest.mark.parametrize("option", [{"random_state": -1}, {"random_state": 1.5}, {"alpha": -1}])
def test_parameters_of_the_model_are_checked_first(small_mouse: "AnnData", option: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(option))} is .*; expected"):
        ot.LabelTransfer(**option).fit(small_mouse, labels="no such column")


@pytest.mark.parametrize("coverage", ["x", None, 90, float("nan")])
def test_coverage_is_a_share(small_model: ot.LabelTransfer, small_human: "AnnData", coverage: Any) -> None:
    with pytest.raises(InputError, match=f"coverage is {coverage!r}; expected a share between 0 and 1"):
        small_model.calibrate(small_human, labels=LABELS, coverage=coverage)


def test_one_foreign_class_is_one(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    with pytest.raises(InputError, match="the labels name 1 class that the model does not have"):
        small_model.calibrate(small_human, labels=LABELS)


def test_binarised_cells_are_told(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    seen = small_human[::4].copy()
    seen.X = (seen.X > 0).astype(np.float32)
    with pytest.warns(
        ot.errors.OrthotypeWarning, match="X holds only zeros and ones: expression is binarised"
    ):
        small_model.predict(seen)


def test_one_cell_of_counts_that_no_sample_has_tells_that_they_are_not_binarised(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    seen = small_human.copy()
    seen.X = (seen.X > 0).astype(np.float32)
    seen.X.data[seen.X.indptr[70]] = 2
    assert len(small_model.predict(seen)) == 300


def test_a_model_of_binarised_cells_does_not_mind(small_mouse: "AnnData", small_human: "AnnData") -> None:
    model = ot.LabelTransfer(encoder="binarize", n_top_genes=200).fit(small_mouse, labels=LABELS)
    seen = small_human[::4].copy()
    seen.X = (seen.X > 0).astype(np.float32)
    assert len(model.predict(seen)) == 75
