"""Which cells to label next, a few at a time, and why: one row each, ready to be filled in.

The target is labelled by the model as it stands; what came out, and where the cells lie, decides
(:mod:`orthotype.transfer.suggest.sample`, :mod:`orthotype.transfer.suggest.choice`). No label of the target
is needed, and those that it has are left alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import CONFIDENCE, LABEL, STATUS, UNKNOWN
from orthotype.errors import InputError
from orthotype.transfer.labelling import Labelling
from orthotype.transfer.state import ModelState
from orthotype.transfer.suggest.choice import (
    Cover,
    choose,
    doubts,
    shares,
    squared_distances,
)
from orthotype.transfer.suggest.groups import Groups, by_call, by_place, hardly_kin
from orthotype.transfer.suggest.request import Request
from orthotype.transfer.suggest.sample import MOST_CELLS, draw, gather, places
from orthotype.transfer.suggest.words import Called, counted, nearest_to, reason, top_genes

COLUMNS = (
    LABEL,
    "predicted",
    CONFIDENCE,
    STATUS,
    "group",
    "stands_for",
    "reason",
    "neighbours",
    "top_genes",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scene:
    """The cells that are compared with each other.

    Attributes
    ----------
    cells
        Their positions among all cells, shape (m,).
    mass
        Cells that each stands for, shape (m,).
    counts
        Their counts, shape (m, n_genes).
    places
        Where they lie, shape (m, d).
    doubt
        How doubtful their calls are, 0 to 1, shape (m,).
    strange
        Which are called a class that is hardly kin of its cells, shape (m,).
    groups
        Group of each, shape (m,).
    names
        Name of each group.
    labelled
        Which have a label, shape (m,).
    asked
        Which were asked for already, those with a label among them, shape (m,).
    labels
        Labels that each group has, shape (n_groups,).
    """

    cells: NDArray[np.intp]
    mass: Floats
    counts: sp.csr_array
    places: Floats
    doubt: Floats
    strange: NDArray[np.bool_]
    groups: NDArray[np.intp]
    names: list[str]
    labelled: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    labels: Floats


def suggest_cells(
    state: ModelState, found: Labelling, request: Request, *, block_size: int, most: int = MOST_CELLS
) -> pd.DataFrame:
    """Return the cells to label next, the most useful first.

    Parameters
    ----------
    state
        The model.
    found
        What it says of the cells.
    request
        What is asked for.
    block_size
        Rows per block; no result depends on it.
    most
        Cells that are compared with each other.

    Returns
    -------
    The columns of :data:`COLUMNS` with the name of the cell as index; ``attrs`` holds the numbers of cells,
    of those compared, of those with a label, and of those asked for that were left empty.

    Raises
    ------
    InputError
        If every cluster was asked for already.
    """
    scene = _scene(state, found, request, block_size=block_size, most=most)
    chosen = _clusters(scene, request.n) if request.by == "clusters" else _cells(scene, request.n)
    frame = _rows(state, found, request, scene, chosen)
    frame.attrs = {
        "cells": len(found.predictions),
        "compared": len(scene.cells),
        "labelled": int(request.labelled.sum()),
        "left_empty": int((request.asked & ~request.labelled).sum()),
    }
    return frame


def _scene(state: ModelState, found: Labelling, request: Request, *, block_size: int, most: int) -> Scene:
    said, asked = found.predictions, request.asked
    unknown = said.status == UNKNOWN
    if request.clusters is None:
        called = 2 * said.winner + unknown
    else:
        called = pd.factorize(request.clusters, sort=True)[0]
    rng = np.random.default_rng(request.random_state)
    new = draw(np.where(asked, -1, called), most=max(most, 2 * request.n), rng=rng)
    old = draw(np.where(asked, called, -1), most=most // 2, rng=rng)
    cells = np.concatenate([new.cells, old.cells])
    order = np.argsort(cells)
    cells, mass = cells[order], np.concatenate([new.mass, old.mass])[order]
    counts = gather(found.table.rows, cells, block_size=block_size)
    encoded = state.space.align(found.table.genes, species=found.table.species).encode(counts)
    where = places(encoded, said.proba[cells], random_state=request.random_state)
    doubt = doubts(said.proba[cells], said.votes[cells], unknown[cells], n_models=len(state.coef))
    strange = hardly_kin(said.winner[cells], found.kinship)
    if request.clusters is None:
        groups = by_call(said.winner[cells], unknown[cells], state.classes)
        groups = by_place(groups, strange, where.genes, mass=mass, random_state=request.random_state)
        doubt[strange] = 1.0
    else:
        codes, values = pd.factorize(request.clusters[cells], sort=True)
        groups = Groups(codes.astype(np.intp), [str(value) for value in values])
    given = _given(groups, request.label[cells], mass, state)
    return Scene(
        cells=cells,
        mass=mass,
        counts=counts,
        places=where.joined,
        doubt=doubt,
        strange=strange,
        groups=groups.codes,
        names=groups.names,
        labelled=request.labelled[cells],
        asked=asked[cells],
        labels=np.maximum(given, [_learned(state).get(name, 0) for name in groups.names]),
    )


def _given(groups: Groups, label: NDArray[np.object_], mass: Floats, state: ModelState) -> Floats:
    """Return the labels that each group has: of its class, or else of its cells, shape (n_groups,).

    A cell called D that turned out to be B is a label for B, and D still waits for one. A cell that fits no
    class, or is called one that is hardly kin, is a label for its group in any case.
    """
    codes, names = groups
    given, known = np.zeros(len(names)), set(state.classes)
    place = {name: g for g, name in enumerate(names)}
    for j in np.flatnonzero(label != ""):
        own = place.get(label[j], codes[j])
        given[own] += mass[j]
        if own != codes[j] and names[codes[j]] not in known:
            given[codes[j]] += mass[j]
    return given


def _learned(state: ModelState) -> dict[str, int]:
    """Return the labelled target cells of every class that the model has been adapted to."""
    adapted: dict[str, Any] = state.card.get("adapted") or {}
    return {str(name): int(n) for name, n in (adapted.get("cells_per_class") or {}).items()}


def _cells(scene: Scene, n: int) -> NDArray[np.intp]:
    return choose(
        scene.places,
        scene.groups,
        mass=scene.mass,
        doubt=scene.doubt,
        labelled=scene.labelled,
        labels=scene.labels,
        n=n,
        asked=scene.asked,
    )


def _clusters(scene: Scene, n: int) -> NDArray[np.intp]:
    """Return the most typical cell of each cluster not yet asked for, at most n, the neediest first."""
    taken = np.bincount(scene.groups[scene.asked], minlength=len(scene.names)) > 0
    if taken.all():
        left_empty = (scene.asked & ~scene.labelled).any()
        raise InputError(
            f"each of the {len(scene.names)} clusters has a labelled cell"
            + (" or one that was left empty" if left_empty else "")
            + "; expected one without; ask for cells instead (by='cells')"
        )
    speaks = np.where(taken, -1.0, shares(scene.groups, scene.mass, scene.doubt))
    ranked = [int(g) for g in np.argsort(-speaks, kind="stable") if not taken[g]][:n]
    chosen = []
    for g in ranked:
        members = np.flatnonzero(scene.groups == g)
        cover = Cover.of(
            members,
            scene.places[members],
            labelled=scene.labelled[members],
        )
        chosen.append(cover.next(scene.mass[members]))
    return np.array(chosen, dtype=np.intp)


def _rows(
    state: ModelState, found: Labelling, request: Request, scene: Scene, chosen: NDArray[np.intp]
) -> pd.DataFrame:
    said, table = found.predictions, found.table
    stands_for = _stands_for(scene, chosen)
    totals, genes = table.totals, np.asarray(table.genes.names, dtype=object)
    met = {*request.label.tolist(), *_learned(state)}
    rows = []
    for j, stands, near in zip(chosen, stands_for, nearest_to(chosen, scene.places), strict=True):
        cell = scene.cells[j]
        called = _called(said.classes, said.winner[cell], said.status[cell], said.proba[cell])
        around = [str(name) for name in said.label[scene.cells[near[1:]]]]
        alike = near[scene.groups[near] == scene.groups[j]]
        kin = not scene.strange[j]
        rows.append(
            (
                "",
                called.name,
                round(float(said.confidence[cell]), 4),
                called.status,
                scene.names[scene.groups[j]],
                stands,
                reason(called, stands_for=stands, first=called.name not in met, kin=kin),
                counted(around),
                " ".join(top_genes(sp.csr_array(scene.counts[alike]), totals=totals, names=genes)),
            )
        )
        if called.status != UNKNOWN and kin:
            met.add(called.name)
    index = pd.Index([str(table.names[c]) for c in scene.cells[chosen]], name="cell", dtype=object)
    return pd.DataFrame(rows, columns=list(COLUMNS), index=index)


def _called(classes: NDArray[np.object_], winner: int, status: str, proba: NDArray[np.floating]) -> Called:
    best = np.argsort(-proba, kind="stable")[:2]
    return Called(str(classes[winner]), str(status), tuple((str(classes[k]), float(proba[k])) for k in best))


def _stands_for(scene: Scene, chosen: NDArray[np.intp]) -> list[int]:
    """Return how many cells of its group are nearer to each chosen cell than to any other, or to a label."""
    counts = np.zeros(len(scene.cells))
    own = np.zeros(len(scene.cells), dtype=bool)
    own[chosen] = True
    for g in np.unique(scene.groups[chosen]):
        inside = scene.groups == g
        centres = np.flatnonzero(inside & (own | scene.labelled))
        members = np.flatnonzero(inside & ~scene.labelled)
        nearest = centres[squared_distances(scene.places[members], scene.places[centres]).argmin(axis=1)]
        np.add.at(counts, np.where(own[members], members, nearest), scene.mass[members])
    return [max(1, round(float(counts[j]))) for j in chosen]
