"""Files to read from."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from orthotype.cli.console import progress
from orthotype.errors import InputError, OrthotypeError

if TYPE_CHECKING:
    from anndata import AnnData

ANNOTATED: Final = (".h5ad", ".zarr")
AnnotatedFile = Annotated[
    Path, typer.Argument(help="Annotated cells, as orthotype annotate writes them: .h5ad or .zarr.")
]


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


def annotated_cells(path: Path) -> "AnnData":
    """Return what a file says of annotated cells; a matrix that can be left on disk is not read.

    Raises
    ------
    InputError
        If it is missing, damaged, of a kind that holds no annotation, or may not be read.
    """
    from orthotype.cells.backed import is_stored, read_tables
    from orthotype.cells.read import read

    with reading(path):
        if is_stored(path):
            return read_tables(path)
        if path.exists() and path.suffix.lower() not in ANNOTATED:
            raise InputError(
                f"{path} cannot hold an annotation; expected an .h5ad file or a .zarr store; write one with "
                "orthotype annotate ... -o annotated.h5ad"
            )
        return read(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Show what is being read; a file that the system does not hand over is named.

    Raises
    ------
    InputError
        If the file may not be read.
    """
    with progress(f"reading {path}"), handed_over(path):
        yield


@contextmanager
def handed_over(path: Path) -> Iterator[None]:
    """Name a file that the system does not hand over.

    Raises
    ------
    InputError
        If the file may not be read.
    """
    try:
        yield
    except OrthotypeError:
        raise
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); check the file and its permissions"
        ) from error


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Give a client of the scheduler at an address; None where none is named.

    Raises
    ------
    ClusterError
        If no scheduler answers.
    """
    if address is None:
        yield None
        return
    from orthotype.cells.workers import connected

    client = connected(address)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def counted(text: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show what is going on, on a terminal, and give what to call with how far it has come."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield lambda what, done, whole: status.update(f"{text}: {what}, {done:,} of {whole:,}")
