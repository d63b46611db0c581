"""The five questions as pieces: which there are, and which function makes each."""

from collections.abc import Callable, Mapping
from typing import Final

from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work
from orthotype.study.recipe import Recipe
from orthotype.study.steps import few_shot, source, transfer, why, zero_shot

STEPS: Final = (source, transfer, why, few_shot, zero_shot)
FUNCTIONS: Final[Mapping[str, Callable[[Work], Result]]] = {
    kind: function for step in STEPS for kind, function in step.FUNCTIONS.items()
}


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return every piece of a study, each after those that it needs."""
    return [piece for step in STEPS for piece in step.plan(recipe, pair)]
