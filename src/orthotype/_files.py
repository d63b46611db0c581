"""Files that appear whole or not at all: written beside their place, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orthotype.errors import OutputError


def check_output(path: str | Path, *, force: bool = False) -> Path:
    """Return the path if a file can be written there, before any work is done.

    Raises
    ------
    OutputError
        If the folder is missing or not writable, or the file exists and ``force`` is false.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; expected a file name; add one to the path")
    if path.exists() and not force:
        raise OutputError(
            f"{path} exists already; nothing was overwritten; pass --force (force=True) to replace it"
        )
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder; create it first or name another place for {path.name}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder} ({error.strerror}); choose a folder you may write to"
        ) from error
    return path


@contextmanager
def written_whole(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it into place only if the block succeeds.

    Raises
    ------
    OutputError
        As :func:`check_output`, or if the file system refuses the writing.
    """
    path = check_output(path, force=force)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        beside.replace(path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"could not write {path} ({error.strerror or error}); nothing was left behind"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def check_folder(path: str | Path, *, force: bool = False) -> Path:
    """Return the path if a folder of results can be written there, before any work is done.

    Raises
    ------
    OutputError
        If it is a file, holds files and ``force`` is false, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file; expected a folder or a new name")
    if path.is_dir() and any(path.iterdir()) and not force:
        raise OutputError(
            f"{path} holds files already; nothing was overwritten; pass --force to replace them"
        )
    check_output(path / "x" if path.is_dir() else path, force=True)
    return path
