"""Section five of a study's report: classes that nobody labelled, and cells that fit no class."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from orthotype.report.study_tables import (
    Column,
    Tables,
    by_learner,
    counted,
    learner_name,
    p_value,
    plain_table,
    share,
    signed,
    two,
)
from orthotype.report.svg import bar

MODELS: Final = (("source", "assigned"), ("adapted", "other"))


def zero_shot_section(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of question five."""
    return {
        "shots": record["recipe"]["zero_shot_cells"],
        "classes": [_classes(learner, part) for learner, part in by_learner(tables, "zero_shot_classes")],
        "absent": [_absent(learner, part) for learner, part in by_learner(tables, "zero_shot_absent")],
        "foreign": [_foreign(learner, part) for learner, part in by_learner(tables, "zero_shot_foreign")],
        "tests": _tests(tables),
        "genes": _genes(tables),
    }


def _classes(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    means = table.groupby(["class", "model"], sort=False)[["cells", "precision", "recall"]].mean()
    models = [(name, style) for name, style in MODELS if name in means.index.get_level_values("model")]
    rows = []
    for name in dict.fromkeys(table["class"]):
        of = means.loc[name]
        rows.append(
            {
                "name": name,
                "cells": counted(of["cells"].iloc[0]),
                "scores": [
                    {
                        "recall": two(_known(of.loc[model, "recall"])),
                        "bar": bar([(_known(of.loc[model, "recall"]) or 0.0, style)]),
                        "precision": two(_known(of.loc[model, "precision"])),
                    }
                    for model, style in models
                ],
            }
        )
    return {"learner": learner_name(learner), "models": [name for name, _ in models], "rows": rows}


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _absent(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    columns: list[Column] = [
        ("class", "class", None),
        ("called", "cells called so", counted),
        ("share", "of all cells", share),
        ("mostly", "most of them labelled", None),
        ("mostly_cells", "cells", counted),
    ]
    return {"learner": learner_name(learner), "table": plain_table(table, columns)}


def _foreign(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    columns: list[Column] = [
        ("class", "class", None),
        ("cells", "cells", counted),
        ("no_agreement_rate", "no agreement", share),
        ("mostly", "most called", None),
        ("mostly_cells", "cells so called", counted),
        ("confidence", "mean confidence", two),
        ("confidence_shared", "of shared classes", two),
        ("entropy", "mean entropy", two),
        ("entropy_shared", "of shared classes", two),
    ]
    return {"learner": learner_name(learner), "table": plain_table(table, columns)}


def _tests(tables: Tables) -> list[dict[str, Any]]:
    if "zero_shot_marker_tests" not in tables:
        return []
    columns: list[Column] = [
        ("class", "class", None),
        ("cells", "cells called so", counted),
        ("genes", "markers", counted),
        ("auroc", "AUROC of the set", two),
        ("p", "p", p_value),
        ("p_adjusted", "adjusted p", p_value),
    ]
    return [
        {"what": str(what), "table": plain_table(part, columns)}
        for what, part in tables["zero_shot_marker_tests"].groupby("cells_tested", sort=False)
    ]


def _genes(tables: Tables) -> dict[str, Any] | None:
    table = tables.get("zero_shot_marker_genes", pd.DataFrame())
    if table.empty:
        return None
    columns: list[Column] = [
        ("class", "called", None),
        ("gene", "gene", None),
        ("fraction", "seen in", share),
        ("fraction_others", "in other cells", share),
        ("effect", "difference of means", signed),
        ("auroc", "AUROC", two),
        ("p_adjusted", "adjusted p", p_value),
    ]
    return plain_table(table, columns)
