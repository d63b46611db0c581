"""The same objective in the span of its rows: a few labelled cells, thousands of genes, milliseconds.

At the optimum ``W - gamma W0 = Xc.T C``: the change lies in the span of the n centred rows, so n numbers a
class are enough whatever the number of genes. Scores are ``F0 + G C + b`` with the Gram matrix ``G = Xc
Xc.T`` and the prior's scores ``F0``, and the penalty is ``alpha / 2 tr(C.T G C)``. L-BFGS runs in the inner
product <A, B> = tr(A.T G B), in which it takes the same steps as on W itself. Its start is ``(c G +
alpha)^-1``, the curvature of all rows at once, from one Cholesky factor of an n x n matrix.

The Gram matrix and F0 serve every alpha, every gamma and every fold.

Conventions
-----------
C, R : (n, K) coefficients and residuals
G : (n, n), float64
"""

from dataclasses import dataclass

import numpy as np

from orthotype.models.linear.lbfgs import CAUTION, PATIENCE, Iteration
from orthotype.models.linear.loss import SMALLEST_CURVATURE
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Float64, Integer, residuals

ENOUGH = 1e-4
LENGTH = 20


@dataclass(frozen=True)
class SpanMinimum:
    """The solution of a problem in the span of its rows.

    Attributes
    ----------
    coefficients
        C (n, K) in terms of the centred rows.
    intercept
        Centred intercept b' (K,), relative to the prior's scores.
    scores
        Raw scores of all rows (n, K), also of those without weight.
    """

    coefficients: Float64
    intercept: Float64
    scores: Float64
    value: float
    converged: bool
    diagnostics: tuple[Iteration, ...]


@dataclass(frozen=True)
class _Point:
    C: Float64
    b: Float64
    GC: Float64
    value: float
    R: Float64  # gradient coefficients in the span
    GR: Float64
    g: Float64  # gradient of the intercept
    spread: Float64


class SpanProblem:
    """A few rows and a prior, ready to be solved for any strength, pull and set of row weights.

    Parameters
    ----------
    rows
        The rows (n, p).
    prior
        Prior weights W0 (K, p); None stands for none.
    """

    def __init__(self, rows: Rows, prior: Float | None = None) -> None:
        self.rows, self.prior = rows, prior
        self.gram = rows.gram()
        if prior is not None:
            self.prior_scores = rows.scores(prior.T, np.zeros(len(prior))).astype(np.float64)

    def solve(
        self,
        y: Integer,
        weights: Float64,
        *,
        n_classes: int,
        alpha: float,
        gamma: float = 1.0,
        tol: float = 1e-4,
        max_iter: int = 500,
    ) -> SpanMinimum:
        """Return the minimum of J for the given strength, pull and row weights (n,), which sum to one."""
        cross = self.gram @ weights
        centred = self.gram - cross[:, None] - cross[None] + weights @ cross
        if self.prior is None or gamma == 0.0:
            offset = np.zeros((len(y), n_classes))
        else:
            offset = gamma * (self.prior_scores - weights @ self.prior_scores)
        return _Solver(centred, offset, y, weights, alpha).run(tol, max_iter)

    def unpack(self, minimum: SpanMinimum, weights: Float64, *, gamma: float = 1.0) -> tuple[Float, Float64]:
        """Return coefficients (K, p) and intercepts of raw rows (K,)."""
        sums = self.rows.transposed(np.column_stack([minimum.coefficients, weights]))
        mean = sums[:, -1]
        coef = sums[:, :-1].T - minimum.coefficients.sum(axis=0)[:, None] * mean
        if self.prior is not None:
            coef += gamma * self.prior
        return coef.astype(self.rows.dtype), minimum.intercept - coef @ mean


