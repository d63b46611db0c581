"""Question three: which genes carry the classes over, and which classes of the two species are alike."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.study.importance import (
    class_means,
    expression_of_top_genes,
    importance_by_fold,
    median_importance,
    top_genes,
    weight_overlap,
)
from orthotype.study.learners import Codes
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work
from orthotype.study.recipe import Recipe
from orthotype.study.similarity import class_similarity, dendrogram
from orthotype.study.steps.checks import check_adjusted, require
from orthotype.study.steps.learner import arrays_of_model, linear_weights
from orthotype.study.steps.source import FOLDS, fit_names, folds_of, held_out
from orthotype.study.steps.transfer import label_name, labels_of

SIMILARITY = "why/similarity"
GENES_DRAWN = 5


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return one piece for the genes of each learner, and the similarity of classes."""
    first = recipe.learners[0]
    genes = [
        Piece(
            f"why/{learner}",
            "why.genes",
            {"learner": learner, "weights_of": first},
            tuple(
                dict.fromkeys(
                    (
                        FOLDS,
                        *fit_names(recipe, pair, learner),
                        *fit_names(recipe, pair, first),
                        label_name(first),
                    )
                )
            ),
        )
        for learner in recipe.learners
    ]
    return [*genes, Piece(SIMILARITY, "why.similarity", {"learner": first}, (label_name(first),))]


def target_classes(work: Work, learner: str) -> tuple[Codes, str]:
    """Return a class for each target cell to describe classes by, -1 for none, and where it comes from.

    True classes where there are any; else what the fold models agree on.
    """
    if work.pair.has_truth:
        return work.pair.target.codes, "true labels"
    votes = labels_of(work, learner).votes
    return np.where(votes.agreed, votes.winner, -1).astype(np.intp), "labels of the consensus"


def genes(work: Work) -> Result:
    """Find the genes that tell most about each class on held-out cells, and look for them in the weights."""
    pair, recipe = work.pair, work.recipe
    learner, linear = str(work.argument("learner")), str(work.argument("weights_of"))
    by_fold = importance_by_fold(
        pair.source.X, held_out(work, learner), folds=folds_of(work), n_bins=recipe.n_bins
    )
    bits = median_importance(by_fold)
    require(
        bits.shape == (len(pair.features), pair.n_classes) and (bits >= 0).all() and (bits <= 1 + 1e-9).all(),
        "importance of genes is not between 0 and 1 bit",
    )
    top = top_genes(bits, features=pair.features, classes=pair.classes, n=recipe.n_important)
    tables = {"why_top_genes": top, "why_expression": _expression(work, top)}
    weights = _mean_weights(work, linear)
    if weights is not None:
        overlap = weight_overlap(
            bits, weights, features=pair.features, classes=pair.classes, n=recipe.n_important
        )
        check_adjusted(overlap["p"].to_numpy(), overlap["p_adjusted"].to_numpy(), where=work.piece.name)
        tables["why_weights"] = overlap.assign(weights_of=linear)
    for table in tables.values():
        table.insert(0, "learner", learner)
    return Result(arrays={"importance": bits}, tables=tables)


def _expression(work: Work, top: pd.DataFrame) -> pd.DataFrame:
    pair = work.pair
    codes, origin = target_classes(work, str(work.argument("weights_of")))
    known = codes >= 0
    means = {
        f"{pair.source.species} (source)": class_means(
            pair.source.X, pair.source.codes, classes=pair.classes, features=pair.features
        ),
        f"{pair.target.species} (target)": class_means(
            pair.target.X[known], codes[known], classes=pair.names, features=pair.features
        ),
    }
    return expression_of_top_genes(top, means, per_class=GENES_DRAWN).assign(target_classes=origin)


def _mean_weights(work: Work, learner: str) -> NDArray[np.float64] | None:
    found = [
        linear_weights(arrays_of_model(work.earlier[name]))
        for name in fit_names(work.recipe, work.pair, learner)
    ]
    weights = [values for values in found if values is not None]
    return np.asarray(np.mean(weights, axis=0)) if weights else None


def similarity(work: Work) -> Result:
    """Compare all classes of both species by the angle between their middles."""
    pair = work.pair
    codes, origin = target_classes(work, str(work.argument("learner")))
    known = codes >= 0
    limit = min(*pair.source.X.shape, work.recipe.n_components + 1) - 1
    table = class_similarity(
        pair.source.X,
        pair.source.codes,
        pair.target.X[known],
        codes[known],
        classes_s=pair.classes,
        classes_t=pair.names,
        n_components=limit,
        seed=work.seed % 2**31,
    )
    values = table.to_numpy()
    require(np.allclose(values, values.T) and np.allclose(np.diag(values), 1), "cosines are no cosines")
    sides = np.array([f"{side}: {name}" for side, name in table.index], dtype=object)
    n = len(sides)
    long = pd.DataFrame(
        {
            "row_side": np.repeat(table.index.get_level_values("side").to_numpy(dtype=object), n),
            "row_class": np.repeat(table.index.get_level_values("class").to_numpy(dtype=object), n),
            "column_side": np.tile(table.columns.get_level_values("side").to_numpy(dtype=object), n),
            "column_class": np.tile(table.columns.get_level_values("class").to_numpy(dtype=object), n),
            "cosine": values.ravel(),
        }
    )
    tree = pd.DataFrame(dendrogram(table), columns=["left", "right", "height", "leaves"])
    tree = tree.astype({"left": np.int64, "right": np.int64, "leaves": np.int64})
    leaves = pd.DataFrame({"leaf": np.arange(n), "name": sides})
    return Result(
        tables={"why_similarity": long, "why_tree": tree, "why_leaves": leaves},
        facts={"target_classes": origin, "n_components": limit},
    )


FUNCTIONS = {"why.genes": genes, "why.similarity": similarity}
