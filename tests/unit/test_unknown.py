"""Unknown cells, on simulated views, for properties only."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthotype.models.unknown import SimilarityScale, UnknownRule
from orthotype.models.views import VIEWS, Views


@pytest.fixture(scope="module")
def source() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [400, 300, 200])
    return rng.normal(np.array([0.8, 0.6, 0.7])[codes], 0.05), codes


def test_the_source_itself_is_rejected_at_the_stated_rate(source: tuple[np.ndarray, np.ndarray]) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3, false_rejection=0.05)
    assert scale.ratio(values, codes) == pytest.approx(1.0)
    for k in range(3):
        assert scale.unlike(values, codes)[codes == k].mean() == pytest.approx(0.05, abs=0.01)


@given(loss=st.floats(0.3, 1.0))
def test_a_loss_of_similarity_that_all_classes_share_changes_nothing(loss: float) -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], 100)
    values = rng.uniform(0.4, 0.9, size=300)
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    assert scale.ratio(values * loss, codes) == pytest.approx(loss)
    np.testing.assert_array_equal(
        scale.unlike(values, codes), scale.unlike(values * loss * (1 - 1e-12), codes)
    )


def test_one_class_full_of_strangers_does_not_move_the_scale(source: tuple[np.ndarray, np.ndarray]) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    strangers = np.full(2000, 0.2)
    mixed, called = np.concatenate([values, strangers]), np.concatenate([codes, np.zeros(2000, dtype=int)])
    unlike = scale.unlike(mixed, called)
    assert unlike[len(values) :].all()
    assert unlike[: len(values)].mean() < 0.1


def test_too_few_cells_to_judge_leave_the_scale_alone(source: tuple[np.ndarray, np.ndarray]) -> None:
    scale = SimilarityScale.measure(*source, n_classes=3)
    assert scale.ratio(np.array([0.1, 0.2]), np.array([0, 1])) == 1.0


def test_a_target_more_similar_than_the_source_is_not_judged_harder(
    source: tuple[np.ndarray, np.ndarray],
) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    assert scale.ratio(values * 1.3, codes) == 1.0


def views(rng: np.random.Generator, n: int, *, loss: float = 1.0, strange: bool = False) -> Views:
    """Return simulated views of cells that belong, or that do not."""
    likeness = rng.normal(0.2 if strange else 0.7, 0.06, size=n) * loss
    extent = rng.normal(0.4 if strange else 1.0, 0.15, size=n) * loss
    lead = rng.normal(0.4, 0.1, size=n)
    return Views(*(values.astype(np.float32) for values in (likeness, lead, extent)))


@pytest.fixture(scope="module")
def rule() -> UnknownRule:
    rng = np.random.default_rng(3)
    return UnknownRule.learn(views(rng, 3000), np.repeat([0, 1, 2], 1000), n_classes=3)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_as_many_source_cells_are_rejected_as_stated(rate: float) -> None:
    rng = np.random.default_rng(4)
    codes = np.repeat([0, 1, 2], 1000)
    learned = UnknownRule.learn(views(rng, 3000), codes, n_classes=3, false_rejection=rate)
    again = views(rng, 3000)
    assert learned.unknown(learned.fit(again, codes)).mean() == pytest.approx(rate, rel=0.35)


@pytest.mark.parametrize("loss", [0.5, 0.8, 1.0])
def test_cells_that_are_all_less_alike_are_not_unknown_for_that(rule: UnknownRule, loss: float) -> None:
    rng = np.random.default_rng(5)
    codes = np.repeat([0, 1, 2], 300)
    target = views(rng, 900, loss=loss)
    assert rule.ratios(target, codes)["likeness"] == pytest.approx(loss, abs=0.03)
    assert rule.unknown(rule.fit(target, codes)).mean() < 0.09


def test_strangers_are_found_even_if_they_fill_a_class(rule: UnknownRule) -> None:
    rng = np.random.default_rng(6)
    known, strange = views(rng, 600, loss=0.8), views(rng, 1400, loss=0.8, strange=True)
    codes = np.r_[np.repeat([0, 1, 2], 200), np.zeros(1400, dtype=int)]
    unknown = rule.unknown(rule.fit(Views.joined([known, strange]), codes))
    assert unknown[600:].mean() > 0.95
    assert unknown[:600].mean() < 0.1


def test_one_bad_view_is_enough(rule: UnknownRule) -> None:
    good = {
        name: np.full(1, value, dtype=np.float32) for name, value in zip(VIEWS, (0.7, 0.4, 1.0), strict=True)
    }
    codes = np.zeros(1, dtype=int)
    assert not rule.unknown(rule.fit(Views(**good), codes))[0]
    for name in VIEWS:
        bad = Views(**(good | {name: np.full(1, -0.3, dtype=np.float32)}))
        assert rule.unknown(rule.fit(bad, codes))[0], name


def test_worse_views_never_fit_better(rule: UnknownRule) -> None:
    line = np.linspace(-1, 1, 400, dtype=np.float32)
    flat = np.full(400, 0.9, dtype=np.float32)
    fit = rule.fit(Views(line, flat, flat), np.full(400, 5))
    assert (np.diff(fit) >= -1e-9).all()
    assert np.isfinite(fit).all()


def test_a_rule_is_plain_json(rule: UnknownRule) -> None:
    again = UnknownRule(**json.loads(json.dumps(rule.to_dict())))
    target, codes = views(np.random.default_rng(8), 50), np.repeat([0, 1], 25)
    np.testing.assert_array_equal(again.fit(target, codes), rule.fit(target, codes))


def test_a_target_that_is_foreign_as_a_whole_comes_back_mostly_unknown(rule: UnknownRule) -> None:
    codes = np.repeat([0, 1, 2], 300)
    other_tissue = views(np.random.default_rng(9), 900, loss=0.35)
    assert rule.foreign(other_tissue, codes)
    assert rule.unknown(rule.fit(other_tissue, codes)).mean() > 0.95
    other_species = views(np.random.default_rng(9), 900, loss=0.6)
    assert not rule.foreign(other_species, codes)
