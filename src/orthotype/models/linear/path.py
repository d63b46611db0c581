"""Which penalty: a path from strong to weak, over folds that are nothing but zero weights.

1. One matrix serves every fold; a fold's model gives weight zero to the rows that it must not see.
2. Each strength starts from the solution of the one before, and takes over its remembered steps: when only
   alpha changes, the change of gradient along a step s changes by exactly (alpha' - alpha) s.
3. The held-out losses decide, by one of two rules (:mod:`orthotype.models.linear.choice`). When they have
   risen for two strengths, weaker ones are not tried.
4. The refit on all rows starts from the mean of the fold models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from orthotype.errors import Problems
from orthotype.models.linear.choice import RULES, Choice, HeldOut, Rule, judge
from orthotype.models.linear.kept import KeptFits
from orthotype.models.linear.lbfgs import Iteration, Memory, Minimum, minimise
from orthotype.models.linear.loss import MultinomialObjective
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.owlqn import minimise_sparse
from orthotype.models.linear.penalties import L2, ElasticNet
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Float64, Integer
from orthotype.models.linear.solve import ABSENT, Solution, check_problem, solve, warn_not_converged
from orthotype.models.linear.threads import one_blas_thread


@dataclass(frozen=True)
class FoldPath:
    """Models of every fold along a path of penalties, and the penalty that predicts held-out rows best.

    Attributes
    ----------
    alphas
        Strengths in the order they were tried, strong to weak (A,).
    losses
        Held-out weighted mean log-loss of each strength and fold (A, M); classes that a fold's model
        has never seen are left out of its mean, and a fold that held out nothing is NaN.
    alpha
        The chosen strength.
    coef, intercept
        Fold models at the chosen strength, (M, K, p) and (M, K). A class without a training row in a fold has
        zero weights and an intercept of -1000 there: its probability is zero.
    held_out_scores
        Raw scores (n, K) of every row by the model that did not see it; NaN for rows that no fold held out.
    refit
        The fit on all rows at the chosen strength, if it was asked for.
    diagnostics
        For each fold and strength (in the order tried), the table of iterations.
    """

    alphas: Float64
    losses: Float64
    alpha: float
    coef: Float
    intercept: Float64
    held_out_scores: Float
    refit: Solution | None
    diagnostics: dict[tuple[int, float], tuple[Iteration, ...]]


class _Fold:
    """One fold's problem, and its best model so far."""

    def __init__(
        self, rows: Rows, y: Integer, weights: Float64, held_out: Integer, n_classes: int, l1_ratio: float
    ) -> None:
        weights = weights / weights.sum()
        self.y, self.rows, self.held_out, self.n_classes = y, rows, held_out, n_classes
        self.present = np.bincount(y, weights=weights, minlength=n_classes) > 0
        kept = np.where(self.present[y], np.cumsum(self.present)[y] - 1, 0)
        found = int(self.present.sum())
        self.l1_ratio = l1_ratio
        self.objective = MultinomialObjective(rows, kept, weights, n_classes=found, penalty=L2(0.0))
        self.theta = np.zeros((rows.shape[1] + 1, found), dtype=rows.dtype)
        self.memory = Memory()
        self.usable: int | None = None  # at how many strengths fits can be read

    def fit(self, alpha: float, tol: float, max_iter: int) -> Minimum:
        """Go on to the next strength, from where the last one ended."""
        penalty = ElasticNet(alpha, self.l1_ratio)
        self.memory.bend(penalty.smooth.alpha - self.objective.penalty.alpha, self.theta.shape)
        self.objective = self.objective.with_penalty(penalty.smooth)
        if self.l1_ratio > 0.0:
            threshold = penalty.threshold
            minimum = minimise_sparse(
                self.objective,
                self.theta,
                threshold=threshold,
                tol=tol,
                max_iter=max_iter,
                memory=self.memory,
            )
        else:
            minimum = minimise(self.objective, self.theta, tol=tol, max_iter=max_iter, memory=self.memory)
        self.theta = minimum.theta
        return minimum

    def step(self, number: int, fold: int, alpha: float, kept: KeptFits | None, **limits: Any) -> Minimum:
        """Return the fit at a strength: the one that was kept, or a new one, which is kept then."""
        if kept is None:
            return self.fit(alpha, **limits)
        if self.usable is None:
            self.usable = kept.usable(fold)
        found = kept.read(number, fold) if number < self.usable else None
        if found is None:
            found = self.fit(alpha, **limits)
            kept.keep(number, fold, found, self.memory)
            return found
        self.objective = self.objective.with_penalty(ElasticNet(alpha, self.l1_ratio).smooth)
        self.theta = found.theta
        if number == self.usable - 1:
            self.memory = kept.memory(number, fold) or Memory()
        return found

    def strongest(self) -> float:
        """Return the absolute penalty that leaves every weight at zero."""
        return float(np.abs(self.objective(np.zeros_like(self.theta)).gradient[:-1]).max())

    def model(self) -> tuple[Float, Float64]:
        """Return coefficients (K, p) and intercepts (K,) with absent classes in place."""
        coef = np.zeros((self.n_classes, self.rows.shape[1]), dtype=self.rows.dtype)
        intercept = np.full(self.n_classes, ABSENT)
        coef[self.present], intercept[self.present] = self.objective.unpack(self.theta)
        return coef, intercept

    def judged(self, weights: Float64, coef: Float, intercept: Float64) -> HeldOut:
        """Return what a model says of the rows it has not seen; classes it has never seen weigh nothing."""
        y = self.y[self.held_out]
        scores = self.rows.scores(coef.T, intercept, subset=self.held_out)
        return HeldOut(scores, y, np.where(self.present[y], weights[self.held_out], 0.0))


