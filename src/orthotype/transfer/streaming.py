"""Annotation from file to file: labels for cells whose matrix is never in memory.

1. The matrix is read once, in blocks of rows. Whether its values can be used is looked at on the way, and the
   genes of the model are kept, encoded: about a kilobyte a cell, on disk beside the output.
2. Everything else looks at what was kept.
3. The labels go into a table, or into a copy of the file, byte for byte the same but for them.

A run that was interrupted leaves what it kept in a folder ``.NAME.orthotype-parts`` beside the output. The
same command goes on from there if the file, the model and the settings are the same.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orthotype._files import check_output
from orthotype.cells.backed import StoredCells, as_cells
from orthotype.cells.cache import BusyError
from orthotype.cells.memory import DEFAULT, Memory, Progress
from orthotype.cells.workers import Workers
from orthotype.cells.write import (
    TABLES,
    check_parquet,
    check_room,
    write_beside_matrix,
    write_h5ad,
    write_table,
)
from orthotype.errors import ClusterError, InputError, OrthotypeError, OutputError
from orthotype.transfer.predictions import columns_in, written_columns

if TYPE_CHECKING:
    from anndata import AnnData

PARTS: Final = ".orthotype-parts"
CELLS: Final = (".h5ad", ".zarr")
WORTH_KEEPING: Final = 1 << 25  # stored values; below, reading again takes seconds


@dataclass(frozen=True)
class Streamed:
    """Where cells are read from and labels are written to.

    Attributes
    ----------
    source
        The file of cells.
    output
        ``.h5ad`` or ``.zarr``, as the source is; or a table, ``.csv`` or ``.parquet``.
    max_memory
        Bytes that the process may take.
    force
        Replace an output that exists.
    progress
        Told what is being done and how far it has come.
    workers
        Who reads and encodes the cells; None to do it here.
    """

    source: Path
    output: Path
    max_memory: int = DEFAULT
    force: bool = False
    progress: Progress | None = None
    workers: Workers | None = None

    @classmethod
    def of(
        cls,
        source: Any,
        output: str | Path | None,
        *,
        memory: Memory,
        force: bool = False,
    ) -> "Streamed | None":
        """Return where labels of a file go, after a look at the place; None without an output.

        Raises
        ------
        InputError
            If an output is named for cells that are not a file.
        OutputError
            If it cannot be written.
        """
        if output is None:
            return None
        if not isinstance(source, str | Path):
            raise InputError(
                "an output was named for cells in memory; expected the path of a file of cells; "
                "write the AnnData that annotate returns"
            )
        found = cls(Path(source), Path(output), memory.most, force, memory.progress, memory.workers)
        found.check()
        return found

    @property
    def parts(self) -> Path:
        """Folder of what an interrupted run leaves."""
        return parts_of(self.output)

    def check(self) -> None:
        """Refuse an output that cannot be written, before any work is done.

        Raises
        ------
        OutputError, InputError
            If it is the source itself, of a kind that does not fit, exists, or its place cannot be written.
        """
        ending = self.output.suffix.lower()
        if self.output.resolve() == self.source.resolve():
            raise OutputError(f"{self.output} is the file that is read; name another place for the labels")
        if ending not in (*CELLS, *TABLES):
            raise OutputError(
                f"{self.output} does not end in a kind that can be written; expected .h5ad or .zarr for "
                "annotated cells, .csv or .parquet for a table"
            )
        if ending == ".zarr" and not self.source.is_dir():
            raise OutputError(f"{self.output}: only a .zarr store is annotated as .zarr; name it .h5ad")
        if ending == ".parquet":
            check_parquet()
        if self.output.is_dir() and ending == ".zarr":
            if not self.force:
                raise OutputError(
                    f"{self.output} exists already; nothing was overwritten; "
                    "pass --force (force=True) to replace it"
                )
        else:
            check_output(self.output, force=self.force)

    def open(self, key: Mapping[str, Any]) -> "AnnData | StoredCells":
        """Return the cells, with matrices on disk if the file can be read in blocks.

        Parameters
        ----------
        key
            Names the model and the settings, for a later run to know its own.
        """
        memory = Memory(
            self.max_memory, folder=self.output.parent, progress=self.progress, workers=self.workers
        )
        cells = as_cells(self.source, memory=memory)
        if not isinstance(cells, StoredCells):
            return cells
        if self.output.suffix.lower() in CELLS:
            check_room(cells, self.output.parent)
        return with_parts(cells, self.output, key=key) if worth_keeping([cells]) else cells

    def write(self, cells: "AnnData | StoredCells", annotated: "AnnData", *, key_added: str) -> None:
        """Write the labels where they were asked for."""
        if self.output.suffix.lower() in TABLES:
            write_table(labels_of(annotated, key_added=key_added), self.output, force=self.force)
        elif isinstance(cells, StoredCells):
            write_beside_matrix(
                cells,
                annotated,
                self.output,
                key_added=key_added,
                replaced=written_columns(key_added),
                force=self.force,
            )
        else:
            write_h5ad(annotated, self.output, force=self.force)


def parts_of(output: Path) -> Path:
    """Return the folder of what an interrupted run with this output leaves."""
    return output.parent / f".{output.name}{PARTS}"


def worth_keeping(sources: Sequence[StoredCells]) -> bool:
    """Return whether reading files again would take more than seconds."""
    return sum(max((m.n_stored for m in cells.matrices()), default=0) for cells in sources) >= WORTH_KEEPING


def with_parts(cells: StoredCells, output: Path, *, key: Mapping[str, Any], apart: str = "") -> StoredCells:
    """Return cells of which what is made is kept beside the output, for a run with the same file and key.

    Other cells of the same run have a folder of their own, which ``apart`` names.
    """
    named = {**key, "file": str(cells.path.resolve()), "marks": cells.place.marks}
    return replace(cells, memory=replace(cells.memory, parts=parts_of(output) / apart, key=named))


@contextmanager
def cleared(output: Path) -> Iterator[None]:
    """Remove what was kept for a later run, unless this one is interrupted, or its cluster goes away."""
    parts = parts_of(output)
    try:
        yield
    except (BusyError, ClusterError):
        raise
    except OrthotypeError:
        _remove(parts)
        raise
    _remove(parts)


def _remove(parts: Path) -> None:
    if parts.is_dir():
        shutil.rmtree(parts)


@contextmanager
def working(
    target: "AnnData | StoredCells | str | Path",
    streamed: Streamed | None,
    *,
    memory: Memory,
    key: Mapping[str, Any],
) -> Iterator["AnnData | StoredCells"]:
    """Give the cells to work on; what is kept for a later run stays only if this one is interrupted.

    Parameters
    ----------
    target
        Cells, or a file of them.
    streamed
        Where the file is and where its labels go; None for cells that stay with the caller.
    memory
        How much may be held in memory, and who works, for a file whose labels stay with the caller.
    key
        Names the model and the settings.
    """
    if streamed is None:
        yield as_cells(target, memory=memory)
        return
    with cleared(streamed.output):
        yield streamed.open(key)


def tables_of(cells: "AnnData | StoredCells") -> "AnnData":
    """Return what labels are added to: the cells, without their matrix if it is on disk."""
    return cells.without_matrix() if isinstance(cells, StoredCells) else cells


def labels_of(annotated: "AnnData", *, key_added: str) -> Any:
    """Return the columns of an annotation as a table, one row per cell."""
    return annotated.obs[columns_in(annotated.obs, key_added=key_added)].rename_axis("cell")
