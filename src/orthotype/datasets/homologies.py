"""From the files of HCOP and Ensembl Compara to one plain table of two species.

**Ensembl** publishes one file per species with its homologies to all others; a pair of species may lie in the
file of either, and either gene may come first. All rows of the two species are taken, with Ensembl's own word
for their cardinality.

**HCOP** lists every pair that any of its resources asserts, most of them one alone. Taken as it stands, a
single weak assertion would make a well-known gene one-to-many. So pairs with fewer than three resources are
left out; two genes that are each other's single best partner are one to one, and weaker pairs of either are
left out, as for the bundled table of human and mouse (tier C in ``docs/orthologs.md``).
"""

import csv
import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from orthotype._files import written_whole
from orthotype.datasets.published import OrthologTable
from orthotype.errors import InputError, listed
from orthotype.genes.clean import id_in
from orthotype.genes.species import resolve_species

LEAST_VOTES = 3
ONE, MANY = "ortholog_one2one", "ortholog_one2many"
ENSEMBL_COLUMNS = (
    "gene_stable_id",
    "species",
    "homology_type",
    "homology_gene_stable_id",
    "homology_species",
)
Row = tuple[str, str, str, str, str, str]


def write_table(table: OrthologTable, files: Sequence[Path], target: Path) -> None:
    """Write the pairs of a table's two species as tsv, with its origin in comment lines above the header.

    Raises
    ------
    InputError
        If a file is damaged, lacks a column, or all of them together hold no pair of the two species.
    OutputError
        If the table cannot be written.
    """
    read = {"ensembl": _ensembl, "hcop": _hcop}[table.origin]
    try:
        rows = list(read(table, files))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{listed(map(str, files))} cannot be read ({error}); expected gzipped text; delete it and "
            "its .sha256 file, and get the table again"
        ) from error
    if not rows:
        raise InputError(
            f"{listed(map(str, files))} hold no pair of {table.source} and {table.target} genes; "
            f"expected the format of {table.title}; report this, or use a table of your own"
        )
    columns = [
        f"{species}_{what}" for species in (table.source, table.target) for what in ("ensembl_gene", "symbol")
    ]
    sums = [file.with_name(f"{file.name}.sha256") for file in files]
    notes = [table.title, table.release, *table.citation.split("\n"), table.licence]
    notes += [
        line for kept in sums if kept.exists() for line in kept.read_text(encoding="utf-8").splitlines()
    ]
    with written_whole(target, force=True) as beside, beside.open("w", encoding="utf-8", newline="") as out:
        out.writelines(f"# {note}\n" for note in notes)
        lines = csv.writer(out, delimiter="\t", lineterminator="\n")
        lines.writerow([*columns, "homology type", "support"])
        lines.writerows(rows)


def _records(file: Path, needed: Iterable[str]) -> Iterator[list[str]]:
    """Yield the needed columns of every row of a gzipped tsv."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        header = text.readline().rstrip("\r\n").split("\t")
        missing = [name for name in needed if name not in header]
        if missing:
            raise InputError(
                f"{file} has no columns {listed(missing)}; expected them among its columns {listed(header)}; "
                "the publisher has changed the format: use a table of your own"
            )
        places = [header.index(name) for name in needed]
        for number, line in enumerate(text, 2):
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) != len(header):
                raise InputError(
                    f"{file}: row {number} has {len(cells)} columns, the header {len(header)}; expected as "
                    "many; delete the file and its .sha256 file, and get the table again"
                )
            yield [cells[place] for place in places]


def _ensembl(table: OrthologTable, files: Sequence[Path]) -> Iterator[Row]:
    names = tuple(
        resolve_species(name).latin.lower().replace(" ", "_") for name in (table.source, table.target)
    )
    found: dict[tuple[str, str], str] = {}
    for file in files:
        for gene, species, kind, other_gene, other_species in _records(file, ENSEMBL_COLUMNS):
            if (species, other_species) == names:
                found.setdefault((gene, other_gene), kind)
            elif (other_species, species) == names:
                found.setdefault((other_gene, gene), kind)
    for (source, target), kind in sorted(found.items()):
        if kind.startswith("ortholog"):
            yield source, "", target, "", kind, ""


def _hcop(table: OrthologTable, files: Sequence[Path]) -> Iterator[Row]:
    votes, symbols = _votes(table, files)
    best_of: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (source, target), n in votes.items():
        if n >= LEAST_VOTES:
            best_of[f"s{source}"].append((n, target))
            best_of[f"t{target}"].append((n, source))
    best = {gene: _single_best(partners) for gene, partners in best_of.items()}
    mutual = {(s, t) for s, t in votes if best.get(f"s{s}") == t and best.get(f"t{t}") == s}
    alone = {f"s{s}" for s, _ in mutual} | {f"t{t}" for _, t in mutual}
    for (source, target), n in sorted(votes.items()):
        one = (source, target) in mutual
        if n >= LEAST_VOTES and (one or not alone & {f"s{source}", f"t{target}"}):
            left, right = (symbols.get((side, gene), "") for side, gene in ((0, source), (1, target)))
            kind = ONE if one else MANY
            yield id_in(source), left or source, id_in(target), right or target, kind, str(n)


def _votes(
    table: OrthologTable, files: Sequence[Path]
) -> tuple[dict[tuple[str, str], int], dict[tuple[int, str], str]]:
    """Return how many resources assert each pair, and the symbol of each gene that has an id."""
    support: dict[tuple[str, str], set[str]] = defaultdict(set)
    symbols: dict[tuple[int, str], str] = {}
    for file in files:
        for *genes, resources in _records(file, _hcop_columns(file)):
            left, right = genes[:2], genes[2:]
            keys = [next((gene for gene in side if gene not in ("", "-")), "") for side in (left, right)]
            for side, (key, (_, symbol)) in enumerate(zip(keys, (left, right), strict=True)):
                if symbol not in ("", "-"):
                    symbols.setdefault((side, key), symbol)
            if all(keys):
                support[keys[0], keys[1]].update(resources.split(","))
    return {pair: len(names) for pair, names in support.items()}, symbols


def _hcop_columns(file: Path) -> list[str]:
    """Return the columns of ids and symbols; HCOP's own word for the other species is in their names."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        header = text.readline().rstrip("\r\n").split("\t")
    end = "_ensembl_gene"
    words = [name.removesuffix(end) for name in header if name.endswith(end) and name != f"human{end}"]
    other = words[0] if words else "(other species)"
    return [f"{word}{ending}" for word in ("human", other) for ending in (end, "_symbol")] + ["support"]


def _single_best(partners: list[tuple[int, str]]) -> str:
    """Return the partner with most votes, "" if two have as many."""
    most = max(n for n, _ in partners)
    best = [gene for n, gene in partners if n == most]
    return best[0] if len(best) == 1 else ""
