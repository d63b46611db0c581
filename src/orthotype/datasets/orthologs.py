"""More ortholog tables than the bundled ones: what there is, and how a table gets onto this machine.

Publishers of ortholog tables name no checksum that could be known beforehand, so trust begins with the first
download: its sha256 is kept in ``<file>.sha256`` beside the file, in the form that ``sha256sum`` writes and
checks, and every later download of the file must match it.
"""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from orthotype.datasets.cache import folder, locked
from orthotype.errors import DownloadError, InputError, OrthotypeWarning, listed, nearest

REGISTRY = Path(__file__).with_name("orthologs.json")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a publisher.

    Attributes
    ----------
    name
        What messages call it.
    url
        Its public address.
    file_name
        What it is called in the cache and on a mirror.
    sha256, size
        Checksum and bytes; None where no publisher states them.
    """

    name: str
    url: str
    file_name: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class OrthologTable:
    """An ortholog table of two species that can be downloaded.

    Attributes
    ----------
    name
        What :func:`path` is asked for.
    source, target
        The two species.
    origin
        Format and publisher: "hcop" or "ensembl".
    title, release, licence, citation, doi, notes
        Where the pairs come from, under which terms, and what to mind.
    files
        What is downloaded for it.
    """

    name: str
    source: str
    target: str
    origin: str
    title: str
    release: str
    licence: str
    citation: str
    doi: str
    notes: str
    files: tuple[PublishedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the entry for JSON."""
        return asdict(self)


@cache
def tables() -> tuple[OrthologTable, ...]:
    """Return every table that can be downloaded; nothing is fetched."""
    registry = json.loads(REGISTRY.read_text(encoding="utf-8"))
    files = {entry["name"]: PublishedFile(**entry) for entry in registry["files"]}
    return tuple(
        OrthologTable(
            **registry["origins"][entry["origin"]]
            | entry
            | {"files": tuple(files[name] for name in entry["files"])}
        )
        for entry in registry["tables"]
    )


def find(name: str) -> OrthologTable:
    """Return the table of that name.

    Raises
    ------
    InputError
        If there is none; the message offers the nearest names.
    """
    known = {table.name: table for table in tables()}
    if name in known:
        return known[name]
    alike = nearest(name, known)
    expected = f"did you mean {listed(alike)}" if alike else f"expected one of {listed(known)}"
    raise InputError(
        f"no ortholog table is called {name!r}; {expected}; 'orthotype orthologs list' shows them all"
    )


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
