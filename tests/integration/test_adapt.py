"""Adapting the mouse model to human cells with a few real labels."""

import numpy as np
import pytest
from anndata import AnnData

import orthotype as ot
from orthotype.errors import InputError

LABELS = "cell_ontology_class"
CLASSES = ["type B pancreatic cell", "pancreatic A cell", "pancreatic D cell", "pancreatic ductal cell"]


@pytest.fixture(scope="module")
def pair() -> tuple[AnnData, AnnData]:
    """A few hundred cells of four classes of the bundled pair."""
    rng = np.random.default_rng(0)
    chosen = []
    for name, per_class in (("baron2016-mouse", 60), ("baron2016-human", 80)):
        adata = ot.datasets.get(name)
        labels = adata.obs[LABELS].astype(str).to_numpy()
        rows = np.concatenate(
            [rng.permutation(np.flatnonzero(labels == label))[:per_class] for label in CLASSES]
        )
        chosen.append(adata[np.sort(rows)].copy())
    return chosen[0], chosen[1]


@pytest.fixture(scope="module")
def model(pair: tuple[AnnData, AnnData]) -> ot.LabelTransfer:
    return ot.LabelTransfer(n_top_genes=500).fit(pair[0], labels=LABELS)


def accuracy(model: ot.LabelTransfer, cells: AnnData) -> float:
    called = model.predict(cells).label.astype(str)
    return float((called == cells.obs[LABELS].astype(str).to_numpy()).mean())


def few_and_rest(cells: AnnData, n: int) -> tuple[AnnData, AnnData]:
    labels = cells.obs[LABELS].astype(str).to_numpy()
    few = np.concatenate([np.flatnonzero(labels == label)[:n] for label in CLASSES])
    rest = np.setdiff1d(np.arange(cells.n_obs), few)
    return cells[few], cells[rest]


@pytest.mark.parametrize("n", [1, 5])
def test_a_few_labels_do_no_harm(pair: tuple[AnnData, AnnData], model: ot.LabelTransfer, n: int) -> None:
    few, rest = few_and_rest(pair[1], n)
    assert accuracy(model.adapt(few, labels=LABELS), rest) >= accuracy(model, rest) - 0.02


def test_the_model_itself_stays_as_it_is(pair: tuple[AnnData, AnnData], model: ot.LabelTransfer) -> None:
    before = model.state_.hash()
    few, _ = few_and_rest(pair[1], 3)
    adapted = model.adapt(few, labels=LABELS)
    assert model.state_.hash() == before
    assert adapted.state_.hash() != before
    assert adapted.card["adapted"]["from"] == before
    assert sum(adapted.card["adapted"]["cells_per_class"].values()) == 12


def test_classes_without_a_label_keep_their_weights(
    pair: tuple[AnnData, AnnData], model: ot.LabelTransfer
) -> None:
    few, _ = few_and_rest(pair[1], 4)
    two = few[few.obs[LABELS].isin(CLASSES[:2])]
    adapted = model.adapt(two, labels=LABELS)
    kept = [k for k, name in enumerate(model.state_.classes) if name not in CLASSES[:2]]
    np.testing.assert_array_equal(adapted.state_.coef[:, kept], model.state_.coef[:, kept])
    called = set(adapted.predict(pair[1]).label)
    assert set(CLASSES[2:]) <= called


def test_a_very_strong_pull_is_the_source_model(
    pair: tuple[AnnData, AnnData], model: ot.LabelTransfer
) -> None:
    few, _ = few_and_rest(pair[1], 3)
    adapted = model.adapt(few, labels=LABELS, strength=1e6)
    np.testing.assert_allclose(adapted.state_.coef, model.state_.coef, atol=1e-4)


def test_an_adapted_model_is_saved_and_loaded(
    pair: tuple[AnnData, AnnData], model: ot.LabelTransfer, tmp_path: object
) -> None:
    few, rest = few_and_rest(pair[1], 3)
    adapted = model.adapt(few, labels=LABELS)
    adapted.save(f"{tmp_path}/adapted.safetensors")
    loaded = ot.load(f"{tmp_path}/adapted.safetensors")
    np.testing.assert_array_equal(loaded.predict(rest).proba, adapted.predict(rest).proba)


def test_a_class_that_the_model_lacks_is_refused_with_the_nearest(
    pair: tuple[AnnData, AnnData], model: ot.LabelTransfer
) -> None:
    few = few_and_rest(pair[1], 3)[0].copy()
    few.obs[LABELS] = few.obs[LABELS].astype(str).replace("pancreatic A cell", "pancreatic A cells")
    with pytest.raises(InputError, match=r"'pancreatic A cells'.*such as 'pancreatic A cell'"):
        model.adapt(few, labels=LABELS)


def test_labels_of_one_class_are_refused(pair: tuple[AnnData, AnnData], model: ot.LabelTransfer) -> None:
    few = few_and_rest(pair[1], 3)[0]
    with pytest.raises(InputError, match="at least two classes"):
        model.adapt(few[few.obs[LABELS] == CLASSES[0]], labels=LABELS)
