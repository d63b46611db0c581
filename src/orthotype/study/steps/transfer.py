"""Question two: how well does the source carry over to the target, and where does it fail."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import NO_AGREEMENT
from orthotype.lineage import Lineage, error_table
from orthotype.metrics import Evaluation, evaluate, softmax_entropy
from orthotype.metrics.published import code_scores
from orthotype.models.consensus import Votes
from orthotype.study.learners import Proba
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work
from orthotype.study.recipe import Recipe
from orthotype.study.source import consensus
from orthotype.study.steps.checks import check_confusion, check_proba, check_votes, require
from orthotype.study.steps.placing import lineage_of
from orthotype.study.steps.source import fit_names, models
from orthotype.study.steps.tables import entropy_table, long_confusion

MAP = "transfer/map"
N_COMPONENTS = 30


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return one piece for each learner that labels the target, and the map of the target cells."""
    labelled = [
        Piece(label_name(learner), "transfer.label", {"learner": learner}, fit_names(recipe, pair, learner))
        for learner in recipe.learners
    ]
    return [*labelled, Piece(MAP, "transfer.map")]


def label_name(learner: str) -> str:
    """Return the name of the piece in which a learner labels the target."""
    return f"transfer/{learner}"


@dataclass(frozen=True)
class Labels:
    """What the fold models of one learner said of the target cells: mean probabilities and votes."""

    proba: Proba
    votes: Votes


def labels_of(work: Work, learner: str) -> Labels:
    """Return what an earlier piece said of the target."""
    held = work.earlier[label_name(learner)].arrays
    votes = Votes(
        winner=held["winner"].astype(np.intp),
        count=held["count"].astype(np.intp),
        agreed=held["agreed"].astype(np.bool_),
    )
    return Labels(proba=held["proba"].astype(np.float64), votes=votes)


def label(work: Work) -> Result:
    """Let the fold models vote on every target cell, and hold the labels against the true ones."""
    pair, learner = work.pair, str(work.argument("learner"))
    fitted = models(work, learner)
    X = pair.target.X
    proba, votes = consensus(fitted, X)
    check_proba(proba, shape=(X.shape[0], pair.n_classes), where=work.piece.name)
    ballots = np.stack([model.predict_proba(X).argmax(axis=1) for model in fitted], axis=1)
    check_votes(votes, ballots, n_models=len(fitted))
    names = np.array(pair.classes, dtype=object)
    called = np.where(votes.agreed, names[votes.winner], NO_AGREEMENT).astype(object)
    cells = _cells(pair, called, proba, votes, lineage_of(pair))
    tables = {"transfer_calls": _calls(called, proba, votes, names)}
    facts: dict[str, Any] = {"n_models": len(fitted), "agreed": int(votes.agreed.sum())}
    if pair.has_truth:
        tables |= _against_truth(work, called, proba, votes, outcome=cells["outcome"].to_numpy(dtype=object))
    tables["transfer_cells"] = cells
    for table in tables.values():
        table.insert(0, "learner", learner)
    arrays = {"proba": proba, "winner": votes.winner, "count": votes.count, "agreed": votes.agreed}
    return Result(arrays=arrays, tables=tables, facts=facts)


def true_names(pair: Pair) -> NDArray[np.object_]:
    """Return the true class of each target cell, None where there is none."""
    names = np.array([*pair.names, None], dtype=object)
    return np.asarray(names[pair.target.codes], dtype=object)


