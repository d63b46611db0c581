"""The output of Cell Ranger: HDF5 files of version 2 and 3, and folders with a Matrix Market file.

Genes are named by symbol, with the ids beside them in ``var["gene_ids"]``; features that are not gene
expression, such as antibodies, are left out.
"""

import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp

from orthotype.cells.quiet import quiet
from orthotype.errors import InputError, listed

if TYPE_CHECKING:
    from anndata import AnnData

EXPRESSION: Final = "Gene Expression"
MATRIX_NAMES: Final = ("matrix.mtx", "matrix.mtx.gz")
GENE_NAMES: Final = ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")
BARCODE_NAMES: Final = ("barcodes.tsv", "barcodes.tsv.gz")


def is_hdf5(file: Any) -> bool:
    """Return whether an open HDF5 file was written by Cell Ranger."""
    return "obs" not in file and bool(_groups(file))


def _groups(file: Any) -> list[str]:
    """Return the groups that hold a 10x matrix: ``matrix`` (version 3) or one for each genome (version 2)."""
    parts = {"barcodes", "data", "indices", "indptr", "shape"}
    return [name for name in file if hasattr(file[name], "keys") and parts <= set(file[name].keys())]


def read_hdf5(file: Any, path: Path) -> "AnnData":
    """Return the cells of an open 10x HDF5 file.

    Raises
    ------
    InputError
        If a version 2 file holds several genomes, or parts of the file do not fit each other.
    """
    groups = _groups(file)
    if len(groups) > 1:
        raise InputError(f"{path} holds several genomes ({listed(groups)}); expected one; split it by genome")
    group = file[groups[0]]
    if "features" in group:
        features = group["features"]
        var = pd.DataFrame(
            {"gene_ids": _texts(features["id"]), "feature_types": _texts(features["feature_type"])}
        )
        names = _texts(features["name"])
    else:
        var = pd.DataFrame({"gene_ids": _texts(group["genes"])})
        names = _texts(group["gene_names"])
    n_genes, n_cells = (int(n) for n in group["shape"][:])
    counts = sp.csr_matrix(
        (group["data"][:], group["indices"][:], group["indptr"][:]), shape=(n_cells, n_genes)
    )
    return _cells_by_genes(counts, _texts(group["barcodes"]), names, var, path)


def _texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values[:]]


def is_folder(path: Path) -> bool:
    """Return whether a folder holds a Matrix Market file under one of the names that 10x gives."""
    return bool(_matrices(path))


def _matrices(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.name.endswith(MATRIX_NAMES))


def read_folder(path: Path, *, matrix: Path | None = None) -> "AnnData":
    """Return the cells of a 10x folder.

    Parameters
    ----------
    path
        The folder.
    matrix
        Its Matrix Market file; its genes and barcodes have the same prefix. None if there is only one.

    Raises
    ------
    InputError
        If files are missing, of different sizes, damaged, or belong to several samples.
    """
    if matrix is None:
        found = _matrices(path)
        if len(found) > 1:
            several = listed(file.name for file in found)
            raise InputError(
                f"folder {path} holds several matrices ({several}); name one of these files instead"
            )
        matrix = found[0]
    prefix = matrix.name.removesuffix(".gz").removesuffix("matrix.mtx").removesuffix(".mtx")
    genes = _table(_beside(matrix, prefix, GENE_NAMES))
    barcodes = _table(_beside(matrix, prefix, BARCODE_NAMES))[0].tolist()
    counts = _read_matrix(matrix)
    if counts.shape == (len(genes), len(barcodes)) or counts.shape != (len(barcodes), len(genes)):
        counts = counts.T
    names = (genes[1] if genes.shape[1] > 1 else genes[0]).tolist()
    var = pd.DataFrame({"gene_ids": genes[0]})
    if genes.shape[1] > 2:
        var["feature_types"] = genes[2]
    return _cells_by_genes(counts.tocsr(), barcodes, names, var, matrix)


def _beside(matrix: Path, prefix: str, names: tuple[str, ...]) -> Path:
    for name in names:
        if (matrix.parent / f"{prefix}{name}").is_file():
            return matrix.parent / f"{prefix}{name}"
    expected = listed(f"{prefix}{name}" for name in names)
    raise InputError(f"{matrix} stands alone; expected beside it one of {expected}; put it there")


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="\t", header=None, dtype=str, quoting=3, keep_default_na=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as a table ({error}); copy or download it again") from error


def _read_matrix(path: Path) -> sp.coo_matrix:
    from scipy.io import mmread

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*default value for `spmatrix`")
            return sp.coo_matrix(mmread(path))
    except (OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        raise InputError(
            f"{path} is damaged or no Matrix Market file ({error}); copy or download it again"
        ) from error


def _cells_by_genes(
    counts: sp.csr_matrix, barcodes: list[str], names: list[str], var: pd.DataFrame, path: Path
) -> "AnnData":
    """Join the parts of a 10x matrix, after a check that they fit."""
    import anndata

    if counts.shape != (len(barcodes), len(names)):
        raise InputError(
            f"{path} holds {counts.shape[1]:,} genes x {counts.shape[0]:,} cells, but there are "
            f"{len(names):,} gene names and {len(barcodes):,} barcodes; expected files of one run; "
            "copy or download them again"
        )
    if counts.dtype.kind in "iu":
        counts = counts.astype(np.int32)
    var.index = pd.Index(names, dtype=object)
    with quiet():
        adata = anndata.AnnData(X=counts, obs=pd.DataFrame(index=pd.Index(barcodes, dtype=object)), var=var)
    if "feature_types" not in adata.var or (adata.var["feature_types"] == EXPRESSION).all():
        return adata
    expressed = (adata.var["feature_types"] == EXPRESSION).to_numpy()
    if not expressed.any():
        kinds = listed(adata.var["feature_types"].unique())
        raise InputError(f"{path} holds only features of type {kinds}; expected {EXPRESSION!r}")
    with quiet():
        return adata[:, expressed].copy()
