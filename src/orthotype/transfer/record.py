"""What an annotation remembers of how it was made: plain values, and one JSON text where they nest."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthotype._version import __version__
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.shift import SpeciesShift
from orthotype.transfer.labelling import Labelling
from orthotype.transfer.state import ModelState

PACKAGES = ("anndata", "numpy", "pandas", "scikit-learn", "scipy")


def annotation_record(
    state: ModelState, found: Labelling, *, parameters: Mapping[str, Any]
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

    Returns
    -------
    ``classes``, ``model_hash``, ``orthotype_version`` and ``details``, a JSON object with the model's
    ``card``, the gene ``coverage``, the ``genes`` that speak for each class with their means in source and
    target, the species ``shift``, the ``ratios`` of likeness and the ``run``.
    """
    table, shift = found.table, found.shift
    details = {
        "card": state.full_card(),
        "coverage": {"source": state.card["coverage"], "target": found.coverage},
        "genes": _gene_rows(state, found),
        "shift": None if shift is None else _shift_entry(shift, found),
        "ratios": found.ratios,
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


def _gene_rows(state: ModelState, found: Labelling) -> list[dict[str, Any]]:
    """Return the top genes of each class with their mean in its source cells and in the cells so called."""
    top = [state.top_features(k) for k in range(len(state.classes))]
    shown = np.unique(np.concatenate(top))
    target = _profiles(state, found, shown)
    rows = []
    for k, name in enumerate(state.classes):
        places = np.searchsorted(shown, top[k])
        for gene, place in zip(state.card["top_genes"][str(name)], places, strict=True):
            target_mean = round(float(target.mean[k, place]), 6) if target.n_cells[k] > 0 else None
            rows.append({"class": str(name), **gene, "target_mean": target_mean})
    return rows


def _profiles(state: ModelState, found: Labelling, columns: NDArray[np.intp]) -> ClassProfiles:
    """Return means of some features over the cells that were called each class."""
    table = found.table
    aligned = state.space.align(table.genes, species=table.species).restricted(columns)
    winner, n_classes = found.predictions.winner, len(state.classes)
    return class_profiles(
        (rows, one_hot(winner[where], n_classes)) for where, rows in aligned.blocks(table.rows)
    )
