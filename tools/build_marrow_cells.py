"""Build the bundled human bone marrow from the Python package that carries it.

``python tools/build_marrow_cells.py`` downloads the pinned source archive of ``palantir`` through pip, checks
its sha256, and writes ``src/orthotype/datasets/bundled/setty2019-human-marrow-subset.h5ad`` and its size and
checksum in ``registry.json``. With ``--check`` it writes nothing and fails if the tree does not hold what it
would build.

Which cells: at most 200 of each cluster, those whose names have the smallest sha256, in the order of the
archive. The rule needs no random numbers, so every version of every library makes the same choice. The counts
of the chosen cells are those of the archive, all genes are kept.

Which clusters: the archive's numbered RaceID clusters, which its authors made to run FateID. They have no
names. ``coarse_type`` is our reading of them with marker genes; the script stops if a marker is not highest
in the cluster that is read by it.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from build_bundled_data import h5ad_bytes, stale
from orthotype.datasets.registry import REGISTRY, Dataset, find
from orthotype.datasets.tidying import counts_and_names, tidy, unpacked

NAME = "setty2019-human-marrow-subset"
ARCHIVE = "palantir-1.4.2.tar.gz"
ARCHIVE_SHA256 = "e29efcb790ab27a9aa2c83bcdcbc53dd06a28ef4573506ee35c7b8de29be219e"
CLUSTERS = "palantir-1.4.2/notebooks/comparisons/results/fateid/clusters.csv"
MOST = 200  # cells of a cluster
TOO_FEW = 10  # cells, below which a cluster's mean is no measure for others
READING = {
    "1": ("erythroid-megakaryocytic progenitor", ("GATA2", "ITGA2B", "FCER1A")),
    "2": ("stem cell", ("AVP", "CRHBP", "HOPX")),
    "3": ("granulocytic progenitor", ("MPO", "ELANE", "AZU1")),
    "4": ("lympho-myeloid progenitor", ("SMIM24", "SATB1", "CSF3R")),
    "5": ("monocytic-dendritic progenitor", ("LYZ", "CSF1R", "S100A9")),
    "6": ("erythroid", ("HBB", "CA1", "KLF1")),
    "7": ("lymphoid progenitor", ("VPREB1", "DNTT", "CD79A")),
    "8": ("dendritic", ("IRF8", "IRF7", "LILRA4")),
}


def archive(folder: Path | None, scratch: Path) -> Path:
    """Return the checked archive, from a folder of packages or through pip."""
    if folder is None:
        folder = scratch
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(scratch), "palantir==1.4.2"], check=True)
    found = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    if found != ARCHIVE_SHA256:
        sys.exit(f"{ARCHIVE} has sha256 {found}; expected {ARCHIVE_SHA256}; get the file from PyPI again")
    return folder / ARCHIVE


def clustered_cells(file: Path, dataset: Dataset, scratch: Path) -> anndata.AnnData:
    """Read all cells of the archive with the sequencing run and the cluster of each."""
    cells = counts_and_names(unpacked(file, dataset.member, scratch))
    cluster = pd.read_csv(unpacked(file, CLUSTERS, scratch), index_col=0)["x"]
    cells.obs["run"] = pd.Categorical([name.split("_")[0] for name in cells.obs_names])
    cells.obs["cluster"] = pd.Categorical(cluster.loc[cells.obs_names].astype(str))
    return cells


def contradicted(cells: anndata.AnnData) -> list[str]:
    """Return the markers whose mean is not highest in the cluster that is read by them."""
    X = sp.csr_matrix(cells.X, dtype=np.float64)
    shares = X.multiply(1e4 / X.sum(axis=1)).tocsr().log1p()
    named = cells.obs["cluster"].astype(str).to_numpy()
    size = pd.Series(named).value_counts()
    found = []
    for cluster, (coarse, markers) in READING.items():
        others = [other for other in READING if other == cluster or size[other] >= TOO_FEW]
        for gene in markers:
            values = np.asarray(shares[:, cells.var_names.get_loc(gene)].todense()).ravel()
            means = {other: float(values[named == other].mean()) for other in others}
            highest = max(means, key=means.__getitem__)
            if highest != cluster:
                found.append(f"{gene} is highest in cluster {highest}, not in {cluster} ({coarse})")
    return found


def chosen(names: pd.Index, clusters: np.ndarray) -> np.ndarray:
    """Return which cells are bundled: at most 200 of a cluster, by the sha256 of their names."""
    digests = pd.Series([hashlib.sha256(name.encode()).hexdigest() for name in names])
    return (digests.groupby(clusters).rank(method="first") <= MOST).to_numpy()


def bundled_table(file: Path, dataset: Dataset, scratch: Path) -> anndata.AnnData:
    """Return the cells as they are bundled."""
    cells = clustered_cells(file, dataset, scratch)
    wrong = contradicted(cells)
    if wrong:
        sys.exit("the clusters are not what they were read as: " + "; ".join(wrong))
    few = cells[chosen(cells.obs_names, cells.obs["cluster"].to_numpy())].copy()
    few.obs["coarse_type"] = pd.Categorical([READING[number][0] for number in few.obs["cluster"]])
    shape = replace(dataset, cells=few.n_obs)
    return tidy(few, shape, obs={name: name for name in ("cluster", "coarse_type", "run")})


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the bundled human bone marrow of Setty et al. 2019.")
    parser.add_argument("--wheels", type=Path, help=f"folder that holds {ARCHIVE} (default: download it)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tree differs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        file = archive(arguments.wheels, Path(scratch))
        table = bundled_table(file, find(NAME), Path(scratch))
    content = h5ad_bytes(table)
    registry = json.loads(REGISTRY.read_text(encoding="utf-8"))
    (entry,) = [entry for entry in registry["datasets"] if entry["name"] == NAME]
    entry |= {"cells": table.n_obs, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    print(f"{NAME}: {table.n_obs:,} cells, {entry['size']:,} bytes, sha256 {entry['sha256']}")
    built = {
        REGISTRY.parent / "bundled" / f"{NAME}.h5ad": content,
        REGISTRY: (json.dumps(registry, indent=2) + "\n").encode(),
    }
    differing = stale(built)
    if arguments.check and differing:
        sys.exit(f"not what this script builds: {', '.join(differing)}; run it without --check")
    for path, content in built.items():
        if path.name in differing:
            path.write_bytes(content)


if __name__ == "__main__":
    main()
