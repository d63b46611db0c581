"""One safetensors file holds a model: named arrays and, as its only header entry, a card in JSON.

Nothing is pickled and nothing in the file is ever imported or run. The reader goes: header, format version,
card, names and shapes of the arrays; only then are the numbers read.

Format
------
version 2
    the card's entry ``unknown`` holds what is usual for cells alone and among their like
version 1
    the first; read by :mod:`orthotype.models.unknown_first`

A change that an older orthotype could misread raises the number, keeps a reader for every older number, and
leaves a file of the old format in ``tests/archives``.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orthotype._files import written_whole
from orthotype.errors import ModelFileError, listed
from orthotype.models import pretrained

FORMAT = "orthotype-model"
FORMAT_VERSION = 2
FORMAT_ENTRIES = ("format", "format_version")  # of the card in a file: how it is written, not what it says

Arrays = dict[str, np.ndarray]
Card = dict[str, Any]


def write_model(
    path: str | Path, *, arrays: Mapping[str, np.ndarray], card: Card, force: bool = False
) -> None:
    """Write a model file whole: the same arrays and card give the same bytes.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    from safetensors.numpy import save_file

    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **card}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False)
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    with written_whole(path, force=force) as beside:
        save_file(contiguous, str(beside), metadata={"card": text})


def read_card(path: str | Path) -> Card:
    """Return the card alone, without reading the arrays.

    Parameters
    ----------
    path
        The file, or the name of a bundled model.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, something else, or of a newer format.
    """
    path = pretrained.located(path)
    if not path.is_file():
        bundled = listed(model.name for model in pretrained.records())
        raise ModelFileError(
            f"{path}: no such file; expected a model written by orthotype train, or the name of a bundled "
            f"one ({bundled})"
        )
    try:
        header, size = _header(path)
        card = json.loads(header["__metadata__"]["card"])
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise ModelFileError(
            f"{path} is not an orthotype model ({type(error).__name__}); expected a .safetensors file "
            "written by orthotype train; check that the copy is complete"
        ) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise ModelFileError(f"{path} is a safetensors file of something else; expected an orthotype model")
    version = card.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has model format {version}; this orthotype reads formats 1 to {FORMAT_VERSION}; "
            "upgrade: pip install --upgrade orthotype"
        )
    if path.stat().st_size != size:
        raise ModelFileError(
            f"{path} is damaged: {path.stat().st_size:,} of {size:,} bytes are there; copy or train it again"
        )
    return card


def read_model(path: str | Path, *, expected: Mapping[str, int]) -> tuple[Arrays, Card]:
    """Return the arrays and the card of a model file.

    Parameters
    ----------
    path
        The file, or the name of a bundled model.
    expected
        Number of dimensions of each array that must be there.

    Raises
    ------
    ModelFileError
        As :func:`read_card`, or if arrays are missing or have another number of dimensions.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    card = read_card(path)
    path = pretrained.located(path)
    try:
        arrays = load_file(str(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged ({error}); copy or train it again") from error
    wrong = [
        f"{name} ({'missing' if name not in arrays else f'{arrays[name].ndim} dimensions, not {ndim}'})"
        for name, ndim in expected.items()
        if name not in arrays or arrays[name].ndim != ndim
    ]
    if wrong:
        raise ModelFileError(f"{path} lacks what its format needs: {', '.join(wrong)}; train it again")
    return arrays, card


def content_hash(arrays: Mapping[str, np.ndarray], card: Card) -> str:
    """Return a sha256 over arrays and card, the name by which an annotation remembers its model."""
    digest = hashlib.sha256(json.dumps(card, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{values.dtype.str}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file, and how many bytes the file should have."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > path.stat().st_size:
            raise ValueError("header longer than the file")
        header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise TypeError("header is not a JSON object")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return header, 8 + size + max(ends, default=0)
