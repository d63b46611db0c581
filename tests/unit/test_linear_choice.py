"""Which penalty is kept, on made-up losses that leave no doubt; for the rules only."""

import numpy as np
import pytest

from orthotype.errors import InputError
from orthotype.models.linear import fit_path
from orthotype.models.linear.choice import Candidate, Choice, HeldOut, judge


def candidate(alpha: float, losses: list[float]) -> Candidate:
    model = [(np.zeros((2, 1), dtype=np.float32), np.zeros(2))]
    return Candidate(alpha, model, [], np.array(losses), np.ones(len(losses)))


def kept(rule: str, *candidates: Candidate) -> float:
    choice = Choice(rule)  # type: ignore[arg-type]
    for one in candidates:
        choice.add(one)
    return choice.chosen().alpha


STRONG = candidate(10.0, [0.15, 0.16, 0.14])
MIDDLE = candidate(1.0, [0.11, 0.12, 0.13])
BEST = candidate(0.1, [0.08, 0.11, 0.14])
WEAK = candidate(0.01, [0.09, 0.12, 0.15])


def test_lowest_keeps_the_lowest_loss() -> None:
    assert kept("lowest", STRONG, MIDDLE, BEST, WEAK) == 0.1


def test_strongest_keeps_the_strongest_within_a_standard_error() -> None:
    """The best has mean 0.11 and standard error 0.017: 0.12 is within, 0.15 is not."""
    assert kept("strongest", STRONG, MIDDLE, BEST, WEAK) == 1.0


def test_a_weaker_penalty_is_never_kept_for_being_nearly_as_good() -> None:
    assert kept("strongest", BEST, WEAK) == 0.1


def test_without_spread_only_the_best_is_kept() -> None:
    sure = [candidate(1.0, [0.2, 0.2, 0.2]), candidate(0.1, [0.1, 0.1, 0.1])]
    assert kept("strongest", *sure) == 0.1


def test_folds_without_held_out_weight_do_not_count() -> None:
    gap = Candidate(0.1, BEST.models, [], np.array([0.08, np.nan, 0.14]), np.array([1.0, 0.0, 1.0]))
    assert gap.risk == pytest.approx(0.11)
    assert kept("strongest", MIDDLE, gap) == 1.0


def test_the_path_ends_after_two_rises() -> None:
    choice = Choice("lowest")
    for one, risen in ((MIDDLE, False), (BEST, False), (candidate(0.05, [0.2] * 3), False), (WEAK, True)):
        choice.add(one)
        assert choice.risen() is risen


def test_strongest_judges_at_the_best_temperature() -> None:
    """A model that is right but far too unsure loses nothing once it is calibrated."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    sure = 2.0 * np.eye(3)[y] + rng.normal(size=(300, 3))
    parts = [[HeldOut(scores, y, np.ones(300))] for scores in (sure, sure / 8)]
    calibrated = [judge(1.0, [], part, rule="strongest").risk for part in parts]
    plain = [judge(1.0, [], part, rule="lowest").risk for part in parts]
    assert calibrated[0] == pytest.approx(calibrated[1], rel=1e-3)
    assert plain[1] > plain[0] + 0.1


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    X, y = np.eye(6, dtype=np.float32), np.array([0, 1] * 3)
    with pytest.raises(InputError, match=r"'best' is not known; expected one of 'lowest', 'strongest'"):
        fit_path(X, y, n_classes=2, folds=np.arange(6) % 3, rule="best")  # type: ignore[arg-type]
