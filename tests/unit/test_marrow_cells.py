"""The bundled human marrow: what it holds, and the rules of the script that chooses and reads its cells."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from orthotype import datasets
from orthotype.datasets import registry

NAME = "setty2019-human-marrow-subset"
TOOLS = Path(__file__).parents[2] / "tools"
TYPES = {
    "erythroid-megakaryocytic progenitor": 200,
    "stem cell": 200,
    "granulocytic progenitor": 200,
    "lympho-myeloid progenitor": 200,
    "monocytic-dendritic progenitor": 200,
    "erythroid": 200,
    "dendritic": 144,
    "lymphoid progenitor": 4,
}


@pytest.fixture(scope="module")
def marrow() -> AnnData:
    return datasets.get(NAME)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_marrow_cells", TOOLS / "build_marrow_cells.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(TOOLS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module


def test_the_cells_are_those_of_the_registry(marrow: AnnData) -> None:
    entry = registry.find(NAME)
    assert marrow.shape == (entry.cells, entry.genes)
    assert entry.cells <= 2_000
    assert entry.size <= 5_000_000
    assert marrow.obs_names.is_unique
    assert marrow.var_names.is_unique
    assert list(marrow.obs) == ["cluster", "coarse_type", "run"]
    assert marrow.obs["coarse_type"].value_counts().to_dict() == TYPES
    assert marrow.uns["doi"] == "10.1038/s41587-019-0068-4"
    assert "our reading" in marrow.uns["notes"]


def test_the_values_are_raw_counts(marrow: AnnData) -> None:
    X = marrow.X
    assert (X.format, X.dtype, X.indices.dtype) == ("csr", np.int32, np.int32)
    assert X.has_canonical_format
    assert X.data.min() == 1
    assert np.asarray(X.sum(axis=1)).min() > 0
    assert X.nnz == 3_282_200


def test_a_cluster_has_one_reading(marrow: AnnData, tool: ModuleType) -> None:
    pairs = marrow.obs[["cluster", "coarse_type"]].astype(str).drop_duplicates()
    assert dict(pairs.to_numpy().tolist()) == {number: name for number, (name, _) in tool.READING.items()}


def test_the_markers_bear_out_the_reading(marrow: AnnData, tool: ModuleType) -> None:
    assert tool.contradicted(marrow) == []


def test_a_wrong_reading_is_noticed(marrow: AnnData, tool: ModuleType) -> None:
    swapped = marrow.copy()
    swapped.obs["cluster"] = swapped.obs["cluster"].astype(str).replace({"3": "6", "6": "3"})
    found = tool.contradicted(swapped)
    assert "MPO is highest in cluster 6, not in 3 (granulocytic progenitor)" in found
    assert "HBB is highest in cluster 3, not in 6 (erythroid)" in found


def test_at_most_200_of_a_cluster_by_the_digest_of_their_names(tool: ModuleType) -> None:
    names = pd.Index([f"cell{i}" for i in range(500)])
    clusters = np.where(np.arange(500) < 450, "a", "b")
    kept = tool.chosen(names, clusters)
    assert kept[450:].all()
    assert kept[:450].sum() == 200
    digests = np.array([hashlib.sha256(name.encode()).hexdigest() for name in names])
    assert max(digests[:450][kept[:450]]) < min(digests[:450][~kept[:450]])
    turned = tool.chosen(names[::-1], clusters[::-1])
    assert turned[::-1].tolist() == kept.tolist()


def test_another_archive_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / tool.ARCHIVE).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="expected e29efcb790ab27a9"):
        tool.archive(tmp_path, tmp_path)


def test_the_pinned_archive_is_that_of_the_registry(tool: ModuleType) -> None:
    assert registry.find(NAME).url.endswith(f"/{tool.ARCHIVE}")
    notice = (registry.REGISTRY.parent / "bundled" / "NOTICE").read_text(encoding="utf-8")
    assert tool.ARCHIVE_SHA256 in notice
    assert "Dana Pe'er Lab" in notice


WHEELS = Path(os.environ.get("ORTHOTYPE_WHEELS", ""), "palantir-1.4.2.tar.gz")


@pytest.mark.skipif(not WHEELS.is_file(), reason="NOT TESTED: no palantir in ORTHOTYPE_WHEELS")
def test_the_script_builds_the_bundled_file() -> None:
    command = [
        sys.executable,
        str(TOOLS / "build_marrow_cells.py"),
        "--wheels",
        str(WHEELS.parent),
        "--check",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cells_keep_their_counts(marrow: AnnData) -> None:
    """Totals of three cells as the archive has them."""
    totals = pd.Series(np.asarray(sp.csr_matrix(marrow.X).sum(axis=1)).ravel(), index=marrow.obs_names)
    three = {"Run4_120797944278244": 14195, "Run5_125719958207861": 8344, "Run5_241114589051630": 17755}
    assert totals[list(three)].to_dict() == three
