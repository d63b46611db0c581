"""What the species shift, the unknown rule and the margin temperature give across species, and within one.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/alignment.py [--seeds 2] [--removed]

Pairs: Baron mouse and human both ways, each human donor to each other, and with the development data mouse
marrow to two human marrows (over coarse shared classes) and two studies of human lung both ways. Every pair
is run with genes chosen in both data sets (*both*) and in the source alone (*file*, as when others annotate
with a saved model). ``--removed`` runs Baron and lung again with each class taken out of the source in turn;
without it such rows of an earlier run stay. Target labels only score. Results:
``benchmarks/results/alignment.json`` and the tables of ``docs/alignment.md``.
"""

import argparse
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from sklearn.metrics import roc_auc_score

import orthotype as ot
from engine.page import between
from penalty import PAUL, SETTY, VAN_GALEN, seen

RESULTS = Path(__file__).parent / "results" / "alignment.json"
PAGE = Path(__file__).parents[1] / "docs" / "alignment.md"
BEGIN, END = "<!-- made by benchmarks/alignment.py -->", "<!-- end -->"
FEWEST = 10


@dataclass(frozen=True)
class Side:
    """Cells with labels; the labels of a target only score."""

    adata: ad.AnnData
    labels: np.ndarray
    species: str

    def take(self, rows: np.ndarray) -> "Side":
        """Return some of the cells."""
        return Side(self.adata[rows].copy(), self.labels[rows], self.species)


@dataclass(frozen=True)
class Pair:
    """A source, a target, and which source classes are right for a target class, None for the same name."""

    name: str
    source: Side
    target: Side
    coarse: dict[str, tuple[str, ...]] | None = None
    right: dict[str, tuple[str, ...]] | None = None

    def correct(self, classes: np.ndarray) -> np.ndarray:
        """Return whether each source class is right for each target cell, (n_cells, n_classes)."""
        if self.coarse is None or self.right is None:
            return self.target.labels[:, None] == classes[None]
        shared = [self.coarse.get(name, ("",))[0] for name in classes]
        return np.array([[c in self.right.get(true, ()) for c in shared] for true in self.target.labels])


def baron() -> Iterator[Pair]:
    data = {name: ot.datasets.get(f"baron2016-{name}") for name in ("mouse", "human")}
    labels = {name: a.obs["cell_ontology_class"].astype(str).to_numpy() for name, a in data.items()}
    sides = {name: Side(data[name], labels[name], name) for name in data}
    yield Pair("Baron mouse to human", sides["mouse"], sides["human"])
    yield Pair("Baron human to mouse", sides["human"], sides["mouse"])
    donors = data["human"].obs["donor"].astype(str).to_numpy()
    parts = {d: sides["human"].take(donors == d) for d in sorted(set(donors))}
    for one, other in permutations(parts, 2):
        yield Pair(f"Baron {one} to {other}", parts[one], parts[other])


def development(folder: str) -> Iterator[Pair]:
    def read(name: str, column: str, species: str) -> Side:
        adata = seen(ad.read_h5ad(Path(folder) / f"{name}.h5ad"))
        return Side(adata, adata.obs[column].astype(str).to_numpy(), species)

    paul = read("paul2015_mouse_bm", "cell_type", "mouse")
    van_galen = read("vangalen2019_human_bm_healthy", "cell_type", "human")
    setty = read("setty2019_human_cd34_bm_unlabelled", "fateid_cluster", "human")
    sapiens = read("tabula_sapiens_human_lung_subset", "cell_type", "human")
    lca = read("lca_human_lung_subset", "cell_type", "human")
    yield Pair("Paul to van Galen", paul, van_galen, PAUL, VAN_GALEN)
    yield Pair("Paul to Setty", paul, setty, PAUL, SETTY)
    yield Pair("Tabula Sapiens to LCA lung", sapiens, lca)
    yield Pair("LCA to Tabula Sapiens lung", lca, sapiens)


