"""What few cells change: the start, the prior, and that anchors and wrong labels count as they should."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.models.linear.reduced import FewRows, Metric
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.transfer.adapt.anchors import Anchors, anchor_cells
from orthotype.transfer.adapt.choice import Cost, chosen, trust
from orthotype.transfer.adapt.lesson import to_their_like
from orthotype.transfer.adapt.refit import AroundStart, Evidence, FromNothing, Refit
from orthotype.transfer.adapt.starts import Start, as_sure_as_right, capped_losses, label_shift, preferred
from orthotype.transfer.adapt.walk import Walk

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
    after = refit(start, profiles, X, codes).scores(others)
    assert recall(after, true) >= recall(start.scores(others), true) - 0.01


def test_a_source_that_is_wrong_is_given_up(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng, turned=1)
    assert recall(start.scores(X), codes) < 0.2
    assert recall(refit(start, profiles, X, codes).held_out(), codes) > 0.8


@pytest.mark.parametrize(("n", "worth"), [(4, 1.0), (6, 0.75), (8, 0.5), (120, 0.5)])
def test_the_fit_from_nothing_has_half_from_two_labels_per_class_on(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles, n: int, worth: float
) -> None:
    X, codes = simulated(n, rng)
    found = refit(start, profiles, X, codes)
    assert found.worth == pytest.approx(worth)
    around = found.around.fit()[1][:n]
    if worth == 1.0:
        np.testing.assert_allclose(found.scores(X), around, atol=1e-3)
    else:
        alone = (found.scores(X) - worth * around) / (1 - worth)
        np.testing.assert_array_equal(alone.argmax(axis=1), codes)
        np.testing.assert_allclose(alone.sum(axis=1), 7.0, atol=1e-2)


def test_a_strength_that_is_given_is_that_of_the_fit_around_the_start_alone(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(80, rng)
    held = refit(start, profiles, X, codes, strength=1e9)
    assert held.worth == 1.0
    np.testing.assert_allclose(held.scores(X), start.scores(X), atol=1e-3)


def test_the_prior_weighs_the_less_the_more_cells_there_are(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(80, rng)
    few, many = (refit(start, profiles, X[:n], codes[:n]).around for n in (8, 80))
    assert few.strength / few.few.total == pytest.approx(10 * many.strength / many.few.total)


def test_held_out_cells_are_not_learned_from(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(40, rng)
    found = refit(start, profiles, X, rng.permutation(codes))
    learned = found.evidence.codes[:40]
    assert recall(found.scores(X), learned) > 0.9, "labels without meaning are learned by heart"
    assert recall(found.held_out(), learned) < 0.6
    one = refit(start, profiles, X[:1], codes[:1])
    np.testing.assert_allclose(one.held_out(), start.scores(X[:1]))


def test_a_class_without_a_label_is_held_by_its_anchors(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng)
    some = codes < 3
    found = refit(start, profiles, X[some], codes[some])
    assert not found.change()[0][3].any()
    others, true = simulated(400, rng)
    after = found.scores(others)
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
    kept, gone = (AroundStart(each, turned).fit()[0] for each in (evidence, free))
    assert not kept[:, 3].any()
    assert gone[:, 3].any()
    after = Refit(free, turned).scores(X)[codes == 0]
    assert (after.argmax(axis=1) == 0).all()


@pytest.mark.parametrize("weigh", [0.1, 0.3])
def test_classes_weigh_alike_and_those_without_a_label_less(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles, weigh: float
) -> None:
    X, codes = simulated(40, rng)
    some = np.concatenate([np.flatnonzero(codes == 0)[:2], np.flatnonzero(codes == 1)[:9]])
    evidence = replace(refit(start, profiles, X[some], codes[some]).evidence, weigh=weigh)
    mass = np.bincount(evidence.codes, weights=evidence.weights(), minlength=K)
    np.testing.assert_allclose(mass / mass[0], [1.0, 1.0, weigh, weigh])
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
        return recall(Refit(evidence, nothing, metric=metric).scores(others), true)

    assert right(Metric.of(others)) > right(None) + 0.03


def test_a_class_with_labels_is_held_by_a_stand_in_that_is_no_label(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(8, rng)
    mean = csr_array(profiles.mean[:1].astype(float))
    anchors = Anchors(mean, np.array([0]), *np.zeros((2, K), dtype=bool))
    evidence = Evidence.of(X, codes, anchors, random_state=0)
    weights = evidence.weights()
    np.testing.assert_allclose(weights[:8][codes == 0], weights[-1], err_msg="as much as one label")
    mass = np.bincount(evidence.codes, weights=weights)
    np.testing.assert_allclose(mass, 1 / K)
    assert evidence.weights(codes != 0)[-1] == 0, "it says nothing where its labels are held out"
    assert evidence.weights(stand_ins=False)[-1] == 0
    np.testing.assert_allclose(evidence.weights(stand_ins=False)[:-1], 1 / 8)


def test_a_stand_in_holds_a_class_whose_label_is_no_good(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(4, rng)
    between = profiles.mean[:2].astype(float).mean(axis=0, keepdims=True)
    X = csr_array(np.concatenate([between, X.toarray()[1:]]))
    others, true = simulated(400, rng)
    right = []
    for means in (profiles.mean[:1], profiles.mean[:0]):
        stand = csr_array(means.astype(float))
        anchors = Anchors(stand, np.zeros(len(means), dtype=int), *np.zeros((2, K), dtype=bool))
        after = Refit(Evidence.of(X, codes, anchors, random_state=0), start).scores(others)
        right.append(recall(after, true))
    assert right[0] > right[1] + 0.02


def test_a_label_that_others_speak_against_counts_little() -> None:
    scores = np.array([[5.0, 0.0], [5.0, 0.0], [0.0, 5.0], [0.0, 9.0], [9.0, 0.0]])
    codes = np.array([0, 0, 0, 1, 1])
    found = trust(scores, codes)
    assert (found[:2] > 0.9).all()
    assert found[2] < 0.15
    np.testing.assert_array_equal(found[3:], 1.0, err_msg="of two labels none is doubted")
    p = 1 / (1 + np.exp(5.0))
    assert found[2] == pytest.approx(0.9 * p / (0.9 * p + 0.05))


def test_wrong_labels_do_less_harm_where_they_are_doubted(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(80, rng)
    spoiled = codes.copy()
    spoiled[rng.permutation(80)[:8]] += 1
    spoiled %= K
    others, true = simulated(800, rng)
    found = refit(start, profiles, X, spoiled)
    counts = trust(found.held_out(), spoiled)
    assert counts[spoiled != codes].mean() < 0.5 < 0.85 < counts[spoiled == codes].mean()
    assert recall(found.scores(others, counts), true) > recall(found.scores(others), true) + 0.01


def test_a_cell_is_moved_to_those_most_alike() -> None:
    along = np.concatenate([np.tile([[1.0, 2.0]], (20, 1)), np.tile([[9.0, 2.0]], (20, 1)), [[2.0, 2.0]]])
    (moved,) = to_their_like(along, along, 1)
    np.testing.assert_allclose(moved, [0.75 * ((2 * 1.0 + 2.0) / 3 - 2.0), 0.0])
    assert to_their_like(along[-19:], along[-19:], 1) is None, "too few cells to tell"


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


def test_a_start_is_as_sure_as_labelled_cells_show_it_to_be(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(40, rng)
    known = np.ones(K, dtype=bool)
    assert as_sure_as_right(start, X, codes, known=known).heat == 1.0
    wrong = (codes + (np.arange(40) % 3 == 0)) % K
    found = as_sure_as_right(start, X, wrong, known=known)
    v = 1.0 / found.heat
    assert v < 0.5
    np.testing.assert_allclose(found.scores(X), v * start.scores(X))
    one = as_sure_as_right(start, X[:1], wrong[:1], known=known)
    assert 1.0 / one.heat >= 0.25, "one cell alone does not make it say nothing"
    new = np.zeros(K, dtype=bool)
    assert as_sure_as_right(start, X, wrong, known=new) is start, "the source says nothing of new classes"


def test_what_labels_reach_is_a_label_more_from_nothing_unless_labels_are_held_out(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(4, rng)
    evidence = refit(start, profiles, X, codes).evidence
    assert evidence.share_from_nothing == 0.0
    joined = evidence.joined(csr_array(profiles.mean[:2].astype(float)), np.array([0, 1]))
    assert joined.share_from_nothing == 0.25
    weights = joined.weights(stand_ins=False)
    np.testing.assert_allclose(weights[-2:], weights[:4][codes < 2], err_msg="as much as the label")
    np.testing.assert_allclose(np.bincount(joined.codes, weights=weights), 1 / K)
    without = joined.weights(codes != 0, stand_ins=False)
    assert without[-2] == 0.0, "it was reached from the label that is held out"
    assert without[-1] > 0.0


def evidence_of(X: csr_array, codes: np.ndarray) -> Evidence:
    """Return labelled cells alone, without anchors."""
    none = np.zeros(K, dtype=bool)
    anchors = Anchors(csr_array((0, X.shape[1])), np.empty(0, dtype=np.intp), none, none)
    return Evidence.of(X, codes.astype(np.intp), anchors, random_state=0)


def with_noise(n: int, rng: np.random.Generator) -> tuple[csr_array, np.ndarray]:
    """Simulated cells as above, and 320 genes that tell nothing."""
    X, codes = simulated(n, rng)
    return csr_array(np.hstack([X.toarray(), np.log1p(rng.poisson(0.4, size=(n, 400 - P)))])), codes


def from_zero(evidence: Evidence) -> Refit:
    """Both fits, around a start that knows nothing."""
    return Refit(evidence, Start("source", 1.0, np.zeros(400), np.zeros((K, 400)), np.zeros(K)))


def test_as_many_labels_as_genes_are_not_told_apart_to_the_letter(rng: np.random.Generator) -> None:
    (X, codes), (others, true) = with_noise(400, rng), with_noise(1000, rng)
    plain = from_zero(evidence_of(X, codes))
    found, held_out = chosen(plain)
    assert found.factors[1] >= 10.0
    np.testing.assert_allclose(held_out, found.held_out())
    assert found.strength == plain.strength * found.factors[0]
    assert recall(found.scores(others), true) > recall(plain.scores(others), true) + 0.03
    assert recall(held_out, codes) > recall(plain.held_out(), codes) + 0.03


def test_strengths_are_chosen_where_labels_can_tell(rng: np.random.Generator) -> None:
    X, codes = with_noise(400, rng)
    assert chosen(from_zero(replace(evidence_of(X, codes), answered=False)))[0].factors == (1.0, 1.0)
    few = evidence_of(X[:10], codes[:10])
    assert chosen(from_zero(few))[0].factors == (1.0, 1.0), "of 2.5 labels per class"
    start = Start("source", 1.0, np.zeros(400), np.zeros((K, 400)), np.zeros(K))
    asked = Refit(evidence_of(X, codes), start, strength=1.0)
    assert chosen(asked)[0].factors == (1.0, 1.0), "a strength that was asked for"


def test_a_held_out_label_costs_what_a_wrong_one_may_at_most_and_every_class_alike() -> None:
    codes = np.array([0, 0, 0, 0, 1, 1, 2])
    scores = 4.0 * one_hot(codes, 3)
    right = Cost(codes)(scores)
    far = scores.copy()
    far[0] = [-1e6, 0.0, 0.0]
    assert Cost(codes)(far) - right < 7 * np.log(30) / 8, "one of four labels of one of two classes"
    assert Cost(codes)(far) - right > 7 * 3.2 / 8
    other = scores.copy()
    other[6] = [9.0, 9.0, -9.0]
    assert Cost(codes)(other) == right, "a class without another label has no say"
    p = np.exp(4.0) / (np.exp(4.0) + 2.0)
    assert right == pytest.approx(-7 * np.log(0.9 * p + 0.1 / 3))


def test_modest_scores_are_made_as_sure_as_they_are_right(rng: np.random.Generator) -> None:
    codes = np.arange(80) % K
    scores = 6.0 * one_hot(codes, K) + rng.normal(size=(80, K))
    cost = Cost(codes)
    assert cost.sureness(0.2 * scores) > 2.0 > 1.0 >= cost.sureness(20.0 * rng.normal(size=(80, K)))
    assert Cost(np.arange(4)).sureness(np.zeros((4, 4))) == 1.0, "nothing can tell"


def test_cells_that_labels_reach_outdo_a_start_that_takes_two_classes_for_one(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(4, rng)
    cells, hidden = simulated(400, rng)
    others, true = simulated(400, rng)
    merged = Start(
        "source", 1.0, start.delta, 4 * start.coef[[0, 0, 2, 2]], 4 * start.intercept[[0, 0, 2, 2]]
    )
    evidence = refit(merged, profiles, X, codes).evidence
    walk = Walk(cells, 2.0 * one_hot(hidden.astype(np.intp), K), np.ones(K, dtype=bool))
    alone, reaching = (Refit(evidence, merged, walk=each) for each in (None, walk))
    assert (alone.worth, reaching.worth) == (1.0, 0.5)
    assert recall(reaching.scores(others), true) > recall(alone.scores(others), true) + 0.02
    assert Refit(evidence, merged, walk=walk, strength=1.0).worth == 1.0, "a strength is that of one fit"


def test_from_nothing_anchors_are_told_from_others_as_surely_as_the_start_is(
    rng: np.random.Generator, start: Start, profiles: ClassProfiles
) -> None:
    X, codes = simulated(120, rng)
    some, last = codes < 3, csr_array(X[codes == 3])
    standing = Anchors(last, np.full(last.shape[0], 3), *np.zeros((2, K), dtype=bool))
    told = []
    for found, sureness in ((True, 1.0), (True, 0.1), (False, 1.0)):
        anchors = replace(standing, found=np.array([False, False, False, found]))
        evidence = Evidence.of(X[some], codes[some], anchors, random_state=0)
        few = FewRows(evidence.X, evidence.weights())
        before = start.tempered(sureness).scores(evidence.X)
        told.append(FromNothing(evidence, few.products, before).fit().scores[-last.shape[0] :, 3].mean())
    assert told[0] > told[1] > 1.0
    assert told[2] == pytest.approx(0.0, abs=1e-9), "what is made up is told from nothing"
