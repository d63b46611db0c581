"""One problem, one answer: the multinomial model at a given penalty strength."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import ConvergenceWarning, Problems
from orthotype.models.linear.early import HeldOutLoss
from orthotype.models.linear.lbfgs import CAUTION, Iteration, minimise
from orthotype.models.linear.loss import MultinomialObjective
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.owlqn import minimise_sparse
from orthotype.models.linear.penalties import L2, ElasticNet
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Float64, Integer
from orthotype.models.linear.span import Span
from orthotype.models.linear.threads import one_blas_thread

ABSENT = -1000.0
SPAN_MOST_ROWS = 400


class Fitted(NamedTuple):
    """Coefficients of the classes that are present, and how they were reached."""

    coef: Float
    intercept: Float64
    value: float
    converged: bool
    diagnostics: tuple[Iteration, ...]


class Plan(NamedTuple):
    """One problem among the classes that are present, with the prior already pulled by gamma."""

    n_classes: int
    alpha: float
    l1_ratio: float
    prior: Float | None
    start: tuple[Float, Float] | None
    tol: float
    max_iter: int
    held_out: tuple[Rows, Integer] | None


Method = Literal["auto", "lbfgs", "span"]


@dataclass(frozen=True)
class Solution:
    """A fitted multinomial model.

    Attributes
    ----------
    coef, intercept
        Weights (K, p) and intercepts (K,) of raw rows.
    objective
        J at the solution, without the part of classes that have no rows.
    converged
        Whether the tolerance was reached.
    n_iter
        Number of steps.
    diagnostics
        One :class:`Iteration` a step; ``pandas.DataFrame(solution.diagnostics)`` is the table.
    """

    coef: Float
    intercept: Float64
    objective: float
    converged: bool
    n_iter: int
    diagnostics: tuple[Iteration, ...]


def solve(
    X: Any,
    y: Integer,
    *,
    n_classes: int,
    alpha: float,
    sample_weight: Float64 | None = None,
    center: Float | None = None,
    gamma: float = 1.0,
    start: tuple[Float, Float] | None = None,
    tol: float = 1e-4,
    max_iter: int = 500,
    method: Method = "auto",
    l1_ratio: float = 0.0,
    held_out: tuple[Any, Integer] | None = None,
) -> Solution:
    """Return the weights that minimise the class-balanced loss plus an L2 penalty with a centre.

    ::

        J = sum_i s_i CE(softmax(W x_i + b), y_i) / sum_i s_i + alpha / 2 || W - gamma W0 ||^2

    Source training, few-shot adaptation and training from scratch are this one problem with different
    ``center`` and ``gamma``. A class without any weighted row takes no part and keeps its row of ``start``,
    else of ``center``; the other intercepts are then placed so that the mean score of the labelled rows is
    that of ``start``.

    Parameters
    ----------
    X
        Rows (n, p): CSR or dense, float32 or float64, or what :func:`as_rows` made of them.
    y
        Class of each row, integers in 0 .. n_classes - 1.
    n_classes
        K.
    alpha
        Strength of the penalty, positive.
    sample_weight
        Row weights s (n,), not negative; class balance and folds are nothing else. None: all the same.
    center
        W0 (K, p).
    gamma
        How far the penalty pulls: 1 to W0, 0 to zero.
    start
        Weights (K, p) and intercepts (K,) to begin with.
    tol
        Relative gap to the minimum of J at which the fit has converged.
    max_iter
        Most steps.
    method
        "lbfgs" works on the genes, "span" in the span of the rows (n much smaller than p); "auto" chooses.
    l1_ratio
        Share of the absolute penalty, ``alpha * (l1_ratio |W|_1 + (1 - l1_ratio) / 2 || W ||^2)``; above 0
        some weights are exactly zero. Without a center only.
    held_out
        Rows and classes that end the fit early, when their loss stops falling; with the L2 penalty only.

    Raises
    ------
    InputError
        If the shapes do not fit, a weight is negative, or a number is not finite.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` was reached first.

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    >>> solution = solve(X, np.array([0, 1, 0, 1]), n_classes=2, alpha=0.1)
    >>> solution.coef.shape, bool(solution.converged)
    ((2, 2), True)
    """
    rows = as_rows(X)
    y = np.asarray(y)
    check_problem(rows, y, n_classes, sample_weight, alpha=alpha, center=center, l1_ratio=l1_ratio)
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    weights = weights / weights.sum()
    present = np.bincount(y, weights=weights, minlength=n_classes) > 0
    if held_out is not None:
        known = present[held_out[1]]
        held_out = (as_rows(held_out[0][known]), _among(present, held_out[1][known]))
    plan = Plan(
        n_classes=int(present.sum()),
        alpha=alpha,
        l1_ratio=l1_ratio,
        prior=None
        if center is None or gamma == 0.0
        else gamma * np.asarray(center, dtype=np.float64)[present],
        start=None if start is None else (np.asarray(start[0])[present], np.asarray(start[1])[present]),
        tol=tol,
        max_iter=max_iter,
        held_out=held_out,
    )
    few = rows.shape[0] <= SPAN_MOST_ROWS and 5 * rows.shape[0] <= rows.shape[1]
    spanned = method == "span" or (method == "auto" and few and l1_ratio == 0.0 and held_out is None)
    with one_blas_thread():
        fitted = (_in_span if spanned else _on_genes)(rows, _among(present, y), weights, plan)
    if not fitted.converged:
        warn_not_converged(fitted.diagnostics, tol)
    coef, intercept = fitted.coef, fitted.intercept
    if not present.all():
        mean = rows.transposed(weights[:, None])[:, 0]
        coef, intercept = _with_absent(fitted, mean, present, center, start)
    return Solution(
        coef, intercept, fitted.value, fitted.converged, len(fitted.diagnostics) - 1, fitted.diagnostics
    )


def _among(present: NDArray[np.bool_], y: Integer) -> Integer:
    """Return class numbers counted among the classes that are present; 0 for the others."""
    return y if present.all() else np.where(present[y], np.cumsum(present)[y] - 1, 0)


def _on_genes(rows: Rows, y: Integer, weights: Float64, plan: Plan) -> Fitted:
    prior = None if plan.prior is None else plan.prior.T
    smooth = L2(plan.alpha, prior) if plan.l1_ratio == 0.0 else ElasticNet(plan.alpha, plan.l1_ratio).smooth
    objective = MultinomialObjective(rows, y, weights, n_classes=plan.n_classes, penalty=smooth)
    begin = plan.start
    if begin is None:
        W = np.zeros((plan.n_classes, rows.shape[1])) if plan.prior is None else plan.prior
        begin = (W, -(W @ objective.mean))
    theta = objective.pack(*begin)
    if plan.l1_ratio > 0.0:
        threshold = ElasticNet(plan.alpha, plan.l1_ratio).threshold
        minimum = minimise_sparse(objective, theta, threshold=threshold, tol=plan.tol, max_iter=plan.max_iter)
        return Fitted(*objective.unpack(minimum.theta), minimum.value, minimum.converged, minimum.diagnostics)
    watch = None if plan.held_out is None else HeldOutLoss(objective, *plan.held_out)
    minimum = minimise(objective, theta, tol=plan.tol, max_iter=plan.max_iter, stop=watch)
    best = minimum.theta if watch is None or watch.best is None else watch.best
    return Fitted(*objective.unpack(best), minimum.value, minimum.converged, minimum.diagnostics)


def _in_span(rows: Rows, y: Integer, weights: Float64, plan: Plan) -> Fitted:
    span = Span(rows, plan.prior)
    found = _on_genes(span.rows, y, weights, plan._replace(prior=span.prior, start=None))
    coef, intercept = span.expand(found.coef, found.intercept)
    return found._replace(coef=coef, intercept=intercept)


def _with_absent(
    fitted: Fitted,
    mean: Float64,
    present: NDArray[np.bool_],
    center: Float | None,
    start: tuple[Float, Float] | None,
) -> tuple[Float, Float64]:
    """Put the rows of absent classes back, and set the level of the others beside them."""
    n_classes, n_genes = len(present), fitted.coef.shape[1]
    coef = np.zeros((n_classes, n_genes), dtype=fitted.coef.dtype)
    intercept = np.full(n_classes, ABSENT)
    if center is not None:
        coef[~present] = np.asarray(center)[~present]
    level = 0.0
    if start is not None:
        before, level_before = np.asarray(start[0], dtype=np.float64), np.asarray(start[1], dtype=np.float64)
        coef[~present] = before[~present]
        intercept[~present] = level_before[~present]
        level = float(np.mean((before @ mean + level_before)[present]))
        level -= float(np.mean(fitted.coef @ mean + fitted.intercept))
    coef[present] = fitted.coef
    intercept[present] = fitted.intercept + level
    return coef, intercept


def warn_not_converged(diagnostics: Sequence[Iteration], tol: float) -> None:
    """Warn that a fit stopped early, with how far it is and what to do."""
    last = diagnostics[-1]
    gap = last.gap / (CAUTION * max(abs(last.objective), np.finfo(np.float64).tiny))
    warnings.warn(
        f"the fit stopped after {last.iteration} steps at an estimated relative gap of {gap:.1e}; "
        f"expected at most tol={tol:g}; raise max_iter or tol, or use a stronger penalty (larger alpha)",
        ConvergenceWarning,
        stacklevel=3,
    )


def check_problem(
    rows: Rows,
    y: Integer,
    n_classes: int,
    sample_weight: Float64 | None,
    *,
    alpha: float = 1.0,
    center: Float | None = None,
    l1_ratio: float = 0.0,
) -> None:
    """Raise one error with everything that makes a problem unsolvable."""
    problems = Problems("the regression problem")
    n, p = rows.shape
    if y.shape != (n,):
        problems.add(f"labels of shape {y.shape}", expected=f"({n},), one for each row")
    elif n == 0:
        problems.add("no rows", remedy="pass at least one labelled cell")
    elif y.min() < 0 or y.max() >= n_classes:
        problems.add(f"class numbers from {y.min()} to {y.max()}", expected=f"0 to {n_classes - 1}")
    if not (np.isfinite(alpha) and alpha > 0):
        problems.add(f"alpha={alpha}", expected="a positive, finite number")
    if not 0.0 <= l1_ratio <= 1.0:
        problems.add(f"l1_ratio={l1_ratio}", expected="a number from 0 to 1")
    if l1_ratio > 0.0 and center is not None:
        problems.add("an absolute penalty with a center", remedy="leave out l1_ratio or center")
    if sample_weight is not None:
        s = np.asarray(sample_weight)
        if s.shape != (n,):
            problems.add(f"row weights of shape {s.shape}", expected=f"({n},), one for each row")
        elif not np.isfinite(s).all() or (s < 0).any() or not s.sum() > 0:
            problems.add(
                "row weights that are negative, not finite or all zero", expected="some positive weight"
            )
    if center is not None and np.shape(center) != (n_classes, p):
        problems.add(
            f"a center of shape {np.shape(center)}", expected=f"({n_classes}, {p}), classes by genes"
        )
    if not rows.finite():
        problems.add(
            "values that are not finite", expected="finite numbers", remedy="remove NaN and infinity first"
        )
    problems.raise_if_any()
