"""The bundled slice of the Cell Ontology: names, ancestors, and how alike two cell types are.

The slice knows what *is a* kind of what, and not what develops from what: a pro-B cell and a precursor B cell
meet only at "hematopoietic cell". The number of steps between two terms says little, because branches are
drawn in very different detail. How alike two terms are is therefore judged by what they have in common:

    IC(t)     = 1 - log(number of terms that are t) / log(number of terms)      information, 0 to 1
    sim(a, b) = 2 IC(c) / (IC(a) + IC(b)), c the common ancestor of highest IC   likeness, 0 to 1

IC without a corpus is that of Seco, Veale & Hayes (ECAI 2004), sim that of Lin (ICML 1998).
"""

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from math import log
from typing import Any, Final

from orthotype.errors import InputError
from orthotype.metrics.spelling import spelling

ALIKE: Final = 0.6


@dataclass(frozen=True)
class Term:
    """One term: its name, the ids of the terms that it is a kind of, and its other names."""

    name: str
    parents: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


class CellOntology:
    """Look up terms of the Cell Ontology and tell which are related.

    Ids may be written ``CL:0000084`` or ``CL_0000084``; a retired id stands for its successor.

    Parameters
    ----------
    terms
        The terms in use by id; parents must be among them and lead to no circle.
    replaced
        Retired ids and the id in use that replaced each.
    release
        What the terms were taken from.
    """

    def __init__(
        self, terms: Mapping[str, Term], *, replaced: Mapping[str, str] | None = None, release: str = ""
    ) -> None:
        self._terms = dict(terms)
        self._replaced = dict(replaced or {})
        self._ancestors: dict[str, frozenset[str]] = {}
        self.release = release

    @staticmethod
    @cache
    def bundled() -> "CellOntology":
        """Return the slice that comes with orthotype; it is read once."""
        return _bundled()

    def __len__(self) -> int:
        return len(self._terms)

    def __contains__(self, term: str) -> bool:
        return self._in_use(term) in self._terms

    def id(self, term: str) -> str:
        """Return an id as the ontology writes it today, retired ids replaced.

        Raises
        ------
        InputError
            If the ontology has no such id.
        """
        found = self._in_use(term)
        if found not in self._terms:
            raise InputError(
                f"{term!r} is no term of the {self.release or 'ontology'}; expected an id such as "
                "'CL:0000084'; look names up with CellOntology.find"
            )
        return found

    def name(self, term: str) -> str:
        """Return the name of a term: ``"T cell"`` for ``"CL:0000084"``."""
        return self._terms[self.id(term)].name

    def parents(self, term: str) -> tuple[str, ...]:
        """Return the ids of the terms that this one is directly a kind of."""
        return self._terms[self.id(term)].parents

    def ancestors(self, term: str) -> frozenset[str]:
        """Return the ids of all terms that this one is a kind of, itself not among them."""
        return self._line(self.id(term)) - {self.id(term)}

    def find(self, name: str) -> str | None:
        """Return the id of a name or exact synonym, None where there is none or several.

        Case, spaces, hyphens and underscores do not matter, and neither does a plural s. Names come before
        synonyms. Short names are not completed: "alpha" finds nothing, and "alpha cell" is a cell of the
        retina.

        Examples
        --------
        >>> CellOntology.bundled().find("T_cells")
        'CL:0000084'
        """
        key = spelling(name)
        for attempt in (key, key.removesuffix("s")):
            for known in self._by_name:
                if attempt and known.get(attempt):
                    return known[attempt]
        return None

    def common_ancestor(self, a: str, b: str) -> str | None:
        """Return the id of the most informative term that both are; one of the two where it holds the other.

        None where they have nothing in common.
        """
        shared = self._line(self.id(a)) & self._line(self.id(b))
        return max(shared, key=lambda term: (self._information[term], term), default=None)

    def information(self, term: str) -> float:
        """Return how much a term says, IC(t): 0 for the root, 1 for a term with no kinds of its own."""
        return self._information[self.id(term)]

    def share(self, term: str) -> float:
        """Return the share of all terms that are a kind of this one, itself included, 0 to 1."""
        return float(len(self) ** -self.information(term))

    def similarity(self, a: str, b: str) -> float:
        """Return how much of what both terms say they say in common (Lin), 0 to 1; the same term has 1."""
        a, b = self.id(a), self.id(b)
        if a == b:
            return 1.0
        common = self.common_ancestor(a, b)
        total = self._information[a] + self._information[b]
        return 2.0 * self._information[common] / total if common and total else 0.0

    def related(self, a: str, b: str, *, at_least: float = ALIKE) -> bool:
        """Tell whether one term is a kind of the other, or both are alike.

        The first holds between a type and a coarser name of it, however coarse ("T cell" and "leukocyte").

        Parameters
        ----------
        a, b
            Ids.
        at_least
            Similarity from which two terms are alike. Among the types of the pancreas, 0.6 relates the
            endocrine, acinar and ductal cells to each other, and T to B cells, but no leukocyte, stellate,
            endothelial or Schwann cell to any of them. At 0.5 monocytes and erythroblasts count as alike,
            because both are called progenitors.
        """
        a, b = self.id(a), self.id(b)
        return a in self._line(b) or b in self._line(a) or self.similarity(a, b) >= at_least

    def _in_use(self, term: str) -> str:
        written = term.strip().replace("_", ":")
        return self._replaced.get(written, written)

    def _line(self, term: str) -> frozenset[str]:
        """Return a term with all its ancestors."""
        if term not in self._ancestors:
            self._ancestors[term] = frozenset({term}).union(*map(self._line, self._terms[term].parents))
        return self._ancestors[term]

    @cached_property
    def _information(self) -> dict[str, float]:
        kinds = Counter(ancestor for term in self._terms for ancestor in self._line(term))
        return {term: 1.0 - log(kinds[term]) / log(max(len(self), 2)) for term in self._terms}

    @cached_property
    def _by_name(self) -> tuple[dict[str, str | None], dict[str, str | None]]:
        """Ids by the spelling of names and of synonyms, None where one spelling means several terms."""
        names: dict[str, str | None] = {}
        synonyms: dict[str, str | None] = {}
        for key, term in self._terms.items():
            for known, words in ((names, [term.name]), (synonyms, term.synonyms)):
                for word in map(spelling, words):
                    known[word] = key if known.get(word, key) == key else None
        return names, synonyms


@cache
def sources() -> dict[str, Any]:
    """Return origin, release, licence and checksum of the bundled slice."""
    text = (files("orthotype.lineage") / "data" / "SOURCES.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["tables"]["cell_ontology"]
    return found


def _bundled() -> CellOntology:
    packed = (files("orthotype.lineage") / "data" / "cell_ontology.tsv.gz").read_bytes()
    lines = [line for line in gzip.decompress(packed).decode().splitlines() if not line.startswith("#")]
    terms: dict[str, Term] = {}
    replaced: dict[str, str] = {}
    for line in lines[1:]:
        key, name, parents, synonyms, successor = line.split("\t")
        if successor:
            replaced[key] = successor
        else:
            terms[key] = Term(name, _split(parents), _split(synonyms))
    return CellOntology(terms, replaced=replaced, release=str(sources()["release"]))


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()
