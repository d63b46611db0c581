"""Files to read from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype.cli.console import progress
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def opened(path: Path) -> "AnnData":
    """Return the cells of a file, whatever kind it is.

    Raises
    ------
    InputError
        If it is missing, damaged, of an unknown kind, or may not be read.
    """
    from orthotype.cells.read import read

    with reading(path):
        return read(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Show what is being read; a file that the system does not hand over is named.

    Raises
    ------
    InputError
        If the file may not be read.
    """
    with progress(f"reading {path}"):
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror or error}); check the file and its permissions"
            ) from error
