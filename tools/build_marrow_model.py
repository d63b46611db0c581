"""Train the bundled ``mouse-marrow`` model on the myeloid progenitors of Paul et al. 2015.

``python tools/build_marrow_model.py COUNTS.h5ad`` takes the 2,730 cells x 3,451 genes of the paper's
clusters, raw counts in X and the cluster names (``1Ery`` to ``19Lymph``) in an obs column, and writes
``src/orthotype/models/pretrained/mouse-marrow.safetensors`` and its entry in ``models.json``. With
``--check`` it writes nothing and fails if the model in the tree is another one.

The cells themselves are not bundled: the model holds weights, mean and variance of genes per class, and a
card. All settings are the defaults of ``LabelTransfer``. No human cell is looked at.

Three of the distributed cluster names contradict the marker genes of their cells. They are relabelled here,
the card says so, and the script stops if the evidence is not in the counts it is given.
"""

import argparse
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

import orthotype as ot
from orthotype.datasets.tidying import whole_counts
from orthotype.models.pretrained.registry import REGISTRY, PretrainedModel
from orthotype.transfer.state import ModelState

NAME = "mouse-marrow"
TERM = "cell_type_ontology_term_id"
CLASSES = {
    "erythroid": ("CL:0000764", ("1Ery", "2Ery", "3Ery", "4Ery", "5Ery", "6Ery")),
    "megakaryocyte-erythroid progenitor": ("CL:0000050", ("7MEP",)),
    "megakaryocyte": ("CL:0000556", ("8Mk",)),
    "granulocyte-monocyte progenitor": ("CL:0000557", ("9GMP", "10GMP")),
    "dendritic": ("CL:0000451", ("11DC",)),
    "basophil": ("CL:0000767", ("12Baso", "17Neu")),
    "monocyte": ("CL:0000576", ("13Baso", "14Mo")),
    "neutrophil": ("CL:0000775", ("15Mo", "16Neu")),
    "eosinophil": ("CL:0000771", ("18Eos",)),
    "lymphoid": ("CL:0000542", ("19Lymph",)),
}
# Relabelled cluster: its class here, genes that it shows more and less than a cluster of its old name.
RELABELLED = {
    "13Baso": ("monocyte", "12Baso", ("Csf1r", "Ly86", "Irf8"), ("Gata2", "Apoe")),
    "15Mo": ("neutrophil", "14Mo", ("Elane", "Gstm1", "Cebpe"), ("Csf1r", "Ly86", "Irf8")),
    "17Neu": ("basophil", "16Neu", ("Prss34", "Mcpt8", "Gata2"), ("Elane", "Gstm1", "Cebpe")),
}
ENTRY = {
    "name": NAME,
    "title": "myeloid progenitors of mouse bone marrow, for human bone marrow",
    "tissue": "bone marrow, c-Kit+",
    "citation": "Paul F, Arkin Y, Giladi A, et al. Transcriptional heterogeneity and lineage commitment in "
    "myeloid progenitors. Cell 163:1663-1677 (2015)",
    "doi": "10.1016/j.cell.2015.11.013",
    "accession": "GSE72857",
    "licence": "BSD-3-Clause, as part of orthotype; no cell is contained; cite the paper",
}
LIMITS = (
    "It knows ten kinds of c-Kit+ progenitors. Stem cells, B- and T-cell progenitors and mature cells are "
    "none of them and get the nearest of the ten.",
    "One mouse and one experiment (MARS-seq, median {umi:,} UMI): no other animal was seen.",
    "3,451 genes only: a human gene without an ortholog among them plays no part.",
    "dendritic are 30 conventional dendritic cells (MHC class II), lymphoid 31 cells with Ccl5 and Nkg7, "
    "eosinophil 9 cells.",
    "The labels come from clustering the same cells, so the held-out scores say how well a cluster is found "
    "again, not how right it is.",
    "Probabilities are calibrated on mouse cells; on human cells they tell surer labels from less sure ones, "
    "not how often a label is right.",
)


def read(path: Path, labels: str) -> anndata.AnnData:
    """Return counts of int32 with the cluster, class and Cell Ontology id of every cell."""
    cells = anndata.read_h5ad(path)
    class_of = {cluster: name for name, (_, clusters) in CLASSES.items() for cluster in clusters}
    if labels not in cells.obs or set(cells.obs[labels]) != set(class_of):
        sys.exit(
            f"{path}: obs column {labels!r} does not name the 19 clusters, 1Ery to 19Lymph; pass --labels"
        )
    cluster = cells.obs[labels].astype(str)
    cell_type = cluster.map(class_of)
    term = cell_type.map({name: term for name, (term, _) in CLASSES.items()})
    table = anndata.AnnData(
        whole_counts(cells.X, str(path)),
        obs=pd.DataFrame({"cluster": cluster, "cell_type": cell_type, TERM: term}),
    )
    table.var_names = cells.var_names.astype(object)
    return table


