"""Cells of a file whose matrix stays on disk, and what is said of it. Bundled cells."""

from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pytest

import orthotype as ot
from orthotype.cells.backed import StoredCells, annotations_of, as_cells, is_stored, open_stored, read_tables
from orthotype.cells.counts import describe_matrices, find_counts
from orthotype.cells.survey import MatrixError
from orthotype.cells.table import open_cells
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def path(small_human: "AnnData", tmp_path: Path) -> Path:
    cells = small_human[:120].copy()
    cells.raw = cells
    cells = cells[:, :6000].copy()
    cells.layers["halved"] = cells.X / 2
    cells.obsm["place"] = np.zeros((120, 2))
    cells.uns["log1p"] = {"base": 2.0}
    cells.write_h5ad(tmp_path / "cells.h5ad", compression="gzip")
    return tmp_path / "cells.h5ad"


def test_everything_but_the_matrix_is_at_hand(path: Path) -> None:
    stored, whole = open_stored(path), anndata.read_h5ad(path)
    assert stored.shape == whole.shape
    assert (stored.n_obs, stored.n_vars) == whole.shape
    assert list(stored.obs_names) == list(whole.obs_names)
    assert list(stored.var_names) == list(whole.var_names)
    assert stored.raw is not None
    assert list(stored.raw.var_names) == list(whole.raw.var_names)
    assert set(stored.layers) == {"halved"}
    assert stored.obsm == ("place",)
    assert stored.uns["log1p"]["base"] == 2.0
    assert stored.without_matrix().X is None
    assert [matrix.name for matrix in stored.matrices()] == ["X", "raw/X", "layers/halved"]


def test_matrices_are_described_and_chosen_alike(path: Path) -> None:
    stored, whole = open_stored(path), anndata.read_h5ad(path)
    assert describe_matrices(stored) == describe_matrices(whole)
    ours, theirs = find_counts(stored), find_counts(whole)
    assert (
        (ours.where, ours.scale, ours.evidence)
        == (theirs.where, theirs.scale, theirs.evidence)
        == (
            "raw",
            "counts",
            theirs.evidence,
        )
    )


@pytest.mark.parametrize("layer", ["X", "raw", "halved"])
@pytest.mark.parametrize("look_first", [True, False])
def test_tables_of_cells_are_alike(path: Path, layer: str, look_first: bool) -> None:
    chosen = np.arange(120) % 4 != 0
    stored = open_cells(open_stored(path)[chosen], subject="x", layer=layer, look_first=look_first)
    whole = open_cells(anndata.read_h5ad(path)[chosen], subject="x", layer=layer)
    assert stored.n_cells == whole.n_cells == 90
    assert list(stored.names) == list(whole.names)
    np.testing.assert_array_equal(stored.totals, whole.totals)
    assert stored.counts.scale == whole.counts.scale
    assert stored.counts.evidence == whole.counts.evidence
    for (_, ours), (_, theirs) in zip(stored.rows.blocks(17), whole.rows.blocks(17), strict=True):
        np.testing.assert_array_equal(ours.toarray(), theirs.toarray())


def test_an_anndata_that_is_backed_stays_on_disk(path: Path) -> None:
    backed = anndata.read_h5ad(path, backed="r")
    backed.obs["new"] = "yes"
    found = as_cells(backed)
    assert isinstance(found, StoredCells)
    assert (found.obs["new"] == "yes").all()
    assert as_cells(backed[:10]) is not found
    backed.file.close()


def test_inspection_is_the_same_without_the_matrix_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ot.inspect(anndata.read_h5ad(path)).to_dict()
    monkeypatch.delattr("orthotype.cells.read.read")
    ours = ot.inspect(path).to_dict()
    assert {**ours, "subject": ""} == {**theirs, "subject": ""}


def test_the_tables_of_a_file_come_without_its_matrix(path: Path) -> None:
    found = read_tables(path)
    assert found.X is None
    assert found.obsm["place"].shape == (120, 2)
    assert "log1p" in found.uns


