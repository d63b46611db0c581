"""Which cell types are next to each other: a lineage tree from a text file, or from the Cell Ontology.

A lineage file is plain text, one path a line, from parent to child to grandchild::

    # blood, from the stem cell
    HSPCs > Myeloblasts > Myelocytes > Neutrophils
    HSPCs > Pro-B > Pre-B
    Pericytes

Names are separated by ``>`` with blanks around it, or by a tab. Every name is a neighbour of the next, a
single name stands alone, lines that begin with ``#`` and empty lines are left out. Case, spaces, hyphens and
underscores do not matter when names are looked up. A cell type may have several parents but may not lead back
to itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final, Literal, Self

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import InputError, Problems, listed, nearest
from orthotype.lineage.ontology import ALIKE, CellOntology
from orthotype.metrics.spelling import spelling

Relation = Literal["correct", "proximal", "distal", "unplaced"]
Placed = tuple[str, tuple[str, ...]]  # where a path stands, such as "line 3", and its names
SEPARATOR: Final = re.compile(r"(?:^|\s)>(?=\s|$)|\t")


class Lineage:
    """Neighbours among cell types, and with them how far off a wrong label is.

    Parameters
    ----------
    edges
        Pairs of neighbours, the parent first where there is one.
    alone
        Cell types without neighbours: an error between them and any other is distal.
    origin
        Where the neighbours come from, for tables and reports.

    Attributes
    ----------
    names
        All cell types, in the order in which they are first named.
    edges
        The pairs of neighbours, each once.

    Raises
    ------
    InputError
        With every edge that cannot be used: a name that is empty, reserved, joined to itself or spelled in
        two ways, or an edge that closes a circle.

    References
    ----------
    Stumpf et al. (2020), Commun Biol 3:736: proximal and distal errors.

    Examples
    --------
    >>> lineage = Lineage([("HSPCs", "Pro-B"), ("Pro-B", "Pre-B")])
    >>> lineage.relation("Pre-B", "Pro-B"), lineage.relation("Pre-B", "HSPCs")
    ('proximal', 'distal')
    """

    def __init__(
        self,
        edges: Iterable[tuple[str, str]],
        *,
        alone: Iterable[str] = (),
        origin: str = "given edges",
    ) -> None:
        edges, alone = [(parent, child) for parent, child in edges], list(alone)
        placed: list[Placed] = [(f"edge {number}", edge) for number, edge in enumerate(edges, 1)]
        placed += [("alone", (name,)) for name in alone]
        problems = Problems("the lineage")
        check_paths(placed, problems=problems)
        problems.raise_if_any()
        self.origin = origin
        self.edges = tuple(dict.fromkeys(edges))
        self.names = tuple(dict.fromkeys(name for _, path in placed for name in path))
        self._known = {spelling(name): name for name in self.names}
        beside: defaultdict[str, set[str]] = defaultdict(set)
        for parent, child in self.edges:
            beside[parent].add(child)
            beside[child].add(parent)
        self._neighbours = {name: frozenset(beside[name]) for name in self.names}

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a lineage file; the format is told at the top of this module.

        Raises
        ------
        InputError
            If the file cannot be read or names no cell type, or with every line that cannot be used.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InputError(
                f"{path}: cannot be read as a lineage ({reason}); expected a text file with lines such as "
                "'HSPCs > Pro-B > Pre-B'"
            ) from error
        return cls._parse(text, subject=str(path), origin=path.name)

    @classmethod
    def bundled(cls, name: str = "haematopoiesis") -> Self:
        """Return a lineage that comes with orthotype: ``"haematopoiesis"``, that of Stumpf et al. 2020.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        folder = files("orthotype.lineage") / "data"
        known = sorted(entry.name[:-4] for entry in folder.iterdir() if entry.name.endswith(".txt"))
        if name not in known:
            raise InputError(
                f"no lineage {name!r} is bundled; expected one of {listed(known)}; "
                "read your own with Lineage.read"
            )
        text = (folder / f"{name}.txt").read_text(encoding="utf-8")
        return cls._parse(text, subject=name, origin=f"{name} (bundled)")

    @classmethod
    def _parse(cls, text: str, *, subject: str, origin: str) -> Self:
        placed: list[Placed] = [
            (f"line {number}", tuple(name.strip() for name in SEPARATOR.split(line)))
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")
        ]
        problems = Problems(subject)
        if not placed:
            problems.add("no line names a cell type", expected="lines such as 'HSPCs > Pro-B > Pre-B'")
        check_paths(placed, problems=problems)
        problems.raise_if_any()
        edges = [edge for _, path in placed for edge in pairwise(path)]
        return cls(edges, alone=[path[0] for _, path in placed if len(path) == 1], origin=origin)

    @classmethod
    def from_ontology(
        cls, ids: Mapping[str, str], *, ontology: CellOntology | None = None, at_least: float = ALIKE
    ) -> Self:
        """Take neighbours from the Cell Ontology, where no lineage is given.

        Two classes are neighbours if one is a kind of the other, if both have the same id, or if their terms
        are alike (:meth:`CellOntology.related`). This says which types are of one kind, not which become one
        another: of the eleven steps in the bundled lineage of blood it finds one, and it joins neutrophils
        to basophils. Where cells develop, give a lineage.

        Parameters
        ----------
        ids
            The Cell Ontology id of each class; classes without one are left out, so that errors between them
            and others are *unplaced*.
        ontology
            By default the bundled one.
        at_least
            Similarity from which terms are alike.

        Raises
        ------
        InputError
            With every id that the ontology does not have.
        """
        ontology = CellOntology.bundled() if ontology is None else ontology
        problems = Problems("the ontology ids of the classes")
        terms: dict[str, str] = {}
        first: dict[str, str] = {}
        for name, term in ids.items():
            if term not in ontology:
                problems.add(f"{name!r} has {term!r}", expected=f"a term of the {ontology.release}")
                continue
            twin = first.setdefault(spelling(name), name)
            if terms.setdefault(twin, ontology.id(term)) != ontology.id(term):
                problems.add(
                    f"{name!r} has {term!r} and {twin!r} has {ids[twin]!r}", expected="one id for one name"
                )
        problems.raise_if_any()
        ordered = sorted(terms, key=lambda name: (len(ontology.ancestors(terms[name])), terms[name], name))
        edges = [
            (a, b)
            for a, b in combinations(ordered, 2)
            if ontology.related(terms[a], terms[b], at_least=at_least)
        ]
        return cls(edges, alone=ordered, origin=f"{ontology.release}, similarity {at_least:g}")

    def __contains__(self, name: str) -> bool:
        return spelling(name) in self._known

    def neighbours(self, name: str) -> frozenset[str]:
        """Return the cell types next to one.

        Raises
        ------
        InputError
            If it is not in the lineage.
        """
        if name not in self:
            close = nearest(name, self.names)
            hint = f"did you mean {listed(close)}?" if close else f"it has {listed(self.names)}"
            raise InputError(
                f"the lineage has no {name!r}; expected one of its {len(self.names)} names; {hint}"
            )
        return self._neighbours[self._known[spelling(name)]]

    def relation(self, true: str, called: str) -> Relation:
        """Say how far a label is from the truth.

        Returns
        -------
        ``"correct"``: the same name, but for its spelling. ``"proximal"``: a neighbour. ``"distal"``: any
        other cell type of the lineage. ``"unplaced"``: wrong, and one of both is not in the lineage.

        Raises
        ------
        InputError
            If one of both is *no agreement* or *unknown*: these are no cell types.
        """
        statuses = RESERVED_LABELS & {true, called}
        if statuses:
            raise InputError(
                f"{listed(sorted(statuses))} is no cell type and has no place in a lineage; "
                "expected two classes; count it apart, as error_table does"
            )
        if spelling(true) == spelling(called):
            return "correct"
        if true not in self or called not in self:
            return "unplaced"
        return "proximal" if self._known[spelling(called)] in self.neighbours(true) else "distal"


