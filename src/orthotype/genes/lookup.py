"""Questions about the bundled tables: a gene's partners and why, the pairs of species, a table to keep."""

from itertools import product
from typing import TYPE_CHECKING, Any

from orthotype.errors import nearest
from orthotype.genes.identify import identify
from orthotype.genes.orthologs import OrthologMap
from orthotype.genes.pairs import bundled_pairs
from orthotype.genes.species import TABLED, resolve_species
from orthotype.genes.tables import Pairs, gene_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

TIER_MEANINGS = {
    "A": "Ensembl one-to-one, and each other's best partner in HCOP",
    "C": "each other's best partner in HCOP, where Ensembl is silent or sees several",
    "B": "Ensembl one-to-one, weak support in HCOP",
    "D": "Ensembl one-to-one alone",
    "M": "one of several partners",
}


def show(
    genes: "Sequence[str]", *, species: str | None = None, targets: "Sequence[str] | None" = None
) -> list[dict[str, Any]]:
    """Return what is known of each gene: its id, its partners, their tier, evidence and sources.

    Parameters
    ----------
    genes
        Symbols, old or new, or Ensembl ids.
    species
        Whose genes they are; by default the first of human, mouse, rhesus, cynomolgus and pig that has a gene
        of just that name, then of an older name.
    targets
        Partners in these species only; by default in human, and for human genes in all bundled species.

    Returns
    -------
    list of dict
        One for each gene with ``query, species, id, symbol, how, partners``. A gene that is not found has
        ``id`` None and ``nearest``, the symbols most like it. JSON-able.
    """
    asked = None if species is None else resolve_species(species).name
    wanted = None if targets is None else [resolve_species(name).name for name in targets]
    return [_shown(gene, asked, wanted) for gene in genes]


def _shown(query: str, asked: str | None, wanted: list[str] | None) -> dict[str, Any]:
    owner, gene, how = _found(query, asked)
    if not gene:
        known = gene_table(asked or "human").by_symbol
        like = [symbol for symbol in known if symbol[:1].lower() == query[:1].lower()]
        return {"query": query, "species": asked, "id": None, "partners": [], "nearest": nearest(query, like)}
    others = wanted or (["human"] if owner != "human" else [name for name in TABLED if name != "human"])
    partners = [partner for other in others if other != owner for partner in _partners(owner, gene, other)]
    symbol = gene_table(owner).symbol_of[gene]
    return {"query": query, "species": owner, "id": gene, "symbol": symbol, "how": how, "partners": partners}


def _found(query: str, asked: str | None) -> tuple[str, str, str]:
    """Return species, id and step; a symbol in use in a later species beats an older name in an earlier."""
    read = []
    for name in (asked,) if asked in TABLED else TABLED:
        genes = identify([query], species=name)
        read.append((name, str(genes.ids[0]), str(genes.how[0])))
    sure = [found for found in read if found[2] in ("id", "symbol")]
    old = [found for found in read if found[1] and found[2] not in ("case", "human")]
    rest = [found for found in read if found[1]]
    return (sure or old or rest or [("", "", "")])[0]


def _partners(owner: str, gene: str, other: str) -> list[dict[str, Any]]:
    pairs = bundled_pairs(owner, other)
    symbols = gene_table(other).symbol_of
    rows = [row for row, name in enumerate(pairs.source_ids) if name == gene]
    rows.sort(key=lambda row: (not pairs.one[row], -pairs.votes[row], pairs.target_ids[row]))
    return [_partner(pairs, row, symbols.get(pairs.target_ids[row], "")) for row in rows]


def _partner(pairs: Pairs, row: int, symbol: str) -> dict[str, Any]:
    found = {
        "species": pairs.target,
        "id": pairs.target_ids[row],
        "symbol": symbol,
        "one2one": pairs.one[row],
        "tier": pairs.tier[row],
        "meaning": TIER_MEANINGS[pairs.tier[row]],
        "ensembl": pairs.ensembl[row],
        "hcop_votes": pairs.votes[row],
        "sources": sorted({*(["Ensembl"] if pairs.ensembl[row] else []), *pairs.hcop[row]}),
    }
    if pairs.middle:
        found["via"] = pairs.middle[row]
    return found


def available() -> "pd.DataFrame":
    """Return the bundled pairs of species: how many gene pairs, how many one to one, which release."""
    import pandas as pd

    rows = []
    for place, source in enumerate(TABLED):
        for target in TABLED[place + 1 :]:
            pairs = bundled_pairs(source, target)
            rows.append(
                {
                    "source": source,
                    "target": target,
                    "pairs": len(pairs),
                    "one2one": sum(pairs.one),
                    "via": pairs.release.get("via", ""),
                    "release": pairs.release["release"],
                    "sha256": pairs.release["sha256"],
                }
            )
    return pd.DataFrame(rows)


def export(source: str, target: str, policy: str = "one2one") -> "pd.DataFrame":
    """Return the features of a policy as a table of gene pairs, to keep, edit and give back as your own.

    A family is written as all pairs of its genes, so that reading the table back finds the same families.

    Raises
    ------
    GeneError
        If a species or policy is unknown, or no bundled table has the pair.
    """
    import pandas as pd

    orthologs = OrthologMap(source, target, policy=policy)
    left, right = orthologs.source, orthologs.target
    left_symbols, right_symbols = gene_table(left).symbol_of, gene_table(right).symbol_of
    tiers = {}
    if left != right:
        pairs = bundled_pairs(left, right)
        tiers = dict(zip(zip(pairs.source_ids, pairs.target_ids, strict=True), pairs.tier, strict=True))
    rows = [
        (a, left_symbols.get(a, ""), b, right_symbols.get(b, ""), name, tiers.get((a, b), ""))
        for name, *members in zip(
            orthologs.names, orthologs.source_members, orthologs.target_members, strict=True
        )
        for a, b in product(*members)
    ]
    marks = (left, right) if left != right else ("source", "target")
    columns = [f"{mark}_{what}" for mark in marks for what in ("ensembl_gene", "symbol")]
    return pd.DataFrame(rows, columns=[*columns, "feature", "tier"])
