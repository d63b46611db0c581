"""The numbers of ``docs/stumpf2020.md``, made from ``benchmarks/results/study.json``."""

import re
from typing import Any

from engine.page import between

BEGIN, END = "<!-- measured: {} -->", "<!-- end of measured: {} -->"
ROW = re.compile(r"^\| \*\*(\d)\.\*\* (.*)$", re.M)
LEARNERS = ("mlr", "ann")
VERDICTS = {
    "equal": "equal by test",
    "a better": "MLR better",
    "b better": "ANN better",
    "undecided": "neither equal nor different by test",
}
Row = dict[str, Any]


def page(text: str, rows: list[Row]) -> str:
    """Return the page with its measured cells and tables made anew."""
    by_name = {row["name"]: row for row in rows}
    text = ROW.sub(lambda found: _row(found[0], int(found[1]), by_name), text)
    full = [row for row in rows if not row["name"].endswith("quick")]
    for name, table in (
        ("transfer", transfer_table(full)),
        ("hard", hard_pairs(rows)),
        ("time", times(rows)),
        ("few-shot", few_shot_table(full)),
        ("zero-shot", zero_shot_table(full)),
    ):
        text = between(text, BEGIN.format(name), END.format(name), table)
    return text


def _row(line: str, number: int, rows: dict[str, Row]) -> str:
    cells = line.strip().removeprefix("|").removesuffix("|").split("|")
    cells[3] = measured(number, rows)
    return f"| {' | '.join(cell.strip() for cell in cells)} |"


def measured(number: int, rows: dict[str, Row]) -> str:
    """Return what was measured on the bundled pair, mouse to human, for one step of the paper."""
    ours, theirs = (rows.get(f"Baron mouse to human, {recipe}") for recipe in ("default", "stumpf2020"))
    if number == 1 or ours is None or theirs is None:
        return "tested on files of these formats (`tests/unit/test_preprocess.py`, `test_cells_dge.py`)"
    return {
        2: f"{theirs['features']:,} genes (policy `first`, binarised); ours {ours['features']:,}",
        3: _source(theirs, ours),
        4: f"as published {_errors(theirs)}; ours {_errors(ours)}",
        5: f"as published {_target(theirs)}; ours {_target(ours)}",
        6: _why(theirs, ours),
        7: f"as published {_few(theirs)}; ours {_few(ours)}",
        8: f"as published {_zero(theirs)}; ours {_zero(ours)}",
    }[number]


def _source(theirs: Row, ours: Row) -> str:
    told = []
    for name, row in (("as published", theirs), ("ours", ours)):
        scores = [f"{row['source_scores'][one]['balanced_accuracy']:.3f}" for one in LEARNERS]
        printed = [f"{row['source_scores'][one]['published_balanced_accuracy']:.3f}" for one in LEARNERS]
        verdict = VERDICTS[row["comparison"]["balanced_accuracy"]["verdict"]]
        told.append(
            f"{name}: mean recall MLR {scores[0]}, ANN {scores[1]} ({verdict}); "
            f"(PPV + NPV) / 2 {printed[0]}, {printed[1]}"
        )
    return "; ".join(told)


def _errors(row: Row) -> str:
    numbers = row["answers"]["transfer"]
    told = [
        f"{name} {percent(numbers[f'proximal_{one}'])} / {percent(numbers[f'distal_{one}'])}"
        for one, name in (("mlr", "MLR"), ("ann", "ANN"))
        if f"proximal_{one}" in numbers
    ]
    return ", ".join(told)


def _target(row: Row) -> str:
    return ", ".join(
        f"{name} accuracy {row['target_scores'][one]['accuracy']:.3f}, mean recall "
        f"{row['target_scores'][one]['balanced_accuracy']:.3f}, (PPV + NPV) / 2 "
        f"{row['target_scores'][one]['published_balanced_accuracy']:.3f}"
        for one, name in (("mlr", "MLR"), ("ann", "ANN"))
    )


def _why(theirs: Row, ours: Row) -> str:
    told = []
    for name, row in (("as published", theirs), ("ours", ours)):
        numbers = row["answers"]["why"]
        told.append(
            f"{name}: {percent(numbers['share_in_tails'])} of the top 100 genes in the tails (by chance "
            f"{percent(numbers['expected_in_tails'])}), {numbers['nearest_own_class']} of "
            f"{numbers['shared_classes']} classes nearest to their own counterpart"
        )
    return "; ".join(told)


def _few(row: Row) -> str:
    source, nothing = (row["needed"][f"target mlr {start}"] for start in ("transfer", "scratch"))
    return f"F1 0.9 with {source} cells per class, from nothing {nothing}"


