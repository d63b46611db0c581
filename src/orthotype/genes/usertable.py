"""A user's own ortholog table: any two columns of genes, checked, counted and turned into pairs.

Columns are found by their names (a species in English or Latin, "source", "target"), so that tables from
Ensembl BioMart and from HCOP can be used as they are; where no name tells, the first two columns are taken. A
column of Ensembl ids is preferred to one of symbols; where a species has no bundled gene table both are kept,
so that data with either kind of names fit.
"""

import gzip
import hashlib
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthotype.errors import GeneError, listed
from orthotype.genes.clean import id_in
from orthotype.genes.columns import Side, find_sides, find_type
from orthotype.genes.identify import genes_named
from orthotype.genes.species import Species, known_species
from orthotype.genes.tables import Pairs

if TYPE_CHECKING:
    import pandas as pd

_BLANK = {"", "-", "NA", "N/A", "nan", "NaN", "None", "<NA>", "\\N"}


def user_pairs(
    table: "pd.DataFrame | str | Path", source: Species, target: Species
) -> tuple[Pairs, dict[str, Any]]:
    """Return the pairs of a user's table, and a report of what it held and what was dropped.

    One to one means alone on both sides among *all* rows, those with unrecognised genes included; where the
    table has a column of homology types, that column must agree.

    Raises
    ------
    GeneError
        If the table cannot be read, has fewer than two columns, holds genes of other species, or no usable
        pair.
    """
    frame, release = _read(table)
    name = release["name"]
    if frame.shape[1] < 2:
        raise GeneError(
            f"{name} has one column, {listed(frame.columns)}; expected at least two: genes of {source.name}, "
            f"genes of {target.name}; check the separator (comma or tab)"
        )
    left, right, swapped = find_sides(frame, source, target)
    left_keys, left_lost = _keys(frame, left, name)
    right_keys, right_lost = _keys(frame, right, name)
    rows: dict[tuple[str, str], str] = {}
    for a, b, kind in zip(left_keys, right_keys, find_type(frame), strict=True):
        if a and b:
            rows.setdefault((a, b), kind)
    usable = [key for key in rows if key[0] not in left_lost and key[1] not in right_lost]
    if not usable:
        raise _nothing_usable(name, len(frame), {source.name: left_lost, target.name: right_lost})
    one = _one_to_one(rows, usable)
    n_given = sum(bool(a and b) for a, b in zip(left_keys, right_keys, strict=True))
    report = {
        "rows": len(frame),
        "columns": {source.name: left.columns, target.name: right.columns},
        "columns_swapped": swapped,
        "empty": len(frame) - n_given,
        "duplicated": n_given - len(rows),
        f"unrecognised_{source.name}": _counted(left_lost),
        f"unrecognised_{target.name}": _counted(right_lost),
        "crossed": sum(1 for a, b in rows if a < b and (b, a) in rows),
        "pairs": len(usable),
        "one_to_one": sum(one),
        "one_to_many_or_many_to_many": len(usable) - sum(one),
    }
    names = _other_names(frame, left, left_keys), _other_names(frame, right, right_keys)
    return _pairs_of(source, target, usable, one, names, release), report


def _nothing_usable(name: str, n_rows: int, lost: dict[str, set[str]]) -> GeneError:
    species = " and ".join(lost)
    names = " and ".join(f"{listed(sorted(names)) or 'none'} ({species})" for species, names in lost.items())
    return GeneError(
        f"{name} has no usable pair of {species} genes in {n_rows:,} rows; not recognised: {names}; "
        "check species and columns"
    )


def _one_to_one(rows: dict[tuple[str, str], str], usable: list[tuple[str, str]]) -> list[bool]:
    """Tell which pairs are alone among all rows, and not called otherwise by the table's homology type."""
    left, right = Counter(a for a, _ in rows), Counter(b for _, b in rows)
    return [left[a] == right[b] == 1 and rows[a, b] in ("", "1:1") for a, b in usable]


def _pairs_of(
    source: Species,
    target: Species,
    usable: list[tuple[str, str]],
    one: list[bool],
    names: tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]],
    release: dict[str, Any],
) -> Pairs:
    n = len(usable)
    return Pairs(
        source=source.name,
        target=target.name,
        source_ids=[a for a, _ in usable],
        target_ids=[b for _, b in usable],
        one=one,
        tier=["U"] * n,
        ensembl=[""] * n,
        votes=[0] * n,
        confident=[False] * n,
        hcop=[()] * n,
        source_names=names[0],
        target_names=names[1],
        release=release,
    )


