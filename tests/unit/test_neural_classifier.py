"""The estimator: scikit-learn's own checks, sparse or dense, labels of any kind. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import check_estimator

from orthotype.models.neural import MLPClassifier

pytest.importorskip("torch", reason="torch is not installed: no neural network is trained or tested")
pytestmark = pytest.mark.torch


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_accepts_it() -> None:
    check_estimator(MLPClassifier(8, dropout=0.0, l1=0.0, learning_rate=0.03, steps=20, epochs=2))


def test_labels_of_any_kind_sparse_or_dense(rng) -> None:
    y = np.repeat(["T", "B"], 50)
    X = rng.poisson(1.0, size=(100, 20)) + 3.0 * (y == "B")[:, None]
    dense, sparse = MLPClassifier().fit(X, y), MLPClassifier().fit(csr_array(X), y)
    assert dense.predict([[1.0] * 20, [4.0] * 20]).tolist() == ["T", "B"]
    assert dense.predict_proba(X).tobytes() == sparse.predict_proba(csr_array(X)).tobytes()
    assert list(dense.classes_) == ["B", "T"]
    np.testing.assert_allclose(dense.predict_proba(X).sum(axis=1), 1.0)


def test_one_class_is_refused(rng) -> None:
    with pytest.raises(ValueError, match="one class"):
        MLPClassifier().fit(rng.random((5, 3)), np.zeros(5))


def test_seeds_decide(rng) -> None:
    y = np.arange(60) % 3
    X = rng.random((60, 5)) + np.eye(3, 5)[y]
    made = [MLPClassifier(epochs=1, random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1)]
    assert made[0].tobytes() == made[1].tobytes() != made[2].tobytes()
