"""What the gene names of a data set are: ids or symbols, of which species, and which gene each one means.

Inside orthotype a gene is its Ensembl id. Names are taken in this order, and the word in ``how`` says which
step found them::

    id          an Ensembl id of the species, with or without version, alone or joined to a symbol
    symbol      a symbol in use
    prefix      either of these behind the name of a genome              GRCh38_CD34
    mangled     as R or Seurat rewrite a symbol                          HLA.A, X5S.rRNA
    suffix      a second row of a symbol, made unique                    MATR3-1
    previous    an older official symbol, if no row above is that gene   MARCH1 -> MARCHF1
    date        as a spreadsheet rewrites an old symbol                  2-Sep -> SEPTIN2
    alias       another name of one gene only, if no row above is it
    case        a symbol in other letters, if no row above is it         lyz2
    human       not a human gene, but once named like its one-to-one
                human partner, if no row above is it                     Gnb2l1 (GNB2L1) -> Rack1
    name        taken as it stands: no gene table of the species is bundled
    unmapped    none of these
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthotype.genes.clean import genes_of_date, id_in, split_genome, without_suffix
from orthotype.genes.species import TABLED, Species, known_species, resolve_species
from orthotype.genes.tables import GeneTable, gene_table, one_to_one_of_human

UNMAPPED = "unmapped"
_LEAST_SHARE = 0.1  # of the names must be known before they count as genes of any species
_LEAST_LEAD = 0.02  # by which the likeliest species must lead
_MODEST = {"alias", "case", "human", "date"}  # steps that yield when two rows would become one gene


@dataclass(frozen=True, eq=False)
class GeneIdentity:
    """Which gene each name of a data set means.

    Attributes
    ----------
    names
        The names as given, shape (n,).
    kind
        "ensembl", "symbol", "mixed" or "unrecognised".
    species
        The species the names were read in: the one asked for, else the likeliest; None if undecidable.
    likely_species, scores
        What the names themselves say: the share of them known in each species, and the one that leads.
    ids
        The Ensembl gene id of each name, "" where it means none, shape (n,).
    how
        The word of the step that found it, shape (n,).
    """

    names: NDArray[np.object_]
    kind: str
    species: str | None
    likely_species: str | None
    scores: dict[str, float]
    ids: NDArray[np.object_]
    how: NDArray[np.object_]

    @cached_property
    def duplicates(self) -> dict[str, list[int]]:
        """Rows of every gene that has more than one; a projection sums them."""
        counts = Counter(self.ids.tolist())
        rows: dict[str, list[int]] = {gene: [] for gene, count in counts.items() if gene and count > 1}
        for row, gene in enumerate(self.ids.tolist()):
            if gene in rows:
                rows[gene].append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return a summary for JSON: counts of each step, at most five examples of each kind of trouble."""
        how = Counter(self.how.tolist())
        lost = [str(name) for name, word in zip(self.names, self.how, strict=True) if word == UNMAPPED]
        summed = [[str(self.names[row]) for row in rows] for rows in list(self.duplicates.values())[:5]]
        leading = sorted(self.scores.items(), key=lambda item: -item[1])[:5]
        return {
            "n_genes": len(self.names),
            "kind": self.kind,
            "species": self.species,
            "likely_species": self.likely_species,
            "scores": {name: round(score, 4) for name, score in leading},
            "how": dict(sorted(how.items(), key=lambda item: -item[1])),
            "unmapped_examples": lost[:5],
            "n_duplicated": len(self.duplicates),
            "duplicated_examples": summed,
        }


def identify(names: Iterable[object], *, species: str | Species | None = None) -> GeneIdentity:
    """Find out which gene each name means, and of which species the names are.

    Parameters
    ----------
    names
        Gene names of a data set, in its order; repeated names are allowed.
    species
        Read them as genes of this species. By default the species is decided from the names; where two
        species fit alike it stays None and nothing is mapped.

    Raises
    ------
    GeneError
        If ``species`` is not known.

    Examples
    --------
    >>> genes = identify(["CD34", "HLA.A", "MARCH1", "ENSG00000101439.9"])
    >>> genes.species, genes.how.tolist()
    ('human', ['symbol', 'mangled', 'previous', 'id'])
    """
    given = _objects([str(name).strip() for name in names])
    asked = None if species is None else resolve_species(species)
    plain = [split_genome(name)[0] for name in given]
    embedded = [id_in(name) for name in plain]
    scores, kind = _evidence(plain, embedded)
    likely = _leader(scores)
    chosen = asked.name if asked else likely
    if chosen is None:
        ids, how = [""] * len(given), [UNMAPPED] * len(given)
    elif chosen in TABLED:
        ids, how = _Reader(gene_table(chosen), given.tolist()).read()
    else:
        ids = [gene or name for name, gene in zip(plain, embedded, strict=True)]
        how = [
            "id" if gene else "name" if name else UNMAPPED for name, gene in zip(plain, embedded, strict=True)
        ]
        kind = "symbol" if kind == "unrecognised" and "name" in how else kind
    return GeneIdentity(given, kind, chosen, likely, scores, _objects(ids), _objects(how))


def genes_named(names: Iterable[str], species: Species) -> list[str]:
    """Return the gene that each name of a table means by itself, "" if none."""
    names = list(names)
    reader = _Reader(gene_table(species.name), [])
    meant = {name: reader.alone(name) for name in dict.fromkeys(names)}
    return [meant[name] for name in names]


