"""Training that was interrupted goes on where it was, and ends in the same model. Bundled cells."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import orthotype as ot
from orthotype.cells.store import StoredMatrix
from orthotype.errors import OutputError
from orthotype.models.linear import path as penalties
from orthotype.models.linear.kept import KeptFits
from orthotype.transfer import streaming

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"
PARTS = ".model.safetensors.orthotype-parts"


class Stopped(BaseException):
    """What a user's interruption looks like from inside."""


@pytest.fixture(autouse=True)
def every_run_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)
    monkeypatch.setattr("orthotype.cells.cache.Journal.EVERY", 0.0)


@pytest.fixture
def mouse(small_mouse: "AnnData", tmp_path: Path) -> Path:
    path = tmp_path / "mouse.h5ad"
    small_mouse.copy().write_h5ad(path, compression="gzip")
    return path


def train(path: Any, output: Path | None, **options: Any) -> ot.LabelTransfer:
    return ot.LabelTransfer(block_size=32).fit(path, labels=LABELS, species="mouse", output=output, **options)


def same(one: ot.LabelTransfer, other: ot.LabelTransfer) -> None:
    """Hold two models against each other, to the last bit."""
    ours, theirs = one.state_.to_arrays(), other.state_.to_arrays()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    cards = [json.loads(json.dumps({**model.card, "created": ""})) for model in (one, other)]
    assert cards[0] == cards[1]


