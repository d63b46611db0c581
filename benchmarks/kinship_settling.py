"""How kinship, one type and few types were settled: kin and strangers among labelled studies.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/kinship_settling.py [--page]

No pair of ``benchmarks/alignment.py`` takes part. One donor of a study of ``benchmarks/suggest_settling.py``
(and one batch of Paul) is the source: whole, its blood cells alone, or all others alone. Kin are cells of its
classes from the other donors; strangers to blood are the other cells of all studies of both species, and the
other way round, all together and type by type. Counts are as they are, changed as a species changes them
(``changed`` there), and changed harder, each class by itself as much as all of them. Of kin and strangers
300, 100 and 50 are drawn besides, thrice. Single types of 50 cells and more are a target by themselves, for
the source that has them and for one that lacks them, and so are two and three of the largest. Results:
``benchmarks/results/kinship_settling.json`` and tables of ``docs/alignment.md``.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import combinations
from math import isnan
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pandas as pd

import orthotype as ot
from alignment import PAGE
from engine.page import between, command
from orthotype.models.kinship import Kinship, kinship
from orthotype.transfer import labelling
from suggest import COLUMN
from suggest_settling import batches_of_paul, changed, studies

RESULTS = Path(__file__).parent / "results" / "kinship_settling.json"
BEGIN, END = "<!-- made by benchmarks/kinship_settling.py -->", "<!-- end: kinship -->"
BLOOD = re.compile(
    r"macrophage|monocyte|\b[TB] cell|leukocyte|mast cell|basophil|natural killer|dendritic|plasma cell"
    r"|neutrophil"
)
MARROW: Final = ("van Galen", "Paul")
FORMS: Final = {"as they are": None, "changed": 0.5, "changed harder": 1.0}
DRAWS, N_DRAWS = (300, 100, 50), 3
FEWEST_OF_A_CLASS, FEWEST, ENOUGH = 3, 50, 25
# Targets that share a row of the table of kinship, by their cells.
SIZES: Final = {"50": (50, 99), "100": (100, 299), "300": (300, 300), "more": (301, 10**9)}
# What is replaced in each way to take a shift, and what it is called on the page.
WAYS: Final[dict[str, tuple[tuple[tuple[Any, str, Any], ...], str]]] = {
    "none": (((Kinship, "one_type", True),), "no shift"),
    "many": (((Kinship, "one_type", False), (Kinship, "few_types", False)), "as of many types"),
    "fiftieth": (((labelling, "OF_FEW_TYPES", 0.02),), "a class of few types counts half at a fiftieth"),
    "twentieth": (((labelling, "OF_FEW_TYPES", 0.05),), "at a twentieth"),
    "settled": ((), "**as it is**"),
}


def blood(study: str, cells: Any) -> np.ndarray:
    """Return which cells are blood cells."""
    names = cells.obs[COLUMN].astype(str)
    return np.array([study in MARROW or bool(BLOOD.search(name)) for name in names])


def of_types(cells: Any, names: Any) -> Any:
    """Return the cells of these types."""
    return cells[np.isin(cells.obs[COLUMN].astype(str), list(names))].copy()


def sizes(cells: Any) -> dict[str, int]:
    """Return the cells of each type, the largest first."""
    return {str(name): int(n) for name, n in cells.obs[COLUMN].value_counts().items() if n}


def trained(source: Any, species: str) -> Any:
    """Return a model of the classes of some cells, or nothing if they are less than three."""
    names = [name for name, n in sizes(source).items() if n >= FEWEST_OF_A_CLASS]
    if len(names) < 3:
        return None
    return ot.LabelTransfer().fit(of_types(source, names), labels=COLUMN, species=species)


def drawn(cells: Any) -> Iterator[Any]:
    """Yield all cells, and fewer of them."""
    rng = np.random.default_rng(0)
    yield cells
    for n in DRAWS:
        for _ in range(N_DRAWS if n < cells.n_obs else 0):
            yield cells[np.sort(rng.permutation(cells.n_obs)[:n])].copy()


def told(model: Any, cells: Any, species: str) -> dict[str, Any]:
    """Return what is found out about a target: before the shift, and at the end."""
    return told_by(*labelled(model, cells, species))


def labelled(model: Any, cells: Any, species: str) -> tuple[Kinship, Any]:
    """Label cells; returns what their kinship is before the shift, too."""
    seen_before: list[Kinship] = []

    def remembered(*args: Any, **named: Any) -> Kinship:
        seen_before.append(kinship(*args, **named))
        return seen_before[-1]

    with patch.object(labelling, "kinship", remembered):
        found = model.label(cells, species=species)
    return seen_before[0], found


def told_by(before: Kinship, found: Any) -> dict[str, Any]:
    """Return what labelling found out about a target as plain numbers."""
    end = found.kinship
    return {
        "n": len(found.predictions),
        "whole": None if isnan(end.whole) else end.whole,
        "least": None if isnan(end.whole) else end.least,
        "largest": before.largest,
        "largest_two": before.largest_two,
        "carried": None if isnan(before.carried) else before.carried,
        "one_type": before.one_type,
        "few_types": before.few_types,
        "foreign": end.foreign,
        "unknown": float((found.predictions.status == "unknown").mean()),
    }


def recall(model: Any, cells: Any, species: str, way: str) -> float:
    """Return the mean recall of the nearest class, the shift taken in some way."""
    true = cells.obs[COLUMN].astype(str).to_numpy()
    with ExitStack() as stack:
        for place, what, value in WAYS[way][0]:
            stack.enter_context(patch.object(place, what, value))
        said = model.label(cells, species=species).predictions
    right = said.classes[said.winner] == true
    return float(np.mean([right[true == name].mean() for name in np.unique(true)]))


def kin(model: Any, source: Any, own: Any, species: str) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield targets of the classes of a source: the kind, the model, the cells, and whether calls count."""
    for some in drawn(own):
        yield "kin", model, some, some is own
    for name, n in sizes(own).items():
        if n >= FEWEST:
            yield "one", model, of_types(own, [name]), True
            lacking = trained(source[(source.obs[COLUMN] != name).to_numpy()].copy(), species)
            if lacking is not None:
                yield "near strangers", lacking, of_types(own, [name]), False
    large = [name for name, n in sizes(own).items() if n >= ENOUGH][:5]
    for kind, k in (("two", 2), ("three", 3)):
        for names in combinations(large, k):
            yield kind, model, of_types(own, names), True


