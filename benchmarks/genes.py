"""Which genes, by which rule, under which penalty: measured on the source first, then on the transfer.

Usage::

    pip install . scanpy scikit-misc
    python benchmarks/genes.py [--seeds 5]

On the bundled Baron pancreas pair, both directions. The *source side* is the mean recall on donors that the
model has not seen (folds by donor); defaults are chosen there. The *transfer* side is reported beside it:
accuracy and mean recall over the ten shared classes, no alignment, no target label used for anything but
the score. Results go to ``benchmarks/results/genes.json`` and the table of ``docs/orthologs.md`` is made
from them.
"""

import argparse
import json
import platform
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import scipy.sparse as sp

import orthotype as ot
from engine.page import between
from orthotype.cells.encode import LogNormalize
from orthotype.cells.select import GeneMoments, select_genes
from orthotype.cells.space import project
from orthotype.cells.table import CellTable, open_cells
from orthotype.genes.orthologs import OrthologMap
from orthotype.models.consensus import ConsensusClassifier

LABELS, DONOR = "cell_ontology_class", "donor"
RESULTS = Path(__file__).parent / "results" / "genes.json"
PAGE = Path(__file__).parents[1] / "docs" / "orthologs.md"
BEGIN, END = "<!-- made by benchmarks/genes.py -->", "<!-- end -->"
Mask = np.ndarray


class Side:
    """One species: cells, labels, donors."""

    def __init__(self, name: str, species: str) -> None:
        adata = ot.datasets.get(name)
        self.table: CellTable = open_cells(adata, subject=name, species=species)
        self.labels = adata.obs[LABELS].astype(str).to_numpy()
        self.donors = adata.obs[DONOR].astype(str).to_numpy()


