"""Which ortholog tables can be downloaded, and which files of which publisher each is made of."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orthotype.datasets.files import PublishedFile
from orthotype.datasets.registry import pick

REGISTRY = Path(__file__).with_name("orthologs.json")


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
    return pick(name, known, what="ortholog table", command="orthotype orthologs list")
