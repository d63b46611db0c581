"""Training from the cells to the model: what is asked for, and what an interrupted run goes on with.

A run that names the file its model goes to keeps beside it, in ``.NAME.orthotype-parts``, what it has made:
the moments of the genes, the encoded cells, every fit of a fold. The same command goes on from there if
files, labels and settings are the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthotype._files import check_output
from orthotype.cells.backed import StoredCells, as_cells
from orthotype.cells.memory import Memory
from orthotype.cells.survey import looked_again
from orthotype.cells.table import CellTable, open_cells, warn_of_repeated
from orthotype.errors import OutputError
from orthotype.transfer.fitting import Source
from orthotype.transfer.joining import as_sources, open_sources
from orthotype.transfer.state import ModelState
from orthotype.transfer.streaming import with_parts, worth_keeping

if TYPE_CHECKING:
    from anndata import AnnData

Fit = Callable[[Source, CellTable | None], ModelState]


@dataclass(frozen=True)
class Asked:
    """What to learn from; the fields are parameters of :meth:`orthotype.LabelTransfer.fit`."""

    source: Any
    labels: str
    species: str | Sequence[str | None] | None
    batch: str | None
    layer: str | None
    min_cells: int
    target: "AnnData | StoredCells | str | Path | None"
    target_species: str | None

    def fitted(self, fit: Fit, *, memory: Memory, output: Path | None) -> ModelState:
        """Return the model of the cells, opened and checked.

        Parameters
        ----------
        fit
            Makes a model of checked cells, and of those to be labelled later.
        memory
            How much may be held in memory, and who works.
        output
            Where the model goes; None if nothing is kept for a run that goes on.
        """
        if output is not None:
            memory = replace(memory, folder=output.parent)
        cells = as_sources(self.source, memory=memory)
        others = None if self.target is None else as_cells(self.target, memory=memory)
        if output is not None:
            cells, others = _kept(cells, others, output)

        def opened(look_first: bool | None) -> ModelState:
            checked = open_sources(
                cells,
                labels=self.labels,
                species=self.species,
                batch=self.batch,
                layer=self.layer,
                min_cells=self.min_cells,
                look_first=look_first,
            )
            return fit(checked, self._other(others, look_first))

        return looked_again(opened)

    def _other(self, others: "AnnData | StoredCells | None", look_first: bool | None) -> CellTable | None:
        """Return the cells to be labelled later, opened and checked."""
        if others is None:
            return None
        other = open_cells(others, subject="the target", species=self.target_species, look_first=look_first)
        warn_of_repeated(other.genes, "the target")
        return other


def model_place(output: str | Path | None, *, force: bool) -> Path | None:
    """Return where a model goes, after a look at the place.

    Raises
    ------
    OutputError
        If it cannot be written, is no ``.safetensors`` file, or exists and ``force`` is false.
    """
    if output is None:
        return None
    path = check_output(output, force=force)
    if path.suffix.lower() != ".safetensors":
        raise OutputError(f"{path} does not end in .safetensors; name the model file so")
    return path


def _kept(
    cells: "list[tuple[str, AnnData | StoredCells]]", others: "AnnData | StoredCells | None", output: Path
) -> "tuple[list[tuple[str, AnnData | StoredCells]], AnnData | StoredCells | None]":
    """Let the work be kept beside the output, if all of it is of files, and large ones."""
    taking_part = [each for _, each in cells] + ([] if others is None else [others])
    stored = [each for each in taking_part if isinstance(each, StoredCells)]
    if len(stored) < len(taking_part) or not worth_keeping(stored):
        return cells, others
    key = {"all": [(str(each.path.resolve()), each.place.marks) for each in stored]}
    kept = [
        with_parts(each, output, key=key, apart="" if i < len(cells) else "target")
        for i, each in enumerate(stored)
    ]
    named = [(name, own) for (name, _), own in zip(cells, kept, strict=False)]
    return list(named), None if others is None else kept[-1]
