"""Question four: how few labelled target cells are enough, continued from the source or from nothing."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.study.few_shot import Split, curve, curve_intervals, design, design_table, run, shots
from orthotype.study.learners import Codes
from orthotype.study.needed import cells_needed
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work, seed_of
from orthotype.study.recipe import Recipe
from orthotype.study.significance import paired_tests
from orthotype.study.steps.checks import Watched, check_adjusted, check_split, require
from orthotype.study.steps.learner import arrays_of_model, make_learner
from orthotype.study.steps.source import fit_name, n_folds
from orthotype.study.steps.transfer import label_name, labels_of
from orthotype.study.zero_shot import left_out

DESIGN = "few_shot/design"
CURVE = "few_shot/curve"
STARTS = ("transfer", "scratch")


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return the design, one piece for each point of the curves, and what they say together.

    Nothing, where fewer than two classes have as many labelled target cells as there are repeats.
    """
    if not possible(recipe, pair):
        return []
    labels = tuple(label_name(learner) for learner in recipe.learners)
    points = list(_points(recipe, pair))
    names = tuple(point.name for point in points)
    return [
        Piece(DESIGN, "few_shot.design", {}, labels),
        *points,
        Piece(CURVE, "few_shot.curve", {}, names),
    ]


def possible(recipe: Recipe, pair: Pair) -> bool:
    """Return whether two classes of the source have a labelled target cell for each repeat."""
    return _enough(source_codes(pair), recipe)


def _enough(codes: Codes, recipe: Recipe) -> bool:
    cells = np.bincount(codes[codes >= 0])
    return int((cells >= max(recipe.repeats, 2)).sum()) >= 2


def source_codes(pair: Pair) -> Codes:
    """Return the class of each target cell among those of the source, -1 for all others."""
    return np.where(pair.target.codes < pair.n_classes, pair.target.codes, -1).astype(np.intp)


def _points(recipe: Recipe, pair: Pair) -> Iterator[Piece]:
    for learner in recipe.learners:
        for repeat in range(recipe.repeats):
            source = fit_name(learner, repeat % n_folds(recipe, pair))
            for start in STARTS:
                for n in recipe.shots:
                    if start == "scratch" and n == 0:
                        continue
                    yield Piece(
                        f"few_shot/{learner}/{start}/repeat{repeat}/shots{n:02d}",
                        "few_shot.point",
                        {"learner": learner, "start": start, "repeat": repeat, "shots": n, "source": source},
                        (DESIGN, source),
                    )


def lay_out(work: Work) -> Result:
    """Choose which cells each repeat may label.

    Cells called as a class that nobody labelled are left out, unless fewer than two classes would remain.
    """
    pair, recipe = work.pair, work.recipe
    codes = source_codes(pair)
    barred = np.zeros(len(codes), dtype=bool)
    for learner in recipe.learners:
        barred |= left_out(labels_of(work, learner).votes, pair.source_only)
    if not _enough(np.where(barred, -1, codes), recipe):
        barred[:] = False
    splits = design(
        codes,
        n_classes=pair.n_classes,
        repeats=recipe.repeats,
        train=recipe.train_cells,
        validate=recipe.validate_cells,
        seed=work.seed,
        left_out=barred,
    )
    require(len(splits) == recipe.repeats, "there is not one few-shot split for each repeat")
    arrays: dict[str, NDArray[np.generic]] = {}
    for split in splits:
        train = np.concatenate(split.train)
        check_split(train, split.validate, split.test, codes, barred=barred)
        arrays |= {
            f"train{split.repeat}": train,
            f"sizes{split.repeat}": np.array([len(cells) for cells in split.train]),
            f"validate{split.repeat}": split.validate,
            f"test{split.repeat}": split.test,
        }
    labelled = np.concatenate([np.concatenate(split.train) for split in splits])
    require(len(np.unique(labelled)) == len(labelled), "two few-shot repeats share a labelled cell")
    table = design_table(splits, codes, classes=pair.classes, train=recipe.train_cells, left_out=barred)
    return Result(arrays=arrays, tables={"few_shot_design": table}, facts={"left_out": int(barred.sum())})


def split_of(work: Work, repeat: int) -> Split:
    """Return the split of one repeat."""
    held = work.earlier[DESIGN].arrays
    ends = np.cumsum(held[f"sizes{repeat}"].astype(np.intp))[:-1]
    return Split(
        repeat=repeat,
        train=tuple(np.split(held[f"train{repeat}"].astype(np.intp), ends)),
        validate=held[f"validate{repeat}"].astype(np.intp),
        test=held[f"test{repeat}"].astype(np.intp),
    )


def point(work: Work) -> Result:
    """Measure one point of a curve: one learner, one start, one repeat, n cells per class."""
    pair, n = work.pair, int(work.argument("shots"))
    made = make_learner(work.recipe, work.argument("learner"))
    split, codes = split_of(work, int(work.argument("repeat"))), source_codes(pair)
    source = made.load(arrays_of_model(work.earlier[work.argument("source")]))
    learner = Watched(made)
    table = run(
        learner,
        source if work.argument("start") == "transfer" else None,
        pair.target.X,
        codes,
        split,
        n,
        n_classes=pair.n_classes,
        seed=seed_of("few_shot", seed=work.recipe.seed),
        classes=pair.classes,
    )
    chosen = shots(split, n)
    if n:
        learner.learned_from(pair.target.X[chosen], codes[chosen], where=work.piece.name)
    else:
        require(not learner.given, f"{work.piece.name}: something was learned from no cell")
    require(
        np.isin(chosen, np.concatenate(split.train)).all() and not np.isin(chosen, split.test).any(),
        f"{work.piece.name}: a test cell was labelled",
    )
    overall = table[(table["class"] == "all") & (table["metric"] == "accuracy")]
    require(int(overall["n_test"].iloc[0]) == len(split.test), f"{work.piece.name}: test cells were lost")
    return Result(tables={"few_shot_points": table})


def joined(work: Work) -> Result:
    """Put the points together: means with intervals, tests over the whole curve, cells needed."""
    recipe = work.recipe
    points = curve(work.earlier[name].tables["few_shot_points"] for name in work.piece.needs)
    tables = {
        "few_shot_curve": points,
        "few_shot_intervals": curve_intervals(points, level=recipe.level),
        "few_shot_needed": cells_needed(
            points,
            target_f1=recipe.target_f1,
            plateau=recipe.plateau,
            level=recipe.level,
            random_state=work.seed,
        ),
    }
    if (points["start"] == "scratch").any():
        tests = paired_tests(points).reset_index(drop=True)
        check_adjusted(tests["p"].to_numpy(), tests["p_adjusted"].to_numpy(), where=work.piece.name)
        _check_differences(tests, points)
        tables["few_shot_tests"] = tests
    return Result(tables=tables)


def _check_differences(tests: pd.DataFrame, points: pd.DataFrame) -> None:
    """Require that a difference is transfer less scratch, at every point of the curve."""
    keys = ["learner", "shots", "class", "metric"]
    means = points.pivot_table(index=keys, columns="start", values="value", aggfunc="mean")
    rows = tests.dropna(subset=["difference"])
    again = means.loc[pd.MultiIndex.from_frame(rows[keys])]
    difference = (again["transfer"] - again["scratch"]).to_numpy(dtype=float)
    require(
        np.allclose(rows["difference"].to_numpy(dtype=float), difference, atol=1e-9),
        "a tested difference is not transfer less scratch",
    )


FUNCTIONS = {"few_shot.design": lay_out, "few_shot.point": point, "few_shot.curve": joined}
