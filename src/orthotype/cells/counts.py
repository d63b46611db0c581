"""Where the counts of an AnnData are: the matrix among X, raw and the layers that serves best, and why.

Whole-number counts are preferred wherever they are, then logarithms, then other values proportional to
counts. A matrix with far fewer genes than another usable one is passed over, because genes lost before the
alignment of species cannot be won back. What cannot be used, such as scaled values, is refused.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.memory import Memory
from orthotype.cells.rows import MatrixRows, Scale, row_block, row_readable
from orthotype.cells.scales import judge_scale
from orthotype.cells.scan import REMEDY, scan_values
from orthotype.cells.survey import MatrixError, Survey, SurveyedRows
from orthotype.errors import Problem, Problems, listed, nearest, numbered, warn

if TYPE_CHECKING:
    from anndata import AnnData

RANK: Final = {"counts": 0, "log1p": 1, "linear": 2, "binary": 3}
COUNT_LAYERS: Final = ("counts", "count", "raw_counts", "raw_count", "raw", "umi", "umis", "umi_counts")
PARTIAL_LAYERS: Final = ("spliced", "unspliced", "ambiguous", "spanning")
WIDER: Final = 1.5
SAMPLE_RUNS: Final = 4
SAMPLE_RUN: Final = 64


@dataclass(frozen=True)
class MatrixFacts:
    """What one matrix of an AnnData holds, judged on a sample of its cells.

    Attributes
    ----------
    where
        ``"X"``, ``"raw"`` or ``"layers/NAME"``.
    scale, base, evidence
        As in :class:`orthotype.cells.scales.ScaleEvidence`.
    n_genes
        Number of genes; raw may have more than X.
    """

    where: str
    scale: str
    base: float | None
    n_genes: int
    evidence: str

    @property
    def usable(self) -> bool:
        """Whether orthotype can work with such values."""
        return self.scale in RANK

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return {
            "where": self.where,
            "scale": self.scale,
            "base": self.base,
            "genes": self.n_genes,
            "evidence": self.evidence,
        }


@dataclass(frozen=True)
class Counts:
    """The matrix to work with: where it is, what it holds, and the names of its genes.

    Attributes
    ----------
    where
        ``"X"``, ``"raw"`` or ``"layers/NAME"``.
    judged
        ``"counts"``, ``"log1p"`` or ``"linear"``, as a sample of the cells was judged.
    base
        Base of the logarithm; None for the natural one, and on other scales.
    var_names
        Names of its genes; raw may have more genes than X.
    remarks
        Why this matrix and this scale, for people.
    cells
        The cells in blocks of linear values.
    binary
        Whether a sample of the cells holds only zeros and ones.
    """

    where: str
    judged: Scale
    base: float | None
    var_names: pd.Index
    remarks: tuple[str, ...]
    cells: SurveyedRows
    binary: bool = False

    def rows(self) -> SurveyedRows:
        """Return the cells in blocks of linear values."""
        return self.cells

    @property
    def matrix(self) -> Any:
        """Cells by genes, as stored, without a copy."""
        return self.cells.matrix

    @property
    def _n_fractional(self) -> int:
        """Number of cells with fractions among those that were looked at."""
        found = self.cells.found
        return 0 if found is None or self.judged != "counts" else int(found.scan.fractional.sum())

    @property
    def scale(self) -> Scale:
        """``"counts"``, ``"log1p"`` or ``"linear"``, by all cells that were looked at."""
        return "linear" if self._n_fractional else self.judged

    @property
    def evidence(self) -> str:
        """Why this matrix and this scale, for people."""
        n = self._n_fractional
        more = (f"{numbered(n, 'cell holds', 'cells hold')} fractions too",) if n else ()
        return "; ".join([*self.remarks, *more])

    @property
    def binarised(self) -> bool:
        """Whether all cells were looked at and hold only zeros and ones."""
        found = self.cells.found
        if found is None or not self.binary:
            return False
        return not (found.scan.large_whole.any() or found.scan.fractional.any())

    @property
    def empty_cells(self) -> NDArray[np.intp]:
        """Positions of the cells in which nothing was counted, of those that were looked at."""
        found = self.cells.found
        return np.empty(0, dtype=np.intp) if found is None else np.flatnonzero(found.scan.empty)


def describe_matrices(adata: "AnnData") -> list[MatrixFacts]:
    """Return what X, raw and each layer hold, judged on a sample of cells.

    Parameters
    ----------
    adata
        Cells; may be backed or a view.
    """
    return [_facts(adata, where, matrix) for where, matrix in _matrices(adata)]


def find_counts(
    adata: "AnnData", *, layer: str | None = None, subject: str = "the data", look_first: bool = True
) -> Counts:
    """Return the matrix that comes closest to counts, after looking at every stored value of it.

    Parameters
    ----------
    adata
        Cells; may be backed or a view. Nothing is changed or copied.
    layer
        The matrix to use: ``"X"``, ``"raw"`` or the name of a layer. None looks for the best.
    subject
        What the data is called in messages.
    look_first
        False for a matrix that is chosen by a sample, and looked at while its rows are first handed over.

    Returns
    -------
    Counts
        With scale, base of the logarithm, gene names and the evidence.

    Raises
    ------
    InputError
        If there is no cell or no gene, the named layer is missing, or no matrix can be used: negative, NaN or
        infinite values, nothing but zeros, cells on different scales. Every problem is named.

    Examples
    --------
    >>> import anndata, numpy
    >>> adata = anndata.AnnData(numpy.log1p([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]]))
    >>> find_counts(adata).scale
    'log1p'
    """
    problems = Problems(subject)
    if 0 in adata.shape:
        problems.add(f"{adata.n_obs:,} cells and {adata.n_vars:,} genes", expected="at least one of each")
        problems.raise_if_any()
    matrices = dict(_matrices(adata))
    if layer is not None:
        matrices = _named(matrices, layer, problems)
    elif not matrices:
        problems.add("X, raw and layers are all empty", expected="a matrix of counts")
    problems.raise_if_any()
    return _best(adata, matrices, problems, look_first=look_first)


def _best(adata: "AnnData", matrices: dict[str, Any], problems: Problems, *, look_first: bool) -> Counts:
    """Return the best of some matrices, or raise what is wrong with all of them."""
    described = [_facts(adata, where, matrix) for where, matrix in matrices.items()]
    remarks = [f"{facts.where} cannot be used: {facts.evidence}" for facts in described if not facts.usable]
    for facts in _ranked(described):
        matrix = row_readable(matrices[facts.where])
        if not facts.usable:
            problems.extend(_refusal(matrix, facts, adata.obs_names))
            continue
        scale = cast("Scale", "counts" if facts.scale == "binary" else facts.scale)
        judge = _Judge(facts, adata.obs_names, problems.subject, empty_too=not look_first)
        rows = SurveyedRows(
            matrix, MatrixRows(matrix, scale=scale, base=facts.base), judge, memory=memory_of(adata)
        )
        try:
            if look_first:
                rows.survey()
        except MatrixError as error:
            problems.extend(error.problems)
            remarks.append(f"{facts.where} was passed over: {error.problems[0].found}")
            continue
        names = (adata.raw if facts.where == "raw" else adata).var_names
        said = (facts.evidence, *remarks)
        return Counts(facts.where, scale, facts.base, names, said, rows, facts.scale == "binary")
    problems.raise_if_any()
    raise MatrixError(f"{problems.subject}: no usable matrix")


def _refusal(matrix: Any, facts: MatrixFacts, names: Sequence[str]) -> list[Problem]:
    """Say what is wrong with a matrix that a sample speaks against."""
    found = scan_values(matrix).problems(facts.where, scale=facts.scale, names=names)
    return found or [Problem(f"{facts.where}: {facts.evidence}", "counts", REMEDY)]


@dataclass(frozen=True)
class _Judge:
    """Raise what all cells together show to be wrong with a matrix."""

    facts: MatrixFacts
    names: Sequence[str]
    subject: str
    empty_too: bool

    def __call__(self, survey: Survey) -> None:
        problems = Problems(self.subject)
        problems.extend(survey.scan.problems(self.facts.where, scale=self.facts.scale, names=self.names))
        if self.empty_too and survey.scan.empty.any():
            problems.extend([empty_problem(np.flatnonzero(survey.scan.empty), self.names)])
        problems.raise_if_any(MatrixError)


def memory_of(adata: "AnnData") -> Memory:
    """Return the budget of cells on disk; what is made of cells in memory stays in memory."""
    found = getattr(adata, "memory", None)
    return found if isinstance(found, Memory) else Memory(most=sys.maxsize)


def empty_problem(places: NDArray[np.intp], names: Sequence[str] | NDArray[np.object_]) -> Problem:
    """Return the problem of cells without any counts."""
    examples = listed([names[i] for i in places])
    return Problem(
        f"{len(places):,} of {len(names):,} cells have no counts at all ({examples})",
        "cells with at least one count",
        "remove them, for example with scanpy.pp.filter_cells(adata, min_counts=1)",
    )


def warn_of_binarised(counts: Counts, subject: str) -> None:
    """Warn of cells that say which genes were seen, but not how much."""
    if counts.binarised:
        warn(
            f"{subject}: {counts.where} holds only zeros and ones: expression is binarised, and labels of a "
            "model that was trained on more than that are less sure; expected counts; name the matrix that "
            "holds them (layer=..., --layer), or train with encoder='binarize' (--encoder binarize)"
        )


def _matrices(adata: "AnnData") -> Iterator[tuple[str, Any]]:
    """Yield X, raw and the layers that hold numbers, with the words that name them."""
    if adata.X is not None:
        yield "X", adata.X
    if adata.raw is not None:
        yield "raw", adata.raw.X
    for name in adata.layers:
        if name is not None and getattr(getattr(adata.layers[name], "dtype", None), "kind", "") in set(
            "biuf"
        ):
            yield f"layers/{name}", adata.layers[name]


def _named(matrices: dict[str, Any], layer: str, problems: Problems) -> dict[str, Any]:
    """Keep the one matrix that the user names, as ``X``, ``raw``, ``NAME`` or ``layers/NAME``."""
    for where in (layer, f"layers/{layer}"):
        if where in matrices:
            return {where: matrices[where]}
    alike = nearest(layer, [where.removeprefix("layers/") for where in matrices])
    problems.add(
        f"no matrix named {layer!r}",
        expected=f"one of {listed(matrices)}",
        remedy=f"did you mean {listed(alike)}?" if alike else "",
    )
    return {}


def _facts(adata: "AnnData", where: str, matrix: Any) -> MatrixFacts:
    """Judge a matrix on a few runs of consecutive cells, spread over the whole."""
    matrix = row_readable(matrix)
    n_cells, n_genes = matrix.shape
    starts = np.unique(np.linspace(0, max(n_cells - SAMPLE_RUN, 0), SAMPLE_RUNS, dtype=int))
    runs = [row_block(matrix, slice(int(start), min(int(start) + SAMPLE_RUN, n_cells))) for start in starts]
    log_note = adata.uns.get("log1p") if where == "X" else None
    base = log_note.get("base") if isinstance(log_note, Mapping) else None
    judged = judge_scale(
        sp.vstack(runs, format="csr"),
        base_hint=None if base is None else float(base),
        log_hint=log_note is not None,
    )
    return MatrixFacts(where, judged.scale, judged.base, int(n_genes), judged.evidence)


def _ranked(facts: list[MatrixFacts]) -> list[MatrixFacts]:
    """Sort matrices by how well they serve: usable, not far narrower than the widest, close to counts."""
    widest = max((matrix.n_genes for matrix in facts if matrix.usable), default=0)

    def rank(matrix: MatrixFacts) -> tuple[bool, bool, int, bool, bool, int, bool]:
        name = matrix.where.removeprefix("layers/").lower()
        is_layer = matrix.where.startswith("layers/")
        return (
            not matrix.usable or (is_layer and name in PARTIAL_LAYERS),
            matrix.n_genes * WIDER < widest,
            RANK.get(matrix.scale, len(RANK)),
            is_layer and name not in COUNT_LAYERS,
            not is_layer,
            -matrix.n_genes,
            matrix.where == "raw",
        )

    return sorted(facts, key=rank)
