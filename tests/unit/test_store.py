"""Model files: one header entry, nothing half-written, every damage told apart."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from orthotype.errors import ModelFileError, OutputError
from orthotype.models import store
from orthotype.models.store import content_hash, read_card, read_model, write_model

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], dtype=np.int32)}
CARD = {"kind": "test", "species": "mouse", "classes": ["α", "β"]}
EXPECTED = {"a": 2, "b": 1}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(path, arrays=ARRAYS, card=CARD)
    return path


def test_arrays_and_card_come_back(written: Path) -> None:
    arrays, card = read_model(written, expected=EXPECTED)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], values)
        assert arrays[name].dtype == values.dtype
    assert {name: card[name] for name in CARD} == CARD


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: a[::-1][::-1]]
)
def test_arrays_of_any_memory_layout_come_back(tmp_path: Path, layout: object) -> None:
    values = layout(ARRAYS["a"])  # type: ignore[operator]
    write_model(tmp_path / "m.safetensors", arrays={"a": values}, card=CARD)
    arrays, _ = read_model(tmp_path / "m.safetensors", expected={"a": 2})
    np.testing.assert_array_equal(arrays["a"], values)


def test_the_same_model_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    write_model(again, arrays=dict(reversed(ARRAYS.items())), card=dict(reversed(CARD.items())))
    assert again.read_bytes() == written.read_bytes()


def test_header_holds_one_entry(written: Path) -> None:
    raw = written.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    assert list(header["__metadata__"]) == ["card"]


def test_nothing_is_overwritten_without_force(written: Path) -> None:
    before = written.read_bytes()
    with pytest.raises(OutputError, match="--force"):
        write_model(written, arrays=ARRAYS, card={"kind": "other"})
    assert written.read_bytes() == before
    write_model(written, arrays=ARRAYS, card={"kind": "other"}, force=True)
    assert read_card(written)["kind"] == "other"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_model(tmp_path / "m.safetensors", arrays=ARRAYS, card={"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [0, 4, 40, -3])
def test_truncated_files_are_told(written: Path, length: int) -> None:
    raw = written.read_bytes()
    written.write_bytes(raw[:length])
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        read_model(written, expected=EXPECTED)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        read_card(tmp_path / "none.safetensors")


def test_text_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_text("cell,label\na,b\n" * 100)
    with pytest.raises(ModelFileError, match="not an orthotype model"):
        read_card(path)


def test_other_safetensors_files_are_no_models(tmp_path: Path) -> None:
    plain, foreign = tmp_path / "plain.safetensors", tmp_path / "foreign.safetensors"
    save_file(ARRAYS, str(plain))
    save_file(ARRAYS, str(foreign), metadata={"card": json.dumps({"format": "pt"})})
    with pytest.raises(ModelFileError, match="not an orthotype model"):
        read_card(plain)
    with pytest.raises(ModelFileError, match="something else"):
        read_card(foreign)


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FORMAT_VERSION", 99)
    write_model(tmp_path / "m.safetensors", arrays=ARRAYS, card=CARD)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="upgrade"):
        read_card(tmp_path / "m.safetensors")


def test_missing_and_misshapen_arrays_are_all_named(written: Path) -> None:
    with pytest.raises(ModelFileError, match=r"c \(missing\).*") as caught:
        read_model(written, expected={"a": 3, "c": 1})
    assert "a (2 dimensions, not 3)" in str(caught.value)


def test_the_hash_sees_numbers_and_card() -> None:
    base = content_hash(ARRAYS, CARD)
    assert base == content_hash(dict(reversed(ARRAYS.items())), dict(reversed(CARD.items())))
    assert base != content_hash({**ARRAYS, "b": np.array([1, 3], dtype=np.int32)}, CARD)
    assert base != content_hash(ARRAYS, {**CARD, "species": "human"})
