"""From file to file without the matrix in memory: the same answer, whatever happens. Bundled cells."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.errors import InputError, OutputError
from orthotype.transfer import streaming

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


@pytest.fixture(autouse=True)
def every_run_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)


@pytest.fixture(scope="session")
def in_memory(small_model: ot.LabelTransfer, small_human: "AnnData") -> "AnnData":
    return small_model.annotate(small_human)


def write(cells: "AnnData", path: Path, kind: str) -> Path:
    """Write cells as a file of some kind."""
    cells = cells.copy()
    if kind == "csc":
        cells.X = sp.csc_matrix(cells.X)
    if kind == "dense":
        cells.X = cells.X.toarray()
    if kind.startswith("zarr"):
        with warnings.catch_warnings(action="ignore"):
            version = int(kind[-1])
            with anndata.settings.override(zarr_write_format=version):
                cells.write_zarr(path.with_suffix(".zarr"))
        return path.with_suffix(".zarr")
    cells.write_h5ad(path, compression={"gzip": "gzip", "lzf": "lzf"}.get(kind))
    return path


KINDS = ("gzip", "csc", "dense", "zarr 2", "zarr 3")


def same(one: "AnnData", other: "AnnData") -> None:
    """Hold two annotations against each other, to the last bit."""
    np.testing.assert_array_equal(one.obsm["orthotype_proba"], other.obsm["orthotype_proba"])
    for name in (name for name in other.obs if name.startswith("orthotype_")):
        ours, theirs = one.obs[name], other.obs[name]
        np.testing.assert_array_equal(ours.isna(), theirs.isna())
        np.testing.assert_array_equal(ours.dropna().to_numpy(), theirs.dropna().to_numpy())
    said, expected = (json.loads(str(each.uns["orthotype"]["details"])) for each in (one, other))
    for entry in ("coverage", "genes", "shift", "ratios", "card"):
        assert said[entry] == expected[entry]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_a_file_are_those_of_cells_in_memory(
    small_model: ot.LabelTransfer, small_human: "AnnData", in_memory: "AnnData", tmp_path: Path, kind: str
) -> None:
    path = write(small_human, tmp_path / "cells.h5ad", kind)
    found = small_model.annotate(path)
    assert found.X is None
    same(found, in_memory)


@pytest.mark.parametrize(("kind", "max_memory"), [("gzip", None), ("csc", 1), ("zarr 3", 1)])
def test_a_model_of_a_file_is_that_of_cells_in_memory(
    small_model: ot.LabelTransfer,
    small_mouse: "AnnData",
    tmp_path: Path,
    kind: str,
    max_memory: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orthotype.cells.memory.LEAST", 1000)
    path = write(small_mouse, tmp_path / "cells.h5ad", kind)
    model = ot.LabelTransfer().fit(path, labels=LABELS, species="mouse", max_memory=max_memory)
    ours, theirs = model.state_.to_arrays(), small_model.state_.to_arrays()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert {**model.card, "created": ""} == {**small_model.card, "created": ""}


def test_cells_without_a_label_are_left_out_alike(small_mouse: "AnnData", tmp_path: Path) -> None:
    some = small_mouse.copy()
    some.obs.loc[some.obs_names[::7], LABELS] = ""
    path = write(some, tmp_path / "cells.h5ad", "gzip")
    ours = ot.LabelTransfer().fit(path, labels=LABELS, species="mouse")
    theirs = ot.LabelTransfer().fit(some, labels=LABELS, species="mouse")
    np.testing.assert_array_equal(ours.state_.coef, theirs.state_.coef)
    assert ours.card["n_unlabelled"] == theirs.card["n_unlabelled"] > 0


def test_no_block_is_read_more_often_than_needed(
    small_model: ot.LabelTransfer, small_mouse: "AnnData", small_human: "AnnData", tmp_path: Path
) -> None:
    """One pass over the cells to label, two to train."""
    from orthotype.cells.store import StoredMatrix

    read: list[int] = []
    plain = StoredMatrix.blocks

    def counted(self: StoredMatrix, size: int, *, start: int = 0) -> Any:
        for rows, block in plain(self, size, start=start):
            read.append(block.shape[0])
            yield rows, block

    human, mouse = (
        write(cells, tmp_path / f"{name}.h5ad", "gzip")
        for name, cells in (("human", small_human), ("mouse", small_mouse))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredMatrix, "blocks", counted)
        small_model.label(human)
        assert sum(read) == small_human.n_obs
        read.clear()
        small_model.annotate(human)
        assert sum(read) == small_human.n_obs
        read.clear()
        ot.LabelTransfer().fit(mouse, labels=LABELS, species="mouse")
        assert sum(read) == 2 * small_mouse.n_obs


def test_unknown_cells_outside_of_the_sample(
    small_mouse: "AnnData", small_human: "AnnData", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They join the groups by the genes of the model, alike from a file and in memory."""
    monkeypatch.setattr("orthotype.transfer.unknown_cells.SAMPLE", 150)
    monkeypatch.setattr("orthotype.transfer.unknown_cells.LEAST_UNKNOWN", 45)
    path = write(small_human, tmp_path / "cells.h5ad", "gzip")
    model = ot.LabelTransfer().fit(small_mouse, labels=LABELS, species="mouse", target=small_human)
    found = model.annotate(small_human)
    same(model.annotate(path), found)
    true = found.obs[LABELS].to_numpy() == "pancreatic acinar cell"
    inside = (found.obs["orthotype_group"] == "unknown 1").to_numpy()
    assert (found.obs["orthotype_status"] == "unknown").sum() > 45
    assert inside.sum() > 40
    assert true[inside].mean() > 0.9


