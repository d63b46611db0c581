"""The script that trains the bundled model: its classes, its evidence, and when two models are the same."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import orthotype as ot

SCRIPT = Path(__file__).parents[2] / "tools" / "build_marrow_model.py"
REAL = Path(os.environ.get("ORTHOTYPE_REAL_DATA", ""), "paul2015_mouse_bm.h5ad")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_marrow_model", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def clusters(tool: ModuleType) -> list[str]:
    return [cluster for _, names in tool.CLASSES.values() for cluster in names]


@pytest.fixture
def toy(tool: ModuleType) -> AnnData:
    """Give one simulated cell per cluster: 5 of its markers, 1 of every other gene."""
    genes = sorted({gene for _, _, more, less in tool.RELABELLED.values() for gene in (*more, *less)})
    names = clusters(tool)
    X = np.ones((len(names), len(genes)), dtype=np.int32)
    for name, (_, other, more, less) in tool.RELABELLED.items():
        X[np.ix_([names.index(name)], [genes.index(gene) for gene in more])] = 5
        X[np.ix_([names.index(other)], [genes.index(gene) for gene in less])] = 5
    obs = pd.DataFrame({"named": names}, index=[f"cell{i}" for i in range(len(names))])
    return AnnData(X, obs=obs, var=pd.DataFrame(index=genes))


def test_every_cluster_has_one_class(tool: ModuleType) -> None:
    assert len(clusters(tool)) == len(set(clusters(tool))) == 19
    for cluster, (to, *_) in tool.RELABELLED.items():
        assert cluster in tool.CLASSES[to][1]


def test_cells_get_class_and_ontology_id(tool: ModuleType, toy: AnnData, tmp_path: Path) -> None:
    toy.write_h5ad(tmp_path / "toy.h5ad")
    cells = tool.read(tmp_path / "toy.h5ad", "named")
    obs = cells.obs.set_index("cluster")
    assert obs.loc["13Baso", "cell_type"] == obs.loc["14Mo", "cell_type"] == "monocyte"
    assert obs.loc["3Ery", tool.TERM] == "CL:0000764"
    assert cells.X.dtype == np.int32
    assert tool.contradicted(cells) == []


def test_counts_without_the_clusters_are_refused(tool: ModuleType, toy: AnnData, tmp_path: Path) -> None:
    toy[1:].write_h5ad(tmp_path / "toy.h5ad")
    for column in ("named", "cell_type"):
        with pytest.raises(SystemExit, match="does not name the 19 clusters"):
            tool.read(tmp_path / "toy.h5ad", column)


def test_evidence_that_is_not_there_is_noticed(tool: ModuleType, toy: AnnData, tmp_path: Path) -> None:
    toy.obs["named"] = toy.obs["named"].replace({"17Neu": "16Neu", "16Neu": "17Neu"})
    toy.write_h5ad(tmp_path / "toy.h5ad")
    found = tool.contradicted(tool.read(tmp_path / "toy.h5ad", "named"))
    assert "Prss34 in 17Neu is not above 16Neu" in found
    assert "Elane in 17Neu is not below 16Neu" in found


def test_the_checksum_sees_counts_and_names(tool: ModuleType, toy: AnnData, tmp_path: Path) -> None:
    toy.write_h5ad(tmp_path / "toy.h5ad")
    cells = tool.read(tmp_path / "toy.h5ad", "named")
    before = tool.counts_sha256(cells)
    other = cells.copy()
    other.X.data[0] += 1
    renamed = cells.copy()
    renamed.var_names = [f"{gene}x" for gene in cells.var_names]
    assert len({before, tool.counts_sha256(other), tool.counts_sha256(renamed)}) == 3
    assert before == tool.counts_sha256(cells.copy())


def test_a_changed_model_is_told(tool: ModuleType) -> None:
    state = ot.load("mouse-marrow").state_
    assert tool.differences(state, state) == []
    day = state.with_card(created="1999-01-01", orthotype_version="0")
    assert tool.differences(day, state) == []
    assert tool.differences(state.with_card(limits=[]), state) == ["limits"]
    assert tool.differences(replace(state, coef=state.coef + 0.01), state) == ["coef"]


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_file(), reason="NOT TESTED: ORTHOTYPE_REAL_DATA holds no Paul 2015 counts")
def test_the_script_trains_the_bundled_model(tool: ModuleType) -> None:
    cells = tool.read(REAL, "cell_type")
    assert tool.contradicted(cells) == []
    built, bundled = tool.train(cells, "today"), ot.load("mouse-marrow")
    card = built.full_card()
    for key in ("counts_sha256", "classes", "cells_per_class", "merged", "relabelled", "limits", "licence"):
        assert card[key] == bundled.card[key], key
    assert card["alpha"] == pytest.approx(bundled.card["alpha"], rel=0.1)
    again = ot.LabelTransfer()
    again.state_ = built
    human = ot.datasets.get("setty2019-human-marrow-subset")
    ours, theirs = (model.predict(human, species="human", unknown="none").label for model in (again, bundled))
    assert (ours == theirs).mean() > 0.98
