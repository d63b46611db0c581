"""What missing genes cost, foretold and measured: the filling, the level, the warning, the record."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.cells.table import open_cells
from orthotype.errors import GeneError, OrthotypeWarning
from orthotype.models.views import view_cells
from orthotype.transfer import coverage
from orthotype.transfer.coverage import expected_loss, level_of, without_missing
from orthotype.transfer.state import ModelState

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "gene_coverage.json"


@pytest.fixture(scope="module")
def state(small_model: ot.LabelTransfer) -> ModelState:
    return small_model.state_


def some(state: ModelState, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(len(state.space.selected)) >= share


def without_genes(cells: anndata.AnnData, share: float) -> anndata.AnnData:
    kept = np.random.default_rng(1).random(cells.n_vars) >= share
    return cells[:, kept].copy()


@pytest.mark.parametrize(
    ("lost", "level"),
    [(0.0, "good"), (0.0099, "good"), (0.01, "reduced"), (0.0499, "reduced"), (0.05, "poor"), (1.0, "poor")],
)
def test_levels_begin_at_one_and_five_points(lost: float, level: str) -> None:
    assert level_of(lost) == level


def test_the_levels_are_those_that_were_measured() -> None:
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))["measures"]
    own = measured[f"expected_{coverage.SPREAD}"]
    assert 0.5 <= own["level_at_1_point"] / (100 * coverage.REDUCED) <= 1.5
    assert 0.8 <= own["level_at_5_points"] / (100 * coverage.POOR) <= 1.4
    for judge, slack in (("spearman", 0.01), ("auroc_loss_of_5_points", 0.01), ("explained", 0.02)):
        best = max(found[judge] for found in measured.values())
        assert own[judge] >= best - slack


def test_nothing_missing_changes_nothing(state: ModelState) -> None:
    everything = np.ones(len(state.space.selected), dtype=bool)
    assert without_missing(state, everything) is state
    assert expected_loss(state, everything) == 0.0


def test_missing_genes_are_filled_with_their_mean_over_classes(
    state: ModelState, small_human: anndata.AnnData
) -> None:
    present = some(state, 0.4)
    table = open_cells(small_human, subject="cells", species="human")
    rows = next(iter(state.space.align(table.genes, species="human").blocks(table.rows)))[1].toarray()
    filled = np.where(present, rows, state.profiles.centre)
    blank = sp.csr_array(np.where(present, rows, 0))
    np.testing.assert_allclose(
        without_missing(state, present).scores(blank), state.scores(sp.csr_array(filled)), atol=1e-4
    )


def test_the_expected_loss_lies_between_nothing_and_all_and_does_not_depend_on_names(
    state: ModelState,
) -> None:
    losses = [expected_loss(state, some(state, share)) for share in (0.1, 0.5, 0.9, 0.99)]
    assert all(0 <= loss <= 1 for loss in losses)
    assert losses[0] < 0.02 < 0.05 < losses[3]
    turned = np.arange(len(state.classes))[::-1]
    profiles = state.profiles
    same = replace(
        state,
        coef=state.coef[:, turned],
        intercept=state.intercept[:, turned],
        profiles=replace(
            profiles,
            mean=profiles.mean[turned],
            variance=profiles.variance[turned],
            n_cells=profiles.n_cells[turned],
        ),
    )
    assert expected_loss(same, some(state, 0.9)) == pytest.approx(losses[2])


def test_genes_that_say_nothing_cost_nothing(state: ModelState) -> None:
    weak = np.abs(state.mean_coef).max(axis=0) * state.profiles.mean.max(axis=0)
    assert expected_loss(state, weak > np.quantile(weak, 0.2)) < 0.001


def test_cells_with_all_genes_are_labelled_without_a_word(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    found = small_model.label(small_human, species="human").coverage["model_genes"]
    assert found["level"] == "good"
    assert 0 <= found["expected_loss"] < coverage.REDUCED


@pytest.mark.parametrize(("share", "level"), [(0.8, "reduced"), (0.97, "poor")])
def test_cells_with_few_genes_are_labelled_with_a_warning_that_names_the_level(
    small_model: ot.LabelTransfer, small_mouse: anndata.AnnData, share: float, level: str
) -> None:
    few = without_genes(small_mouse, share)
    with pytest.warns(OrthotypeWarning, match=f"gene coverage is {level}: .* points of mean recall") as told:
        found = small_model.label(few, species="mouse").coverage["model_genes"]
    assert found["level"] == level
    assert f"about {100 * found['expected_loss']:.0f} points" in str(told[0].message)
    assert told[0].filename == __file__
    assert 0 < found["share_of_weight_missing"] < 1
    assert len(found["missing_top"]) == 10


def test_the_annotation_remembers_the_level(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    details = json.loads(small_model.annotate(small_human).uns["orthotype"]["details"])
    assert details["coverage"]["target"]["model_genes"]["level"] == "good"


def test_filling_keeps_labels_that_zeros_would_lose(
    small_model: ot.LabelTransfer, small_mouse: anndata.AnnData, state: ModelState
) -> None:
    few = without_genes(small_mouse, 0.9)
    true = small_mouse.obs["cell_ontology_class"].to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrthotypeWarning)
        filled = small_model.label(few, species="mouse").predictions.label
    table = open_cells(few, subject="few", species="mouse")
    rows = next(iter(state.space.align(table.genes, species="mouse").blocks(table.rows)))[1]
    zeros = state.classes[state.scores(rows).mean(axis=1).argmax(axis=1)]
    assert np.mean(filled == true) > np.mean(zeros == true) + 0.02


def test_the_similarity_of_cells_is_judged_on_the_genes_that_they_have(
    state: ModelState, small_human: anndata.AnnData
) -> None:
    present = some(state, 0.5)
    table = open_cells(small_human, subject="cells", species="human")
    rows = next(iter(state.space.align(table.genes, species="human").blocks(table.rows)))[1].toarray()
    codes = np.arange(len(rows)) % len(state.classes)
    profiles = without_missing(state, present).profiles
    found = view_cells(sp.csr_array(np.where(present, rows, 0)), codes, profiles=profiles).likeness
    own = rows[:, present] - state.profiles.centre[present]
    theirs = (state.profiles.mean - state.profiles.centre)[:, present]
    noise = state.profiles.variance[:, present].sum(axis=1) / state.profiles.n_cells
    squares = np.maximum((theirs**2).sum(axis=1) - noise, 0.1 * (theirs**2).sum(axis=1))
    cosine = (own * theirs[codes]).sum(axis=1) / np.linalg.norm(own, axis=1) / np.sqrt(squares[codes])
    np.testing.assert_allclose(found, cosine, atol=1e-4)


def test_a_third_species_without_a_table_is_told_what_to_do(
    small_model: ot.LabelTransfer, small_mouse: anndata.AnnData
) -> None:
    fish = small_mouse.copy()
    fish.var_names = [f"ENSDARG{number:011d}" for number in range(fish.n_vars)]
    with pytest.raises(
        GeneError, match=r"no bundled ortholog table joins zebrafish to mouse; .* --orthologs FILE"
    ):
        small_model.annotate(fish)
