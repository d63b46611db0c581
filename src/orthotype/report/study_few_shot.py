"""Section four of a study's report: how few labelled target cells are enough."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from orthotype.report.study_svg import Curve, curves
from orthotype.report.study_tables import (
    Column,
    Tables,
    counted,
    learner_name,
    metric_name,
    p_value,
    plain_table,
    signed,
    three,
    two,
)

METRICS: Final = ("f1", "balanced_accuracy", "precision", "accuracy", "published_balanced_accuracy")
STARTS: Final = ("transfer", "scratch")
STYLES: Final = ("first", "second")
MEANS: Final = ("all", "all labelled")
WORDS: Final = {"all": "all classes", "all labelled": "all classes that can be labelled"}


def few_shot_section(tables: Tables, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the page shows of question four, None where it could not be asked."""
    if "few_shot_intervals" not in tables:
        return None
    points = tables["few_shot_intervals"]
    mean = MEANS[-1] if (points["class"] == MEANS[-1]).any() else MEANS[0]
    overall = points[points["class"] == mean]
    single = points[~points["class"].isin(MEANS) & (points["metric"] == "f1")]
    target = float(record["recipe"]["target_f1"])
    learners = [str(name) for name in record["recipe"]["learners"]]
    names = [name for name in METRICS if (overall["metric"] == name).any()]
    return {
        "legend": [
            {"style": STYLES[i % 2], "dashed": start == "scratch", "word": f"{learner_name(name)}, {start}"}
            for i, name in enumerate(learners)
            for start in STARTS
        ],
        "overall": [
            _panel(
                metric_name(name), overall[overall["metric"] == name], learners, floor=_floor(overall, names)
            )
            for name in names
        ],
        "classes": [
            _panel(str(name), part, learners, mark=target)
            for name, part in single.groupby("class", sort=False)
        ],
        "mean": WORDS[mean],
        "points": _points(overall, learners),
        "class_points": _class_points(single, learners),
        "needed": _needed(tables, learners),
        "target": f"{target:g}",
        "plateau": f"{100 * record['recipe']['plateau']:g} %",
        "tests": _tests(tables, learners, mean),
        "design": _design(tables),
        "repeats": record["recipe"]["repeats"],
        "left_out": counted(record["facts"].get("few_shot/design", {}).get("left_out")),
    }


def _floor(points: pd.DataFrame, names: list[str]) -> float:
    """Return where the score axis of all panels starts: at a half where no mean is below, else at zero."""
    return 0.5 if points.loc[points["metric"].isin(names), "mean"].min() >= 0.5 else 0.0


def _panel(
    name: str, table: pd.DataFrame, learners: list[str], *, floor: float = 0.0, mark: float | None = None
) -> dict[str, Any]:
    lines = []
    for i, learner in enumerate(learners):
        for start in STARTS:
            part = table[(table["learner"] == learner) & (table["start"] == start)].sort_values("shots")
            lines.append(
                Curve(
                    style=STYLES[i % 2],
                    dashed=start == "scratch",
                    x=part["shots"].astype(float).tolist(),
                    mean=part["mean"].astype(float).tolist(),
                    low=part["low"].astype(float).tolist(),
                    high=part["high"].astype(float).tolist(),
                    name=f"{learner_name(learner)}, {start}",
                )
            )
    title = f"{name} against labelled target cells per class"
    drawing = curves(lines, title=title, x_label="cells per class", floor=floor, mark=mark)
    return {"name": name, "drawing": drawing}


def _lines(learners: list[str]) -> list[tuple[str, str, str]]:
    """Return learner, start and name of every line, in the order of the page."""
    return [(learner, start, f"{learner_name(learner)}, {start}") for learner in learners for start in STARTS]


def _points(overall: pd.DataFrame, learners: list[str]) -> dict[str, Any]:
    """Return the mean F1 of every point, learners and starts side by side."""
    part = overall[overall["metric"] == "f1"].set_index(["learner", "start", "shots"])["mean"]
    shots = sorted({int(n) for n in part.index.get_level_values("shots")})
    measured = {(learner, start) for learner, start, _ in part.index}
    lines = [line for line in _lines(learners) if line[:2] in measured]
    wide = pd.DataFrame(
        {"shots": shots, **{name: [part.get((a, b, n)) for n in shots] for a, b, name in lines}}
    )
    columns: list[Column] = [
        ("shots", "cells per class", counted),
        *[(name, name, three) for _, _, name in lines],
    ]
    return plain_table(wide, columns, sortable=False)


def _class_points(single: pd.DataFrame, learners: list[str]) -> list[dict[str, Any]]:
    """Return F1 of every class at every number of cells, a table for each line."""
    found = []
    for learner, start, name in _lines(learners):
        part = single[(single["learner"] == learner) & (single["start"] == start)]
        if len(part):
            wide = part.pivot_table(index="class", columns="shots", values="mean")
            wide = wide.loc[list(dict.fromkeys(part["class"]))]
            wide.columns = pd.Index([str(n) for n in wide.columns])
            columns: list[Column] = [("class", "class", None), *[(n, n, two) for n in wide.columns]]
            found.append({"name": name, "table": plain_table(wide.reset_index(), columns)})
    return found


def _needed(tables: Tables, learners: list[str]) -> dict[str, Any]:
    table = tables["few_shot_needed"]
    outcome = table.set_index(["criterion", "class", "learner", "start"])["outcome"]
    classes = list(dict.fromkeys(table["class"]))
    found = []
    for criterion in dict.fromkeys(table["criterion"]):
        rows = [
            {"class": WORDS.get(str(name), str(name))}
            | {line: outcome.get((criterion, name, a, b)) for a, b, line in _lines(learners)}
            for name in classes
        ]
        wide = pd.DataFrame(rows).dropna(axis=1, how="all")
        heads: list[Column] = [(str(name), str(name), None) for name in wide.columns]
        found.append({"criterion": str(criterion), "table": plain_table(wide, heads, sortable=False)})
    return {"tables": found}


def _tests(tables: Tables, learners: list[str], mean: str) -> dict[str, Any] | None:
    """Return the tests of the mean F1; the others are in the tables of the folder."""
    if "few_shot_tests" not in tables:
        return None
    table = tables["few_shot_tests"]
    part = table[(table["class"] == mean) & (table["metric"] == "f1")]
    part = part.sort_values("learner", key=lambda names: names.map(learners.index), kind="stable")
    part = part.assign(learner=[learner_name(name) for name in part["learner"]])
    columns: list[Column] = [
        ("learner", "learner", None),
        ("shots", "cells per class", counted),
        ("transfer", "transfer", three),
        ("scratch", "scratch", three),
        ("difference", "difference", signed),
        ("p", "p", p_value),
        ("p_adjusted", "adjusted p", p_value),
    ]
    return {
        "table": plain_table(part, columns),
        "all": counted(len(table)),
        "significant": counted(int((table["p_adjusted"] < 0.05).sum())),
    }


def _design(tables: Tables) -> dict[str, Any]:
    columns: list[Column] = [
        ("class", "class", None),
        ("cells", "cells", counted),
        ("left_out", "left out", counted),
        ("labelled", "labelled at most", counted),
        ("watched", "set aside", counted),
        ("test", "test", counted),
        ("size", "design", None),
    ]
    return plain_table(tables["few_shot_design"], columns)
