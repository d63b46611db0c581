"""The report of an annotated AnnData (a record written by hand: only reading and wiring are tested)."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError
from orthotype.metrics import evaluate
from orthotype.report import report_annotation


@pytest.fixture
def annotated():
    labels = ["alpha", "alpha", "beta", "unknown"]
    obs = pd.DataFrame(
        {
            "given": ["alpha", "beta", "beta", "acinar"],
            "orthotype_label": labels,
            "orthotype_confidence": [0.9, 0.6, 0.8, 0.3],
            "orthotype_entropy": [0.1, 0.5, 0.3, 0.9],
            "orthotype_votes": [5, 3, 5, 3],
            "orthotype_status": ["assigned", "assigned", "assigned", "unknown"],
        },
        index=[f"cell{i}" for i in range(4)],
    )
    details = {
        "card": {"species": "mouse", "classes": ["alpha", "beta"], "n_models": 5},
        "coverage": {},
        "genes": [{"class": "alpha", "gene": "GCG", "weight": 0.3, "source_mean": 7.0, "target_mean": None}],
        "run": {"command": "orthotype annotate", "target": {"species": "human"}},
    }
    record = {"classes": np.array(["alpha", "beta"]), "model_hash": "abc", "details": json.dumps(details)}
    proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    return ad.AnnData(obs=obs, obsm={"orthotype_proba": proba}, uns={"orthotype": record})


def test_without_labels_there_is_no_comparison(annotated, tmp_path):
    page = report_annotation(tmp_path / "report.html", annotated).read_text()
    assert "Human cells labelled by a model of mouse" in page
    assert "3 of 4 human cells got one of 2 labels learned from mouse cells" in page
    assert "GCG" in page
    assert "<dt>model hash</dt><dd>abc</dd>" in page
    assert "All 5 fold models agree on 2 of 4 cells." in page
    assert 'id="confusion"' not in page


def test_with_labels_they_are_compared(annotated, tmp_path):
    page = report_annotation(tmp_path / "report.html", annotated, labels="given").read_text()
    assert 'title="beta called alpha: 1 of 2"' in page
    assert "alpha 1, beta 1" in page


def test_a_column_that_is_not_there_is_named(annotated, tmp_path):
    with pytest.raises(InputError, match="given"):
        report_annotation(tmp_path / "report.html", annotated, labels="gven")
    with pytest.raises(InputError, match="run orthotype annotate first"):
        report_annotation(tmp_path / "report.html", ad.AnnData(obs=annotated.obs[["given"]]))
    found = evaluate(["alpha"], ["alpha"], source_classes=["alpha"], n_boot=0)
    with pytest.raises(InputError, match="given"):
        report_annotation(tmp_path / "report.html", annotated, labels="gven", evaluation=found)
    assert not list(tmp_path.iterdir())
