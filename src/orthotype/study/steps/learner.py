"""From a word of the recipe to a learner, and what to do where torch is not installed."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from orthotype.study.learners import Arrays, Learner
from orthotype.study.pieces import Result
from orthotype.study.recipe import Recipe

MODEL = "model/"
WITHOUT_TORCH = (
    "torch is not installed, so the network was left out and the linear model runs alone; "
    'for the comparison: pip install "orthotype[torch]"'
)
OWN_ENGINE = (
    "Without torch the linear model is trained by orthotype's own engine, not by the published RMSprop."
)


def with_what_is_installed(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """Return the recipe that can be run here, and what the reader should know of the difference."""
    if recipe.embedding == "auto":
        recipe = replace(recipe, embedding="pca" if find_spec("umap") is None else "umap")
    if find_spec("torch") is not None:
        return recipe, []
    notes = []
    if "ann" in recipe.learners:
        notes.append(WITHOUT_TORCH)
    if recipe.networks == "stumpf2020":
        notes.append(OWN_ENGINE)
    return replace(recipe, learners=("mlr",), networks="default"), notes


def make_learner(recipe: Recipe, name: str) -> Learner:
    """Return the learner of a recipe: ``"mlr"`` or ``"ann"``, as we do it or as published."""
    from orthotype.study.linear_learner import LinearLearner
    from orthotype.study.neural_learner import default_ann, stumpf_ann, stumpf_mlr

    if recipe.networks == "stumpf2020":
        return stumpf_mlr() if name == "mlr" else stumpf_ann()
    return LinearLearner() if name == "mlr" else default_ann()


def model_arrays(arrays: Arrays) -> Arrays:
    """Return the arrays of a model under names that keep apart from other arrays of a piece."""
    return {f"{MODEL}{name}": values for name, values in arrays.items()}


def arrays_of_model(result: Result) -> Arrays:
    """Return the arrays of the model that a piece holds."""
    return {
        name.removeprefix(MODEL): values for name, values in result.arrays.items() if name.startswith(MODEL)
    }


def linear_weights(arrays: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64] | None:
    """Return the weights (K, p) of a model without a hidden layer, centred over classes; None for others."""
    if "coef" in arrays:
        weights = np.asarray(arrays["coef"], dtype=np.float64)
    elif "kernel_0" in arrays and "kernel_1" not in arrays:
        weights = np.asarray(arrays["kernel_0"], dtype=np.float64).T
    else:
        return None
    return np.asarray(weights - weights.mean(axis=0))
