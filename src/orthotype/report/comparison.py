"""Labels against the truth: scores with intervals, the confusion table as a heat map, scores per class."""

from itertools import pairwise
from typing import Any

import pandas as pd

from orthotype._keys import RESERVED_LABELS
from orthotype.metrics import Evaluation
from orthotype.report.svg import calibration_curve, span
from orthotype.report.words import NOTHING, count, interval, percent, plain, score

MEANINGS = {
    "accuracy": ("Accuracy", "share of cells with the right label"),
    "mean_recall": (
        "Mean recall",
        "recall averaged over classes (balanced accuracy): rare classes count as much",
    ),
    "macro_f1": ("Macro F1", "F1 averaged over classes"),
    "accuracy_assigned": ("Accuracy of assigned cells", "share right among cells that got a label"),
    "share_assigned": ("Assigned", "share of cells that got a label"),
    "share_no_agreement": ("No agreement", "share of cells on which the fold models disagree"),
    "share_unknown": ("Unknown", "share of cells that fit no class"),
    "accuracy_most_probable": ("Accuracy, nothing withheld", "if every cell took its most probable class"),
    "mean_recall_most_probable": (
        "Mean recall, nothing withheld",
        "if every cell took its most probable class",
    ),
    "calibration_error": ("Calibration error", "mean gap between confidence and share right; 0 is best"),
}


def comparison(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything that the page shows of an evaluation."""
    return {
        "cells": count(evaluation.per_class["support"].sum()),
        "summary": _summary(evaluation),
        "method": evaluation.interval_method,
        "notes": evaluation.notes,
        "shared": len(evaluation.shared),
        "source_only": plain(evaluation.source_only, most=20) if evaluation.source_only else "",
        "target_only": _target_only(evaluation),
        "heat": heat_map(evaluation),
        "classes": _classes(evaluation),
        "reliability": _reliability(evaluation),
    }


def heat_map(evaluation: Evaluation) -> dict[str, Any]:
    """Return the confusion table for drawing: share of the row as colour, count as text."""
    table = evaluation.confusion
    shared = list(evaluation.shared)
    columns: list[dict[str, Any]] = [
        {"name": str(name), "kind": _column_kind(str(name), evaluation), "first": False}
        for name in table.columns
    ]
    for before, after in pairwise(columns):
        after["first"] = before["kind"] != after["kind"]
    return {
        "columns": columns,
        "shared": [_heat_row(table, name, columns) for name in shared],
        "target_only": [_heat_row(table, name, columns) for name in evaluation.target_only],
    }


def _heat_row(table: pd.DataFrame, name: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    counts: list[int] = table.to_numpy()[list(table.index).index(name)].tolist()
    total = sum(counts)
    return {
        "name": name,
        "total": count(total),
        "cells": [
            {
                "text": count(cells) if cells else "\u00b7",
                "share": f"{cells / total:.3f}" if total else "0",
                "empty": not cells,
                "hit": column["name"] == name and column["kind"] == "shared",
                "first": column["first"],
                "title": f"{name} called {column['name']}: {cells:,} of {total:,}",
            }
            for column, cells in zip(columns, counts, strict=True)
        ],
    }


def _column_kind(name: str, evaluation: Evaluation) -> str:
    if name in RESERVED_LABELS:
        return "reserved"
    return "shared" if name in evaluation.shared else "source only"


def _summary(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "name": MEANINGS.get(row["metric"], (row["metric"], ""))[0],
            "meaning": MEANINGS.get(row["metric"], ("", ""))[1],
            "value": score(row["value"]),
            "interval": interval(row["low"], row["high"]),
            "span": span(row["value"], row["low"], row["high"]),
            "cells": count(row["cells"]),
        }
        for row in _rows(evaluation.summary)
    ]


def _classes(evaluation: Evaluation) -> list[dict[str, Any]]:
    entropy = {} if evaluation.entropy is None else evaluation.entropy["median"].to_dict()
    return [
        {
            "name": row["class"],
            "support": int(row["support"]),
            "called": int(row["called"]),
            "outside": int(row["called_target_only"]),
            "scores": [
                (score(row[key], digits=2), _sortable(row[key]))
                for key in ("precision", "f1", "balanced_accuracy", "predictive_value_mean")
            ],
            "recall": score(row["recall"], digits=2),
            "recall_value": _sortable(row["recall"]),
            "recall_interval": interval(row["recall_low"], row["recall_high"], digits=2),
            "span": span(row["recall"], row["recall_low"], row["recall_high"]),
            "entropy": score(entropy.get(row["class"]), digits=2),
            "entropy_value": _sortable(entropy.get(row["class"])),
        }
        for row in _rows(evaluation.per_class.reset_index())
    ]


def _target_only(evaluation: Evaluation) -> list[dict[str, str]]:
    return [
        {
            "name": row["class"],
            "cells": count(row["cells"]),
            "unknown": percent(row["share_unknown"]),
            "disagree": percent(row["share_no_agreement"]),
            "assigned": percent(row["share_assigned"]),
            "most": f"{row['most_called']} ({count(row['most_called_cells'])})"
            if row["most_called"]
            else NOTHING,
            "confidence": score(row["mean_confidence"], digits=2),
        }
        for row in _rows(evaluation.target_only_calls.reset_index())
    ]


def _reliability(evaluation: Evaluation) -> Any:
    if evaluation.reliability is None:
        return None
    table = evaluation.reliability[evaluation.reliability["cells"] > 0]
    points = list(
        zip(table["confidence"].tolist(), table["accuracy"].tolist(), table["cells"].tolist(), strict=True)
    )
    return calibration_curve(points, title="Calibration: confidence against the share that is right")


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.to_dict(orient="records")


def _sortable(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.6f}"
