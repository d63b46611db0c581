"""More ortholog tables than the bundled ones: what there is, and how a table gets onto this machine.

Publishers of ortholog tables name no checksum that could be known beforehand, so trust begins with the first
download, as :mod:`orthotype.datasets.files` says.
"""

from pathlib import Path

from orthotype.datasets.cache import folder, locked
from orthotype.datasets.files import PublishedFile, fetched
from orthotype.datasets.published import OrthologTable, find, tables

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
                files = [fetched(file, place, base_url=base_url) for file in table.files]
                write_table(table, files, ready)
    return ready
