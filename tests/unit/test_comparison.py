"""Is one learner as good as another: scores per fold, corrected errors, difference and equality."""

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from orthotype.errors import InputError
from orthotype.study.comparison import compare, corrected_error

K, N, M = 4, 2000, 5


def learners(rng, right_a: float, right_b: float, *, n: int = N):
    """Give classes, probabilities of two independent learners with these shares right, and folds."""
    codes = rng.integers(K, size=n)
    folds = np.arange(n) % M

    def proba(share: float) -> np.ndarray:
        calls = np.where(rng.random(n) < share, codes, (codes + 1) % K)
        return 0.1 * np.full((n, K), 1 / K) + 0.9 * np.eye(K)[calls]

    return codes, proba(right_a), proba(right_b), folds


def verdicts(codes, a, b, folds, **settings) -> list[str]:
    return compare(codes, a, b, folds=folds, n_classes=K, **settings)["verdict"].tolist()


def test_scores_are_those_of_scikit_learn_averaged_over_folds(rng) -> None:
    codes, a, b, folds = learners(rng, 0.8, 0.6, n=200)
    table = compare(codes, a, b, folds=folds, n_classes=K).set_index("metric")
    theirs = {
        "balanced_accuracy": balanced_accuracy_score,
        "accuracy": accuracy_score,
        "macro_f1": lambda t, c: f1_score(t, c, average="macro"),
    }
    assert list(table.index) == list(theirs)
    for name, score in theirs.items():
        for column, proba in (("mean_a", a), ("mean_b", b)):
            by_fold = [score(codes[folds == f], proba[folds == f].argmax(axis=1)) for f in range(M)]
            assert table.loc[name, column] == pytest.approx(np.mean(by_fold))
    np.testing.assert_allclose(table["difference"], table["mean_a"] - table["mean_b"])


def test_interval_and_p_are_students_with_the_corrected_error(rng) -> None:
    codes, a, b, folds = learners(rng, 0.9, 0.88)
    row = compare(codes, a, b, folds=folds, n_classes=K).set_index("metric").loc["accuracy"]
    d = np.array([(a.argmax(1) == codes)[folds == f].mean() for f in range(M)])
    d = d - np.array([(b.argmax(1) == codes)[folds == f].mean() for f in range(M)])
    naive = ttest_1samp(d, 0.0)
    widening = np.sqrt((1 / M + 1 / (M - 1)) / (1 / M))
    assert row["p_difference"] == pytest.approx(2 * student.sf(abs(naive.statistic) / widening, M - 1))
    narrow = naive.confidence_interval(0.95)
    assert row["high"] - row["low"] == pytest.approx((narrow.high - narrow.low) * widening)
    assert (row["low"] + row["high"]) / 2 == pytest.approx(d.mean())


def test_dependent_folds_widen_the_error_and_independent_ones_do_not() -> None:
    d = np.array([0.01, 0.02, 0.04, 0.00, 0.03])
    assert corrected_error(d, overlap=0.0) == pytest.approx(d.std(ddof=1) / np.sqrt(5))
    assert corrected_error(d, overlap=0.25) == pytest.approx(d.std(ddof=1) * np.sqrt(0.45))


def test_equal_means_that_a_difference_beyond_the_margin_is_rejected_on_both_sides(rng) -> None:
    codes, a, b, folds = learners(rng, 0.9, 0.9, n=20_000)
    table = compare(codes, a, b, folds=folds, n_classes=K, margin=0.02)
    assert set(table["verdict"]) == {"equal"}
    for _, row in table.iterrows():
        half = (row["high"] - row["low"]) / 2 / student.ppf(0.975, M - 1) * student.ppf(0.95, M - 1)
        reach = abs(row["difference"]) + half
        edge = compare(codes, a, b, folds=folds, n_classes=K, margin=reach).set_index("metric")
        assert edge.loc[row["metric"], "p_equal"] == pytest.approx(0.05), "TOST is the 90 % interval"
        for factor, equal in ((0.97, False), (1.03, True)):
            near = compare(codes, a, b, folds=folds, n_classes=K, margin=factor * reach).set_index("metric")
            assert (near.loc[row["metric"], "verdict"] == "equal") == equal


def test_the_better_one_is_named_whichever_way_round(rng) -> None:
    codes, a, b, folds = learners(rng, 0.9, 0.7)
    there, back = (compare(codes, x, y, folds=folds, n_classes=K) for x, y in ((a, b), (b, a)))
    assert set(there["verdict"]) == {"a better"} and set(back["verdict"]) == {"b better"}
    np.testing.assert_allclose(there["difference"], -back["difference"])
    np.testing.assert_allclose(there["low"], -back["high"])
    np.testing.assert_allclose(there["p_equal"], back["p_equal"])
    assert there["p_equal"].min() > 0.5 and there["p_difference"].max() < 0.05


def test_few_noisy_cells_decide_nothing(rng) -> None:
    codes, a, b, folds = learners(rng, 0.8, 0.8, n=60)
    assert verdicts(codes, a, b, folds) == ["undecided"] * 3


def test_a_certain_difference_within_the_margin_is_equality(rng) -> None:
    codes, a, b, folds = learners(rng, 0.9, 0.7)
    assert verdicts(codes, a, b, folds, margin=0.5) == ["equal"] * 3


def test_the_same_learner_is_equal_to_itself(rng) -> None:
    codes, a, _, folds = learners(rng, 0.8, 0.8)
    table = compare(codes, a, a, folds=folds, n_classes=K)
    assert table["verdict"].tolist() == ["equal"] * 3
    assert (table[["difference", "low", "high"]].abs() < 1e-12).all(axis=None)
    assert table["p_difference"].tolist() == [1.0] * 3 and (table["p_equal"] < 1e-6).all()


def test_a_class_that_a_fold_lacks_does_not_count_in_it() -> None:
    codes, folds = np.array([0, 1, 0, 0]), np.array([0, 0, 1, 1])
    proba = np.eye(2)[[0, 1, 0, 0]]
    table = compare(codes, proba, proba, folds=folds, n_classes=2).set_index("metric")
    assert table["mean_a"].tolist() == [1.0, 1.0, 1.0]


def test_pairing_matters(rng) -> None:
    """Hard folds are hard for both: the paired difference is certain although the scores vary widely."""
    folds, codes = np.arange(N) % M, rng.integers(K, size=N)
    hard = np.array([0.5, 0.6, 0.7, 0.8, 0.9])[folds]
    order = rng.random(N)
    a = np.eye(K)[np.where(order < hard, codes, (codes + 1) % K)]
    b = np.eye(K)[np.where(order < hard - 0.1, codes, (codes + 1) % K)]
    assert verdicts(codes, a, b, folds) == ["a better"] * 3


def test_everything_that_does_not_fit_is_said_at_once(rng) -> None:
    codes, a, b, folds = learners(rng, 0.8, 0.8, n=100)
    a[3] = np.nan
    with pytest.raises(InputError) as caught:
        compare(codes, a, b[:, :2], folds=np.zeros(100, dtype=int), n_classes=K, margin=0.0)
    text = str(caught.value)
    for part in (
        "proba_a has 1 cells without",
        "proba_b of shape (100, 2)",
        "fewer than two folds",
        "margin=0",
    ):
        assert part in text
    with pytest.raises(InputError, match="one for each cell"):
        compare(codes, b, b, folds=folds[:9], n_classes=K)
    with pytest.raises(InputError, match="from 0 to 3; expected 0 to 2"):
        compare(codes, b[:, :3], b[:, :3], folds=folds, n_classes=3)
