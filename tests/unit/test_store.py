"""Matrices that stay on disk. The numbers are made up; only how they are kept and damaged matters."""

import json
import os
import warnings
from pathlib import Path

import anndata
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr
from numcodecs import Blosc

from orthotype.cells.backed import open_stored
from orthotype.cells.rows import MatrixRows
from orthotype.cells.store import StoredColumns, StoredMatrix
from orthotype.cells.turn import turned
from orthotype.cells.values import Chunked, Deflated, Stream, chunked
from orthotype.errors import InputError

N_CELLS, N_GENES = 57, 23


@pytest.fixture
def counts(rng: np.random.Generator) -> sp.csr_matrix:
    values = rng.poisson(0.6, size=(N_CELLS, N_GENES)).astype(np.float32)
    values[[0, 20, 56]] = 0
    return sp.csr_matrix(values)


def cells(X: object) -> anndata.AnnData:
    obs = pd.DataFrame(index=[f"c{i}" for i in range(N_CELLS)])
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{j}" for j in range(N_GENES)]))


def h5ad(X: object, path: Path, **options: object) -> Path:
    """Write cells with small chunks, so that runs of rows begin and end in the middle of them."""
    cells(X).write_h5ad(path)
    if not options:
        return path
    with h5py.File(path, "r+") as file:
        group = file["X"] if isinstance(file["X"], h5py.Group) else file
        for name in ("data", "indices") if group is not file else ("X",):
            values, attributes = group[name][:], dict(group[name].attrs)
            del group[name]
            made = group.create_dataset(name, data=values, **options)
            made.attrs.update(attributes)
    return path


def zarr_store(X: object, path: Path, version: int, *, consolidated: bool = True) -> Path:
    with warnings.catch_warnings(action="ignore"), anndata.settings.override(zarr_write_format=version):
        cells(X).write_zarr(path)
    (path / ".zmetadata").unlink(missing_ok=True)
    root = path / "zarr.json"
    if root.exists():
        said = json.loads(root.read_text())
        said.pop("consolidated_metadata", None)
        root.write_text(json.dumps(said))
    if consolidated:
        with warnings.catch_warnings(action="ignore"):
            zarr.consolidate_metadata(str(path))
    return path


H5AD = {
    "contiguous": {},
    "gzip": {"chunks": (17,), "compression": "gzip"},
    "gzip, shuffled": {"chunks": (17,), "compression": "gzip", "shuffle": True},
    "lzf": {"chunks": (17,), "compression": "lzf"},
    "with checksums": {"chunks": (17,), "compression": "gzip", "fletcher32": True},
    "one chunk": {"chunks": (4096,), "maxshape": (None,), "compression": "gzip"},
}


def joined(matrix: StoredMatrix, size: int, start: int = 0) -> np.ndarray:
    return np.vstack([block.toarray() for _, block in matrix.blocks(size, start=start)])


@pytest.mark.parametrize("options", H5AD.values(), ids=H5AD)
def test_h5ad_of_every_kind(counts: sp.csr_matrix, tmp_path: Path, options: dict[str, object]) -> None:
    stored = open_stored(h5ad(counts, tmp_path / "cells.h5ad", **options)).X
    assert isinstance(stored, StoredMatrix)
    for size in (1, 5, 1000):
        np.testing.assert_array_equal(joined(stored, size), counts.toarray())
    np.testing.assert_array_equal(joined(stored, 7, start=11), counts[11:].toarray())
    np.testing.assert_array_equal(stored.block(slice(19, 22)).toarray(), counts[19:22].toarray())


def test_zstd_is_read_with_the_plugin(counts: sp.csr_matrix, tmp_path: Path) -> None:
    cells(counts).write_h5ad(tmp_path / "z.h5ad", compression=hdf5plugin.FILTERS["zstd"])
    np.testing.assert_array_equal(joined(open_stored(tmp_path / "z.h5ad").X, 9), counts.toarray())


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_zarr_stores(counts: sp.csr_matrix, tmp_path: Path, version: int, consolidated: bool) -> None:
    path = zarr_store(counts, tmp_path / "cells.zarr", version, consolidated=consolidated)
    np.testing.assert_array_equal(joined(open_stored(path).X, 9), counts.toarray())


