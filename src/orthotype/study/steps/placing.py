"""Which classes of a pair are neighbours: a file, the bundled tree of blood, or the Cell Ontology."""

from pathlib import Path
from typing import Any, Final

from orthotype.errors import InputError, listed
from orthotype.lineage import CellOntology, Lineage
from orthotype.study.pair import Pair

ONTOLOGY: Final = "ontology"
BUNDLED: Final = "haematopoiesis"


def place_classes(pair: Pair, lineage: str | Path | None) -> tuple[dict[str, Any], list[str]]:
    """Return the lineage of a study as plain JSON, and what the reader should know of it.

    Parameters
    ----------
    pair
        The data sets.
    lineage
        A text file, ``"haematopoiesis"``, ``"ontology"``, or None for the ontology if it knows the classes.

    Raises
    ------
    InputError
        If a lineage was named and knows fewer than two of the classes.
    """
    tree, notes = _tree(pair, lineage)
    if tree is None:
        return {}, notes
    strangers = [name for name in pair.names if name not in tree]
    if len(pair.names) - len(strangers) < 2:
        raise InputError(
            f"the lineage ({tree.origin}) knows {len(pair.names) - len(strangers)} of the classes "
            f"({listed(pair.names)}); expected at least two; name another lineage or leave it out"
        )
    if strangers:
        notes.append(f"The lineage ({tree.origin}) has no place for {listed(strangers)}.")
    alone = [name for name in tree.names if not tree.neighbours(name)]
    return {"origin": tree.origin, "edges": [list(edge) for edge in tree.edges], "alone": alone}, notes


def lineage_of(pair: Pair) -> Lineage | None:
    """Return the lineage that :func:`place_classes` settled, or None."""
    placed = pair.facts.get("lineage") or {}
    if not placed:
        return None
    edges = [(str(parent), str(child)) for parent, child in placed["edges"]]
    return Lineage(edges, alone=placed["alone"], origin=placed["origin"])


def _tree(pair: Pair, lineage: str | Path | None) -> tuple[Lineage | None, list[str]]:
    if lineage == BUNDLED and not Path(BUNDLED).exists():
        return Lineage.bundled(BUNDLED), []
    if lineage is not None and lineage != ONTOLOGY:
        return Lineage.read(lineage), []
    ontology = CellOntology.bundled()
    ids = {name: pair.ontology.get(name) or ontology.find(name) for name in pair.names}
    known = {name: term for name, term in ids.items() if term is not None and term in ontology}
    if len(known) < 2:
        note = (
            f"The Cell Ontology knows {len(known)} of the {len(pair.names)} classes, so errors were not told "
            "apart into proximal and distal; give a lineage (a text file) for that."
        )
        if lineage == ONTOLOGY:
            raise InputError(note)
        return None, [note]
    return Lineage.from_ontology(known, ontology=ontology), []
