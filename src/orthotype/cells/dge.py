"""Matrices of counts as text, genes x cells: the digital expression files of droplet and plate protocols.

Conventions
-----------
The first line names the cells, the first column the genes, every other field is a count. Nearly all of them
are zero, so a block of lines is searched for the fields that are not, and only those are read as numbers; the
matrix is never held densely. In a merged Drop-seq file the name of a cell says where it comes from::

    Specimen_Population_Barcode        M1_TBM_ACGTACGTACGT
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.delimited import read_layout
from orthotype.cells.quiet import quiet
from orthotype.errors import InputError, Problems, listed

if TYPE_CHECKING:
    from anndata import AnnData

BLOCK: Final = 1 << 22  # bytes of text that are looked at together
PARTS: Final = ("specimen", "population", "barcode")
CELL: Final = re.compile(r"[^_]+_[^_]+_[ACGTN]{6,}([-.]\d+)?")
NEWLINE: Final = ord("\n")
ZERO: Final = ord("0")
DIGITS: Final = 9  # so many fit into int32 whatever they are


def is_dge(path: Path) -> bool:
    """Return whether a text file is separated by tabs and names its cells ``Specimen_Population_Barcode``."""
    try:
        with opened(path) as file:
            names = file.readline().decode().rstrip("\r\n").replace('"', "").split("\t")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return False
    cells = names if CELL.fullmatch(names[0]) else names[1:]
    return bool(cells) and all(CELL.fullmatch(name) for name in cells)


def read_dge(path: str | Path) -> "AnnData":
    """Return the cells of a merged Drop-seq file with specimen, population and barcode in obs.

    The files of Stumpf et al. (2020), ``merged.DGE.txt.gz``, are of this form.

    Parameters
    ----------
    path
        The file, plain or gz.

    Returns
    -------
    AnnData
        Counts as CSR of int32; the first two parts of each cell's name, and the rest of it, in obs.

    Raises
    ------
    InputError
        As :func:`read_counts`, or if a cell's name does not have three parts.
    """
    path = Path(path)
    adata = read_counts(path)
    adata.obs = name_parts(adata.obs_names, subject=str(path))
    return adata


def name_parts(names: Iterable[str], *, subject: str = "cells") -> pd.DataFrame:
    """Return what the names of cells say: specimen, population and barcode, one row per cell.

    Raises
    ------
    InputError
        If a name has fewer than three parts joined by ``_``.

    Examples
    --------
    >>> name_parts(["M1_TBM_ACGT"]).iloc[0].tolist()
    ['M1', 'TBM', 'ACGT']
    """
    names = list(names)
    split = [name.split("_", 2) for name in names]
    strange = [name for name, parts in zip(names, split, strict=True) if len(parts) < 3 or not all(parts)]
    problems = Problems(subject)
    if strange:
        problems.add(
            f"{len(strange):,} of {len(names):,} cells have other names: {listed(strange)}",
            expected="Specimen_Population_Barcode",
            remedy="read the file with orthotype.cells.read, which asks nothing of the names",
        )
    problems.raise_if_any()
    parts = pd.DataFrame(split, columns=list(PARTS), index=pd.Index(names, dtype=object))
    return parts.astype({"specimen": "category", "population": "category", "barcode": object})


def read_counts(path: str | Path) -> "AnnData":
    """Return the cells of a text matrix of counts with genes in rows, quickly and without a dense copy.

    Parameters
    ----------
    path
        The file, plain or gz, separated by tabs, commas or semicolons; the first line may or may not have a
        name for the column of genes.

    Raises
    ------
    InputError
        If the file is damaged, lines differ in length, a value is not a count, or a cell or a gene is there
        twice. Every problem is named.
    """
    import anndata

    path = Path(path)
    with _clear_errors(path):
        layout = read_layout(path)
    problems = Problems(str(path))
    if layout.described_by:
        problems.add(
            f"columns of text ({listed(layout.described_by.values())})",
            expected="gene names in the first column and counts in all others",
        )
        problems.raise_if_any()
    genes: list[str] = []
    blocks: list[sp.csr_matrix] = []
    strange: list[str] = []
    with _clear_errors(path), opened(path) as file:
        file.readline()
        for text in _blocks(file):
            names, counts = _parse(text, layout.delimiter, layout.n_fields, path, len(genes) + 2, strange)
            genes.extend(names)
            blocks.append(counts)
    _check(genes, layout.columns, strange, problems)
    counts = sp.vstack(blocks, format="csr", dtype=np.int32).T.tocsr()
    with quiet():
        return anndata.AnnData(
            counts,
            obs=pd.DataFrame(index=pd.Index(layout.columns, dtype=object)),
            var=pd.DataFrame(index=pd.Index(genes, dtype=object)),
        )


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield whole lines that are not blank, some million characters at a time."""
    while lines := file.readlines(BLOCK):
        text = b"".join(line for line in lines if line.strip())
        if text:
            yield text if text.endswith(b"\n") else text + b"\n"


