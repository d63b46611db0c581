"""The tables of docs/comparison.md, made from the results."""

from typing import Any

import numpy as np

from engine.page import between
from peers.registry import TOOLS

BEGIN, END = "<!-- made by benchmarks/across_species.py -->", "<!-- end -->"
Row = dict[str, Any]
SCORES = ("accuracy", "mean_recall", "macro_f1", "calibration_error", "auroc")
TITLES = ("accuracy", "mean recall", "macro-F1", "calibration error", "AUROC unknown")
OURS = ("orthotype", "orthotype with target")
DRAWS = 1000


def page(text: str, results: Row) -> str:
    """Return the page with its tables made anew."""
    rows = results["rows"]
    whole = [row for row in rows if row["without"] is None]
    groups = list(dict.fromkeys(row["group"] for row in whole))
    parts = [overview(whole, groups), ahead(whole, groups)]
    parts += [f"### {name}\n\n{detail([r for r in whole if r['group'] == name])}" for name in groups]
    out = [row for row in rows if row["without"] is not None]
    if out:
        parts.append(f"### Each class taken out of the source in turn\n\n{removed(out)}")
    parts.append(made_with(results))
    return between(text, BEGIN, END, "\n\n".join(parts))


def value(row: Row, name: str, part: str = "call") -> list[float] | None:
    """Return a score of one answer as value, low, high; None where it is not defined."""
    found = row.get("auroc") if name == "auroc" else row.get(part, {}).get(name)
    return None if found is None else [np.nan if number is None else number for number in found]


def pooled(rows: list[Row], name: str, part: str = "call") -> tuple[float, float, float] | None:
    """Return the mean over seeds and pairs, with an interval.

    One pair: from the lowest to the highest bound of any seed. Several: whole target donors are drawn again.
    """
    found = [(row, scores) for row in rows if (scores := value(row, name, part)) is not None]
    if not found:
        return None
    values = np.array([scores for _, scores in found])
    if len({row["pair"] for row, _ in found}) == 1:
        return float(values[:, 0].mean()), float(values[:, 1].min()), float(values[:, 2].max())
    targets = np.array([row["target"] for row, _ in found])
    means = [values[targets == name, 0].mean() for name in np.unique(targets)]
    drawn = np.random.default_rng(0).choice(means, size=(DRAWS, len(means))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(values[:, 0].mean()), float(low), float(high)


def told(scores: tuple[float, float, float] | None) -> str:
    return "-" if scores is None else f"{scores[0]:.3f} ({scores[1]:.3f} to {scores[2]:.3f})"


def mean(rows: list[Row], name: str) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    return f"{np.mean(values):.3f}" if values else "-"


def names_in(rows: list[Row]) -> list[str]:
    present = {row["row"] for row in rows}
    return [name for tool in TOOLS.values() for name in tool.rows if name in present]


def table(titles: list[str], lines: list[list[str]]) -> str:
    body = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)


def overview(rows: list[Row], groups: list[str]) -> str:
    """Return accuracy and mean recall of every tool on every pair."""
    lines = []
    for name in names_in(rows):
        cells = [name]
        for group in groups:
            here = [row for row in rows if row["row"] == name and row["group"] == group]
            found = [pooled(here, score) for score in ("accuracy", "mean_recall")]
            cells.append(" / ".join("-" if one is None else f"{one[0]:.3f}" for one in found))
        lines.append(cells)
    return f"Accuracy / mean recall of the call.\n\n{table(['tool', *groups], lines)}"


def ahead(rows: list[Row], groups: list[str]) -> str:
    """Return for every pair and score the best other tool, and whether it is ahead of orthotype."""
    lines = []
    for group in groups:
        here = [row for row in rows if row["group"] == group]
        for score, title in zip(SCORES, TITLES, strict=True):
            found = {n: pooled([r for r in here if r["row"] == n], score) for n in names_in(here)}
            values = {n: v[0] for n, v in found.items() if v is not None}
            others = {n: v for n, v in values.items() if not n.startswith("orthotype")}
            if not others or not set(OURS) <= set(values):
                continue
            sign = -1 if score == "calibration_error" else 1
            best = max(others, key=lambda name: sign * others[name])
            cells = [group, title, *(f"{values[name]:.3f}" for name in OURS), f"{others[best]:.3f} {best}"]
            behind = [
                short
                for name, short in zip(OURS, ("as default", "with target"), strict=True)
                if sign * values[name] < sign * others[best]
            ]
            lines.append([*cells, ", ".join(behind) or "no"])
    titles = ["pair", "score", *OURS, "best of the others", "is orthotype behind?"]
    return f"Where orthotype is ahead and where not, whatever the intervals say.\n\n{table(titles, lines)}"


def detail(rows: list[Row]) -> str:
    """Return everything that was measured on one group of pairs."""
    lines = []
    for name in names_in(rows):
        here = [row for row in rows if row["row"] == name]
        failed = [row["error"] for row in here if "error" in row]
        if failed:
            lines.append([name, f"failed: {failed[0]}", *[""] * 8])
            continue
        given = "-"
        if any(row["unknown"] or row["no_agreement"] for row in here):
            scores = [pooled(here, score, "given") for score in ("accuracy", "mean_recall")]
            given = " / ".join(f"{one[0]:.3f}" for one in scores if one is not None)
        rejects = f"{mean(here, 'caught')} / {mean(here, 'unknown')} / {mean(here, 'no_agreement')}"
        first = here[0]
        lines.append(
            [
                name,
                *(told(pooled(here, score)) for score in SCORES),
                given,
                rejects if given != "-" else "-",
                f"{first['startup'] + first['seconds']:.0f} s",
                f"{first['peak_mb']:.0f} MB",
            ]
        )
    titles = ["tool", *TITLES, "as given: accuracy / mean recall"]
    titles += ["unknown caught / wrongly unknown / no agreement", "time", "memory"]
    return table(titles, lines)


def removed(rows: list[Row]) -> str:
    """Return how well cells of classes taken out of the source are told from the others."""
    lines = []
    for group in dict.fromkeys(row["group"] for row in rows):
        for name in names_in(rows):
            here = [r for r in rows if r["row"] == name and r["group"] == group and r.get("auroc")]
            if not here:
                continue
            areas = np.array([row["auroc"][0] for row in here])
            worst = here[int(areas.argmin())]
            rejects = any(row["caught"] or row["unknown"] for row in here)
            lines.append(
                [
                    group,
                    name,
                    str(len(here)),
                    f"{areas.mean():.3f}",
                    f"{areas.min():.3f} ({worst['without']})",
                    f"{np.mean([row['call']['accuracy'][0] for row in here]):.3f}",
                    f"{mean(here, 'caught')} / {mean(here, 'unknown')}" if rejects else "-",
                ]
            )
    titles = ["pair", "tool", "classes", "mean AUROC", "lowest", "accuracy of the others"]
    return table([*titles, "caught / wrongly unknown"], lines)


def made_with(results: Row) -> str:
    """Say which versions ran, and on what."""
    machine = results["machine"]
    lines = [
        f"- {tool}: {', '.join(f'{name} {version}' for name, version in found.items())}"
        for tool, found in results["versions"].items()
    ]
    where = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, load before "
        f"{machine['load_before']}; tools at a time: {machine['workers']}, threads of each: "
        f"{machine['threads']}."
    )
    return "\n".join([where, "", *lines])
