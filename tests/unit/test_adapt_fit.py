"""What few cells change: the start, the prior, and that anchors and wrong labels count as they should."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.models.linear.reduced import Metric
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.transfer.adapt.anchors import anchor_cells
from orthotype.transfer.adapt.refit import WORTHS, Evidence, Refit, chosen
from orthotype.transfer.adapt.starts import Start, capped_losses, label_shift, preferred

K, P = 4, 80


def simulated(n: int, rng: np.random.Generator, *, turned: int = 0) -> tuple[csr_array, np.ndarray]:
    """Simulated cells of four classes with ten marker genes each."""
    codes = np.arange(n) % K
    X = rng.poisson(0.4, size=(n, P)).astype(float)
    for k in range(K):
        X[codes == k, 10 * k : 10 * k + 10] += rng.poisson(1.5, size=((codes == k).sum(), 10))
    return csr_array(np.log1p(X)), (codes + turned) % K


@pytest.fixture
def profiles(rng: np.random.Generator) -> ClassProfiles:
    X, codes = simulated(400, rng)
    return class_profiles([(X, one_hot(codes, K))])


@pytest.fixture
def start(profiles: ClassProfiles) -> Start:
    offsets = profiles.mean.astype(float) - profiles.centre
    return Start("source", 1.0, np.zeros(P), offsets, -0.5 * (profiles.mean.astype(float) ** 2).sum(axis=1))


def refit(
    start: Start, profiles: ClassProfiles, X: csr_array, codes: np.ndarray, strength: float | str = "auto"
) -> Refit:
    anchors = anchor_cells(
        codes,
        known=np.ones(K, dtype=bool),
        profiles=profiles,
        shift=start.delta,
        unlabelled=None,
        sight=None,
        random_state=0,
    )
    return Refit(Evidence.of(X, codes, anchors, random_state=0), start, strength=strength)


def recall(scores: np.ndarray, codes: np.ndarray) -> float:
    return float((scores[: len(codes)].argmax(axis=1) == codes).mean())


def test_a_source_that_is_right_stays_right(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(4, rng)
    others, true = simulated(400, rng)
    found = refit(start, profiles, X, codes)
    coef, intercept = found.few.expand(found.fit()[0])
    after = others @ (WORTHS[0] * start.coef + coef).T + WORTHS[0] * start.intercept + intercept
    assert recall(after, true) >= recall(start.scores(others), true) - 0.01


def test_a_source_that_is_wrong_is_given_up(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng, turned=1)
    assert recall(start.scores(X), codes) < 0.2
    assert recall(refit(start, profiles, X, codes).held_out(), codes) > 0.8


def test_a_source_is_worth_less_where_labelled_cells_say_so(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng)
    right, _ = chosen(refit(start, profiles, X, codes).evidence, start)
    assert right.worth == WORTHS[0]
    wrong = Start("source", 1.0, start.delta, 3 * np.roll(start.coef, 1, axis=0), start.intercept)
    few = slice(0, 24)
    left, held_out = chosen(refit(wrong, profiles, X[few], codes[few]).evidence, wrong)
    assert left.worth < WORTHS[0]
    np.testing.assert_array_equal(held_out, left.held_out())


def test_the_prior_weighs_the_less_the_more_cells_there_are(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(80, rng)
    few, many = (refit(start, profiles, X[:n], codes[:n]) for n in (8, 80))
    assert few.strength / few.few.total == pytest.approx(10 * many.strength / many.few.total)
    held = refit(start, profiles, X, codes, strength=1e9)
    np.testing.assert_allclose(held.fit()[1], WORTHS[0] * start.scores(held.evidence.X), atol=1e-3)


def test_held_out_cells_are_not_learned_from(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(40, rng)
    found = refit(start, profiles, X, rng.permutation(codes))
    learned = found.evidence.codes[:40]
    assert recall(found.fit()[1], learned) > 0.9, "labels without meaning are learned by heart"
    assert recall(found.held_out(), learned) < 0.6
    one = refit(start, profiles, X[:1], codes[:1])
    np.testing.assert_allclose(one.held_out(), one.offsets[:1])


def test_a_class_without_a_label_is_held_by_its_anchors(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng)
    some = codes < 3
    found = refit(start, profiles, X[some], codes[some])
    coef, intercept = found.few.expand(found.fit()[0])
    assert not coef[3].any()
    others, true = simulated(400, rng)
    after = others @ (WORTHS[0] * start.coef + coef).T + WORTHS[0] * start.intercept + intercept
    assert recall(after[true == 3], true[true == 3]) > 0.5


def test_a_class_that_labels_contradict_learns_to_give_way(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng)
    seen = codes < 3
    X, codes = X[seen], codes[seen]
    evidence = refit(start, profiles, X, codes).evidence
    turned = Start("source", 1.0, start.delta, start.coef[[3, 1, 2, 0]], start.intercept[[3, 1, 2, 0]])
    free = replace(evidence, contradicted=np.array([False, False, False, True]))
    before = turned.scores(X)[codes == 0]
    assert (before.argmax(axis=1) == 3).mean() > 0.9
    kept, gone = (Refit(each, turned).fit()[0] for each in (evidence, free))
    assert not kept[:, 3].any()
    assert gone[:, 3].any()
    after = Refit(free, turned).fit()[1][: len(codes)][codes == 0]
    assert (after.argmax(axis=1) == 0).all()


def test_classes_weigh_alike_and_those_without_a_label_a_tenth(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(40, rng)
    some = np.concatenate([np.flatnonzero(codes == 0)[:2], np.flatnonzero(codes == 1)[:9]])
    evidence = refit(start, profiles, X[some], codes[some]).evidence
    mass = np.bincount(evidence.codes, weights=evidence.weights(), minlength=K)
    np.testing.assert_allclose(mass / mass[0], [1.0, 1.0, 0.1, 0.1])
    assert mass.sum() == pytest.approx(1.0)
    assert evidence.moving.tolist() == [True, True, False, False]
    used = np.arange(len(some)) != 0
    assert evidence.weights(used)[0] == 0


def test_noise_is_not_learned_where_the_target_shows_what_varies(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(4, rng)
    others, true = simulated(400, rng)
    nothing = Start("source", 1.0, start.delta, 0 * start.coef, 0 * start.intercept)

    def right(metric: Metric | None) -> float:
        evidence = refit(nothing, profiles, X, codes).evidence
        found = Refit(evidence, nothing, metric=metric)
        coef, intercept = found.few.expand(found.fit()[0])
        return recall(others @ coef.T + intercept, true)

    assert right(Metric.of(others)) > right(None) + 0.03


def test_the_label_shift_is_what_labelled_classes_share(
    rng: np.random.Generator, profiles: ClassProfiles
) -> None:
    X, codes = simulated(400, rng)
    shift = np.zeros(P)
    shift[40:] = rng.uniform(0.5, 1.0, 40)
    known = np.ones(K, dtype=bool)
    found = label_shift(csr_array(X.toarray() + shift), codes, profiles, known=known)
    assert np.corrcoef(found, shift)[0, 1] > 0.95
    one = codes == 2
    assert not label_shift(X[one], codes[one], profiles, known=known).any(), "one class shares nothing"


def test_a_loss_counts_three_at_most() -> None:
    scores = np.array([[9.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(capped_losses(scores, np.array([1, 0])), [3.0, np.log(2)])


def test_the_label_shift_is_taken_where_most_classes_have_a_label(start: Start) -> None:
    known = np.array([True] * 4)
    target = Start("target shift", 1.0, start.delta, start.coef, start.intercept)
    labels = Start("label shift", 1.0, start.delta, start.coef, start.intercept)
    starts = [target, labels, start]
    assert preferred(starts, np.array([0, 1, 2, 0, 1, 2]), known=known) is labels
    assert preferred(starts, np.array([0, 1, 2]), known=known) is target, "one label of each is too few"
    assert preferred(starts, np.array([0, 1, 1, 0]), known=known) is target
    assert preferred([start, labels], np.array([0]), known=known) is start
    known[1:] = False
    assert preferred(starts, np.array([0, 1, 2, 0, 1, 2]), known=known) is target, "new classes show no shift"