def fit(pair: Pair, *, genes: str, seed: int, without: str | None = None) -> ot.LabelTransfer:
    """Fit the source, without one of its classes if asked, on genes of "both" data sets or of the source."""
    source, target = pair.source, pair.target
    names, sizes = np.unique(source.labels, return_counts=True)
    kept = np.isin(source.labels, names[sizes >= 2]) & (source.labels != without)
    cells = source.adata[kept].copy()
    cells.obs["class"] = source.labels[kept]
    return ot.LabelTransfer(random_state=seed).fit(
        cells,
        labels="class",
        species=source.species,
        target=target.adata if genes == "both" else None,
        target_species=target.species if genes == "both" or target.species != source.species else None,
    )


def annotate(model: ot.LabelTransfer, pair: Pair) -> dict[str, Any]:
    """Return what the model says of the target without and with alignment, as a user would ask."""
    plain = {"alignment": "none", "unknown": "none", "n_neighbors": 0}
    result: dict[str, Any] = {}
    for name, asked in (("plain", plain), ("aligned", {})):
        found = model.label(pair.target.adata, species=pair.target.species, **asked)
        told = found.predictions
        result[name] = {
            "proba": told.confidence,
            "winner": told.winner,
            "fit": found.fit,
            "unknown": told.status == "unknown",
            "given": told.status == "assigned",
        }
        if found.shift is not None:
            result |= {"step": found.shift.step, "rounds": len(found.shift.changes)}
    return result


def score(pair: Pair, classes: np.ndarray, result: dict[str, Any], *, without: str | None) -> dict[str, Any]:
    """Score one result: over the known cells how they are called, over all whether the unknown are found."""
    correct = pair.correct(classes)
    known = correct.any(axis=1)
    strange = ~known if without is None else pair.target.labels == without
    scores: dict[str, Any] = {"step": result["step"], "rounds": result["rounds"]}
    true = pair.target.labels[known]
    for name in ("plain", "aligned"):
        found = result[name]
        right = correct[np.arange(len(known)), found["winner"]]
        recall = [float(right[known][true == label].mean()) for label in np.unique(true)]
        confidence, given = found["proba"][known], (right & found["given"])[known]
        scores[name] = {
            "accuracy": float(right[known].mean()),
            "mean_recall": float(np.mean(recall)),
            "given_recall": float(np.mean([given[true == label].mean() for label in np.unique(true)])),
            "macro_f1": macro_f1(pair, classes, found["winner"], known) if pair.coarse is None else None,
            "ece": calibration_error(confidence, right[known]),
            "false_rejection": float(found["unknown"][known].mean()),
            "false_rejection_per_class": float(
                np.mean([found["unknown"][known][true == label].mean() for label in np.unique(true)])
            ),
        }
        if strange.sum() >= FEWEST:
            judged = known | strange
            best = found["proba"]
            scores[name] |= {
                "auroc": float(roc_auc_score(known[judged], found["fit"][judged])),
                "auroc_max_proba": float(roc_auc_score(known[judged], best[judged])),
                "caught": float(found["unknown"][strange].mean()),
                "n_unknown": int(strange.sum()),
            }
    return scores


def macro_f1(pair: Pair, classes: np.ndarray, winner: np.ndarray, known: np.ndarray) -> float:
    true, called = pair.target.labels[known], classes[winner[known]]
    found = ot.metrics.evaluate(true, called, source_classes=list(classes), n_boot=0)
    return float(found.value("macro_f1"))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    parts = [places == b for b in range(bins) if (places == b).any()]
    return float(sum(abs(right[p].mean() - confidence[p].mean()) * p.mean() for p in parts))


def run(pair: Pair, *, genes: str, seed: int, without: str | None = None) -> dict[str, Any]:
    model = fit(pair, genes=genes, seed=seed, without=without)
    row = {"pair": pair.name, "genes": genes, "seed": seed, "without": without}
    row |= score(pair, model.state_.classes.astype(str), annotate(model, pair), without=without)
    a, b = row["plain"], row["aligned"]
    changes = [f"{v} {a[v]:.3f} to {b[v]:.3f}" for v in ("accuracy", "mean_recall", "ece", "auroc") if v in a]
    rejected = f"caught {b.get('caught', np.nan):.2f} at {b['false_rejection']:.3f}"
    words = [pair.name, genes, without or "-", f"step {row['step']:.2f}", *changes, rejected]
    print(" | ".join(words), flush=True)
    return row


