"""Section two of a study's report: how well the source carries over, and where it fails."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from orthotype._keys import RESERVED_LABELS
from orthotype.report.study_source import entropy_tables
from orthotype.report.study_svg import Floats, cell_map, scaled
from orthotype.report.study_tables import (
    Column,
    Tables,
    by_learner,
    confusion_heat,
    counted,
    learner_name,
    metric_name,
    overall_table,
    plain_table,
    share,
    three,
    two,
)
from orthotype.report.svg import bar
from orthotype.report.words import count, interval, percent

OUTCOMES: Final = (
    ("correct", "correct", "assigned"),
    ("proximal", "proximal error", "disagree"),
    ("distal", "distal error", "distal"),
    ("no_agreement", "no agreement", "unknown"),
    ("unplaced", "error, not placed", "unplaced"),
)
LACKING: Final = ("no source class", "class that the source lacks", "lacking")
MOST_DOTS = 4000
SHOWN = ("accuracy", "mean_recall", "macro_f1", "accuracy_assigned", "share_no_agreement")
WORDS = {"accuracy_assigned": "Accuracy of labelled cells", "share_no_agreement": "No agreement"}


def transfer_section(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of question two."""
    return {
        "has_truth": bool(record["has_truth"]),
        "scores": _scores(tables),
        "published": overall_table(tables["transfer_metrics"], heading="most voted class, nothing withheld")
        if "transfer_metrics" in tables
        else None,
        "errors": [_errors(learner, part) for learner, part in by_learner(tables, "transfer_errors")],
        "lineage": (record.get("lineage") or {}).get("origin"),
        "confusions": [
            {
                "learner": learner_name(learner),
                "heat": confusion_heat(
                    part,
                    reserved=RESERVED_LABELS,
                    shared=record["shared"],
                    target_only=record["target_only"],
                ),
            }
            for learner, part in by_learner(tables, "transfer_confusion")
        ],
        "classes": [_classes(learner, part) for learner, part in by_learner(tables, "transfer_per_class")],
        "calls": [_calls(learner, part) for learner, part in by_learner(tables, "transfer_calls")],
        "entropy": entropy_tables(tables, "transfer_entropy"),
        "map": _map(tables, record),
    }


def _scores(tables: Tables) -> dict[str, Any] | None:
    """Return the overall scores, a column with interval for each learner."""
    if "transfer_summary" not in tables:
        return None
    whole = tables["transfer_summary"]
    learners = list(dict.fromkeys(whole["learner"]))
    rows = []
    for metric in SHOWN:
        part = whole[whole["metric"] == metric].set_index("learner")
        rows.append(
            {
                "name": WORDS.get(metric, metric_name(metric)),
                "values": [
                    {
                        "text": three(part.loc[name, "value"]),
                        "interval": interval(part.loc[name, "low"], part.loc[name, "high"]),
                    }
                    for name in learners
                ],
            }
        )
    return {
        "learners": [learner_name(name) for name in learners],
        "rows": rows,
        "method": str(whole["intervals"].iloc[0]),
    }


def _errors(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    """Return what became of the cells of each class, as stacked bars with their numbers."""
    kinds = [(key, word, style) for key, word, style in OUTCOMES if table[key].sum() > 0]
    return {
        "learner": learner_name(learner),
        "legend": [{"word": word, "style": style} for _, word, style in kinds],
        "rows": [
            {
                "name": "all classes" if row["class"] == "all" else str(row["class"]),
                "all": row["class"] == "all",
                "cells": counted(row["cells"]),
                "bar": bar([(float(row[f"{key}_rate"]), style) for key, _, style in kinds])
                if row["cells"]
                else "",
                "shares": [percent(row[f"{key}_rate"]) for key, _, _ in kinds],
            }
            for _, row in table.iterrows()
        ],
    }


def _classes(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    shown = table.assign(
        interval=[
            interval(a, b, digits=2) for a, b in zip(table["recall_low"], table["recall_high"], strict=True)
        ]
    )
    columns: list[Column] = [
        ("class", "class", None),
        ("support", "cells", counted),
        ("called", "called", counted),
        ("recall", "recall", two),
        ("interval", "interval", None),
        ("precision", "precision", two),
        ("f1", "F1", two),
        ("balanced_accuracy", "(TPR + TNR) / 2", two),
        ("predictive_value_mean", "(PPV + NPV) / 2", two),
    ]
    return {"learner": learner_name(learner), "table": plain_table(shown, columns)}


def _calls(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    columns: list[Column] = [
        ("label", "label", None),
        ("cells", "cells", counted),
        ("share", "share", share),
        ("mean_confidence", "mean confidence", two),
        ("mean_entropy", "mean entropy", two),
    ]
    return {"learner": learner_name(learner), "table": plain_table(table, columns)}


def _map(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the map of the target cells, by class and, where classes are known, by what became of them."""
    if "transfer_map" not in tables:
        return None
    learner, cells = next(by_learner(tables, "transfer_cells"))
    cells = cells.merge(tables["transfer_map"], on="cell", validate="one_to_one")
    truth = bool(record["has_truth"])
    if truth:
        cells = cells[cells["true"].notna()].reset_index(drop=True)
    places = scaled(cells[["x", "y"]].to_numpy(dtype=float))
    named = cells["true" if truth else "label"].astype(str).to_numpy(dtype=object)
    names = sorted(set(named) - RESERVED_LABELS)
    drawn = _thinned(cells)
    middles = {i + 1: _middle(places[named == name]) for i, name in enumerate(names)}
    by_class = {f"k{i % 20}": places[drawn & (named == name)] for i, name in enumerate(names)}
    kind = str(record["facts"].get("transfer/map", {}).get("embedding", "pca"))
    return {
        "kind": {"umap": "UMAP of 30 principal components", "pca": "first two principal components"}[kind],
        "learner": learner_name(learner),
        "classes": cell_map(by_class, numbers=middles, title="Target cells by class"),
        "key": [
            {"number": i + 1, "name": name, "style": f"k{i % 20}", "cells": count((named == name).sum())}
            for i, name in enumerate(names)
        ],
        "outcomes": _outcome_map(cells, places, drawn) if truth else None,
    }


def _outcome_map(
    cells: pd.DataFrame, places: Floats, drawn: "np.ndarray[Any, np.dtype[np.bool_]]"
) -> dict[str, Any]:
    outcome = cells["outcome"].astype(str).to_numpy(dtype=object)
    kinds = [LACKING, *((key.replace("_", " "), word, style) for key, word, style in OUTCOMES)]
    found = [kind for kind in kinds if (outcome == kind[0]).any()]
    groups = {f"o-{style}": places[drawn & (outcome == key)] for key, _, style in found}
    return {
        "drawing": cell_map(groups, title="Target cells by what became of them"),
        "legend": [
            {"word": word, "style": f"o-{style}", "cells": count((outcome == key).sum())}
            for key, word, style in found
        ],
    }


def _thinned(cells: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return which cells are drawn: all errors, and every so many of the others where there are very many."""
    every = -(-len(cells) // MOST_DOTS)
    regular = np.arange(len(cells)) % every == 0
    return np.asarray(
        regular | ~cells["outcome"].isin(["correct", "not known", LACKING[0]]).to_numpy(), dtype=bool
    )


def _middle(points: Floats) -> tuple[float, float]:
    """Return the cell nearest to the median, so that a number stands on its class."""
    middle = points[np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin()]
    return float(middle[0]), float(middle[1])
