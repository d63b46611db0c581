"""The two data sets of a study in one feature space: encoded rows, class codes, donors.

Classes are those of the source, sorted, with codes 0 .. K - 1. A target label that is no source class gets a
code from K on, a cell without a label -1. Target labels decide nothing but scores and the few labelled cells:
genes are chosen in both species without them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Side:
    """The cells of one species.

    Attributes
    ----------
    species
        Its name.
    cells
        Names of the cells, (n,) str.
    X
        Encoded rows, (n, n_features) CSR float32.
    codes
        Class of each cell, (n,).
    groups
        Donor or batch of each cell, (n,) str, or None.
    """

    species: str
    cells: NDArray[np.str_]
    X: sp.csr_array
    codes: Codes
    groups: NDArray[np.str_] | None


@dataclass(frozen=True)
class Pair:
    """What every piece of a study looks at.

    Attributes
    ----------
    source, target
        The labelled species, and the one to label.
    classes
        Source classes, sorted; K of them.
    target_only
        Classes that only target labels name, sorted; their codes start at K.
    features
        Names of the features.
    ontology
        Cell Ontology id of every class that has one.
    facts
        Plain JSON: coverage, label columns, how class names were matched.
    """

    source: Side
    target: Side
    classes: tuple[str, ...]
    target_only: tuple[str, ...]
    features: tuple[str, ...]
    ontology: dict[str, str]
    facts: dict[str, Any]

    @property
    def n_classes(self) -> int:
        """K, the number of source classes."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes in the order of their codes."""
        return (*self.classes, *self.target_only)

    @property
    def has_truth(self) -> bool:
        """Whether any target cell has a label."""
        return bool((self.target.codes >= 0).any())

    @property
    def shared(self) -> tuple[int, ...]:
        """Codes of the classes that both species have."""
        present = np.unique(self.target.codes)
        return tuple(int(code) for code in present if 0 <= code < self.n_classes)

    @property
    def source_only(self) -> tuple[int, ...]:
        """Codes of the source classes that no target label names."""
        return tuple(code for code in range(self.n_classes) if code not in self.shared)

    @cached_property
    def content_hash(self) -> str:
        """The sha256 over everything that a piece can see."""
        digest = hashlib.sha256(json.dumps(self._described(), sort_keys=True).encode())
        for name, values in sorted(self._arrays().items()):
            digest.update(f"{name}{values.dtype.str}{values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def write(self, folder: Path) -> None:
        """Write the pair into a folder, for workers to open."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, values in self._arrays().items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        (folder / "pair.json").write_text(json.dumps(self._described()), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> "Pair":
        """Return a pair that was written; the matrices stay on disk until they are read."""
        text = json.loads((folder / "pair.json").read_text(encoding="utf-8"))
        held = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
        return cls(
            source=_side("source", text["source"], held),
            target=_side("target", text["target"], held),
            classes=tuple(text["classes"]),
            target_only=tuple(text["target_only"]),
            features=tuple(text["features"]),
            ontology=text["ontology"],
            facts=text["facts"],
        )

    def _described(self) -> dict[str, Any]:
        return {
            "source": [self.source.species, *self.source.X.shape],
            "target": [self.target.species, *self.target.X.shape],
            "classes": self.classes,
            "target_only": self.target_only,
            "features": self.features,
            "ontology": self.ontology,
            "facts": self.facts,
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for name, side in (("source", self.source), ("target", self.target)):
            arrays |= {
                f"{name}_data": side.X.data,
                f"{name}_indices": side.X.indices,
                f"{name}_indptr": side.X.indptr,
                f"{name}_cells": side.cells,
                f"{name}_codes": side.codes,
            }
            if side.groups is not None:
                arrays[f"{name}_groups"] = side.groups
        return arrays


def _side(name: str, described: list[Any], held: Mapping[str, NDArray[Any]]) -> Side:
    species, *shape = described
    parts = tuple(held[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    groups = held.get(f"{name}_groups")
    return Side(
        species=species,
        cells=np.asarray(held[f"{name}_cells"]),
        X=sp.csr_array(parts, shape=tuple(shape), copy=False),
        codes=np.asarray(held[f"{name}_codes"]),
        groups=None if groups is None else np.asarray(groups),
    )