def removed(pair: Pair, *, genes: str) -> Iterator[dict[str, Any]]:
    """Run a pair with each class out of the source in turn, where it has enough target cells."""
    names, sizes = np.unique(pair.target.labels, return_counts=True)
    for name in names[sizes >= FEWEST]:
        if name in pair.source.labels:
            yield run(pair, genes=genes, seed=0, without=str(name))


def column(rows: list[dict[str, Any]], name: str, value: str) -> str:
    """Return the mean of a value over runs, as text; a dash where it is not defined."""
    values = [row[name].get(value) for row in rows if row[name].get(value) is not None]
    return f"{np.mean(values):.3f}" if values else "-"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the pairs as a Markdown table, without and with alignment; human donors are averaged."""
    lines = [
        "| pair | genes | step | accuracy | mean recall | as given | macro-F1 | ECE "
        "| AUROC unknown (max. probability) | caught | rejected wrongly: cells / classes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    whole = [row for row in rows if row["without"] is None]
    names = list(dict.fromkeys(group(row["pair"]) for row in whole))
    for name, genes in product(names, ("both", "file")):
        here = [row for row in whole if group(row["pair"]) == name and row["genes"] == genes]
        if not here:
            continue
        pairs = [
            f"{column(here, 'plain', v)} to {column(here, 'aligned', v)}"
            for v in ("accuracy", "mean_recall", "macro_f1", "ece", "auroc")
        ]
        rejected = (
            f"{column(here, 'aligned', 'false_rejection')} / "
            f"{column(here, 'aligned', 'false_rejection_per_class')}"
        )
        pairs.insert(2, column(here, "aligned", "given_recall"))
        cells = [name, genes, f"{np.mean([row['step'] for row in here]):.2f}", *pairs]
        cells[-1] += f" ({column(here, 'aligned', 'auroc_max_proba')})"
        cells += [column(here, "aligned", "caught"), rejected]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def removed_table(rows: list[dict[str, Any]]) -> str:
    """Return the runs with a class taken out of the source as a Markdown table."""
    lines = [
        "| pair | class taken out | cells | accuracy of the others | AUROC (max. probability) | caught "
        "| rejected wrongly |",
        "|---|---|---|---|---|---|---|",
    ]
    out = [row for row in rows if row["without"] is not None and "auroc" in row["aligned"]]
    for pair in dict.fromkeys(row["pair"] for row in out):
        here = [row for row in out if row["pair"] == pair]
        lines += [removed_line([row], row["without"], str(row["aligned"]["n_unknown"])) for row in here]
        lines.append(removed_line(here, "**mean**", ""))
    return "\n".join(lines)


def removed_line(rows: list[dict[str, Any]], without: str, cells: str) -> str:
    """Return one run with a class taken out, or the mean of several, as a line of the table."""
    words = [
        rows[0]["pair"],
        without,
        cells,
        f"{column(rows, 'plain', 'accuracy')} to {column(rows, 'aligned', 'accuracy')}",
        f"{column(rows, 'aligned', 'auroc')} ({column(rows, 'aligned', 'auroc_max_proba')})",
        column(rows, "aligned", "caught"),
        column(rows, "aligned", "false_rejection"),
    ]
    return "| " + " | ".join(words) + " |"


def group(name: str) -> str:
    return "Baron human donor to donor" if " to human" in name and "mouse" not in name else name


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    return between(text, BEGIN, END, f"{table(rows)}\n\n{removed_table(rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--removed", action="store_true")
    options = parser.parse_args()
    folder = os.environ.get("ORTHOTYPE_REAL_DATA")
    warnings.simplefilter("ignore")
    old = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.is_file() else []
    rows = [] if options.removed else [row for row in old if row["without"] is not None]
    for pair in [*baron(), *(development(folder) if folder else ())]:
        same = "human1 to" in pair.name or (pair.name.startswith("Baron human") and " to human" in pair.name)
        for genes in ("both", "file"):
            rows += [run(pair, genes=genes, seed=seed) for seed in range(1 if same else options.seeds)]
        if options.removed and (
            (pair.name.startswith("Baron") and "mouse" in pair.name) or "lung" in pair.name
        ):
            rows += removed(pair, genes="file")
    RESULTS.write_text(json.dumps({"seeds": options.seeds, "rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