def strangers(model: Any, cells: Any, species: str) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield targets of which the source has no class."""
    whose = "" if species == model.state_.space.orthologs.source else ", another species"
    for some in drawn(cells) if cells.n_obs else ():
        yield f"strangers{whose}", model, some, False
    for name in sizes(cells):
        yield f"strange types{whose}", model, of_types(cells, [name]), False


def targets(folder: str, by_class: float | None) -> Iterator[tuple[str, str, tuple[str, Any, Any, bool]]]:
    """Yield all targets of one form, each with the study of the source and the species of the cells."""
    found = [*studies(folder), batches_of_paul(folder)]
    meant = {
        name: (cells if by_class is None else changed(cells, by_class=by_class), species)
        for name, _, cells, species in found
    }
    for name, source, _, species in found:
        cells = meant[name][0]
        own, is_blood = blood(name, source), blood(name, cells)
        parts = {"all": (own | True, is_blood | True), "blood": (own, is_blood), "other": (~own, ~is_blood)}
        for part in ("blood",) if name in MARROW else parts:
            here, there = (
                some[which].copy() for some, which in zip((source, cells), parts[part], strict=True)
            )
            model = trained(here, species)
            if model is None:
                continue
            for each in kin(model, here, of_types(there, model.state_.classes.astype(str)), species):
                yield name, species, (*each[:3], each[3] and part != "other")
            if part != "all":
                for which, (other, its) in meant.items():
                    strange = other[blood(which, other) != (part == "blood")].copy()
                    yield from ((name, its, each) for each in strangers(model, strange, its))


def measured(folder: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every target."""
    for form, by_class in FORMS.items():
        for study, species, (kind, model, cells, counts) in targets(folder, by_class):
            if cells.n_obs >= FEWEST:
                row = {"study": study, "form": form, "kind": kind, **told(model, cells, species)}
                if counts:
                    row["recall"] = {way: recall(model, cells, species, way) for way in WAYS}
                yield row


