"""Arrays put on disk because they do not fit into memory: written to the end, then mapped.

A scratch file without a name disappears by itself, even when the process is killed. One with a name stays,
for a later run to go on with.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import OutputError

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DROP: Final = 64 << 20  # bytes mapped at once while blocks are handed over


class Scratch:
    """One growing array on disk.

    Parameters
    ----------
    dtype
        Type of its entries.
    folder
        Where it is; None for the system's place for temporary files.
    name
        Name of the file in ``folder``; None for a file without a name.
    kept
        Entries of an earlier run to keep; what is beyond them is cut off.

    Attributes
    ----------
    length
        Number of entries.
    close
        Gives the file back, at the latest when the array is no longer used; what was mapped stays usable.

    Raises
    ------
    OutputError
        If the file cannot be made.
    """

    def __init__(
        self, dtype: Any, *, folder: Path | None = None, name: str | None = None, kept: int = 0
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.length = kept
        self.folder = Path(tempfile.gettempdir()) if folder is None else folder
        with room(self.folder):
            if name is None:
                self._file: IO[bytes] = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115
            else:
                path = self.folder / name
                path.touch()
                self._file = path.open("r+b", buffering=0)
                self._file.truncate(kept * self.dtype.itemsize)
                self._file.seek(0, 2)
        self.close = weakref.finalize(self, self._file.close)

    def append(self, values: NDArray[Any]) -> None:
        """Write entries behind those that are there.

        Raises
        ------
        OutputError
            If the disk is full or refuses.
        """
        left = np.ascontiguousarray(values, dtype=self.dtype).view(np.uint8).data
        self.length += len(values)
        with room(self.folder, wanted=len(left)):
            while left:
                left = left[self._file.write(left) :]

    def flush(self) -> None:
        """Wait until everything that was written is on disk."""
        with room(self.folder):
            os.fsync(self._file.fileno())

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy of some entries; nothing stays mapped."""
        found = np.empty(stop - start, dtype=self.dtype)
        self._file.seek(start * self.dtype.itemsize)
        place = found.view(np.uint8).data
        while place:
            n = self._file.readinto(place)  # type: ignore[attr-defined]
            if not n:
                raise OutputError(f"a scratch file in {self.folder} was cut short while it was in use")
            place = place[n:]
        return found

    def mapped(self) -> NDArray[Any]:
        """Return all entries, mapped from disk and read-only."""
        if not self.length:
            return np.empty(0, dtype=self.dtype)
        return np.memmap(self._file, dtype=self.dtype, mode="r", shape=(self.length,))


@contextmanager
def room(folder: Path, *, wanted: int = 0) -> Iterator[None]:
    """Say clearly that a disk is full, or that its folder cannot be written.

    Raises
    ------
    OutputError
        For whatever the file system refuses.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno in FULL:
            more = f" ({wanted:,} more bytes did not fit)" if wanted else ""
            raise OutputError(
                f"the disk of {folder} is full{more}; nothing was left behind there; free some space, name "
                "another place for temporary files (TMPDIR), or allow more memory (--max-memory)"
            ) from error
        raise OutputError(
            f"cannot write to {folder} ({error.strerror or error}); name another place for temporary files "
            "(TMPDIR)"
        ) from error