OUTPUTS = [("gzip", "out.h5ad"), ("zarr 2", "out.h5ad"), ("zarr 2", "out.zarr"), ("zarr 3", "out.zarr")]


@pytest.mark.parametrize(("kind", "name"), OUTPUTS)
def test_the_annotated_file_is_the_file_and_its_labels(
    small_model: ot.LabelTransfer,
    small_human: "AnnData",
    in_memory: "AnnData",
    tmp_path: Path,
    kind: str,
    name: str,
) -> None:
    cells = small_human.copy()
    cells.layers["again"], cells.raw = cells.X, cells
    cells.obsm["place"], cells.uns["note"] = np.ones((cells.n_obs, 2)), "kept"
    path = write(cells, tmp_path / "cells.h5ad", kind)
    before = fingerprint(path)
    small_model.annotate(path, layer="X", output=tmp_path / name)
    assert fingerprint(path) == before
    found = (
        anndata.read_h5ad(tmp_path / name) if name.endswith("h5ad") else anndata.read_zarr(tmp_path / name)
    )
    for ours, theirs in (
        (found.X, cells.X),
        (found.layers["again"], cells.X),
        (found.raw.X, cells.raw.X),
    ):
        np.testing.assert_array_equal(ours.toarray(), theirs.toarray())
    assert list(found.obs.columns) == list(in_memory.obs.columns)
    assert list(found.var_names) == list(cells.var_names)
    assert list(found.raw.var_names) == list(cells.var_names)
    assert found.uns["note"] == "kept"
    assert found.obsm["place"].shape == (cells.n_obs, 2)
    same(found, in_memory)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.name, name])


