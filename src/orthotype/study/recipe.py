"""Everything that decides a study, in one frozen record; and three records to start from.

A preset is a recipe with a name. ``replace(recipe, seed=1)`` gives another one; a piece of a study that was
made by one recipe is never taken over by another.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from orthotype.errors import Problems, listed

LEARNERS: Final = ("mlr", "ann")
NETWORKS: Final = ("default", "stumpf2020")
EMBEDDINGS: Final = ("auto", "umap", "pca")
PUBLISHED_SHOTS: Final = (*range(11), 15, 20, 25, 30)


@dataclass(frozen=True)
class Recipe:
    """All settings of a study.

    Attributes
    ----------
    name
        What the report calls it.
    encoder, policy, n_top_genes, selection
        How cells become rows: as for :class:`orthotype.LabelTransfer`. Genes are chosen in both species.
    min_cells
        Source classes with fewer cells are refused.
    learners
        ``"mlr"``, the linear model, and ``"ann"``, the network with one hidden layer.
    networks
        ``"default"``: the linear model is our engine, the network stops early on our schedule.
        ``"stumpf2020"``: both are trained as published.
    n_folds
        Folds of the source, and models that vote.
    margin
        Two learners are equal if their scores differ by less than this, by test.
    level
        Of every interval.
    n_bins, n_important
        Equal bins of the class probability, and how many genes count as important for a class.
    n_components
        Principal components of the source in which classes are compared.
    embedding
        ``"umap"``, ``"pca"``, or ``"auto"``: the first where umap-learn is installed.
    shots
        Labelled target cells per class, ascending.
    repeats
        Disjoint draws of those cells.
    train_cells, validate_cells
        Target cells per class set aside in each repeat; all others are test cells.
    target_f1, plateau
        What is enough: this F1, or this share of the best F1 of the curve.
    zero_shot_cells
        Labelled target cells per class while one class has none.
    zero_shot_repeats
        Repeats in which each class is left without a label, at most ``repeats``.
    n_markers
        Source markers per class.
    seed
        Every piece gets a child of it by its name.
    """

    name: str = "default"
    encoder: str = "log_normalize"
    policy: str = "one2one"
    n_top_genes: int = 2000
    selection: str = "dispersion"
    min_cells: int = 2
    learners: tuple[str, ...] = LEARNERS
    networks: str = "default"
    n_folds: int = 5
    margin: float = 0.02
    level: float = 0.95
    n_bins: int = 3
    n_important: int = 100
    n_components: int = 16
    embedding: str = "auto"
    shots: tuple[int, ...] = PUBLISHED_SHOTS
    repeats: int = 5
    train_cells: int = 32
    validate_cells: int = 8
    target_f1: float = 0.9
    plateau: float = 0.95
    zero_shot_cells: int = 10
    zero_shot_repeats: int = 5
    n_markers: int = 20
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    def to_json(self) -> str:
        """Return one line of JSON, the same for equal recipes."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Return the recipe that :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        settings: Any = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**settings)


PRESETS: Final[Mapping[str, Recipe]] = {
    "default": Recipe(),
    "quick": Recipe(
        name="quick",
        embedding="pca",
        shots=(0, 1, 2, 5, 10, 20),
        repeats=3,
        zero_shot_repeats=1,
    ),
    "stumpf2020": Recipe(
        name="stumpf2020",
        encoder="binarize",
        policy="first",
        networks="stumpf2020",
    ),
}


def preset(name: str) -> Recipe:
    """Return the recipe of a preset.

    ``"default"`` is what we would do today, ``"quick"`` the same with fewer folds, shots and repeats, and
    ``"stumpf2020"`` what Stumpf et al. (2020, Commun Biol 3:736) did, with its statistics set right.

    Raises
    ------
    InputError
        If there is no such preset.

    Examples
    --------
    >>> preset("stumpf2020").encoder
    'binarize'
    """
    problems = Problems("the recipe")
    if name not in PRESETS:
        problems.add(f"there is no preset {name!r}", expected=f"one of {listed(PRESETS)}")
    problems.raise_if_any()
    return PRESETS[name]


def check_recipe(recipe: Recipe) -> None:
    """Refuse settings that have no meaning, all of them at once.

    Raises
    ------
    InputError
        With every problem of the recipe.
    """
    problems = Problems("the recipe")
    words = (
        ("networks", (recipe.networks,), NETWORKS),
        ("embedding", (recipe.embedding,), EMBEDDINGS),
        ("learners", recipe.learners, LEARNERS),
    )
    for field, chosen, known in words:
        foreign = [word for word in chosen if word not in known]
        if foreign or not chosen or len(set(chosen)) < len(chosen):
            problems.add(f"{field} names {listed(chosen) or 'none'}", expected=f"some of {listed(known)}")
    least = {"n_folds": 2, "repeats": 1, "n_bins": 2, "n_components": 1, "train_cells": 1, "n_top_genes": 1}
    least |= {
        "min_cells": 1,
        "n_important": 1,
        "n_markers": 1,
        "zero_shot_cells": 0,
        "zero_shot_repeats": 1,
        "validate_cells": 0,
        "seed": 0,
    }
    for field, lowest in least.items():
        if getattr(recipe, field) < lowest:
            problems.add(f"{field} is {getattr(recipe, field)}", expected=f"at least {lowest}")
    for field in ("margin", "level", "target_f1", "plateau"):
        if not 0 < getattr(recipe, field) < 1:
            problems.add(f"{field} is {getattr(recipe, field)}", expected="a number between 0 and 1")
    if not recipe.shots or list(recipe.shots) != sorted({*recipe.shots}) or recipe.shots[0] < 0:
        problems.add(f"shots are {list(recipe.shots)}", expected="ascending numbers of cells, from 0 on")
    elif recipe.shots[-1] > recipe.train_cells:
        problems.add(
            f"the largest number of shots is {recipe.shots[-1]}",
            expected=f"at most train_cells, {recipe.train_cells}",
        )
    problems.raise_if_any()
