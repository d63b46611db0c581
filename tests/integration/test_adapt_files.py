"""Adapting and calibrating on files gives what it gives on cells in memory, and never reads them whole."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype.cells.store import StoredMatrix
from orthotype.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"
ACINAR = "pancreatic acinar cell"

pytestmark = pytest.mark.filterwarnings("ignore:1 class is new to the model")


@pytest.fixture
def some(small_human: "AnnData") -> "AnnData":
    """Give human cells of which every tenth has a label."""
    cells = small_human.copy()
    cells.obs["given"] = cells.obs[LABELS].where(np.arange(cells.n_obs) % 10 == 0, "").astype(object)
    return cells


@pytest.fixture
def never_whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let no matrix be read whole, and note how many cells go by."""
    read: list[int] = []
    plain = StoredMatrix.blocks

    def counted(self: StoredMatrix, size: int, *, start: int = 0) -> Any:
        for rows, block in plain(self, size, start=start):
            read.append(block.shape[0])
            yield rows, block

    def whole(*arguments: Any, **options: Any) -> None:
        pytest.fail("the cells were read whole")

    monkeypatch.setattr(StoredMatrix, "blocks", counted)
    for name in ("read_h5ad", "read_zarr"):
        monkeypatch.setattr(anndata, name, whole)
    return read


def write(cells: "AnnData", path: Path) -> Path:
    if path.suffix == ".zarr":
        with warnings.catch_warnings(action="ignore"):
            cells.copy().write_zarr(path)
    else:
        cells.copy().write_h5ad(path, compression="gzip")
    return path


def same(one: ot.LabelTransfer, other: ot.LabelTransfer) -> None:
    ours, theirs = one.state_.to_arrays(), other.state_.to_arrays()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert one.card == other.card


@pytest.mark.parametrize("kind", [".h5ad", ".zarr"])
def test_a_model_adapts_to_a_file_as_to_cells_in_memory(
    small_model: ot.LabelTransfer, some: "AnnData", tmp_path: Path, never_whole: list[int], kind: str
) -> None:
    path = write(some, tmp_path / f"cells{kind}")
    found = small_model.adapt(path, labels="given", max_memory="500MB")
    assert sum(never_whole) == some.n_obs
    expected = small_model.adapt(some, labels="given")
    same(found, expected)
    assert found.adapt_report_.to_dict() == expected.adapt_report_.to_dict()
    assert found.adapt_report_.target_cells == some.n_obs


def test_labelled_cells_and_target_are_two_files(
    small_model: ot.LabelTransfer, some: "AnnData", tmp_path: Path, never_whole: list[int]
) -> None:
    labelled = some[some.obs["given"] != ""]
    few, target = write(labelled, tmp_path / "few.h5ad"), write(some, tmp_path / "target.zarr")
    found = small_model.adapt(few, labels="given", target=target)
    assert sum(never_whole) == labelled.n_obs + some.n_obs
    same(found, small_model.adapt(labelled.copy(), labels="given", target=some))


def test_labels_of_a_file_come_from_a_table(
    small_model: ot.LabelTransfer, some: "AnnData", tmp_path: Path
) -> None:
    path, table = write(some, tmp_path / "cells.h5ad"), tmp_path / "labels.csv"
    given = some.obs.loc[some.obs["given"] != "", "given"]
    pd.DataFrame({"cell": given.index, "label": given.to_numpy()}).to_csv(table, index=False)
    same(small_model.adapt(path, labels=table), small_model.adapt(some, labels=given))
    with pytest.raises(InputError, match="are not in the data"):
        small_model.adapt(path, labels=pd.Series(["beta"], index=["nobody"]))


def test_values_that_cannot_be_used_are_told_as_for_cells_in_memory(
    small_model: ot.LabelTransfer, some: "AnnData", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthotype.cells.counts.SAMPLE_RUN", 4)
    some.obs["given"] = some.obs[LABELS].where(some.obs[LABELS] != ACINAR, "").astype(object)
    some.X = some.X.astype(np.float32)
    some.X.data[some.X.indptr[50]] = np.nan
    path = write(some, tmp_path / "cells.h5ad")
    for work in (small_model.adapt, small_model.calibrate):
        said = []
        for cells in (path, some):
            with pytest.raises(InputError, match="NaN") as error:
                work(cells, labels="given")
            said.append(str(error.value))
        assert said[0] == said[1]


def test_a_model_is_calibrated_on_a_file(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path, never_whole: list[int]
) -> None:
    cells = small_human[small_human.obs[LABELS] != ACINAR].copy()
    cells.obs["given"] = cells.obs[LABELS].where(np.arange(cells.n_obs) % 2 == 0, "").astype(object)
    path = write(cells, tmp_path / "cells.h5ad")
    found = small_model.calibrate(path, labels="given")
    assert sum(never_whole) == cells.n_obs
    same(found, small_model.calibrate(cells, labels="given"))


def test_the_command_line_adapts_to_a_file(
    small_model: ot.LabelTransfer,
    some: "AnnData",
    tmp_path: Path,
    never_whole: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from orthotype.cli.main import app

    path, model, output = (
        write(some, tmp_path / "cells.zarr"),
        tmp_path / "a.safetensors",
        tmp_path / "b.safetensors",
    )
    small_model.save(model)
    command = ["adapt", str(model), str(path), "--labels", "given", "-o", str(output), "--json"]
    app([*command, "--max-memory", "1GB"], standalone_mode=False)
    assert sum(never_whole) == some.n_obs
    said = json.loads(capsys.readouterr().out)
    assert said["target_cells"] == some.n_obs
    assert ot.load(output).state_.hash() == small_model.adapt(some, labels="given").state_.hash()


@pytest.mark.parametrize("command", ["adapt", "suggest"])
def test_an_amount_of_memory_is_obeyed_or_refused(
    small_model: ot.LabelTransfer,
    some: "AnnData",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """Little memory sends the encoded cells to disk; the answer is the same."""
    from orthotype.cells.scratch import Scratch

    made: list[Path] = []
    plain = Scratch.__init__

    def noted(self: Scratch, *arguments: Any, folder: Path | None = None, **options: Any) -> None:
        made.append(Path(folder or "."))
        plain(self, *arguments, folder=folder, **options)

    monkeypatch.setattr("orthotype.cells.memory.LEAST", 1000)
    path = write(some, tmp_path / "cells.h5ad")
    work = {
        "adapt": lambda **memory: small_model.adapt(path, labels="given", **memory).state_.hash(),
        "suggest": lambda **memory: small_model.suggest(path, 5, **memory).index.tolist(),
    }[command]
    with pytest.raises(InputError, match="no amount of memory"):
        work(max_memory="plenty")
    expected = work()
    assert not made
    monkeypatch.setattr(Scratch, "__init__", noted)
    assert work(max_memory=1) == expected
    assert made
