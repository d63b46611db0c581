"""Question five: which classes can be found that nobody labelled in the target, and what fits no class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from orthotype._keys import NO_AGREEMENT
from orthotype.study.few_shot import shots
from orthotype.study.learners import Codes
from orthotype.study.markers import evidence_by_halves, marker_evidence, marker_test, source_markers
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work, seed_of
from orthotype.study.recipe import Recipe
from orthotype.study.steps.checks import Watched, check_adjusted, require, row_marks
from orthotype.study.steps.few_shot import DESIGN, possible, source_codes, split_of
from orthotype.study.steps.learner import make_learner
from orthotype.study.steps.source import fit_names, models
from orthotype.study.steps.transfer import label_name, labels_of
from orthotype.study.zero_shot import absent_classes, calls, find_class, foreign_classes

MARKERS = "zero_shot/markers"
TO_FIND = 5


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return one piece for each learner and class to be found, what lies outside, and the markers."""
    pieces = []
    design = (DESIGN,) if possible(recipe, pair) else ()
    for learner in recipe.learners:
        fits, label = fit_names(recipe, pair, learner), label_name(learner)
        if pair.has_truth:
            pieces += [
                Piece(
                    f"zero_shot/{learner}/class{code:02d}",
                    "zero_shot.class",
                    {"learner": learner, "class": code},
                    (*design, *fits),
                )
                for code in pair.shared
            ]
            pieces.append(
                Piece(f"zero_shot/{learner}/outside", "zero_shot.outside", {"learner": learner}, (label,))
            )
    first = recipe.learners[0]
    return [*pieces, Piece(MARKERS, "zero_shot.markers", {"learner": first}, (label_name(first),))]


def find(work: Work) -> Result:
    """Take the labels of one class away and see whether its cells are found all the same."""
    pair, code = work.pair, int(work.argument("class"))
    watched = Watched(make_learner(work.recipe, work.argument("learner")))
    fitted = models(work, str(work.argument("learner")))
    parts = []
    for repeat, labelled, test in _rounds(work):
        watched.given.clear()
        found = find_class(
            watched,
            fitted,
            pair.target.X,
            pair.target.codes,
            unlabelled=code,
            labelled=labelled,
            test=test,
            classes=pair.classes,
            seed=seed_of("zero_shot", seed=work.recipe.seed) >> 1,
        )
        _check_unseen(watched, work, labelled=labelled, code=code)
        require(
            (found["cells"] == int((pair.target.codes[test] == code).sum())).all()
            and (found["found"] <= found[["cells", "called"]].min(axis=1)).all(),
            f"{work.piece.name}: cells were not counted right",
        )
        found.insert(1, "repeat", repeat)
        parts.append(found)
    return Result(tables={"zero_shot_classes": pd.concat(parts, ignore_index=True)})


def _rounds(work: Work) -> list[tuple[int, Codes, Codes]]:
    """Return labelled and test cells of every repeat; no labelled cells where few-shot is not possible."""
    codes = source_codes(work.pair)
    if DESIGN not in work.earlier:
        return [(0, np.empty(0, dtype=np.intp), np.flatnonzero(codes >= 0))]
    n = min(work.recipe.zero_shot_cells, work.recipe.train_cells)
    rounds = min(work.recipe.zero_shot_repeats, work.recipe.repeats)
    splits = [split_of(work, repeat) for repeat in range(rounds)]
    return [(split.repeat, shots(split, n), split.test) for split in splits]


def _check_unseen(watched: Watched, work: Work, *, labelled: Codes, code: int) -> None:
    """Require that nothing was learned from a cell of the class, nor from a cell without a label."""
    codes = work.pair.target.codes
    allowed = labelled[codes[labelled] != code]
    known = {*zip(row_marks(work.pair.target.X[allowed]), codes[allowed].tolist(), strict=True)}
    for marks, given in watched.given:
        require(code not in given, f"{work.piece.name}: the class that must be found was labelled")
        seen = {*zip(marks, given.tolist(), strict=True)}
        require(seen <= known, f"{work.piece.name}: the learner was given other cells than the design says")


def outside(work: Work) -> Result:
    """Say what was called as classes that one of the two species lacks."""
    pair, learner = work.pair, str(work.argument("learner"))
    found = labels_of(work, learner)
    codes = pair.target.codes
    known = codes >= 0
    absent = absent_classes(codes, found.votes, classes=pair.classes, names=pair.names)
    foreign = foreign_classes(codes, found.votes, found.proba, classes=pair.classes, names=pair.names)
    require(
        int(foreign["cells"].sum()) == int((codes[known] >= pair.n_classes).sum()), "foreign cells were lost"
    )
    for table in (absent, foreign):
        table.insert(0, "learner", learner)
    return Result(tables={"zero_shot_absent": absent, "zero_shot_foreign": foreign})


def markers(work: Work) -> Result:
    """Hold the cells called as each class against the genes that mark the class in the source."""
    pair, learner = work.pair, str(work.argument("learner"))
    source, target, seed = pair.source, pair.target, work.seed % 2**31
    table = source_markers(
        source.X, source.codes, classes=pair.classes, features=pair.features, n=work.recipe.n_markers
    )
    call = calls(labels_of(work, learner).votes)
    called = np.array([*pair.classes, NO_AGREEMENT], dtype=object)[call]
    tests = [
        _tested(work, table, called, what="all cells called so", seed=seed),
        evidence_by_halves(
            make_learner(work.recipe, learner),
            source.X,
            source.codes,
            target=target.X,
            classes=pair.classes,
            features=pair.features,
            n=work.recipe.n_markers,
            seed=seed,
        ).assign(cells_tested="called by one half of the genes, tested on the other"),
    ]
    strange = target.codes >= pair.n_classes
    if strange.any():
        here = called.copy()
        here[~strange] = None
        tests.append(_tested(work, table, here, what="cells of classes that the source lacks", seed=seed))
    for test in tests:
        check_adjusted(test["p"].to_numpy(), test["p_adjusted"].to_numpy(), where=work.piece.name)
    tables = {
        "zero_shot_markers": table,
        "zero_shot_marker_tests": pd.concat(tests, ignore_index=True).assign(learner=learner),
        "zero_shot_marker_genes": _gene_by_gene(work, table, call),
    }
    return Result(tables=tables)


def _tested(
    work: Work, table: pd.DataFrame, called: Sequence[str | None] | np.ndarray, *, what: str, seed: int
) -> pd.DataFrame:
    pair = work.pair
    tested = marker_test(pair.target.X, called, markers=table, features=pair.features, seed=seed)
    return tested.assign(cells_tested=what)


def _gene_by_gene(work: Work, table: pd.DataFrame, call: Codes) -> pd.DataFrame:
    """Return the evidence of the first markers of every class that some target cells are called."""
    pair, parts = work.pair, []
    for code, name in enumerate(pair.classes):
        genes = table.loc[table["class"] == name, "gene"].tolist()[:TO_FIND]
        if genes and (call == code).any():
            rows = marker_evidence(pair.target.X, call == code, markers=genes, features=pair.features)
            check_adjusted(rows["p"].to_numpy(), rows["p_adjusted"].to_numpy(), where=work.piece.name)
            rows.insert(0, "class", name)
            parts.append(rows)
    if not parts:
        return pd.DataFrame({"class": pd.Series(dtype=object), "gene": pd.Series(dtype=object)})
    return pd.concat(parts, ignore_index=True)


FUNCTIONS = {"zero_shot.class": find, "zero_shot.outside": outside, "zero_shot.markers": markers}
