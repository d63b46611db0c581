"""Unknown cells, on simulated views, for properties only."""

import json

import numpy as np
import pytest

from orthotype.models.kinship import Kinship
from orthotype.models.neighbours import find_neighbours
from orthotype.models.unknown import UnknownRule
from orthotype.models.unknown_first import unknown_rule
from orthotype.models.views import VIEWS, Views


def views(rng: np.random.Generator, n: int, *, loss: float = 1.0, strange: bool = False) -> Views:
    """Return simulated views of cells that belong, or that do not."""
    likeness = rng.normal(0.2 if strange else 0.7, 0.06, size=n) * loss
    extent = rng.normal(0.4 if strange else 1.0, 0.15, size=n) * loss
    lead, margin = rng.normal(0.4, 0.1, size=n), rng.normal(5.0, 1.0, size=n) * loss
    return Views(*(values.astype(np.float32) for values in (likeness, lead, extent, margin)))


@pytest.fixture(scope="module")
def rule() -> UnknownRule:
    rng = np.random.default_rng(3)
    return UnknownRule.learn(views(rng, 3000), np.repeat([0, 1, 2], 1000), n_classes=3)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_seven_tenths_of_the_stated_share_of_source_cells_are_rejected(rate: float) -> None:
    rng = np.random.default_rng(4)
    codes = np.repeat([0, 1, 2], 5000)
    learned = UnknownRule.learn(views(rng, 15_000), codes, n_classes=3, false_rejection=rate)
    again = views(rng, 15_000)
    assert learned.among == learned.alone
    assert learned.unknown(learned.fit(again, codes)).mean() == pytest.approx(0.7 * rate, rel=0.35)


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


def test_classes_full_of_strangers_do_not_say_what_is_usual() -> None:
    rng = np.random.default_rng(8)
    rule = UnknownRule.learn(views(rng, 3000), np.repeat(np.arange(5), 600), n_classes=5)
    target = Views.joined([views(rng, 400, loss=0.8), views(rng, 600, loss=0.8, strange=True)])
    codes = np.repeat(np.arange(5), 200)
    told = Kinship(0.6, np.array([0.9, 0.8, 0.5, 0.3, np.nan]))
    assert rule.ratios(target, codes, kin=told)["likeness"] == pytest.approx(0.8, abs=0.03)
    assert rule.ratios(target, codes, kin=Kinship(0.6))["likeness"] < 0.5
    unknown = rule.unknown(rule.fit(target, codes, kin=told))
    assert unknown[400:].mean() > 0.95
    assert unknown[:400].mean() < 0.1


def test_what_strangers_have_is_not_usual_where_a_class_is_surely_there(rule: UnknownRule) -> None:
    codes = np.repeat([0, 1, 2], [600, 200, 100])
    target = views(np.random.default_rng(9), 900, loss=0.2)
    unsure = rule.ratios(target, codes, kin=Kinship(0.4, np.array([0.2, 0.3, 0.4])))
    sure = rule.ratios(target, codes, kin=Kinship(0.4, np.array([0.2, 0.3, 0.8])))
    few = np.repeat([0, 1, 2], [820, 60, 20])
    assert unsure["likeness"] < 0.3
    assert sure["likeness"] == sure["extent"] == pytest.approx(0.4)
    assert sure["margin"] < 0.3
    assert rule.ratios(target, few, kin=Kinship(0.4, np.array([0.2, 0.3, 0.8])))["likeness"] < 0.3


def test_of_classes_alike_in_kinship_the_smaller_ratios_count_a_little_more(rule: UnknownRule) -> None:
    rng = np.random.default_rng(9)
    target = Views.joined([views(rng, 300, loss=loss) for loss in (0.5, 0.6, 0.7)])
    codes = np.repeat([0, 1, 2], 300)
    for kin in (np.full(3, 0.8), np.full(3, np.nan), np.full(3, 0.2)):
        found = rule.ratios(target, codes, kin=Kinship(0.6, kin))["likeness"]
        assert 0.55 < found < rule.ratios(target, codes, kin=Kinship(0.6))["likeness"] < 0.63


def test_one_bad_view_is_enough(rule: UnknownRule) -> None:
    good = {
        name: np.full(1, value, dtype=np.float32)
        for name, value in zip(VIEWS, (0.7, 0.4, 1.0, 5.0), strict=True)
    }
    codes = np.zeros(1, dtype=int)
    assert not rule.unknown(rule.fit(Views(**good), codes))[0]
    for name in ("likeness", "extent", "margin"):
        bad = Views(**(good | {name: np.full(1, -0.9, dtype=np.float32)}))
        assert rule.unknown(rule.fit(bad, codes))[0], name


