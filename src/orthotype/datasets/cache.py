"""Where downloaded data are kept, and the lock under which one process at a time adds to them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orthotype.errors import OutputError

VARIABLE = "ORTHOTYPE_CACHE"


def folder() -> Path:
    """Return the folder of downloaded data; it need not exist yet.

    It is ``datasets`` inside the folder that the environment variable ``ORTHOTYPE_CACHE`` names, or else
    inside the user's cache folder of this system.
    """
    from platformdirs import user_cache_path

    named = os.environ.get(VARIABLE)
    return (Path(named).expanduser() if named else user_cache_path("orthotype", appauthor=False)) / "datasets"


@contextmanager
def locked() -> Iterator[Path]:
    """Give the cache folder to one process or thread at a time; others wait here.

    The system releases the lock of a process that dies, so none is ever left behind.

    Raises
    ------
    OutputError
        If the folder cannot be created, written or locked.
    """
    cache = folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        file = (cache / ".lock").open("ab")
    except OSError as error:
        raise _unusable(cache, error) from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            raise _unusable(cache, error) from error
        yield cache


def _unusable(cache: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot keep downloads in {cache} ({error.strerror or error}); expected a folder that can be "
        f"written; name another one with the environment variable {VARIABLE}"
    )


if sys.platform == "win32":
    import msvcrt
    import time

    def _lock(file: IO[bytes]) -> None:
        """Wait for the only lock on an open file."""
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except PermissionError:
                time.sleep(0.2)
            else:
                return

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        """Wait for the only lock on an open file."""
        fcntl.flock(file, fcntl.LOCK_EX)