def _parse(
    text: bytes, delimiter: str, n_fields: int, path: Path, first_line: int, strange: list[str]
) -> tuple[list[str], sp.csr_matrix]:
    """Return the names and the counts of some lines; fields that are no counts go to ``strange``."""
    letters = np.frombuffer(text, dtype=np.uint8)
    marks = np.flatnonzero((letters == ord(delimiter)) | (letters == NEWLINE))
    n_lines = text.count(b"\n")
    if len(marks) != n_lines * n_fields or not (letters[marks[n_fields - 1 :: n_fields]] == NEWLINE).all():
        _refuse_lines(text, delimiter, n_fields, path, first_line)
    starts = np.concatenate([[0], marks[:-1] + 1]).reshape(n_lines, n_fields)
    ends = marks.reshape(n_lines, n_fields)
    names = [text[start:end].decode().strip('"') for start, end in zip(starts[:, 0], ends[:, 0], strict=True)]
    lengths = ends[:, 1:] - starts[:, 1:]
    filled = (lengths != 1) | (letters[starts[:, 1:]] != ZERO)
    rows, columns = np.nonzero(filled)
    values = _numbers(letters, starts[:, 1:][filled], lengths[filled])
    for place in np.flatnonzero(values < 0):
        field = text[starts[rows[place], columns[place] + 1] : ends[rows[place], columns[place] + 1]]
        values[place] = _count(field)
        if values[place] < 0:
            strange.append(f"{field.decode(errors='replace')} (gene {names[rows[place]]})")
            values[place] = 0
    counts = sp.csr_matrix((values, (rows, columns)), shape=(n_lines, n_fields - 1))
    counts.eliminate_zeros()
    return names, counts


def _numbers(
    letters: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return the numbers that some fields spell with digits alone, -1 for all others."""
    values = np.zeros(len(starts), dtype=np.int32)
    plain = (lengths > 0) & (lengths <= DIGITS)
    for place in range(int(lengths[plain].max(initial=0))):
        at = np.flatnonzero(plain & (lengths > place))
        digits = letters[starts[at] + place].astype(np.int32) - ZERO
        values[at] = values[at] * 10 + digits
        plain[at[(digits < 0) | (digits > 9)]] = False
    values[~plain] = -1
    return values


def _count(field: bytes) -> int:
    """Return the count that a field spells in another way, such as ``1.0`` or ``1e3``, else -1."""
    try:
        value = float(field.strip(b'" '))
    except ValueError:
        return -1
    return int(value) if value >= 0 and value.is_integer() and value <= np.iinfo(np.int32).max else -1


def _refuse_lines(text: bytes, delimiter: str, n_fields: int, path: Path, first_line: int) -> None:
    """Raise an error that names the first line that is too short or too long."""
    for number, line in enumerate(text.split(b"\n"), first_line):
        found = line.count(delimiter.encode()) + 1
        if found != n_fields:
            raise InputError(
                f"{path}: line {number} has {found} fields; expected {n_fields} as in the lines before; "
                "copy or download it again"
            )


def _check(genes: list[str], cells: list[str], strange: list[str], problems: Problems) -> None:
    """Raise everything that is wrong with the names and the values."""
    if not genes:
        problems.add("no line but the first", expected="a line for each gene")
    for what, names in (("cells", pd.Index(cells)), ("genes", pd.Index(genes))):
        twice = names[names.duplicated()].unique()
        if len(twice):
            problems.add(
                f"{len(twice):,} {what} are there more than once: {listed(twice)}", expected="each once"
            )
    if strange:
        problems.add(
            f"{len(strange):,} values are no counts: {listed(strange)}", expected="whole numbers from 0"
        )
    problems.raise_if_any()


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, plain or gz, whatever its ending says."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if compressed else file


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what the libraries raise on damaged files into one message."""
    try:
        yield
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is damaged ({error}); expected a text matrix of counts; copy or download it again"
        ) from error
