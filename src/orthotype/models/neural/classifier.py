"""The network of Stumpf et al. 2020 as a scikit-learn estimator."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from orthotype.models.neural.network import Floats, SoftmaxNetwork
from orthotype.models.neural.training import Schedule, train


class MLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A softmax network with dropout of the input and at most one hidden layer, trained on balanced batches.

    The defaults are the network of Stumpf et al. (2020): 16 rectified units, half of the input dropped, an
    absolute penalty of 0.001 on the hidden kernel, RMSprop, 42 batches of 5 cells per class in each of 21
    epochs. With ``hidden=0, dropout=0.0, epochs=10`` it is their multinomial regression. For the exact
    optimum of a regression see :class:`orthotype.models.linear.MultinomialLogisticRegression`.

    Parameters
    ----------
    hidden
        Units of the hidden layer; 0 for none.
    dropout
        Share of the input values set to zero while training.
    l1
        Strength of the absolute penalty on the hidden kernel.
    per_class
        Cells of every class in a batch.
    steps
        Batches per epoch.
    epochs
        Epochs.
    learning_rate
        Length of a step.
    random_state
        Decides first weights, batches and dropout.

    Attributes
    ----------
    classes_ : (n_classes,)
    network_ : SoftmaxNetwork
        What was learned; needs no torch.

    References
    ----------
    Stumpf et al. (2020), Commun Biol 3:736, Methods, "Artificial neural network".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["T", "B"], 50)
    >>> X = rng.poisson(1.0, size=(100, 20)) + 3.0 * (y == "B")[:, None]
    >>> MLPClassifier().fit(X, y).predict([[1.0] * 20, [4.0] * 20]).tolist()  # doctest: +SKIP
    ['T', 'B']
    """

    def __init__(
        self,
        hidden: int = 16,
        *,
        dropout: float = 0.5,
        l1: float = 0.001,
        per_class: int = 5,
        steps: int = 42,
        epochs: int = 21,
        learning_rate: float = 1e-3,
        random_state: int | None = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.l1 = l1
        self.per_class = per_class
        self.steps = steps
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn from labelled cells.

        Parameters
        ----------
        X
            Cells x genes, dense or CSR.
        y
            Class of each cell.

        Raises
        ------
        OrthotypeError
            If torch is not installed.
        ValueError
            If there is a single class, or X holds NaN or infinite values.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float32, np.float64])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class ({self.classes_[0]!r}); at least two classes are needed")
        rng = check_random_state(self.random_state)
        start, training = (int(seed) for seed in rng.randint(2**31 - 1, size=2))
        network = SoftmaxNetwork.random(
            X.shape[1],
            hidden=self.hidden,
            n_classes=len(self.classes_),
            rng=np.random.default_rng(start),
        )
        schedule = Schedule(
            steps=self.steps,
            epochs=self.epochs,
            per_class=self.per_class,
            dropout=self.dropout,
            l1=self.l1,
            learning_rate=self.learning_rate,
        )
        self.network_ = train(network, X, codes, schedule=schedule, seed=training)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def predict_proba(self, X: Any) -> Floats:
        """Return class probabilities in the order of ``classes_``, shape (n, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=False)
        return self.network_.predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each cell."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])
