"""Cells and tables onto disk, whole or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

from orthotype._files import written_whole

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


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
    """Write a table as ``.csv`` with its index.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    with written_whole(path, force=force) as beside:
        frame.to_csv(beside)
