"""The species shift on simulated cells with a known shift, for properties only."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.models.consensus import ConsensusClassifier, fold_scores, mean_proba
from orthotype.models.profiles import class_profiles, one_hot
from orthotype.models.shift import SpeciesShift, estimate_shift, moved_intercept

SHIFT = np.array([1.5, -0.5, 0.0, 0.8, 0.0, 0.0, -1.0, 0.3])


@pytest.fixture(scope="module")
def species() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, ConsensusClassifier]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 8)) * 2 + 6
    y_source, y_target = rng.integers(4, size=800), rng.integers(4, size=600)
    source = centres[y_source] + rng.normal(size=(800, 8))
    target = centres[y_target] + SHIFT + rng.normal(size=(600, 8))
    model = ConsensusClassifier(alpha=0.01).fit(source, y_source)
    return source, y_source, target, y_target, model


def shift_of(
    model: ConsensusClassifier, source: np.ndarray, y: np.ndarray, target: np.ndarray, *, size: int
) -> SpeciesShift:
    return estimate_shift(
        lambda: (sp.csr_array(target[i : i + size]) for i in range(0, len(target), size)),
        coef=model.coef_,
        intercept=model.intercept_,
        temperature=model.temperature_,
        source=class_profiles([(sp.csr_array(source), one_hot(y, 4))]),
    )


def test_a_shift_that_all_classes_share_is_found(species: tuple) -> None:
    source, y_source, target, _, model = species
    found = shift_of(model, source, y_source, target, size=len(target))
    np.testing.assert_allclose(found.delta, SHIFT, atol=0.35)
    assert found.changes[-1] < found.changes[0]
    assert found.mass.sum() == pytest.approx(len(target), rel=1e-6)


def test_the_shift_does_not_depend_on_the_blocks(species: tuple) -> None:
    source, y_source, target, _, model = species
    deltas = [shift_of(model, source, y_source, target, size=size).delta for size in (7, 600)]
    np.testing.assert_allclose(deltas[0], deltas[1], atol=1e-5)


def test_moving_the_intercept_is_moving_the_cells(species: tuple) -> None:
    _, _, target, _, model = species
    by_cells = fold_scores(target - SHIFT, coef=model.coef_, intercept=model.intercept_)
    moved = moved_intercept(model.coef_, model.intercept_, SHIFT)
    by_intercept = fold_scores(target, coef=model.coef_, intercept=moved)
    np.testing.assert_allclose(by_cells, by_intercept, atol=1e-3)


def test_labels_are_right_after_the_shift_and_not_before(species: tuple) -> None:
    source, y_source, target, y_target, model = species
    found = shift_of(model, source, y_source, target, size=len(target))
    plain = model.predict(target)
    moved = moved_intercept(model.coef_, model.intercept_, found.delta)
    scores = fold_scores(target, coef=model.coef_, intercept=moved)
    shifted = mean_proba(scores, temperature=model.temperature_).argmax(axis=1)
    assert (shifted == y_target).mean() > (plain == y_target).mean()
    assert (shifted == y_target).mean() > 0.9
