"""The result folder of a study: tables, models and one record of how they were made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from orthotype._files import written_whole
from orthotype._version import __version__
from orthotype.errors import InputError
from orthotype.study.answers import Answer, answers
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, PieceStore, Result
from orthotype.study.recipe import Recipe
from orthotype.study.steps.learner import arrays_of_model

FORMAT, FORMAT_VERSION = "orthotype-study", 1
PACKAGES: Final = ("anndata", "numpy", "pandas", "scikit-learn", "scipy", "torch", "umap-learn")
NAMED_CELLS: Final = ("transfer_cells", "transfer_map")


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes
    ----------
    folder
        Where it is.
    tables
        Tidy tables by name, such as ``"transfer_per_class"``; those that could be made.
    answers
        The five questions, each with the measured answer.
    record
        Plain JSON: recipe, versions, both data sets, notes.
    """

    folder: Path
    tables: Mapping[str, pd.DataFrame]
    answers: tuple[Answer, ...]
    record: Mapping[str, Any]


def write_study(
    folder: Path, *, recipe: Recipe, pair: Pair, key: str, pieces: Sequence[Piece], store: PieceStore
) -> Study:
    """Gather all pieces into the folder; what an earlier run of the same study left is replaced."""
    results = store.read_all(piece.name for piece in pieces)
    tables = gather(results)
    record = _record(recipe, pair, key=key, results=results, tables=tables)
    for name in ("tables", "models"):
        (folder / name).mkdir(exist_ok=True)
    for name, table in tables.items():
        write_table(folder / "tables", name, table)
    _write_models(folder / "models", results)
    found = tuple(answers(tables, record))
    record["answers"] = [answer.to_dict() for answer in found]
    with written_whole(folder / "study.json", force=True) as beside:
        beside.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return read_study(folder)


def read_study(folder: str | Path) -> Study:
    """Return a study from its folder.

    Raises
    ------
    InputError
        If the folder holds no finished study, or one of a newer orthotype.
    """
    folder = Path(folder)
    path = folder / "study.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no finished study; expected a folder written by orthotype study")
    record = json.loads(path.read_text(encoding="utf-8"))
    if record.get("format") != FORMAT or not 1 <= record.get("format_version", 0) <= FORMAT_VERSION:
        raise InputError(f"{path} is not a study that this orthotype reads; upgrade or run the study again")
    tables = {
        name: read_table(folder / "tables", name, columns=columns)
        for name, columns in record["tables"].items()
    }
    found = tuple(Answer.from_dict(entry) for entry in record["answers"])
    return Study(folder=folder, tables=tables, answers=found, record=record)


def gather(results: Mapping[str, Result]) -> dict[str, pd.DataFrame]:
    """Join the tables of the same name of all pieces, in the order of the pieces."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for result in results.values():
        for name, table in result.tables.items():
            parts.setdefault(name, []).append(table)
    parts.pop("few_shot_points", None)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write a table as csv and as json, a list of rows; what is not known is empty or null."""
    with written_whole(folder / f"{name}.csv", force=True) as beside:
        table.to_csv(beside, index=False)
    plain = table.astype(object).where(table.notna(), None)
    rows = [{key: _plain(value) for key, value in row.items()} for row in plain.to_dict(orient="records")]
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
    with written_whole(folder / f"{name}.json", force=True) as beside:
        beside.write_text(text, encoding="utf-8")


def read_table(folder: Path, name: str, *, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table that was written, with these columns even if it has no rows."""
    rows = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return pd.DataFrame(rows, columns=list(columns))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _write_models(folder: Path, results: Mapping[str, Result]) -> None:
    """Write each fold model as one safetensors file of plain arrays."""
    from safetensors.numpy import save_file

    for name, result in results.items():
        arrays = arrays_of_model(result)
        if not arrays:
            continue
        file = folder / f"{name.removeprefix('source/').replace('/', '_')}.safetensors"
        with written_whole(file, force=True) as beside:
            save_file({key: np.ascontiguousarray(values) for key, values in arrays.items()}, str(beside))


def _record(
    recipe: Recipe,
    pair: Pair,
    *,
    key: str,
    results: Mapping[str, Result],
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "orthotype_version": __version__,
        "key": key,
        "recipe": recipe.to_dict(),
        "data_sha256": pair.content_hash,
        "classes": list(pair.classes),
        "shared": [pair.classes[code] for code in pair.shared],
        "source_only": [pair.classes[code] for code in pair.source_only] if pair.has_truth else [],
        "target_only": list(pair.target_only),
        "has_truth": pair.has_truth,
        "n_features": len(pair.features),
        "features": list(pair.features),
        "ontology": pair.ontology,
        **pair.facts,
        "facts": {name: result.facts for name, result in results.items() if result.facts},
        "pieces": len(results),
        "tables": {name: [str(column) for column in table] for name, table in tables.items()},
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