def _objects(values: list[str]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _evidence(plain: list[str], embedded: list[str]) -> tuple[dict[str, float], str]:
    """Return the share of names known in each species, and the kind of the names."""
    n = max(len(plain), 1)
    symbols = [name for name, gene in zip(plain, embedded, strict=True) if not gene]
    prefixes = Counter(gene.rstrip("0123456789") for gene in embedded if gene)
    scores = {}
    for species in known_species():
        found = prefixes[species.ensembl_prefix]
        if species.has_table:
            table = gene_table(species.name)
            found += sum(map(table.by_symbol.__contains__, symbols))
        if found:
            scores[species.name] = found / n
    id_share = 1 - len(symbols) / n if plain else 0.0
    symbol_share = max(scores.values(), default=0.0) - id_share
    if max(id_share, symbol_share) < _LEAST_SHARE:
        return scores, "unrecognised"
    if id_share < 0.05:
        return scores, "symbol"
    return scores, "ensembl" if id_share > 0.95 or symbol_share < 0.05 else "mixed"


def _leader(scores: dict[str, float]) -> str | None:
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < _LEAST_SHARE:
        return None
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _LEAST_LEAD:
        return None
    return ranked[0][0]


class _Reader:
    """Reads all names of one data set against one gene table: sure steps first, proposals last."""

    def __init__(self, table: GeneTable, names: list[str]) -> None:
        self.table = table
        self.names = names
        self.present = set(names)
        self.taken: set[str] = set()
        self.ids = [""] * len(names)
        self.how = [UNMAPPED] * len(names)

    def read(self) -> tuple[list[str], list[str]]:
        rest = list(range(len(self.names)))
        for step in (self._current, self._prefixed, self._old, self._proposed):
            found = [(row, *step(self.names[row])) for row in rest] if rest else []
            claims = Counter(gene for _, gene, _ in found)
            for row, gene, word in found:
                if gene and (word not in _MODEST or claims[gene] == 1):
                    self.ids[row], self.how[row] = gene, word
            rest = [row for row in rest if not self.ids[row]]
            self.taken = set(self.ids)
        return self.ids, self.how

    def alone(self, name: str) -> str:
        """Return the gene that one name means by itself, "" if none."""
        steps = (self._current, self._prefixed, self._old, self._proposed)
        return next((gene for step in steps if (gene := step(name)[0])), "")

    def _current(self, name: str) -> tuple[str, str]:
        if name in self.table.by_symbol:
            return self.table.by_symbol[name], "symbol"
        if gene := id_in(name):
            gene = self.table.other_ids.get(gene, gene)
            if gene in self.table.symbol_of:
                return gene, "id"
        return "", UNMAPPED

    def _plain(self, name: str) -> str:
        """Return the name without its genome; nothing if that is the genome of another species."""
        plain, species = split_genome(name)
        return plain if species in ("", self.table.species) else ""

    def _prefixed(self, name: str) -> tuple[str, str]:
        """Find symbols in use behind a genome's name, rewritten by R, or made unique."""
        plain = self._plain(name)
        if plain != name and (gene := self._current(plain)[0]):
            return gene, "prefix"
        if symbol := self.table.rewritten.get(plain) or self.table.rewritten.get(plain.replace("_", "-")):
            return self.table.by_symbol[symbol], "mangled"
        base = without_suffix(plain, self.present)
        gene = self._current(base)[0] or self._previous(base) if base else ""
        return gene, "suffix"

    def _old(self, name: str) -> tuple[str, str]:
        """Find previous symbols, themselves rewritten or not, of genes that no other row is."""
        plain = self._plain(name)
        if gene := self._previous(plain):
            return ("", UNMAPPED) if gene in self.taken else (gene, "previous")
        if gene := self._previous(self.table.rewritten_older.get(plain, "")):
            return ("", UNMAPPED) if gene in self.taken else (gene, "mangled")
        return self._dated(plain), "date"

    def _dated(self, name: str) -> str:
        """Return the one gene that a spreadsheet can have turned into this date; an alias counts least."""
        symbols = genes_of_date(name)
        if not symbols:
            return ""
        spellings = [word for symbol in symbols for word in (symbol, symbol.capitalize())]
        genes = {self._current(word)[0] or self._previous(word) for word in spellings} - {""}
        genes = genes or {gene for word in spellings if (gene := self.table.older.get(word, ("", ""))[0])}
        free = [gene for gene in genes if gene not in self.taken]
        return free[0] if len(free) == 1 else ""

    def _proposed(self, name: str) -> tuple[str, str]:
        """Find what a name may well mean, if no other row is that gene."""
        plain = self._plain(name)
        alias = self.table.older.get(plain, ("", ""))[0]
        proposals = {
            "alias": alias,
            "case": self.table.by_lower.get(plain.lower(), ""),
            "human": self._partner_of_human(plain),
        }
        for word, gene in proposals.items():
            if gene and gene not in self.taken:
                return gene, word
        return "", UNMAPPED

    def _previous(self, name: str) -> str:
        gene, kind = self.table.older.get(name, ("", ""))
        return gene if kind == "previous" else ""

    def _partner_of_human(self, name: str) -> str:
        """Return the one-to-one partner of the human gene that has, or had, this name in capitals."""
        if self.table.species == "human":
            return ""
        human = gene_table("human")
        gene = human.by_symbol.get(name.upper()) or human.older.get(name.upper(), ("", ""))[0]
        return one_to_one_of_human(self.table.species).get(gene, "")
