"""Question five: which types can be found that nobody labelled in the target."""

from typing import Any, Final

import pandas as pd

from orthotype.study.answers.answer import Answer, Record, Tables
from orthotype.study.answers.words import Row, cells, joined, named, p_value, rows

FOUND: Final = 0.5
BY_HALVES: Final = "called by one half"


def answer_zero_shot(tables: Tables, record: Record) -> Answer:
    """Say which classes are found when their target labels are taken away, and what fits no class."""
    if "zero_shot_classes" not in tables:
        return _by_markers(tables)
    learner = str(record["recipe"]["learners"][0])
    table = tables["zero_shot_classes"]
    mine = table[(table["learner"] == learner) & (table["model"] == "source")]
    means = mine.groupby("class", sort=False)[["precision", "recall"]].mean()
    found = means[(means["recall"] >= FOUND) & (means["precision"].fillna(0) >= FOUND)]
    missed = [str(name) for name in means.index if name not in found.index]
    recall = float(means["recall"].median())
    text = (
        f"{len(found)} of {len(means)} classes are found by the {named(learner)} from the source alone when "
        f"nobody labels them in the target (recall and precision of at least {FOUND:g}; median recall "
        f"{recall:.2f}){f'; not {joined(missed)}' if missed else ''}."
    )
    numbers = {"found": len(found), "classes": len(means), "median_recall": recall, "missed": missed}
    details = (*_adapted(table, numbers), *_absent(tables, learner), *_foreign(tables, learner))
    short = f"{len(found)} of {len(means)} classes, median recall {recall:.2f}."
    return Answer("zero-shot", short, text, details=details, numbers=numbers)


def _adapted(table: pd.DataFrame, numbers: dict[str, Any]) -> list[str]:
    """Say what becomes of a class that has no label while all others are adapted."""
    told = []
    for learner, part in table[table["model"] == "adapted"].groupby("learner", sort=False):
        recall = float(part.groupby("class", sort=False)["recall"].mean().median())
        numbers[f"median_recall_adapted_{learner}"] = recall
        told.append(f"{recall:.2f} for the {named(learner)}")
    if not told:
        return []
    return [f"After adapting on labelled cells of all other classes, median recall is {joined(told)}."]


def _by_markers(tables: Tables) -> Answer:
    """Without target labels, say which called classes show their markers."""
    tests = tables["zero_shot_marker_tests"]
    called = tests[tests["cells_tested"].str.startswith(BY_HALVES) & tests["p"].notna()]
    sure = int((called["p_adjusted"] < 0.05).sum())
    text = (
        f"Without target labels only markers can tell: of {len(called)} classes that target cells are called "
        f"by one half of the genes, {sure} show the source's markers among the other half "
        "(adjusted p < 0.05)."
    )
    numbers = {"called": len(called), "with_markers": sure}
    return Answer("zero-shot", f"{sure} of {len(called)} by markers.", text, numbers=numbers)


def _absent(tables: Tables, learner: str) -> list[str]:
    """Say what was called as classes of the source that no target label names."""
    table, told = tables["zero_shot_absent"], []
    for row in rows(table[table["learner"] == learner]):
        labelled = (
            f", {row['mostly_cells']:,} of them labelled {row['mostly']}" if row["mostly_cells"] else ""
        )
        evidence = _evidence(tables, row) if row["called"] else ""
        told.append(
            f"{row['class']} has no target label: {cells(row['called'])} called so{labelled}{evidence}."
        )
    return told


def _foreign(tables: Tables, learner: str) -> list[str]:
    """Say what became of the cells of classes that the source lacks."""
    table, told = tables["zero_shot_foreign"], []
    for row in rows(table[table["learner"] == learner]):
        called = f", most are called {row['mostly']} ({row['mostly_cells']:,})" if row["mostly_cells"] else ""
        told.append(
            f"{row['class']} is no source class: of {cells(row['cells'])} the models disagree on "
            f"{100 * row['no_agreement_rate']:.0f} %{called}; mean entropy {row['entropy']:.2f}, that of "
            f"shared classes {row['entropy_shared']:.2f}."
        )
    return told


def _evidence(tables: Tables, row: Row) -> str:
    """Say whether cells called as a class show its markers, tested on genes that did not call them."""
    tests = tables["zero_shot_marker_tests"]
    mine = tests[(tests["class"] == row["class"]) & tests["cells_tested"].str.startswith(BY_HALVES)]
    if mine.empty or pd.isna(mine["p_adjusted"].iloc[0]):
        return "; markers could not be tested"
    p = float(mine["p_adjusted"].iloc[0])
    verdict = "confirm" if p < 0.05 else "do not confirm"
    return f"; markers {verdict} it (by halves of the genes, adjusted {p_value(p)})"
