"""Arrays on disk, read in order, each chunk decompressed once and several at a time.

An array in an HDF5 file or a zarr store is kept in chunks. A run of rows begins and ends in the middle of
one, so reading run after run would decompress most chunks twice; :class:`Stream` keeps the rest of a chunk
for the next run. HDF5 decompresses one chunk at a time; here the chunks of a gzip-compressed array are handed
to a few threads instead. Blosc believes what a chunk says of its own size, and ends the process if that is
not so; it is asked first.
"""

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

DEFLATE: Final = 1
SHUFFLE: Final = 2
MOST_THREADS: Final = 4
AT_ONCE: Final = 64  # chunks whose compressed bytes are held at once
BLOSC_HEADER: Final = 16  # bytes; the last four are the size of the chunk, header and all


class Array(Protocol):
    """An array whose rows (entries, for one dimension) can be sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and columns if there are two dimensions."""

    @property
    def dtype(self) -> Any:
        """Type of the values."""

    def __getitem__(self, rows: slice) -> Any:
        """Return consecutive rows."""


@dataclass(frozen=True)
class Chunked:
    """Rows of an array on disk.

    Attributes
    ----------
    array
        What is sliced.
    chunk
        Rows that are decompressed together; 1 where there is nothing to decompress.
    """

    array: Array
    chunk: int

    @property
    def length(self) -> int:
        """Number of rows."""
        return int(self.array.shape[0])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows from ``start`` up to ``stop``."""
        return np.asarray(self.array[start:stop])


@dataclass(frozen=True)
class Deflated(Chunked):
    """A gzip-compressed HDF5 dataset of one dimension, its chunks decompressed side by side."""

    shuffled: bool = False

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return entries from ``start`` up to ``stop``."""
        if stop <= start:
            return np.empty(0, dtype=self.array.dtype)
        first, last = start // self.chunk, -(-stop // self.chunk)
        whole = np.empty((last - first) * self.chunk, dtype=self.array.dtype)
        for begin in range(first, last, AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, last))
            raw = [self._raw(number) for number in numbers]
            for number, values in zip(numbers, _threads(os.getpid()).map(self._inflated, raw), strict=True):
                whole[(number - first) * self.chunk :][: self.chunk] = values
        return whole[start - first * self.chunk : stop - first * self.chunk]

    def _raw(self, number: int) -> bytes:
        """Return the bytes of a chunk as they are stored."""
        skipped, raw = self.array.id.read_direct_chunk((number * self.chunk,))  # type: ignore[attr-defined]
        if skipped:
            raise OSError(f"chunk {number} skips {skipped} of its filters")
        return bytes(raw)

    def _inflated(self, raw: bytes) -> NDArray[Any]:
        size = self.array.dtype.itemsize
        plain = np.frombuffer(zlib.decompress(raw, bufsize=self.chunk * size), dtype=np.uint8)
        if self.shuffled and size > 1:
            plain = np.ascontiguousarray(plain.reshape(size, -1).T)
        return plain.reshape(-1).view(self.array.dtype)


@dataclass(frozen=True)
class Blosc(Chunked):
    """A zarr array in a folder, each chunk a file that blosc compressed."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows from ``start`` up to ``stop``.

        Raises
        ------
        OSError
            If a chunk has not the size that it says it has.
        """
        across = [
            range(-(-size // chunk))
            for size, chunk in zip(self.array.shape[1:], self.array.chunks[1:], strict=True)  # type: ignore[attr-defined]
        ]
        for place in product(range(start // self.chunk, -(-stop // self.chunk)), *across):
            self._check(place)
        return super().read(start, stop)

    def _check(self, place: tuple[int, ...]) -> None:
        stored, key = self.array.store_path, self.array.metadata.encode_chunk_key(place)  # type: ignore[attr-defined]
        path = Path(stored.store.root, stored.path, key)
        if not path.exists():  # all of it has the fill value
            return
        with path.open("rb") as file:
            header = file.read(BLOSC_HEADER)
        size, said = path.stat().st_size, int.from_bytes(header[-4:], "little")
        if len(header) < BLOSC_HEADER or said != size:
            raise OSError(f"chunk {key} has {size:,} bytes and says that it has {said:,}")


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process; one that was forked from it has none of them."""
    return ThreadPoolExecutor(available(), thread_name_prefix="orthotype-inflate")


def available() -> int:
    """Return how many threads may decompress: the processors this process may use, at most four."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


def chunked(array: Any) -> Chunked:
    """Return the rows of an HDF5 dataset, a zarr array, or an array mapped from disk."""
    chunks = getattr(array, "chunks", None)
    rows = int(chunks[0]) if chunks else 1
    if hasattr(array, "id") and len(array.shape) == 1:
        filters = _filters(array)
        if filters in ((DEFLATE,), (SHUFFLE, DEFLATE)):
            return Deflated(array, rows, shuffled=filters[0] == SHUFFLE)
    return Blosc(array, rows) if _by_blosc(array) else Chunked(array, rows)


def _by_blosc(array: Any) -> bool:
    """Return whether this is a zarr array in a folder whose chunks are files that blosc wrote."""
    done = list(getattr(array, "compressors", ()))
    if not done or array.shards is not None or not hasattr(array.store_path.store, "root"):
        return False
    return "blosc" in type(done[-1]).__name__.lower()


def _filters(dataset: Any) -> tuple[int, ...]:
    made = dataset.id.get_create_plist()
    return tuple(made.get_filter(number)[0] for number in range(made.get_nfilters()))


class Stream:
    """Rows of an array from ``start`` to ``stop``, taken in order, each chunk read once."""

    def __init__(self, rows: Chunked, start: int, stop: int) -> None:
        self._rows, self._place, self._stop = rows, start, stop
        self._rest = rows.read(start, start)

    def take(self, stop: int) -> NDArray[Any]:
        """Return the rows from where the last call ended up to ``stop``."""
        missing = stop - self._place - len(self._rest)
        if missing > 0:
            begin = self._place + len(self._rest)
            chunk = self._rows.chunk
            end = min(max(-(-stop // chunk) * chunk, stop), self._stop)
            fresh = self._rows.read(begin, end)
            self._rest = np.concatenate([self._rest, fresh]) if len(self._rest) else fresh
        wanted = stop - self._place
        found, self._rest = self._rest[:wanted], self._rest[wanted:]
        self._place = stop
        return found
