"""Encoded cells kept for many passes: the selected genes of all cells, in memory or in scratch files.

Everything after the first passes (the fits of the folds, the rounds of the species shift, the profiles) looks
at the selected genes alone, some 8 bytes for each value that is not zero: about a kilobyte a cell. They are
kept in memory as long as the budget lasts, and on disk from then on. Kept in a folder with a name, they are
also what an interrupted run goes on from: they are written block after block, with a note of how far they go.
"""

import hashlib
import json
import time
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.memory import Memory
from orthotype.cells.scratch import Scratch, room
from orthotype.cells.sparse import csr_of
from orthotype.errors import OutputError

FIRST_ROOM: Final = 1 << 16
GROWTH: Final = 1.3
WIDE: Final = 2**31 - 1
WEIGHED_AT_ONCE: Final = 1 << 15


class BusyError(OutputError):
    """Another run works with the same output."""


class EncodedCells:
    """All cells as one sparse matrix of encoded selected genes.

    Parameters
    ----------
    data, indices
        Values and their columns, arrays or scratch files.
    indptr
        Where each row begins, (n_cells + 1,).
    n_features
        Number of columns.
    """

    def __init__(
        self,
        data: "NDArray[np.float32] | Scratch",
        indices: "NDArray[np.integer] | Scratch",
        indptr: NDArray[np.int64],
        n_features: int,
    ) -> None:
        self._data, self._indices = data, indices
        wide = int(indptr[-1]) > WIDE
        self._indptr = indptr if wide else indptr.astype(np.int32)
        self.shape = (len(indptr) - 1, n_features)

    @property
    def on_disk(self) -> bool:
        """Whether the values are in scratch files."""
        return isinstance(self._data, Scratch)

    @property
    def matrix(self) -> sp.csr_array:
        """All cells, mapped from disk if they are there; not to be changed."""
        data, indices = (
            part.mapped() if isinstance(part, Scratch) else part for part in (self._data, self._indices)
        )
        block = csr_of(data, indices.astype(self._indptr.dtype, copy=False), self._indptr, shape=self.shape)
        block.has_canonical_format = True
        return block

    def blocks(self, size: int) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of at most ``size`` cells; those on disk are read, not mapped."""
        for first in range(0, self.shape[0], size):
            rows = slice(first, min(first + size, self.shape[0]))
            begin, end = int(self._indptr[rows.start]), int(self._indptr[rows.stop])
            data, indices = (
                part.read(begin, end) if isinstance(part, Scratch) else part[begin:end]
                for part in (self._data, self._indices)
            )
            indptr = self._indptr[rows.start : rows.stop + 1] - self._indptr[rows.start]
            block = csr_of(
                data,
                indices.astype(np.int32, copy=False),
                indptr.astype(np.int32),
                shape=(rows.stop - rows.start, self.shape[1]),
            )
            block.has_canonical_format = True
            yield rows, block

    def weighted(self, weights: NDArray[np.float32], *, memory: Memory) -> "EncodedCells":
        """Return the cells with every feature times its weight, in memory if there is room, else on disk.

        Raises
        ------
        OutputError
            If they have to go on disk, and it is full.
        """
        if not self.on_disk and 4 * int(self._indptr[-1]) <= memory.left():
            data: NDArray[np.float32] | Scratch = self._data * weights[self._indices]  # type: ignore[index, operator]
        else:
            data = Scratch(np.float32, folder=memory.folder)
            for _, block in self.blocks(WEIGHED_AT_ONCE):
                data.append(block.data * weights[block.indices])
        return EncodedCells(data, self._indices, self._indptr.astype(np.int64), self.shape[1])


class _Growing:
    """One growing array in memory, which can be moved to disk."""

    def __init__(self, dtype: Any) -> None:
        self.array = np.empty(FIRST_ROOM, dtype=dtype)
        self.length = 0

    def append(self, values: NDArray[Any]) -> None:
        needed = self.length + len(values)
        if needed > len(self.array):
            self.array.resize(max(needed, int(len(self.array) * GROWTH)), refcheck=False)
        self.array[self.length : needed] = values
        self.length = needed

    def whole(self) -> NDArray[Any]:
        self.array.resize(self.length, refcheck=False)
        return self.array

    def on_disk(self, folder: Path | None) -> Scratch:
        moved = Scratch(self.array.dtype, folder=folder)
        moved.append(self.array[: self.length])
        return moved


class Keeper:
    """Take encoded blocks in order and keep them, in memory or on disk.

    Parameters
    ----------
    shape
        Numbers of cells and features.
    memory
        The budget, and the folder of a run that can be gone on with.
    key
        What must be the same to go on with what is in that folder.
    """

    def __init__(self, shape: tuple[int, int], *, memory: Memory, key: str) -> None:
        self._shape, self._memory = shape, memory
        self.done = 0
        self._ends = np.zeros(shape[0] + 1, dtype=np.int64)
        self._journal = None if memory.parts is None else Journal(memory.parts, key)
        self._budget = memory.left(n_cells=shape[0])
        self._data: _Growing | Scratch
        self._indices: _Growing | Scratch
        if self._journal is None:
            self._data, self._indices = _Growing(np.float32), _Growing(np.int32)
        else:
            self._resume(self._journal)

    def _resume(self, journal: "Journal") -> None:
        self.done = journal.cells
        stored = Scratch(np.int64, folder=journal.folder, name="ends.bin", kept=self.done)
        self._ends[1 : self.done + 1] = stored.read(0, self.done)
        n_values = int(self._ends[self.done])
        self._data = Scratch(np.float32, folder=journal.folder, name="data.bin", kept=n_values)
        self._indices = Scratch(np.int32, folder=journal.folder, name="indices.bin", kept=n_values)
        self._stored_ends = stored

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """What an earlier run noted beside the cells; empty if there was none."""
        return {} if self._journal is None else self._journal.state

    def add(self, rows: slice, block: sp.csr_array) -> None:
        """Keep some more cells.

        Raises
        ------
        OutputError
            If they have to go on disk, and it is full.
        """
        ends = self._ends[rows.start] + block.indptr[1:].astype(np.int64)
        self._ends[rows.start + 1 : rows.stop + 1] = ends
        self._data.append(block.data)
        self._indices.append(block.indices)
        if self._journal is not None:
            self._stored_ends.append(ends)
        elif isinstance(self._data, _Growing) and 8 * self._data.length > self._budget:
            self._data = self._data.on_disk(self._memory.folder)
            self._indices = self._indices.on_disk(self._memory.folder)  # type: ignore[union-attr]
        self.done = rows.stop
        if self._memory.progress is not None:
            self._memory.progress("reading cells", self.done, self._shape[0])

    def note(self, state: dict[str, NDArray[Any]] | None = None) -> None:
        """Write down how far the cells go, and what goes with them, for a run that goes on from here."""
        if self._journal is None:
            return
        for part in (self._data, self._indices, self._stored_ends):
            if isinstance(part, Scratch):
                part.flush()
        self._journal.note(self.done, {} if state is None else state)

    @property
    def due(self) -> bool:
        """Whether it is time for a note."""
        return self._journal is not None and self._journal.due

    def cells(self) -> EncodedCells:
        """Return everything that was kept."""
        data, indices = (
            part.whole() if isinstance(part, _Growing) else part for part in (self._data, self._indices)
        )
        return EncodedCells(data, indices, self._ends, self._shape[1])


class Journal:
    """How far an interruptible piece of work has come, in a folder.

    Parameters
    ----------
    folder
        Where it is written; what is there of other work is removed.
    key
        What must be the same to go on.
    alone
        Whether nothing but what is noted is kept; else the files of a :class:`Keeper` belong to it.

    Attributes
    ----------
    cells
        Cells that are done.
    state
        Arrays that were noted with them.
    close
        Gives up the claim to the folder.
    """

    EVERY: Final = 2.0  # seconds

    def __init__(self, folder: Path, key: str, *, alone: bool = False) -> None:
        self.folder, self.key, self._alone = folder, key, alone
        self.cells, self.state = 0, dict[str, NDArray[Any]]()
        self._last = time.monotonic()
        with room(folder.parent):
            folder.mkdir(exist_ok=True, parents=True)
            self._lock = (folder / "lock").open("wb")
        self.close = weakref.finalize(self, self._lock.close)
        self._claim()
        self._read()

    def _claim(self) -> None:
        """Refuse a folder in which another run is at work; the claim ends with the process."""
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise BusyError(
                f"{self.folder} is in use by another run with the same output; wait for it, or name another"
            ) from error

    def _read(self) -> None:
        try:
            said = json.loads((self.folder / "journal.json").read_text(encoding="utf-8"))
            place = self.folder / f"state-{said['cells']}.npz"
            with place.open("rb") as file, np.load(file, allow_pickle=False) as held:
                state = {name: held[name] for name in held.files}
            whole = self._is_whole(said["values"], said["cells"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, BadZipFile):
            return
        if said["key"] == self.key and whole:
            self.cells, self.state = int(said["cells"]), state

    def _is_whole(self, n_values: int, n_cells: int) -> bool:
        """Return whether the files are as long as the note says."""
        if self._alone:
            return True
        wanted = {"data.bin": 4 * n_values, "indices.bin": 4 * n_values, "ends.bin": 8 * n_cells}
        return all((self.folder / name).stat().st_size >= size for name, size in wanted.items())

    @property
    def due(self) -> bool:
        """Whether the last note is some seconds old."""
        return time.monotonic() - self._last > self.EVERY

    def note(self, cells: int, state: dict[str, NDArray[Any]]) -> None:
        """Write down that so many cells are done."""
        with room(self.folder):
            with (self.folder / f"state-{cells}.npz").open("wb") as file:
                np.savez(file, **state)  # type: ignore[arg-type]
            n_values = 0 if self._alone else (self.folder / "data.bin").stat().st_size // 4
            fresh = self.folder / "journal.json.new"
            fresh.write_text(json.dumps({"key": self.key, "cells": cells, "values": n_values}))
            fresh.replace(self.folder / "journal.json")
            for old in self.folder.glob("state-*.npz"):
                if old.name != f"state-{cells}.npz":
                    old.unlink()
        self.cells, self._last = cells, time.monotonic()


def key_of(*parts: Any) -> str:
    """Return a name for arrays and plain values: alike if all of them are."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()
