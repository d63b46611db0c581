"""The two rules for the penalty, on other pairs than Baron mouse and human.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/penalty.py [--seeds 3]

The two rules, ``strongest`` and ``lowest``, on pairs beside Baron mouse and human: mouse marrow to two human
marrows (Paul 2015 to van Galen 2019 and Setty 2019, over coarse shared classes), two studies of human lung in
both directions, and one Baron donor to the other three. The first four need the development data and are left
out without it. Mean recall over shared classes, genes chosen in both data sets, no alignment; target labels
only score. Results: ``benchmarks/results/penalty.json``.
"""

import argparse
import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import orthotype as ot

RESULTS = Path(__file__).parent / "results" / "penalty.json"
ERYTHROID = {f"{i}Ery": ("erythroid",) for i in range(1, 7)}
PAUL = ERYTHROID | {
    "7MEP": ("progenitor",),
    "9GMP": ("progenitor",),
    "10GMP": ("progenitor",),
    "15Mo": ("granulocyte",),
    "16Neu": ("granulocyte",),
    "13Baso": ("monocyte",),
    "14Mo": ("monocyte",),
    "11DC": ("dendritic",),
    "19Lymph": ("lymphoid",),
    "8Mk": ("megakaryocyte",),
}
VAN_GALEN = {
    "earlyEry": ("erythroid",),
    "lateEry": ("erythroid",),
    "HSC": ("progenitor",),
    "Prog": ("progenitor",),
    "GMP": ("granulocyte",),
    "ProMono": ("monocyte",),
    "Mono": ("monocyte",),
    "cDC": ("dendritic",),
    "T": ("lymphoid",),
    "CTL": ("lymphoid",),
    "NK": ("lymphoid",),
}
SETTY = {
    "6": ("erythroid",),
    "1": ("erythroid", "progenitor", "megakaryocyte"),
    "3": ("granulocyte", "monocyte"),
    "5": ("monocyte", "dendritic"),
    "8": ("dendritic",),
}


@dataclass
class Pair:
    """Two data sets with their label columns, and what their classes have in common if the names differ."""

    name: str
    source: Any
    target: Any
    labels: tuple[str, str]
    species: tuple[str, str]
    coarse: dict[str, tuple[str, ...]] = field(default_factory=dict)
    right: dict[str, tuple[str, ...]] = field(default_factory=dict)


def pairs() -> list[Pair]:
    human = ot.datasets.get("baron2016-human")
    column = "cell_ontology_class"
    found = []
    for donor in ("human1", "human3"):
        one = (human.obs["donor"] == donor).to_numpy()
        found.append(Pair(f"Baron {donor} to others", human[one], human[~one], (column,) * 2, ("human",) * 2))
    folder = os.environ.get("ORTHOTYPE_REAL_DATA")
    if folder is None:
        return found
    paul, van_galen, setty, sapiens, lca = (
        seen(ad.read_h5ad(Path(folder) / f"{name}.h5ad"))
        for name in (
            "paul2015_mouse_bm",
            "vangalen2019_human_bm_healthy",
            "setty2019_human_cd34_bm_unlabelled",
            "tabula_sapiens_human_lung_subset",
            "lca_human_lung_subset",
        )
    )
    both, lung = ("mouse", "human"), ("cell_type",) * 2
    return [
        Pair("Paul to van Galen", paul, van_galen, lung, both, PAUL, VAN_GALEN),
        Pair("Paul to Setty", paul, setty, ("cell_type", "fateid_cluster"), both, PAUL, SETTY),
        Pair("Tabula Sapiens to LCA lung", sapiens, lca, lung, ("human",) * 2),
        Pair("LCA to Tabula Sapiens lung", lca, sapiens, lung, ("human",) * 2),
        *found,
    ]


def seen(adata: Any) -> Any:
    return adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()


def mean_recall(pair: Pair, called: Any, classes: list[str]) -> float:
    """Return the mean recall over target classes that have a right answer among the model's classes."""
    true = pair.target.obs[pair.labels[1]].astype(str).to_numpy()
    coarse = np.array([pair.coarse.get(name, (name,))[0] for name in called])
    offered = {pair.coarse.get(name, (name,))[0] for name in classes}
    right = {name: pair.right.get(name, () if pair.right else (name,)) for name in set(true)}
    return float(
        np.mean([np.isin(coarse[true == k], v).mean() for k, v in right.items() if offered & set(v)])
    )


def run(pair: Pair, alpha: str, seed: int) -> tuple[float, float]:
    """Return mean recall on held-out source cells and on the target."""
    counts = pair.source.obs[pair.labels[0]].astype(str).value_counts()
    kept = pair.source.obs[pair.labels[0]].astype(str).isin(counts.index[counts >= 2]).to_numpy()
    model = ot.LabelTransfer(alpha=alpha, random_state=seed).fit(
        pair.source[kept].copy(),
        labels=pair.labels[0],
        species=pair.species[0],
        target=pair.target.copy(),
        target_species=pair.species[1],
    )
    asked = {"alignment": "none", "unknown": "none", "n_neighbors": 0}
    called = model.predict(pair.target.copy(), species=pair.species[1], **asked).label.astype(str)
    return model.card["held_out"]["mean_recall"], mean_recall(pair, called, model.card["classes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for pair in pairs():
            row: dict[str, Any] = {"pair": pair.name}
            for alpha in ("lowest", "strongest"):
                scores = np.array([run(pair, alpha, seed) for seed in range(seeds)])
                row[alpha] = {
                    "unseen_cells": float(scores[:, 0].mean()),
                    "mean_recall": float(scores[:, 1].mean()),
                    "spread": float(np.ptp(scores[:, 1])),
                }
            rows.append(row)
            texts = [
                f"{a} {row[a]['unseen_cells']:.3f} -> {row[a]['mean_recall']:.3f}" for a in row if a != "pair"
            ]
            print(f"{pair.name:<27} {' | '.join(texts)}", flush=True)
    RESULTS.write_text(json.dumps({"seeds": seeds, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
