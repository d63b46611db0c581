"""Source models: no cell is ever judged by a model that has seen it, and tables keep their axes.

The learners here are adversaries: one remembers every cell it was shown, one writes down what it was given.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix

from orthotype.errors import InputError
from orthotype.models.consensus import count_votes
from orthotype.models.folds import make_folds
from orthotype.study.source import consensus, cross_validate, fit_fold, gather, mean_confusion

N, P, K = 60, 5, 3


class Memory:
    """Says the class of every cell it was shown with certainty, and nothing of all others."""

    def __init__(self, X: csr_array, codes: np.ndarray, n_classes: int) -> None:
        self.known = {row.tobytes(): code for row, code in zip(X.toarray(), codes, strict=True)}
        self.n_classes = n_classes

    def predict_proba(self, X: csr_array) -> np.ndarray:
        proba = np.full((X.shape[0], self.n_classes), 1 / self.n_classes)
        for i, row in enumerate(X.toarray()):
            if row.tobytes() in self.known:
                proba[i] = np.eye(self.n_classes)[self.known[row.tobytes()]]
        return proba

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


@dataclass
class Remembers:
    """A learner whose models remember; it writes down the seeds it was given."""

    name: str = "memory"
    seeds: list[int] = field(default_factory=list)

    def fit(self, X, codes, *, n_classes, seed):
        self.seeds.append(seed)
        return Memory(X, codes, n_classes)


@pytest.fixture
def cells(rng) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Give cells that all differ, their classes and folds."""
    codes = np.arange(N) % K
    return csr_array(rng.random((N, P)).astype(np.float32)), codes, make_folds(codes, n_splits=5)


def test_no_model_is_asked_about_a_cell_it_has_seen(cells) -> None:
    X, codes, folds = cells
    fit = cross_validate(Remembers(), X, codes, n_classes=K, folds=folds, seed=0)
    np.testing.assert_allclose(fit.held_out_proba, 1 / K)
    np.testing.assert_array_equal(fit.folds, folds)
    assert len(fit.models) == 5


def test_every_model_has_learned_from_all_other_cells_with_their_own_classes(cells) -> None:
    X, codes, folds = cells
    fit = cross_validate(Remembers(), X, codes, n_classes=K, folds=folds, seed=0)
    for fold, model in enumerate(fit.models):
        np.testing.assert_array_equal(model.predict_proba(X[folds != fold]), np.eye(K)[codes[folds != fold]])


def test_the_adversary_finds_a_model_asked_about_another_fold(cells) -> None:
    X, codes, folds = cells
    fit = cross_validate(Remembers(), X, codes, n_classes=K, folds=folds, seed=0)
    leaked = gather(fit.models[::-1], X, folds=folds, n_classes=K).held_out_proba
    assert (leaked.max(axis=1) == 1.0).sum() == (folds != 2).sum()


def test_folds_are_pieces_that_can_be_made_in_any_order(cells) -> None:
    X, codes, folds = cells
    whole, pieces = Remembers(), Remembers()
    cross_validate(whole, X, codes, n_classes=K, folds=folds, seed=3)
    for fold in (4, 2, 0, 1, 3):
        fit_fold(pieces, X, codes, n_classes=K, folds=folds, fold=fold, seed=3)
    assert len(set(whole.seeds)) == 5, "every fold has a seed of its own"
    assert [whole.seeds[fold] for fold in (4, 2, 0, 1, 3)] == pieces.seeds
    other = Remembers()
    cross_validate(other, X, codes, n_classes=K, folds=folds, seed=4)
    assert not set(other.seeds) & set(whole.seeds)


def test_consensus_is_the_mean_and_the_vote_of_the_models(cells, rng) -> None:
    X, codes, folds = cells
    fit = cross_validate(Remembers(), X, codes, n_classes=K, folds=folds, seed=0)
    proba, votes = consensus(fit.models, X)
    np.testing.assert_allclose(proba, (4 * np.eye(K)[codes] + 1 / K) / 5)
    np.testing.assert_array_equal(votes.winner, codes)
    assert votes.agreed.all() and votes.count.min() == 4
    ballots = np.stack([m.predict_proba(X).argmax(axis=1) for m in fit.models], axis=1)
    np.testing.assert_array_equal(votes.count, count_votes(ballots, proba=proba).count)


