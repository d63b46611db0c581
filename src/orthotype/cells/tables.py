"""Small tables as people keep them, files and DataFrames alike: what a cell or a cluster is called, as text.

One column holds the keys: the one that has their name (``cell``), else the first, which is the index of a
DataFrame. A first line of column names is recognised by its not being a key. Words for a missing value are
those of obs columns (:data:`orthotype.cells.columns.MISSING_WORDS`), and whole numbers stored as floats lose
their ``.0`` as they do there. A file is read once, so that it can be a pipe.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from orthotype.cells.columns import MISSING_WORDS, is_measurement, label_values
from orthotype.errors import InputError, listed, no_file, numbered

Table = str | Path | pd.DataFrame | pd.Series | Mapping[str, str]
Pairs = list[tuple[str, str]]

DELIMITERS: Final = ("\t", ",", ";")
FIRST_LINES: Final = 20


@dataclass(frozen=True)
class Fields:
    """What a small table holds.

    Attributes
    ----------
    header
        Names of the columns, "" for one without; None if the table does not name them.
    rows
        The fields of every row, "" where a value is missing.
    measured
        Positions of the columns of numbers with fractions, which cannot be classes.
    subject
        What the table is called in messages.
    """

    header: list[str] | None
    rows: list[list[str]]
    measured: frozenset[int]
    subject: str

    @property
    def said(self) -> str:
        """What there is, in words."""
        if self.header is None:
            return f"{self.subject} has no line of column names"
        return f"{self.subject} has the columns {listed([name for name in self.header if name])}"

    def find(self, name: str) -> int | None:
        """Return the position of a column, whatever its case if no other is called so, or None."""
        header = self.header or []
        if name in header:
            return header.index(name)
        alike = [place for place, other in enumerate(header) if other.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else None

    def key_place(self, names: Sequence[str]) -> int:
        """Return the position of the keys: the first column called one of these that has values beside it."""
        for name in names:
            place = self.find(name)
            if place is not None and self.value_places(place):
                return place
        return 0

    def value_places(self, key: int) -> list[int]:
        """Return the positions of all columns but the keys, and but a first one without a name."""
        width = len(self.header or next(iter(self.rows), []))
        numbered = self.header is not None and not self.header[0]
        return [place for place in range(width) if place != key and (place or not numbered)]

    def pairs(self, key: int, value: int, *, known: Collection[str]) -> Pairs:
        """Return pairs of key and value in their order, without rows of no key.

        Raises
        ------
        InputError
            If rows are too short.
        """
        short = [row[0] for row in self.rows if len(row) <= max(key, value)]
        if short:
            rows = numbered(len(short), "row has", "rows have")
            raise InputError(f"{self.subject}: {rows} no value: {listed(short)}; expected one each")
        return [(_whole(row[key], known), row[value]) for row in self.rows if row[key]]


def read_fields(table: Table, *, known: Collection[str]) -> Fields:
    """Return the fields of a table as text.

    Parameters
    ----------
    table
        A csv or tsv file (plain or gz), a DataFrame or Series with the keys as index, or a mapping.
    known
        Keys that there can be. A first line is one of column names if its first field is none of these and
        its second is no value of any other line.

    Raises
    ------
    InputError
        If the file is missing or cannot be read, or the table is none.
    """
    if isinstance(table, str | Path):
        return _of_file(Path(table), known)
    if isinstance(table, pd.DataFrame):
        header = ["" if name is None else str(name) for name in (table.index.name, *table.columns)]
        return _of_columns(header, table.index, *(table.iloc[:, place] for place in range(table.shape[1])))
    if isinstance(table, pd.Series):
        return _of_columns(None, table.index, table)
    if isinstance(table, Mapping):
        return _of_columns(None, table, pd.Series(list(table.values()), dtype=object))
    raise InputError(
        f"the table is of type {type(table).__name__}; expected a csv or tsv file, a DataFrame, "
        "a Series or a mapping"
    )


def _of_columns(header: list[str] | None, keys: Collection[Any], *values: "pd.Series[Any]") -> Fields:
    columns = [pd.Series(list(keys), dtype=object), *values]
    try:
        texts = [["" if text is None else text for text in label_values(column)] for column in columns]
    except TypeError as error:
        raise InputError(
            f"the table holds more than words and numbers ({error}); expected a table"
        ) from error
    measured = [place for place, column in enumerate(columns) if is_measurement(column.infer_objects())]
    rows = [list(row) for row in zip(*texts, strict=True)]
    return Fields(header, rows, frozenset(measured), "the table")


def _of_file(path: Path, known: Collection[str]) -> Fields:
    lines = _lines(path)
    try:
        rows = _split(lines, min(DELIMITERS, key=lambda delimiter: _misfit(lines[:FIRST_LINES], delimiter)))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read ({error}); expected a csv or tsv file") from error
    if rows[0][0] not in known and {len(row) for row in rows[1:]} == {len(rows[0]) + 1}:
        rows[0].insert(0, "")
    named = rows[0][0] not in known and rows[0][1:2] not in [row[1:2] for row in rows[1:]]
    header = rows.pop(0) if named else None
    _check_widths(path, rows, header)
    rows = [["" if field.lower() in MISSING_WORDS else field for field in row] for row in rows]
    width = max(map(len, rows), default=0)
    measured = [place for place in range(width) if _is_measured(rows, place)]
    return Fields(header, rows, frozenset(measured), str(path))


def _check_widths(path: Path, rows: list[list[str]], header: list[str] | None) -> None:
    """Refuse rows that have more values than there are columns, as an unquoted comma makes them."""
    width = len(header) if header else Counter(map(len, rows)).most_common(1)[0][0]
    long = [row[0] for row in rows if any(row[width:])]
    if long:
        raise InputError(
            f"{path}: {numbered(len(long), 'row has', 'rows have')} more values than the {width} columns: "
            f"{listed(long)}; put values that hold the delimiter in quotes"
        )


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(no_file(path)) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a csv or tsv file") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty; expected a csv or tsv file of two columns")
    return lines


def _split(lines: list[str], delimiter: str) -> list[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return [[field.strip() for field in row] for row in reader]


def _misfit(lines: list[str], delimiter: str) -> tuple[bool, bool, int, int]:
    """Return how badly lines are split: into unequal parts, but for a first without a corner; late in it."""
    rows = _split(lines, delimiter)
    first, widths = len(rows[0]), {len(row) for row in rows[1:] or rows}
    even = len(widths) == 1 and min(widths) > 1
    whole = sum(len(row) == 1 for row in rows)
    return (not (even and first in widths), not (even and first + 1 in widths), whole, len(rows[0][0]))


def _is_measured(rows: list[list[str]], place: int) -> bool:
    present = [row[place] for row in rows if len(row) > place and row[place]]
    numbers = pd.to_numeric(pd.Series(present, dtype=object), errors="coerce")
    return not numbers.isna().any() and is_measurement(numbers)


def _whole(key: str, known: Collection[str]) -> str:
    """Return the key that a file means with ``3.0``."""
    whole = key.removesuffix(".0")
    return whole if key not in known and whole in known else key