def _zero(row: Row) -> str:
    numbers = row["answers"]["zero-shot"]
    return f"{numbers['found']} of {numbers['classes']} classes, median recall {numbers['median_recall']:.2f}"


def transfer_table(rows: list[Row]) -> str:
    """Return the scores on the target of every run and learner, standard and published."""
    lines = [
        "| run | learner | source mean recall | target accuracy | mean recall | macro F1 | (TPR + TNR) / 2 "
        "| (PPV + NPV) / 2 | proximal / distal errors | no agreement |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for one, name in (("mlr", "MLR"), ("ann", "ANN")):
            scores, numbers = row["target_scores"][one], row["answers"]["transfer"]
            kinds = [numbers.get(f"{kind}_{one}") for kind in ("proximal", "distal", "no_agreement")]
            shown = [f"{100 * kind:.1f} %" if kind is not None else "" for kind in kinds]
            values = [
                scores[key]
                for key in (
                    "accuracy",
                    "balanced_accuracy",
                    "f1",
                    "one_vs_rest_balanced_accuracy",
                    "published_balanced_accuracy",
                )
            ]
            lines.append(
                f"| {row['name']} | {name} | {row['source_scores'][one]['balanced_accuracy']:.3f} | "
                f"{' | '.join(f'{value:.3f}' for value in values)} | {shown[0]} / {shown[1]} | {shown[2]} |"
            )
    return "\n".join(lines)


def times(rows: list[Row]) -> str:
    """Say how long a study takes."""
    seconds = {row["name"]: row["processor_seconds"] for row in rows}
    quick = seconds.get("Baron mouse to human, quick", float("nan"))
    full = [value for name, value in seconds.items() if not name.endswith("quick")]
    return (
        "A study is shared out among processes, so two cores need about half of its processor time: "
        f"{quick:.0f} s for `quick` on the bundled pair, {min(full):.0f} to {max(full):.0f} s for the full "
        "runs below."
    )


def hard_pairs(rows: list[Row]) -> str:
    """Say how far the marrow pairs are from the source, and whether transfer is better than starting anew."""
    lines = []
    for name in ("Paul to Setty marrow", "Paul to van Galen marrow"):
        mine = [row for row in rows if row["name"].startswith(name)]
        if not mine:
            continue
        both = [(row, one) for row in mine for one in LEARNERS]
        source = [row["source_scores"][one]["balanced_accuracy"] for row, one in both]
        target = [row["target_scores"][one]["accuracy"] for row, one in both]
        worse = sum(
            row["curve"][f"{one} transfer"]["10"] < row["curve"][f"{one} scratch"]["10"] for row, one in both
        )
        lines.append(
            f"- **{name}**: held-out mouse cells are called with a mean recall of {min(source):.2f} to "
            f"{max(source):.2f}, of the human cells {100 * min(target):.0f} to {100 * max(target):.0f} % are "
            f"called right. With ten labelled human cells of each class, continuing from the source is worse "
            f"than starting from nothing in {worse} of {len(both)} runs."
        )
    return "\n".join(lines)


def few_shot_table(rows: list[Row]) -> str:
    """Return F1 at some numbers of cells, and how many are needed for 0.9."""
    shots = ("0", "1", "5", "10", "30")
    lines = [
        f"| run | learner, start | {' | '.join(shots)} | cells for F1 0.9 | for 95 % of the best |",
        f"|---|---|{'---|' * len(shots)}---|---|",
    ]
    for row in rows:
        for one, name in (("mlr", "MLR"), ("ann", "ANN")):
            for start in ("transfer", "scratch"):
                curve = row["curve"][f"{one} {start}"]
                values = [f"{curve[n]:.3f}" if n in curve else "" for n in shots]
                needed = [row["needed"][f"{criterion} {one} {start}"] for criterion in ("target", "plateau")]
                lines.append(f"| {row['name']} | {name}, {start} | {' | '.join([*values, *needed])} |")
    return "\n".join(lines)


def zero_shot_table(rows: list[Row]) -> str:
    """Return how well classes without any label are found, by the source model and after adapting."""
    lines = [
        "| run | learner | recall, source | precision, source | recall, adapted | precision, adapted |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        for one, name in (("mlr", "MLR"), ("ann", "ANN")):
            values = [
                row["zero_shot"].get(f"{one} {model}", {}).get(metric)
                for model in ("source", "adapted")
                for metric in ("recall", "precision")
            ]
            shown = ["" if value is None else f"{value:.2f}" for value in values]
            lines.append(f"| {row['name']} | {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def percent(value: float) -> str:
    """Write a share as per cent.

    >>> percent(0.157)
    '15.7 %'
    """
    return f"{100 * value:.1f} %"