class _Solver:
    def __init__(self, G: Float64, offset: Float64, y: Integer, weights: Float64, alpha: float) -> None:
        self.G, self.offset, self.y, self.weights, self.alpha = G, offset, y, weights, alpha
        self.root = np.sqrt(weights)[:, None]
        self.pairs: list[_Pair] = []
        self.passes = 0

    def point(self, C: Float64, b: Float64, GC: Float64) -> _Point:
        """Evaluate the objective where the image G C is known."""
        self.passes += 1
        loss, away, by_class, spread = residuals(self.offset + GC + b, self.y, self.weights)
        value = loss + 0.5 * self.alpha * float(np.vdot(C, GC))
        R = np.asarray(away + self.alpha * C, dtype=np.float64)
        return _Point(C, b, GC, value, R, self.G @ R, by_class, spread)

    def factorise(self, spread: float) -> None:
        """Keep the Cholesky factor of ``spread * D^1/2 G D^1/2 + alpha``, D being the row weights."""
        from scipy.linalg import cho_factor

        B = spread * self.root * self.G * self.root.T
        B[np.diag_indices_from(B)] += self.alpha
        self.factor, self.spread = cho_factor(B, overwrite_a=True, check_finite=False), spread

    def preconditioned(self, R: Float64) -> Float64:
        """Return the coefficients of ``(spread * X.T D X + alpha)^-1`` applied to a vector of the span."""
        from scipy.linalg import cho_solve

        image = self.root * (self.G @ R)
        inner = cho_solve(self.factor, image, check_finite=False)
        return np.asarray((R - self.spread * self.root * inner) / self.alpha)

    def direction(self, at: _Point) -> tuple[Float64, Float64]:
        """Return the L-BFGS direction for coefficients and intercept, by the two loops."""
        q, qb = at.R.copy(), at.g.copy()
        factors = []
        for _s, sb, Gs, y, yb, _Gy, sy in reversed(self.pairs):
            factor = (float(np.vdot(Gs, q)) + float(sb @ qb)) / sy
            q -= factor * y
            qb -= factor * yb
            factors.append(factor)
        r = self.preconditioned(q)
        rb = qb / np.maximum(at.spread, SMALLEST_CURVATURE)
        for (s, sb, _Gs, _y, yb, Gy, sy), factor in zip(self.pairs, reversed(factors), strict=True):
            back = factor - (float(np.vdot(Gy, r)) + float(yb @ rb)) / sy
            r += back * s
            rb += back * sb
        return -r, -rb

    def run(self, tol: float, max_iter: int) -> SpanMinimum:
        """Iterate to the tolerance."""
        zero = np.zeros(self.offset.shape)
        here = self.point(zero, np.zeros(zero.shape[1]), zero)
        self.factorise(max(float(here.spread.mean()), SMALLEST_CURVATURE))
        table: list[Iteration] = []
        good, step, converged = 0, 0.0, False
        for iteration in range(max_iter + 1):
            d, db = self.direction(here)
            Gd = self.G @ d
            slope = float(np.vdot(Gd, here.R)) + float(db @ here.g)
            norm = float(np.sqrt(max(np.vdot(here.R, here.GR), 0.0) + here.g @ here.g))
            table.append(Iteration(iteration, here.value, -slope / 2, norm, step, float(self.passes)))
            good = good + 1 if -slope / 2 <= CAUTION * tol * abs(here.value) else 0
            converged = good >= PATIENCE or norm <= 1e-14
            if converged or iteration == max_iter or not slope < 0.0:
                break
            there, step = self.search(here, d, db, Gd, slope)
            if there is None:
                converged = -slope / 2 <= 1e-10 * max(abs(here.value), 1.0)
                break
            self.remember(here, there)
            here = there
        scores = np.asarray(self.offset + here.GC + here.b)
        return SpanMinimum(here.C, here.b, scores, here.value, converged, tuple(table))

    def search(
        self, here: _Point, d: Float64, db: Float64, Gd: Float64, slope: float
    ) -> tuple[_Point | None, float]:
        """Shorten the step until the objective falls enough."""
        step = 1.0
        while step > 1e-10:
            there = self.point(here.C + step * d, here.b + step * db, here.GC + step * Gd)
            if there.value - here.value <= ENOUGH * step * slope:
                return there, step
            step *= 0.5
        return None, 0.0

    def remember(self, here: _Point, there: _Point) -> None:
        """Keep the step and its change of gradient."""
        s, sb, Gs = there.C - here.C, there.b - here.b, there.GC - here.GC
        y, yb, Gy = there.R - here.R, there.g - here.g, there.GR - here.GR
        sy = float(np.vdot(Gs, y)) + float(sb @ yb)
        if sy > 0.0:
            self.pairs = [*self.pairs[-(LENGTH - 1) :], (s, sb, Gs, y, yb, Gy, sy)]
