"""Genes weighted by how well they carry over to a target that is at hand. Bundled cells."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

import orthotype as ot
from orthotype.cells.table import CellTable, open_cells
from orthotype.errors import InputError
from orthotype.transfer.gene_weights import gene_weights

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


def opened(cells: "AnnData") -> CellTable:
    return open_cells(cells, subject="the target", species="human")


def fitted(mouse: "AnnData", human: "AnnData", **options: str) -> ot.LabelTransfer:
    return ot.LabelTransfer(**options).fit(mouse, labels=LABELS, species="mouse", target=human)


@pytest.fixture(scope="module")
def model(small_mouse: "AnnData", small_human: "AnnData") -> ot.LabelTransfer:
    return fitted(small_mouse, small_human)


def test_a_gene_that_says_something_else_in_the_target_is_worth_less(
    small_model: ot.LabelTransfer, small_human: "AnnData", rng: np.random.Generator
) -> None:
    before = gene_weights(small_model.state_, opened(small_human), block_size=64)
    assert before is not None
    names = small_model.state_.space.names.astype(str)
    best = [j for j in np.argsort(-before) if names[j] in small_human.var_names][:10]
    mixed = small_human.copy()
    X = mixed.X.toarray()
    for name in names[best]:
        column = mixed.var_names.get_loc(name)
        X[:, column] = rng.permutation(X[:, column])
    mixed.X = X
    after = gene_weights(small_model.state_, opened(mixed), block_size=64)
    assert after is not None
    assert before[best].min() > 0.8
    assert np.median(after[best]) < 0.5
    assert (after[best] < before[best]).all()


def test_no_label_of_the_target_is_looked_at(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    bare = small_human.copy()
    bare.obs = bare.obs[[]]
    one, other = (
        gene_weights(small_model.state_, opened(cells), block_size=50) for cells in (small_human, bare)
    )
    np.testing.assert_array_equal(one, other)


def test_genes_that_carry_over_get_the_weights(
    model: ot.LabelTransfer, small_mouse: "AnnData", small_human: "AnnData"
) -> None:
    plain = fitted(small_mouse, small_human, gene_weights="none")
    worth = gene_weights(plain.state_, opened(small_human), block_size=64)
    assert worth is not None
    assert model.card["selection"]["gene_weights"] == "transferability"
    assert model.card["selection"]["n_below_half"] == np.count_nonzero(worth < 0.5)
    assert plain.card["selection"]["gene_weights"] == "none"
    low, high = worth < 0.2, worth > 0.8
    shares = [
        np.abs(each.state_.coef[..., low]).sum() / np.abs(each.state_.coef[..., high]).sum()
        for each in (model, plain)
    ]
    assert shares[0] < 0.3 * shares[1]
    assert model.card["held_out"]["mean_recall"] > plain.card["held_out"]["mean_recall"] - 0.01


def test_a_saved_model_is_the_model(
    model: ot.LabelTransfer, small_human: "AnnData", tmp_path: object
) -> None:
    path = f"{tmp_path}/model.safetensors"
    model.save(path)
    again = ot.load(path)
    assert again.gene_weights == "transferability"
    one, other = (each.annotate(small_human).obs for each in (model, again))
    assert one.equals(other)


def test_a_foreign_target_weighs_nothing(small_mouse: "AnnData") -> None:
    marrow = ot.datasets.get("setty2019-human-marrow-subset")
    weighted, plain = (fitted(small_mouse, marrow, gene_weights=by) for by in ("transferability", "none"))
    assert weighted.card["selection"]["gene_weights"] == "none"
    np.testing.assert_array_equal(weighted.state_.coef, plain.state_.coef)


def test_an_unknown_weighting_is_refused(small_mouse: "AnnData", small_human: "AnnData") -> None:
    with pytest.raises(InputError, match="'expression'; expected one of 'transferability', 'none'"):
        fitted(small_mouse, small_human, gene_weights="expression")
