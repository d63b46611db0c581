"""The picture of what adapting changed shows what the report says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from orthotype import pl
from orthotype.transfer.adapt.report import AdaptReport, HeldOut, MoreLabels


@pytest.fixture
def report() -> AdaptReport:
    """Give the report of an adaptation that never was."""
    judged = (
        {"class": "a", "cells": 3, "recall_before": 0.5, "recall_after": 1.0},
        {"class": "b", "cells": 2, "recall_before": 1.0, "recall_after": 0.75},
    )
    return AdaptReport(
        species="human",
        cells_per_class={"a": 3, "b": 2},
        new_classes={},
        matched={},
        contradicted=(),
        left_out=(),
        start="source",
        aligned=True,
        strength=1.0,
        worth=0.5,
        held_out=HeldOut(5, 1.0, 0.5, 0.75, 0.875, judged),
        doubtful=(),
        target_cells=40,
        moved=({"from": "b", "to": "a", "cells": 4},),
        n_moved=4,
        labels=(
            {"label": "a", "before": 10, "after": 14, "came": 4, "left": 0},
            {"label": "b", "before": 30, "after": 26, "came": 0, "left": 4},
        ),
        more_labels=MoreLabels(((0, 0.75), (2, 0.8), (4, 0.875)), gain=0.04, low=-0.01, high=0.5),
    )


def titles(figure: Figure) -> list[str]:
    return [ax.get_title().splitlines()[0] for ax in figure.axes]


def test_all_three_parts(report: AdaptReport) -> None:
    left, middle, right = pl.adaptation(report).axes
    assert [text.get_text() for text in left.texts] == ["+4", "-4"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b"]
    assert "4 of 40 changed" in left.get_title()
    before, after = middle.lines
    np.testing.assert_allclose(before.get_xdata(), [0.5, 1.0])
    np.testing.assert_allclose(after.get_xdata(), [1.0, 0.75])
    assert [label.get_text() for label in middle.get_yticklabels()] == ["a (3)", "b (2)"]
    curve, doubled = right.lines
    np.testing.assert_allclose(curve.get_xydata(), [(0, 0.75), (2, 0.8), (4, 0.875)])
    np.testing.assert_allclose(doubled.get_xydata(), [(4, 0.875), (8, 0.915)])


def test_the_outlook_ends_at_one(report: AdaptReport) -> None:
    right = pl.adaptation(report).axes[2]
    (band,) = right.collections
    assert band.get_paths()[0].vertices[:, 1].max() == 1.0


def test_what_the_report_does_not_have_is_left_out(report: AdaptReport) -> None:
    alone = replace(report, labels=(), target_cells=0, n_moved=0, moved=(), more_labels=None)
    assert titles(pl.adaptation(alone)) == ["recall of labelled cells"]
    assert titles(pl.adaptation(replace(report, more_labels=None))) == [
        "cells lost and won",
        "recall of labelled cells",
    ]
    fewer = pl.adaptation(report, n_labels=1).axes[0]
    assert [label.get_text() for label in fewer.get_yticklabels()] == ["a"]


def test_classes_of_one_label_are_not_drawn_as_lost(report: AdaptReport) -> None:
    only = {"class": "c", "cells": 1, "recall_before": 1.0, "recall_after": 0.0}
    held = replace(report.held_out, by_class=(*report.held_out.by_class, only))
    middle = pl.adaptation(replace(report, held_out=held)).axes[1]
    assert [label.get_text() for label in middle.get_yticklabels()] == ["a (3)", "b (2)"]
    assert middle.get_title().endswith("without 1 class of one label")
    alone = replace(report, held_out=replace(report.held_out, by_class=(only,)))
    middle = pl.adaptation(alone).axes[1]
    assert [label.get_text() for label in middle.get_yticklabels()] == ["c (1)"]
    assert "without" not in middle.get_title()


LONG = "naive thymus-derived CD4-positive, alpha-beta T cell"


@pytest.mark.parametrize(
    "names", [("a", "b"), ("a",), (LONG, "B cell"), tuple(f"{LONG} {i}" for i in range(9))]
)
@pytest.mark.parametrize("parts", [("left", "right"), ("left",), ("right",), ()])
def test_nothing_runs_out_of_the_picture(
    report: AdaptReport, names: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    of = {"cells": 3, "recall_before": 0.5, "recall_after": 1.0}
    shown = replace(
        report,
        held_out=replace(report.held_out, by_class=tuple({"class": name, **of} for name in names)),
        labels=tuple(
            {"label": name, "before": 10, "after": 14, "came": 4, "left": 0}
            for name in names
            if "left" in parts
        ),
        more_labels=report.more_labels if "right" in parts else None,
    )
    figure = pl.adaptation(shown)
    figure.draw_without_rendering()
    inside, width = figure.get_tightbbox(), figure.get_figwidth()
    assert inside.x0 >= 0
    assert inside.x1 <= width
    assert inside.y0 >= 0
    assert inside.y1 <= figure.get_figheight()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    for left, right in pairwise(boxes):
        assert left.x1 <= right.x0
