"""Fits along a path of penalties kept on disk, so that an interrupted path goes on where it was.

Every fit is a file: where it ended, how it got there, and the steps that the solver remembers for the next
strength. A fit that is read is the fit that was made, to the last bit, and so is every one that follows.
Steps are kept until those of the next strength are.
"""

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.scratch import room
from orthotype.models.linear.lbfgs import Iteration, Memory, Minimum

REMEMBERED: Final = ("S", "Y", "products")


@dataclass(frozen=True)
class KeptFits:
    """A folder of fits.

    Attributes
    ----------
    folder
        Where they are; made when the first fit is kept.
    key
        What must be the same for a fit to be used: the rows, their classes and folds, the settings.
    """

    folder: Path
    key: str

    def usable(self, fold: int) -> int:
        """Return at how many of the first strengths fits can be taken: at none if steps are lost."""
        step = 0
        while self.read(step, fold) is not None:
            step += 1
        return step if step and self.memory(step - 1, fold) is not None else 0

    def read(self, step: int, fold: int) -> Minimum | None:
        """Return the fit of a fold at the strength number ``step``; None if it was not kept."""
        found = self._read(f"fit-{step}-{fold}.npz")
        if found is None:
            return None
        table = tuple(Iteration(int(row[0]), *map(float, row[1:])) for row in found["diagnostics"])
        return Minimum(found["theta"], float(found["value"]), bool(found["converged"]), table)

    def memory(self, step: int, fold: int) -> Memory | None:
        """Return the steps that the solver remembered after that fit; None if they were not kept."""
        found = self._read(f"steps-{step}-{fold}.npz")
        if found is None:
            return None
        memory = Memory(int(found["length"]))
        memory.count = int(found["count"])
        if memory.count:
            memory.S, memory.Y, memory.products = (found[name] for name in REMEMBERED)
        return memory

    def keep(self, step: int, fold: int, minimum: Minimum, memory: Memory) -> None:
        """Keep a fit, and forget the steps of the strength before it.

        Raises
        ------
        OutputError
            If the disk is full or refuses.
        """
        held = {name: getattr(memory, name) for name in REMEMBERED} if memory.count else {}
        numbers = {"length": np.array(memory.length), "count": np.array(memory.count)}
        self._write(f"steps-{step}-{fold}.npz", {**held, **numbers})
        self._write(
            f"fit-{step}-{fold}.npz",
            {
                "theta": minimum.theta,
                "value": np.array(minimum.value),
                "converged": np.array(minimum.converged),
                "diagnostics": np.array(minimum.diagnostics, dtype=np.float64).reshape(
                    -1, len(Iteration._fields)
                ),
            },
        )
        (self.folder / f"steps-{step - 1}-{fold}.npz").unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, NDArray[Any]] | None:
        try:
            with (self.folder / name).open("rb") as file, np.load(file, allow_pickle=False) as held:
                found = {entry: held[entry] for entry in held.files}
        except (OSError, ValueError, KeyError, EOFError, zlib.error, BadZipFile):
            return None
        return found if str(found.get("key")) == self.key else None

    def _write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        with room(self.folder.parent):
            self.folder.mkdir(exist_ok=True, parents=True)
            fresh = self.folder / f"{name}.new"
            with fresh.open("wb") as file:
                np.savez(file, key=np.array(self.key), **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.folder / name)
