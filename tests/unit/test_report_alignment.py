"""What the report says of alignment and of which biology transfers, from records written by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from orthotype.report.alignment import alignment
from orthotype.report.biology import biology
from orthotype.report.svg import diverging
from orthotype.report.write import write_report
from orthotype.transfer.biology_tables import EVIDENCE, VERDICTS

PREDICTIONS = pd.DataFrame(
    {"label": ["alpha"] * 4, "confidence": [0.9, 0.7, 0.8, 0.6], "status": ["assigned"] * 4}
)


@pytest.fixture
def details() -> dict[str, Any]:
    """Give the record of four cells of which three changed class."""
    return {
        "card": {"classes": ["alpha", "beta", "delta"]},
        "shift": {"reason": "half of it was taken", "step": 0.5, "support": [0.9, -0.1, None]},
        "alignment": {
            "kind": "shift",
            "n_neighbors": 15,
            "n_compared": 4,
            "n_changed": 3,
            "moved": [
                {"from": "beta", "to": "alpha", "cells": 2},
                {"from": "alpha", "to": "delta", "cells": 1},
            ],
            "labels_without": {"alpha": 1, "beta": 3, "delta": 0},
            "mean_confidence_without": 0.5,
        },
    }


@pytest.fixture
def genes() -> pd.DataFrame:
    """Give six genes: two that carry over, two that do not, one undecided, one not measured."""
    nan = np.nan
    numbers = ["shift", "shift_taken", "transferability", "transferability_low", "transferability_high",
               "agreement", "n_classes", "source_mean", "target_mean", "source_spread",
               "target_spread"]  # fmt: skip
    rows = {
        "GCG": [0.4, 0.2, 0.97, 0.8, 0.99, 0.98, 5.0, 1.0, 1.4, 2.0, 2.1, "alpha", "alpha", "carries over"],
        "INS": [3.0, 1.5, 0.95, 0.7, 0.99, 0.97, 5.0, 1.0, 4.0, 3.0, 2.0, "beta", "beta", "carries over"],
        "PYY": [
            -2.0,
            -1.0,
            0.6,
            0.0,
            0.9,
            0.7,
            5.0,
            2.0,
            0.0,
            2.5,
            0.0,
            "delta",
            "alpha",
            "one species only",
        ],
        "CLU": [0.0, 0.0, 0.0, -0.9, 0.2, -0.5, 5.0, 1.0, 1.0, 1.0, 1.1, "beta", "alpha", "differs"],
        "X1": [0.1, 0.0, 0.5, -0.2, 0.8, 0.4, 5.0, 1.0, 1.1, 0.1, 0.1, "beta", nan, "undecided"],
        "MAFA": [nan, nan, nan, nan, nan, nan, 5.0, 0.5, nan, 0.4, nan, "beta", nan, "not measured"],
    }
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=[*numbers, "source_class", "target_class", "evidence"]
    )
    table["evidence"] = pd.Categorical(table["evidence"], categories=list(EVIDENCE))
    return table.rename_axis("gene").reset_index()


@pytest.fixture
def markers() -> pd.DataFrame:
    """Give the markers of a class that was judged, one with few cells and one without any."""
    rows = [
        ("alpha", "GCG", "carries over", 5.0, 5.1), ("alpha", "PYY", "lost", 3.0, 0.0),
        ("alpha", "X1", "undecided", 1.0, 0.6), ("alpha", "MAFA", "not measured", 1.0, np.nan),
        ("alpha", "CLU", "gained", 0.1, 2.0), ("beta", "INS", "undecided", 5.0, 5.0),
        ("delta", "SST", "no cells", 5.0, np.nan),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["class", "gene", "verdict", "source_mean", "target_mean"])
    table["verdict"] = pd.Categorical(table["verdict"], categories=list(VERDICTS))
    return table.astype({"class": "category"})


def told(details: dict[str, Any], genes: pd.DataFrame | None = None) -> dict[str, Any]:
    found = alignment(details, PREDICTIONS, genes)
    assert found is not None
    return found


def test_what_changed_is_counted(details: dict[str, Any]) -> None:
    found = told(details)
    assert (found["changed"], found["cells"], found["share"], found["some"]) == ("3", "4", "75.0 %", False)
    assert found["confidence"] == ("0.50", "0.75")
    assert found["reason"] == "Half of it was taken"
    assert [(row["from"], row["to"], row["cells"]) for row in found["moved"]["rows"]] == [
        ("beta", "alpha", "2"),
        ("alpha", "delta", "1"),
    ]
    assert found["moved"]["rest"] == ""


def test_cells_with_alignment_follow_from_all_moves(details: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in told(details)["classes"]}
    assert {name: (row["before"], row["after"], row["change"]) for name, row in rows.items()} == {
        "beta": ("3", "1", "-2"),
        "alpha": ("1", "2", "+1"),
        "delta": ("0", "1", "+1"),
    }
    assert [rows[name]["support"] for name in ("alpha", "beta", "delta")] == ["0.90", "-0.10", "\u2013"]


def test_they_are_left_open_where_moves_were_cut_and_not_told(details: dict[str, Any]) -> None:
    details["alignment"]["n_changed"] = 5
    found = told(details)
    assert found["moved"]["rest"] == "2"
    assert {row["after"] for row in found["classes"]} == {"\u2013"}
    details["alignment"]["labels_with"] = {"alpha": 4}
    assert {row["name"]: row["after"] for row in told(details)["classes"]}["alpha"] == "4"


def test_nothing_is_told_of_older_or_unaligned_cells(details: dict[str, Any]) -> None:
    assert alignment({}, PREDICTIONS, None) is None
    details["alignment"]["kind"] = "none"
    assert alignment(details, PREDICTIONS, None) is None
    details["alignment"] |= {"kind": "shift", "n_neighbors": 0}
    assert alignment(details | {"shift": None}, PREDICTIONS, None) is None


def test_the_largest_shifts_come_first_on_each_side(details: dict[str, Any], genes: pd.DataFrame) -> None:
    up, down = told(details, genes)["genes"]
    assert [(row["gene"], row["shift"], row["seen"]) for row in up["rows"]] == [
        ("INS", "+1.50", "+3.00"),
        ("GCG", "+0.20", "+0.40"),
    ]
    assert [row["gene"] for row in down["rows"]] == ["PYY"]
    details["shift"]["step"] = 0.0
    assert told(details, genes)["genes"] is None


def test_genes_are_counted_and_the_most_telling_shown(genes: pd.DataFrame, markers: pd.DataFrame) -> None:
    found = biology(genes, markers)
    assert found is not None
    counted = {row["word"]: (row["genes"], row["share"]) for row in found["evidence"]}
    assert counted["carries over"] == ("2", "33.3 %")
    assert counted["not measured"] == ("1", "16.7 %")
    assert [row["gene"] for row in found["best"]] == ["INS", "GCG"]
    assert [(row["gene"], row["highest"]) for row in found["worst"]] == [
        ("PYY", "delta, source only"),
        ("CLU", "beta; in the target alpha"),
    ]


def test_markers_are_listed_by_class_and_verdict(genes: pd.DataFrame, markers: pd.DataFrame) -> None:
    found = biology(genes, markers)
    assert found is not None
    (card,) = found["classes"]
    assert (card["name"], card["carried"], card["judged"], card["missing"]) == ("alpha", "1", "3", "MAFA")
    listed = {row["word"]: [gene["name"] for gene in row["genes"]["shown"]] for row in card["verdicts"]}
    assert listed == {"carries over": ["GCG"], "lost": ["PYY"], "gained": ["CLU"], "undecided": ["X1"]}
    assert (found["few"], found["unseen"]) == ("beta", "delta")


def test_without_tables_there_is_no_section(genes: pd.DataFrame, markers: pd.DataFrame) -> None:
    assert biology(None, None) is None
    assert biology(genes, None) is None


def test_bars_of_both_signs_start_in_the_middle() -> None:
    right, left = str(diverging(0.5, "a")), str(diverging(-0.5, "a"))
    assert '<rect class="a" x="50.00" y="0.00" width="25.00"' in right
    assert '<rect class="a" x="25.00" y="0.00" width="25.00"' in left


def test_the_page_has_the_sections_only_if_they_are_told(
    tmp_path: Any, details: dict[str, Any], genes: pd.DataFrame, markers: pd.DataFrame
) -> None:
    common: dict[str, Any] = {"title": "t", "run": {}, "card": {}, "coverage": {}, "predictions": PREDICTIONS}
    plain = write_report(tmp_path / "plain.html", **common).read_text()
    whole = write_report(
        tmp_path / "whole.html", **common, details=details, transferability=genes, markers=markers
    ).read_text()
    for part in ('id="alignment"', 'href="#alignment"', 'id="biology"', 'href="#biology"'):
        assert part not in plain
        assert part in whole
    assert "given the calls" in whole
    assert "Too few cells to tell: beta." in whole
    assert "No cell was assigned to: delta." in whole


def test_names_are_escaped(
    details: dict[str, Any], genes: pd.DataFrame, markers: pd.DataFrame, tmp_path: Any
) -> None:
    hostile = "<script>alert(1)</script>"
    details["alignment"]["moved"][0]["from"] = hostile
    page = write_report(
        tmp_path / "page.html", title="t", run={}, card={}, coverage={}, predictions=PREDICTIONS,
        details=details, transferability=genes.replace({"gene": {"INS": hostile}}),
        markers=markers.replace({"gene": {"GCG": hostile}}),
    ).read_text()  # fmt: skip
    assert hostile not in page
    assert page.count("&lt;script&gt;") >= 3
