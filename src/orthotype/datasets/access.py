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
    ['baron2016-mouse', 'baron2016-human', 'setty2019-human-marrow-subset']
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

    Warns
    -----
    OrthotypeWarning
        When a file whose publisher states no checksum is downloaded for the first time; its sha256 is kept,
        and every later download must match it.

    Examples
    --------
    >>> from orthotype import datasets
    >>> datasets.path("baron2016-mouse").name
    'baron2016-mouse.h5ad'
    """
    dataset = find(name)
    if dataset.kind == "bundled":
        return BUNDLED / dataset.file_name
    return _ready(dataset) or _made(dataset, base_url)


def _ready(dataset: Dataset) -> Path | None:
    """Return the converted file if it is in the cache; that needs neither network nor lock."""
    from orthotype.datasets import cache, convert, files

    folder = cache.folder()
    sums = [files.known_sum(file, folder) or "" for file in dataset.files]
    target = folder / convert.h5ad_name(dataset, sums)
    return target if target.exists() else None


def _made(dataset: Dataset, base_url: str | None) -> Path:
    """Fetch what is not there yet and convert it, unless another process did so meanwhile."""
    from orthotype.datasets import cache, convert, files
    from orthotype.errors import InputError

    with cache.locked() as folder:
        if ready := _ready(dataset):
            return ready
        archives = [files.fetched(file, folder, base_url=base_url) for file in dataset.files]
        sums = [str(files.known_sum(file, folder)) for file in dataset.files]
        target = folder / convert.h5ad_name(dataset, sums)
        try:
            convert.to_h5ad(dataset, archives[0], target)
        except InputError as error:
            trusted = [place for place, file in zip(archives, dataset.files, strict=True) if not file.sha256]
            if not trusted:
                raise
            every = " ".join(f"{place} {place}.sha256" for place in trusted)
            raise InputError(
                f"{error}\nWhat came was taken on trust. If the download is at fault, delete these files and "
                f"call again: {every}"
            ) from error
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
