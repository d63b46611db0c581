"""The rule that gives the numbers of kinship: what is best for tissues of which a part is known.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/kinship_rule.py [--page]

A tissue of strangers is told from kin by any number in a wide gap (``kinship_settling.py``). What decides is
tissues in between. The targets are those of ``lineages.py``: a branch of the classes of a study is the
source, and 0 to 100 % of the target's cells are of its classes, the others of the rest of the study; counts
are changed as a species changes them, and changed harder; whole, and 300, 100 and 50 cells of them. Each is
labelled twice, held foreign and not.

*Kinship*: a + b / n is asked of n cells, with a in steps of 0.01 and b in steps of 1, so that the share of
the strangers that come back unknown and that of the known cells that do not (mean over classes), the mean of
both, is largest on the mean over the studies.

*One type* and *few types*: the lowest number that is safe, c + r. c is the highest value of targets that are
not to pass, nine tenths of which are called one class (two classes); r is how far those of a study lie above
those of all others, at most. Not to pass are the targets here of which half of the cells or less are known,
and all targets of ``kinship_settling.py`` of which the source has no class. Results:
``benchmarks/results/kinship_rule.json`` and a table of ``docs/alignment.md``.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
STRANGERS: Final = ("strangers", "strange types")
BASES, PER_CELL = np.arange(0.1, 0.7, 0.01), np.arange(-10.0, 31.0)


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


def worth(frame: pd.DataFrame, way: str) -> NDArray[np.float64]:
    """Return the mean of strangers caught and known cells kept, of those that a target has, shape (n,)."""
    kept = 1.0 - frame[f"rejected, {way}"].astype(float)
    return np.asarray(np.nanmean([kept, frame[f"caught, {way}"].astype(float)], axis=0))


def by_numbers(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the worth of every a and b on the mean of the studies, shape (n_a, n_b, n_studies)."""
    told = frame[frame["whole"].notna() & ~frame["one_type"]]
    foreign, kin = worth(told, "foreign"), worth(told, "not")
    n, whole = told["n"].to_numpy(float), told["whole"].to_numpy(float)
    study, names = told["study"].to_numpy(), np.unique(told["study"])
    found = np.empty((len(BASES), len(PER_CELL), len(names)))
    for i, a in enumerate(BASES):
        for j, b in enumerate(PER_CELL):
            said = np.where(whole < a + b / n, foreign, kin)
            found[i, j] = [said[study == name].mean() for name in names]
    return found


def best(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the a and b of the largest worth, shape (n_a, n_b)."""
    i, j = np.unravel_index(values.argmax(), values.shape)
    return float(BASES[i]), float(PER_CELL[j])


def safe(frame: pd.DataFrame, share: str) -> tuple[float, float, int]:
    """Return c and r of what is carried by targets that are not to pass, and how many they are."""
    there = frame[(frame[share] >= NEARLY_ALL) & frame["carried"].notna()]
    highest = there.groupby("study")["carried"].max().sort_values()
    return float(highest.iloc[-1]), float(highest.iloc[-1] - highest.iloc[-2]), len(there)


def not_to_pass(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the targets that are neither of one type of the source nor of few."""
    others = json.loads(kinship_settling.RESULTS.read_text(encoding="utf-8"))["rows"]
    strange = [row for row in others if row["kind"].startswith(STRANGERS)]
    return pd.DataFrame([row for row in rows if row["share"] <= 0.5] + strange)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the numbers that the rule gives, and what they are worth, as Markdown tables."""
    values = by_numbers(pd.DataFrame(rows))
    mean = values.mean(axis=2)
    (a, b), never = best(mean), pd.DataFrame(rows)
    told = never[never["whole"].notna() & ~never["one_type"]]
    ways = {
        way: np.mean([worth(g, way).mean() for _, g in told.groupby("study")]) for way in ("not", "foreign")
    }
    other = [
        values[:, :, s].ravel()[np.delete(values, s, axis=2).mean(axis=2).argmax()]
        for s in range(values.shape[2])
    ]
    lines = [
        "| kinship | strangers caught and known cells kept, mean of both |",
        "|---|---|",
        f"| no target is held foreign | {ways['not']:.3f} |",
        f"| every target is | {ways['foreign']:.3f} |",
        f"| below **{a:.2f} + {b:.0f} / n** | {mean.max():.3f} |",
        f"| by the number that the other studies give | {np.mean(other):.3f} |",
        "",
        "| carried | targets that are not to pass | highest | above all other studies | asked |",
        "|---|---|---|---|---|",
    ]
    for words, share in {"one type": "largest", "few types": "largest_two"}.items():
        c, r, n = safe(not_to_pass(rows), share)
        lines.append(f"| {words} | {n:,} | {c:.2f} | {r:.2f} | **{c + r:.2f}** |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    folder = os.environ["ORTHOTYPE_REAL_DATA"]
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