def kinship_table(frame: pd.DataFrame) -> str:
    """Return the kinship of strangers and of kin by the number of cells, as a Markdown table."""
    lines = [
        "| cells | strangers: targets | one class alone called: foreign | nothing told | kinship, mean (sd) "
        "| lower end, highest | held foreign | unknown | kin: targets | kinship, mean (sd) "
        "| lower end, lowest | one class alone called |",
        "|---" * 12 + "|",
    ]
    for words, (low, high) in SIZES.items():
        here = frame[frame["n"].between(low, high)]
        strange, own = here[here["kind"].str.startswith("strangers")], here[here["kind"] == "kin"]
        whole = strange["whole"].dropna()
        lone = strange["whole"].isna() & strange["foreign"]
        cells = [
            f"{len(strange)}",
            f"{lone.sum()}",
            f"{(strange['whole'].isna() & ~lone).sum()}",
            f"{whole.mean():.2f} ({whole.std():.2f})",
            f"{strange['least'].max():.2f}",
            f"{strange['foreign'].mean():.2f}",
            f"{strange['unknown'].mean():.2f}",
            f"{len(own)}",
            f"{own['whole'].mean():.2f} ({own['whole'].std():.2f})",
            f"{own['least'].min():.2f}",
            f"{own['foreign'].sum()}",
        ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def carried_table(frame: pd.DataFrame) -> str:
    """Return how far targets that are called one class carry its genes, as a Markdown table."""
    kinds = {
        "one": "one type of the source",
        "near strangers": "one type that is taken out of the source",
        "strange types": "one type of another lineage",
        "strangers": "all types of another lineage",
    }
    lines = [
        "| target, nine tenths called one class | targets | carried: lowest | second | median | highest "
        "| held one type | unknown |",
        "|---" * 8 + "|",
    ]
    for kind, words in kinds.items():
        here = frame[frame["kind"].str.startswith(kind) & (frame["largest"] >= 0.9)]
        values = np.sort(here["carried"].dropna())
        said = [
            values[0],
            values[1],
            np.median(values),
            values[-1],
            here["one_type"].mean(),
            here["unknown"].mean(),
        ]
        lines.append(f"| {words} | {len(here)} | {' | '.join(f'{value:.2f}' for value in said)} |")
    return "\n".join(lines)


def recall_table(frame: pd.DataFrame) -> str:
    """Return mean recall by the way that the shift is taken, as a Markdown table."""
    kinds = {"one": "one type", "two": "two types", "three": "three types", "kin": "all types"}
    lines = [
        f"| target | targets | of few types, or one | {' | '.join(words for _, words in WAYS.values())} |",
        "|---" * (3 + len(WAYS)) + "|",
    ]
    counted = frame[frame["recall"].notna()]
    for kind, words in kinds.items():
        here = counted[counted["kind"] == kind]
        means = [np.mean([each[way] for each in here["recall"]]) for way in WAYS]
        few = f"{(here['few_types'] | here['one_type']).mean():.2f}"
        lines.append(f"| {words} | {len(here)} | {few} | {' | '.join(f'{value:.3f}' for value in means)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    frame = pd.DataFrame(rows)
    tables = (kinship_table(frame), carried_table(frame), recall_table(frame))
    return between(text, BEGIN, END, "\n\n".join(tables))


def main() -> None:
    folder = os.environ["ORTHOTYPE_REAL_DATA"]
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
