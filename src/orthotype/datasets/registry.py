"""What data sets there are: names, provenance and checksums, as ``registry.json`` lists them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from orthotype.datasets.files import PublishedFile
from orthotype.errors import InputError, listed, nearest

Entry = TypeVar("Entry")
REGISTRY = Path(__file__).with_name("registry.json")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One public data set: what is in it, where it comes from, under which terms.

    Attributes
    ----------
    name
        What :func:`orthotype.datasets.get` and :func:`orthotype.datasets.path` are asked for.
    species, tissue, technology
        What was measured, and how.
    cells, genes
        Shape of the count matrix; None where it is not known before the download.
    labels, donors
        Columns of obs that hold the cell types and the donors; None where the data have none.
    kind
        ``"bundled"`` data come with orthotype; ``"download"`` data are fetched once and kept in the cache.
    citation, doi, accession
        What to cite, and where the raw data lie (empty if in no public archive).
    licence
        The terms under which the file is distributed.
    url, member
        The file that the data come from, and the part of that archive (empty if it is the whole file).
    sha256, size
        Checksum and bytes of the file that orthotype ships (bundled) or fetches (download); None where the
        publisher states none: then the first download is taken on trust, and later ones must equal it.
    notes
        What to mind when using it.
    saved_as
        What that file is called in the cache and on a mirror, if not as at the end of its address.
    beside
        Further files that are fetched with it, such as a table of labels.
    """

    name: str
    species: str
    tissue: str
    technology: str
    cells: int | None
    genes: int | None
    labels: str | None
    donors: str | None
    kind: Literal["bundled", "download"]
    citation: str
    doi: str
    accession: str
    licence: str
    url: str
    member: str
    sha256: str | None
    size: int | None
    notes: str
    saved_as: str = ""
    beside: tuple[PublishedFile, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the file that has the checksum."""
        if self.kind == "bundled":
            return f"{self.name}.h5ad"
        return self.saved_as or self.url.rsplit("/", 1)[-1]

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """Every file that is fetched for it, the one with the counts first."""
        first = PublishedFile(self.name, self.url, self.file_name, self.sha256, self.size)
        return (first, *self.beside)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry ready for JSON, with every key."""
        return asdict(self)


@cache
def records() -> tuple[Dataset, ...]:
    """Return every known data set, in the order of the registry."""
    entries = json.loads(REGISTRY.read_text(encoding="utf-8"))["datasets"]
    return tuple(
        Dataset(**entry | {"beside": tuple(PublishedFile(**file) for file in entry.get("beside", ()))})
        for entry in entries
    )


def find(name: str) -> Dataset:
    """Return the data set of that name.

    Raises
    ------
    InputError
        If there is none; the message offers the nearest names.
    """
    known = {dataset.name: dataset for dataset in records()}
    return pick(name, known, what="data set", command="orthotype datasets list")


def pick(name: str, known: Mapping[str, Entry], *, what: str, command: str) -> Entry:
    """Return the entry of that name.

    Raises
    ------
    InputError
        If there is none; the message offers the nearest names and the command that shows them all.
    """
    if name in known:
        return known[name]
    alike = nearest(name, known)
    expected = f"did you mean {listed(alike)}" if alike else f"expected one of {listed(known)}"
    raise InputError(f"no {what} is called {name!r}; {expected}; '{command}' shows them all")
