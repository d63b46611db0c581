"""The bundled tables, read once when first needed: genes, their older names, and pairs of orthologs."""

import gzip
import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

from orthotype.errors import GeneError
from orthotype.genes.clean import as_r_writes_all
from orthotype.genes.species import TABLED

TIERS: Final = ("A", "C", "B", "D")


@cache
def sources() -> dict[str, Any]:
    """Return origin, release, licence, checksum and rows of every bundled table."""
    text = (files("orthotype.genes") / "data" / "SOURCES.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _columns(name: str) -> tuple[list[list[str]], list[str]]:
    data = (files("orthotype.genes") / "data" / f"{name}.tsv.gz").read_bytes()
    text = gzip.decompress(data).decode()
    while text.startswith("#"):
        text = text[text.index("\n") + 1 :]
    header, body = text.split("\n", 1)
    names = header.split("\t")
    cells = body.replace("\n", "\t").split("\t")[:-1]
    return [cells[number :: len(names)] for number in range(len(names))], names


@dataclass(frozen=True, eq=False)
class GeneTable:
    """Every gene of one species: ``symbol_of`` each id ("" if unnamed) and the id of each symbol in use."""

    species: str
    symbol_of: dict[str, str] = field(repr=False)
    by_symbol: dict[str, str] = field(repr=False)

    @cached_property
    def _older(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        (names, ids, kinds), _ = _columns(f"names_{self.species}")
        words = {
            name: (gene, kind) for name, gene, kind in zip(names, ids, kinds, strict=True) if kind != "id"
        }
        other_ids = {name: gene for name, gene, kind in zip(names, ids, kinds, strict=True) if kind == "id"}
        return words, other_ids

    @property
    def older(self) -> dict[str, tuple[str, str]]:
        """Older names: the id meant, and "previous" or "alias"."""
        return self._older[0]

    @property
    def other_ids(self) -> dict[str, str]:
        """Retired ids, and second ids of one symbol, with the id in use."""
        return self._older[1]

    @cached_property
    def by_lower(self) -> dict[str, str]:
        """Id of every symbol, in use or previous, in lower case; left out where it means two genes."""
        previous = {name: gene for name, (gene, kind) in self.older.items() if kind == "previous"}
        found: dict[str, str] = {}
        for names in (previous, self.by_symbol):
            here: dict[str, str] = {}
            for name, gene in names.items():
                lower = name.lower()
                here[lower] = gene if here.get(lower, gene) == gene else ""
            found |= here
        return {lower: gene for lower, gene in found.items() if gene}

    @cached_property
    def rewritten(self) -> dict[str, str]:
        """Symbol in use behind each spelling of R's."""
        return as_r_writes_all(self.by_symbol)

    @cached_property
    def rewritten_older(self) -> dict[str, str]:
        """Previous symbol behind each spelling of R's."""
        return as_r_writes_all(name for name, (_, kind) in self.older.items() if kind == "previous")


@cache
def gene_table(species: str) -> GeneTable:
    """Return the bundled gene table of a species.

    Raises
    ------
    GeneError
        If none is bundled.
    """
    if species not in TABLED:
        raise GeneError(
            f"no gene table of {species} is bundled; expected one of {', '.join(TABLED)}; "
            "give Ensembl ids and a table of your own (see docs/orthologs.md)"
        )
    (ids, symbols), _ = _columns(f"genes_{species}")
    by_symbol = dict(zip(symbols, ids, strict=True))
    by_symbol.pop("", None)
    return GeneTable(species, dict(zip(ids, symbols, strict=True)), by_symbol)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of orthologous genes of two species with what speaks for them; one row a pair.

    ``one`` marks the pairs that are one to one, judged on the whole table; ``tier`` is A, B, C, D or M
    (several partners), or U for a user's table; ``ensembl`` is "1:1", "1:n", "n:m" or "" where Ensembl is
    silent; ``votes`` counts the resources of HCOP that assert the pair; ``middle`` is the human gene of a
    pair composed through human; ``source_names`` and ``target_names`` hold further names of genes whose
    species has no gene table.
    """

    source: str
    target: str
    source_ids: list[str] = field(repr=False)
    target_ids: list[str] = field(repr=False)
    one: list[bool] = field(repr=False)
    tier: list[str] = field(repr=False)
    ensembl: list[str] = field(repr=False)
    votes: list[int] = field(repr=False)
    confident: list[bool] = field(repr=False)
    release: dict[str, Any]
    hcop: list[tuple[str, ...]] = field(default_factory=list, repr=False)
    middle: list[str] = field(default_factory=list, repr=False)
    source_names: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    target_names: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.source_ids)

    def reversed(self) -> "Pairs":
        """Return the same pairs seen from the other species."""
        turned = dict(vars(self))
        turned.update(source=self.target, target=self.source)
        turned.update(source_ids=self.target_ids, target_ids=self.source_ids)
        turned.update(source_names=self.target_names, target_names=self.source_names)
        return Pairs(**turned)


@cache
def human_pairs(species: str) -> Pairs:
    """Return the bundled pairs of human with one other species, human as the source."""
    name = f"orthologs_human_{species}"
    entry = sources()["tables"][name]
    (human, other, one, tier, ensembl, confident, _, bits), _ = _columns(name)
    masks = [int(mask or "0", 16) for mask in bits]
    resources = entry.get("hcop", "").split(",")
    by_mask = {
        mask: tuple(r for place, r in enumerate(resources) if mask >> place & 1) for mask in set(masks)
    }
    return Pairs(
        source="human",
        target=species,
        source_ids=human,
        target_ids=other,
        one=[flag == "1" for flag in one],
        tier=tier,
        ensembl=ensembl,
        votes=[mask.bit_count() for mask in masks],
        confident=[flag == "1" for flag in confident],
        hcop=[by_mask[mask] for mask in masks],
        release={"name": entry["table"], "release": entry["release"], "sha256": entry["sha256"]},
    )


@cache
def one_to_one_of_human(species: str) -> dict[str, str]:
    """Return the one-to-one partner of every human gene that has one in this species."""
    pairs = human_pairs(species)
    rows = zip(pairs.source_ids, pairs.target_ids, pairs.one, strict=True)
    return {human: other for human, other, one in rows if one}
