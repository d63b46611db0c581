"""Confidence in another species: the temperature that fits how far apart its logits are.

A temperature fitted on the source is right for logits spread like the source's. Across species, after a
strong penalty, cells are often called by a smaller margin and just as rightly: the genes agree less loudly.
The margin m_i is the distance of the first class from the second in the mean logits; with its median over
cells called c, on the target and on source cells that the models had not seen::

    T_target = T g,     g = median_c ( median_target m | c  /  median_source m | c )

A label-free correction; where labelled target cells exist, a temperature fitted on them is better.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FEWEST_CELLS = 10
FEWEST_SOURCE = 5
LEAST, MOST = 0.2, 1.5


def margins(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far the first class is ahead of the second in mean logits (n, n_classes), shape (n,)."""
    top = np.sort(np.asarray(scores, dtype=np.float64), axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


@dataclass(frozen=True)
class MarginScale:
    """Margins by which source cells were called, per class; plain numbers that a model card can hold.

    Attributes
    ----------
    medians
        Median margin of held-out source cells called each class; 0 for a class of fewer than five.
    """

    medians: tuple[float, ...]

    @classmethod
    def learn(cls, scores: NDArray[np.floating]) -> Self:
        """Learn from the logits of source cells by the models that did not see them, (n, n_classes)."""
        called, ahead = scores.argmax(axis=1), margins(scores)
        return cls(
            tuple(
                float(np.median(ahead[called == k]))
                if np.count_nonzero(called == k) >= FEWEST_SOURCE
                else 0.0
                for k in range(scores.shape[1])
            )
        )

    def ratio(self, ahead: NDArray[np.floating], codes: NDArray[np.intp]) -> float:
        """Return g, by which the temperature is multiplied on a target.

        1 where no class was called for at least ten cells.

        Parameters
        ----------
        ahead
            Margins of all target cells, after the shift, shape (n,).
        codes
            The class with the highest mean logit of each, shape (n,).
        """
        found = [
            float(np.median(ahead[codes == k])) / median
            for k, median in enumerate(self.medians)
            if median > 0 and np.count_nonzero(codes == k) >= FEWEST_CELLS
        ]
        return float(np.clip(np.median(found), LEAST, MOST)) if found else 1.0
