"""Cells and tables onto disk, whole or not at all; labels into a copy of a file with its matrix as it is."""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from orthotype._files import check_output, written_whole
from orthotype.cells.quiet import quiet
from orthotype.cells.transcribe import transcribe
from orthotype.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from orthotype.cells.backed import StoredCells

HEADROOM: Final = 1.05
TABLES: Final = (".csv", ".parquet")


def write_h5ad(adata: "AnnData", path: str | Path, *, force: bool = False) -> None:
    """Write cells as ``.h5ad``, compressed.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    with written_whole(path, force=force) as beside:
        adata.write_h5ad(beside, compression="gzip")


def write_table(frame: "pd.DataFrame", path: str | Path, *, force: bool = False) -> None:
    """Write a table with its index, as ``.csv`` or, by its name, as ``.parquet``.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    InputError
        If a ``.parquet`` is wanted and pyarrow is not installed.
    """
    parquet = Path(path).suffix.lower() == ".parquet"
    if parquet:
        check_parquet()
    with written_whole(path, force=force) as beside:
        if parquet:
            frame.to_parquet(beside)
        else:
            frame.to_csv(beside)


def check_parquet() -> None:
    """Say how to get pyarrow, without which no ``.parquet`` can be written.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: F401
    except ImportError as error:
        raise InputError(
            "a .parquet table needs pyarrow, which is not installed; pip install pyarrow, or name a .csv"
        ) from error


def check_room(cells: "StoredCells", folder: Path) -> None:
    """Refuse to begin when the copy of a file will not fit onto the disk.

    Raises
    ------
    OutputError
        With the bytes that are needed and that are free.
    """
    needed = int(size_on_disk(cells.path) * HEADROOM)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"the annotated copy of {cells.path} needs {needed:,} bytes, the disk of {folder} has {free:,}; "
            "free some space, name another place, or ask for a table (.csv, .parquet) alone"
        )


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file, or of all files of a store."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def write_beside_matrix(
    cells: "StoredCells",
    annotated: "AnnData",
    path: Path,
    *,
    key_added: str,
    replaced: Collection[str],
    force: bool = False,
) -> None:
    """Write a copy of a file with the labels of its cells; the matrix is copied as it is, byte for byte.

    Parameters
    ----------
    cells
        The file. It is only read.
    annotated
        What is added: the columns of obs that are to be replaced, all arrays of obsm, the entry of uns.
    path
        Where to write: ``.h5ad``, or ``.zarr`` for a store. The matrix of a store goes into an ``.h5ad`` a
        piece at a time.
    key_added
        The entry of uns.
    replaced
        Columns of obs of an earlier annotation, which go, whether there are new ones or not.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds something and ``force`` is false.
    """
    parts: dict[str, dict[str, Any]] = {
        "obs": {str(name): _values(column) for name, column in annotated.obs.items() if name in replaced},
        "obsm": dict(annotated.obsm),
        "uns": {key_added: annotated.uns[key_added]},
    }
    if path.suffix.lower() == ".zarr":
        import zarr

        with folder_whole(path, force=force) as beside:
            shutil.copytree(cells.path, beside, dirs_exist_ok=True)
            consolidated = zarr.open_group(str(beside), mode="r").metadata.consolidated_metadata is not None
            _add(zarr.open_group(str(beside), mode="r+", use_consolidated=False), parts, replaced)
            if consolidated:
                with quiet():
                    zarr.consolidate_metadata(str(beside))
        return
    import h5py

    with written_whole(path, force=force) as beside:
        if cells.path.is_dir():
            with h5py.File(beside, "w") as file:
                transcribe(cells, file)
        else:
            shutil.copyfile(cells.path, beside)
        with h5py.File(beside, "r+") as file:
            _add(file, parts, replaced)


def _values(column: "pd.Series[Any]") -> Any:
    """Return the values of a column as anndata writes them."""
    plain = isinstance(column.dtype, np.dtype)
    return column.to_numpy() if plain else column.array


def _add(root: Any, parts: Mapping[str, Mapping[str, Any]], replaced: Collection[str]) -> None:
    """Put new entries into obs, obsm and uns of an open file, in place of earlier ones."""
    from anndata.io import write_elem

    with quiet():
        for name in ("obsm", "uns"):
            if name not in root:
                write_elem(root, name, {})
        for name, entries in parts.items():
            group = root[name]
            for old in [old for old in group if old in entries or (name == "obs" and old in replaced)]:
                del group[old]
            for new, values in entries.items():
                write_elem(group, new, values)
        obs = root["obs"]
        kept = [str(column) for column in np.ravel(obs.attrs["column-order"])]
        obs.attrs["column-order"] = [
            *(column for column in kept if column not in replaced),
            *parts["obs"],
        ]


@contextmanager
def folder_whole(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; rename it into place only if the block succeeds.

    Raises
    ------
    OutputError
        If ``path`` exists and ``force`` is false, or its place cannot be written.
    """
    path = Path(path)
    if path.exists() and not force:
        raise OutputError(
            f"{path} exists already; nothing was overwritten; pass --force (force=True) to replace it"
        )
    check_output(path.parent / f".{path.name}.new", force=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent))
    old = beside.with_name(f"{beside.name}.old")
    try:
        yield beside
        beside.chmod(0o755)
        if path.exists():
            path.replace(old)
        beside.replace(path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"could not write {path} ({error.strerror or error}); nothing was left behind"
        ) from error
    finally:
        for left in (beside, old):
            if left.is_dir():
                shutil.rmtree(left)
            elif left.exists():
                left.unlink()
