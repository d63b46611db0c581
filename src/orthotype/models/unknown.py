"""Cells that fit no class: a threshold on the similarity between a cell and the profile of its class.

The threshold is fixed on the source alone, at a stated rate of false rejections: the share of the source's
own cells that would be called unknown. *No agreement* is another word for another thing: there the models
disagree.
"""

import numpy as np
from numpy.typing import NDArray

FALSE_REJECTION = 0.05


def similarity_threshold(
    similarity: NDArray[np.floating], codes: NDArray[np.intp], *, false_rejection: float = FALSE_REJECTION
) -> float:
    """Return the similarity that the given share of source cells falls short of, every class counting once.

    Parameters
    ----------
    similarity
        Similarity of each source cell to the profile of its class, shape (n,).
    codes
        Class of each cell, shape (n,).
    false_rejection
        Share of the cells that may be called unknown, 0 to 1.
    """
    _, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[index]
    order = np.argsort(similarity, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    return float(similarity[order][np.searchsorted(below, false_rejection)])
