"""What every converter of a data set does: open archives, keep the named columns, insist on counts."""

import re
import shutil
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from orthotype.datasets.registry import Dataset
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy import sparse

    Opener = Callable[[], IO[bytes]]

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


def unpacked_all(archive: Path, pattern: str, folder: Path) -> list[Path]:
    """Take every file whose whole path matches out of a tar or zip archive, in the order of their paths.

    Parameters
    ----------
    archive
        The archive.
    pattern
        A regular expression for paths inside the archive.
    folder
        Where the files go; each keeps its name and the name of the folder it was in.

    Raises
    ------
    InputError
        If this is no archive, or no path matches.
    """
    places = []
    with _members(archive) as members:
        wanted = [path for path in sorted(members) if re.fullmatch(pattern, path)]
        for path in wanted:
            inside = PurePosixPath(path)
            place = folder / inside.parent.name / inside.name
            place.parent.mkdir(exist_ok=True)
            with members[path]() as source, place.open("wb") as file:
                shutil.copyfileobj(source, file)
            places.append(place)
    if not places:
        raise InputError(f"{archive} has no file like {pattern}; expected those that its publisher describes")
    return places


@contextmanager
def _members(archive: Path) -> Iterator[dict[str, "Opener"]]:
    """Give what opens each file of an archive, by path; turn what the libraries raise into one message."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                yield {info.filename: partial(packed.open, info) for info in packed.infolist()}
        else:
            with tarfile.open(archive) as tar:
                files = [info for info in tar.getmembers() if info.isfile()]
                yield {info.name: cast("Opener", partial(tar.extractfile, info)) for info in files}
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(
            f"{archive} is damaged or no archive ({error}); expected a tar or zip file"
        ) from error


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

    found = (dataset.cells or source.n_obs, dataset.genes or source.n_vars)
    if source.shape != found:
        expected = f"expected {found[0]} x {found[1]}; the source has changed"
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
