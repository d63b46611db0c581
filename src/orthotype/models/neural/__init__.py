"""A small softmax network, as in Stumpf et al. 2020, trained with torch (an extra) and predicting without.

::

    classifier   the scikit-learn estimator
    training     RMSprop on class-balanced batches, the only module that needs torch
    batches      what a training step sees
    network      weights, and what they say of a cell: NumPy and SciPy alone
"""

from orthotype.models.neural.classifier import MLPClassifier
from orthotype.models.neural.network import SoftmaxNetwork
from orthotype.models.neural.training import Schedule, train

__all__ = ["MLPClassifier", "Schedule", "SoftmaxNetwork", "train"]