def check_paths(paths: Sequence[Placed], *, problems: Problems) -> None:
    """Note every path with a name that cannot be used or a step that closes a circle."""
    seen: dict[str, tuple[str, str]] = {}
    children: defaultdict[str, set[str]] = defaultdict(set)
    for where, path in paths:
        found = _wrong_names(path)
        for name in path:
            first, place = seen.setdefault(spelling(name), (name, where))
            if first != name:
                found.append(f"{name!r} is spelled {first!r} in {place}")
        for parent, child in pairwise(path):
            if parent and child and parent != child and _leads_to(child, parent, children):
                found.append(f"{parent!r} to {child!r} closes a circle")
            else:
                children[parent].add(child)
        if found:
            shown = " > ".join(path)
            problems.add(f"{where} ({shown}): {'; '.join(found)}", expected="a path from parent to child")


def _wrong_names(path: Sequence[str]) -> list[str]:
    found = [f"{name!r} is reserved for cells without a class" for name in path if name in RESERVED_LABELS]
    if not all(spelling(name) for name in path):
        found.append("a name is missing")
    found += [f"{a!r} is joined to itself" for a, b in pairwise(path) if a == b and spelling(a)]
    return found


def _leads_to(start: str, end: str, children: Mapping[str, set[str]]) -> bool:
    open_, passed = [start], {start}
    while open_:
        name = open_.pop()
        if name == end:
            return True
        open_ += children.get(name, set()) - passed
        passed |= children.get(name, set())
    return False