def test_sharded_zarr(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = zarr_store(counts, tmp_path / "cells.zarr", 3, consolidated=False)
    group = zarr.open_group(str(path), mode="r+")["X"]
    for name in ("data", "indices"):
        values = group[name][:]
        del group[name]
        made = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(8,), shards=(64,))
        made[:] = values
    stored = open_stored(path).X
    assert stored.parts[0].chunk == 8
    np.testing.assert_array_equal(joined(stored, 9), counts.toarray())


@pytest.mark.parametrize("chunks", [None, (5, 7), (57, 23)])
def test_dense_matrices(counts: sp.csr_matrix, tmp_path: Path, chunks: tuple[int, int] | None) -> None:
    options = {} if chunks is None else {"chunks": chunks, "compression": "gzip"}
    stored = open_stored(h5ad(counts.toarray(), tmp_path / "cells.h5ad", **options)).X
    np.testing.assert_array_equal(joined(stored, 9), counts.toarray())
    assert stored.block(slice(3, 8)).has_canonical_format


def test_some_of_the_cells_and_some_of_those(counts: sp.csr_matrix, tmp_path: Path) -> None:
    stored = open_stored(h5ad(counts, tmp_path / "cells.h5ad", **H5AD["gzip"])).X
    chosen = np.arange(N_CELLS) % 3 != 1
    again = np.arange(chosen.sum()) % 2 == 0
    some, fewer = stored[chosen], stored[chosen][again]
    assert some.shape == (chosen.sum(), N_GENES)
    np.testing.assert_array_equal(joined(some, 5), counts[chosen].toarray())
    np.testing.assert_array_equal(joined(fewer, 5), counts[chosen][again].toarray())
    np.testing.assert_array_equal(some.block(slice(4, 9)).toarray(), counts[chosen][4:9].toarray())
    assert list(stored[np.zeros(N_CELLS, dtype=bool)].blocks(5)) == []


def test_genes_that_come_twice_are_summed(counts: sp.csr_matrix, tmp_path: Path) -> None:
    with h5py.File(h5ad(counts, tmp_path / "cells.h5ad"), "r+") as file:
        file["X/indices"][:2] = 4
        file["X/data"][:2] = [2, 3]
        row = int(np.searchsorted(file["X/indptr"][:], 0, side="right")) - 1
    block = open_stored(tmp_path / "cells.h5ad").X.block(slice(row, row + 1))
    assert block.has_canonical_format
    assert block.toarray()[0, 4] == 5


class Counted(Chunked):
    """Remember which entries were read."""

    def read(self, start: int, stop: int) -> np.ndarray:
        self.seen.extend(range(start, stop))  # type: ignore[attr-defined]
        return super().read(start, stop)


def test_each_chunk_is_read_once() -> None:
    rows = Counted(np.arange(100), 8)
    object.__setattr__(rows, "seen", [])
    stream = Stream(rows, 3, 97)
    taken = [stream.take(stop) for stop in (4, 5, 5, 41, 96, 97)]
    np.testing.assert_array_equal(np.concatenate(taken), np.arange(3, 97))
    assert rows.seen == list(range(3, 97))  # type: ignore[attr-defined]


def test_gzip_is_undone_in_threads(counts: sp.csr_matrix, tmp_path: Path) -> None:
    stored = open_stored(h5ad(counts, tmp_path / "cells.h5ad", **H5AD["gzip"])).X
    assert all(isinstance(part, Deflated) for part in stored.parts)
    part = stored.parts[0]
    np.testing.assert_array_equal(part.read(5, 60), counts.data[5:60])
    assert part.read(7, 7).size == 0