def default_alphas(variance: Float64, n_alphas: int = 10) -> Float64:
    """Return strengths from strong to weak that suit the scale of the genes.

    The strongest leaves hardly more than the intercepts, the weakest fits a training set of a few thousand
    cells almost perfectly; both scale with the total variance, so multiplying all values by a constant
    changes nothing.

    Parameters
    ----------
    variance
        Variance of every gene, (p,).
    n_alphas
        How many.
    """
    total = float(variance.sum())
    return (total if total > 0 else 1.0) * np.logspace(-1.5, -5.5, n_alphas)


def _suitable(members: list[_Fold], l1_ratio: float) -> Float64:
    if l1_ratio == 0.0:
        return default_alphas(np.mean([member.objective.variance for member in members], axis=0))
    strongest = max(member.strongest() for member in members) / l1_ratio
    return np.asarray((strongest if strongest > 0 else 1.0) * np.logspace(-0.2, -3.2, 10))


def stratified_folds(
    y: Integer, *, n_splits: int, random_state: int | np.random.Generator | None = None
) -> Integer:
    """Return the fold that holds out each row, (n,), every class spread as evenly as its size allows.

    A class with fewer rows than folds is dealt out all the same: some folds hold out none of it, and the fold
    that holds out the only row of a class trains without that class.
    """
    rng = np.random.default_rng(random_state)
    folds = np.empty(len(y), dtype=np.int64)
    first = 0
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        folds[members] = (first + np.arange(len(members))) % n_splits
        first = (first + len(members)) % n_splits
    return folds