def aligned_counts(source: Side, target: Side, policy: str) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the counts of both species over the features that both have."""
    orthologs = OrthologMap(source.table.species, target.table.species, policy=policy)
    sides = [(s.table, project(orthologs, s.table.genes, species=s.table.species)) for s in (source, target)]
    shared = np.all([np.diff(P.tocsc().indptr) > 0 for _, P in sides], axis=0)
    first, second = (
        sp.csr_array(next(iter(table.rows.blocks(10**9)))[1] @ sp.csr_array(P[:, shared]))
        for table, P in sides
    )
    return first, second


def encoded(counts: sp.csr_array) -> sp.csr_array:
    return LogNormalize().encode(counts, np.asarray(counts.sum(axis=1), dtype=float).ravel())


def by_moments(method: str) -> Callable[[sp.csr_array, int], Mask]:
    def select(counts: sp.csr_array, n_top: int) -> Mask:
        moments = GeneMoments(counts.shape[1])
        totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()
        moments.update(counts, totals=totals, encoded=encoded(counts))
        return select_genes(moments, n_top=n_top, method=method)

    return select


def both(counts: sp.csr_array, n_top: int) -> Mask:
    """Half from each of dispersion and variance."""
    return by_moments("dispersion")(counts, n_top // 2) | by_moments("variance")(counts, n_top // 2)


def seurat_v3(counts: sp.csr_array, n_top: int) -> Mask:
    import scanpy as sc

    adata = ad.AnnData(sp.csr_matrix(counts))
    sc.pp.highly_variable_genes(adata, flavor="seurat_v3", n_top_genes=n_top)
    return adata.var["highly_variable"].to_numpy()


def pearson(counts: sp.csr_array, n_top: int) -> Mask:
    import scanpy as sc

    adata = ad.AnnData(sp.csr_matrix(counts))
    sc.experimental.pp.highly_variable_genes(adata, flavor="pearson_residuals", n_top_genes=n_top)
    return adata.var["highly_variable"].to_numpy()


SELECTIONS = {
    "dispersion": by_moments("dispersion"),
    "variance": by_moments("variance"),
    "both": both,
    "seurat_v3": seurat_v3,
    "pearson": pearson,
}


def run(
    source: Side, target: Side, *, policy: str, selection: str, n_top: int, alpha: str, seeds: int
) -> dict[str, Any]:
    """Fit and score one setting over the seeds of the folds."""
    counts = aligned_counts(source, target, policy)
    genes = SELECTIONS[selection](counts[0], n_top) | SELECTIONS[selection](counts[1], n_top)
    X, Z = (encoded(c)[:, genes] for c in counts)
    donor = ConsensusClassifier(alpha, random_state=0).fit(X, source.labels, groups=source.donors)
    held_out = donor.classes_[donor.held_out_scores_.argmax(axis=1)]
    scores, unseen_cells = [], []
    for seed in range(seeds):
        model = ConsensusClassifier(alpha, random_state=seed).fit(X, source.labels)
        unseen = model.classes_[model.held_out_scores_.argmax(axis=1)]
        unseen_cells.append(ot.metrics.mean_recall(source.labels, unseen))
        votes = model.vote(Z)
        called = np.where(votes.agreed, model.classes_[votes.winner], "no agreement")
        found = ot.metrics.evaluate(target.labels, called, source_classes=list(model.classes_), n_boot=0)
        scores.append([found.value("accuracy"), found.value("mean_recall"), found.value("macro_f1")])
    return {
        "source": source.table.species,
        "target": target.table.species,
        "policy": policy,
        "selection": selection,
        "n_top": n_top,
        "alpha": alpha,
        "genes": int(genes.sum()),
        "unseen_donor_mean_recall": float(ot.metrics.mean_recall(source.labels, held_out)),
        "unseen_cell_mean_recall": float(np.mean(unseen_cells)),
        "accuracy": np.mean(scores, axis=0)[0],
        "mean_recall": np.mean(scores, axis=0)[1],
        "macro_f1": np.mean(scores, axis=0)[2],
        "spread_mean_recall": float(np.ptp(scores, axis=0)[1]),
    }


def settings() -> list[dict[str, Any]]:
    """Return the default with one choice changed at a time, and selection against penalty in full."""
    default = {"policy": "one2one", "selection": "dispersion", "n_top": 2000, "alpha": "strongest"}
    pairs = product(SELECTIONS, ("strongest", "lowest"))
    changed = [{**default, "selection": selection, "alpha": alpha} for selection, alpha in pairs]
    changed += [{**default, "policy": policy} for policy in ("groups", "best", "first")]
    changed += [{**default, "n_top": n_top} for n_top in (500, 1000, 4000)]
    return changed


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table, a row for each setting with both directions."""
    lines = [
        "| policy | genes by | top | penalty | mouse: unseen cells / donors | mouse to human "
        "| human: unseen cells / donors | human to mouse |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        cells = [one["policy"], one["selection"], f"{one['n_top']:,}", one["alpha"]]
        for r in (one, other):
            cells.append(f"{r['unseen_cell_mean_recall']:.3f} / {r['unseen_donor_mean_recall']:.3f}")
            cells.append(f"{r['accuracy']:.3f} / {r['mean_recall']:.3f} / {r['macro_f1']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    mouse, human = Side("baron2016-mouse", "mouse"), Side("baron2016-human", "human")
    rows = []
    for setting in settings():
        for source, target in ((mouse, human), (human, mouse)):
            rows.append(run(source, target, **setting, seeds=seeds))
            r = rows[-1]
            words = f"{r['policy']:<8} {r['selection']:<10} {r['n_top']:>4} {r['alpha']:<9}"
            print(
                f"{r['source']:>5} to {r['target']:<5} {words} "
                f"unseen cells {r['unseen_cell_mean_recall']:.3f} donors {r['unseen_donor_mean_recall']:.3f} "
                f"| accuracy {r['accuracy']:.3f} "
                f"mean recall {r['mean_recall']:.3f} (+-{r['spread_mean_recall'] / 2:.3f}) "
                f"macro F1 {r['macro_f1']:.3f}",
                flush=True,
            )
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"seeds": seeds, "machine": machine, "rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