@pytest.mark.parametrize("form", [sp.csc_matrix, sp.csc_array])
@pytest.mark.parametrize("budget", [1, 1 << 30])
def test_a_matrix_by_genes_is_turned(
    counts: sp.csr_matrix, tmp_path: Path, form: type, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthotype.cells.turn.LEAST_STRETCH", 40)
    told: list[tuple[int, int]] = []
    columns = open_stored(h5ad(form(counts), tmp_path / "cells.h5ad")).X
    assert isinstance(columns, StoredColumns)
    rows = turned(
        columns, budget=budget, folder=tmp_path, progress=lambda what, done, whole: told.append((done, whole))
    )
    assert isinstance(rows, StoredMatrix) == (budget == 1)
    found = np.vstack([block.toarray() for _, block in MatrixRows(rows).blocks(9)])
    np.testing.assert_array_equal(found, counts.toarray())
    assert told[-1] == (N_GENES, N_GENES) if budget == 1 else not told
    assert [file.name for file in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_truncated_file(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = h5ad(counts, tmp_path / "cells.h5ad")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputError, match=r"is truncated: [\d,]+ of [\d,]+ bytes are there; .*copy or download"
    ):
        open_stored(path)


def damage(path: Path, name: str = "data") -> None:
    """Overwrite the middle of a compressed chunk."""
    with h5py.File(path, "r") as file:
        chunk = file[f"X/{name}"].id.get_chunk_info(2)
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset)
        opened.write(b"\xff" * chunk.size)


@pytest.mark.parametrize("kind", ["gzip", "lzf"])
def test_a_chunk_that_does_not_decompress(counts: sp.csr_matrix, tmp_path: Path, kind: str) -> None:
    path = h5ad(counts, tmp_path / "cells.h5ad", **H5AD[kind])
    damage(path)
    with pytest.raises(
        InputError, match=r"cells.h5ad is damaged: X, cells [\d,]+ to [\d,]+ cannot be read .*copy"
    ):
        joined(open_stored(path).X, 4)


def test_a_zarr_chunk_that_does_not_decompress(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = zarr_store(counts, tmp_path / "cells.zarr", 2)
    (path / "X" / "data" / "0").write_bytes(b"\x02\x01\x21\x04nothing like it")
    with pytest.raises(InputError, match="is damaged: X, cells"):
        joined(open_stored(path).X, 4)


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("kept", [0, 7, 16, -1])
def test_a_zarr_chunk_that_was_cut_short(
    counts: sp.csr_matrix, tmp_path: Path, sparse: bool, kept: int
) -> None:
    path = zarr_store(counts if sparse else counts.toarray(), tmp_path / "cells.zarr", 2)
    whole = path / "X" / ("data/0" if sparse else "0.0")
    whole.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"is damaged: X, cells .* says that it has"):
        joined(open_stored(path).X, 4)


@pytest.mark.parametrize("version", [2, 3])
def test_every_chunk_of_blosc_is_asked_for_its_size(tmp_path: Path, version: int) -> None:
    compressor = Blosc() if version == 2 else zarr.codecs.BloscCodec()
    values = np.arange(50 * 20).reshape(50, 20)
    array = zarr.open_group(tmp_path, mode="w", zarr_format=version).create_array(
        "X", shape=values.shape, chunks=(30, 8), dtype="i4", compressors=compressor
    )
    array[...] = values
    np.testing.assert_array_equal(chunked(array).read(10, 45), values[10:45])
    chunk = tmp_path / "X" / ("1.2" if version == 2 else "c/1/2")
    chunk.write_bytes(chunk.read_bytes() + b"more")
    np.testing.assert_array_equal(chunked(array).read(10, 30), values[10:30])
    with pytest.raises(OSError, match=r"chunk (1.2|c/1/2) has [\d,]+ bytes and says that it has"):
        chunked(array).read(10, 31)


def test_a_zarr_store_whose_row_pointers_are_damaged(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = zarr_store(counts, tmp_path / "cells.zarr", 2)
    (path / "X" / "indptr" / "0").write_bytes(b"\x02\x01\x21\x04nothing like it")
    with pytest.raises(InputError, match=r"is damaged: X/indptr cannot be read"):
        joined(open_stored(path).X, 4)


def test_a_zarr_chunk_that_is_not_there_has_the_fill_value(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = zarr_store(counts.toarray(), tmp_path / "cells.zarr", 2)
    (path / "X" / "0.0").unlink()
    assert not np.any(joined(open_stored(path).X, 4))


def test_a_gene_number_outside_of_the_matrix(counts: sp.csr_matrix, tmp_path: Path) -> None:
    with h5py.File(h5ad(counts, tmp_path / "cells.h5ad"), "r+") as file:
        file["X/indices"][3] = N_GENES
    with pytest.raises(InputError, match=f"X names gene {N_GENES} of {N_GENES}"):
        joined(open_stored(tmp_path / "cells.h5ad").X, 4)


def test_a_file_that_grows_while_it_is_read(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = h5ad(counts, tmp_path / "cells.h5ad")
    blocks = open_stored(path).X.blocks(4)
    next(blocks)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"was changed while it was read: ([\d,]+) bytes .* wait until"):
        list(blocks)


def test_a_file_that_is_replaced_by_one_of_the_same_size(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = h5ad(counts, tmp_path / "cells.h5ad")
    blocks = open_stored(path).X.blocks(4)
    next(blocks)
    os.utime(path, (1, 1))
    with pytest.raises(InputError, match="was changed while it was read; expected"):
        list(blocks)


def test_a_file_that_goes_away(counts: sp.csr_matrix, tmp_path: Path) -> None:
    path = h5ad(counts, tmp_path / "cells.h5ad")
    blocks = open_stored(path).X.blocks(4)
    next(blocks)
    path.unlink()
    with pytest.raises(InputError, match="has gone while it was read"):
        list(blocks)


def with_other_x(counts: sp.csr_matrix, path: Path, n: int) -> Path:
    """Write a file whose X has other cells than obs."""
    h5ad(counts, path)
    other = h5ad(counts, path.with_name("other.h5ad"))
    with h5py.File(other, "r") as source, h5py.File(path, "r+") as file:
        del file["X"]
        source.copy("X", file)
        file["X"].attrs["shape"] = (n, N_GENES)
        values = file["X/indptr"][: n + 1]
        del file["X/indptr"]
        file["X/indptr"] = values
    return path


def test_x_with_fewer_cells_than_obs(counts: sp.csr_matrix, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"X holds 50 cells x 23 genes; expected 57 x 23, as obs and var"):
        open_stored(with_other_x(counts, tmp_path / "cells.h5ad", 50))


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("indptr", np.arange(10), "indptr has 10 entries for 57 cells"),
        ("indptr", np.r_[5, np.zeros(57, dtype=int)], "indptr does not rise from 0"),
        ("data", np.ones(3), r"indptr tells of \d+ values, there are 3 values"),
    ],
)
def test_parts_that_do_not_fit_together(
    counts: sp.csr_matrix, tmp_path: Path, name: str, values: np.ndarray, reason: str
) -> None:
    with h5py.File(h5ad(counts, tmp_path / "cells.h5ad"), "r+") as file:
        del file[f"X/{name}"]
        file[f"X/{name}"] = values
    with pytest.raises(InputError, match=rf"X does not fit together \({reason}"):
        open_stored(tmp_path / "cells.h5ad")


def test_a_filter_that_is_not_installed_is_named(counts: sp.csr_matrix, tmp_path: Path) -> None:
    stored = open_stored(h5ad(counts, tmp_path / "cells.h5ad")).X
    with (
        pytest.raises(InputError, match=r"an HDF5 filter that is not installed.*hdf5plugin"),
        stored.place.reading("X"),
    ):
        raise OSError("can't open directory: required filter 'zstd' is not registered")
