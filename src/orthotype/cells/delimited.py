"""Tables of numbers as text, genes x cells or cells x genes, read line by line and kept sparse.

Conventions
-----------
The first line names the columns (with or without a name for the column of names), the first column names the
rows. Further columns of text describe the rows, such as a gene symbol beside an id or a cell type beside a
barcode, and become columns of ``var`` or ``obs``.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.quiet import quiet
from orthotype.errors import InputError, listed

if TYPE_CHECKING:
    from anndata import AnnData

DELIMITERS: Final = ("\t", ",", ";", " ")
MISSING: Final = frozenset({"", "NA", "NaN", "nan", "N/A", "null", "NULL", "None"})
ZEROS: Final = frozenset({"0", "0.0", "0.00"})
BARCODE: Final = re.compile(r"(^|[^A-Z])[ACGTN]{6,}([^A-Z]|$)")
GENES_IN: Final = ("rows", "columns")


@dataclass(frozen=True)
class Layout:
    """How a table is written: its delimiter, the names of its columns of values, and where these are."""

    delimiter: str
    columns: list[str]
    n_fields: int
    described_by: dict[int, str]

    @property
    def value_fields(self) -> list[int]:
        """Positions of the fields that hold numbers."""
        return [i for i in range(1, self.n_fields) if i not in self.described_by]


def read_table(path: Path, *, genes_in: str | None = None) -> "AnnData":
    """Return the cells of a table of numbers.

    Parameters
    ----------
    path
        The file, plain or gz.
    genes_in
        ``"rows"`` or ``"columns"``; None lets the names tell.

    Raises
    ------
    InputError
        If the table is damaged, holds no numbers, or its names do not tell genes from cells.
    """
    import anndata

    if genes_in not in (None, *GENES_IN):
        raise InputError(f"genes_in is {genes_in!r}; expected one of {listed(GENES_IN)}")
    with _clear_errors(path):
        layout = read_layout(path)
        names, values, described = _read_values(path, layout)
    if not names:
        raise InputError(
            f"{path} ends after its first line; expected a table of numbers with a line of names"
        )
    side = genes_in or find_genes(names, layout.columns, path)
    of_rows = pd.DataFrame(described, index=pd.Index(names, dtype=object))
    of_columns = pd.DataFrame(index=pd.Index(layout.columns, dtype=object))
    with quiet():
        if side == "columns":
            return anndata.AnnData(X=values, obs=of_rows, var=of_columns)
        return anndata.AnnData(X=values.T.tocsr(), obs=of_columns, var=of_rows)


def read_layout(path: Path) -> Layout:
    """Find out how a table is written from its first lines.

    Raises
    ------
    InputError
        If there are no columns of numbers.
    """
    with _opened(path) as file:
        lines = [line for _, line in zip(range(20), file, strict=False)]
    if not lines:
        raise InputError(f"{path} is empty; expected a table of numbers with a line of names")
    delimiter = max(DELIMITERS, key=lines[0].count)
    header, *rows = csv.reader(lines, delimiter=delimiter)
    n_fields = len(rows[0]) if rows else len(header)
    columns = header if len(header) == n_fields - 1 else header[1:]
    if not columns or len(columns) != n_fields - 1:
        raise InputError(
            f"{path} begins with {len(header)} names over {n_fields} columns; "
            "expected a table with names in the first line and the first column, "
            "separated by tabs, commas or semicolons"
        )
    described_by = {i: columns[i - 1] for i in range(1, n_fields) if _is_text(rows, i)}
    layout = Layout(delimiter, [], n_fields, described_by)
    if not layout.value_fields:
        raise InputError(f"{path} holds only text ({listed(columns)}); expected a table of numbers")
    return Layout(delimiter, [columns[i - 1] for i in layout.value_fields], n_fields, described_by)


def _is_text(rows: Sequence[Sequence[str]], field: int) -> bool:
    """Return whether most of the first values of a column are neither numbers nor missing."""
    values = [row[field].strip() for row in rows if len(row) > field]
    present = [value for value in values if value not in MISSING]
    return sum(not _is_number(value) for value in present) > len(present) / 2


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _read_values(path: Path, layout: Layout) -> tuple[list[str], sp.csr_matrix, dict[str, list[str]]]:
    """Return row names, values as CSR and descriptions, keeping only what is not zero of each line."""
    names: list[str] = []
    described: dict[str, list[str]] = {name: [] for name in layout.described_by.values()}
    column_of = np.full(layout.n_fields, -1, dtype=np.int32)
    column_of[layout.value_fields] = np.arange(len(layout.value_fields), dtype=np.int32)
    data, indices, sizes = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [0]
    with _opened(path) as file:
        lines = csv.reader(file, delimiter=layout.delimiter)
        next(lines)
        for line in lines:
            if not line:
                continue
            if len(line) != layout.n_fields:
                found = f"line {lines.line_num} has {len(line)} fields"
                raise InputError(f"{path}: {found}; expected {layout.n_fields} as in the lines before")
            names.append(line[0])
            for field, name in layout.described_by.items():
                described[name].append(line[field])
                line[field] = "0"
            line[0] = "0"
            filled = [field for field, value in enumerate(line) if value not in ZEROS]
            data.append(_numbers(line, filled, where=f"{path}, line {lines.line_num}"))
            indices.append(column_of[filled])
            sizes.append(len(filled))
    shape = (len(names), len(layout.value_fields))
    values = sp.csr_matrix((np.concatenate(data), np.concatenate(indices), np.cumsum(sizes)), shape=shape)
    values.eliminate_zeros()
    return names, values, described


def _numbers(line: Sequence[str], fields: Sequence[int], *, where: str) -> NDArray[np.float32]:
    """Return some fields of a line as numbers, NaN where one is missing."""
    try:
        return np.array([float(line[field]) for field in fields], dtype=np.float32)
    except ValueError:
        strange = [line[field] for field in fields if not (line[field] in MISSING or _is_number(line[field]))]
        if strange:
            raise InputError(f"{where}: {listed(strange)} cannot be read; expected numbers") from None
    return np.array(
        [np.nan if line[field] in MISSING else float(line[field]) for field in fields], dtype=np.float32
    )


def find_genes(rows: Sequence[str], columns: Sequence[str], path: Path) -> str:
    """Return on which side of a table the genes are, ``"rows"`` or ``"columns"``.

    The side of which more names are known genes of some species; where none are, the side without barcodes.

    Raises
    ------
    InputError
        If neither tells.
    """
    shares = {"rows": _share_of_genes(rows), "columns": _share_of_genes(columns)}
    if shares["rows"] != shares["columns"]:
        return max(GENES_IN, key=lambda side: shares[side])
    barcodes = {"rows": _share_of_barcodes(rows), "columns": _share_of_barcodes(columns)}
    if barcodes["rows"] != barcodes["columns"]:
        return min(GENES_IN, key=lambda side: barcodes[side])
    raise InputError(
        f"{path} has rows such as {listed(rows[:3])} and columns such as {listed(columns[:3])}; "
        "expected gene names on one side; say where they are with genes_in='rows' or genes_in='columns'"
    )


def _share_of_genes(names: Sequence[str]) -> float:
    from orthotype.genes.identify import identify

    return max(identify(list(names)).scores.values(), default=0.0)


def _share_of_barcodes(names: Sequence[str]) -> float:
    return sum(BARCODE.search(name) is not None for name in names) / max(len(names), 1)


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """Open a text file, plain or gz, whatever its ending says."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rt", newline="") if compressed else path.open("rt", newline="") as text:
        yield text


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what the libraries raise on damaged tables into one message."""
    try:
        yield
    except InputError:
        raise
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(
            f"{path} cannot be read as a table of numbers ({reason}); "
            "expected numbers, with names in the first line and the first column; copy or download it again"
        ) from error
