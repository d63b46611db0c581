"""Files that cannot be read and places that cannot be written: one message, nothing half-written."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = ("--labels", "cell_ontology_class")
OUT = ("-o", "new.safetensors")


def empty(path: Path, kept: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path, kept: Path) -> None:
    whole = (kept / "mouse.h5ad").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def text(path: Path, kept: Path) -> None:
    path.write_text("gene,cell1,cell2\nActb,3,4\n")


def web_page(path: Path, kept: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>Not found</body></html>")


def other_hdf5(path: Path, kept: Path) -> None:
    with h5py.File(path, "w") as file:
        file["temperature"] = np.zeros(3)


FILES: dict[str, tuple[Callable[[Path, Path], None], tuple[str, ...]]] = {
    "empty": (empty, ("is empty (0 bytes)", "expected .h5ad, .zarr")),
    "truncated": (truncated, ("is truncated", "bytes are there", "copy or download it again")),
    "text": (text, ("is not an HDF5 file", "'gene,cell1,cell2'")),
    "web page": (web_page, ("is a web page", "fetch it again")),
    "other HDF5": (other_hdf5, ("neither AnnData nor 10x", "'temperature'")),
}


@pytest.mark.parametrize("command", ["inspect", "train", "annotate", "evaluate", "report"])
@pytest.mark.parametrize("name", FILES)
def test_files_that_are_not_what_they_say(refused: Refused, kept: Path, name: str, command: str) -> None:
    make, facts = FILES[name]
    make(Path("bad.h5ad"), kept)
    words = {
        "inspect": ("inspect", "bad.h5ad"),
        "train": ("train", "bad.h5ad", *LABELS, *OUT),
        "annotate": ("annotate", kept / "model.safetensors", "bad.h5ad", "-o", "out.h5ad"),
        "evaluate": ("evaluate", "bad.h5ad", *LABELS),
        "report": ("report", "bad.h5ad", "-o", "out.html"),
    }
    message = refused(*words[command])
    assert message.startswith("bad.h5ad")
    for fact in facts:
        assert fact in message


def test_a_missing_file_offers_the_nearest(refused: Refused, kept: Path) -> None:
    message = refused("train", kept / "mous.h5ad", *LABELS, *OUT)
    assert message.startswith(f"{kept / 'mous.h5ad'} does not exist; did you mean 'mouse.h5ad'")
    assert "neither does the folder" in refused("inspect", "no/such.h5ad")


def test_a_file_that_cannot_be_read(refused: Refused) -> None:
    assert refused("inspect", "/proc/self/mem").startswith("/proc/self/mem cannot be read (")


def test_an_unknown_kind_of_file(refused: Refused) -> None:
    Path("cells.rds").write_bytes(b"RDX3")
    assert "is an R object" in refused("inspect", "cells.rds")


def changed_card(raw: bytes, **entries: object) -> bytes:
    """Return a model file with other entries in its card."""
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header["__metadata__"]["card"] = json.dumps(json.loads(header["__metadata__"]["card"]) | entries)
    changed = json.dumps(header).encode()
    return struct.pack("<Q", len(changed)) + changed + raw[8 + size :]


MODELS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda raw: b"", "is not an orthotype model"),
    "cut short": (lambda raw: raw[: len(raw) // 2], "is damaged: "),
    "damaged": (lambda raw: raw[:8] + b"#" * 40 + raw[48:], "is not an orthotype model"),
    "newer": (lambda raw: changed_card(raw, format_version=99), "has model format 99"),
    "of another program": (lambda raw: changed_card(raw, format="other"), "something else"),
    "not fitting together": (lambda raw: changed_card(raw, classes=["a", "b"]), "does not fit together"),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_files_that_cannot_be_used(refused: Refused, kept: Path, name: str) -> None:
    change, told = MODELS[name]
    Path("m.safetensors").write_bytes(change((kept / "model.safetensors").read_bytes()))
    message = refused("annotate", "m.safetensors", kept / "human.h5ad", "-o", "out.h5ad")
    assert message.startswith("m.safetensors")
    assert told in message
    if name != "not fitting together":
        assert refused("models", "show", "m.safetensors") == message


def test_a_safetensors_file_that_is_no_model(refused: Refused, kept: Path) -> None:
    save_file({"weights": np.zeros(3)}, "m.safetensors")
    for words in (
        ("models", "show", "m.safetensors"),
        ("annotate", "m.safetensors", kept / "human.h5ad", "-o", "out.h5ad"),
    ):
        assert "is not an orthotype model" in refused(*words)


def test_files_in_the_wrong_order(refused: Refused, kept: Path) -> None:
    message = refused("annotate", kept / "human.h5ad", kept / "model.safetensors", "-o", "out.h5ad")
    assert message.startswith(f"{kept / 'human.h5ad'} is not an orthotype model")


def test_a_missing_model(refused: Refused, kept: Path) -> None:
    for words in (
        ("models", "show", "m.safetensors"),
        ("annotate", "m.safetensors", "x.h5ad", "-o", "o.h5ad"),
    ):
        assert refused(*words).startswith("m.safetensors: no such file")


def test_an_unknown_data_set_offers_the_nearest(refused: Refused) -> None:
    for command in ("path", "get"):
        message = refused("datasets", command, "baron2016-muose")
        assert "no data set is called 'baron2016-muose'" in message
        assert "'baron2016-mouse'" in message


PLACES = {
    "a file system that takes no files": ("/proc/out{}", "cannot write to /proc"),
    "a missing folder": ("missing/out{}", "missing is not a folder; create it first"),
    "a folder": ("folder", "folder is a folder; expected a file name"),
    "a file as a folder": ("file/out{}", "file is not a folder"),
    "another ending": ("out.txt", "out.txt ends in '.txt'; expected {}"),
    "no ending": ("out", "out has no ending; expected {}"),
}


@pytest.mark.parametrize("command", ["train", "annotate", "table", "report"])
@pytest.mark.parametrize("name", PLACES)
def test_places_that_cannot_be_written(refused: Refused, kept: Path, name: str, command: str) -> None:
    Path("folder").mkdir()
    Path("file").touch()
    place, told = PLACES[name]
    endings = {"train": ".safetensors", "annotate": ".h5ad", "table": ".csv", "report": ".html"}
    output = place.format(endings[command])
    annotate = ("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o")
    words = {
        "train": ("train", kept / "mouse.h5ad", *LABELS, "-o", output),
        "annotate": (*annotate, output),
        "table": (*annotate, "out.h5ad", "--table", output),
        "report": ("report", kept / "annotated.h5ad", "-o", output),
    }
    assert told.format(endings[command]) in refused(*words[command])


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/proc/demo", "cannot write to /proc"),
        ("missing/demo", "missing is not a folder"),
        ("file", "file is a file"),
        ("full", "full holds files already; nothing was overwritten; pass --force"),
    ],
)
def test_places_that_cannot_hold_the_demo(refused: Refused, place: str, told: str) -> None:
    Path("file").touch()
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    assert told in refused("demo", "-o", place)


def test_a_disk_that_fills_up_leaves_nothing(
    refused: Refused, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orthotype.cells.write.shutil.copyfile", full)
    message = refused("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "out.h5ad")
    assert message == "could not write out.h5ad (No space left on device); nothing was left behind"