def _calls(
    called: NDArray[np.object_], proba: Proba, votes: Votes, names: NDArray[np.object_]
) -> pd.DataFrame:
    """Return how many cells got each label, and how sure the models are of them."""
    sure = proba[np.arange(len(proba)), votes.winner]
    entropy = softmax_entropy(proba)
    rows = []
    for name in [*names, NO_AGREEMENT]:
        cells = called == name
        some = bool(cells.any())
        rows.append(
            {
                "label": name,
                "cells": int(cells.sum()),
                "share": float(cells.mean()),
                "mean_confidence": float(sure[cells].mean()) if some else np.nan,
                "mean_entropy": float(entropy[cells].mean()) if some else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _cells(
    pair: Pair, called: NDArray[np.object_], proba: Proba, votes: Votes, lineage: Lineage | None
) -> pd.DataFrame:
    """Return one row for each target cell."""
    truth = true_names(pair)
    known = frozenset(pair.classes)
    relation = {
        (true, call): _outcome(true, call, known=known, lineage=lineage)
        for true, call in set(zip(truth, called, strict=True))
    }
    return pd.DataFrame(
        {
            "cell": pair.target.cells.astype(object),
            "true": truth,
            "label": called,
            "most_voted": np.array(pair.classes, dtype=object)[votes.winner],
            "votes": votes.count,
            "confidence": proba[np.arange(len(proba)), votes.winner],
            "entropy": softmax_entropy(proba),
            "outcome": [relation[labels] for labels in zip(truth, called, strict=True)],
        }
    )


def _outcome(true: str | None, called: str, *, known: frozenset[str], lineage: Lineage | None) -> str:
    """Say in a word what became of a cell; *no source class* where no label of the source could be right."""
    if true is None:
        return "not known"
    if true not in known:
        return "no source class"
    if called == NO_AGREEMENT:
        return NO_AGREEMENT
    if true == called:
        return "correct"
    return "unplaced" if lineage is None else lineage.relation(true, called)


def _against_truth(
    work: Work,
    called: NDArray[np.object_],
    proba: Proba,
    votes: Votes,
    *,
    outcome: NDArray[np.object_],
) -> dict[str, pd.DataFrame]:
    pair, truth = work.pair, true_names(work.pair)
    found = evaluate(
        truth,
        called,
        source_classes=pair.classes,
        proba=proba,
        confidence=proba[np.arange(len(proba)), votes.winner],
        groups=pair.target.groups,
        level=work.recipe.level,
        random_state=work.seed % 2**31,
    )
    known = np.array([name is not None for name in truth], dtype=bool)
    check_confusion(found.confusion, truth[known], called[known])
    inside = np.isin(pair.target.codes, pair.shared)
    _check_summary(found, truth[inside], called[inside])
    tables = {
        "transfer_summary": found.summary.assign(intervals=found.interval_method),
        "transfer_metrics": code_scores(
            pair.target.codes[inside], votes.winner[inside], classes=pair.classes
        ),
        "transfer_per_class": found.per_class.reset_index(),
        "transfer_confusion": long_confusion(found.confusion),
        "transfer_target_only": found.target_only_calls.reset_index(),
        "transfer_entropy": entropy_table(softmax_entropy(proba)[known], truth[known], order=pair.names),
    }
    if found.reliability is not None:
        tables["transfer_reliability"] = found.reliability
    lineage = lineage_of(pair)
    if lineage is not None:
        shared = [pair.classes[code] for code in pair.shared]
        errors = error_table(
            truth[inside], called[inside], lineage=lineage, classes=shared, level=work.recipe.level
        )
        _check_errors(errors, truth[inside], outcome[inside])
        tables["transfer_errors"] = errors.reset_index()
    return tables


def _check_summary(found: Evaluation, true: NDArray[np.object_], called: NDArray[np.object_]) -> None:
    """Require the overall scores, counted again from the labels."""
    right = true == called
    recalls = [float(right[true == name].mean()) for name in sorted(set(true))]
    require(abs(found.value("accuracy") - right.mean()) < 1e-9, "the accuracy is not that of the labels")
    require(abs(found.value("mean_recall") - np.mean(recalls)) < 1e-9, "the recall is not that of the labels")


def _check_errors(errors: pd.DataFrame, true: NDArray[np.object_], outcome: NDArray[np.object_]) -> None:
    """Require that every kind of error of every class is as many as the cells with that outcome."""
    kinds = ["correct", "proximal", "distal", "no_agreement", "unknown", "unplaced"]
    require(
        (errors[kinds].sum(axis=1) == errors["cells"]).all(), "kinds of errors do not add up to the cells"
    )
    words = np.array([kind.replace("_", " ") for kind in kinds], dtype=object)
    again = [[int((outcome[true == name] == word).sum()) for word in words] for name in errors.index[:-1]]
    whole = [int((outcome == word).sum()) for word in words]
    require(
        np.array_equal(errors[kinds].to_numpy(), [*again, whole]),
        "the table of errors is not that of the cells",
    )


def map_cells(work: Work) -> Result:
    """Lay the target cells out in two dimensions, to draw the errors on."""
    from orthotype.study.similarity import principal_components

    X = work.pair.target.X
    seed = work.seed % 2**31
    space = principal_components(X, n_components=min(N_COMPONENTS, min(X.shape) - 1), seed=seed)
    projected = space.project(X)
    kind = work.recipe.embedding
    places = _umap(projected, seed=seed) if kind == "umap" else projected
    coordinates = places[:, :2] if places.shape[1] > 1 else np.column_stack([places[:, 0], places[:, 0]])
    table = pd.DataFrame(
        {
            "cell": work.pair.target.cells.astype(object),
            "x": np.round(coordinates[:, 0].astype(np.float64), 5),
            "y": np.round(coordinates[:, 1].astype(np.float64), 5),
        }
    )
    return Result(tables={"transfer_map": table}, facts={"embedding": kind})


def _umap(places: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        umap = import_module("umap")
        neighbours = min(15, len(places) - 1)
        mapped = umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(places)
    return np.asarray(mapped, dtype=np.float64)


FUNCTIONS = {"transfer.label": label, "transfer.map": map_cells}
