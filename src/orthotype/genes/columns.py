"""Which columns of a user's ortholog table hold the genes of which species."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orthotype.genes.clean import id_in
from orthotype.genes.identify import identify
from orthotype.genes.species import Species

if TYPE_CHECKING:
    import pandas as pd

_ENOUGH = 0.5  # of the values must be Ensembl ids for a column of ids
_NO_GENES = (
    "type",
    "confidence",
    "score",
    "support",
    "chr",
    "assert",
    "entrez",
    "identity",
    "coverage",
    "taxon",
)


@dataclass(frozen=True)
class Side:
    """The columns of one species, ids before symbols."""

    species: Species
    columns: list[str]


def find_sides(frame: "pd.DataFrame", source: Species, target: Species) -> tuple[Side, Side, bool]:
    """Return the columns of both species, and whether two unnamed columns came the other way round.

    A column belongs to a species that its name mentions. If only one species is mentioned, as in BioMart's
    tables, the other's are the columns that mention none. If neither is, they are the first two columns.
    """
    named = [[column for column in frame.columns if _mentions(column, species, word)]
             for species, word in ((source, "source"), (target, "target"))]  # fmt: skip
    if source.name != target.name and not all(named) and any(named):
        rest = [column for column in frame.columns if column not in (named[0] or named[1])]
        named = [columns or rest for columns in named]
    found = [_gene_columns(frame, columns) for columns in named]
    if all(found) and found[0] != found[1]:
        return Side(source, found[0]), Side(target, found[1]), False
    first, second = frame.columns[0], frame.columns[1]
    swapped = _fit(frame[first], target) + _fit(frame[second], source) > (
        _fit(frame[first], source) + _fit(frame[second], target)
    )
    if swapped:
        first, second = second, first
    return Side(source, [first]), Side(target, [second]), swapped


def find_type(frame: "pd.DataFrame") -> list[str]:
    """Return each row's homology type as BioMart words it: "1:1", "1:n", "n:m"; "" where there is none."""
    for column in frame.columns:
        if "homology type" in column.lower():
            words = {"one2one": "1:1", "one2many": "1:n", "many2many": "n:m", "many2one": "1:n"}
            return [words.get(str(value).lower().removeprefix("ortholog_"), "") for value in frame[column]]
    return [""] * len(frame)


def _mentions(column: str, species: Species, word: str) -> bool:
    text = " ".join(column.lower().replace("_", " ").replace(".", " ").split())
    latin = species.latin.lower().split()
    spellings = {species.name, " ".join(latin), "".join(part[0] for part in latin[:-1]) + latin[-1], word}
    if species.name == "human":
        spellings.add("hgnc")
    padded = f" {text} "
    return any(f" {spelling} " in padded for spelling in spellings)


def _gene_columns(frame: "pd.DataFrame", columns: list[str]) -> list[str]:
    """Return at most one column of ids and one of symbols, in that order; else the first column."""
    usable = [column for column in columns if not any(word in column.lower() for word in _NO_GENES)]
    ids = [column for column in usable if _id_share(frame[column]) >= _ENOUGH]
    named = [column for column in usable if column not in ids and frame[column].astype(bool).any()]
    symbols = [column for column in named if "symbol" in column.lower()]
    symbols = symbols or [column for column in named if "gene name" in column.lower()]
    found = [*ids[:1], *symbols[:1]]
    return found or named[:1]


def _id_share(values: "pd.Series[str]") -> float:
    given = [value for value in values if value]
    return sum(bool(id_in(value)) for value in given) / len(given) if given else 0.0


def _fit(values: "pd.Series[str]", species: Species) -> float:
    given = [value for value in values if value]
    return identify(given, species=species).scores.get(species.name, 0.0)
