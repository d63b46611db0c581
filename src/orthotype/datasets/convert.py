"""From a published archive to one plain h5ad: raw counts, a few named columns, provenance."""

import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype._files import written_whole
from orthotype.datasets.registry import Dataset
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy import sparse

REVISION = (
    1  # one more whenever a converter gives another result, so that older cached files are not taken for it
)
PROVENANCE = (
    "species",
    "tissue",
    "technology",
    "citation",
    "doi",
    "accession",
    "licence",
    "url",
    "member",
    "notes",
)


def h5ad_name(dataset: Dataset) -> str:
    """Return the name under which the converted data set lies in the cache."""
    return f"{dataset.name}-{dataset.sha256[:8]}-r{REVISION}.h5ad"


def to_h5ad(dataset: Dataset, archive: Path, target: Path) -> None:
    """Write a downloaded data set as h5ad, whole or not at all.

    Raises
    ------
    InputError
        If the archive does not hold what the registry says.
    OutputError
        If the file cannot be written.
    """
    with (
        written_whole(target, force=True) as beside,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch,
    ):
        table = CONVERTERS[dataset.name](dataset, archive, Path(scratch))
        table.write_h5ad(beside, compression="gzip")


def unpacked(archive: Path, member: str, folder: Path) -> Path:
    """Take one file out of a tar archive and return where it now lies.

    Raises
    ------
    InputError
        If the archive has no such file.
    """
    place = folder / Path(member).name
    with tarfile.open(archive) as tar:
        source = tar.extractfile(member) if member in tar.getnames() else None
        if source is None:
            raise InputError(f"{archive} has no file {member}; delete the archive and get it again")
        with source, place.open("wb") as file:
            shutil.copyfileobj(source, file)
    return place


def counts_and_names(path: Path) -> "AnnData":
    """Read X, obs and var of an h5ad and nothing else; old forms of the format are fine."""
    import h5py
    from anndata import AnnData, OldFormatWarning
    from anndata.io import read_elem

    with h5py.File(path, "r") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", OldFormatWarning)
        return AnnData(read_elem(file["X"]), obs=read_elem(file["obs"]), var=read_elem(file["var"]))


def tidy(
    source: "AnnData", dataset: Dataset, *, obs: Mapping[str, str], var: Mapping[str, str] | None = None
) -> "AnnData":
    """Return raw counts as CSR of int32 with the named columns only, and provenance in uns.

    Parameters
    ----------
    source
        Counts in X, whatever else there is.
    dataset
        Entry of the registry that the result must agree with.
    obs, var
        Which columns to keep: the source's name to ours.

    Raises
    ------
    InputError
        If the values are not counts, or the shape is not that of the registry.
    """
    from anndata import AnnData

    if source.shape != (dataset.cells, dataset.genes):
        expected = f"expected {dataset.cells} x {dataset.genes}; the source has changed"
        raise InputError(f"{dataset.name} has {source.n_obs} x {source.n_vars} cells and genes; {expected}")
    cells = source.obs[[*obs]].rename(columns=dict(obs))
    genes = source.var[[*(var or {})]].rename(columns=dict(var or {}))
    return AnnData(
        whole_counts(source.X, dataset.name),
        obs=cells.set_axis(source.obs_names.astype(object).rename(None), axis=0),
        var=genes.set_axis(source.var_names.astype(object).rename(None), axis=0),
        uns={"title": dataset.name} | {key: getattr(dataset, key) for key in PROVENANCE},
    )


def whole_counts(matrix: "sparse.csr_matrix", name: str) -> "sparse.csr_matrix":
    """Return a matrix as sorted CSR of int32 without stored zeros.

    Raises
    ------
    InputError
        If a value is negative, missing or not a whole number.
    """
    import numpy as np
    from scipy import sparse

    counts = sparse.csr_matrix(matrix, copy=True)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    values = counts.data
    if not np.all((values >= 1) & (values <= np.iinfo(np.int32).max) & (values == np.rint(values))):
        raise InputError(f"{name} does not hold raw counts; expected whole numbers; the source has changed")
    return counts.astype(np.int32)


def _setty2019(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    import pandas as pd

    table = counts_and_names(unpacked(archive, dataset.member, scratch))
    clusters = "palantir-1.4.2/notebooks/comparisons/results/fateid/clusters.csv"
    cluster = pd.read_csv(unpacked(archive, clusters, scratch), index_col=0)["x"]
    table.obs["run"] = pd.Categorical([name.split("_")[0] for name in table.obs_names])
    table.obs["fateid_cluster"] = pd.Categorical(cluster.loc[table.obs_names].astype(str))
    return tidy(table, dataset, obs={"run": "run", "fateid_cluster": "fateid_cluster"})


def _tabula_sapiens_lung(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    table = counts_and_names(unpacked(archive, dataset.member, scratch))
    kept = {name: name for name in ("cell_type", "cell_type_ontology_term_id", "free_annotation", "assay")}
    return tidy(table, dataset, obs=kept | {"donor_id": "donor"}, var={"ensemblid": "ensembl_id"})


def _lca_lung(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    table = counts_and_names(unpacked(archive, dataset.member, scratch))
    ours = {
        "cell_ontology_type": "cell_type",
        "cell_ontology_id": "cell_type_ontology_term_id",
        "donor": "donor",
        "method": "assay",
    }
    return tidy(table, dataset, obs=ours)


CONVERTERS: dict[str, Callable[[Dataset, Path, Path], "AnnData"]] = {
    "setty2019-human-marrow": _setty2019,
    "tabula-sapiens-lung-subset": _tabula_sapiens_lung,
    "lca-lung-subset": _lca_lung,
}