def test_an_earlier_annotation_is_replaced(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path
) -> None:
    path = write(small_human, tmp_path / "cells.h5ad", "gzip")
    small_model.annotate(path, output=tmp_path / "once.h5ad")
    small_model.annotate(tmp_path / "once.h5ad", alignment="none", output=tmp_path / "twice.h5ad")
    once, twice = (anndata.read_h5ad(tmp_path / name) for name in ("once.h5ad", "twice.h5ad"))
    assert list(once.obs.columns) == list(twice.obs.columns)
    same(twice, small_model.annotate(small_human, alignment="none"))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_labels_as_a_table(
    small_model: ot.LabelTransfer, in_memory: "AnnData", kept: Path, tmp_path: Path, ending: str
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")
    path = tmp_path / f"labels{ending}"
    small_model.annotate(kept / "human.h5ad", output=path)
    table = pd.read_csv(path, index_col="cell") if ending == ".csv" else pd.read_parquet(path)
    assert list(table.index) == list(in_memory.obs_names)
    assert list(table["orthotype_label"].astype(str)) == list(in_memory.obs["orthotype_label"].astype(str))
    np.testing.assert_allclose(
        table["orthotype_confidence"], in_memory.obs["orthotype_confidence"], rtol=1e-6
    )


def test_parquet_without_pyarrow(
    small_model: ot.LabelTransfer, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs pyarrow, which is not installed; pip install pyarrow"):
        small_model.annotate(kept / "human.h5ad", output=tmp_path / "labels.parquet")


def fingerprint(path: Path) -> str:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()


class Stopped(BaseException):
    """What a user's interruption looks like from inside."""


def stop_after(cells: int) -> Callable[[str, int, int], None]:
    def told(what: str, done: int, whole: int) -> None:
        if done >= cells:
            raise Stopped

    return told


@pytest.fixture
def often_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orthotype.cells.cache.Journal.EVERY", 0.0)


@pytest.fixture
def small_blocks(small_model: ot.LabelTransfer, monkeypatch: pytest.MonkeyPatch) -> ot.LabelTransfer:
    monkeypatch.setattr(small_model, "block_size", 32)
    return small_model


@pytest.mark.usefixtures("often_noted")
def test_an_interrupted_annotation_goes_on_where_it_was(
    small_blocks: ot.LabelTransfer, in_memory: "AnnData", kept: Path, tmp_path: Path
) -> None:
    output, parts = tmp_path / "out.h5ad", tmp_path / ".out.h5ad.orthotype-parts"
    with pytest.raises(Stopped):
        small_blocks.annotate(kept / "human.h5ad", output=output, progress=stop_after(160))
    assert parts.is_dir()
    assert not output.exists()
    seen: list[int] = []
    small_blocks.annotate(kept / "human.h5ad", output=output, progress=lambda what, n, of: seen.append(n))
    assert min(seen) == 160
    assert max(seen) == 300
    assert not parts.exists()
    found = anndata.read_h5ad(output)
    np.testing.assert_array_equal(found.obs["orthotype_label"], in_memory.obs["orthotype_label"])
    whole = small_blocks.annotate(anndata.read_h5ad(kept / "human.h5ad"))
    same(found, whole)


@pytest.mark.usefixtures("often_noted")
@pytest.mark.parametrize("other", ["file", "model", "settings"])
def test_other_work_is_begun_anew(
    small_blocks: ot.LabelTransfer, small_mouse: "AnnData", kept: Path, tmp_path: Path, other: str
) -> None:
    path, output = tmp_path / "cells.h5ad", tmp_path / "out.h5ad"
    shutil.copy(kept / "human.h5ad", path)
    with pytest.raises(Stopped):
        small_blocks.annotate(path, output=output, progress=stop_after(160))
    seen: list[int] = []
    model, species = small_blocks, None
    if other == "file":
        os.utime(path, (1, 1))
    elif other == "model":
        model = ot.LabelTransfer(block_size=32, n_top_genes=500).fit(
            small_mouse, labels=LABELS, species="mouse"
        )
    else:
        species = "human"
    model.annotate(path, species=species, output=output, progress=lambda what, n, of: seen.append(n))
    assert min(seen) == 32


KILLED = """
import sys, time
import orthotype as ot
from orthotype.cells import cache
from orthotype.transfer import streaming
streaming.WORTH_KEEPING = 1
cache.Journal.EVERY = 0.0
model = ot.load(sys.argv[1])
model.block_size = 32
def told(what, done, whole):
    print(done, flush=True)
    time.sleep(0.2)
model.annotate(sys.argv[2], output=sys.argv[3], progress=told)
"""


def test_a_killed_run_leaves_nothing_half_and_its_work(
    small_model: ot.LabelTransfer, in_memory: "AnnData", kept: Path, tmp_path: Path
) -> None:
    path, output = tmp_path / "cells.h5ad", tmp_path / "out.h5ad"
    shutil.copy(kept / "human.h5ad", path)
    before = fingerprint(path)
    command = [sys.executable, "-c", KILLED, str(kept / "model.safetensors"), str(path), str(output)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    while int(run.stdout.readline()) < 160:
        pass
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert fingerprint(path) == before
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [".out.h5ad.orthotype-parts", "cells.h5ad"]
    seen: list[int] = []
    small_model.annotate(path, output=output, progress=lambda what, n, of: seen.append(n))
    assert min(seen) > 128
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cells.h5ad", "out.h5ad"]
    same(anndata.read_h5ad(output), in_memory)


def damaged(path: Path) -> None:
    with h5py.File(path, "r") as file:
        chunks = file["X/data"].id.get_num_chunks()
        chunk = file["X/data"].id.get_chunk_info(chunks // 2)
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset)
        opened.write(b"\xff" * chunk.size)


def test_a_damaged_file_is_one_error_and_nothing_else(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path
) -> None:
    path = write(small_human, tmp_path / "cells.h5ad", "gzip")
    damaged(path)
    for work in (
        lambda: small_model.annotate(path, output=tmp_path / "out.h5ad"),
        lambda: ot.LabelTransfer().fit(path, labels=LABELS, species="human"),
    ):
        with pytest.raises(InputError, match="is damaged: X, cells"):
            work()
    assert [each.name for each in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_file_that_grows_is_one_error_and_nothing_else(
    small_blocks: ot.LabelTransfer, kept: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cells.h5ad"
    shutil.copy(kept / "human.h5ad", path)

    def grow(what: str, done: int, whole: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(InputError, match="was changed while it was read"):
        small_blocks.annotate(path, output=tmp_path / "out.h5ad", progress=grow)
    assert [each.name for each in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_disk_that_fills_while_the_cells_are_kept(
    small_model: ot.LabelTransfer, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orthotype.cells.scratch import Scratch

    plain = Scratch.append

    def full(self: Scratch, values: Any) -> None:
        if self.length > 0:
            from orthotype.cells.scratch import room

            with room(self.folder):
                raise OSError(28, "No space left on device")
        plain(self, values)

    monkeypatch.setattr(Scratch, "append", full)
    monkeypatch.setattr(small_model, "block_size", 64)
    with pytest.raises(OutputError, match=r"the disk of .* is full"):
        small_model.annotate(kept / "human.h5ad", output=tmp_path / "out.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_will_not_fit_is_told_first(
    small_model: ot.LabelTransfer, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match=r"needs [\d,]+ bytes, the disk of .* has 1; free some space"):
        small_model.annotate(kept / "human.h5ad", output=tmp_path / "out.h5ad")


def test_values_that_cannot_be_used_are_told_as_for_cells_in_memory(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthotype.cells.counts.SAMPLE_RUN", 4)
    bad = small_human.copy()
    bad.X = bad.X.astype(np.float32)
    bad.X.data[bad.X.indptr[50]] = -1
    path = write(bad, tmp_path / "cells.h5ad", "gzip")
    messages = []
    for target in (path, bad):
        with pytest.raises(InputError) as caught:
            small_model.annotate(target)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "negative values" in messages[0]


def test_a_matrix_that_fails_late_gives_way_to_another(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthotype.cells.counts.SAMPLE_RUN", 4)
    bad = small_human.copy()
    bad.layers["other"] = bad.X.copy()
    bad.X = bad.X.astype(np.float32)
    bad.X.data[bad.X.indptr[50]] = np.nan
    path = write(bad, tmp_path / "cells.h5ad", "gzip")
    ours, theirs = small_model.annotate(path), small_model.annotate(bad)
    same(ours, theirs)
    run = json.loads(ours.uns["orthotype"]["details"])["run"]
    assert run["target"]["counts"] == "layers/other (counts)"


PLACES: list[tuple[str, str]] = [
    ("human.h5ad", "is the file that is read; name another place"),
    ("out.txt", "does not end in a kind that can be written; expected .h5ad or .zarr"),
    ("out.zarr", "only a .zarr store is annotated as .zarr"),
    ("annotated.h5ad", "exists already; nothing was overwritten"),
    ("nowhere/out.h5ad", "is not a folder; create it first"),
]


@pytest.mark.parametrize(("name", "said"), PLACES)
def test_places_that_cannot_be_written(
    small_model: ot.LabelTransfer, kept: Path, name: str, said: str
) -> None:
    with pytest.raises(OutputError, match=said):
        small_model.annotate(kept / "human.h5ad", output=kept / name)


def test_an_output_for_cells_in_memory(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    with pytest.raises(InputError, match="an output was named for cells in memory"):
        small_model.annotate(small_human, output="out.h5ad")


def test_two_runs_with_the_same_output(small_blocks: ot.LabelTransfer, kept: Path, tmp_path: Path) -> None:
    """The second run is refused, and what the first keeps stays."""
    refusals: list[str] = []

    def second(what: str, done: int, whole: int) -> None:
        if not refusals:
            with pytest.raises(OutputError, match="is in use by another run") as caught:
                small_blocks.annotate(kept / "human.h5ad", output=tmp_path / "out.h5ad")
            refusals.append(str(caught.value))
            assert (tmp_path / ".out.h5ad.orthotype-parts").is_dir()

    small_blocks.annotate(kept / "human.h5ad", output=tmp_path / "out.h5ad", progress=second)
    assert len(refusals) == 1


def test_a_run_is_over_soon_after_it_is_interrupted(
    small_blocks: ot.LabelTransfer, kept: Path, tmp_path: Path
) -> None:
    """The reading thread ends with the run."""
    start = time.monotonic()
    with pytest.raises(Stopped):
        small_blocks.annotate(kept / "human.h5ad", output=tmp_path / "out.csv", progress=stop_after(32))
    assert time.monotonic() - start < 10
