"""Where the counts of an AnnData are: the matrix among X, raw and the layers that serves best, and why.

Whole-number counts are preferred wherever they are, then logarithms, then other values proportional to
counts. A matrix with far fewer genes than another usable one is passed over, because genes lost before the
alignment of species cannot be won back. What cannot be used, such as scaled values, is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.rows import MatrixRows, Scale, row_block, row_readable
from orthotype.cells.scales import judge_scale
from orthotype.cells.scan import scan_values
from orthotype.errors import Problems, listed, nearest

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
    scale
        ``"counts"``, ``"log1p"`` or ``"linear"``.
    base
        Base of the logarithm; None for the natural one, and on other scales.
    matrix
        Cells by genes, as stored, without a copy.
    var_names
        Names of its genes; raw may have more genes than X.
    evidence
        Why this matrix and this scale, for people.
    empty_cells
        Positions of the cells in which nothing was counted.
    """

    where: str
    scale: Scale
    base: float | None
    matrix: Any
    var_names: pd.Index
    evidence: str
    empty_cells: NDArray[np.intp]

    def rows(self) -> MatrixRows:
        """Return the cells in blocks of linear values."""
        return MatrixRows(self.matrix, scale=self.scale, base=self.base)


def describe_matrices(adata: "AnnData") -> list[MatrixFacts]:
    """Return what X, raw and each layer hold, judged on a sample of cells.

    Parameters
    ----------
    adata
        Cells; may be backed or a view.
    """
    return [_facts(adata, where, matrix) for where, matrix in _matrices(adata)]


def find_counts(adata: "AnnData", *, layer: str | None = None, subject: str = "the data") -> Counts:
    """Return the matrix that comes closest to counts, after looking at every stored value of it.

    Parameters
    ----------
    adata
        Cells; may be backed or a view. Nothing is changed or copied.
    layer
        The matrix to use: ``"X"``, ``"raw"`` or the name of a layer. None looks for the best.
    subject
        What the data is called in messages.

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
    return _best(adata, matrices, problems)


def _best(adata: "AnnData", matrices: dict[str, Any], problems: Problems) -> Counts:
    """Return the best of some matrices, or raise what is wrong with all of them."""
    described = [_facts(adata, where, matrix) for where, matrix in matrices.items()]
    remarks = [f"{facts.where} cannot be used: {facts.evidence}" for facts in described if not facts.usable]
    for facts in _ranked(described):
        matrix = row_readable(matrices[facts.where])
        scan = scan_values(matrix)
        found = scan.problems(facts.where, scale=facts.scale, names=adata.obs_names)
        if not found:
            break
        problems.extend(found)
        if facts.usable:
            remarks.append(f"{facts.where} was passed over: {found[0].found}")
    else:
        problems.raise_if_any()
    scale = "counts" if facts.scale == "binary" else facts.scale
    if scale == "counts" and scan.fractional.any():
        scale = "linear"
        remarks.append(f"{int(scan.fractional.sum()):,} cells hold fractions too")
    return Counts(
        where=facts.where,
        scale=cast("Scale", scale),
        base=facts.base,
        matrix=matrix,
        var_names=(adata.raw if facts.where == "raw" else adata).var_names,
        evidence="; ".join([facts.evidence, *remarks]),
        empty_cells=np.flatnonzero(scan.empty),
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
