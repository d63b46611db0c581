"""Files of every kind, written from a slice of real cells (Baron 2016, bundled), and broken ones."""

import gzip
import warnings

import anndata
import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from orthotype import datasets
from orthotype.cells.read import read
from orthotype.errors import InputError


@pytest.fixture(scope="module")
def cells():
    adata = datasets.get("baron2016-mouse")[:60, 4000:4400].copy()
    adata.X = sp.csr_matrix(adata.X)
    return adata


@pytest.fixture
def h5ad(cells, tmp_path):
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path)
    return path


def same(found, cells):
    assert sp.issparse(found.X)
    assert found.X.format == "csr"
    np.testing.assert_array_equal(found.X.toarray(), cells.X.toarray())
    assert found.var_names.tolist() == cells.var_names.tolist()
    assert found.obs_names.tolist() == cells.obs_names.tolist()


def refused(path):
    with pytest.raises(InputError) as caught:
        read(path)
    return str(caught.value)


def test_h5ad(h5ad, cells):
    found = read(str(h5ad))
    same(found, cells)
    assert found.obs["cell_type"].tolist() == cells.obs["cell_type"].tolist()


@pytest.mark.parametrize("form", [sp.csc_matrix, lambda matrix: matrix.toarray()])
def test_other_forms_in_h5ad_and_zarr_become_rows(cells, form, tmp_path):
    other = anndata.AnnData(form(cells.X), obs=cells.obs, var=cells.var, layers={"counts": form(cells.X)})
    other.raw = other
    other.write_h5ad(tmp_path / "cells.h5ad")
    found = read(tmp_path / "cells.h5ad")
    same(found, cells)
    assert found.layers["counts"].format == "csr"
    assert sp.issparse(found.raw.X)
    np.testing.assert_array_equal(found.raw.to_adata().to_df(), cells.to_df())


def test_a_dense_scaled_matrix_stays_dense(cells, tmp_path):
    scaled = cells.X.toarray() - 0.5
    anndata.AnnData(scaled).write_h5ad(tmp_path / "scaled.h5ad")
    assert isinstance(read(tmp_path / "scaled.h5ad").X, np.ndarray)


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_of_both_versions(cells, version, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr and anndata announce changes of the format
        with anndata.settings.override(zarr_write_format=version):
            cells.write_zarr(tmp_path / "cells.zarr")
    same(read(tmp_path / "cells.zarr"), cells)


def test_repeated_names_are_legal_and_quiet(cells, tmp_path):
    twice = cells.copy()
    twice.var_names = ["Ins1", *twice.var_names[:-1]]
    twice.var_names = ["Ins1", "Ins1", *twice.var_names[2:]]
    twice.write_h5ad(tmp_path / "twice.h5ad")
    assert read(tmp_path / "twice.h5ad").var_names[:2].tolist() == ["Ins1", "Ins1"]


def test_a_missing_file_offers_the_nearest(h5ad):
    assert "did you mean 'cells.h5ad'?" in refused(h5ad.with_name("cell.h5ad"))
    assert "neither does the folder" in refused(h5ad.parent / "nowhere" / "cells.h5ad")


def test_an_empty_file(tmp_path):
    for name in ("empty.h5ad", "empty.csv"):
        (tmp_path / name).touch()
        assert "is empty (0 bytes); expected .h5ad, .zarr," in refused(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_h5ad(h5ad, share):
    whole = h5ad.read_bytes()
    h5ad.write_bytes(whole[: int(len(whole) * share)])
    message = refused(h5ad)
    assert "is truncated" in message
    assert f"of {len(whole):,} bytes" in message
    assert "\n" not in message


def test_a_damaged_h5ad(h5ad):
    whole = bytearray(h5ad.read_bytes())
    for place in range(2000, len(whole), 97):
        whole[place] ^= 0xFF
    h5ad.write_bytes(bytes(whole))
    assert "is damaged" in refused(h5ad)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"gene\tcell1\nIns1\t3\n", r"is text and begins with 'gene\tcell1'"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (gzip.compress(b"gene", mtime=0), "is compressed with gzip"),
        (b"PK\x03\x04rest", "is a zip archive"),
        (b"\xff\xfe\x00\x81", "holds something else"),
    ],
)
def test_other_content_named_h5ad(tmp_path, content, found):
    path = tmp_path / "cells.h5ad"
    path.write_bytes(content)
    message = refused(path)
    assert "is not an HDF5 file" in message
    assert found in message


def test_hdf5_that_is_neither_anndata_nor_10x(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.ones(3)
    assert "neither AnnData nor 10x: it holds 'weights'" in refused(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.rds", "an R object"),
        ("a.loom", "Loom"),
        ("a.h5mu", "MuData"),
        ("a.tar.gz", "unpack"),
        ("a.xlsx", "csv"),
    ],
)
def test_known_foreign_formats_say_what_to_do(tmp_path, name, hint):
    (tmp_path / name).write_bytes(b"something")
    assert hint in refused(tmp_path / name)


def test_an_unknown_ending_lists_those_known(tmp_path):
    (tmp_path / "cells.foo").write_text("x")
    assert "does not know; expected .h5ad, .zarr, a 10x .h5" in refused(tmp_path / "cells.foo")


def test_a_folder_that_is_neither(tmp_path):
    assert "is empty; expected a .zarr store or a 10x folder" in refused(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "filtered").mkdir()
    (tmp_path / "filtered" / "matrix.mtx.gz").touch()
    message = refused(tmp_path)
    assert "holds 'filtered', 'notes.txt'" in message
    assert "did you mean the folder" in message


def test_a_zarr_store_without_cells(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "group", "attributes": {}}'
    )
    assert "expected a zarr store written by anndata" in refused(tmp_path / "x.zarr")