def _counted(lost: set[str]) -> dict[str, Any]:
    return {"n": len(lost), "examples": sorted(lost)[:5]}


def _read(table: "pd.DataFrame | str | Path") -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Return the table as text cells without blanks, and its name and checksum."""
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        data = table.to_csv(index=False).encode()
        name = "DataFrame"
    else:
        path = Path(table)
        name = path.name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise GeneError(
                f"cannot read the ortholog table {path} ({error.strerror}); check the path"
            ) from error
    release = {"name": name, "release": "your own table", "sha256": hashlib.sha256(data).hexdigest()}
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise GeneError(f"{name} is not a text table ({error}); expected csv or tsv, plain or gz") from error
    lines = [line.rstrip("\r") for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise GeneError(f"{name} has no rows; expected a header and at least one pair of genes")
    return _frame(lines, name), release


def _frame(lines: list[str], name: str) -> "pd.DataFrame":
    import csv

    import pandas as pd

    separator = max("\t", ",", ";", key=lines[0].count)
    cells = list(csv.reader(lines, delimiter=separator))
    width = len(cells[0])
    ragged = [number for number, row in enumerate(cells, 1) if len(row) != width]
    if ragged:
        raise GeneError(
            f"{name}: row {ragged[0]} has {len(cells[ragged[0] - 1])} columns, the header {width}"
            f" ({len(ragged):,} such rows); expected the same number in each; export the table again"
        )
    header = [cell.strip() for cell in cells[0]]
    if any(id_in(cell) for cell in header):  # a table without a header
        header, body = [f"column {number}" for number in range(1, width + 1)], cells
    else:
        body = cells[1:]
    clean = [["" if cell.strip() in _BLANK else cell.strip() for cell in row] for row in body]
    unique = [f"{cell} ({place})" if cell in header[:place] else cell for place, cell in enumerate(header)]
    return pd.DataFrame(clean, columns=unique, dtype=object)


def _keys(frame: "pd.DataFrame", side: Side, name: str) -> tuple[list[str], set[str]]:
    """Return the gene of each row on one side, "" if blank, and the names that mean no gene."""
    values = [frame[column].tolist() for column in side.columns]
    _refuse_other_species(values[0], side, name)
    if not side.species.has_table:
        return [next((id_in(v) or v for v in row if v), "") for row in zip(*values, strict=True)], set()
    read = [genes_named(column, side.species) for column in values]
    keys, lost = [], set()
    for cells, ids in zip(zip(*values, strict=True), zip(*read, strict=True), strict=True):
        given, gene = next(filter(None, cells), ""), next(filter(None, ids), "")
        keys.append(gene or given)
        if given and not gene:
            lost.add(given)
    return keys, lost


def _refuse_other_species(values: list[str], side: Side, name: str) -> None:
    prefixes = Counter(gene.rstrip("0123456789") for value in values if (gene := id_in(value)))
    if not prefixes or not side.species.ensembl_prefix:
        return
    most, count = prefixes.most_common(1)[0]
    if most != side.species.ensembl_prefix and count > len(values) / 2:
        owner = next(
            (species.name for species in known_species() if species.ensembl_prefix == most), "another species"
        )
        raise GeneError(
            f"{name}: column {side.columns[0]!r} holds ids of {owner} ({most}...); expected "
            f"{side.species.name} ({side.species.ensembl_prefix}...); name the right species or column"
        )


def _other_names(frame: "pd.DataFrame", side: Side, keys: list[str]) -> dict[str, tuple[str, ...]]:
    """Return further names of genes of a species without a gene table, where a name means one gene only."""
    if side.species.has_table or len(side.columns) < 2:
        return {}
    meant: dict[str, set[str]] = {}
    for key, name in zip(keys, frame[side.columns[1]], strict=True):
        if key and name and name != key:
            meant.setdefault(name, set()).add(key)
    found: dict[str, tuple[str, ...]] = {}
    for name, genes in meant.items():
        if len(genes) == 1 and name not in keys:
            gene = next(iter(genes))
            found[gene] = (*found.get(gene, ()), name)
    return found
