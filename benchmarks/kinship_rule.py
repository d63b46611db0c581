"""The rule that gives the numbers of kinship, and what other numbers do to tissues of which a part is known.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/kinship_rule.py [--page]

The rules, in hundredths:

- *kinship*, the lower end of its interval: of the numbers that are within one standard error of the best,
  the lowest, which holds the fewest targets foreign. The best has the highest mean, over the studies below,
  of strangers caught and known cells kept; the error is that of the difference to it, over the studies
- *carried*, for one type and for few types: the lowest that no target reaches which is not to pass, of those
  of ``kinship_settling.py`` of which the source has no class, of both species, and of those below of which
  half of the cells or less are known, if nine tenths are called one class, and two classes

The targets below are those of ``lineages.py``: a branch of the classes of a study is the source, and 0 to
100 % of the target's cells are of its classes, the others of the rest of the study; counts are changed as a
species changes them, and changed harder; whole, and 300, 100 and 50 cells of them. Each is labelled twice,
held foreign and not, which tells what any number would do. Run ``kinship_settling.py`` before it. Results:
``benchmarks/results/kinship_rule.json`` and tables of ``docs/alignment.md``.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pandas as pd

import kinship_settling
import orthotype as ot
from alignment import PAGE
from engine.page import between, command
from kinship_settling import FEWEST, labelled, told_by
from lineages import MOST_SOURCES, mean_of_classes, studies, targets
from orthotype.models.kinship import NEARLY_ALL, Kinship
from suggest import COLUMN
from suggest_settling import branches, changed

RESULTS = Path(__file__).parent / "results" / "kinship_rule.json"
BEGIN, END = "<!-- made by benchmarks/kinship_rule.py -->", "<!-- end: rule of kinship -->"
FORMS: Final = (0.5, 1.0)
SIZES: Final = (None, 300, 100, 50)
PARTS: Final = {
    "none": (0, 0),
    "5 and 10 %": (0.05, 0.1),
    "20 and 30 %": (0.2, 0.3),
    "half": (0.5, 0.5),
    "all": (1, 1),
}
HALF: Final = 0.5
STRANGERS: Final = ("strangers", "strange types")
GRID: Final = tuple(round(0.01 * n, 2) for n in range(101))
NUMBERS: Final = (0.0, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 1.01)


def measured(folder: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every target: what is told of it, and the shares of unknown cells both ways."""
    for study, cells, own, species in studies(folder):
        for part in branches(cells)[:MOST_SOURCES]:
            model = None
            for source, share, chosen in targets(cells, own, part):
                if model is None:
                    model = ot.LabelTransfer().fit(cells[source].copy(), labels=COLUMN, species=species)
                for form in FORMS:
                    for some in fewer(changed(cells[chosen].copy(), by_class=form)):
                        about = {"study": study, "share": share, "changed": form}
                        yield about | both_ways(model, some, species)
            print(study, len(part), flush=True)


def fewer(cells: Any) -> Iterator[Any]:
    """Yield all cells, and some of them."""
    rng = np.random.default_rng(0)
    for n in SIZES:
        some = cells if n is None else cells[np.sort(rng.permutation(cells.n_obs)[:n])].copy()
        if some.n_obs >= FEWEST:
            yield some


def both_ways(model: Any, cells: Any, species: str) -> dict[str, Any]:
    """Return what is told of a target, and what is unknown of it if it is held foreign, and if not."""
    true = cells.obs[COLUMN].astype(str).to_numpy()
    known = np.isin(true, model.state_.classes.astype(str))
    row: dict[str, Any] = {}
    for way, foreign in {"foreign": True, "not": False}.items():
        with patch.object(Kinship, "foreign", foreign):
            before, found = labelled(model, cells, species)
            row |= told_by(before, found)
        lost = found.predictions.status == "unknown"
        row[f"rejected, {way}"] = mean_of_classes(lost[known], true[known])
        row[f"caught, {way}"] = float(lost[~known].mean()) if (~known).any() else None
    return row


def strangers() -> pd.DataFrame:
    """Return the targets of which the source has no class."""
    rows = json.loads(kinship_settling.RESULTS.read_text(encoding="utf-8"))["rows"]
    return pd.DataFrame([row for row in rows if row["kind"].startswith(STRANGERS)])


def above(values: pd.Series) -> tuple[int, float, float]:
    """Return how many values there are, the highest, and the lowest hundredth above it."""
    told = values.dropna()
    return len(told), float(told.max()), float(np.floor(100 * told.max() + 1) / 100)


def carried(rows: list[dict[str, Any]]) -> dict[str, tuple[int, float, float]]:
    """Return for one type and for few types the targets, the highest of them, and what is asked."""
    halves = pd.DataFrame([row for row in rows if row["share"] <= HALF])
    called = pd.concat([strangers(), halves], ignore_index=True)
    return {
        "one type": above(called["carried"][called["largest"] >= NEARLY_ALL]),
        "few types": above(called["carried"][called["largest_two"] >= NEARLY_ALL]),
    }


