"""Tissues that share some types with a source, or none: the lineages of a study, taken apart.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/lineages.py [--page]

No pair of ``benchmarks/alignment.py`` takes part. The classes of a study (those of
``benchmarks/suggest_settling.py``) form a tree by how alike their means are. A branch of it with three
classes or more is a source, and so is what is left without the branch, at most ten sources a study. The
target is up to 900 cells with counts changed as a species changes them (``changed`` there), of which a stated
share are of classes of the source, from other donors or, where one donor has too few of them, another half of
the cells; the others are strangers. Less than 400 cells are left out. A rule is the labelling with something
replaced. Results: ``benchmarks/results/lineages.json`` and a table of ``docs/alignment.md``.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import anndata as ad
import numpy as np

import orthotype as ot
from alignment import PAGE
from engine.page import between, command
from orthotype.models import kinship, unknown
from penalty import seen
from suggest import COLUMN, named
from suggest_settling import BUNDLED, STUDIES, branches, changed

RESULTS = Path(__file__).parent / "results" / "lineages.json"
BEGIN, END = "<!-- made by benchmarks/lineages.py -->", "<!-- end: lineages -->"
SHARES: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
MOST_CELLS, FEWEST_CELLS = 900, 400
FEWEST_OF_A_CLASS = 10
MOST_SOURCES = 10


# What each rule replaces, and what it is called on the page.
RULES: Final[dict[str, tuple[tuple[tuple[Any, str, Any], ...], str]]] = {
    "settled": ((), "**as it is**"),
    "none": (((kinship, "LEAST_KINSHIP", -1.0),), "no target is held foreign"),
    "any": (((unknown, "KIN_ALIKE", 0.0),), "what is usual, however little it is"),
    "alike": (((unknown, "KIN_ALIKE", 0.8),), "what is usual, at least 0.8 of the highest kinship"),
}


def studies(folder: str) -> Iterator[tuple[str, Any, np.ndarray, str]]:
    """Yield the cells of every study, which of them are of the donor that is the source, and the species."""
    for name, (data, labels, donors, one, species) in STUDIES.items():
        cells = (
            ot.datasets.get(data) if name in BUNDLED else seen(ad.read_h5ad(Path(folder) / f"{data}.h5ad"))
        )
        cells = named(cells, labels)
        yield name, cells, (cells.obs[donors].astype(str) == one).to_numpy(), species


def targets(
    cells: Any, own: np.ndarray, part: frozenset[str]
) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Yield the cells of a source, the share of its classes in a target, and the cells of that."""
    rng = np.random.default_rng(0)
    true = cells.obs[COLUMN].astype(str).to_numpy()
    names, sizes = np.unique(true, return_counts=True)
    inside, large = np.isin(true, list(part)), np.isin(true, names[sizes >= FEWEST_OF_A_CLASS])
    source = inside & own
    if sum(np.count_nonzero(source & (true == name)) >= 5 for name in part) < 3:
        source = inside & (rng.random(len(true)) < 0.5)
    names, sizes = np.unique(true[source], return_counts=True)
    known = names[sizes >= 4]
    source &= np.isin(true, known)
    if len(known) < 3:
        return
    mine, strange = np.flatnonzero(np.isin(true, known) & ~source), np.flatnonzero(large & ~inside)
    for share in SHARES:
        n = int(min([MOST_CELLS, *_most(len(mine), share), *_most(len(strange), 1.0 - share)]))
        if n >= FEWEST_CELLS:
            n_mine = round(share * n)
            chosen = [rng.permutation(mine)[:n_mine], rng.permutation(strange)[: n - n_mine]]
            yield source, share, np.sort(np.concatenate(chosen))


def _most(n: int, share: float) -> list[float]:
    return [n / share] if share > 0 else []


def measured(folder: str) -> Iterator[dict[str, Any]]:
    """Yield the shares of unknown cells of every rule, source and target."""
    for study, cells, own, species in studies(folder):
        for part in branches(cells)[:MOST_SOURCES]:
            model = None
            for source, share, chosen in targets(cells, own, part):
                if model is None:
                    model = ot.LabelTransfer().fit(cells[source].copy(), labels=COLUMN, species=species)
                target = changed(cells[chosen].copy())
                true = target.obs[COLUMN].astype(str).to_numpy()
                known = np.isin(true, model.state_.classes.astype(str))
                for rule, (patches, _) in RULES.items():
                    with ExitStack() as stack:
                        for place, what, value in patches:
                            stack.enter_context(patch.object(place, what, value))
                        said = model.label(target, species=species).predictions
                    lost = said.status == "unknown"
                    yield {
                        "study": study,
                        "classes": len(model.state_.classes),
                        "share": share,
                        "rule": rule,
                        "n": len(true),
                        "rejected": mean_of_classes(lost[known], true[known]),
                        "caught": float(lost[~known].mean()) if (~known).any() else None,
                    }
            print(study, len(part), flush=True)


def mean_of_classes(values: np.ndarray, true: np.ndarray) -> float | None:
    """Return the mean over classes of the mean over their cells."""
    return float(np.mean([values[true == name].mean() for name in np.unique(true)])) if len(true) else None


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over targets as a Markdown table: strangers that are unknown, known cells that are."""
    parts = {"none": (0.0, 0.0), "5 and 10 %": (0.05, 0.1), "20 to 50 %": (0.2, 0.5), "all": (1.0, 1.0)}
    head = " | ".join(f"{name} of the cells known" for name in parts)
    lines = [f"| rule | {head} |", "|---" * (1 + len(parts)) + "|"]
    for rule, (_, words) in RULES.items():
        cells = []
        for low, high in parts.values():
            here = [r for r in rows if r["rule"] == rule and low <= r["share"] <= high]
            said = {
                what: [r[what] for r in here if r[what] is not None and not np.isnan(r[what])]
                for what in ("caught", "rejected")
            }
            cells.append(" / ".join(f"{np.mean(x):.2f}" if x else "-" for x in said.values()))
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    folder = os.environ["ORTHOTYPE_REAL_DATA"]
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
