"""The rule for unknown cells in model files of format 1, kept so that they label cells as they always did.

The lead in place of the margin, and each cell judged by itself: its fit is then averaged once with that of
the cells alike. The threshold lets the largest classes decide, and a target is foreign whose cells are much
less alike to their classes than the source's. :mod:`orthotype.models.unknown` is better.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orthotype.models.kinship import Kinship
from orthotype.models.neighbours import Neighbours
from orthotype.models.unknown import NOT_TOLD, Floats, Standard, UnknownRule
from orthotype.models.views import Views


class FirstUnknownRule(UnknownRule):
    """The rule of format 1."""

    def foreign(self, views: Views, codes: NDArray[np.intp], *, kin: Kinship = NOT_TOLD) -> bool:
        """Return whether the target as a whole is too unlike the source for its labels to be trusted."""
        return self._unlike(views, codes, NOT_TOLD)

    def fit(
        self,
        views: Views,
        codes: NDArray[np.intp],
        *,
        neighbours: Neighbours | None = None,
        kin: Kinship = NOT_TOLD,
    ) -> Floats:
        """Return how well the cells of a target fit, shape (n,): a log tail probability, 0 for perfectly."""
        worst = self.alone.fit(self._scaled(views, codes, NOT_TOLD))
        return worst if neighbours is None else neighbours.smoothed(worst)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return the rule of a model card of format 1."""
        among, alone = (
            Standard(entry["quantiles"], entry["decay"], entry[name])
            for name in ("threshold", "threshold_alone")
        )
        return cls(among, alone, entry["medians"], entry["false_rejection"])


def unknown_rule(entry: Mapping[str, Any]) -> UnknownRule:
    """Return the rule of a model card of any format."""
    kind = UnknownRule if "among" in entry else FirstUnknownRule
    return kind.from_dict(entry)
