"""What an annotation remembers of how it was made: plain values, and one JSON text where they nest."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from math import isnan
from typing import Any

import numpy as np

from orthotype._version import __version__
from orthotype.models.profiles import ClassProfiles
from orthotype.models.shift import SpeciesShift
from orthotype.transfer.biology_tables import biology_tables
from orthotype.transfer.labelling import Labelling
from orthotype.transfer.profile_pair import Pair
from orthotype.transfer.proposals import Proposals
from orthotype.transfer.state import ModelState

PACKAGES = ("anndata", "numpy", "pandas", "scikit-learn", "scipy")


def annotation_record(
    state: ModelState, found: Labelling, *, parameters: Mapping[str, Any], proposals: Proposals
) -> dict[str, Any]:
    """Return what ``uns`` keeps of an annotation.

    Parameters
    ----------
    state
        The model.
    found
        What it said of the cells.
    parameters
        What was asked for.
    proposals
        Proposed types among the unknown cells.

    Returns
    -------
    ``classes``, ``model_hash``, ``orthotype_version`` and ``details``, a JSON object with the model's
    ``card``, the gene ``coverage``, the ``genes`` that speak for each class with their means in source and
    target, the species ``shift``, what ``alignment`` changed, the ``proposals``, the ``kinship`` and the
    lower end of its interval (None where it cannot be told), the ``ratios`` of likeness and the ``run``; and
    the tables of :mod:`orthotype.transfer.biology`.
    """
    table, shift, pair = found.table, found.shift, Pair.of(state, found)
    details = {
        "card": state.full_card(),
        "coverage": {"source": state.card["coverage"], "target": found.coverage},
        "genes": _gene_rows(state, pair.target),
        "shift": None if shift is None else _shift_entry(shift, found),
        "alignment": {
            "kind": parameters.get("alignment", "none"),
            "n_neighbors": parameters.get("n_neighbors", 0),
            **found.effect.to_dict(state.classes),
        },
        "kinship": None if isnan(found.kinship.whole) else found.kinship.whole,
        "kinship_least": None if isnan(found.kinship.whole) else found.kinship.least,
        "ratios": found.ratios,
        "proposals": proposals.to_records(),
        "run": {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "orthotype": __version__,
                "python": platform.python_version(),
                **{name: version(name) for name in PACKAGES},
            },
            "parameters": {name: value for name, value in parameters.items() if value is not None},
            "seed": state.card["random_state"],
            "target": {
                "species": table.species,
                "cells": table.n_cells,
                "genes": len(table.genes.names),
                "gene_names": table.genes.kind,
                "genes_summed": len(table.genes.duplicates),
                "genes_summed_examples": table.genes.to_dict()["duplicated_examples"],
                "counts": f"{table.counts.where} ({table.counts.scale})",
            },
        },
    }
    return {
        "classes": state.classes.astype(str),
        "model_hash": state.hash(),
        "orthotype_version": __version__,
        "details": json.dumps(details, ensure_ascii=False, allow_nan=False),
        **biology_tables(pair),
    }


def _shift_entry(shift: SpeciesShift, found: Labelling) -> dict[str, Any]:
    """Return how the shift came about; a class without weight supports nothing, None."""
    return {
        "reason": shift.reason,
        "step": shift.step,
        "changes": list(shift.changes),
        "mass": shift.mass.tolist(),
        "support": [None if np.isnan(slope) else float(slope) for slope in shift.support],
        "sharpness": found.sharpness,
    }


def _gene_rows(state: ModelState, target: ClassProfiles) -> list[dict[str, Any]]:
    """Return the top genes of each class with their mean in its source cells and in the cells so called."""
    rows = []
    for k, name in enumerate(state.classes):
        for gene, place in zip(state.card["top_genes"][str(name)], state.top_features(k), strict=True):
            target_mean = round(float(target.mean[k, place]), 6) if target.n_cells[k] > 0 else None
            rows.append({"class": str(name), **gene, "target_mean": target_mean})
    return rows
