"""The classes that a model has: new ones that labels bring, and those that are left.

A new class begins as :mod:`orthotype.transfer.adapt.names` says. Its profile is that of its labelled cells.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.transfer.adapt.names import Names
from orthotype.transfer.state import ModelState


def with_new_classes(
    state: ModelState,
    names: Names,
    X: sp.csr_array,
    labels: NDArray[np.object_],
    *,
    relatives: Mapping[str, str],
) -> ModelState:
    """Return the model with room for new classes, the classes sorted again.

    Parameters
    ----------
    state
        The model.
    names
        What :func:`match_names` found.
    X, labels
        Encoded labelled cells and their names.
    relatives
        New class to the class that it begins as, "" for the mean of all.
    """
    if not names.new:
        return state
    codes = np.array([names.new.index(label) if label in names.new else -1 for label in labels])
    fresh = class_profiles([(X[codes >= 0], one_hot(codes[codes >= 0], len(names.new)))])
    places = [state.classes.tolist().index(relatives[name]) if relatives[name] else -1 for name in names.new]
    rows = [state.coef.mean(axis=1) if k < 0 else state.coef[:, k] for k in places]
    levels = [state.intercept.mean(axis=1) if k < 0 else state.intercept[:, k] for k in places]
    classes = np.concatenate([state.classes, np.array(names.new, dtype=object)])
    order = np.argsort(classes.astype(str), kind="stable")
    old = state.profiles
    return replace(
        state,
        classes=classes[order],
        coef=np.concatenate([state.coef, np.stack(rows, axis=1)], axis=1)[:, order],
        intercept=np.concatenate([state.intercept, np.stack(levels, axis=1)], axis=1)[:, order],
        profiles=ClassProfiles(
            mean=np.concatenate([old.mean, fresh.mean])[order],
            variance=np.concatenate([old.variance, fresh.variance])[order],
            n_cells=np.concatenate([old.n_cells, fresh.n_cells])[order],
        ),
        called=np.concatenate([state.called, fresh.mean])[order],
        card=_card(state.card, names, fresh.n_cells, order),
    )


def _card(
    card: dict[str, Any], names: Names, n_cells: NDArray[np.float64], order: NDArray[np.intp]
) -> dict[str, Any]:
    """Return the card with an entry for each new class wherever classes have one.

    What is usual for a new class in the source is not known: 0, so that it has no say in how the species
    differ.
    """
    none = [0.0] * len(names.new)
    medians = {
        view: [(*values, *none)[i] for i in order] for view, values in card["unknown"]["medians"].items()
    }
    margins = [(*card["margins"]["medians"], *none)[i] for i in order]
    held_out = {**card["held_out"]}
    held_out["recall"] = {**held_out["recall"], **dict.fromkeys(names.new)}
    cells = {name: int(n) for name, n in zip(names.new, n_cells, strict=True)}
    return {
        **card,
        "unknown": {**card["unknown"], "medians": medians},
        "margins": {**card["margins"], "medians": margins},
        "held_out": held_out,
        "cells_per_class": {**card["cells_per_class"], **cells},
        "class_ontology_term_ids": {**card.get("class_ontology_term_ids", {}), **names.ids},
    }


def labelled_ones(state: ModelState, labels: NDArray[np.object_]) -> ModelState:
    """Return the model with those of its classes that have a label; all of them where it would keep no two.

    Parameters
    ----------
    state
        The model.
    labels
        Classes of the labelled cells.
    """
    kept = np.isin(state.classes, labels)
    return only_classes(state, kept) if np.count_nonzero(kept) > 1 else state


def only_classes(state: ModelState, kept: NDArray[np.bool_]) -> ModelState:
    """Return the model without some of its classes, which it can then call no cell.

    Parameters
    ----------
    state
        The model.
    kept
        Which classes are left, shape (n_classes,).
    """
    old, names = state.profiles, set(state.classes[kept].astype(str))
    card = state.card
    rows = {"margins": card["margins"]["medians"], **card["unknown"]["medians"]}
    rows = {view: np.asarray(values)[kept].tolist() for view, values in rows.items()}
    by_class = {
        entry: {name: value for name, value in card.get(entry, {}).items() if name in names}
        for entry in ("cells_per_class", "class_ontology_term_ids", "top_genes")
    }
    recall = {name: value for name, value in card["held_out"]["recall"].items() if name in names}
    return replace(
        state,
        classes=state.classes[kept],
        coef=state.coef[:, kept],
        intercept=state.intercept[:, kept],
        profiles=ClassProfiles(mean=old.mean[kept], variance=old.variance[kept], n_cells=old.n_cells[kept]),
        called=state.called[kept],
        card={
            **card,
            **by_class,
            "margins": {**card["margins"], "medians": rows.pop("margins")},
            "unknown": {**card["unknown"], "medians": rows},
            "held_out": {**card["held_out"], "recall": recall},
        },
    )
