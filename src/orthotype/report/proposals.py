"""What the labels leave open: types that the model may lack, and cells certain only of a parent."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from orthotype._keys import KEY, STATUS, UNKNOWN
from orthotype.errors import InputError
from orthotype.report.svg import bar
from orthotype.report.words import count, percent, score
from orthotype.transfer.rollup import LEVEL, ROLLED_UP, UNDECIDED, roll_up

if TYPE_CHECKING:
    from anndata import AnnData

MOST_PARENTS = 12
MOST_CLASSES = 3


def rolled_up(adata: "AnnData", *, key_added: str = KEY) -> pd.DataFrame | None:
    """Return :func:`orthotype.roll_up` of annotated cells, None where the classes have no ontology ids."""
    try:
        return roll_up(adata, key_added=key_added)
    except InputError:
        return None


def proposals(
    details: Mapping[str, Any], predictions: pd.DataFrame, rolled: pd.DataFrame | None
) -> dict[str, Any] | None:
    """Return everything that the page shows of proposed types and rolled-up labels, None if there is neither.

    Parameters
    ----------
    details
        Record of the annotation; its ``proposals`` are what :meth:`orthotype.transfer.proposals.Proposals
        .to_records` gives.
    predictions
        One row per cell, with ``status``.
    rolled
        Table of :func:`orthotype.roll_up`, if there is one.
    """
    groups = list(details.get("proposals") or [])
    parents = None if rolled is None else _parents(rolled)
    if not groups and parents is None:
        return None
    n_unknown = int((predictions[STATUS].astype(str) == UNKNOWN).sum())
    grouped = sum(int(group["cells"]) for group in groups)
    return {
        "groups": _groups(groups),
        "unknown": count(n_unknown),
        "grouped": count(grouped),
        "left": count(n_unknown - grouped) if n_unknown > grouped else "",
        "parents": parents,
    }


def _groups(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    most = max((int(group["cells"]) for group in groups), default=1)
    return [
        {
            "name": group["group"],
            "cells": count(group["cells"]),
            "value": int(group["cells"]),
            "bar": bar([(int(group["cells"]) / most, "other" if group["probably"] else "unknown")]),
            "probably": group["probably"] or "",
            "nearest": group["nearest"],
            "share": percent(group["share_nearest"]),
            "likeness": score(group["likeness"], digits=2),
            "own": score(group["likeness_own"], digits=2),
            "markers": group["markers"] or "",
        }
        for group in groups
    ]


def _parents(rolled: pd.DataFrame) -> dict[str, Any] | None:
    """Return the parents that cells were rolled up to, most cells first, None if there are none."""
    status = rolled["status"].astype(str)
    higher = rolled[status == ROLLED_UP]
    if not len(higher):
        return None
    sizes = higher.groupby("label").size().sort_values(ascending=False, kind="stable")
    rows = []
    for label, cells in sizes.head(MOST_PARENTS).items():
        inside = higher[higher["label"] == label]
        classes = inside["most_probable"].value_counts(sort=True)
        named = [f"{name} {count(n)}" for name, n in classes.head(MOST_CLASSES).items()]
        rows.append(
            {
                "label": str(label),
                "cells": count(cells),
                "bar": bar([(cells / sizes.iloc[0], "assigned")]),
                "probability": score(inside["probability"].median(), digits=2),
                "classes": ", ".join(named) + (" and others" if len(classes) > MOST_CLASSES else ""),
            }
        )
    return {
        "level": f"{LEVEL:g}",
        "cells": count(len(higher)),
        "undecided": count((status == UNDECIDED).sum()),
        "rows": rows,
        "rest": count(sizes.iloc[MOST_PARENTS:].sum()) if len(sizes) > MOST_PARENTS else "",
    }