def contradicted(cells: anndata.AnnData) -> list[str]:
    """Return what the counts do not bear out of the reasons for relabelling."""
    X = sp.csr_matrix(cells.X, dtype=np.float64)
    shares = X.multiply(1e4 / X.sum(axis=1)).tocsr().log1p()
    cluster = cells.obs["cluster"].to_numpy()

    def mean(gene: str, name: str) -> float:
        return float(shares[cluster == name, cells.var_names.get_loc(gene)].mean())

    wrong = []
    for name, (_, other, more, less) in RELABELLED.items():
        wrong += [
            f"{gene} in {name} is not above {other}" for gene in more if mean(gene, name) <= mean(gene, other)
        ]
        wrong += [
            f"{gene} in {name} is not below {other}" for gene in less if mean(gene, name) >= mean(gene, other)
        ]
    return wrong


def counts_sha256(cells: anndata.AnnData) -> str:
    """Return a checksum of gene names and counts that no file format changes."""
    digest = hashlib.sha256("\n".join(map(str, cells.var_names)).encode())
    for values in (cells.X.indptr, cells.X.indices, cells.X.data):
        digest.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
    return digest.hexdigest()


def train(cells: anndata.AnnData, created: str) -> ModelState:
    """Return the model with everything on its card that its users should know."""
    model = ot.LabelTransfer().fit(cells, labels="cell_type", species="mouse", target_species="human")
    umi = int(np.median(np.asarray(cells.X.sum(axis=1))))
    return model.state_.with_card(
        **{key: ENTRY[key] for key in ("name", "title", "tissue", "citation", "doi", "accession", "licence")},
        created=created,
        data="2,730 cells x 3,451 genes with the cluster names that scanpy.datasets.paul15 distributes",
        script="tools/build_marrow_model.py",
        counts_sha256=counts_sha256(cells),
        merged={name: list(clusters) for name, (_, clusters) in CLASSES.items() if len(clusters) > 1},
        relabelled={
            name: f"{to}: more {', '.join(more)} than {other}, less {', '.join(less)}"
            for name, (to, other, more, less) in RELABELLED.items()
        },
        relabelled_by="the authors of orthotype, from marker genes; the data carry the names as they are",
        limits=[text.format(umi=umi) for text in LIMITS],
    )


def entry(state: ModelState, content: bytes) -> dict[str, str | int]:
    """Return what the registry says of the model."""
    card = state.full_card()
    record = PretrainedModel(
        **ENTRY,
        species=card["species"],
        target_species=card["target_species"],
        classes=len(card["classes"]),
        cells=card["n_cells"],
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    return record.to_dict()


def differences(built: ModelState, kept: ModelState) -> list[str]:
    """Return what of two models is not the same, but for the day, the version and the last digits."""
    ours, theirs = (json.loads(json.dumps(state.full_card())) for state in (built, kept))
    passing = {"created", "orthotype_version"}
    told = [
        name for name in sorted({*ours, *theirs} - passing) if not alike(ours.get(name), theirs.get(name))
    ]
    arrays = zip(built.to_arrays().items(), kept.to_arrays().values(), strict=True)
    return told + [name for (name, one), other in arrays if not alike(one.tolist(), other.tolist())]


def alike(one: Any, other: Any) -> bool:
    """Return whether two plain values are equal, numbers to about the third digit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(abs(one - other) <= 1e-3 * abs(one) + 1e-4)
    return bool(one == other)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled mouse-marrow model on Paul et al. 2015.")
    parser.add_argument("counts", type=Path, help=".h5ad with raw counts and the names of the clusters")
    parser.add_argument(
        "--labels", default="cell_type", help="obs column with the names (default: cell_type)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the tree holds another model"
    )
    arguments = parser.parse_args()
    cells = read(arguments.counts, arguments.labels)
    wrong = contradicted(cells)
    if wrong:
        sys.exit("the counts do not bear out the relabelling: " + "; ".join(wrong))
    state = train(cells, datetime.now(UTC).date().isoformat())
    place = REGISTRY.with_name(f"{NAME}.safetensors")
    if arguments.check:
        differing = differences(state, ModelState.load(place))
        if differing:
            sys.exit(f"{place.name} is not what this script trains: {', '.join(differing)}")
        return
    state.save(place, force=True)
    registry = json.dumps({"models": [entry(state, place.read_bytes())]}, indent=2) + "\n"
    REGISTRY.write_text(registry, encoding="utf-8")
    print(f"{NAME}: {place.stat().st_size:,} bytes, held out {state.card['held_out']}")


if __name__ == "__main__":
    main()
