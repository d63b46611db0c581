"""An annotation read back and scored (the record is written by hand: only reading and wiring are tested)."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from orthotype.cli.evaluate import summary
from orthotype.errors import InputError
from orthotype.transfer.annotated import evaluate_annotation, read_annotation


@pytest.fixture
def annotated() -> anndata.AnnData:
    """Give 40 annotated cells of two classes and four donors."""
    labels = np.array(["alpha", "beta"] * 20)
    obs = pd.DataFrame(
        {
            "given": np.where(np.arange(40) % 7 == 0, "beta", labels),
            "number": np.tile([0.0, 1.5], 20),
            "donor": np.repeat(["d1", "d2", "d3", "d4"], 10),
            "orthotype_label": labels,
            "orthotype_confidence": 0.9,
            "orthotype_entropy": 0.1,
            "orthotype_votes": 5,
            "orthotype_status": "assigned",
        },
        index=[f"cell{i}" for i in range(40)],
    )
    record = {
        "classes": np.array(["alpha", "beta"]),
        "model_hash": "abc",
        "details": json.dumps({"card": {"classes": ["alpha", "beta"]}}),
    }
    proba = np.where((labels == "alpha")[:, None], [0.9, 0.1], [0.1, 0.9])
    return anndata.AnnData(obs=obs, obsm={"orthotype_proba": proba}, uns={"orthotype": record})


def test_measurements_are_no_labels(annotated: anndata.AnnData) -> None:
    with pytest.raises(InputError, match=r"'number' holds measurements \('0.0', '1.5', '0.0'\)"):
        evaluate_annotation(annotated, labels="number")


@pytest.mark.parametrize("missing", [None, "", "nan"])
def test_cells_without_a_group_are_left_out_and_told(annotated: anndata.AnnData, missing: str | None) -> None:
    whole = evaluate_annotation(annotated[annotated.obs["donor"] != "d4"], labels="given", groups="donor")
    annotated.obs["donor"] = (
        annotated.obs["donor"].astype(object).where(annotated.obs["donor"] != "d4", missing)
    )
    found = evaluate_annotation(annotated, labels="given", groups="donor")
    assert found.interval_method.endswith("1,000 draws of 3 groups")
    assert found.notes[0] == "10 cells have no value in 'donor' and are left out."
    assert found.n_cells == 30
    pd.testing.assert_frame_equal(found.summary, whole.summary)


def test_one_cell_without_a_group(annotated: anndata.AnnData) -> None:
    annotated.obs.loc["cell0", "donor"] = None
    found = evaluate_annotation(annotated, labels="given", groups="donor")
    assert found.notes[0] == "1 cell has no value in 'donor' and is left out."
    assert found.interval_method.endswith("4 groups")


def test_groups_of_which_no_cell_has_one_are_refused(annotated: anndata.AnnData) -> None:
    annotated.obs["donor"] = np.nan
    with pytest.raises(InputError, match="no cell has a value in obs column 'donor'"):
        evaluate_annotation(annotated, labels="given", groups="donor")


def test_one_shared_class_is_one(annotated: anndata.AnnData) -> None:
    found = evaluate_annotation(annotated[annotated.obs["given"] == "beta"], labels="given")
    assert summary(found).startswith("1 shared class (")
    assert summary(evaluate_annotation(annotated, labels="given")).startswith("2 shared classes (")


def test_joined_cells_that_lost_their_record(annotated: anndata.AnnData) -> None:
    parts = [annotated[:20], annotated[20:]]
    with pytest.raises(
        InputError, match=r"columns of an annotation, but not its record uns\['orthotype'\];.*"
    ) as no:
        read_annotation(anndata.concat(parts))
    assert 'uns_merge="same"' in str(no.value)
    assert read_annotation(anndata.concat(parts, uns_merge="same")).model_hash == "abc"


def test_cells_annotated_apart_and_joined(annotated: anndata.AnnData) -> None:
    other = annotated.copy()
    other.uns["orthotype"] = {**annotated.uns["orthotype"], "details": "{}"}
    other.obs_names = [f"other {name}" for name in other.obs_names]
    with pytest.raises(InputError, match=r"\('details' missing\).*annotated again after joining"):
        read_annotation(anndata.concat([annotated, other], uns_merge="same"))


def test_what_else_may_be_missing(annotated: anndata.AnnData) -> None:
    del annotated.obsm["orthotype_proba"]
    with pytest.raises(InputError, match="but no obsm"):
        read_annotation(annotated)
    with pytest.raises(InputError, match=r"no annotation under 'other'.*run orthotype annotate first"):
        read_annotation(annotated, key_added="other")