def judged(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the targets for which kinship is asked."""
    frame = pd.DataFrame(rows)
    return frame[frame["whole"].notna() & ~frame["one_type"]]


def by_study(frame: pd.DataFrame, numbers: Sequence[float]) -> pd.DataFrame:
    """Return the mean of strangers caught and known cells kept, studies x numbers."""
    study = frame["study"].to_numpy()
    return pd.DataFrame(
        {number: pd.Series(caught_and_kept(frame, number)).groupby(study).mean() for number in numbers}
    )


def asked(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the best number for kinship, and the lowest within one standard error of it.

    *asked* is by the error of the difference to the best. Others that the rule could have been: *alone*, by
    the error of the best mean itself, which says how much studies differ; *targets*, *asked* from the number
    that is best over the targets, whatever their study.
    """
    frame = judged(rows)
    found = by_study(frame, GRID)
    best = float(found.mean().idxmax())
    most = max(GRID, key=lambda number: caught_and_kept(frame, number).mean())
    return {
        "best": best,
        "asked": lowest(found, best, standard_error(found.sub(found[best], axis=0))),
        "alone": lowest(found, best, standard_error(found)[best]),
        "targets": lowest(found, most, standard_error(found.sub(found[most], axis=0))),
    }


def lowest(found: pd.DataFrame, best: float, error: "pd.Series[float] | float") -> float:
    """Return the lowest number whose mean over studies is no further behind another's than an error."""
    behind = found.sub(found[best], axis=0).mean()
    return float(found.columns[-behind <= error][0])


def standard_error(values: pd.DataFrame) -> "pd.Series[float]":
    """Return the standard error of the mean of each column."""
    return values.std() / np.sqrt(len(values))


def said_at(frame: pd.DataFrame, number: float) -> dict[str, np.ndarray]:
    """Return strangers caught and known cells rejected with a number, NaN where a target has none."""
    foreign = (frame["least"] < number).to_numpy()
    return {
        what: np.where(foreign, frame[f"{what}, foreign"], frame[f"{what}, not"]).astype(float)
        for what in ("caught", "rejected")
    }


def caught_and_kept(frame: pd.DataFrame, number: float) -> np.ndarray:
    """Return for each target the mean of strangers caught and known cells kept."""
    said = said_at(frame, number)
    return np.asarray(np.nanmean([said["caught"], 1.0 - said["rejected"]], axis=0))


def told_at(frame: pd.DataFrame, number: float) -> list[str]:
    """Return strangers caught and known cells rejected, by how much of a target is known."""
    said, cells = said_at(frame, number), []
    for low, high in PARTS.values():
        here = frame["share"].between(low, high).to_numpy()
        cells.append(
            " / ".join(
                "-" if np.isnan(x[here]).all() else f"{np.nanmean(x[here]):.2f}" for x in said.values()
            )
        )
    return cells


def table(rows: list[dict[str, Any]]) -> str:
    """Return the numbers that the rules give, and what others do, as Markdown tables."""
    kinship = asked(rows)
    best, here = kinship["best"], kinship["asked"]
    lines = [
        f"Kinship: the best number is {best:.2f}, and the lowest within one standard error of it "
        f"**{here:.2f}** (within the standard error of the best mean itself, {kinship['alone']:.2f}; of the "
        f"number that is best over targets in place of studies, {kinship['targets']:.2f}).",
        "",
        "| carried by | targets that are not to pass | highest | asked |",
        "|---" * 4 + "|",
    ]
    lines += [
        f"| {words} | {n:,} | {highest:.3f} | **{number:.2f}** |"
        for words, (n, highest, number) in carried(rows).items()
    ]
    frame = judged(rows)
    head = " | ".join(f"{part} of the cells known" for part in PARTS)
    last = "caught and kept, mean over studies | minus the best, points, ± standard error"
    lines += ["", f"| foreign below | {head} | {last} |", "|---" * (3 + len(PARTS)) + "|"]
    numbers = sorted({*NUMBERS, best, here})
    found = by_study(frame, numbers)
    behind = 100 * found.sub(found[best], axis=0)
    for number in numbers:
        words = {0.0: "never", 1.01: "always", here: f"**{here:.2f}**"}.get(number, f"{number:.2f}")
        error = standard_error(behind)[number]
        last = "-" if number == best else f"{behind[number].mean():+.1f} ± {error:.1f}"
        cells = [*told_at(frame, number), f"{found[number].mean():.3f}", last]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    folder = os.environ["ORTHOTYPE_REAL_DATA"]
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