def stop_in(stage: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Interrupt a run in the middle of a pass over the cells, or after the seventh fit of either kind."""
    if stage.endswith("fits"):
        plain, kept = KeptFits.keep, []

        def keep(self: KeptFits, *parts: Any) -> None:
            plain(self, *parts)
            kept.extend([parts] * (self.folder.name == stage))
            if len(kept) == 7:
                raise Stopped

        monkeypatch.setattr(KeptFits, "keep", keep)
        return {}

    def told(what: str, done: int, whole: int) -> None:
        if what == stage and done >= 160:
            raise Stopped

    return {"progress": told}


@pytest.mark.parametrize(
    ("stage", "cells", "fits"), [("choosing genes", 640, 0), ("reading cells", 272, 0), ("fits", 0, 7)]
)
def test_an_interrupted_training_goes_on_where_it_was(
    small_model: ot.LabelTransfer, mouse: Path, tmp_path: Path, stage: str, cells: int, fits: int
) -> None:
    output = tmp_path / "model.safetensors"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        train(mouse, output, **stop_in(stage, patch))
    assert sorted(each.name for each in tmp_path.iterdir()) == [PARTS, "mouse.h5ad"]
    read, made, plain, fit = list[int](), list[float](), StoredMatrix.blocks, penalties._Fold.fit

    def counted(self: StoredMatrix, size: int, *, start: int = 0) -> Any:
        for rows, block in plain(self, size, start=start):
            read.append(block.shape[0])
            yield rows, block

    def noted(self: Any, alpha: float, *arguments: Any, **limits: Any) -> Any:
        made.append(alpha)
        return fit(self, alpha, *arguments, **limits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredMatrix, "blocks", counted)
        patch.setattr(penalties._Fold, "fit", noted)
        model = train(mouse, output)
    assert sum(read) == cells
    assert len(made) == 5 * len(model.state_.card["alphas"][: len(model.card["held_out_losses"])]) - fits
    same(model, small_model)
    same(ot.load(output), small_model)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.safetensors", "mouse.h5ad"]


KILLED = """
import sys, time
import orthotype as ot
from orthotype.cells import cache
from orthotype.models.linear.kept import KeptFits
from orthotype.transfer import streaming
streaming.WORTH_KEEPING = 1
cache.Journal.EVERY = 0.0
plain = KeptFits.keep
def keep(self, step, fold, *parts):
    plain(self, step, fold, *parts)
    print("fit", step, fold, flush=True)
    time.sleep(0.2)
KeptFits.keep = keep
def told(what, done, whole):
    print(what, flush=True)
    time.sleep(0.1)
model = ot.LabelTransfer(block_size=32)
model.fit(sys.argv[1], labels="cell_ontology_class", species="mouse", output=sys.argv[2], progress=told)
"""


@pytest.mark.parametrize("until", ["choosing genes", "reading cells", "fit 1 2"])
def test_a_killed_run_leaves_nothing_half_and_its_work(
    small_model: ot.LabelTransfer, mouse: Path, tmp_path: Path, until: str
) -> None:
    output = tmp_path / "model.safetensors"
    before = hashlib.sha256(mouse.read_bytes()).hexdigest()
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(mouse), str(output)], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    while until not in run.stdout.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert hashlib.sha256(mouse.read_bytes()).hexdigest() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == [PARTS, "mouse.h5ad"]
    same(train(mouse, output), small_model)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.safetensors", "mouse.h5ad"]


def test_other_labels_are_other_work(small_mouse: "AnnData", mouse: Path, tmp_path: Path) -> None:
    """The file is told from its earlier self by its time of change; labels are looked at all the same."""
    output = tmp_path / "model.safetensors"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        train(mouse, output, **stop_in("fits", patch))
    other = small_mouse.copy()
    other.obs[LABELS] = other.obs[LABELS].to_numpy()[::-1].copy()
    before = mouse.stat()
    other.write_h5ad(mouse, compression="gzip")
    with pytest.MonkeyPatch.context() as patch:
        marks = ((".", before.st_size, before.st_mtime_ns),)
        patch.setattr("orthotype.cells.store._marks", lambda path: marks)
        model = train(mouse, output)
    same(model, train(other, None))


def test_several_files_and_a_target_go_on_too(
    small_mouse: "AnnData", small_human: "AnnData", tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("a.h5ad", "b.h5ad", "human.h5ad")]
    for path, cells in zip(paths, (small_mouse[::2], small_mouse[1::2], small_human), strict=True):
        cells.copy().write_h5ad(path)
    output = tmp_path / "model.safetensors"
    sources = {"species": "mouse", "target": paths[2], "target_species": "human", "labels": LABELS}
    for stage in ("choosing genes", "reading cells", "fits", "weighted fits"):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            stopped = stop_in(stage, patch)
            ot.LabelTransfer(block_size=32).fit(paths[:2], output=output, **sources, **stopped)
    found = ot.LabelTransfer(block_size=32).fit(paths[:2], output=output, **sources)
    same(found, ot.LabelTransfer().fit(paths[:2], **sources))


def test_values_that_fail_late_give_way_to_another_matrix(
    small_mouse: "AnnData", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that looks again, at another matrix, does not go on with what was made of the first one."""
    monkeypatch.setattr("orthotype.cells.counts.SAMPLE_RUN", 4)
    cells = small_mouse.copy()
    cells.layers["other"] = cells.X.copy()
    cells.X = cells.X.astype(np.float32)
    cells.X.data[cells.X.indptr[50]] = np.nan
    path, output = tmp_path / "mouse.h5ad", tmp_path / "model.safetensors"
    cells.write_h5ad(path)
    found = train(path, output)
    same(found, train(cells, None))
    assert found.card["counts"]["where"] == "layers/other"
    assert not (tmp_path / PARTS).exists()


def test_a_model_that_cannot_be_written_is_told_before_any_work(mouse: Path, tmp_path: Path) -> None:
    taken = tmp_path / "model.safetensors"
    taken.write_text("mine")
    told: Callable[..., None] = pytest.fail
    with pytest.raises(OutputError, match="exists already"):
        train(mouse, taken, progress=told)
    with pytest.raises(OutputError, match="safetensors"):
        train(mouse, tmp_path / "model.h5ad", progress=told)
    assert taken.read_text() == "mine"


def test_what_is_written_for_cells_in_memory(small_mouse: "AnnData", tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    same(train(small_mouse, output), ot.load(output))
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]
