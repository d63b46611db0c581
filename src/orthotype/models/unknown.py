"""Cells that fit no class: too little like the mean profile of the class they were called.

On the source, every class has a median similarity of its own cells to its profile, and a threshold that a
stated share of them (5 %) falls short of. Cells of another species or study are less similar to every
profile, right or wrong. How much less is one number for a whole data set: the median, over the classes that
enough cells were called, of target median over source median. The thresholds are scaled by it::

    unknown if  similarity_i < g t_c,    g = median_c (target median_c / source median_c)

No target label is used. The median over classes keeps g where it is when a few classes are full of cells that
do not belong there. *No agreement* is another word for another thing: there the models disagree.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FALSE_REJECTION = 0.05
FEWEST_CELLS = 10


@dataclass(frozen=True)
class SimilarityScale:
    """How similar to their class's profile the source's own cells are.

    Attributes
    ----------
    median
        Median similarity of the cells of each class, shape (n_classes,).
    threshold
        The similarity that a share ``false_rejection`` of them falls short of, shape (n_classes,).
    false_rejection
        That share, 0 to 1.
    """

    median: tuple[float, ...]
    threshold: tuple[float, ...]
    false_rejection: float

    @classmethod
    def measure(
        cls,
        similarity: NDArray[np.floating],
        codes: NDArray[np.intp],
        *,
        n_classes: int,
        false_rejection: float = FALSE_REJECTION,
    ) -> Self:
        """Measure the source: similarity of each cell to its class's profile, and its class, both (n,)."""
        parts = [similarity[codes == k].astype(np.float64) for k in range(n_classes)]
        return cls(
            median=tuple(float(np.median(part)) for part in parts),
            threshold=tuple(float(np.quantile(part, false_rejection)) for part in parts),
            false_rejection=false_rejection,
        )

    def ratio(self, similarity: NDArray[np.floating], codes: NDArray[np.intp]) -> float:
        """Return how much less similar to their classes the cells of a target are, 1 for no less.

        1 where no class was called for at least ten cells.
        """
        ratios = [
            float(np.median(similarity[codes == k])) / median
            for k, median in enumerate(self.median)
            if np.count_nonzero(codes == k) >= FEWEST_CELLS and median > 0
        ]
        return float(np.clip(np.median(ratios), 0.0, 1.0)) if ratios else 1.0

    def unlike(self, similarity: NDArray[np.floating], codes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which cells of a target are too unlike the class they were called, shape (n,)."""
        limits = self.ratio(similarity, codes) * np.array(self.threshold)
        return np.asarray(similarity < limits[codes])
