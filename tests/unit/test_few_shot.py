"""Learning curves on real pancreas cells, with a learner that takes no time: the nearest class mean."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import ttest_1samp
from sklearn.metrics import f1_score

import orthotype as ot
from orthotype.errors import InputError
from orthotype.study import few_shot
from orthotype.study.learners import Arrays, Codes, FittedModel, Learner, Proba
from orthotype.study.linear_learner import LinearLearner
from orthotype.study.needed import cells_needed
from orthotype.study.significance import paired_tests

LABELS = "cell_ontology_class"
SOME_SHOTS = (0, 1, 2, 5, 10, 30)
COLUMNS = ["learner", "start", "shots", "repeat", "class", "metric", "value", "n_labelled", "n_test"]


@dataclass(frozen=True)
class Means:
    """Class means; classes without cells are never called."""

    sums: np.ndarray
    n: np.ndarray

    def predict_proba(self, X: sp.csr_array) -> Proba:
        means = self.sums / np.maximum(self.n, 1)[:, None]
        near = np.where(self.n > 0, 2 * (X @ means.T) - (means**2).sum(axis=1), -1e9)
        odds = np.exp(near - near.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def arrays(self) -> Arrays:
        return {"sums": self.sums, "n": self.n}


@dataclass(frozen=True)
class NearestMean:
    """Source means count as five cells of each class."""

    name: str = "mean"

    def fit(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> Means:
        members = sp.csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), (n_classes, len(codes)))
        return Means((members @ X).toarray(), np.bincount(codes, minlength=n_classes))

    scratch = fit

    def adapt(self, model: FittedModel, X: sp.csr_array, codes: Codes, *, seed: int) -> Means:
        old = Means(**model.arrays())  # type: ignore[arg-type]
        new = self.fit(X, codes, n_classes=len(old.n), seed=seed)
        prior = np.minimum(old.n, 5)
        return Means(old.sums * (prior / np.maximum(old.n, 1))[:, None] + new.sums, prior + new.n)

    def load(self, arrays: Arrays) -> Means:
        return Means(**arrays)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Target:
    """Human pancreas, in the classes and genes of the mouse, with a model of the mouse and its cells."""

    source: tuple[sp.csr_array, Codes]
    X: sp.csr_array
    codes: Codes
    classes: list[str]
    model: Means


@pytest.fixture(scope="module")
def target() -> Target:
    pair = [ot.datasets.get(name) for name in ("baron2016-mouse", "baron2016-human")]
    symbols = [pd.Index(cells.var_names.astype(str).str.upper()) for cells in pair]
    shared = sorted(set(symbols[0]) & set(symbols[1]))[::4]
    sides = []
    for cells, names in zip(pair, symbols, strict=True):
        counts = sp.csr_array(cells.X, dtype=np.float64)[:, names.get_indexer(shared)]
        X = sp.csr_array(sp.diags_array(1e4 / np.maximum(counts.sum(axis=1), 1)) @ counts).log1p()
        sides.append((sp.csr_array(X, dtype=np.float32), cells.obs[LABELS].astype(str).to_numpy()))
    (Xs, source), (Xt, true) = sides
    classes = sorted(set(source))
    codes = pd.Index(classes).get_indexer(source)
    model = NearestMean().fit(Xs, codes, n_classes=len(classes), seed=0)
    return Target((Xs, codes), Xt, pd.Index(classes).get_indexer(true), classes, model)


Point = tuple[few_shot.Split, int, FittedModel | None]


def points_of(target: Target, model: FittedModel, *, shots: tuple[int, ...]) -> list[Point]:
    splits = few_shot.design(target.codes, n_classes=len(target.classes), seed=0)
    return [
        (split, n, start) for split in splits for n in shots for start in ([model, None] if n else [model])
    ]


def run(target: Target, learner: Learner, point: Point) -> pd.DataFrame:
    split, n, model = point
    K = len(target.classes)
    return few_shot.run(
        learner, model, target.X, target.codes, split, n, n_classes=K, seed=0, classes=target.classes
    )


@pytest.fixture(scope="module")
def pieces(target: Target) -> list[pd.DataFrame]:
    learner = NearestMean()
    return [run(target, learner, point) for point in points_of(target, target.model, shots=SOME_SHOTS)]


@pytest.fixture(scope="module")
def curve(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    return few_shot.curve(pieces)


def test_a_curve_has_every_start_shot_repeat_class_and_metric(curve: pd.DataFrame, target: Target) -> None:
    assert curve.columns.tolist() == COLUMNS
    points = curve.groupby(["start", "shots"])["repeat"].nunique()
    assert points.eq(5).all()
    assert points.index.tolist() == [
        *(("scratch", n) for n in SOME_SHOTS[1:]),
        *(("transfer", n) for n in SOME_SHOTS),
    ]
    present = {target.classes[k] for k in target.codes if k >= 0}
    assert set(curve["class"]) == present | {"all", "all labelled"}
    assert set(curve.loc[curve["class"] == "T cell", "metric"]) == {
        "f1",
        "recall",
        "precision",
        "one_vs_rest_balanced_accuracy",
        "published_balanced_accuracy",
    }
    assert {"balanced_accuracy", "accuracy"} <= set(curve.loc[curve["class"] == "all", "metric"])
    assert curve["value"].between(0, 1).all()


def test_without_a_label_transfer_is_the_source_model(curve: pd.DataFrame, target: Target) -> None:
    split = few_shot.design(target.codes, n_classes=len(target.classes), seed=0)[3]
    true = target.codes[split.test]
    called = target.model.predict_proba(target.X[split.test]).argmax(axis=1)
    expected = f1_score(true, called, average="macro", labels=np.unique(true), zero_division=0)
    chosen = curve.query("shots == 0 and repeat == 3 and `class` == 'all' and metric == 'f1'")
    assert chosen["value"].tolist() == [pytest.approx(expected)]
    assert chosen["n_labelled"].tolist() == [0]


def test_classes_that_cannot_be_labelled_stay_in_the_test_and_apart_from_one_mean(
    curve: pd.DataFrame,
) -> None:
    f1 = curve[curve["metric"] == "f1"].set_index(["start", "shots", "repeat", "class"])["value"]
    assert f1.loc[("scratch", 30, 0, "T cell")] == 0
    at_30 = f1.loc[("scratch", 30, 0)]
    never = ["T cell", "Schwann cell"]
    assert at_30["all"] == pytest.approx(at_30.drop(["all", "all labelled"]).mean())
    assert at_30["all labelled"] == pytest.approx(at_30.drop(["all", "all labelled", *never]).mean())
    labelled = curve[curve["shots"] == 30].drop_duplicates("class").set_index("class")["n_labelled"]
    assert labelled[never].eq(0).all()
    assert labelled["macrophage"] == 3
    assert labelled["pancreatic A cell"] == 30
    assert labelled["all"] == labelled.drop(["all", "all labelled"]).sum()


def test_the_order_of_pieces_does_not_matter(pieces: list[pd.DataFrame], curve: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(few_shot.curve(reversed(pieces)), curve)


def test_the_whole_chain_answers_how_many_cells_are_needed(curve: pd.DataFrame) -> None:
    tests = paired_tests(curve)
    first = tests.query("shots == 1 and `class` == 'all labelled' and metric == 'f1'").iloc[0]
    assert first["transfer"] > first["scratch"]
    assert first["p"] < first["p_adjusted"] < 0.05
    needed = cells_needed(curve).set_index(["start", "class", "criterion"])
    ductal = "pancreatic ductal cell", "target"
    assert needed.loc[("transfer", *ductal), "shots"] == 0
    assert needed.loc[("scratch", *ductal), "shots"] > 0
    few = needed.loc[("scratch", "macrophage", "target")]
    assert few["outcome"] == "not reached by 30, with 3 of the class"
    lost = needed.loc[("scratch", "T cell", "plateau")]
    assert not lost["reached"]
    assert lost["outcome"] == "not reached by 30, with 0 of the class"


@dataclass(frozen=True)
class Diary:
    """A learner that notes which cells it was given (the last feature is the position) and which seed."""

    name: str = "diary"
    seen: list[tuple[str, frozenset[int], int]] = field(default_factory=list)

    def _note(self, what: str, X: sp.csr_array, seed: int = -1) -> None:
        self.seen.append((what, frozenset(X[:, [-1]].toarray().ravel().astype(int).tolist()), seed))

    def predict_proba(self, X: sp.csr_array) -> Proba:
        self._note("test", X)
        return np.full((X.shape[0], 3), 1 / 3)

    def arrays(self) -> Arrays:
        return {}

    def adapt(self, model: FittedModel, X: sp.csr_array, codes: Codes, *, seed: int) -> "Diary":
        self._note("adapt", X, seed)
        return self

    def scratch(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> "Diary":
        self._note("scratch", X, seed)
        return self

    def fit(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> "Diary":
        return self

    def load(self, arrays: Arrays) -> "Diary":
        return self


def test_a_learner_never_sees_a_test_cell_and_every_piece_of_a_repeat_is_tested_alike() -> None:
    codes = np.tile(np.arange(3), 70).astype(np.intp)
    X = sp.csr_array(np.column_stack([np.ones(210), np.arange(210)]).astype(np.float32))
    learned: dict[int, set[int]] = {}
    seeds = []
    for split in few_shot.design(codes, n_classes=3, repeats=3, train=6, validate=2, seed=1):
        tested = set()
        for n in (1, 2, 6):
            diary = Diary()
            for model in (diary, None):
                few_shot.run(diary, model, X, codes, split, n, n_classes=3, seed=1)
            (_, given, seed), (_, test, _), (_, again, same_seed), (_, test_again, _) = diary.seen
            assert given == again == frozenset(few_shot.shots(split, n).tolist())
            assert not given & test
            assert seed == same_seed
            tested |= {test, test_again}
            seeds.append(seed)
            learned.setdefault(split.repeat, set()).update(given)
        assert len(tested) == 1
    assert len(set(seeds)) == 9
    assert not learned[0] & learned[1]
    assert not learned[0] & learned[2]


def test_a_piece_that_makes_no_sense_is_refused(target: Target) -> None:
    K = len(target.classes)
    split = few_shot.design(target.codes, n_classes=K, seed=0)[0]
    given = (target.X, target.codes, split)
    with pytest.raises(InputError, match="nothing to learn"):
        few_shot.run(NearestMean(), None, *given, 0, n_classes=K, seed=0)
    with pytest.raises(InputError, match="none of them 'all'"):
        few_shot.run(NearestMean(), target.model, *given, 1, n_classes=K, seed=0, classes=["all"] * K)
    broken = Means(target.model.sums * np.nan, target.model.n)
    with pytest.raises(InputError, match="not finite"):
        few_shot.run(NearestMean(), broken, *given, 0, n_classes=K, seed=0)


def test_pieces_that_do_not_belong_together_are_refused(pieces: list[pd.DataFrame]) -> None:
    with pytest.raises(InputError, match="without a single piece"):
        few_shot.curve([])
    with pytest.raises(InputError, match="1 pieces come twice"):
        few_shot.curve([*pieces, pieces[2]])
    other = pieces[2].assign(learner="another", n_test=pieces[2]["n_test"] + 1)
    with pytest.raises(InputError, match="repeat '0' were tested on different numbers"):
        few_shot.curve([*pieces, other])


def test_intervals_are_those_of_the_mean_over_repeats(curve: pd.DataFrame) -> None:
    table = few_shot.curve_intervals(curve, level=0.9)
    row = table.query("start == 'scratch' and shots == 2 and `class` == 'macrophage' and metric == 'f1'")
    values = curve.query("start == 'scratch' and shots == 2 and `class` == 'macrophage' and metric == 'f1'")
    expected = ttest_1samp(values["value"], 0).confidence_interval(0.9)
    found = row.iloc[0]
    assert found["low"] == pytest.approx(expected.low)
    assert found["high"] == pytest.approx(min(expected.high, 1))
    assert found["n_repeats"] == 5
    alone = few_shot.curve_intervals(curve[curve["repeat"] == 0])
    assert alone["n_repeats"].eq(1).all()
    assert alone[["low", "high"]].isna().to_numpy().all()


def test_the_linear_model_gives_the_same_curve_whatever_was_run_before(target: Target) -> None:
    learner = LinearLearner()
    model = learner.fit(*target.source, n_classes=len(target.classes), seed=0)
    points = [point for point in points_of(target, model, shots=(0, 3)) if point[0].repeat < 2]
    forwards = few_shot.curve(run(target, learner, point) for point in points)
    backwards = few_shot.curve(run(target, learner, point) for point in reversed(points))
    pd.testing.assert_frame_equal(forwards, backwards)
    means = few_shot.curve_intervals(forwards).query("`class` == 'all labelled' and metric == 'f1'")
    f1 = means.set_index(["start", "shots"])["mean"]
    assert f1["transfer", 3] > f1["scratch", 3]