def fit_path(
    X: Any,
    y: Integer,
    *,
    n_classes: int,
    folds: Integer,
    sample_weight: Float64 | None = None,
    alphas: Float64 | None = None,
    l1_ratio: float = 0.0,
    rule: Rule = "lowest",
    tol: float = 1e-3,
    refit: bool = False,
    refit_tol: float = 1e-4,
    max_iter: int = 500,
    kept: KeptFits | None = None,
) -> FoldPath:
    """Return fold models along a path of penalties, and the penalty that predicts held-out rows best.

    Parameters
    ----------
    X
        Rows (n, p), CSR or dense, or what :func:`as_rows` made of them.
    y
        Class of each row, integers in 0 .. n_classes - 1.
    n_classes
        K.
    folds
        Number of the fold in which a row is held out, 0 .. M - 1; -1 for a row that every fold trains on.
    sample_weight
        Row weights (n,), in training and in the held-out loss; see :func:`class_weights`.
    alphas
        Strengths to try; by default ten that suit the data. They are tried from strong to weak.
    l1_ratio
        Share of the absolute penalty; above 0 some weights are exactly zero.
    rule
        Which strength to keep: "lowest" or "strongest"; see :mod:`orthotype.models.linear.choice`.
    tol
        Relative gap at which a fold's fit has converged: enough to compare strengths.
    refit
        Also fit all rows at the chosen strength.
    refit_tol
        Relative gap of that fit.
    max_iter
        Most steps of one fit.
    kept
        Where fits are kept, for a path that goes on where it was interrupted; its key must tell of everything
        above. None to keep nothing.
    """
    rows, y, folds = as_rows(X), np.asarray(y), np.asarray(folds)
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    _check(rows, y, folds, weights, n_classes, rule)
    with one_blas_thread():
        members = [
            _Fold(
                rows, y, np.where(folds == m, 0.0, weights), np.flatnonzero(folds == m), n_classes, l1_ratio
            )
            for m in range(int(folds.max()) + 1)
        ]
        if alphas is None:
            alphas = _suitable(members, l1_ratio)
        choice = Choice(rule)
        diagnostics = _walk(members, alphas, choice, weights, tol=tol, max_iter=max_iter, kept=kept)
        best = choice.chosen()
        held_out_scores = np.full((len(y), n_classes), np.nan, dtype=rows.dtype)
        for member, part in zip(members, best.held_out, strict=True):
            held_out_scores[member.held_out] = part.scores
        coef, intercept = np.stack([c for c, _ in best.models]), np.stack([b for _, b in best.models])
        whole = (
            _refit(rows, y, weights, coef, intercept, best.alpha, l1_ratio, refit_tol, max_iter)
            if refit
            else None
        )
    return FoldPath(
        np.array(choice.alphas),
        np.array(choice.losses),
        best.alpha,
        coef,
        intercept,
        held_out_scores,
        whole,
        diagnostics,
    )


def _walk(
    members: list[_Fold],
    alphas: Float64,
    choice: Choice,
    weights: Float64,
    *,
    tol: float,
    max_iter: int,
    kept: KeptFits | None,
) -> dict[tuple[int, float], tuple[Iteration, ...]]:
    """Try strengths from strong to weak until held-out losses have risen; return the tables of the fits."""
    diagnostics: dict[tuple[int, float], tuple[Iteration, ...]] = {}
    for step, alpha in enumerate(-np.sort(-np.asarray(alphas, dtype=np.float64))):
        models = []
        for number, member in enumerate(members):
            minimum = member.step(step, number, float(alpha), kept, tol=tol, max_iter=max_iter)
            diagnostics[number, float(alpha)] = minimum.diagnostics
            if not minimum.converged:
                warn_not_converged(minimum.diagnostics, tol)
            models.append(member.model())
        held_out = [member.judged(weights, *model) for member, model in zip(members, models, strict=True)]
        choice.add(judge(float(alpha), models, held_out, rule=choice.rule))
        if choice.risen():
            break
    return diagnostics


def _refit(
    rows: Rows,
    y: Integer,
    weights: Float64,
    coef: Float,
    intercept: Float64,
    alpha: float,
    l1_ratio: float,
    tol: float,
    max_iter: int,
) -> Solution:
    """Fit all rows, starting from the mean of the fold models."""
    start = (coef.mean(axis=0), np.where(intercept > ABSENT, intercept, 0.0).mean(axis=0))
    return solve(
        rows,
        y,
        n_classes=coef.shape[1],
        alpha=alpha,
        sample_weight=weights,
        start=start,
        tol=tol,
        max_iter=max_iter,
        method="lbfgs",
        l1_ratio=l1_ratio,
    )


def _check(rows: Rows, y: Integer, folds: Integer, weights: Float64, n_classes: int, rule: str) -> None:
    check_problem(rows, y, n_classes, weights)
    problems = Problems("the path of penalties")
    if rule not in RULES:
        problems.add(
            f"rule {rule!r} is not known",
            expected=f"one of {', '.join(map(repr, RULES))}, or a positive number for alpha",
        )
    if folds.shape != y.shape:
        problems.add(f"fold numbers of shape {folds.shape}", expected=f"{y.shape}, one for each row")
    elif folds.min() < -1 or folds.max() < 0:
        problems.add("no fold that holds out a row", expected="fold numbers 0, 1, ... (-1: never held out)")
    else:
        for m in range(int(folds.max()) + 1):
            if not (weights[folds != m] > 0).any():
                problems.add(f"fold {m} holds out every row", remedy="use at least two folds")
    problems.raise_if_any()
