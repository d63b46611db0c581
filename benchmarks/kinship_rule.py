"""The rule that gives the numbers of kinship, and what other numbers do to tissues of which a part is known.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/kinship_rule.py [--page]

The rule: each number is the lowest, in hundredths, that hardly any target reaches which is not to pass.

- *kinship*, the lower end of its interval: one in a hundred at most of the targets of ``kinship_settling.py``
  of which the source has no class, of both species
- *carried*, for one type and for few types: of those and of the targets below of which half of the cells or
  less are known, none of which nine tenths are called one class, and two classes

The targets below are those of ``lineages.py``: a branch of the classes of a study is the source, and 0 to
100 % of the target's cells are of its classes, the others of the rest of the study; counts are changed as a
species changes them, and changed harder; whole, and 300, 100 and 50 cells of them. Each is labelled twice,
held foreign and not, which tells what any number would do. Run ``kinship_settling.py`` before it. Results:
``benchmarks/results/kinship_rule.json`` and tables of ``docs/alignment.md``.
"""

import json
import os
from collections.abc import Iterator
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
from orthotype.models.kinship import LEAST_KINSHIP, NEARLY_ALL, Kinship
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
ONE_IN = 0.01
NUMBERS: Final = (0.0, 0.2, 0.25, 0.3, LEAST_KINSHIP, 0.4, 0.45, 0.5, 0.6, 1.01)


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


def above(values: pd.Series, share: float = 0.0) -> tuple[int, float, float]:
    """Return how many values there are, the highest, and the lowest hundredth that a share of them reach."""
    told = np.sort(values.dropna())[::-1]
    highest = told[int(share * len(told))]
    return len(told), float(told[0]), float(np.floor(100 * highest + 1) / 100)


def numbers(rows: list[dict[str, Any]]) -> dict[str, tuple[int, float, float]]:
    """Return for each number the targets, the highest of them, and what is asked."""
    strange = strangers()
    halves = pd.DataFrame([row for row in rows if row["share"] <= HALF])
    called = pd.concat([strange, halves], ignore_index=True)
    return {
        "kinship, lower end": above(strange["least"], ONE_IN),
        "carried, one type": above(called["carried"][called["largest"] >= NEARLY_ALL]),
        "carried, few types": above(called["carried"][called["largest_two"] >= NEARLY_ALL]),
    }


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


def told_at(frame: pd.DataFrame, number: float, best: float) -> list[str]:
    """Return what a number does, by how much of a target is known, and how far it is behind the best one."""
    said, cells = said_at(frame, number), []
    for low, high in PARTS.values():
        here = frame["share"].between(low, high).to_numpy()
        cells.append(
            " / ".join(
                "-" if np.isnan(x[here]).all() else f"{np.nanmean(x[here]):.2f}" for x in said.values()
            )
        )
    both = caught_and_kept(frame, number)
    behind = pd.Series(100 * (both - caught_and_kept(frame, best))).groupby(frame["study"].to_numpy()).mean()
    error = behind.std() / np.sqrt(len(behind))
    return [*cells, f"{both.mean():.3f}", "-" if number == best else f"{behind.mean():+.1f} ± {error:.1f}"]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the numbers that the rule gives, and what others do, as Markdown tables."""
    lines = ["| number | targets that are not to pass | highest | asked |", "|---" * 4 + "|"]
    lines += [
        f"| {words} | {n:,} | {highest:.3f} | **{asked:.2f}** |"
        for words, (n, highest, asked) in numbers(rows).items()
    ]
    frame = pd.DataFrame(rows)
    frame = frame[frame["whole"].notna() & ~frame["one_type"]]
    head = " | ".join(f"{part} of the cells known" for part in PARTS)
    last = "caught and kept, mean | minus the best, points, ± standard error over studies"
    lines += ["", f"| foreign below | {head} | {last} |", "|---" * (3 + len(PARTS)) + "|"]
    best = max(NUMBERS, key=lambda number: caught_and_kept(frame, number).mean())
    for number in NUMBERS:
        words = {0.0: "never", 1.01: "always", LEAST_KINSHIP: f"**{LEAST_KINSHIP}**"}.get(number, f"{number}")
        lines.append(f"| {words} | {' | '.join(told_at(frame, number, best))} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    folder = os.environ["ORTHOTYPE_REAL_DATA"]
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
