"""A study is a list of named pieces; a finished piece is one file, and is never made twice.

A piece is a pure function of the recipe, the pair of data sets and earlier pieces, with a seed of its own::

    seed(piece)  =  SeedSequence(recipe.seed, spawn_key=sha256(name))
    key(study)   =  sha256(recipe, data, version of orthotype, version of the pieces' format)

Its file lies in ``pieces/<key>/<name>.npz`` and appears whole or not at all, so a study that was killed goes
on where it stopped, and a changed recipe or changed data start afresh.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._files import written_whole
from orthotype._version import __version__
from orthotype.errors import OrthotypeError
from orthotype.study.recipe import Recipe

if TYPE_CHECKING:
    from orthotype.study.pair import Pair

PIECES_FORMAT = 1
TEXT = "json"  # the array of a piece's file that holds tables and facts
KINDS: Final = {"i": "integer", "u": "integer", "f": "float", "b": "truth"}
DTYPES: Final = {"integer": np.int64, "float": np.float64, "truth": np.bool_, "text": object}
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Result:
    """What a piece leaves.

    Attributes
    ----------
    arrays
        Numbers that later pieces need: models, probabilities, folds.
    tables
        Tidy tables without an index.
    facts
        Plain JSON values.
    """

    arrays: Arrays = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """One unit of work.

    Attributes
    ----------
    name
        Unique, with slashes: ``"few_shot/mlr/transfer/repeat2/shots05"``.
    kind
        Which function makes it, a key of :data:`orthotype.study.steps.FUNCTIONS`.
    arguments
        Plain JSON values for that function.
    needs
        Names of the pieces that it reads; they come before it.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """What the function of a piece is given.

    Attributes
    ----------
    recipe, pair
        The settings and the data.
    piece
        The piece to make.
    earlier
        Results of the pieces that it needs, by name.
    seed
        The piece's own.
    """

    recipe: Recipe
    pair: "Pair"
    piece: Piece
    earlier: Mapping[str, Result]
    seed: int

    def argument(self, name: str) -> Any:
        """Return one argument of the piece."""
        return self.piece.arguments[name]


def seed_of(name: str, *, seed: int) -> int:
    """Return the seed of a piece: a child of the study's, found by the piece's name and nothing else.

    >>> seed_of("source/mlr/fold0", seed=0) == seed_of("source/mlr/fold1", seed=0)
    False
    """
    digest = hashlib.sha256(name.encode()).digest()
    words = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return int(np.random.SeedSequence(seed, spawn_key=words).generate_state(1)[0])


def study_key(recipe: Recipe, data_hash: str) -> str:
    """Return the name under which pieces of this recipe and these data are kept."""
    text = json.dumps([recipe.to_dict(), data_hash, __version__, PIECES_FORMAT], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def in_order(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces, and refuse a plan in which one is named twice or needs what does not come before it.

    Raises
    ------
    OrthotypeError
        If the plan is at fault.
    """
    seen: set[str] = set()
    for piece in pieces:
        missing = [name for name in piece.needs if name not in seen]
        if piece.name in seen or missing:
            raise OrthotypeError(
                f"the plan is at fault at {piece.name!r} (needs {missing}); please report it"
            )
        seen.add(piece.name)
        yield piece


class PieceStore:
    """The finished pieces of one study.

    Parameters
    ----------
    folder
        ``<output>/pieces/<key>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file of a piece."""
        return self.folder / f"{name}.npz"

    def has(self, name: str) -> bool:
        """Return whether the piece is finished."""
        return self.path(name).is_file()

    def write(self, name: str, result: Result) -> None:
        """Write a finished piece whole; the same result gives the same bytes."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = {"facts": result.facts, "tables": {key: _columns(t) for key, t in result.tables.items()}}
        encoded = json.dumps(text, ensure_ascii=False).encode()
        with written_whole(path, force=True) as beside:
            held: dict[str, Any] = {TEXT: np.frombuffer(encoded, dtype=np.uint8), **_named(result.arrays)}
            np.savez(beside, **held)

    def read(self, name: str) -> Result:
        """Return a finished piece.

        Raises
        ------
        OrthotypeError
            If its file is damaged.
        """
        path = self.path(name)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                text = json.loads(held[TEXT].tobytes())
                arrays = {key.removeprefix("array/"): held[key] for key in held.files if key != TEXT}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise OrthotypeError(
                f"{path} is damaged ({type(error).__name__}); delete this file and run the study again"
            ) from error
        tables = {key: _table(columns) for key, columns in text["tables"].items()}
        return Result(arrays=arrays, tables=tables, facts=text["facts"])

    def read_all(self, names: Iterable[str]) -> dict[str, Result]:
        """Return several finished pieces by name."""
        return {name: self.read(name) for name in names}


def _named(arrays: Arrays) -> Arrays:
    return {f"array/{name}": np.ascontiguousarray(values) for name, values in arrays.items()}


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as plain lists with the kind of each column; numbers survive to the last bit."""
    columns = {}
    for name in table.columns:
        values = table[name]
        kind = "whole" if str(values.dtype) == "Int64" else KINDS.get(values.dtype.kind, "text")
        plain = values.astype(object).where(values.notna(), None).tolist()
        columns[str(name)] = {"kind": kind, "values": plain}
    return columns


def _table(columns: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: _column(found["values"], found["kind"]) for name, found in columns.items()})


def _column(values: list[Any], kind: str) -> "pd.Series[Any]":
    if kind == "whole":
        return pd.Series(values, dtype="Int64")
    return pd.Series(np.array(values, dtype=DTYPES[kind]), dtype=DTYPES[kind])
