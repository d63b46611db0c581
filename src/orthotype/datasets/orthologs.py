"""More ortholog tables than the bundled ones: what there is, and how a table gets onto this machine.

Publishers of ortholog tables name no checksum that could be known beforehand, so trust begins with the first
download: its sha256 is kept in ``<file>.sha256`` beside the file, in the form that ``sha256sum`` writes and
checks, and every later download of the file must match it.
"""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

from orthotype.datasets.cache import folder, locked
from orthotype.datasets.published import OrthologTable, PublishedFile, find, tables
from orthotype.errors import DownloadError, OrthotypeWarning

__all__ = ["OrthologTable", "PublishedFile", "find", "path", "tables"]


def path(name: str, *, base_url: str | None = None) -> Path:
    """Return an ortholog table on this machine, downloading it first if need be.

    Parameters
    ----------
    name
        A name from :func:`tables`.
    base_url
        Folder of a mirror that holds the files under their names in the cache; the environment variable
        ``ORTHOTYPE_DATA_MIRROR`` does the same.

    Returns
    -------
    Path
        A tsv file of two species for ``OrthologMap(..., table=...)`` and ``orthotype train --orthologs``.

    Warns
    -----
    OrthotypeWarning
        When a file is downloaded for the first time, and its checksum is therefore not verified but kept.

    Raises
    ------
    InputError
        If no table has that name, or a file does not hold what its publisher documents.
    DownloadError
        If a file cannot be fetched, or differs from the one that was downloaded first.
    OutputError
        If the cache folder cannot be written.
    """
    from orthotype.datasets.homologies import write_table

    table = find(name)
    ready = folder() / f"{table.name}.tsv"
    if not ready.exists():
        with locked() as place:
            if not ready.exists():
                files = [_fetched(file, place, base_url) for file in table.files]
                write_table(table, files, ready)
    return ready


def _fetched(file: PublishedFile, place: Path, base_url: str | None) -> Path:
    """Return the file in the cache: as it was downloaded first, or, the first time, as it comes."""
    from orthotype.datasets.download import fetch

    kept = place / f"{file.file_name}.sha256"
    known = kept.read_text(encoding="utf-8").split()[0] if kept.exists() else file.sha256
    try:
        found = fetch(replace(file, sha256=known), place, base_url=base_url)
    except DownloadError as error:
        if not kept.exists():
            raise
        raise DownloadError(
            f"{error}\nThe checksum is that of the first download, kept in {kept}. If the publisher has a "
            "newer version and you want it, delete that file and call again."
        ) from error
    if known is None:
        _trust(file, found, kept)
    return found


def _trust(file: PublishedFile, found: Path, kept: Path) -> None:
    """Keep the checksum of a first download, and say so."""
    with found.open("rb") as data:
        sha256 = hashlib.file_digest(data, "sha256").hexdigest()
    kept.write_text(f"{sha256}  {file.file_name}\n", encoding="utf-8")
    warnings.warn(
        f"{file.url}: the publisher states no checksum, so this first download was taken on trust; its "
        f"sha256 {sha256} is kept in {kept}, and every later download must match it",
        OrthotypeWarning,
        stacklevel=4,
    )
