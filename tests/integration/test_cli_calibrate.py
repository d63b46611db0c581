"""``orthotype calibrate`` as a user types it: sets of classes in the annotations, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import orthotype as ot

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = "cell_ontology_class"
COVERAGE = 0.8


@pytest.fixture
def checked(small_human: anndata.AnnData, kept: Path) -> anndata.AnnData:
    """Write the human cells with labels for a random half of those that the model can know."""
    known = ot.load(kept / "model.safetensors").card["classes"]
    cells = small_human.copy()
    labels = cells.obs[LABELS].astype(str)
    some = np.random.default_rng(0).random(cells.n_obs) < 0.5
    cells.obs["checked"] = labels.where(labels.isin(known) & some)
    cells.write_h5ad("checked.h5ad")
    return cells


def test_the_sets_hold_what_was_promised(orthotype: Command, kept: Path, checked: anndata.AnnData) -> None:
    model = kept / "model.safetensors"
    given = ("calibrate", model, "checked.h5ad", "--labels", "checked", "--coverage", COVERAGE)
    done = orthotype(*given, "-o", "sure.safetensors")
    assert done.code == 0, done.err
    n_labelled = int(checked.obs["checked"].notna().sum())
    assert done.out.startswith(f"learned from {n_labelled} human cells, to hold 0.8 of every class")
    assert "below 0." in done.out
    assert done.err == "orthotype: wrote sure.safetensors\n"

    done = orthotype("annotate", "sure.safetensors", "checked.h5ad", "-o", "labels.csv")
    assert done.code == 0, done.err
    sets = pd.read_csv("labels.csv", index_col=0)["orthotype_set"].fillna("")
    known = ot.load(model).card["classes"]
    true = checked.obs[LABELS].astype(str)
    rest = checked.obs_names[checked.obs["checked"].isna() & true.isin(known)]
    held = [true[cell] in sets[cell] for cell in rest]
    assert np.mean(held) >= COVERAGE - 0.05


def test_the_file_is_the_model_that_python_makes(
    orthotype: Command, kept: Path, checked: anndata.AnnData
) -> None:
    model = kept / "model.safetensors"
    given = ("calibrate", model, "checked.h5ad", "--labels", "checked", "--coverage", 0.96)
    done = orthotype(*given, "-o", "a.safetensors", "--json")
    assert done.code == 0, done.err
    expected = ot.load(model).calibrate(checked, labels="checked", coverage=0.96)
    assert done.json["model_hash"] == expected.state_.hash() == ot.load("a.safetensors").state_.hash()
    assert done.json["coverage"] == 0.96
    few = {name for name, n in done.json["n_labelled"].items() if n < 24}
    assert 0 < len(few) < len(done.json["n_labelled"])
    assert {name for name, least in done.json["least"].items() if least == 0} == few


def test_what_cannot_be_is_told_together_and_nothing_is_written(
    refused: Refused, kept: Path, checked: anndata.AnnData
) -> None:
    model = kept / "model.safetensors"
    said = refused(
        "calibrate", model, "checked.h5ad", "--labels", LABELS, "--coverage", 1.5, "-o", "b.safetensors"
    )
    assert "coverage is 1.5" in said
    assert "1 class that the model does not have ('pancreatic acinar cell'" in said
    assert not Path("b.safetensors").exists()
    said = refused("calibrate", model, "checked.h5ad", "--labels", "none", "-o", "b.safetensors")
    assert "none" in said and "checked" in said
