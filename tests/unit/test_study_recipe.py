"""Recipes: presets say what they promise, settings without meaning are refused together."""

from dataclasses import fields, replace

import pytest

from orthotype.errors import InputError
from orthotype.study.recipe import PRESETS, PUBLISHED_SHOTS, Recipe, check_recipe, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_run_and_survives_json(name):
    recipe = preset(name)
    check_recipe(recipe)
    assert recipe.name == name
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_the_published_preset_is_that_of_the_paper():
    recipe = preset("stumpf2020")
    assert (recipe.encoder, recipe.policy, recipe.networks) == ("binarize", "first", "stumpf2020")
    assert (recipe.n_folds, recipe.repeats, recipe.train_cells, recipe.validate_cells) == (5, 5, 32, 8)
    assert recipe.shots == PUBLISHED_SHOTS == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30)
    assert (recipe.n_bins, recipe.n_important, recipe.n_components) == (3, 100, 16)


def test_an_unknown_preset_is_told():
    with pytest.raises(
        InputError, match=r"no preset 'fast'; expected one of 'default', 'quick', 'stumpf2020'"
    ):
        preset("fast")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"learners": ()}, "learners names none"),
        ({"learners": ("mlr", "mlr")}, "learners names 'mlr', 'mlr'"),
        ({"networks": "keras"}, "networks names 'keras'"),
        ({"embedding": "tsne"}, "embedding names 'tsne'"),
        ({"n_folds": 1}, "n_folds is 1"),
        ({"repeats": 0}, "repeats is 0"),
        ({"level": 1.0}, "level is 1.0"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"shots": (3, 1)}, r"shots are \[3, 1\]"),
        ({"shots": ()}, r"shots are \[\]"),
        ({"shots": (0, 40)}, "largest number of shots is 40"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_without_meaning_are_refused(change, told):
    with pytest.raises(InputError, match=told):
        check_recipe(replace(Recipe(), **change))


def test_all_problems_come_at_once():
    with pytest.raises(InputError) as refused:
        check_recipe(replace(Recipe(), n_folds=1, level=2.0, networks="x"))
    assert len(refused.value.problems) == 3


def test_a_recipe_cannot_change():
    with pytest.raises(AttributeError):
        preset("quick").seed = 1
    assert {field.name for field in fields(Recipe)} == set(Recipe().to_dict())
