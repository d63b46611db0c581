"""How much may be held in memory, and where goes what does not fit."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orthotype.errors import InputError

if TYPE_CHECKING:
    from orthotype.cells.store import StoredColumns
    from orthotype.cells.workers import Workers

Progress = Callable[[str, int, int], None]
DEFAULT: Final = 2 << 30
UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS_2: Final = {"KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40}
PER_CELL: Final = 1000  # bytes for names, probabilities, votes and neighbours of a cell
LEAST: Final = 1 << 24


@dataclass(frozen=True)
class Memory:
    """A budget of memory, and the places for what goes beyond it.

    Attributes
    ----------
    most
        Bytes that the whole process may take.
    folder
        Where scratch files go; None for the system's place for temporary files.
    parts
        Folder in which the work is kept for a run that goes on with it; None to keep nothing.
    key
        What must be the same for a later run to go on: the file, the model, the settings.
    progress
        Told what is being done, how much of it is done, and how much there is.
    workers
        Who reads and encodes the cells; None to do it here.
    """

    most: int = DEFAULT
    folder: Path | None = None
    parts: Path | None = None
    key: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None
    workers: "Workers | None" = None

    def left(self, *, n_cells: int = 0) -> int:
        """Return how many bytes are left of the budget for a cache.

        What is in use now is taken off, and what will be needed for the labels of so many cells.
        """
        return max(self.most - in_use() - PER_CELL * n_cells, LEAST)

    def turn(self, columns: "StoredColumns") -> Any:
        """Turn a matrix stored by genes into rows, once.

        Raises
        ------
        InputError
            For the workers of a cluster, who could not see the result.
        """
        if self.workers is not None:
            raise InputError(
                f"{columns.place.path}: {columns.name} is stored by genes (CSC), which a cluster would "
                "have to read whole for every piece of the cells; expected rows (CSR); leave the cluster "
                "out, which turns the matrix once, or write the file with X as CSR"
            )
        from orthotype.cells.turn import turned

        return turned(columns, budget=self.left(), folder=self.folder, progress=self.progress)


def memory_for(
    max_memory: int | str | None, *, progress: Progress | None = None, client: Any = None
) -> Memory:
    """Return the budget that a user asks for, with the workers of the cluster that they name, if any.

    Raises
    ------
    InputError
        If it is no amount of memory, or the client is none.
    """
    from orthotype.cells.workers import Workers

    workers = None if client is None else Workers(client)
    return Memory(amount(max_memory), progress=progress, workers=workers)


def in_use() -> int:
    """Return how many bytes this process holds in memory now; its peak where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    import resource

    return pages * resource.getpagesize()


def bytes_of(text: str) -> int:
    """Return the number of bytes that a text such as ``2GB``, ``1.5 GiB`` or ``800M`` names.

    Raises
    ------
    InputError
        If it names no amount of memory.

    Examples
    --------
    >>> bytes_of("2GB"), bytes_of("1.5 GiB")
    (2000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?\s*", text.upper())
    unit = {**UNITS, **UNITS_2}.get(found[2] or "") if found else None
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise InputError(f"{text!r} is no amount of memory; expected a number with a unit, such as 2GB")
    return int(float(found[1]) * unit)


def amount(max_memory: int | str | None) -> int:
    """Return bytes, given as a number, as a text such as ``"2GB"``, or not at all.

    Raises
    ------
    InputError
        If it is no amount of memory.
    """
    if max_memory is None:
        return DEFAULT
    found = bytes_of(max_memory) if isinstance(max_memory, str) else int(max_memory)
    if found < 1:
        raise InputError(f"max_memory is {max_memory}; expected a number of bytes, or a text such as '2GB'")
    return found
