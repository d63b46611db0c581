"""The whole study on real pairs: ``python benchmarks/study.py [--workers 2] [--only NAME ...]``.

The bundled Baron pair in both directions, with the default recipe and with that of the paper
(``stumpf2020``), and two pairs of bone marrow from the development data (``ORTHOTYPE_REAL_DATA``; left out
without it) over coarse classes: Paul 2015 to Setty 2019, where both are progenitors and the truth is a
reading of clusters, and Paul 2015 to van Galen 2019, which is hard: whole marrow, shallow, labels from
clustering. Writes ``benchmarks/results/study.json`` and the tables of ``docs/stumpf2020.md``. A run that was
stopped goes on (``--folder``).
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import orthotype as ot
from engine.measure import machine, save
from orthotype.study import Columns, Study, preset, run

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "stumpf2020.md"
RESULTS = ROOT / "benchmarks" / "results" / "study.json"
PAUL = {f"{i}Ery": "erythroid" for i in range(1, 7)} | {
    "7MEP": "progenitor",
    "8Mk": "megakaryocyte",
    "9GMP": "progenitor",
    "10GMP": "progenitor",
    "11DC": "dendritic",
    "12Baso": "basophil",
    "13Baso": "monocyte",
    "14Mo": "monocyte",
    "15Mo": "granulocyte",
    "16Neu": "granulocyte",
    "17Neu": "basophil",
    "18Eos": "eosinophil",
    "19Lymph": "lymphoid",
}
VAN_GALEN = {
    **dict.fromkeys(("earlyEry", "lateEry"), "erythroid"),
    **dict.fromkeys(("HSC", "Prog"), "progenitor"),
    **dict.fromkeys(("ProMono", "Mono"), "monocyte"),
    **dict.fromkeys(("T", "CTL", "NK"), "lymphoid"),
    **dict.fromkeys(("ProB", "B"), "B"),
    "GMP": "granulocyte",
    "cDC": "dendritic",
    "pDC": "pDC",
    "Plasma": "plasma cell",
}
SETTY = {
    "1": "progenitor",
    "2": "stem cell",
    "3": "granulocyte",
    "4": "lympho-myeloid progenitor",
    "5": "monocyte",
    "6": "erythroid",
    "7": "lymphoid progenitor",
    "8": "dendritic",
}
TREE = "progenitor > erythroid\nprogenitor > granulocyte\nprogenitor > monocyte > dendritic\n" + "".join(
    f"progenitor > {name}\n" for name in ("lymphoid", "megakaryocyte", "basophil", "eosinophil")
)


SHOTS = (0, 1, 2, 5, 10, 30)
CLASS = "cell_ontology_class"
Cells = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """One run: its name, how to get both data sets, columns, preset and lineage."""

    name: str
    source: Cells
    target: Cells
    columns: Columns
    recipe: str
    lineage: str | None = None


def real(file: str) -> Any:
    """Return cells of the development data."""
    return ad.read_h5ad(Path(os.environ["ORTHOTYPE_REAL_DATA"]) / file)


def coarse(cells: Cells, mapping: dict[str, str], column: str = "cell_type") -> Any:
    """Return the cells that have a coarse class, with it in obs["coarse"]."""
    found = cells()
    named = found.obs[column].astype(str)
    found.obs["coarse"] = np.array([mapping.get(name) for name in named], dtype=object)
    return found[[name in mapping for name in named]].copy()


def settings() -> list[Setting]:
    """Return every run that can be made here."""
    found = []
    for source, target in (("mouse", "human"), ("human", "mouse")):
        columns = Columns(CLASS, CLASS, target_groups="donor", source_species=source, target_species=target)
        cells = partial(baron, source), partial(baron, target)
        if source == "mouse":
            found.append(Setting("Baron mouse to human, quick", *cells, columns, "quick"))
        found += both(f"Baron {source} to {target}", *cells, columns)
    if "ORTHOTYPE_REAL_DATA" not in os.environ:
        print("ORTHOTYPE_REAL_DATA is not set: the bone marrow pairs are left out")
        return found
    columns = Columns("coarse", "coarse", source_species="mouse", target_species="human")
    paul = partial(coarse, partial(real, "paul2015_mouse_bm.h5ad"), PAUL)
    setty = partial(coarse, partial(ot.datasets.get, "setty2019-human-marrow-subset"), SETTY, "cluster")
    van_galen = partial(coarse, partial(real, "vangalen2019_human_bm_healthy.h5ad"), VAN_GALEN)
    found += both("Paul to Setty marrow", paul, setty, columns, lineage="tree")
    found += both("Paul to van Galen marrow", paul, van_galen, columns, lineage="tree")
    return found


def both(
    name: str, source: Cells, target: Cells, columns: Columns, *, lineage: str | None = None
) -> list[Setting]:
    """Return a pair with our recipe and with that of the paper."""
    return [
        Setting(f"{name}, {recipe}", source, target, columns, recipe, lineage)
        for recipe in ("default", "stumpf2020")
    ]


def baron(species: str) -> Any:
    """Return one half of the bundled pair."""
    return ot.datasets.get(f"baron2016-{species}")


def measure(setting: Setting, folder: Path, workers: int) -> dict[str, Any]:
    """Run one study and return what is kept of it."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / "tree.txt"
    tree.write_text(TREE, encoding="utf-8")
    recipe = replace(preset(setting.recipe), embedding="pca")
    begun, spent = time.perf_counter(), processor_seconds()
    study = run(
        setting.source(),
        target=setting.target(),
        columns=setting.columns,
        output=folder / setting.name.replace(" ", "_").replace(",", ""),
        recipe=recipe,
        lineage=tree if setting.lineage else None,
        workers=workers,
    )
    seconds = round(time.perf_counter() - begun, 1)
    return {
        "name": setting.name,
        "seconds": seconds,
        "processor_seconds": round(processor_seconds() - spent, 1),
        **kept(study),
    }


