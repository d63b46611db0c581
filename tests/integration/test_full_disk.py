"""A disk that is really full: one clear error, nothing half; the same command works when there is room."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import orthotype as ot
from orthotype.errors import OutputError
from orthotype.models.linear.kept import KeptFits
from orthotype.transfer import streaming

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Give a disk of 200 kB, and what makes it larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("NO SMALL DISK CAN BE MOUNTED HERE: full disks are not tested")

    def larger() -> None:
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)

    try:
        yield disk, larger
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def human(small_human: "AnnData", tmp_path: Path) -> Path:
    path = tmp_path / "human.h5ad"
    small_human.copy().write_h5ad(path, compression="gzip")
    return path


def left(disk: Path) -> list[str]:
    return [str(each.relative_to(disk)) for each in disk.rglob("*")]


@pytest.mark.parametrize("kept", [True, False])
def test_annotation(
    small_model: ot.LabelTransfer,
    human: Path,
    small_disk: tuple[Path, Callable[[], None]],
    kept: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, larger = small_disk
    if kept:
        monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)
    else:
        monkeypatch.setattr("orthotype.cells.memory.LEAST", 1000)
    with pytest.raises(OutputError, match=r"the disk of .*disk.* is full"):
        small_model.annotate(human, output=disk / "labels.csv", max_memory=1)
    assert left(disk) == []
    larger()
    small_model.annotate(human, output=disk / "labels.csv", max_memory=1)
    assert left(disk) == ["labels.csv"]


@pytest.mark.parametrize("fits", [False, True])
def test_training(
    small_model: ot.LabelTransfer,
    small_mouse: "AnnData",
    tmp_path: Path,
    small_disk: tuple[Path, Callable[[], None]],
    fits: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, larger = small_disk
    mouse = tmp_path / "mouse.h5ad"
    small_mouse.copy().write_h5ad(mouse)
    monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)
    if fits:  # there is room for the cells, and none for the fits
        subprocess.run(["mount", "-o", "remount,size=6000k", str(disk)], check=True)
    tried: list[int] = []
    plain = KeptFits.keep

    def keep(self: KeptFits, step: int, *parts: Any) -> None:
        tried.append(step)
        plain(self, step, *parts)

    monkeypatch.setattr(KeptFits, "keep", keep)
    model = ot.LabelTransfer()
    with pytest.raises(OutputError, match=r"the disk of .*disk.* is full"):
        model.fit(mouse, labels=LABELS, species="mouse", output=disk / "model.safetensors")
    assert bool(tried) == fits
    assert left(disk) == []
    larger()
    model.fit(mouse, labels=LABELS, species="mouse", output=disk / "model.safetensors")
    assert left(disk) == ["model.safetensors"]
    assert ot.load(disk / "model.safetensors").state_.hash() == model.state_.hash()


def test_adapting(
    small_model: ot.LabelTransfer,
    small_human: "AnnData",
    human: Path,
    small_disk: tuple[Path, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, larger = small_disk
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    monkeypatch.setattr("orthotype.cells.memory.LEAST", 1000)
    labels = small_human.obs[LABELS].iloc[::20]
    labels = labels[labels != "pancreatic acinar cell"]
    with pytest.raises(OutputError, match=r"the disk of .*disk.* is full"):
        small_model.adapt(human, labels=labels, max_memory=1)
    assert left(disk) == []
    larger()
    found = small_model.adapt(human, labels=labels, max_memory=1)
    assert found.state_.hash() == small_model.adapt(small_human, labels=labels).state_.hash()