def test_the_confusion_table_is_true_by_called_and_not_turned() -> None:
    """Class a is always called b, class b always b, class c half and half a and c."""
    codes = np.array([0, 0, 1, 1, 2, 2] * 2)
    proba = np.eye(3)[[1, 1, 1, 1, 0, 2] * 2]
    table = mean_confusion(codes, proba, np.repeat([0, 1], 6), classes=["a", "b", "c"])
    assert (table.index.name, table.columns.name) == ("true", "called")
    assert table.loc["a"].tolist() == [0, 1, 0]
    assert table.loc["b"].tolist() == [0, 1, 0]
    assert table.loc["c"].tolist() == [0.5, 0, 0.5]
    of_calls = mean_confusion(codes, proba, np.repeat([0, 1], 6), classes=["a", "b", "c"], of="called")
    assert of_calls["b"].tolist() == [0.5, 0.5, 0]
    assert of_calls["a"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("of", ["true", "called"])
def test_the_confusion_table_is_the_mean_of_the_folds(cells, rng, of: str) -> None:
    _, codes, folds = cells
    proba = rng.dirichlet(np.ones(K), size=N)
    by_fold = [
        confusion_matrix(
            codes[folds == f],
            proba[folds == f].argmax(axis=1),
            labels=range(K),
            normalize={"true": "true", "called": "pred"}[of],
        )
        for f in range(5)
    ]
    table = mean_confusion(codes, proba, folds, of=of)
    np.testing.assert_allclose(table.to_numpy(), np.mean(by_fold, axis=0))
    sums = table.sum(axis=1 if of == "true" else 0)
    np.testing.assert_allclose(sums, 1.0)


def test_a_fold_without_a_class_is_left_out_of_its_mean_and_no_cell_at_all_is_nan() -> None:
    codes, folds = np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1])
    table = mean_confusion(codes, np.eye(3)[[0, 0, 1, 1]], folds)
    assert table.loc["0"].tolist() == [0.5, 0.5, 0]
    assert table.loc["1"].tolist() == [0, 1, 0]
    assert table.loc["2"].isna().all()


def test_what_does_not_fit_is_refused(cells) -> None:
    X, codes, folds = cells
    learner = Remembers()
    with pytest.raises(InputError, match="one class and one fold for each cell"):
        fit_fold(learner, X, codes[:-1], n_classes=K, folds=folds, fold=0, seed=0)
    with pytest.raises(InputError, match="from 0 to 2; expected 0 to 1"):
        cross_validate(learner, X, codes, n_classes=2, folds=folds, seed=0)
    for wrong in (np.zeros(N, dtype=int), np.where(folds == 2, 0, folds), folds - 1):
        with pytest.raises(InputError, match="numbered from 0 without a gap"):
            cross_validate(learner, X, codes, n_classes=K, folds=wrong, seed=0)
    with pytest.raises(InputError, match="fold 7 holds out 0 of 60 cells"):
        fit_fold(learner, X, codes, n_classes=K, folds=folds, fold=7, seed=0)
    models = cross_validate(learner, X, codes, n_classes=K, folds=folds, seed=0).models
    with pytest.raises(InputError, match="4 models for folds 0 to 4"):
        gather(models[:4], X, folds=folds, n_classes=K)
    with pytest.raises(InputError, match="no model"):
        consensus([], X)
    with pytest.raises(InputError, match=r"2 names; expected 3.*"):
        mean_confusion(codes, np.eye(K)[codes], folds, classes=["a", "b"])
    with pytest.raises(InputError, match="every cell predicted"):
        mean_confusion(codes, np.full((N, K), np.nan), folds)


def test_probabilities_that_are_not_numbers_are_never_taken_for_a_class(cells) -> None:
    X, codes, folds = cells

    class Broken(Memory):
        def predict_proba(self, X):
            return np.full((X.shape[0], self.n_classes), np.nan)

    models = [Broken(X[:1], codes[:1], K)] * 5
    with pytest.raises(InputError, match=r"fold 0 .*not finite"):
        gather(models, X, folds=folds, n_classes=K)
    with pytest.raises(InputError, match="not finite"):
        consensus(models, X)
