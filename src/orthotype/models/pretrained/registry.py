"""What models come with orthotype: names, provenance and checksums, as ``models.json`` lists them."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from orthotype.errors import InputError, listed, nearest

REGISTRY = Path(__file__).with_name("models.json")


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """One bundled model: what it knows, what it learned from, under which terms.

    The card inside the model file says more: held-out scores, relabelled clusters, limits, top genes.

    Attributes
    ----------
    name
        What :func:`orthotype.load` and the commands take in place of a model file.
    title
        What it is, in a line.
    species, target_species
        Species of the cells it learned from, and the species it is meant for.
    tissue
        Where those cells came from.
    classes
        How many classes it knows.
    cells
        How many cells it learned from.
    citation, doi, accession
        What to cite, and where the raw data lie.
    licence
        The terms under which the model is distributed.
    sha256, size
        Checksum and bytes of the model file.
    """

    name: str
    title: str
    species: str
    target_species: str
    tissue: str
    classes: int
    cells: int
    citation: str
    doi: str
    accession: str
    licence: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Name of the file that has the checksum."""
        return f"{self.name}.safetensors"

    def to_dict(self) -> dict[str, str | int]:
        """Return the entry as it stands in the registry, ready for JSON."""
        return asdict(self)


@cache
def records() -> tuple[PretrainedModel, ...]:
    """Return every bundled model, in the order of the registry."""
    entries = json.loads(REGISTRY.read_text(encoding="utf-8"))["models"]
    return tuple(PretrainedModel(**entry) for entry in entries)


def find(name: str) -> PretrainedModel:
    """Return the bundled model of that name.

    Raises
    ------
    InputError
        If there is none; the message offers the nearest names.
    """
    known = {model.name: model for model in records()}
    if name in known:
        return known[name]
    alike = nearest(name, known)
    expected = f"did you mean {listed(alike)}" if alike else f"expected one of {listed(known)}"
    raise InputError(
        f"no bundled model is called {name!r}; {expected}; 'orthotype models list' shows them all"
    )


def path(name: str) -> Path:
    """Return the file of a bundled model on this machine.

    Raises
    ------
    InputError
        If no bundled model has that name.
    """
    return REGISTRY.with_name(find(name).file_name)


def located(model: str | Path) -> Path:
    """Return the file that is meant by a path or by the name of a bundled model.

    A file of that very name goes before a bundled model; a path that is neither is returned as it is.

    >>> located("mouse-marrow").name
    'mouse-marrow.safetensors'
    """
    given = Path(model)
    if given.is_file() or str(model) not in {known.name for known in records()}:
        return given
    return path(str(model))
