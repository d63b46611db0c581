"""Section one of a study's report: the linear model against the network, on source cells unseen by both."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from orthotype.report.study_svg import Difference, differences
from orthotype.report.study_tables import (
    Tables,
    by_learner,
    confusion_heat,
    counted,
    learner_name,
    metric_name,
    overall_table,
    p_value,
    plain_table,
    rows_of,
    signed,
    three,
    two,
)
from orthotype.report.svg import bar


def source_section(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of question one."""
    return {
        "comparison": _comparison(tables, record),
        "metrics": overall_table(tables["source_metrics"], heading="over all classes"),
        "classes": _classes(tables),
        "confusions": [
            {
                "learner": learner_name(learner),
                "heat": confusion_heat(part, reserved=(), shared=record["classes"], target_only=()),
            }
            for learner, part in by_learner(tables, "source_confusion")
        ],
        "entropy": entropy_tables(tables, "source_entropy"),
    }


def _comparison(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any] | None:
    if "source_comparison" not in tables:
        return None
    table = tables["source_comparison"]
    margin = float(record["recipe"]["margin"])
    shown = table.assign(
        metric=[metric_name(name) for name in table["metric"]],
        interval=[
            f"{signed(low)} to {signed(high)}" for low, high in zip(table["low"], table["high"], strict=True)
        ],
    )
    one, other = learner_name(str(table["a"].iloc[0])), learner_name(str(table["b"].iloc[0]))
    return {
        "drawing": differences(
            [
                Difference(row["metric"].replace("_", " "), row["difference"], row["low"], row["high"])
                for row in rows_of(table)
            ],
            margin=margin,
            title=f"Differences between the {one} and the {other} with their intervals",
            label=f"{one} less {other}",
        ),
        "table": plain_table(
            shown,
            [
                ("metric", "metric", None),
                ("mean_a", one, three),
                ("mean_b", other, three),
                ("difference", "difference", signed),
                ("interval", "interval", None),
                ("p_equal", "p, two one-sided tests", p_value),
                ("verdict", "verdict", None),
            ],
            sortable=False,
        ),
        "margin": f"{margin:g}",
        "level": f"{100 * record['recipe']['level']:g} %",
    }


def _classes(tables: Tables) -> dict[str, Any]:
    """Return F1 of every class, a bar for each learner."""
    whole = tables["source_per_class"]
    learners = list(dict.fromkeys(whole["learner"]))
    rows = []
    for name, part in whole.groupby("class", sort=False):
        of = part.set_index("learner")
        rows.append(
            {
                "name": str(name),
                "cells": counted(of["support"].iloc[0]),
                "scores": [_scored(of.loc[learner], i) for i, learner in enumerate(learners)],
            }
        )
    return {"learners": [learner_name(learner) for learner in learners], "rows": rows}


def _scored(row: "pd.Series[Any]", place: int) -> dict[str, Any]:
    value = None if pd.isna(row["f1"]) else float(row["f1"])
    return {"text": two(value), "bar": bar([(value or 0.0, ("assigned", "other")[place % 2])])}


def entropy_tables(tables: Tables, name: str) -> list[dict[str, Any]]:
    """Return the softmax entropy per class of every learner."""
    return [
        {
            "learner": learner_name(learner),
            "table": plain_table(
                part,
                [
                    ("class", "class", None),
                    ("cells", "cells", counted),
                    ("lower_quartile", "lower quartile", two),
                    ("median", "median", two),
                    ("upper_quartile", "upper quartile", two),
                ],
            ),
        }
        for learner, part in by_learner(tables, name)
    ]
