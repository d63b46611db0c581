"""Columns that an annotation writes: its own are replaced, those of the user stay, whatever their name."""

from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype._keys import KEY, column
from orthotype.errors import InputError
from orthotype.transfer.predictions import IN_OBS, check_free, check_key, columns_in
from orthotype.transfer.streaming import labels_of

if TYPE_CHECKING:
    from anndata import AnnData

USERS = ("cell_type", "cell_ontology_class", "cell_note")


@pytest.fixture
def cells(small_human: "AnnData") -> "AnnData":
    """Give cells with columns of the user that begin like a key."""
    few = small_human[::3].copy()
    few.obs["cell_note"] = few.obs["orthotype_note"] = "mine"
    return few


@pytest.mark.parametrize(("key", "users"), [("cell", USERS), (KEY, ("orthotype_note",))])
def test_columns_of_the_user_stay(
    small_model: ot.LabelTransfer, cells: "AnnData", key: str, users: tuple[str, ...]
) -> None:
    found = small_model.annotate(cells, key_added=key)
    pd.testing.assert_frame_equal(found.obs[list(cells.obs)], cells.obs)
    assert set(found.obs) - set(cells.obs) <= {column(name, key_added=key) for name in IN_OBS}
    assert not set(users) & set(labels_of(found, key_added=key))


def test_a_file_and_its_tables_keep_columns_of_the_user_apart(
    small_model: ot.LabelTransfer, cells: "AnnData", tmp_path: Path
) -> None:
    cells.write_h5ad(tmp_path / "cells.h5ad")
    found = small_model.annotate(tmp_path / "cells.h5ad", key_added="cell", output=tmp_path / "out.h5ad")
    written = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert set(written.obs) == set(found.obs) >= set(cells.obs)
    small_model.annotate(tmp_path / "cells.h5ad", key_added="cell", output=tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv", index_col="cell")
    assert list(table) == columns_in(found.obs, key_added="cell")
    assert len(table.columns) >= 8


def test_embeddings_of_the_user_stay_from_file_to_file(
    small_model: ot.LabelTransfer, cells: "AnnData", tmp_path: Path
) -> None:
    cells.obsm["cell_pca"] = np.arange(2.0 * cells.n_obs).reshape(-1, 2)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    for name in ("cells", "once"):
        after = tmp_path / ("once.h5ad" if name == "cells" else "twice.h5ad")
        small_model.annotate(tmp_path / f"{name}.h5ad", key_added="cell", output=after)
        written = anndata.read_h5ad(after)
        assert set(written.obsm) == {"cell_pca", "cell_proba"}
        np.testing.assert_array_equal(written.obsm["cell_pca"], cells.obsm["cell_pca"])


def test_every_column_of_an_earlier_annotation_goes(
    small_model: ot.LabelTransfer, cells: "AnnData", tmp_path: Path
) -> None:
    first = small_model.annotate(cells)
    for name in IN_OBS:
        first.obs[column(name)] = "stale"
    again = small_model.annotate(first)
    assert not (again.obs[columns_in(again.obs)].astype(str) == "stale").any(axis=None)
    assert "orthotype_set" not in again.obs  # the model is not calibrated
    assert (again.obs["orthotype_note"] == "mine").all()
    first.write_h5ad(tmp_path / "first.h5ad")
    small_model.annotate(tmp_path / "first.h5ad", output=tmp_path / "again.h5ad")
    written = anndata.read_h5ad(tmp_path / "again.h5ad")
    assert set(written.obs) == set(again.obs)


def test_joined_cells_that_lost_their_record_are_annotated_again(
    small_model: ot.LabelTransfer, cells: "AnnData"
) -> None:
    parts = [small_model.annotate(cells[:50].copy()), small_model.annotate(cells[50:].copy())]
    joined = anndata.concat(parts)
    assert KEY not in joined.uns
    again = small_model.annotate(joined)
    assert KEY in again.uns
    pd.testing.assert_series_equal(again.obs["orthotype_note"], joined.obs["orthotype_note"])


@pytest.mark.parametrize("stored", [False, True])
def test_a_column_of_the_user_with_the_name_of_a_result_is_not_overwritten(
    small_model: ot.LabelTransfer, cells: "AnnData", tmp_path: Path, stored: bool
) -> None:
    cells.obs["cell_label"] = "mine"
    cells.obsm["cell_proba"] = np.zeros((cells.n_obs, 2))
    cells.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(
        InputError, match=r"obs column and obsm array 'cell_label', 'cell_proba'.*another key"
    ):
        small_model.annotate(tmp_path / "cells.h5ad" if stored else cells, key_added="cell")
    assert "orthotype_label" in small_model.annotate(cells).obs


def test_a_record_tells_an_earlier_annotation() -> None:
    obs = pd.DataFrame({"cell_label": ["a", "b"]}, index=["x", "y"])
    check_free(anndata.AnnData(obs=obs, uns={"cell": {"model_hash": "abc"}}), key_added="cell")
    check_free(anndata.AnnData(obs=obs), key_added="other")
    for uns in ({}, {"cell": {"params": 1}}, {"cell": "text"}):
        with pytest.raises(InputError, match=r"no record uns\['cell'\]"):
            check_free(anndata.AnnData(obs=obs, uns=uns), key_added="cell")


@pytest.mark.parametrize("key", [None, 3, "", " ", "a/b"])
def test_a_key_that_is_no_word_is_refused(key: object) -> None:
    with pytest.raises(InputError, match="cannot be a prefix of columns"):
        check_key(key)
