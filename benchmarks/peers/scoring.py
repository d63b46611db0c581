"""Scores of an answer over the classes that both sides have, with intervals over donors.

*Call* is the most probable class whatever else is said of a cell; *given* is the label as handed out, where
unknown and no agreement are wrong. Cells whose class the source lacks count for the unknown alone.
"""

from typing import Any

import numpy as np

from orthotype import metrics
from orthotype.metrics.bootstrap import FEWEST_GROUPS, cell_weights, group_weights
from peers.pairs import Pair
from peers.problem import Answer

FEWEST = 10
DRAWS = 200
OTHER = "another class"
ABSTAINED = ("unknown", "no agreement")


def score(pair: Pair, classes: np.ndarray, answer: Answer, strange: np.ndarray | None) -> dict[str, Any]:
    """Score one answer of a tool.

    Parameters
    ----------
    pair
        With the true labels.
    classes
        What the tool was trained on.
    answer
        Its answer.
    strange
        Cells that it ought not to know; None for all without a right answer among the classes.
    """
    correct = pair.correct(classes)
    known = correct.any(axis=1)
    strange = ~known if strange is None else strange
    found: dict[str, Any] = {
        "call": of_labels(pair, classes, answer.top, answer.confidence, correct, known),
        "given": of_labels(pair, classes, answer.given, np.empty(0), correct, known),
        "unknown": float((answer.given == "unknown")[known].mean()),
        "no_agreement": float((answer.given == "no agreement")[known].mean()),
        "caught": None,
        "auroc": None,
        "n_strange": int(strange.sum()),
    }
    if strange.sum() >= FEWEST:
        found["caught"] = float((answer.given == "unknown")[strange].mean())
        found["auroc"] = auroc(answer.score, known, strange, pair)
    return found


def of_labels(
    pair: Pair,
    classes: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray,
    correct: np.ndarray,
    known: np.ndarray,
) -> dict[str, Any]:
    """Return accuracy, mean recall, macro-F1 and calibration error, each as value, low, high."""
    true = pair.target.labels[known]
    place = np.searchsorted(classes, np.where(np.isin(labels, ABSTAINED), classes[0], labels).astype(str))
    called = labels[known].astype(object)
    if pair.right:
        right = correct[np.arange(len(known)), place][known]
        assigned = ~np.isin(called, ABSTAINED)
        called = np.where(assigned, np.where(right, true, OTHER), called)
    evaluated = metrics.evaluate(
        true,
        called,
        source_classes=[*np.unique(true), OTHER] if pair.right else list(classes),
        confidence=confidence[known].clip(0, 1) if len(confidence) else None,
        groups=pair.target.donors[known],
    )
    rows = evaluated.summary.set_index("metric")
    names = ["accuracy", "mean_recall"] + ([] if pair.right else ["macro_f1"])
    names += ["calibration_error"] if len(confidence) else []
    return {name: [float(rows.loc[name, part]) for part in ("value", "low", "high")] for name in names}


def auroc(score: np.ndarray, known: np.ndarray, strange: np.ndarray, pair: Pair) -> list[float]:
    """Return how often a known cell scores higher than a strange one: value, low, high."""
    judged = known | strange
    weights = draws(pair.target.labels[judged], pair.target.donors[judged])
    values = weighted_auroc(score[judged], known[judged], np.vstack([np.ones(judged.sum()), weights]))
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return [float(values[0]), float(low), float(high)]


def draws(labels: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Return how often each cell is taken, draws x cells: whole donors, or cells within their class."""
    rng = np.random.default_rng(0)
    names, place = np.unique(donors, return_inverse=True)
    if len(names) >= FEWEST_GROUPS:
        return group_weights(len(names), DRAWS, rng)[:, place]
    return cell_weights(
        np.ones(len(labels), dtype=int), np.unique(labels, return_inverse=True)[1], DRAWS, rng
    )


def weighted_auroc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the curve for every row of weights; ties count half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    ups = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
    downs = np.add.reduceat((weights * ~positive)[:, order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    with np.errstate(invalid="ignore"):
        return (ups * below).sum(axis=1) / (ups.sum(axis=1) * downs.sum(axis=1))
