"""Solvers of the same objective, each with a budget to spend: ours, scikit-learn's, torch's."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.problems import Problem

Fit = Callable[[Problem, int], tuple[np.ndarray, np.ndarray]]


def orthotype_kernel(problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit with the solver of orthotype."""
    from orthotype.models.linear import solve

    found = solve(
        problem.X,
        problem.y,
        n_classes=problem.classes,
        alpha=problem.alpha,
        tol=1e-12,
        max_iter=budget,
        method="lbfgs",
    )
    return found.coef, found.intercept


def _sklearn(problem: Problem, budget: int, solver: str, tol: float) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    C = 1 / (problem.alpha * len(problem.y))
    found = LogisticRegression(C=C, solver=solver, max_iter=budget, tol=tol).fit(problem.X, problem.y)
    return found.coef_, found.intercept_


def sklearn_lbfgs(problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit with scikit-learn's default solver."""
    return _sklearn(problem, budget, "lbfgs", 1e-12)


def sklearn_newton_cg(problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit with scikit-learn's Newton-CG."""
    return _sklearn(problem, budget, "newton-cg", 1e-12)


def sklearn_sgd(problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit one-against-rest by stochastic gradients: another objective, so only its accuracy compares."""
    from sklearn.linear_model import SGDClassifier

    found = SGDClassifier(
        loss="log_loss", alpha=problem.alpha, max_iter=budget, tol=None, random_state=0, n_jobs=2
    )
    found.fit(problem.X, problem.y)
    return found.coef_, found.intercept_


def torch_lbfgs(problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit with torch's L-BFGS on a sparse tensor."""
    import torch

    X = problem.X
    parts = (torch.from_numpy(X.indptr.astype(np.int64)), torch.from_numpy(X.indices.astype(np.int64)))
    rows = torch.sparse_csr_tensor(*parts, torch.from_numpy(X.data), size=X.shape)
    y = torch.from_numpy(problem.y.astype(np.int64))
    W = torch.zeros((X.shape[1], problem.classes), requires_grad=True)
    b = torch.zeros(problem.classes, requires_grad=True)
    keys = {
        "tolerance_grad": 0.0,
        "tolerance_change": 0.0,
        "history_size": 20,
        "line_search_fn": "strong_wolfe",
    }
    optimizer = torch.optim.LBFGS([W, b], max_iter=budget, **keys)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(rows @ W + b, y) + problem.alpha / 2 * (W**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return W.detach().numpy().T, b.detach().numpy()


SOLVERS: dict[str, Fit] = {
    "orthotype": orthotype_kernel,
    "orthotype (scipy)": orthotype_kernel,
    "scikit-learn lbfgs": sklearn_lbfgs,
    "scikit-learn newton-cg": sklearn_newton_cg,
    "torch LBFGS": torch_lbfgs,
    "scikit-learn SGD": sklearn_sgd,
}


def objective(problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> float:
    """Return J in float64, the same way for everyone."""
    from orthotype.models.linear.softmax import row_losses

    W = coef.astype(np.float64)
    return float(row_losses(problem.X @ W.T + intercept, problem.y).mean() + problem.alpha / 2 * (W**2).sum())


def scores(problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> dict[str, float]:
    """Return accuracy and mean recall on the test cells."""
    hit = (problem.X_test @ coef.T + intercept).argmax(axis=1) == problem.y_test
    recall = np.mean([hit[problem.y_test == k].mean() for k in np.unique(problem.y_test)])
    return {"accuracy": float(hit.mean()), "mean_recall": float(recall)}


def quietly(fit: Fit, problem: Problem, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit without the warning that the budget was spent: that is what is being measured."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(problem, budget)
