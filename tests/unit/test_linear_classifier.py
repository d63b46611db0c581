"""The estimator: scikit-learn's own checks, options, labels of any kind. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from orthotype.errors import InputError
from orthotype.models.linear import MultinomialLogisticRegression


def blobs(seed=0, n=90, p=5, K=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    return rng.normal(size=(n, p)) + 2 * np.eye(K, p)[y], y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it_at_a_given_alpha():
    assert issubclass(SkipTestWarning, UserWarning)
    check_estimator(MultinomialLogisticRegression(alpha=0.01, tol=1e-9))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it_with_a_chosen_alpha():
    reason = "the folds that choose alpha are drawn by row number, so they differ when rows are repeated"
    check_estimator(
        MultinomialLogisticRegression(),
        expected_failed_checks={
            "check_sample_weight_equivalence_on_dense_data": reason,
            "check_sample_weight_equivalence_on_sparse_data": reason,
        },
    )


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
def test_labels_of_any_kind_sparse_or_dense(penalty):
    X, y = blobs()
    names = np.array(["T", "B", "NK"])[y]
    dense = MultinomialLogisticRegression(penalty=penalty, random_state=0).fit(X, names)
    sparse = MultinomialLogisticRegression(penalty=penalty, random_state=0).fit(csr_array(X), names)
    assert list(dense.classes_) == ["B", "NK", "T"]
    assert (dense.predict(X) == names).mean() > 0.8
    assert dense.alpha_ == pytest.approx(sparse.alpha_)
    np.testing.assert_allclose(dense.predict_proba(X), sparse.predict_proba(csr_array(X)), atol=1e-2)
    np.testing.assert_allclose(np.exp(dense.predict_log_proba(X)), dense.predict_proba(X))
    assert (
        dense.path_.alpha == dense.alpha_
        and dense.converged_
        and len(dense.diagnostics_) == dense.n_iter_ + 1
    )


def test_float32_stays_float32():
    X, y = blobs()
    model = MultinomialLogisticRegression(alpha=0.1).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.predict_proba(X.astype(np.float32)).dtype == np.float32


def test_class_balance_is_nothing_but_weights():
    X, y = blobs()
    keep = np.r_[np.flatnonzero(y < 2), np.flatnonzero(y == 2)[:4]]
    X, y = X[keep], y[keep]
    counts = np.bincount(y)
    by_name = MultinomialLogisticRegression(alpha=0.1, tol=1e-10).fit(X, y)
    by_hand = MultinomialLogisticRegression(alpha=0.1, tol=1e-10, class_weight=dict(enumerate(1 / counts)))
    np.testing.assert_allclose(by_name.coef_, by_hand.fit(X, y).coef_, atol=1e-5)
    plain = MultinomialLogisticRegression(alpha=0.1, class_weight=None).fit(X, y)
    assert (plain.predict(X) == 2).sum() < (by_name.predict(X) == 2).sum()


def test_two_classes_and_a_class_of_one_cell():
    X, y = blobs(K=2)
    model = MultinomialLogisticRegression(random_state=0).fit(X, y)
    assert model.coef_.shape == (2, 5)
    assert model.decision_function(X).shape == (90,)
    np.testing.assert_array_equal(model.decision_function(X) > 0, model.predict(X) == 1)
    y = y.copy()
    y[0] = 2
    lonely = MultinomialLogisticRegression(random_state=0).fit(X, y)
    assert list(lonely.classes_) == [0, 1, 2] and np.isfinite(lonely.coef_).all()


def test_one_class_and_unknown_penalties_are_refused():
    X, _ = blobs()
    with pytest.raises(InputError, match="one class only"):
        MultinomialLogisticRegression().fit(X, np.zeros(90))
    with pytest.raises(InputError, match="expected one of 'l2', 'l1', 'elasticnet'"):
        MultinomialLogisticRegression(penalty="L2").fit(X, np.arange(90) % 3)


def test_seeds_decide_the_folds():
    X, y = blobs()
    one = MultinomialLogisticRegression(random_state=0).fit(X, y)
    again = MultinomialLogisticRegression(random_state=0).fit(X, y)
    assert one.coef_.tobytes() == again.coef_.tobytes()
