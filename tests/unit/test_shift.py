"""The species shift on simulated cells with a known shift, for properties only."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.consensus import ConsensusClassifier, fold_scores, mean_proba
from orthotype.models.profiles import class_profiles, one_hot
from orthotype.models.shift import SpeciesShift, called_means, estimate_shift, moved_intercept, shared_part

N_CLASSES, N_GENES = 5, 40
RNG = np.random.default_rng(7)
CENTRES = RNG.normal(size=(N_CLASSES, N_GENES)) * 1.2 + 5
SHIFT = RNG.normal(size=N_GENES) * 0.8


def draw(seed: int, sizes: list[int], *, shift: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return cells of each class, and their classes."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return CENTRES[codes] + shift + rng.normal(size=(len(codes), N_GENES)), codes


class Source:
    """A model with what a model file carries."""

    def __init__(self) -> None:
        self.X, self.codes = draw(1, [200, 150, 100, 60, 40])
        self.model = ConsensusClassifier(alpha=0.05).fit(self.X, self.codes)
        rows = sp.csr_array(self.X)
        self.profiles = class_profiles([(rows, one_hot(self.codes, N_CLASSES))])
        self.called = called_means(
            rows, self.model.held_out_scores_, self.codes, temperature=self.model.temperature_
        )

    def shift(
        self, target: np.ndarray, *, size: int = 10**6, n_iterations: int = 30, refused: str = ""
    ) -> SpeciesShift:
        return estimate_shift(
            lambda: (sp.csr_array(target[i : i + size]) for i in range(0, len(target), size)),
            coef=self.model.coef_,
            intercept=self.model.intercept_,
            temperature=self.model.temperature_,
            source=self.profiles,
            called=self.called,
            n_iterations=n_iterations,
            refused=refused,
        )

    def label(self, target: np.ndarray, delta: np.ndarray) -> np.ndarray:
        moved = moved_intercept(self.model.coef_, self.model.intercept_, delta)
        scores = fold_scores(target, coef=self.model.coef_, intercept=moved)
        return mean_proba(scores, temperature=self.model.temperature_).argmax(axis=1)


@pytest.fixture(scope="module")
def source() -> Source:
    return Source()


def error(found: SpeciesShift, shift: np.ndarray) -> float:
    """Return what is left of a shift, 0 for none and 1 for all."""
    return float(np.linalg.norm(found.delta - shift) / np.linalg.norm(shift))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([100] * 5, id="even"),
        pytest.param([900, 40, 20, 20, 20], id="one class dominates"),
        pytest.param([150, 0, 100, 0, 50], id="two classes missing"),
        pytest.param([10] * 5, id="fifty cells"),
    ],
)
def test_a_shift_that_all_classes_share_is_found(source: Source, sizes: list[int]) -> None:
    target, codes = draw(2, sizes, shift=SHIFT)
    found = source.shift(target)
    assert error(found, SHIFT) < 0.35
    assert found.step > 0.7
    assert found.changes[-1] < found.changes[0]
    assert (source.label(target, found.delta) == codes).mean() > 0.97
    assert f"{found.step:.0%}" in found.reason


def test_a_type_that_the_source_lacks_may_be_most_of_the_target(source: Source) -> None:
    known, codes = draw(3, [60, 60, 60, 60, 60], shift=SHIFT)
    strange = CENTRES.mean(axis=0) + SHIFT + np.random.default_rng(4).normal(size=(700, N_GENES))
    found = source.shift(np.vstack([known, strange]))
    assert (source.label(known, found.delta) == codes).mean() > 0.97
    assert error(found, SHIFT) < 0.6


def test_cells_of_the_source_itself_are_left_where_they_are(source: Source) -> None:
    found = source.shift(source.X)
    assert np.linalg.norm(found.delta) < 0.1 * np.linalg.norm(SHIFT)
    assert (source.label(source.X, found.delta) == source.label(source.X, 0 * found.delta)).all()


def test_differences_that_no_classes_share_are_not_taken(source: Source) -> None:
    target, codes = draw(5, [100] * 5)
    own = np.random.default_rng(6).normal(size=(N_CLASSES, N_GENES)) * 0.8
    found = source.shift(target + own[codes])
    assert found.step < 0.35
    assert np.linalg.norm(found.delta) < 0.35 * np.linalg.norm(own.mean(axis=0))


def test_a_target_of_one_class_gives_no_shift_and_says_why(source: Source) -> None:
    found = source.shift(CENTRES[:1])
    assert not found.delta.any()
    assert found.step == 0.0
    assert found.reason == "no shift was taken: fewer than two classes were called"


def test_a_shift_that_does_not_settle_is_not_taken(source: Source) -> None:
    target, _ = draw(2, [100] * 5, shift=SHIFT)
    found = source.shift(target, n_iterations=1)
    assert not found.delta.any()
    assert "not settled after 1 rounds" in found.reason


def test_a_shift_that_may_not_be_taken_is_not(source: Source) -> None:
    target, _ = draw(2, [100] * 5, shift=SHIFT)
    found = source.shift(target, refused="a reason")
    assert source.shift(target).delta.any()
    assert not found.delta.any()
    assert found.step == 0.0
    assert found.reason == "no shift was taken: a reason"
    assert len(found.changes) == 1


def test_the_shift_does_not_depend_on_the_blocks(source: Source) -> None:
    target, _ = draw(2, [50] * 5, shift=SHIFT)
    deltas = [source.shift(target, size=size).delta for size in (7, 600)]
    np.testing.assert_allclose(deltas[0], deltas[1], atol=1e-5)


def test_moving_the_intercept_is_moving_the_cells(source: Source) -> None:
    target, _ = draw(2, [10] * 5)
    model = source.model
    by_cells = fold_scores(target - SHIFT, coef=model.coef_, intercept=model.intercept_)
    moved = moved_intercept(model.coef_, model.intercept_, SHIFT)
    by_intercept = fold_scores(target, coef=model.coef_, intercept=moved)
    np.testing.assert_allclose(by_cells, by_intercept, atol=1e-3)


def test_called_means_of_a_model_that_never_errs_are_the_class_means(source: Source) -> None:
    rows, sure = sp.csr_array(source.X), one_hot(source.codes, N_CLASSES) * 1000
    found = called_means(rows, sure, source.codes, temperature=1.0)
    np.testing.assert_allclose(found, source.profiles.mean, rtol=1e-5)


def test_called_means_do_not_depend_on_how_many_cells_a_class_has(source: Source) -> None:
    rows, scores = sp.csr_array(source.X), source.model.held_out_scores_
    twice = np.concatenate([np.arange(len(source.X)), np.flatnonzero(source.codes == 0)])
    once = called_means(rows, scores, source.codes, temperature=0.5)
    more = called_means(rows[twice], scores[twice], source.codes[twice], temperature=0.5)
    np.testing.assert_allclose(once, more, rtol=1e-4)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
@settings(deadline=None, max_examples=30)
def test_the_shared_part_is_one_if_all_is_shared_and_has_no_unit(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    weights = np.array([1.0, 0.5, 0.0, 0.9])
    shared = np.tile(rng.normal(size=20), (4, 1))
    assert shared_part(shared, weights)[0] == pytest.approx(1.0)
    mixed = shared + rng.normal(size=(4, 20))
    step, slopes = shared_part(mixed, weights)
    again, _ = shared_part(scale * mixed, weights)
    assert again == pytest.approx(step)
    assert np.isnan(slopes).tolist() == [False] * 4 or np.isfinite(slopes[weights > 0]).all()


def test_the_slope_of_a_class_without_weight_is_unknown() -> None:
    _, slopes = shared_part(np.ones((3, 4)), np.array([1.0, 1.0, 0.0]))
    assert np.isnan(slopes).tolist() == [False, False, True]
