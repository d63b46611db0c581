"""One source or several: what training takes, opened and checked, and several made into one reference."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthotype.cells.backed import StoredCells, as_cells
from orthotype.cells.joined import join
from orthotype.cells.memory import Memory
from orthotype.errors import InputError, Problems, listed
from orthotype.transfer.fitting import Source, open_source

if TYPE_CHECKING:
    from anndata import AnnData


def as_sources(source: Any, *, memory: Memory) -> "list[tuple[str, AnnData | StoredCells]]":
    """Return each source with what messages call it.

    Raises
    ------
    InputError
        If there is none, a file cannot be read, or cells in memory are given to a cluster.
    """
    if not isinstance(source, list | tuple):
        return [("the source", as_cells(source, memory=memory))]
    if not source:
        raise InputError("no source was given; expected labelled cells, or files of them")
    named = [str(each) if isinstance(each, str | Path) else f"source {n}" for n, each in enumerate(source, 1)]
    return [(name, as_cells(each, memory=memory)) for name, each in zip(named, source, strict=True)]


def open_sources(
    cells: "Sequence[tuple[str, AnnData | StoredCells]]",
    *,
    labels: str,
    species: str | Sequence[str | None] | None,
    batch: str | None,
    layer: str | None,
    min_cells: int,
    look_first: bool | None,
) -> Source:
    """Check one source or several, and return them as one.

    Parameters are those of :func:`orthotype.transfer.fitting.open_source`; ``species`` may name one for each.

    Raises
    ------
    InputError
        With every problem of a source at once; if the classes of all sources together have too few cells.
    """
    alone = len(cells) == 1
    of_each = [species] * len(cells) if species is None or isinstance(species, str) else list(species)
    if len(of_each) != len(cells):
        raise InputError(f"{len(of_each)} species were named for {len(cells)} sources; expected one for each")
    opened = [
        open_source(
            each,
            labels=labels,
            species=own,
            batch=batch,
            layer=layer,
            min_cells=min_cells if alone else 1,
            subject=name,
            look_first=look_first,
        )
        for (name, each), own in zip(cells, of_each, strict=True)
    ]
    return opened[0] if alone else _joined(opened, [name for name, _ in cells], min_cells=min_cells)


def _joined(opened: Sequence[Source], names: Sequence[str], *, min_cells: int) -> Source:
    classes = np.concatenate([source.labels for source in opened])
    problems = Problems("the sources together")
    few = sorted(name for name, count in Counter(classes.tolist()).items() if count < min_cells)
    if few:
        problems.add(
            f"{len(few)} classes have fewer than {min_cells} cells ({listed(few)})",
            remedy="remove or join them, or allow fewer cells (min_cells=..., --min-cells)",
        )
    problems.raise_if_any()
    sources = np.concatenate(
        [np.full(source.table.n_cells, str(n), dtype=object) for n, source in enumerate(opened, 1)]
    )
    batches = [source.batch for source in opened if source.batch is not None]
    own = np.concatenate(batches) if len(batches) == len(opened) else None
    return Source(
        table=join([source.table for source in opened], names=names),
        labels=classes,
        batch=None if own is None else sources + ": " + own,
        label_column=opened[0].label_column,
        ontology={name: term for source in opened for name, term in source.ontology.items()},
        n_unlabelled=sum(source.n_unlabelled for source in opened),
        sources=tuple(
            {"name": Path(name).name, "species": source.table.species, "n_cells": source.table.n_cells}
            for name, source in zip(names, opened, strict=True)
        ),
    )