def test_a_small_class_counts_like_a_large_one() -> None:
    rng = np.random.default_rng(10)
    codes = np.r_[np.zeros(3000, dtype=int), np.ones(40, dtype=int)]
    both = Views.joined([views(rng, 3000), views(rng, 40, loss=0.8)])
    learned = UnknownRule.learn(both, codes, n_classes=2, false_rejection=0.1)
    rejected = learned.alone.fit(both.table()) < learned.alone.threshold
    assert np.mean([rejected[codes == k].mean() for k in (0, 1)]) == pytest.approx(0.07, abs=0.013)
    assert rejected[codes == 1].mean() > 5 * rejected[codes == 0].mean()


def test_a_cell_is_judged_with_the_cells_like_it() -> None:
    rng = np.random.default_rng(11)
    source, codes = views(rng, 600), np.repeat([0, 1, 2], 200)
    spots = rng.normal(size=(600, 2)) + 20 * codes[:, None]
    learned = UnknownRule.learn(source, codes, n_classes=3, neighbours=find_neighbours(spots))
    target = Views.joined([views(rng, 560), views(rng, 40, loss=0.85)])
    places = rng.normal(size=(600, 2)) + 20 * codes[:, None]
    places[560:] += 200.0
    among = learned.unknown(learned.fit(target, codes, neighbours=find_neighbours(places)))
    alone = learned.unknown(learned.fit(target, codes), alone=True)
    assert among[560:].mean() > 0.9
    assert alone[560:].mean() < 0.6
    assert max(among[:560].mean(), alone[:560].mean()) < 0.08


def test_cards_of_the_first_format_keep_their_rule() -> None:
    rng = np.random.default_rng(12)
    source, codes = views(rng, 300), np.repeat([0, 1, 2], 100)
    learned = UnknownRule.learn(source, codes, n_classes=3)
    three = VIEWS[:3]
    first = unknown_rule(
        {
            "quantiles": dict(zip(three, learned.alone.quantiles.values(), strict=True)),
            "decay": dict(zip(three, learned.alone.decay.values(), strict=True)),
            "medians": {name: learned.medians[name] for name in ("likeness", "extent")},
            "threshold": -2.0,
            "threshold_alone": -3.0,
            "false_rejection": 0.05,
        }
    )
    target = views(rng, 300)
    better = first.fit(Views(target.likeness, target.lead + 1, target.extent, target.margin), codes)
    assert (better >= first.fit(target, codes)).all()
    assert (better > first.fit(target, codes)).any()
    np.testing.assert_array_equal(
        first.fit(Views(target.likeness, target.lead, target.extent, 0 * target.margin), codes),
        first.fit(target, codes),
    )
    assert first.unknown(np.array([-2.5])).all()
    assert not first.unknown(np.array([-2.5]), alone=True).any()


def test_worse_views_never_fit_better(rule: UnknownRule) -> None:
    line = np.linspace(-1, 1, 400, dtype=np.float32)
    flat = np.full(400, 0.9, dtype=np.float32)
    fit = rule.fit(Views(line, flat, flat, flat), np.full(400, 5))
    assert (np.diff(fit) >= -1e-9).all()
    assert np.isfinite(fit).all()


def test_a_rule_is_plain_json(rule: UnknownRule) -> None:
    again = unknown_rule(json.loads(json.dumps(rule.to_dict())))
    target, codes = views(np.random.default_rng(8), 50), np.repeat([0, 1], 25)
    np.testing.assert_array_equal(again.fit(target, codes), rule.fit(target, codes))


def test_a_target_that_is_foreign_as_a_whole_comes_back_mostly_unknown(rule: UnknownRule) -> None:
    codes = np.repeat([0, 1, 2], 300)
    other_tissue = views(np.random.default_rng(9), 900, loss=0.35)
    assert rule.foreign(other_tissue, codes)
    assert rule.unknown(rule.fit(other_tissue, codes)).mean() > 0.95
    other_species = views(np.random.default_rng(9), 900, loss=0.6)
    assert not rule.foreign(other_species, codes)
    assert rule.foreign(other_species, codes, kin=Kinship(0.1))
    assert not rule.foreign(other_tissue, codes, kin=Kinship(0.5))


def test_what_is_less_alike_is_made_up_for_among_kin_and_unknown_elsewhere(rule: UnknownRule) -> None:
    codes = np.repeat([0, 1, 2], 300)
    target = views(np.random.default_rng(9), 900, loss=0.35)
    assert rule.unknown(rule.fit(target, codes, kin=Kinship(0.1))).mean() > 0.95
    assert rule.ratios(target, codes, kin=Kinship(0.1)) == dict.fromkeys(
        ("likeness", "extent", "margin"), 1.0
    )
    assert rule.unknown(rule.fit(target, codes, kin=Kinship(0.5))).mean() < 0.2