def processor_seconds() -> float:
    """Return what this process and its workers have computed so far; waiting does not count."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def kept(study: Study) -> dict[str, Any]:
    """Return the numbers of a study that the page and the results show."""
    record, tables = study.record, study.tables
    return rounded(
        {
            "cells": [record["source"]["cells"], record["target"]["cells"]],
            "features": record["n_features"],
            "classes": len(record["classes"]),
            "shared": len(record["shared"]),
            "source_scores": overall(tables["source_metrics"]),
            "target_scores": overall(tables["transfer_metrics"]),
            "entropy": {
                side: tables[f"{side}_entropy"].groupby("learner")["median"].mean().to_dict()
                for side in ("source", "transfer")
            },
            "comparison": tables["source_comparison"]
            .set_index("metric")[["difference", "low", "high", "p_equal", "verdict"]]
            .to_dict(orient="index"),
            "answers": {answer.key: dict(answer.numbers) for answer in study.answers},
            "curve": curve(study),
            "tests_significant": [
                int((tables["few_shot_tests"]["p_adjusted"] < 0.05).sum()),
                len(tables["few_shot_tests"]),
            ],
            "needed": needed(study),
            "zero_shot": zero_shot(study),
            "text": {answer.key: answer.text for answer in study.answers},
        }
    )


def overall(table: Any) -> dict[str, dict[str, float]]:
    """Return the scores over all classes of each learner, standard and published."""
    rows = table[table["class"] == "all"]
    return {learner: part.set_index("metric")["value"].to_dict() for learner, part in rows.groupby("learner")}


def curve(study: Study) -> dict[str, dict[str, float]]:
    """Return F1 over the classes that can be labelled at some numbers of cells, by learner and start."""
    table = study.tables["few_shot_intervals"]
    mean = "all labelled" if (table["class"] == "all labelled").any() else "all"
    rows = table[
        (table["class"] == mean) & (table["metric"] == "f1") & table["shots"].isin([0, 1, 2, 5, 10, 30])
    ]
    return {
        f"{learner} {start}": {str(n): value for n, value in zip(part["shots"], part["mean"], strict=True)}
        for (learner, start), part in rows.groupby(["learner", "start"])
    }


def needed(study: Study) -> dict[str, str]:
    """Return the cells needed over the classes that can be labelled, in words."""
    table = study.tables["few_shot_needed"]
    mean = "all labelled" if (table["class"] == "all labelled").any() else "all"
    rows = table[table["class"] == mean]
    return {f"{r.criterion} {r.learner} {r.start}": r.outcome for r in rows.itertuples()}


def zero_shot(study: Study) -> dict[str, dict[str, float]]:
    """Return median recall and precision over the classes left without a label, by learner and model."""
    rows = (
        study.tables["zero_shot_classes"]
        .groupby(["learner", "model", "class"])[["recall", "precision"]]
        .mean()
    )
    medians = rows.groupby(["learner", "model"]).median()
    return {f"{learner} {model}": values.to_dict() for (learner, model), values in medians.iterrows()}


def rounded(value: Any) -> Any:
    """Return plain JSON values with four digits; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return None if not np.isfinite(value) else float(f"{value:.4g}")
    return value


def main() -> None:
    """Run the studies, write JSON and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("study-benchmark"), help="for the pieces")
    parser.add_argument("--only", nargs="*", help="names of runs; others keep their earlier numbers")
    arguments = parser.parse_args()
    before = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    rows = {row["name"]: row for row in before}
    for setting in settings():
        if not arguments.only or setting.name in arguments.only:
            rows[setting.name] = measure(setting, arguments.folder, arguments.workers)
            print(setting.name, rows[setting.name]["seconds"], "s")
            save("study", {"machine": machine(), "rows": list(rows.values())})
    if PAGE.exists():
        from study_page import page

        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), list(rows.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
