"""Proposed new types: the cells that fit no class, grouped by what they have in common.

Everything is seen within the target: all of its genes, not only those that the model knows, because what
marks a new type may have no ortholog or no part in the source. Genes are chosen among the unknown cells and
among all cells; the groups are those of :mod:`orthotype.models.groups`.

A group may be no new type but misfits of a class: damaged cells, doublets, an unusual state. It is *probably*
class X if most of the cells of X at hand lie in the same group (company of 50 cells a class), and the group's
mean profile is like theirs. It stands at 0 if it is no more like X than the class next to X is, and at 1 if
it is as like X as X's own cells. 0.95 is enough where most of its cells come closest to X; 0.3 is, if the
unknown cells are a tail of X and not its body: less than 0.4 of X's cells there and them together.

Left-overs between the groups stay unknown without a group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import KEY, STATUS, UNKNOWN
from orthotype.cells.table import BLOCK_SIZE, CellTable, open_cells
from orthotype.errors import InputError
from orthotype.models.groups import (
    FEWEST_CELLS,
    Likeness,
    Places,
    coherence,
    find_groups,
    join_groups,
    likeness,
    profiles_of,
)
from orthotype.transfer.annotated import read_annotation
from orthotype.transfer.group_markers import NO_MARKERS, group_markers
from orthotype.transfer.unknown_cells import Seen, encoded_blocks, look, place_encoded

if TYPE_CHECKING:
    from anndata import AnnData

    from orthotype.transfer.predictions import Predictions

Codes = NDArray[np.intp]

NO_GROUP: Final = "no group"
SHOWN: Final = 5
MOST_OF_A_CLASS: Final = 0.5
TAIL: Final = 0.4
STANDING: Final = 0.3
THE_SAME: Final = 0.95
COLUMNS: Final = (
    "cells",
    "nearest",
    "share_nearest",
    "likeness",
    "likeness_own",
    "likeness_next",
    "probably",
    "coherence",
    "markers",
)


@dataclass(frozen=True)
class Proposals:
    """Proposed types among the unknown cells of a target.

    Attributes
    ----------
    groups : pandas.DataFrame
        One row per group, ``unknown 1`` the largest: ``cells``; ``nearest``, the class that most of its cells
        come closest to, and ``share_nearest``, how many; ``likeness``, the correlation of the mean profile
        with that of this class in the target, beside ``likeness_own``, what as many of the class's own cells
        reach, and ``likeness_next``, what the class most like it reaches (NaN where the target has fewer than
        five cells of the class); ``probably``, the class whose misfits these are, or ""; ``coherence``, 0 to
        1; ``markers``, the first five marker genes.
    markers : pandas.DataFrame
        One row per group and marker gene; :func:`orthotype.transfer.group_markers.group_markers` tells the
        columns.
    cells : pandas.Series
        The group of every cell of the target: ``"no group"`` for unknown cells between the groups, missing
        for cells that are not unknown.
    """

    groups: pd.DataFrame
    markers: pd.DataFrame
    cells: "pd.Series[str]"

    def to_records(self) -> list[dict[str, Any]]:
        """Return the groups as plain JSON values, for the record of an annotation."""
        return [
            {str(name): None if pd.isna(value) else value for name, value in row.items()}
            for row in self.groups.reset_index().to_dict(orient="records")
        ]


def propose_types(
    adata: "AnnData",
    *,
    species: str | None = None,
    layer: str | None = None,
    key_added: str = KEY,
    n_markers: int = 20,
    random_state: int = 0,
) -> Proposals:
    """Group the unknown cells of an annotated target into proposed types, with the genes that mark each.

    Parameters
    ----------
    adata
        Cells annotated with ``unknown="similarity"``; never changed.
    species
        Species of the cells; None takes the one of the annotation.
    layer
        Where the counts are, as for :meth:`orthotype.LabelTransfer.annotate`.
    key_added
        Key of the annotation.
    n_markers
        Most marker genes per group.
    random_state
        Decides which cells are looked at where there are more than 10,000.

    Raises
    ------
    InputError
        If the cells are not annotated, or hold no usable counts.

    Examples
    --------
    >>> import orthotype as ot
    >>> mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
    >>> human = model.annotate(human, species="human", alignment="shift", unknown="similarity")
    >>> found = ot.propose_types(human)
    >>> "CPA1" in found.markers.loc[found.markers["group"] == "unknown 1", "gene"].tolist()
    True
    """
    found = read_annotation(adata, key_added=key_added)
    target = dict(dict(found.details.get("run") or {}).get("target") or {})
    table = open_cells(adata, subject="the target", species=species or target.get("species"), layer=layer)
    return propose_groups(
        table,
        status=found.predictions[STATUS].astype(str).to_numpy(dtype=object),
        proba=found.proba,
        classes=found.classes,
        n_markers=n_markers,
        random_state=random_state,
    )


def propose_for(
    table: CellTable, predictions: "Predictions", *, n_markers: int = 20, random_state: int = 0
) -> Proposals:
    """Return :func:`propose_types` for cells that were labelled just now."""
    return propose_groups(
        table,
        status=predictions.status,
        proba=predictions.proba,
        classes=predictions.classes,
        n_markers=n_markers,
        random_state=random_state,
    )


def propose_groups(
    table: CellTable,
    *,
    status: NDArray[np.object_],
    proba: NDArray[np.floating],
    classes: Sequence[str] | NDArray[np.object_],
    n_markers: int = 20,
    random_state: int = 0,
    block_size: int = BLOCK_SIZE,
) -> Proposals:
    """Group unknown cells; no result depends on the order of the cells or on the size of a block.

    Parameters
    ----------
    table
        All cells of the target.
    status, proba
        What a model said of each: shape (n_cells,) and (n_cells, n_classes).
    classes
        Names of its classes.
    n_markers, random_state
        As for :func:`propose_types`.
    block_size
        Rows per block.

    Raises
    ------
    InputError
        If ``n_markers`` is negative.
    """
    if n_markers < 0:
        raise InputError(f"n_markers is {n_markers}; expected the number of marker genes to show, such as 20")
    seen = look(table, status, proba, random_state=random_state, block_size=block_size)
    if seen is None:
        return _none(table, status)
    encoded = sp.csr_array(seen.rows[:, seen.varying])
    places = Places.learn(sp.csr_array(encoded[seen.placed]), random_state=random_state)
    found = _group(seen, encoded, places)
    whole = np.full(table.n_cells, -1, dtype=np.intp)
    whole[seen.cells] = found.unknown
    names = [f"unknown {i + 1}" for i in range(int(whole.max()) + 1)]
    rest = np.setdiff1d(np.flatnonzero(status == UNKNOWN), seen.cells)
    if len(rest) and names:
        for at, codes in _groups_of(rest, table, found, places, seed=random_state, block_size=block_size):
            whole[at] = codes
    markers = group_markers(
        seen.rows,
        found.unknown,
        names=names,
        genes=table.genes.names.astype(str),
        n_markers=max(n_markers, SHOWN),
    )
    shown = markers[markers["rank"] <= SHOWN].groupby("group")["gene"].agg(", ".join)
    known = Known.of(found, [str(name) for name in classes])
    described = [
        {
            "cells": int(np.count_nonzero(whole == k)),
            **_describe(k, found, known, seed=random_state),
            "markers": str(shown.get(name, "")),
        }
        for k, name in enumerate(names)
    ]
    return Proposals(
        groups=pd.DataFrame(described, index=pd.Index(names, name="group"), columns=list(COLUMNS)),
        markers=markers[markers["rank"] <= n_markers].reset_index(drop=True),
        cells=_series(table, status, whole, names),
    )


class Grouped(NamedTuple):
    """Cells that were looked at, in groups.

    Attributes
    ----------
    seen
        The cells.
    encoded
        The same in the genes that were chosen.
    groups
        Group of each, -1 for none; company has the group that it lies in.
    places
        Where each lies that was placed, shape (n_placed, n_components).
    """

    seen: Seen
    encoded: sp.csr_array
    groups: Codes
    places: NDArray[np.float64]

    @property
    def unknown(self) -> Codes:
        """Group of each unknown cell, -1 for all others."""
        return np.where(self.seen.unknown, self.groups, -1)

    def company(self, group: int) -> NDArray[np.float64]:
        """Return the share of the company of each class that lies in a group, shape (n_classes,)."""
        seen, n_classes = self.seen, len(self.seen.n_assigned)
        company = seen.placed & ~seen.unknown
        beside = np.bincount(seen.winner[company & (self.groups == group)], minlength=n_classes)
        at_hand = np.bincount(seen.winner[company], minlength=n_classes)
        return np.divide(beside, at_hand, out=np.zeros(n_classes), where=at_hand > 0)


class Known(NamedTuple):
    """The classes: their names, the cells of each of which there are enough, and the means of these."""

    names: Sequence[str]
    members: dict[int, Codes]
    profiles: dict[int, NDArray[np.float64]]

    @classmethod
    def of(cls, found: Grouped, names: Sequence[str]) -> "Known":
        """Look at the cells of each class."""
        seen = found.seen
        cells = [np.flatnonzero(seen.assigned & (seen.winner == code)) for code in range(len(names))]
        members = {code: own for code, own in enumerate(cells) if len(own) >= FEWEST_CELLS}
        return cls(names, members, profiles_of(found.encoded, members))


def _groups_of(
    rest: Codes, table: CellTable, found: Grouped, places: Places, *, seed: int, block_size: int
) -> Iterator[tuple[Codes, Codes]]:
    """Yield unknown cells that were not looked at, with the group of each, so many at a time.

    By the genes that the groups were found by, or, where they were labelled just now, by those of the model.
    """
    seen = found.seen
    known = np.flatnonzero(seen.unknown & seen.placed)
    kept = found.places[seen.unknown[seen.placed]]
    spots: Iterator[tuple[Codes, NDArray[np.float64]]] = (
        (at, places.place(sp.csr_array(rows[:, seen.varying])))
        for at, rows in encoded_blocks(table, rest, block_size=block_size)
    )
    if table.rows.encoded is not None:
        kept, spots = place_encoded(table.rows.encoded[1], seen.cells[known], rest, random_state=seed)
    for at, where in spots:
        yield at, join_groups(where, known=kept, codes=found.groups[known])


def _group(seen: Seen, encoded: sp.csr_array, places: Places) -> Grouped:
    where = places.place(sp.csr_array(encoded[seen.placed]))
    groups = np.full(len(seen.cells), -1, dtype=np.intp)
    groups[seen.placed] = _largest_first(find_groups(where), unknown=seen.unknown[seen.placed])
    return Grouped(seen, encoded, groups, where)


def _largest_first(codes: Codes, *, unknown: NDArray[np.bool_]) -> Codes:
    """Return codes ordered by their number of unknown cells, largest first; too few of them are no group."""
    sizes = np.bincount(codes[unknown & (codes >= 0)], minlength=int(codes.max(initial=0)) + 1)
    order = [k for k in np.argsort(-sizes, kind="stable").tolist() if sizes[k] >= FEWEST_CELLS]
    new = np.full(len(sizes) + 1, -1, dtype=np.intp)
    new[order] = np.arange(len(order))
    return np.asarray(new[codes])


def _describe(group: int, found: Grouped, known: Known, *, seed: int) -> dict[str, Any]:
    """Return what is known of one group."""
    seen, members = found.seen, known.members
    inside = np.flatnonzero(found.unknown == group)
    nearest = int(np.bincount(seen.winner[inside], minlength=len(known.names)).argmax())
    host, tail = _host(group, found)
    alike = {
        code: likeness(found.encoded, inside, own=members[code], profiles=known.profiles, to=code, seed=seed)
        for code in {nearest, host} & set(members)
    }
    probably = ""
    if host in alike:
        standing = alike[host].standing
        misfits = (tail and standing >= STANDING) or (host == nearest and standing >= THE_SAME)
        probably = known.names[host] if misfits else ""
    like_nearest = alike.get(nearest, Likeness(np.nan, np.nan, np.nan))
    return {
        "nearest": known.names[nearest],
        "share_nearest": float(np.mean(seen.winner[inside] == nearest)),
        "likeness": like_nearest.group,
        "likeness_own": like_nearest.own,
        "likeness_next": like_nearest.next,
        "probably": probably,
        "coherence": coherence(found.places[np.isin(np.flatnonzero(seen.placed), inside)]),
    }


def _host(group: int, found: Grouped) -> tuple[int, bool]:
    """Return the class most of which lies in a group, -1 for none, and whether the group is a tail of it."""
    share, n_assigned = found.company(group), found.seen.n_assigned
    host = int((share * n_assigned).argmax())
    n_unknown = np.count_nonzero(found.unknown == group)
    tail = n_unknown / (n_unknown + float(share @ n_assigned)) <= TAIL
    return (host if share[host] >= MOST_OF_A_CLASS else -1), bool(tail)


def _series(
    table: CellTable, status: NDArray[np.object_], codes: Codes, names: list[str]
) -> "pd.Series[str]":
    """Return the group of every cell."""
    texts = np.array([*names, NO_GROUP, None], dtype=object)
    places = np.where(codes >= 0, codes, np.where(status == UNKNOWN, len(names), len(names) + 1))
    index = pd.Index(table.names.astype(str), name="cell")
    groups = pd.Categorical(texts[places], categories=[*names, NO_GROUP])
    return pd.Series(groups, index=index, name="group")


def _none(table: CellTable, status: NDArray[np.object_]) -> Proposals:
    nothing = np.full(table.n_cells, -1, dtype=np.intp)
    return Proposals(
        groups=pd.DataFrame(columns=list(COLUMNS), index=pd.Index([], name="group", dtype=object)),
        markers=NO_MARKERS.copy(),
        cells=_series(table, status, nothing, []),
    )
