"""Prediction sets on real cells of another species: the stated coverage is reached on cells held out."""

import numpy as np
import pytest
from scipy.stats import binom

import orthotype as ot
from orthotype.cells.table import open_cells
from orthotype.models.conformal import PredictionSets
from orthotype.transfer.calibrating import calibrate_state
from orthotype.transfer.labelling import label_cells

COLUMN = "cell_ontology_class"


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_every_class_is_covered_as_stated(coverage: float) -> None:
    mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    state = ot.LabelTransfer().fit(mouse, labels=COLUMN, species="mouse").state_
    table = open_cells(human, subject="the target", species="human")
    true = human.obs[COLUMN].astype(str).to_numpy(dtype=object)
    known = np.flatnonzero(np.isin(true, state.classes))
    n_classes = len(state.classes)
    hits, cells = np.zeros(n_classes), np.zeros(n_classes)
    for seed in range(4):
        few = np.random.default_rng(seed).permutation(known)[: len(known) // 2]
        labels = np.full(len(true), None, dtype=object)
        labels[few] = true[few]
        found = calibrate_state(state, table, labels, coverage=coverage, block_size=1024)
        sets = PredictionSets.from_dict(found.card["prediction_sets"], found.classes)
        rest = np.setdiff1d(known, few)
        codes = np.searchsorted(state.classes.astype(str), true[rest].astype(str))
        proba = label_cells(found, table, block_size=1024).predictions.proba[rest]
        inside = sets.sets(proba)[np.arange(len(rest)), codes]
        hits += np.bincount(codes, weights=inside, minlength=n_classes)
        cells += np.bincount(codes, minlength=n_classes)
        rare = ~sets.promised
        assert (inside[rare[codes]]).all()
    tested = cells >= 40
    assert tested.sum() >= 6
    # The held-out cells of the four draws overlap and the threshold has noise of its own: both together are
    # given the binomial noise of a quarter of the cells.
    least = binom.ppf(0.001, (cells / 4).astype(int), coverage) / np.maximum((cells / 4).astype(int), 1)
    share = hits / np.maximum(cells, 1)
    assert (share[tested] >= least[tested]).all(), dict(zip(state.classes, share.round(3), strict=True))
    assert share[tested].mean() == pytest.approx(coverage, abs=0.025)
