"""What ``benchmarks/adapt.py`` and ``benchmarks/adapt_speed.py`` found, as tables and a figure."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.page import between
from orthotype.pl.canvas import BLUE, DARK, GREY, ORANGE, PLUM, new_figure, without_frame

HERE = Path(__file__).parent
RESULTS, SPEED = HERE / "results" / "adapt.json", HERE / "results" / "adapt_speed.json"
PAGE = HERE.parent / "docs" / "adapt.md"
FIGURE = HERE.parent / "docs" / "pictures" / "adapt.svg"
END = "<!-- end -->"
SCORES = {"known": "classes that the source has", "all": "all classes of the target"}
WAYS = {
    "source": (GREY, "source alone"),
    "aligned": (DARK, "aligned source"),
    "scratch": (ORANGE, "from scratch"),
    "fixed": (PLUM, "fixed strength"),
    "adapted": (BLUE, "adapted"),
    "complete": (BLUE, "adapted, labels complete"),
}
RIVALS = ("source", "aligned", "scratch")
WRONG_RIVALS = ("source", "aligned", "scratch, wrong")


def write_page(found: dict[str, Any]) -> None:
    """Write the tables into the page and draw the figure."""
    from matplotlib import rc_context

    speed = json.loads(SPEED.read_text()) if SPEED.exists() else None
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found, speed), encoding="utf-8")
    with rc_context({"svg.hashsalt": "orthotype"}):
        draw(pd.DataFrame(found["rows"])).savefig(FIGURE, metadata={"Date": None})


def filled(text: str, found: dict[str, Any], speed: dict[str, Any] | None) -> str:
    """Return the page with its tables made anew."""
    tables = [*_tables(pd.DataFrame(found["rows"])), *_some_tables(pd.DataFrame(found["some"]))]
    parts = {"adapt": "\n\n".join(tables)}
    if speed is not None:
        parts["adapt_speed"] = speed_table(speed)
    for name, made in parts.items():
        text = between(text, f"<!-- made by benchmarks/{name}.py -->", END, made)
    return text


def _numbers(rows: pd.DataFrame) -> list[int]:
    return sorted(set(rows["cells"].tolist()) - {0})


def grid(rows: pd.DataFrame, way: str, cells: int, score: str) -> pd.DataFrame:
    """Return the scores of one way, pairs x seeds; those without labels are the same for every number."""
    asked = 0 if way in RIVALS[:2] else cells
    here = rows[(rows["way"] == way) & (rows["cells"] == asked)]
    return here.pivot_table(index="pair", columns="seed", values=score, sort=False)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of some paired differences and half of its 95 % t interval."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))


def below_zero(found: list[np.ndarray]) -> str:
    """Return how many of some paired differences lie below zero, one by one and all taken together.

    One by one: the 95 % t interval. Together: Holm's method on one-sided t tests, by which the chance that
    any of them is called so though none is stays below 5 %.
    """
    from scipy.stats import ttest_1samp

    told = [each for each in found if len(each) > 1]
    alone = sum(sum(interval(each)) < 0 for each in told)
    p = np.sort([ttest_1samp(each, 0.0, alternative="less").pvalue for each in told])
    together = int(np.append(p <= 0.05 / np.arange(len(p), 0, -1), False).argmin())
    return (
        f"{alone} of {len(told)} intervals lie below zero; tested together (Holm), "
        f"{together or 'none'} of the differences does."
    )


def ahead(rows: pd.DataFrame, cells: int, score: str, way: str = "adapted") -> pd.DataFrame:
    """Return what adapting is ahead of the rival with the best mean, for every pair and seed."""
    ours = grid(rows, way, cells, score)
    names = WRONG_RIVALS if way == "wrong" else RIVALS
    rivals = {name: grid(rows, name, cells, score) for name in names}
    best = {pair: max(names, key=lambda name: rivals[name].loc[pair].mean()) for pair in ours.index}
    return pd.DataFrame({pair: ours.loc[pair] - rivals[best[pair]].loc[pair] for pair in ours.index}).T


def _tables(rows: pd.DataFrame) -> list[str]:
    made, numbers = [], _numbers(rows)
    for score, words in SCORES.items():
        made.append(
            f"Mean recall over {words}, averaged over pairs and seeds:\n\n{_means(rows, numbers, score)}"
        )
    for score, words in SCORES.items():
        made.append(
            "Adapted minus the best of source, aligned and scratch (the one with the highest mean on this "
            f"pair at this number), in points of mean recall over {words}; seeds paired:\n\n"
            f"{_differences(rows, numbers, score, 'adapted')}"
        )
    for score, words in SCORES.items():
        made.append(
            "Told that the labels are complete, as scratch takes for granted, minus the best of the three, "
            f"over {words}:\n\n{_differences(rows, numbers, score, 'complete')}"
        )
    spoiled = sorted(set(rows.loc[rows["way"] == "wrong", "cells"]))
    for score, words in SCORES.items():
        made.append(
            "With a tenth of the labels wrong, minus the best of source, aligned and scratch with the same "
            f"labels, over {words}:\n\n{_differences(rows, spoiled, score, 'wrong')}"
        )
    for score, words in SCORES.items():
        made.append(
            f"Adapted minus source / minus scratch, in points of mean recall over {words}; seeds paired:"
            f"\n\n{_against(rows, numbers, score)}"
        )
    made.append(f"Further differences, in points, pairs and seeds together:\n\n{_further(rows, numbers)}")
    made.append(_cost(rows, numbers))
    return made


def _head(first: str, numbers: list[int]) -> list[str]:
    return [
        f"| {first} | {' | '.join(f'{n} per class' for n in numbers)} |",
        "|---" * (1 + len(numbers)) + "|",
    ]


def _means(rows: pd.DataFrame, numbers: list[int], score: str) -> str:
    lines = _head("", numbers)
    for way, (_, words) in WAYS.items():
        values = [f"{grid(rows, way, n, score).to_numpy().mean():.3f}" for n in numbers]
        lines.append(f"| {words} | {' | '.join(values)} |")
    return "\n".join(lines)


def _points(values: np.ndarray) -> str:
    mean, half = interval(100 * values)
    text = f"{mean:+.1f} ± {half:.1f}"
    return f"**{text}**" if mean + half < 0 else text


def _differences(rows: pd.DataFrame, numbers: list[int], score: str, way: str) -> str:
    found = {n: ahead(rows, n, score, way) for n in numbers}
    lines = _head("pair", numbers)
    for pair in found[numbers[0]].index:
        lines.append(f"| {pair} | {' | '.join(_points(found[n].loc[pair].to_numpy()) for n in numbers)} |")
    mean = [_points(found[n].to_numpy().mean(axis=0)) for n in numbers]
    lines.append(f"| mean of pairs | {' | '.join(mean)} |")
    return "\n".join([*lines, "", _counted(found.values())])


def _counted(tables: Iterable[pd.DataFrame]) -> str:
    return below_zero([row.dropna().to_numpy() for table in tables for _, row in table.iterrows()])


def _against(rows: pd.DataFrame, numbers: list[int], score: str) -> str:
    lines = _head("pair", numbers)
    found = {
        n: [grid(rows, "adapted", n, score) - grid(rows, way, n, score) for way in ("source", "scratch")]
        for n in numbers
    }
    for pair in found[numbers[0]][0].index:
        values = [" / ".join(_points(each.loc[pair].to_numpy()) for each in found[n]) for n in numbers]
        lines.append(f"| {pair} | {' | '.join(values)} |")
    means = [" / ".join(_points(each.to_numpy().mean(axis=0)) for each in found[n]) for n in numbers]
    lines.append(f"| mean of pairs | {' | '.join(means)} |")
    return "\n".join(lines)


def _further(rows: pd.DataFrame, numbers: list[int]) -> str:
    lines = _head("", numbers)
    for score, words in SCORES.items():
        for a, b, told in (
            ("adapted", "fixed", "adapted minus fixed strength"),
            ("adapted", "scratch", "adapted minus scratch"),
            ("fixed", "scratch", "fixed strength minus scratch"),
            ("complete", "adapted", "told that labels are complete minus not told"),
            ("complete", "fixed", "told that labels are complete minus fixed strength"),
            ("wrong", "adapted", "10 % wrong labels minus all right"),
        ):
            values = []
            for n in numbers:
                one, other = (grid(rows, way, n, score) for way in (a, b))
                values.append(_points((one - other).to_numpy().mean(axis=0)) if len(one) else "")
            lines.append(f"| {told}, {words} | {' | '.join(values)} |")
    return "\n".join(lines)


def _some_tables(rows: pd.DataFrame) -> list[str]:
    """Return what labels of some classes do: against the best of three, and by class with and without one."""
    asked = list(dict.fromkeys(zip(rows["part"], rows["asked"], strict=True)))
    here = {each: rows[(rows["part"] == each[0]) & (rows["asked"] == each[1])] for each in asked}
    against = {
        (each, score): ahead(here[each], each[1], score) for each in asked for score in ("known", "all")
    }
    for each in asked:
        for score in ("labelled", "without"):
            ours, aligned = (grid(here[each], way, each[1], score) for way in ("adapted", "aligned"))
            against[each, score] = ours - aligned
    known, every = SCORES["known"], SCORES["all"]
    return [
        "Where only some classes have labels, adapted minus the best of source, aligned and scratch, in "
        f"points of mean recall over {known} / {every}:\n\n{_some(against, asked, 'known', 'all')}",
        *(f"Over {SCORES[score]}: {_counted(against[each, score] for each in asked)}" for score in SCORES),
        "The same, adapted minus the aligned source, over classes with a label / classes of the source "
        "without one; means are over the pairs and seeds that have such classes:\n\n"
        f"{_some(against, asked, 'labelled', 'without')}",
    ]


def _some(found: dict[Any, pd.DataFrame], asked: list[tuple[str, int]], *scores: str) -> str:
    words = {"half": "{} of every second class", "random": "{} at random"}
    lines = [f"| pair | {' | '.join(words[part].format(n) for part, n in asked)} |"]
    lines.append("|---" * (1 + len(asked)) + "|")
    pairs = list(found[asked[0], "known"].index)
    tables = [[found[each, score].reindex(pairs) for score in scores] for each in asked]
    for pair in pairs:
        values = [" / ".join(_told(table.loc[pair]) for table in each) for each in tables]
        lines.append(f"| {pair} | {' | '.join(values)} |")
    means = [" / ".join(_told(table.mean()) for table in each) for each in tables]
    return "\n".join([*lines, f"| mean of pairs | {' | '.join(means)} |"])


def _told(values: pd.Series) -> str:
    """Return the mean and interval of the seeds that have such classes."""
    there = values.dropna().to_numpy()
    return _points(there) if len(there) else "none"


def _cost(rows: pd.DataFrame, numbers: list[int]) -> str:
    ours = rows[rows["way"] == "adapted"]
    lines = _head("one call", numbers)
    by_cells = ours.groupby("cells")
    fewest, most = by_cells["labelled"].min(), by_cells["labelled"].max()
    seconds, longest = by_cells["seconds"].median(), by_cells["seconds"].max()
    memory = by_cells["mb"].max()
    for words, values in (
        ("labelled cells", [f"{fewest[n]:.0f} to {most[n]:.0f}" for n in numbers]),
        ("CPU seconds, median (most)", [f"{seconds[n]:.2f} ({longest[n]:.2f})" for n in numbers]),
        ("memory on top, most, MB", [f"{memory[n]:.0f}" for n in numbers]),
    ):
        lines.append(f"| {words} | {' | '.join(values)} |")
    return "\n".join(lines)


def speed_table(found: dict[str, Any]) -> str:
    """Return the times of a refit as a Markdown table."""
    settings = found["settings"]
    lines = [f"| CPU time, one thread | {' | '.join(settings)} |", "|---" * (1 + len(settings)) + "|"]
    ways = next(iter(settings.values()))
    for way in ways:
        values = [f"{1000 * each[way]['seconds']:,.0f} ms" for each in settings.values()]
        lines.append(f"| {way} | {' | '.join(values)} |")
    return "\n".join(lines)


def draw(rows: pd.DataFrame) -> Any:
    """Return the curves as a figure: a column for each pair, a row for each score."""
    numbers = _numbers(rows)
    names = list(dict.fromkeys(rows["pair"]))
    figure = new_figure(width=2.0 * len(names) + 0.4, height=4.6)
    axes = figure.subplots(2, len(names), squeeze=False, sharex=True)
    places = np.log1p(numbers)
    for column, pair in enumerate(names):
        for row, (score, words) in enumerate(SCORES.items()):
            ax = axes[row, column]
            for way, (colour, told) in WAYS.items():
                values = np.array([grid(rows, way, n, score).loc[pair].to_numpy() for n in numbers])
                half = [interval(each)[1] for each in values]
                mean = values.mean(axis=1)
                ax.fill_between(places, mean - half, mean + half, color=colour, alpha=0.12, linewidth=0)
                line = {"color": colour, "linestyle": "--" if way == "complete" else "-", "linewidth": 1.3}
                ax.plot(places, mean, marker="o", markersize=2.8, label=told, **line)
            ax.set_xticks(places, numbers)
            ax.tick_params(labelsize=7)
            ax.grid(axis="y", color="#e3e6e8", linewidth=0.7)
            without_frame(ax)
            if row == 0:
                ax.set_title(pair, fontsize=8)
            if column == 0:
                ax.set_ylabel(f"mean recall,\n{words}", fontsize=8)
    figure.supxlabel("labelled target cells per class", fontsize=9)
    lines = axes[0, 0].get_lines()
    told = [line.get_label() for line in lines]
    figure.legend(lines, told, frameon=False, fontsize=9, loc="outside upper center", ncols=6)
    return figure
