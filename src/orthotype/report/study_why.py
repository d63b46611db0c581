"""Section three of a study's report: the genes that carry the classes, and which classes are alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from orthotype.report.study_svg import tree
from orthotype.report.study_tables import (
    Column,
    Tables,
    by_learner,
    counted,
    diverging_heat,
    learner_name,
    p_value,
    plain_table,
    rows_of,
    share,
    three,
)
from orthotype.report.svg import bar

GENES_PER_CARD = 10
LIMIT = 2.0


def why_section(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of question three."""
    learner, top = next(by_learner(tables, "why_top_genes"))
    return {
        "learner": learner_name(learner),
        "cards": _cards(top),
        "heats": [_heat(part) for name, part in by_learner(tables, "why_expression") if name == learner],
        "weights": [_weights(name, part) for name, part in by_learner(tables, "why_weights")],
        "similarity": _similarity(tables),
        "tree": _tree(tables, record),
        "target_classes": record["facts"].get("why/similarity", {}).get("target_classes", ""),
        "n_components": record["facts"].get("why/similarity", {}).get("n_components", ""),
    }


def _cards(top: pd.DataFrame) -> list[dict[str, Any]]:
    most = float(top["importance"].max()) if len(top) else 1.0
    return [
        {
            "name": str(name),
            "rows": [
                {
                    "gene": row["gene"],
                    "bits": three(row["importance"]),
                    "bar": bar([(row["importance"] / most, "assigned")]),
                }
                for row in rows_of(part.head(GENES_PER_CARD))
            ],
        }
        for name, part in top.groupby("class", sort=False)
    ]


def _heat(table: pd.DataFrame) -> dict[str, Any]:
    """Return one heat map for each species, genes x classes, side by side over the same genes."""
    genes = list(dict.fromkeys(table["gene"]))
    chosen_for = dict(zip(table["gene"], table["top_for"], strict=True))
    panels = []
    for species, part in table.groupby("species", sort=False):
        wide = part.pivot_table(index="gene", columns="class", values="scaled").reindex(genes)
        order = [name for name in dict.fromkeys(part["class"]) if name in wide.columns]
        heat = diverging_heat(wide[order], limit=LIMIT, digits=None, groups=chosen_for)
        panels.append({"species": str(species), **heat})
    rows = [
        {
            "name": row[0]["name"],
            "first": row[0]["first"],
            "top_for": chosen_for[row[0]["name"]],
            "cells": [part["cells"] for part in row],
        }
        for row in zip(*[panel["rows"] for panel in panels], strict=True)
    ]
    return {"panels": [{"species": p["species"], "columns": p["columns"]} for p in panels], "rows": rows}


def _weights(learner: str, table: pd.DataFrame) -> dict[str, Any]:
    columns: list[Column] = [
        ("class", "class", None),
        ("top", "genes", counted),
        ("upper", "among the highest 5 %", counted),
        ("lower", "among the lowest 5 %", counted),
        ("share", "in either", share),
        ("expected", "by chance", share),
        ("p_adjusted", "adjusted p", p_value),
    ]
    return {
        "learner": learner_name(learner),
        "weights_of": learner_name(str(table["weights_of"].iloc[0])),
        "table": plain_table(table, columns),
    }


def _similarity(tables: Tables) -> dict[str, Any] | None:
    if "why_similarity" not in tables:
        return None
    long = tables["why_similarity"]
    across = long[(long["row_side"] == "source") & (long["column_side"] == "target")]
    wide = across.pivot_table(index="row_class", columns="column_class", values="cosine")
    rows = list(dict.fromkeys(across["row_class"]))
    names = list(dict.fromkeys(across["column_class"]))
    order = [name for name in rows if name in names] + [name for name in names if name not in rows]
    heat = diverging_heat(wide.loc[rows, order], limit=1.0)
    for row in heat["rows"]:
        for cell, name in zip(row["cells"], heat["columns"], strict=True):
            cell["hit"] = name == row["name"]
    return heat


def _tree(tables: Tables, record: Mapping[str, Any]) -> Any:
    if "why_tree" not in tables:
        return None
    linkage = tables["why_tree"][["left", "right", "height", "leaves"]].to_numpy(dtype=np.float64)
    leaves = tables["why_leaves"]["name"].astype(str).tolist()
    species = {"source": record["source"]["species"], "target": record["target"]["species"]}
    names, styles = [], []
    for leaf in leaves:
        side, _, name = leaf.partition(": ")
        names.append(f"{species[side]} {name}")
        styles.append(f"leaf {side}")
    return tree(linkage, names, styles, title="Tree of classes by the angle between them")
