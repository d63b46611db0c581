"""Columns of obs that matter: which may hold labels, batches or Cell Ontology ids; labels put to the test."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import Problems, listed, nearest, warn
from orthotype.metrics.spelling import spelling

if TYPE_CHECKING:
    from anndata import AnnData

ONTOLOGY_ID: Final = re.compile(r"CL[:_](\d{7})")
MISSING_WORDS: Final = frozenset({"", "nan", "none", "na", "n/a", "#n/a", "<na>", "null"})
# A Cell Ontology id names a class if at least this share of the ids of its cells are this one.
STEADY: Final = 0.9

LABEL_WORDS: Final = (
    r"cell[_.\- ]?types?$",
    r"cell[_.\- ]?(type|class|label|identity|annotation|state)|celltype",
    r"annot|assigned[_.]?cluster|predicted[_.]?label",
    r"^(labels?|class|subclass|identity|ident)$|ontology[_.](class|type)",
    r"cluster|louvain|leiden|compartment|lineage",
)
BATCH_WORDS: Final = (
    r"^(donor|patient|subject|individual|specimen|animal|mouse)([_.\- ]?(id|name|number))?$",
    r"donor|patient|individual",
    r"^(sample|library|batch|orig\.ident|run|channel|lane|plate)([_.\- ]?(id|name|number))?$",
    r"sample|library|batch|plate|replicate|experiment|dataset|study",
)
MOST_CLASSES: Final = 500


@dataclass(frozen=True)
class Candidate:
    """A column that may serve a purpose.

    Attributes
    ----------
    column
        Its name in obs.
    reason
        Why it was proposed.
    counts
        Cells of every value, most frequent first; cells without a value are not counted.
    n_missing
        Cells without a value.
    """

    column: str
    reason: str
    counts: dict[str, int]
    n_missing: int

    def to_dict(self) -> dict[str, Any]:
        """Return the candidate as plain JSON values."""
        return {
            "column": self.column,
            "reason": self.reason,
            "n_values": len(self.counts),
            "counts": dict(self.counts),
            "n_missing": self.n_missing,
        }


def label_columns(adata: "AnnData") -> list[Candidate]:
    """Return the columns that may hold cell type labels, the likeliest first.

    A column is proposed by its name (``cell_type``, ``annotation``, ``cluster``, ...) if it has at least two
    and at most 500 values and is not a measurement.
    """
    return _candidates(
        adata, LABEL_WORDS, exclude=re.compile(r"ontology.*id$|_id$|colou?r|score|prob|conf", re.I)
    )


def batch_columns(adata: "AnnData") -> list[Candidate]:
    """Return the columns that may tell donors, samples or batches apart, the likeliest first."""
    return _candidates(adata, BATCH_WORDS, exclude=re.compile(r"score|prob|conf|n_|_type$", re.I))


def _candidates(adata: "AnnData", words: tuple[str, ...], *, exclude: re.Pattern[str]) -> list[Candidate]:
    found: list[tuple[int, int, Candidate]] = []
    for position, column in enumerate(map(str, adata.obs.columns)):
        rank = next((i for i, word in enumerate(words) if re.search(word, column, re.IGNORECASE)), None)
        if rank is None or exclude.search(column):
            continue
        series = adata.obs.iloc[:, position]
        if is_measurement(series):
            continue
        values = label_values(series)
        counts = Counter(value for value in values if value is not None)
        if 2 <= len(counts) <= min(MOST_CLASSES, max(adata.n_obs // 2, 2)):
            reason = f"named like it, {len(counts)} values"
            candidate = Candidate(column, reason, dict(counts.most_common()), len(values) - counts.total())
            found.append((rank, position, candidate))
    return [candidate for _, _, candidate in sorted(found, key=lambda item: item[:2])]


def is_measurement(series: "pd.Series[Any]") -> bool:
    """Return whether a column holds numbers with fractions, which cannot be classes."""
    if not pd.api.types.is_float_dtype(series.dtype):
        return False
    present = series.dropna().to_numpy(dtype=np.float64)
    return bool((present != np.rint(present)).any())


def holds_names(
    series: "pd.Series[Any]", column: str, *, problems: Problems, expected: str = "names of classes"
) -> bool:
    """Return whether an obs column may hold names; note that it holds measurements if not.

    Parameters
    ----------
    series
        Its values.
    column
        What it is called.
    problems
        Where to note it.
    expected
        What it was to hold.
    """
    measured = is_measurement(series)
    if measured:
        problems.add(
            f"obs column {column!r} holds measurements ({listed(series.dropna().head(3))})", expected=expected
        )
    return not measured


def label_values(series: "pd.Series[Any]") -> NDArray[np.object_]:
    """Return the values of a column as str, None where there is none.

    Empty text and the words that other programs write for a missing value (``nan``, ``NA``, ``None``, ...)
    count as missing. Blanks around a value are no part of it. Whole numbers stored as floats lose their
    ``.0``.
    """
    values = series.astype(object).to_numpy()
    texts: dict[Any, str | None] = {}
    for value in pd.unique(values):
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        texts[value] = None if pd.isna(value) or text.lower() in MISSING_WORDS else text
    result = np.empty(len(values), dtype=object)
    result[:] = [None if pd.isna(value) else texts[value] for value in values]
    return result


def check_labels(
    adata: "AnnData",
    labels: str,
    *,
    min_cells: int = 2,
    subject: str = "the data",
    problems: Problems | None = None,
) -> NDArray[np.object_] | None:
    """Return the label of every cell as str, None for cells without one, or say all that is wrong.

    Parameters
    ----------
    adata
        Cells.
    labels
        Column of obs.
    min_cells
        A class with fewer labelled cells is a problem.
    subject
        What the data is called in messages.
    problems
        Where to note problems instead of raising; then None is returned if there are any.

    Returns
    -------
    NDArray or None
        (n_cells,) of str or None. Cells without a label are for the caller to leave out and to count.

    Raises
    ------
    InputError
        If the column is missing or holds measurements, no cell or only one class is labelled, a class has too
        few cells, or a class has the name of a status word. All of these at once.
    """
    noted = Problems(subject)
    values = _check_column(adata, labels, noted)
    if values is not None:
        _check_classes(Counter(value for value in values if value is not None), labels, min_cells, noted)
    if problems is None:
        noted.raise_if_any()
    else:
        problems.extend(noted.found)
    return None if noted.found else values


def _check_column(adata: "AnnData", labels: Any, problems: Problems) -> NDArray[np.object_] | None:
    if not isinstance(labels, str):
        problems.add(f"labels is a {type(labels).__name__}", expected="the name of an obs column")
        return None
    columns = [str(column) for column in adata.obs.columns]
    if labels not in columns:
        likely = [candidate.column for candidate in label_columns(adata)]
        alike = [
            name
            for name in nearest(labels, columns)
            if not is_measurement(adata.obs.iloc[:, columns.index(name)])
        ]
        offered = list(dict.fromkeys([*alike, *likely])) or columns
        problems.add(
            f"there is no obs column {labels!r}",
            expected=f"a column of labels, such as {listed(offered)}"
            if offered
            else "obs columns, found none",
            remedy="name the column that holds the cell types (labels=..., --labels)",
        )
        return None
    series = adata.obs.iloc[:, columns.index(labels)]
    return label_values(series) if holds_names(series, labels, problems=problems) else None


def _check_classes(counts: Counter[str], labels: str, min_cells: int, problems: Problems) -> None:
    if not counts:
        problems.add(f"no cell has a label in obs column {labels!r}", expected="a label for some cells")
    if len(counts) == 1:
        problems.add(
            f"obs column {labels!r} names only one class ({listed(counts)})",
            expected="at least two classes to tell apart",
        )
    small = sorted(name for name, n_cells in counts.items() if n_cells < min_cells)
    if small:
        few = "one cell" if min_cells == 2 else f"fewer than {min_cells} cells"
        problems.add(
            f"{len(small)} of {len(counts)} classes in {labels!r} with {few}: {listed(small)}",
            expected=f"at least {min_cells} cells in each class",
            remedy="remove these cells, merge the class into another, or pass min_cells=1 (--min-cells 1)",
        )
    reserved = sorted(name for name in counts if name.lower() in RESERVED_LABELS)
    if reserved:
        problems.add(
            f"classes in {labels!r} are named {listed(reserved)}, which orthotype uses for its own verdicts",
            expected="names of cell types",
            remedy="leave the label of these cells empty (NaN) or rename the class",
        )
    if not problems.found:
        _warn_of_spellings(counts, labels)


def _warn_of_spellings(counts: Counter[str], labels: str) -> None:
    """Warn of classes whose names differ only in case, spaces, hyphens and underscores."""
    spelled: dict[str, list[str]] = {}
    for name in sorted(counts):
        spelled.setdefault(spelling(name), []).append(name)
    several = [" and ".join(map(repr, names)) for names in spelled.values() if len(names) > 1]
    if several:
        warn(
            f"classes in {labels!r} that differ only in spelling are told apart: {', '.join(several[:5])}; "
            "rename them if they are the same"
        )


def ontology_column(adata: "AnnData") -> str | None:
    """Return the first column in which most values are Cell Ontology ids such as ``CL:0000169``, or None."""
    for position, column in enumerate(map(str, adata.obs.columns)):
        series = adata.obs.iloc[:, position]
        if pd.api.types.is_numeric_dtype(series.dtype):
            continue
        values = [value for value in label_values(series) if value is not None]
        if values and sum(ONTOLOGY_ID.fullmatch(value) is not None for value in values) > len(values) / 2:
            return column
    return None


def ontology_ids(adata: "AnnData", labels: str) -> dict[str, str]:
    """Return the Cell Ontology id of each class of which nearly all cells carry the same one.

    Coarse classes, clusters, donors and samples hold cells of many types; the id that most of their cells
    carry does not name them.

    Parameters
    ----------
    adata
        Cells, with ids such as ``CL:0000169`` in any column of obs.
    labels
        Column of obs with the classes.

    Returns
    -------
    dict
        Class to id, written with a colon; classes without any id, or with several of which none has nine
        tenths of the cells with one, are left out. Empty if no column holds ids.
    """
    column = ontology_column(adata)
    if column is None or labels not in adata.obs:
        return {}
    seen: dict[str, Counter[str]] = {}
    pairs = zip(label_values(adata.obs[labels]), label_values(adata.obs[column]), strict=True)
    for name, term in pairs:
        match = ONTOLOGY_ID.fullmatch(term or "")
        if name is not None and match:
            seen.setdefault(name, Counter())[f"CL:{match[1]}"] += 1
    first = {name: terms.most_common(1)[0] for name, terms in sorted(seen.items())}
    return {name: term for name, (term, n) in first.items() if n >= STEADY * seen[name].total()}
