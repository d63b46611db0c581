"""Scales recognised on nine public data sets of six technologies, transformed as files are found in."""

import os
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.scales import judge_scale

pytestmark = pytest.mark.real_data
FOLDER = os.environ.get("ORTHOTYPE_REAL_DATA")
FILES = sorted(Path(FOLDER).glob("*.h5ad")) if FOLDER else []


@pytest.fixture(params=FILES or [None], ids=[path.stem for path in FILES] or ["none"])
def counts(request):
    if request.param is None:
        pytest.skip(
            "ORTHOTYPE_REAL_DATA names no folder with .h5ad files: scales of real data were NOT checked"
        )
    adata = anndata.read_h5ad(request.param, backed="r")
    values = sp.csr_array(adata[:180].X)
    adata.file.close()
    return values.astype(np.float64)


def scaled_to(counts, target):
    totals = np.maximum(counts.sum(axis=1), 1)
    return sp.csr_array(sp.diags_array(target / totals) @ counts).astype(np.float32)


def log1p(values, base=np.e):
    logged = values.copy()
    logged.data = (np.log1p(values.data) / np.log(base)).astype(np.float32)
    return logged


def test_real_scales_are_recognised(counts):
    lengths = np.random.default_rng(0).uniform(0.5, 5, counts.shape[1])
    tpm = scaled_to(sp.csr_array(counts @ sp.diags_array(1 / lengths)), 1e6)
    expected = {
        ("counts", None): [counts],
        ("linear", None): [scaled_to(counts, 1e6), tpm],
        ("log1p", None): [log1p(scaled_to(counts, 1e4)), log1p(counts), log1p(tpm)],
        ("log1p", 2.0): [log1p(scaled_to(counts, 1e6), 2.0), log1p(tpm, 2.0)],
        ("log1p", 10.0): [log1p(scaled_to(counts, 1e4), 10.0)],
    }
    for scale, matrices in expected.items():
        for values in matrices:
            judged = judge_scale(values)
            assert (judged.scale, judged.base) == scale, judged.evidence
