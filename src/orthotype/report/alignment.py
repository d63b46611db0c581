"""What alignment changed: the calls without and with the species shift, and the genes that moved most."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from orthotype.report.svg import bar, diverging
from orthotype.report.words import count, percent, score

MOST_GENES = 8


def alignment(
    details: Mapping[str, Any], predictions: pd.DataFrame, genes: pd.DataFrame | None
) -> dict[str, Any] | None:
    """Return everything that the page shows of the alignment, or None if there was none or it is not told.

    Parameters
    ----------
    details
        Record of the annotation: its ``alignment`` with ``kind``, ``n_neighbors``, ``n_compared``,
        ``n_changed``, ``moved``, ``labels_without``, ``labels_with`` if it is known, and
        ``mean_confidence_without``; the ``shift``, None if none was looked for; and the ``card``.
    predictions
        One row per cell, with ``confidence``.
    genes
        Table of :func:`orthotype.transferability`, if there is one.
    """
    entry = details.get("alignment") or {}
    shift, n_neighbors = details.get("shift") or {}, int(entry.get("n_neighbors") or 0)
    if entry.get("kind", "none") == "none" or not (shift or n_neighbors):
        return None
    n_changed, n_cells = int(entry["n_changed"]), int(entry.get("n_compared") or len(predictions))
    reason = str(shift.get("reason", ""))
    return {
        "changed": count(n_changed) if n_changed else "None",
        "cells": count(n_cells),
        "some": n_cells < len(predictions),
        "share": percent(n_changed / n_cells),
        "shifted": bool(shift),
        "neighbours": n_neighbors,
        "confidence": (
            score(entry.get("mean_confidence_without"), digits=2),
            score(float(predictions["confidence"].mean()), digits=2),
        ),
        "reason": reason[:1].upper() + reason[1:],
        "moved": _moved(entry["moved"], n_changed),
        "classes": _classes(entry, shift, (details.get("card") or {}).get("classes") or []),
        "genes": _genes(genes) if shift.get("step") else None,
    }


def _moved(moved: Sequence[Mapping[str, Any]], n_changed: int) -> dict[str, Any]:
    most = max((row["cells"] for row in moved), default=1)
    rest = n_changed - sum(row["cells"] for row in moved)
    return {
        "rows": [
            {
                "from": row["from"],
                "to": row["to"],
                "cells": count(row["cells"]),
                "bar": bar([(row["cells"] / most, "assigned")]),
            }
            for row in moved
        ],
        "rest": count(rest) if rest else "",
    }


def _classes(
    entry: Mapping[str, Any], shift: Mapping[str, Any], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the cells of each class without and with alignment, and how far it shows the shared shift."""
    before, after = entry.get("labels_without") or {}, _labels_with(entry)
    support = dict(zip(classes, shift.get("support") or [], strict=False))
    names = sorted({*classes, *before, *after}, key=lambda name: (-before.get(name, 0), name))
    return [
        {
            "name": name,
            "before": count(before.get(name, 0)),
            "after": count(after.get(name, 0) if after else None),
            "change": _signed(after.get(name, 0) - before.get(name, 0)) if after else "",
            "support": score(support.get(name), digits=2),
        }
        for name in names
    ]


def _labels_with(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return cells of each class with alignment, as told or else from all moves; empty if moves are cut."""
    if entry.get("labels_with"):
        return dict(entry["labels_with"])
    moved = entry["moved"]
    if sum(row["cells"] for row in moved) != entry["n_changed"]:
        return {}
    cells = dict(entry.get("labels_without") or {})
    for row in moved:
        cells[row["from"]] = cells.get(row["from"], 0) - row["cells"]
        cells[row["to"]] = cells.get(row["to"], 0) + row["cells"]
    return cells


def _genes(genes: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Return the genes whose shift was largest, those higher in the target first."""
    if genes is None:
        return None
    taken = genes.dropna(subset=["shift_taken"]).sort_values("shift_taken", kind="stable")
    if not len(taken):
        return None
    limit = max(float(taken["shift_taken"].abs().max()), 1e-9)
    sides = (
        ("higher in the target", taken[taken["shift_taken"] > 0].iloc[::-1]),
        ("lower in the target", taken[taken["shift_taken"] < 0]),
    )
    return [
        {
            "heading": heading,
            "rows": [
                {
                    "gene": str(row["gene"]),
                    "shift": f"{row['shift_taken']:+.2f}",
                    "bar": diverging(float(row["shift_taken"]) / limit, "assigned"),
                    "seen": f"{row['shift']:+.2f}",
                }
                for _, row in table.head(MOST_GENES).iterrows()
            ],
        }
        for heading, table in sides
        if len(table)
    ]


def _signed(cells: int) -> str:
    return f"{cells:+,}" if cells else "0"
