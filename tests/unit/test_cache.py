"""Encoded cells kept in memory or on disk. The numbers are made up."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.cache import EncodedCells, Keeper, key_of
from orthotype.cells.memory import DEFAULT, Memory, amount, bytes_of, in_use
from orthotype.cells.scratch import Scratch
from orthotype.errors import InputError, OutputError

PLENTY = Memory(most=1 << 40)


@pytest.fixture
def rows(rng: np.random.Generator) -> sp.csr_array:
    return sp.csr_array(rng.poisson(0.4, size=(83, 11)).astype(np.float32))


def keep(rows: sp.csr_array, memory: Memory, *, until: int | None = None, size: int = 10) -> Keeper:
    keeper = Keeper(rows.shape, memory=memory, key="these")
    stop = rows.shape[0] if until is None else until
    for first in range(keeper.done, stop, size):
        keeper.add(slice(first, min(first + size, stop)), sp.csr_array(rows[first : min(first + size, stop)]))
    return keeper


@pytest.mark.parametrize("memory", [PLENTY, Memory(most=1)], ids=["memory", "disk"])
def test_what_was_kept_comes_back(
    rows: sp.csr_array, memory: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orthotype.cells.memory.LEAST", 300)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = keep(rows, memory).cells()
    assert kept.on_disk == (memory.most == 1)
    assert kept.matrix.has_canonical_format
    np.testing.assert_array_equal(kept.matrix.toarray(), rows.toarray())
    for size in (1, 7, 500):
        parts = [block.toarray() for _, block in kept.blocks(size)]
        np.testing.assert_array_equal(np.vstack(parts), rows.toarray())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("memory", [PLENTY, Memory(most=1)], ids=["memory", "disk"])
def test_weighted_cells_are_the_cells_times_weights(
    rows: sp.csr_array, memory: Memory, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr("orthotype.cells.memory.LEAST", 300)
    monkeypatch.setattr("orthotype.cells.cache.WEIGHED_AT_ONCE", 7)
    kept, weights = keep(rows, PLENTY).cells(), rng.random(11).astype(np.float32)
    weighted = kept.weighted(weights, memory=memory)
    assert weighted.on_disk == (memory.most == 1)
    np.testing.assert_array_equal(weighted.matrix.toarray(), rows.toarray() * weights)
    np.testing.assert_array_equal(kept.matrix.toarray(), rows.toarray())


def test_more_values_than_32_bits_can_count(rows: sp.csr_array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orthotype.cells.cache.WIDE", 10)
    matrix = keep(rows, PLENTY).cells().matrix
    assert matrix.indptr.dtype == matrix.indices.dtype == np.int64
    np.testing.assert_array_equal(matrix.toarray(), rows.toarray())


def test_no_cells_and_no_values() -> None:
    empty = EncodedCells(np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(1, np.int64), 4)
    assert list(empty.blocks(3)) == []
    nothing = keep(sp.csr_array((5, 4), dtype=np.float32), PLENTY).cells()
    assert nothing.matrix.toarray().sum() == 0


def interrupted(rows: sp.csr_array, folder: Path, *, noted: int, lost: int = 0) -> None:
    """Leave what a run leaves that noted some cells and was killed some cells later."""
    keeper = keep(rows, Memory(parts=folder), until=noted)
    keeper.note({"seen": np.arange(3)})
    for first in range(noted, noted + lost):
        keeper.add(slice(first, first + 1), sp.csr_array(rows[first : first + 1]))


@pytest.mark.parametrize("lost", [0, 13])
def test_an_interrupted_run_goes_on(rows: sp.csr_array, tmp_path: Path, lost: int) -> None:
    interrupted(rows, tmp_path / "parts", noted=30, lost=lost)
    keeper = Keeper(rows.shape, memory=Memory(parts=tmp_path / "parts"), key="these")
    assert keeper.done == 30
    np.testing.assert_array_equal(keeper.state["seen"], np.arange(3))
    del keeper
    kept = keep(rows, Memory(parts=tmp_path / "parts")).cells()
    np.testing.assert_array_equal(kept.matrix.toarray(), rows.toarray())


def another_key(folder: Path) -> None:
    journal = json.loads((folder / "journal.json").read_text())
    (folder / "journal.json").write_text(json.dumps({**journal, "key": "others"}))


def short_data(folder: Path) -> None:
    os.truncate(folder / "data.bin", 8)


def half_a_note(folder: Path) -> None:
    (folder / "journal.json").write_text('{"key": "the')


def no_state(folder: Path) -> None:
    for path in folder.glob("state-*.npz"):
        path.unlink()


def half_a_state(folder: Path) -> None:
    for path in folder.glob("state-*.npz"):
        os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [another_key, short_data, half_a_note, no_state, half_a_state])
def test_what_does_not_fit_is_begun_again(
    rows: sp.csr_array, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    interrupted(rows, tmp_path / "parts", noted=30)
    spoil(tmp_path / "parts")
    keeper = Keeper(rows.shape, memory=Memory(parts=tmp_path / "parts"), key="these")
    assert keeper.done == 0
    assert keeper.state == {}
    del keeper
    kept = keep(rows, Memory(parts=tmp_path / "parts")).cells()
    np.testing.assert_array_equal(kept.matrix.toarray(), rows.toarray())


def test_two_runs_do_not_share_a_folder(rows: sp.csr_array, tmp_path: Path) -> None:
    first = keep(rows, Memory(parts=tmp_path / "parts"), until=20)
    with pytest.raises(OutputError, match="is in use by another run"):
        Keeper(rows.shape, memory=Memory(parts=tmp_path / "parts"), key="these")
    del first
    Keeper(rows.shape, memory=Memory(parts=tmp_path / "parts"), key="these")


FULL = """
import resource, signal, sys
import numpy as np, scipy.sparse as sp
from orthotype.cells.cache import Keeper
from orthotype.cells.memory import Memory
from orthotype.errors import OutputError
from pathlib import Path
rows = sp.csr_array(np.ones((4000, 20), dtype=np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import orthotype.cells.memory as memory
memory.LEAST = 50_000
folder = Path(sys.argv[1])
try:
    keeper = Keeper(rows.shape, memory=Memory(most=1, folder=folder), key="")
    for first in range(0, 4000, 100):
        keeper.add(slice(first, first + 100), sp.csr_array(rows[first : first + 100]))
except OutputError as error:
    print(error)
"""


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith(f"the disk of {tmp_path} is full")
    assert "TMPDIR" in said
    assert "--max-memory" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="NOT TESTED: only root mounts a small disk"
)
def test_a_small_disk_that_fills_up(rows: sp.csr_array, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("NOT TESTED: a small disk could not be mounted here")
    try:
        scratch = Scratch(np.float32, folder=disk)
        with pytest.raises(OutputError, match=r"the disk of .* is full \([\d,]+ more bytes did not fit\)"):
            scratch.append(np.ones(1 << 16))
        scratch.close()
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write to .*nowhere"):
        Scratch(np.float32, folder=tmp_path / "nowhere")


def test_scratch_arrays_are_read_in_pieces_and_mapped(tmp_path: Path) -> None:
    scratch = Scratch(np.int32, folder=tmp_path)
    scratch.append(np.arange(10))
    scratch.append(np.arange(10, 30))
    np.testing.assert_array_equal(scratch.read(7, 13), np.arange(7, 13))
    mapped = scratch.mapped()
    scratch.close()
    np.testing.assert_array_equal(mapped, np.arange(30))
    assert not mapped.flags.writeable


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 1610612736), ("800m", 8 * 10**8), ("64KiB", 65536), ("123", 123)],
)
def test_amounts_of_memory(text: str, bytes_: int) -> None:
    assert bytes_of(text) == amount(text) == amount(bytes_) == bytes_
    assert amount(None) == DEFAULT


@pytest.mark.parametrize("text", ["", "much", "-2GB", "0", "2 GB more", "0.1"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(InputError, match="no amount of memory; expected a number with a unit, such as 2GB"):
        bytes_of(text)
    with pytest.raises(InputError, match="max_memory is -1"):
        amount(-1)


def test_memory_in_use_is_what_the_system_says() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak / 10 < in_use() <= peak * 1.1


def test_keys_are_alike_only_for_the_same() -> None:
    one = key_of(np.arange(3), {"a": 1})
    assert one == key_of(np.arange(3), {"a": 1})
    assert len({one, key_of(np.arange(3.0), {"a": 1}), key_of(np.arange(4)), key_of({"a": 2})}) == 4
