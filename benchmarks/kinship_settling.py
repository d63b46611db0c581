"""How kinship, one type and few types were settled: kin and strangers among labelled studies of one species.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/kinship_settling.py [--page]

No pair of ``benchmarks/alignment.py`` takes part. One donor of a study of ``benchmarks/suggest_settling.py``
(and one batch of Paul) is the source: whole, its blood cells alone, or all others alone. Kin are cells of its
classes from the other donors; strangers to blood are the other cells of all studies of the species, and the
other way round, all together and type by type. Counts are as they are, changed as a species changes them
(``changed`` there), and changed harder, each class by itself as much as all of them. Of kin and strangers
300, 100 and 50 are drawn besides, thrice. Single types of 50 cells and more are a target by themselves, for
the source that has them and for one that lacks them, and so are two and three of the largest. Results:
``benchmarks/results/kinship_settling.json`` and tables of ``docs/alignment.md``.
"""

import argparse
import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from unittest.mock import PropertyMock, patch

import anndata as ad
import numpy as np
import pandas as pd

import orthotype as ot
from alignment import PAGE
from engine.page import between
from orthotype.models.kinship import LEAST_KINSHIP, MORE_OF_FEW, Kinship, kinship
from orthotype.transfer import labelling
from penalty import seen
from suggest import COLUMN, fewer, named
from suggest_settling import MOST_CELLS, changed, studies

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
# Where the largest and the smallest groups of the table of kinship begin, in cells.
SIZES: Final = {"50": (50, 99), "100": (100, 299), "300": (300, 300), "more": (301, 10**9)}
# What is replaced in each way to take a shift.
WAYS: Final[dict[str, dict[str, bool]]] = {
    "none": {"one_type": True},
    "many": {"one_type": False, "few_types": False},
    "settled": {},
}


def all_studies(folder: str) -> list[tuple[str, Any, Any, str]]:
    """Return every study: its name, the cells of one donor, cells of the others, and the species."""
    paul = named(seen(ad.read_h5ad(Path(folder) / "paul2015_mouse_bm.h5ad")), "cell_type_marker_checked")
    batch = paul.obs["Seq_batch_ID"].astype(str)
    own = (batch == sorted(set(batch))[0]).to_numpy()
    return [*studies(folder), ("Paul", paul[own].copy(), fewer(paul[~own], MOST_CELLS), "mouse")]


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
    seen_before: list[Kinship] = []

    def remembered(*args: Any, **named: Any) -> Kinship:
        seen_before.append(kinship(*args, **named))
        return seen_before[-1]

    with patch.object(labelling, "kinship", remembered):
        found = model.label(cells, species=species)
    before, end = seen_before[0], found.kinship
    return {
        "n": cells.n_obs,
        "whole": end.whole,
        "largest": before.largest,
        "largest_two": before.largest_two,
        "carried": before.carried,
        "one_type": before.one_type,
        "few_types": before.few_types,
        "foreign": end.foreign,
        "unknown": float((found.predictions.status == "unknown").mean()),
    }


def recall(model: Any, cells: Any, species: str, way: str) -> float:
    """Return the mean recall of the nearest class, the shift taken in some way."""
    true = cells.obs[COLUMN].astype(str).to_numpy()
    with ExitStack() as stack:
        for what, value in WAYS[way].items():
            stack.enter_context(patch.object(Kinship, what, PropertyMock(return_value=value)))
        said = model.label(cells, species=species).predictions
    right = said.classes[said.winner] == true
    return float(np.mean([right[true == name].mean() for name in np.unique(true)]))


def kin(source: Any, own: Any, species: str) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield targets of the classes of a source: the kind, the model, the cells, and whether calls count."""
    model = trained(source, species)
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
            some = of_types(own, names)
            if some.n_obs >= FEWEST:
                yield kind, model, some, True


def strangers(source: Any, others: list[Any], species: str) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield targets of which the source has no class."""
    model = trained(source, species)
    for cells in others:
        for some in drawn(cells):
            yield "strangers", model, some, False
        for name, n in sizes(cells).items():
            if n >= FEWEST:
                yield "strange types", model, of_types(cells, [name]), False


def targets(folder: str, by_class: float | None) -> Iterator[tuple[str, str, Any, Any, str, bool]]:
    """Yield all targets of one form: study, kind, model, cells, species and whether calls count."""
    found = all_studies(folder)
    meant = {
        name: cells if by_class is None else changed(cells, by_class=by_class) for name, _, cells, _ in found
    }
    for name, source, _, species in found:
        own, is_blood = blood(name, source), blood(name, meant[name])
        parts = {"all": (slice(None), slice(None)), "blood": (own, is_blood), "other": (~own, ~is_blood)}
        for part, (here, there) in parts.items():
            some = source[here].copy()
            if trained_classes(some) < 3 or (part == "all" and name in MARROW):
                continue
            classes = [label for label, n in sizes(some).items() if n >= FEWEST_OF_A_CLASS]
            for each in kin(some, of_types(meant[name][there], classes), species):
                yield name, each[0], *each[1:3], species, each[3] and part != "other"
            if part != "all":
                strange = [
                    cells[blood(other, cells) != (part == "blood")].copy()
                    for other, cells in meant.items()
                    if species == next(s for n, _, _, s in found if n == other)
                ]
                strange = [cells for cells in strange if cells.n_obs >= FEWEST]
                for each in strangers(some, strange, species):
                    yield name, each[0], *each[1:3], species, each[3]


def trained_classes(source: Any) -> int:
    """Return how many classes a model of these cells has."""
    return sum(n >= FEWEST_OF_A_CLASS for n in sizes(source).values())


def measured(folder: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every target."""
    for form, by_class in FORMS.items():
        for study, kind, model, cells, species, counts in targets(folder, by_class):
            if cells.n_obs < FEWEST:
                continue
            row = {"study": study, "form": form, "kind": kind, **told(model, cells, species)}
            if counts:
                row["recall"] = {way: recall(model, cells, species, way) for way in WAYS}
            yield row


def kinship_table(frame: pd.DataFrame) -> str:
    """Return the kinship of strangers and of kin by the number of cells, as a Markdown table."""
    lines = [
        "| cells | strangers: targets | one class alone called: foreign | nothing told | kinship, mean (sd) "
        "| highest | asked | unknown | kin: targets | lowest | one class alone called |",
        "|---" * 11 + "|",
    ]
    for words, (low, high) in SIZES.items():
        here = frame[frame["n"].between(low, high)]
        strange, own = here[here["kind"] == "strangers"], here[here["kind"] == "kin"]
        whole = strange["whole"].dropna()
        lone = strange["whole"].isna() & strange["foreign"]
        cells = [
            f"{len(strange)}",
            f"{lone.sum()}",
            f"{(strange['whole'].isna() & ~lone).sum()}",
            f"{whole.mean():.2f} ({whole.std():.2f})",
            f"{whole.max():.2f}",
            f"{LEAST_KINSHIP + MORE_OF_FEW / here['n'].median():.2f}",
            f"{strange['unknown'].mean():.2f}",
            f"{len(own)}",
            f"{own['whole'].min():.2f}",
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
        here = frame[(frame["kind"] == kind) & (frame["largest"] >= 0.9)]
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
        "| target | targets | of few types, or one | no shift | as of many types | **as it is** |",
        "|---" * 6 + "|",
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if not options.page:
        rows = list(measured(os.environ["ORTHOTYPE_REAL_DATA"]))
        RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
