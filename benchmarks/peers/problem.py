"""What a tool is given and what it answers, as files that any of the environments can read.

A tool sees counts over the shared orthologs, named alike in both species, and labels of the source alone. The
true labels of the target stay with the process that scores.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Problem:
    """A source with labels and a target without.

    Attributes
    ----------
    source, target
        Counts, cells x features.
    features
        Names of the features.
    selected
        Columns of the features that are variable in either data set.
    labels
        Class of each source cell.
    rows
        Which cells of the source file these are.
    source_donors, target_donors
        Donor of each cell; all alike where none are known.
    """

    source: sp.csr_matrix
    target: sp.csr_matrix
    features: np.ndarray
    selected: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    source_donors: np.ndarray
    target_donors: np.ndarray

    def save(self, path: Path) -> None:
        """Write everything as plain arrays."""
        parts = {}
        for name in ("source", "target"):
            X = sp.csr_matrix(getattr(self, name))
            parts |= {f"{name}_data": X.data, f"{name}_indices": X.indices, f"{name}_indptr": X.indptr}
        texts = ("features", "labels", "source_donors", "target_donors")
        parts |= {name: getattr(self, name).astype(str) for name in texts}
        np.savez(path, selected=self.selected, rows=self.rows, **parts)

    @classmethod
    def load(cls, path: str) -> "Problem":
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in held.files}
        n = len(found["features"])

        def counts(side: str) -> sp.csr_matrix:
            parts = [found.pop(f"{side}_{part}") for part in ("data", "indices", "indptr")]
            return sp.csr_matrix(tuple(parts), shape=(len(parts[2]) - 1, n))

        return cls(source=counts("source"), target=counts("target"), **found)


@dataclass(frozen=True)
class Answer:
    """What a tool says of the target cells.

    Attributes
    ----------
    top
        Class of each cell, whatever else is said of it.
    given
        Label of each cell, "unknown" or "no agreement" where the tool gives none.
    score
        Higher for cells that are more like the classes of the source.
    confidence
        Probability of ``top``, or empty where the tool gives none.
    seconds
        From counts in memory to labels.
    """

    top: np.ndarray
    given: np.ndarray
    score: np.ndarray
    confidence: np.ndarray
    seconds: float


def log_normalised(counts: sp.csr_matrix, total: float = 1e4) -> sp.csr_matrix:
    """Return log(1 + x) of counts scaled to the same total in every cell."""
    totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    found = sp.csr_matrix(sp.diags(total / np.maximum(totals, 1)) @ counts.astype(float))
    found.data = np.log1p(found.data)
    return found
