"""Softmax regression on sparse rows: one objective for training, folds, adaptation and transfer.

::

    classifier   the scikit-learn estimator
    path         folds and penalties as one problem
    solve        one problem at one penalty          span      the same for a few rows and many genes
    lbfgs        the solver                          penalties what keeps the weights small
    loss         the objective                       softmax   what the scores of a row say
    rows         the matrix behind it: scipy, NumPy or the native kernel
"""

from orthotype.models.linear.classifier import MultinomialLogisticRegression
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.path import FoldPath, default_alphas, fit_path, stratified_folds
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.solve import Solution, solve

__all__ = [
    "FoldPath",
    "MultinomialLogisticRegression",
    "Rows",
    "Solution",
    "as_rows",
    "class_weights",
    "default_alphas",
    "fit_path",
    "solve",
    "stratified_folds",
]
