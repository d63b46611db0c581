"""One published file: what it is called, where it lies, and whether what came is what it should be.

Some publishers name no checksum that could be known beforehand. Trust then begins with the first download:
its sha256 is kept in ``<file>.sha256`` beside the file, in the form that ``sha256sum`` writes and checks, and
every later download of the file must match it.
"""

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from orthotype.errors import DownloadError, OrthotypeWarning


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


def known_sum(file: PublishedFile, place: Path) -> str | None:
    """Return the sha256 that the file must have: the published one, or that of its first download."""
    kept = _kept(file, place)
    return kept.read_text(encoding="utf-8").split()[0] if kept.exists() else file.sha256


def fetched(file: PublishedFile, place: Path, *, base_url: str | None = None) -> Path:
    """Return the file in the cache: checked, or, the first time that no checksum is known, as it comes.

    Parameters
    ----------
    file
        Which one.
    place
        The cache folder; no other process may fill it at the same time.
    base_url
        Folder of a mirror, as for :func:`orthotype.datasets.path`.

    Warns
    -----
    OrthotypeWarning
        When a file is downloaded for the first time, and its checksum is therefore not verified but kept.

    Raises
    ------
    DownloadError
        If the file cannot be fetched, or is another one.
    OutputError
        If the cache folder cannot be written.
    """
    from orthotype.datasets.download import fetch

    known = known_sum(file, place)
    try:
        found = fetch(replace(file, sha256=known), place, base_url=base_url)
    except DownloadError as error:
        kept = _kept(file, place)
        if not kept.exists():
            raise
        raise DownloadError(
            f"{error}\nThe checksum is that of the first download, kept in {kept}. If the publisher has a "
            "newer version and you want it, delete that file and call again."
        ) from error
    if known is None:
        _trust(file, found, place)
    return found


def _kept(file: PublishedFile, place: Path) -> Path:
    """Return where the checksum of a first download is kept."""
    return place / f"{file.file_name}.sha256"


def _trust(file: PublishedFile, found: Path, place: Path) -> None:
    """Keep the checksum of a first download, and say so."""
    with found.open("rb") as data:
        sha256 = hashlib.file_digest(data, "sha256").hexdigest()
    kept = _kept(file, place)
    kept.write_text(f"{sha256}  {file.file_name}\n", encoding="utf-8")
    warnings.warn(
        f"{file.url}: the publisher states no checksum, so this first download was taken on trust; its "
        f"sha256 {sha256} is kept in {kept}, and every later download must match it",
        OrthotypeWarning,
        stacklevel=4,
    )
