"""Rows and heat maps that several sections of a study's report share."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from orthotype.report.words import NOTHING, count, percent, score

Tables = Mapping[str, pd.DataFrame]
Column = tuple[str, str, Callable[[Any], str] | None]
METRICS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean recall)",
    "mean_recall": "Balanced accuracy (mean recall)",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "recall": "Recall",
    "precision": "Precision",
    "one_vs_rest_balanced_accuracy": "(TPR + TNR) / 2, one class against the rest",
    "published_balanced_accuracy": "(PPV + NPV) / 2, published as balanced accuracy",
}
LEARNERS = {"mlr": "linear model", "ann": "neural network"}


def learner_name(learner: str) -> str:
    """Return what people call a learner."""
    return LEARNERS.get(learner, learner)


def metric_name(metric: str) -> str:
    """Return what people call a metric."""
    return METRICS.get(metric, metric.replace("_", " "))


def by_learner(tables: Tables, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each learner with its rows of a table, none where there is no such table."""
    if name in tables and len(tables[name]):
        for learner, part in tables[name].groupby("learner", sort=False):
            yield str(learner), part.drop(columns="learner").reset_index(drop=True)


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table with None where a value is not known."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict(orient="records")]


def plain_table(table: pd.DataFrame, columns: Sequence[Column], *, sortable: bool = True) -> dict[str, Any]:
    """Return a table for the page: for each column its name, its heading and how to write its values.

    Without a way to write, a value is text; else it is a number, right-aligned and sorted as one.
    """
    rows = [
        [
            {
                "text": _text(row.get(name), write),
                "value": "" if write is None or row.get(name) is None else f"{float(row[name]):.6g}",
                "number": write is not None,
            }
            for name, _, write in columns
        ]
        for row in rows_of(table)
    ]
    return {
        "head": [{"text": heading, "number": write is not None} for _, heading, write in columns],
        "rows": rows,
        "sortable": sortable and len(rows) > 2,
    }


def _text(value: Any, write: Callable[[Any], str] | None) -> str:
    if value is None:
        return NOTHING
    return str(value) if write is None else write(value)


def overall_table(whole: pd.DataFrame, *, heading: str) -> dict[str, Any]:
    """Return the scores over all classes, a row for each metric and a column for each learner."""
    overall = whole[whole["class"] == "all"].set_index(["metric", "learner"])["value"]
    learners = list(dict.fromkeys(whole["learner"]))
    rows = [
        {"metric": metric_name(metric)} | {name: overall.get((metric, name)) for name in learners}
        for metric in dict.fromkeys(overall.index.get_level_values("metric"))
    ]
    columns: list[Column] = [
        ("metric", heading, None),
        *[(name, learner_name(name), three) for name in learners],
    ]
    return plain_table(pd.DataFrame(rows), columns, sortable=False)


def counted(value: Any) -> str:
    """Write a whole number."""
    return count(value)


def two(value: Any) -> str:
    """Write a score with two digits."""
    return score(value, digits=2)


def three(value: Any) -> str:
    """Write a score with three digits."""
    return score(value)


def signed(value: Any) -> str:
    """Write a difference with its sign."""
    return NOTHING if value is None else f"{float(value):+.3f}".replace("-", "\u2212")


def p_value(value: Any) -> str:
    """Write a p-value, never as zero.

    >>> p_value(0.00001), p_value(0.04)
    ('< 0.001', '0.040')
    """
    if value is None:
        return NOTHING
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def share(value: Any) -> str:
    """Write a share as per cent."""
    return percent(value)


def confusion_heat(
    long: pd.DataFrame, *, reserved: Iterable[str], shared: Sequence[str], target_only: Sequence[str]
) -> dict[str, Any]:
    """Return a confusion table for drawing: colour is the share of the row; kinds of columns stand apart."""
    words, first = set(reserved), list(shared)
    wide = long.pivot_table(index="true", columns="called", values="cells", aggfunc="sum")
    names = [name for name in first if name in wide.columns]
    others = [name for name in dict.fromkeys(long["called"]) if name not in names and name not in words]
    last = [name for name in dict.fromkeys(long["called"]) if name in words and wide[name].sum() > 0]
    columns = [{"name": name, "kind": "shared", "first": False} for name in names]
    columns += [{"name": name, "kind": "source-only", "first": i == 0} for i, name in enumerate(others)]
    columns += [{"name": name, "kind": "reserved", "first": i == 0} for i, name in enumerate(last)]
    known = [name for name in first if name in wide.index]
    return {
        "columns": columns,
        "groups": [
            ("", [_heat_row(wide, name, columns) for name in known]),
            ("only in the target", [_heat_row(wide, n, columns) for n in target_only if n in wide.index]),
        ],
    }


def _heat_row(wide: pd.DataFrame, name: str, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row = wide.loc[name].to_dict()
    counts = {column["name"]: int(row[column["name"]]) for column in columns}
    total = sum(counts.values())
    return {
        "name": name,
        "total": count(total),
        "cells": [
            {
                "text": count(counts[column["name"]]) if counts[column["name"]] else "\u00b7",
                "share": f"{counts[column['name']] / max(total, 1):.3f}",
                "empty": not counts[column["name"]],
                "hit": column["name"] == name,
                "first": column["first"],
                "title": f"{name} called {column['name']}: {counts[column['name']]:,} of {total:,}",
            }
            for column in columns
        ],
    }


def diverging_heat(
    wide: pd.DataFrame, *, limit: float, digits: int | None = 2, groups: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a table of numbers around zero for drawing: blue below, orange above.

    Parameters
    ----------
    wide
        Rows x columns.
    limit
        The value that gets the full colour.
    digits
        Digits to write; None writes nothing into the cells.
    groups
        The group of each row; a line parts the groups.
    """
    rows, before = [], None
    for name, values in zip(wide.index, wide.to_numpy(dtype=float), strict=True):
        group = None if groups is None else groups.get(str(name))
        rows.append(
            {
                "name": str(name),
                "first": before is not None and group != before,
                "cells": [_diverging_cell(value, limit=limit, digits=digits) for value in values],
            }
        )
        before = group
    return {"columns": [str(name) for name in wide.columns], "rows": rows}


def _diverging_cell(value: float, *, limit: float, digits: int | None) -> dict[str, str]:
    if math.isnan(value):
        return {"text": "", "kind": "none", "share": "0", "title": "not known"}
    text = "" if digits is None else f"{value:.{digits}f}".replace("-0.00", "0.00").replace("-", "\u2212")
    strength = min(abs(value) / limit, 1.0)
    kind = "above" if value >= 0 else "below"
    return {"text": text, "kind": kind, "share": f"{strength:.3f}", "title": f"{value:.3f}"}
