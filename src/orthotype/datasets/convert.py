"""From a published archive to one plain h5ad: raw counts, a few named columns, provenance."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype._files import written_whole
from orthotype.datasets import convert_marrow
from orthotype.datasets.registry import Dataset
from orthotype.datasets.tidying import counts_and_names, tidy, unpacked

if TYPE_CHECKING:
    from anndata import AnnData

REVISION = (
    1  # one more whenever a converter gives another result, so that older cached files are not taken for it
)


def h5ad_name(dataset: Dataset, sums: Sequence[str]) -> str:
    """Return the name under which the converted data set lies in the cache.

    Parameters
    ----------
    dataset
        Which one.
    sums
        The sha256 of each of its files.
    """
    return f"{dataset.name}-{'-'.join(known[:8] for known in sums)}-r{REVISION}.h5ad"


def to_h5ad(dataset: Dataset, archive: Path, target: Path) -> None:
    """Write a downloaded data set as h5ad, whole or not at all.

    Parameters
    ----------
    dataset
        Which one.
    archive
        Its first file; the others lie beside it under their names in the cache.
    target
        Where the result goes.

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
    **convert_marrow.CONVERTERS,
}
