"""Faults of files and disks: one error each, no half file, and the same command works afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pandas as pd
import pytest

import orthotype as ot
from orthotype.cells.scratch import Scratch, room
from orthotype.errors import InputError, OrthotypeError, OutputError
from orthotype.transfer import streaming

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"
Fault = Callable[[Path, pytest.MonkeyPatch], Callable[[], None]]


@pytest.fixture(autouse=True)
def every_run_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)


def write_back(path: Path, whole: bytes) -> Callable[[], None]:
    def repaired() -> None:
        path.write_bytes(whole)

    return repaired


def truncated(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * len(whole) // 3])
    return write_back(path, whole)


def damaged(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    whole = path.read_bytes()
    with h5py.File(path, "r") as file:
        chunk = file["X/indices"].id.get_chunk_info(file["X/indices"].id.get_num_chunks() - 1)
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset)
        opened.write(b"\xff" * chunk.size)
    return write_back(path, whole)


def with_fewer_cells_in_x(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    whole = path.read_bytes()
    with h5py.File(path, "r+") as file:
        n_cells, n_genes = file["X"].attrs["shape"]
        file["X"].attrs["shape"] = (n_cells - 10, n_genes)
        begins = file["X/indptr"][: n_cells - 9]
        del file["X/indptr"]
        file["X/indptr"] = begins
    return write_back(path, whole)


def growing(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    whole, plain = path.read_bytes(), Scratch.append

    def append(self: Scratch, values: Any) -> None:
        with path.open("ab") as file:
            file.write(b"more")
        plain(self, values)

    patch.setattr(Scratch, "append", append)

    def complete() -> None:
        patch.setattr(Scratch, "append", plain)
        path.write_bytes(whole)

    return complete


def full_disk(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    plain = Scratch.append

    def append(self: Scratch, values: Any) -> None:
        if self.length:
            with room(self.folder, wanted=8 * len(values)):
                raise OSError(28, "No space left on device")
        plain(self, values)

    patch.setattr(Scratch, "append", append)
    return lambda: patch.setattr(Scratch, "append", plain)


FAULTS: list[tuple[Fault, type[OrthotypeError], str]] = [
    (truncated, InputError, r"is truncated: [\d,]+ of [\d,]+ bytes are there"),
    (damaged, InputError, r"is damaged: X, cells [\d,]+ to [\d,]+ cannot be read"),
    (with_fewer_cells_in_x, InputError, r"X holds 290 cells x 20,125 genes; expected 300 x 20,125"),
    (growing, InputError, r"was changed while it was read: [\d,]+ bytes when it was opened"),
    (full_disk, OutputError, r"the disk of .* is full \([\d,]+ more bytes did not fit\)"),
]


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS)
def test_annotation_after_a_fault(
    small_model: ot.LabelTransfer,
    small_human: "AnnData",
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: type[OrthotypeError],
    said: str,
) -> None:
    path, output = tmp_path / "cells.h5ad", tmp_path / "labels.csv"
    small_human.copy().write_h5ad(path, compression="gzip")
    monkeypatch.setattr(small_model, "block_size", 64)
    repaired = fault(path, monkeypatch)
    with pytest.raises(kind, match=said):
        small_model.annotate(path, output=output)
    assert [each.name for each in tmp_path.iterdir()] == ["cells.h5ad"]
    repaired()
    small_model.annotate(path, output=output)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cells.h5ad", "labels.csv"]
    shutil.copy(kept / "human.h5ad", path)
    expected = small_model.annotate(path).obs["orthotype_label"].astype(str)
    found = pd.read_csv(output, index_col="cell")["orthotype_label"].astype(str)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS[:3])
def test_training_after_a_fault(
    small_human: "AnnData",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: type[OrthotypeError],
    said: str,
) -> None:
    path = tmp_path / "cells.h5ad"
    small_human.copy().write_h5ad(path, compression="gzip")
    repaired = fault(path, monkeypatch)
    with pytest.raises(kind, match=said):
        ot.LabelTransfer().fit(path, labels=LABELS)
    repaired()
    assert ot.LabelTransfer().fit(path, labels=LABELS).card["n_cells"] == 300


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS[:3])
def test_the_command_line_says_it_in_one_message(
    refused: Callable[..., str],
    small_human: "AnnData",
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: type[OrthotypeError],
    said: str,
) -> None:
    path = tmp_path / "cells.h5ad"
    small_human.copy().write_h5ad(path, compression="gzip")
    fault(path, monkeypatch)
    message = refused("annotate", kept / "model.safetensors", path, "-o", "out.csv", "--max-memory", "1GB")
    assert "cells.h5ad" in message
    refused("train", path, "--labels", LABELS, "-o", "model.safetensors", "--max-memory", "1GB")


def test_an_amount_of_memory_that_is_none(refused: Callable[..., str], kept: Path) -> None:
    message = refused(
        "train", kept / "mouse.h5ad", "--labels", LABELS, "-o", "m.safetensors", "--max-memory", "a lot"
    )
    assert message.startswith("'a lot' is no amount of memory; expected a number with a unit, such as 2GB")
