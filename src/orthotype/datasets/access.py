"""The three verbs of the data sets: list them, get one, find its file."""

from pathlib import Path
from typing import TYPE_CHECKING

from orthotype.datasets.registry import Dataset, find, records

if TYPE_CHECKING:
    from anndata import AnnData

BUNDLED = Path(__file__).with_name("bundled")


def list() -> tuple[Dataset, ...]:  # noqa: A001
    """Return what data sets there are, with provenance, licence and checksum.

    ``pandas.DataFrame(orthotype.datasets.list())`` shows them as a table.

    Returns
    -------
    One record per data set; nothing is downloaded.

    Examples
    --------
    >>> from orthotype import datasets
    >>> [dataset.name for dataset in datasets.list() if dataset.kind == "bundled"]
    ['baron2016-mouse', 'baron2016-human']
    """
    return records()


def path(name: str, *, base_url: str | None = None) -> Path:
    """Return the h5ad file of a data set on this machine, downloading it once if it is not bundled.

    Any tool that opens h5ad files can use it: raw counts in X (CSR, int32), gene symbols in var_names, and in
    obs the columns that the registry names.

    Parameters
    ----------
    name
        A name from :func:`list`.
    base_url
        Folder of a mirror that holds the file to download under its own name, instead of the published
        address. The environment variable ``ORTHOTYPE_DATA_MIRROR`` does the same.

    Raises
    ------
    InputError
        If no data set has that name.
    DownloadError
        If the file cannot be fetched or fails its checksum; the message says what to do by hand.
    OutputError
        If the cache folder cannot be written.

    Examples
    --------
    >>> from orthotype import datasets
    >>> datasets.path("baron2016-mouse").name
    'baron2016-mouse.h5ad'
    """
    dataset = find(name)
    if dataset.kind == "bundled":
        return BUNDLED / dataset.file_name
    from orthotype.datasets import cache, convert, download

    target = cache.folder() / convert.h5ad_name(dataset)
    if not target.exists():
        with cache.locked() as folder:
            if not target.exists():
                archive = download.fetch(dataset, folder, base_url=base_url)
                convert.to_h5ad(dataset, archive, target)
    return target


def get(name: str, *, base_url: str | None = None) -> "AnnData":
    """Return a data set as AnnData: raw counts in X, cell types and donors in obs, provenance in uns.

    Parameters
    ----------
    name, base_url
        As for :func:`path`.

    Raises
    ------
    InputError, DownloadError, OutputError
        As :func:`path`.

    Examples
    --------
    >>> from orthotype import datasets
    >>> mouse = datasets.get("baron2016-mouse")
    >>> mouse.shape
    (1886, 14877)
    """
    from anndata import read_h5ad

    return read_h5ad(path(name, base_url=base_url))
