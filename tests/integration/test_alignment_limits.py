"""Targets and sources that alignment and the unknown rule must survive; real bundled cells throughout."""

import os
import warnings
from pathlib import Path

import anndata
import numpy as np
import pytest

import orthotype as ot
from orthotype.errors import OrthotypeWarning

LABELS = "cell_ontology_class"
REAL = Path(os.environ.get("ORTHOTYPE_REAL_DATA", ""))
PLAIN = {"alignment": "none", "unknown": "none", "n_neighbors": 0}


@pytest.fixture(scope="module")
def mouse() -> anndata.AnnData:
    return ot.datasets.get("baron2016-mouse")


@pytest.fixture(scope="module")
def human() -> anndata.AnnData:
    return ot.datasets.get("baron2016-human")


@pytest.fixture(scope="module")
def model(mouse: anndata.AnnData) -> ot.LabelTransfer:
    return ot.LabelTransfer().fit(mouse, labels=LABELS, species="mouse")


def truth(cells: anndata.AnnData) -> np.ndarray:
    return cells.obs[LABELS].astype(str).to_numpy()


def test_one_cell_is_labelled_by_itself(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    one = human[truth(human) == "pancreatic A cell"][:1].copy()
    found = model.label(one, species="human")
    assert found.shift is not None
    assert found.shift.reason == "no shift was taken: fewer than two classes were called"
    alone = model.label(one, species="human", **PLAIN)
    np.testing.assert_allclose(found.predictions.proba, alone.predictions.proba, atol=1e-6)
    assert found.predictions.label[0] == "pancreatic A cell"


@pytest.mark.parametrize(
    "name",
    [
        "pancreatic A cell",
        "type B pancreatic cell",
        "pancreatic D cell",
        "pancreatic PP cell",
        "pancreatic ductal cell",
        "pancreatic stellate cell",
    ],
)
def test_cells_of_one_class_keep_their_class(
    model: ot.LabelTransfer, human: anndata.AnnData, name: str
) -> None:
    found = model.label(human[truth(human) == name].copy(), species="human")
    told = found.predictions
    assert (told.classes[told.winner] == name).mean() > 0.93
    assert (told.status == "unknown").mean() < 0.15
    assert found.shift is not None
    assert found.shift.step == 0.0
    assert "one type" in found.shift.reason or "fewer than two classes" in found.shift.reason


@pytest.mark.parametrize("other", ["pancreatic A cell", "pancreatic D cell", "pancreatic ductal cell"])
def test_cells_of_two_classes_keep_their_classes(
    model: ot.LabelTransfer, human: anndata.AnnData, other: str
) -> None:
    names = ["type B pancreatic cell", other]
    two = human[np.isin(truth(human), names)].copy()
    told = model.label(two, species="human").predictions
    right = told.classes[told.winner] == truth(two)
    assert min(right[truth(two) == name].mean() for name in names) > 0.93
    assert (told.status == "unknown").mean() < 0.15


def test_the_source_itself_comes_back_as_it_was_labelled(
    model: ot.LabelTransfer, mouse: anndata.AnnData
) -> None:
    found = model.label(mouse, species="mouse")
    told = found.predictions
    assert (told.classes[told.winner] == truth(mouse)).mean() > 0.96
    assert (told.status == "unknown").mean() < 0.06
    assert found.shift is not None
    assert np.abs(found.shift.delta).max() < 0.1
    assert found.ratios["likeness"] == pytest.approx(1.0, abs=0.05)


def test_another_tissue_comes_back_mostly_unknown_and_says_so(
    model: ot.LabelTransfer, human: anndata.AnnData
) -> None:
    marrow = ot.datasets.get("setty2019-human-marrow-subset")
    for by, cells in ((model, marrow), (ot.load("mouse-marrow"), human)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", OrthotypeWarning)
            told = by.label(cells, species="human").predictions
        assert any("too unlike the source for its labels to be trusted" in str(w.message) for w in said)
        assert (told.status == "unknown").mean() > 0.8


@pytest.mark.parametrize(("n_cells", "least"), [(300, 0.8), (100, 0.8), (50, 0.8)])
def test_few_cells_of_another_tissue_are_told_from_few_of_the_same(
    human: anndata.AnnData, n_cells: int, least: float
) -> None:
    marrow = ot.datasets.get("setty2019-human-marrow-subset")
    model, rng = ot.load("mouse-marrow"), np.random.default_rng(0)
    for cells, strange in ((human, True), (marrow, False)):
        few = cells[np.sort(rng.permutation(cells.n_obs)[:n_cells])].copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OrthotypeWarning)
            unknown = (model.label(few, species="human").predictions.status == "unknown").mean()
        assert unknown > least if strange else unknown < 1.0 - least


@pytest.mark.real_data
def test_a_lung_put_to_marrow_does_not_live_on_the_few_types_they_share() -> None:
    lung_file, marrow_file = (
        REAL / f"{name}.h5ad" for name in ("lca_human_lung_subset", "setty2019_human_cd34_bm_unlabelled")
    )
    if not (lung_file.is_file() and marrow_file.is_file()):
        pytest.skip("ORTHOTYPE_REAL_DATA names no folder with lung and marrow: NOT CHECKED on real cells")
    lung = anndata.read_h5ad(lung_file)
    names, sizes = np.unique(lung.obs["cell_type"].astype(str), return_counts=True)
    lung = lung[lung.obs["cell_type"].isin(names[sizes >= 2]).to_numpy()].copy()
    model = ot.LabelTransfer().fit(lung, labels="cell_type", species="human")
    marrow = anndata.read_h5ad(marrow_file)
    with pytest.warns(OrthotypeWarning, match="too unlike the source"):
        found = model.label(marrow, species="human")
    assert (found.predictions.status == "unknown").mean() > 0.8
    assert found.kinship.classes is not None
    assert np.nanmax(found.kinship.classes) > found.kinship.whole + 0.1


def test_a_third_of_the_genes_is_told_to_be_poor_and_alignment_helps(
    model: ot.LabelTransfer, mouse: anndata.AnnData, human: anndata.AnnData
) -> None:
    few = human[:, np.random.default_rng(0).random(human.n_vars) < 0.3].copy()
    with pytest.warns(OrthotypeWarning, match=r"gene coverage is poor: .* train with the target given"):
        found = model.label(few, species="human")
    assert found.coverage["model_genes"]["expected_loss"] > 0.1
    scores = []
    for weights in ("none", "transferability"):
        informed = ot.LabelTransfer(gene_weights=weights).fit(
            mouse, labels=LABELS, species="mouse", target=few
        )
        for options in (PLAIN, {}):
            told = informed.label(few, species="human", **options).predictions
            called, known = told.classes[told.winner], np.isin(truth(human), told.classes.astype(str))
            names = np.unique(truth(human)[known])
            scores.append(np.mean([(called[truth(human) == name] == name).mean() for name in names]))
    assert scores[1] > max(scores[0] + 0.05, 0.6)
    assert scores[2] > scores[0] + 0.05, "genes that carry over count more"
    assert scores[3] > max(scores[2] + 0.02, scores[1])


def test_a_tenth_of_the_source_labels_swapped_is_survived(
    mouse: anndata.AnnData, human: anndata.AnnData
) -> None:
    swapped, rng = mouse.copy(), np.random.default_rng(0)
    labels = truth(mouse)
    wrong = rng.random(len(labels)) < 0.1
    labels[wrong] = rng.permutation(labels[wrong])
    swapped.obs[LABELS] = labels
    told = ot.LabelTransfer().fit(swapped, labels=LABELS, species="mouse").label(human, species="human")
    known = np.isin(truth(human), told.predictions.classes.astype(str))
    called = told.predictions.classes[told.predictions.winner]
    assert (called == truth(human))[known].mean() > 0.88


def test_two_classes_swapped_in_the_source_are_swapped_in_the_target(
    mouse: anndata.AnnData, human: anndata.AnnData
) -> None:
    names = {"pancreatic A cell": "type B pancreatic cell", "type B pancreatic cell": "pancreatic A cell"}
    swapped = mouse.copy()
    swapped.obs[LABELS] = [names.get(name, name) for name in truth(mouse)]
    told = ot.LabelTransfer().fit(swapped, labels=LABELS, species="mouse").label(human, species="human")
    called = told.predictions.classes[told.predictions.winner]
    alpha = truth(human) == "pancreatic A cell"
    assert (called[alpha] == "type B pancreatic cell").mean() > 0.9


@pytest.mark.parametrize("wrong", [{"alignment": "yes"}, {"unknown": "maybe"}, {"n_neighbors": -1}])
def test_options_that_do_not_exist(model: ot.LabelTransfer, human: anndata.AnnData, wrong: dict) -> None:
    with pytest.raises(ot.errors.InputError, match=f"{next(iter(wrong))} is .* expected"):
        model.label(human[:5], species="human", **wrong)


def test_what_alignment_changed_is_in_the_record(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    found = model.label(human, species="human")
    plain = model.label(human, species="human", **PLAIN)
    told = found.effect.to_dict(found.predictions.classes)
    before, after = plain.predictions.winner, found.predictions.winner
    assert told["n_compared"] == human.n_obs
    assert abs(told["n_changed"] - int((before != after).sum())) <= 2
    assert sum(told["labels_without"].values()) == sum(told["labels_with"].values()) == human.n_obs
    assert sum(each["cells"] for each in told["moved"]) <= told["n_changed"]
    assert told["mean_confidence_without"] == pytest.approx(plain.predictions.confidence.mean(), abs=1e-4)
