"""Question four: how few labelled target cells are enough."""

from typing import Any

import pandas as pd

from orthotype.study.answers.answer import Answer, Record, Tables
from orthotype.study.answers.words import joined, named

STARTS = {"transfer": "continued from the source", "scratch": "from nothing"}
MEANS = {"all labelled": "all classes that can be labelled", "all": "all classes"}


def answer_few_shot(tables: Tables, record: Record) -> Answer:
    """Say how many labelled cells per class the first learner needs, from the source and from nothing."""
    if "few_shot_needed" not in tables:
        text = (
            "Not measured: fewer than two classes have a labelled target cell for each repeat."
            if record["has_truth"]
            else "Not measured: no target label was given."
        )
        return Answer("few-shot", "Not measured.", text)
    learner, recipe = str(record["recipe"]["learners"][0]), record["recipe"]
    needed = tables["few_shot_needed"]
    mean = next(name for name in MEANS if (needed["class"] == name).any())
    mine = needed[(needed["learner"] == learner) & (needed["class"] == mean)]
    outcome = mine.set_index(["criterion", "start"])["outcome"]
    numbers: dict[str, Any] = {"over": mean}
    for criterion, start, shots in mine[["criterion", "start", "shots"]].itertuples(index=False):
        numbers[f"{criterion}_{start}"] = None if pd.isna(shots) else int(shots)

    def told(criterion: str) -> str:
        known = [start for start in STARTS if (criterion, start) in outcome.index]
        return joined([f"{outcome[criterion, start]} {STARTS[start]}" for start in known])

    text = (
        f"Labelled cells per class that the {named(learner)} needs for an F1 of {recipe['target_f1']:g} over "
        f"{MEANS[mean]}: {told('target')}. "
        f"For {100 * recipe['plateau']:g} % of its best F1: {told('plateau')}."
    )
    return Answer(
        "few-shot",
        f"For an F1 of {recipe['target_f1']:g}: {told('target')}.",
        text,
        details=_curve(tables, learner, numbers, mean=mean),
        numbers=numbers,
    )


def _curve(tables: Tables, learner: str, numbers: dict[str, Any], *, mean: str) -> tuple[str, ...]:
    """Say what the curves reach, and where transfer is better than scratch by test."""
    points = tables["few_shot_intervals"]
    mine = points[(points["learner"] == learner) & (points["class"] == mean) & (points["metric"] == "f1")]
    curve = mine.set_index(["start", "shots"])["mean"]
    shots = sorted({int(n) for n in mine["shots"]})
    said = []
    for n in dict.fromkeys(n for n in (0, 1, 5, 10, shots[-1]) if n in shots):
        known = {start: float(curve[start, n]) for start in STARTS if (start, n) in curve.index}
        said.append(f"{n}: {' and '.join(f'{value:.3f}' for value in known.values())}")
        numbers |= {f"f1_{start}_{n}": value for start, value in known.items()}
    curves = f"F1 at n labelled cells per class, from the source and from nothing: {', '.join(said)}."
    if "few_shot_tests" not in tables:
        return (curves,)
    tests = tables["few_shot_tests"]
    mine = tests[(tests["learner"] == learner) & (tests["class"] == mean) & (tests["metric"] == "f1")]
    sure = [int(n) for n in mine.loc[mine["p_adjusted"] < 0.05, "shots"]]
    numbers["better_at"] = sure
    where = f"at {joined([str(n) for n in sure])} cells per class" if sure else "at no number of cells"
    return (
        curves,
        f"Transfer is better than scratch by test (p adjusted over the whole curve < 0.05) {where}.",
    )
