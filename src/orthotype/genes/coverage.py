"""What of a data set's genes, and of its counts, the features carry, and where the rest was lost."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXAMPLES = 10
CLASSES = ("mapped", "no_ortholog", "ambiguous", "unrecognised")


@dataclass(frozen=True)
class Coverage:
    """How many genes, and which share of all counts, reach the features.

    Every gene of the data is in one of four classes: *mapped* (in a feature), *no ortholog* (a known gene
    without any partner in the other species), *ambiguous* (it has partners, but the policy drops them: one to
    many, many to many), *unrecognised* (the name means no gene). Shares are of all counts; None where counts
    were not given. ``examples`` names the most expressed genes of each lost class.
    """

    n_genes: int
    n_recognised: int
    n_mapped: int
    n_no_ortholog: int
    n_ambiguous: int
    n_unrecognised: int
    n_features: int
    n_features_missing: int
    share_mapped: float | None
    share_no_ortholog: float | None
    share_ambiguous: float | None
    share_unrecognised: float | None
    examples: dict[str, list[str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and examples for JSON."""
        return asdict(self)


def coverage_of(
    classes: NDArray[np.intp],
    *,
    names: list[str],
    n_features: int,
    n_features_found: int,
    totals: NDArray[np.floating[Any]] | None,
) -> Coverage:
    """Count genes and counts of each class; ``classes`` holds positions in ``CLASSES``, one a gene."""
    counts = np.bincount(classes, minlength=len(CLASSES))
    shares: list[float | None] = [None] * len(CLASSES)
    order = np.arange(len(classes))
    if totals is not None:
        weights = np.asarray(totals, dtype=np.float64)
        whole = weights.sum()
        if whole > 0:
            sums = np.bincount(classes, weights=weights, minlength=len(CLASSES))
            shares = [float(value) for value in sums / whole]
        order = np.argsort(-weights, kind="stable")
    examples = {
        word: [names[row] for row in order[classes[order] == place][:_EXAMPLES]]
        for place, word in enumerate(CLASSES)
        if place
    }
    mapped, no_ortholog, ambiguous, unrecognised = (int(count) for count in counts)
    return Coverage(
        n_genes=len(classes),
        n_recognised=len(classes) - unrecognised,
        n_mapped=mapped,
        n_no_ortholog=no_ortholog,
        n_ambiguous=ambiguous,
        n_unrecognised=unrecognised,
        n_features=n_features,
        n_features_missing=n_features - n_features_found,
        share_mapped=shares[0],
        share_no_ortholog=shares[1],
        share_ambiguous=shares[2],
        share_unrecognised=shares[3],
        examples=examples,
    )
