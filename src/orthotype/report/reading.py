"""The report of labels held against a coarse reading of clusters, with and without the species shift."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from orthotype._files import written_whole
from orthotype.report.page import page
from orthotype.report.svg import bar
from orthotype.report.words import count, percent, score
from orthotype.study.reading import fitting_share, written

MOST = 3  # labels named for a kind of cell
FACTS = ("title", "citation", "doi", "accession", "licence", "data", "script", "created")


def write_reading(
    path: str | Path,
    *,
    title: str,
    card: Mapping[str, Any],
    cells: Mapping[str, Any],
    plain: pd.DataFrame,
    shifted: pd.DataFrame,
    markers_plain: pd.DataFrame,
    markers: pd.DataFrame,
    command: str = "",
    force: bool = False,
) -> Path:
    """Write one HTML file that says what each kind of cell was called, and whether its genes bear it out.

    Parameters
    ----------
    path
        File to write, whole or not at all.
    title
        Heading of the page.
    card
        The card of the model, with citation, licence, limits and what was relabelled, where it tells.
    cells
        ``species``, ``citation``, ``licence`` and ``notes`` of the cells.
    plain, shifted
        Tables of :func:`orthotype.study.reading.calls_by_type` for the same cells, as they are and with the
        species shift taken off; ``shifted`` also has ``unlike``, the share of cells unlike every class.
    markers_plain, markers
        Tables of :func:`orthotype.study.reading.markers_by_label`, likewise.
    command
        The command that repeats it.
    force
        Overwrite an existing file.

    Returns
    -------
    pathlib.Path
        Where the report is.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    known = shifted["fits"].notna()
    text = page(
        "reading.html",
        title=title,
        lead=_lead(card, cells, plain, shifted),
        figures=_figures(plain, shifted),
        allowed=_rows(plain[known.to_numpy()], shifted[known]),
        strangers=_rows(plain[~known.to_numpy()], shifted[~known]),
        markers=_markers(markers_plain, markers),
        cells=cells,
        card=card,
        facts=[(name, str(card[name])) for name in FACTS if name in card],
        relabelled=list(dict(card.get("relabelled") or {}).items()),
        limits=list(card.get("limits") or []),
        command=command,
    )
    with written_whole(path, force=force) as beside:
        beside.write_text(text, encoding="utf-8")
    return Path(path)


def _lead(
    card: Mapping[str, Any], cells: Mapping[str, Any], plain: pd.DataFrame, shifted: pd.DataFrame
) -> list[str]:
    known = shifted[shifted["fits"].notna()]
    others = shifted[shifted["fits"].isna()]
    sentences = [
        f"{count(shifted['cells'].sum())} {cells['species']} cells were labelled by a model of "
        f"{card['species']} cells that has seen none of them.",
        f"{count(known['cells'].sum())} of them are of a kind that the model has a class for: "
        f"{percent(fitting_share(plain))} of these got a label that fits as they are, "
        f"{percent(fitting_share(shifted))} with the species shift taken off.",
    ]
    if len(others):
        sentences.append(
            f"The other {count(others['cells'].sum())} ({', '.join(others['type'])}) have no class in the "
            "model, and no label can be right for them."
        )
    return sentences


def _figures(plain: pd.DataFrame, shifted: pd.DataFrame) -> list[dict[str, str]]:
    known, others = shifted[shifted["fits"].notna()], shifted[shifted["fits"].isna()]
    found = [
        {"value": percent(fitting_share(plain)), "name": "fit, as they are", "note": "no shift taken off"},
        {"value": percent(fitting_share(shifted)), "name": "fit, shifted", "note": "species shift taken off"},
        {"value": score(_mean(known), digits=2), "name": "confidence", "note": "kinds that have a class"},
    ]
    if len(others):
        found.append(
            {"value": score(_mean(others), digits=2), "name": "confidence", "note": "kinds without one"}
        )
    return found


def _rows(plain: pd.DataFrame, shifted: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (_, before), (_, after) in zip(plain.iterrows(), shifted.iterrows(), strict=True):
        rows.append(
            {
                "type": after["type"],
                "cells": count(after["cells"]),
                "allowed": after["allowed"],
                "plain": percent(before["fits"]),
                "shifted": percent(after["fits"]),
                "called_plain": written(before["called"], most=MOST),
                "called": written(after["called"], most=MOST),
                "no_agreement": percent(after["no_agreement"]),
                "unlike": percent(after["unlike"]),
                "confidence": score(after["confidence"], digits=2),
            }
        )
    return rows


def _markers(plain: pd.DataFrame, shifted: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per label and gene that is in either table."""
    keys = ["label", "gene", "used"]
    both = pd.concat([shifted, plain])[keys].drop_duplicates().merge(shifted, on=keys, how="left")
    both = both.merge(plain, on=keys, how="left", suffixes=("", "_plain"))
    return [
        {
            "label": row["label"],
            "gene": row["gene"],
            "cells_plain": count(row["cells_plain"]),
            "fraction_plain": percent(row["fraction_plain"]),
            "cells": count(row["cells"]),
            "fraction": percent(row["fraction"]),
            "bar": bar([(0.0 if pd.isna(row["fraction"]) else row["fraction"], "assigned")]),
            "others": percent(row["fraction_others"]),
            "auroc": score(row["auroc"], digits=2),
            "used": bool(row["used"]),
        }
        for _, row in both.iterrows()
    ]


def _mean(calls: pd.DataFrame) -> float:
    return float((calls["confidence"] * calls["cells"]).sum() / calls["cells"].sum())