def test_dense_values_of_half_precision_are_read(small_human: "AnnData", tmp_path: Path) -> None:
    few = small_human[:40].copy()
    few.X = few.X.toarray()
    tables = []
    for dtype in (np.float32, np.float16):
        kept = np.minimum(few.X, 2000).astype(dtype)
        anndata.AnnData(kept, obs=few.obs, var=few.var).write_h5ad(tmp_path / f"{dtype.__name__}.h5ad")
        tables.append(open_cells(open_stored(tmp_path / f"{dtype.__name__}.h5ad"), subject="cells"))
    one, other = (next(table.rows.blocks(40))[1] for table in tables)
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_array_equal(one.toarray(), other.toarray())


def test_what_can_be_left_on_disk(path: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("gene,a\nActb,1\n")
    assert is_stored(path)
    assert not is_stored(tmp_path / "table.csv")
    assert not is_stored(tmp_path / "missing.h5ad")
    assert not is_stored(tmp_path)
    assert as_cells(path).n_obs == 120


def change(path: Path, where: int, value: float) -> None:
    with h5py.File(path, "r+") as file:
        file["raw/X/data"][where] = value


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "holds NaN or infinite values in 1 of 120"), (-3.0, "looks scaled .*down to -3, in 1 of 120")],
)
def test_a_value_that_no_sample_shows(path: Path, value: float, said: str) -> None:
    """The value is in a cell that is not in the sample; the pass over all cells finds it at its end."""
    with h5py.File(path, "r") as file:
        where = int(file["raw/X/indptr"][60])
    with h5py.File(path, "r+") as file:
        values = file["raw/X/data"][:].astype(np.float32)
        del file["raw/X/data"]
        file["raw/X"].create_dataset("data", data=values)
    change(path, where, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orthotype.cells.counts.SAMPLE_RUN", 8)
        table = open_cells(open_stored(path), subject="cells.h5ad", layer="raw")
        seen = 0
        with pytest.raises(MatrixError, match=said):
            for rows, _ in table.rows.blocks(16):
                seen = rows.stop
        assert seen == 120
        with pytest.raises(InputError, match=said):
            open_cells(open_stored(path), subject="cells.h5ad", layer="raw", look_first=True)


def test_cells_without_counts_are_told_at_the_end(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        first, last = file["raw/X/indptr"][80], file["raw/X/indptr"][82]
        file["raw/X/data"][first:last] = 0
    table = open_cells(open_stored(path), subject="cells.h5ad", layer="raw")
    names = ", ".join(map(repr, open_stored(path).obs_names[80:82]))
    with pytest.raises(MatrixError, match=rf"2 of 120 cells have no counts at all \({names}\)"):
        _ = table.totals


def test_a_pass_that_stops_early_is_no_look_at_all_cells(path: Path) -> None:
    table = open_cells(open_stored(path), subject="x", layer="raw")
    next(table.rows.blocks(16))
    assert table.rows.found is None
    assert table.totals.sum() > 0
    assert table.rows.found is not None


def test_some_cells_of_an_open_file_are_read_in_their_order(path: Path) -> None:
    opened, whole = anndata.read_h5ad(path, backed="r"), anndata.read_h5ad(path)
    places = np.array([70, 3, 41, 8])
    some = as_cells(opened[places])
    assert not isinstance(some, StoredCells)
    assert not some.isbacked
    assert list(some.obs_names) == list(whole.obs_names[places])
    np.testing.assert_array_equal(some.X.toarray(), whole.X[places].toarray())


def test_some_cells_of_an_open_file_are_annotated(small_model: ot.LabelTransfer, path: Path) -> None:
    opened, whole = anndata.read_h5ad(path, backed="r"), anndata.read_h5ad(path)
    found, expected = small_model.annotate(opened[:60]), small_model.annotate(whole[:60].copy())
    np.testing.assert_array_equal(found.obsm["orthotype_proba"], expected.obsm["orthotype_proba"])


def test_annotations_are_told_by_their_record(
    small_model: ot.LabelTransfer, path: Path, tmp_path: Path
) -> None:
    cells = small_model.annotate(anndata.read_h5ad(path), key_added="mine")
    cells.uns["params"] = {"n": 1}
    cells.write_h5ad(tmp_path / "annotated.h5ad")
    opened = anndata.read_h5ad(tmp_path / "annotated.h5ad", backed="r")
    for each in (cells, open_stored(tmp_path / "annotated.h5ad"), as_cells(opened)):
        assert annotations_of(each) == ("mine",)
    del opened.uns["mine"]
    assert annotations_of(as_cells(opened)) == ()
