"""From raw counts to the scores of every fold model, in one sweep over the rows.

For each row: library size over the genes that count towards it, alignment of genes to columns (genes that
share a column are added), encoding, and the product with the weights of all models side by side. Every step
is a function of one row, so a file may be swept in blocks of any size. The native kernel does it without
writing anything in between; :meth:`Sweep.aligned` is the obvious way.

Conventions
-----------
X : (n, G) counts of one block, CSR
coef, intercept : (M, K, p) and (M, K), the fold models
extra : (E, p), further directions along which the encoded rows are measured
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import Problems
from orthotype.models.linear.kernel import damaged, held, kernel, padded
from orthotype.models.linear.matrix import check_csr
from orthotype.models.linear.softmax import Float, Integer, softmax
from orthotype.models.linear.threads import available_threads

Encoding = Literal["none", "log", "binary"]
SMALL_BLOCK = 128
ENCODINGS: tuple[Encoding, ...] = ("none", "log", "binary")


class Labelled(NamedTuple):
    """What the fold models together say about n rows.

    Attributes
    ----------
    probability
        Mean over the models of their class probabilities, (n, K).
    votes
        How many models put each class first, (n, K).
    extra
        Inner products of the encoded rows with the extra directions, (n, E).
    squares
        Squared lengths of the encoded rows, (n,).
    """

    probability: NDArray[np.float32]
    votes: NDArray[np.int32]
    extra: NDArray[np.float32]
    squares: NDArray[np.float32]


class Sweep:
    """Linear models, ready to score raw counts block by block.

    Parameters
    ----------
    coef
        Weights of the fold models (M, K, p).
    intercept
        Their intercepts (M, K).
    gene_to_column
        For each of the G genes of a block the column of ``coef`` that it counts for, or -1.
    in_library
        Which genes count towards the library size (G,); None: all.
    target_sum
        To what the library size of a row is scaled, for the encoding "log".
    encoding
        "log": ``log(1 + count * target_sum / library size)``; "binary": ``count > 0``; "none": counts as
        they are.
    extra
        Directions (E, p) whose inner products with the encoded rows come along; None: none.

    Raises
    ------
    InputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> sweep = Sweep(np.eye(2)[None], np.zeros((1, 2)), gene_to_column=np.array([1, -1, 0]))
    >>> sweep.label(csr_array([[5.0, 9.0, 0.0], [0.0, 0.0, 2.0]])).votes
    array([[0, 1],
           [1, 0]], dtype=int32)
    """

    def __init__(
        self,
        coef: Float,
        intercept: Float,
        *,
        gene_to_column: Integer,
        in_library: NDArray[np.bool_] | None = None,
        target_sum: float = 1e4,
        encoding: Encoding = "log",
        extra: Float | None = None,
    ) -> None:
        self.models, self.classes, self.columns = coef.shape
        extra = np.empty((0, self.columns), dtype=np.float32) if extra is None else extra
        genes = len(gene_to_column)
        library = np.ones(genes, dtype=bool) if in_library is None else np.asarray(in_library, dtype=bool)
        problems = Problems("the sweep over counts")
        if intercept.shape != coef.shape[:2]:
            problems.add(f"intercepts of shape {intercept.shape}", expected=f"{coef.shape[:2]}")
        if len(library) != genes:
            problems.add(f"in_library names {len(library)} genes", expected=f"{genes}, as gene_to_column")
        if genes and int(np.max(gene_to_column)) >= self.columns:
            problems.add(
                f"column {np.max(gene_to_column)} for a gene", expected=f"at most {self.columns - 1}"
            )
        if extra.ndim != 2 or extra.shape[1] != self.columns:
            problems.add(f"extra directions of shape {extra.shape}", expected=f"(any, {self.columns})")
        if encoding not in ENCODINGS:
            problems.add(f"encoding {encoding!r}", expected="one of 'none', 'log', 'binary'")
        problems.raise_if_any()
        self.genes, self.target_sum, self.encoding = genes, float(target_sum), encoding
        self.gene_to_column = np.asarray(gene_to_column, dtype=np.int32)
        self.in_library = library
        self._genes = 2 * np.maximum(self.gene_to_column, -1) + library.astype(np.int32)
        used = self.gene_to_column[self.gene_to_column >= 0]
        self.families = len(np.unique(used)) < len(used)
        self.extras = len(extra)
        self.weights = padded(np.concatenate([coef.reshape(-1, self.columns), extra]).T, np.float32)
        self.offset = padded(np.append(intercept.ravel(), np.zeros(self.extras))[None], np.float32)

    def scores(self, X: Any) -> NDArray[np.float32]:
        """Return the raw scores of every model for a block of counts, (n, M, K)."""
        X = self._checked(X)
        native = kernel()
        if native is None:
            return self._products(self.aligned(X))[0]
        out = np.empty((X.shape[0], self.models, self.classes), dtype=np.float32)
        self._run(native, X, scores=out)
        return out

    def label(self, X: Any) -> Labelled:
        """Return what the models say about a block of counts."""
        X = self._checked(X)
        native = kernel()
        if native is None:
            rows = self.aligned(X)
            scores, extra = self._products(rows)
            first = scores.argmax(axis=2)
            votes = (first[:, :, None] == np.arange(self.classes)).sum(axis=1, dtype=np.int32)
            squares = np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float32)
            return Labelled(softmax(scores).mean(axis=1), votes, extra, squares)
        n = X.shape[0]
        found = Labelled(
            probability=np.empty((n, self.classes), dtype=np.float32),
            votes=np.empty((n, self.classes), dtype=np.int32),
            extra=np.empty((n, self.extras), dtype=np.float32),
            squares=np.empty(n, dtype=np.float32),
        )
        self._run(native, X, **found._asdict())
        return found

    def _products(self, rows: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        kept = self.models * self.classes
        flat = rows @ np.ascontiguousarray(self.weights[:, : kept + self.extras])
        flat += self.offset[:, : kept + self.extras]
        return flat[:, :kept].reshape(-1, self.models, self.classes), flat[:, kept:]

    def aligned(self, X: Any) -> Any:
        """Return the encoded rows (n, p) that the models see, as scipy computes them."""
        from scipy.sparse import csr_array, diags_array

        genes = np.flatnonzero(self.gene_to_column >= 0)
        ones = np.ones(len(genes), dtype=np.float32)
        placed = csr_array((ones, (genes, self.gene_to_column[genes])), shape=(self.genes, self.columns))
        rows = csr_array(X @ placed)
        if self.encoding == "log":
            total = np.asarray(X @ self.in_library.astype(np.float64))
            scale = np.divide(self.target_sum, total, out=np.zeros_like(total), where=total > 0)
            rows = csr_array(diags_array(scale.astype(np.float32)) @ rows)
            rows.data = np.log1p(rows.data)
        elif self.encoding == "binary":
            rows.data = (rows.data > 0).astype(np.float32)
        return rows

    def _checked(self, X: Any) -> Any:
        if X.shape[1] != self.genes:
            problems = Problems("the block of counts")
            problems.add(f"{X.shape[1]} genes", expected=f"{self.genes}, as gene_to_column")
            problems.raise_if_any()
        if kernel() is None:
            check_csr(X)
        return X if X.dtype in (np.float32, np.float64) else X.astype(np.float32)

    def _run(
        self,
        native: Any,
        X: Any,
        *,
        scores: Any = None,
        probability: Any = None,
        votes: Any = None,
        extra: Any = None,
        squares: Any = None,
    ) -> None:
        matrix = held(native, X, check=False)
        threads = available_threads() if X.shape[0] > SMALL_BLOCK else 1
        model = (self.weights, self.offset, self.columns, self.models, self.classes, self.extras)
        places = (threads, scores, probability, votes, extra, squares)
        encoding = ENCODINGS.index(self.encoding)
        try:
            try:
                native.label(matrix, self._genes, self.families, encoding, self.target_sum, *model, *places)
            except LookupError:
                native.label(matrix, self._genes, True, encoding, self.target_sum, *model, *places)
        except ValueError as error:
            raise damaged(error) from error
