"""The pairs of data sets: a labelled source, a target whose labels only score, donors, shared classes."""

import os
import sys
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import orthotype as ot
from penalty import PAUL, SETTY, VAN_GALEN, seen

Classes = dict[str, tuple[str, ...]]
FOLDER = "ORTHOTYPE_REAL_DATA"


@dataclass(frozen=True)
class Side:
    """Cells of one species with labels and, where known, donors."""

    name: str
    adata: Any
    labels: np.ndarray
    donors: np.ndarray
    species: str

    def of(self, donor: str) -> "Side":
        """Return the cells of one donor."""
        rows = self.donors == donor
        return Side(donor, self.adata[rows].copy(), self.labels[rows], self.donors[rows], self.species)


@dataclass(frozen=True)
class Pair:
    """A source, a target, and what their classes have in common if the names differ.

    Attributes
    ----------
    group
        Pairs of one group are one line of the page.
    coarse
        Shared class of a source class.
    right
        Shared classes that are right for a target class.
    """

    name: str
    source: Side
    target: Side
    group: str
    coarse: Classes = field(default_factory=dict)
    right: Classes = field(default_factory=dict)

    def correct(self, classes: np.ndarray) -> np.ndarray:
        """Return whether each source class is right for each target cell, (n_cells, n_classes)."""
        names, place = np.unique(self.target.labels, return_inverse=True)
        if not self.right:
            return (names[:, None] == classes[None])[place]
        shared = [self.coarse.get(name, ("",))[0] for name in classes]
        return np.array([[c in self.right.get(true, ()) for c in shared] for true in names])[place]

    def removable(self) -> dict[str, np.ndarray]:
        """Return which source cells each class has that can be taken out, by its shared name."""
        shared = np.array([self.coarse.get(k, (k if not self.right else "",))[0] for k in self.source.labels])
        return {str(name): shared == name for name in np.unique(shared) if name}


def side(name: str, adata: Any, column: str, donor: str | None, species: str) -> Side:
    donors = np.full(adata.n_obs, "one") if donor is None else adata.obs[donor].astype(str).to_numpy()
    return Side(name, adata, adata.obs[column].astype(str).to_numpy(), donors, species)


def baron() -> list[Pair]:
    mouse, human = (
        side(name, ot.datasets.get(f"baron2016-{name}"), "cell_ontology_class", "donor", name)
        for name in ("mouse", "human")
    )
    parts = [human.of(donor) for donor in sorted(set(human.donors))]
    there, back = "Baron mouse to human", "Baron human to mouse"
    return [
        Pair(there, mouse, human, there),
        Pair(back, human, mouse, back),
        *(
            Pair(f"Baron {a.name} to {b.name}", a, b, "Baron human donor to donor")
            for a, b in permutations(parts, 2)
        ),
    ]


def development(folder: str) -> list[Pair]:
    def read(name: str, column: str, donor: str | None, species: str) -> Side:
        return side(name, seen(ad.read_h5ad(Path(folder) / f"{name}.h5ad")), column, donor, species)

    paul = read("paul2015_mouse_bm", "cell_type", None, "mouse")
    van_galen = read("vangalen2019_human_bm_healthy", "cell_type", "donor", "human")
    setty = read("setty2019_human_cd34_bm_unlabelled", "fateid_cluster", "run", "human")
    sapiens = read("tabula_sapiens_human_lung_subset", "cell_type", "donor_id", "human")
    lca = read("lca_human_lung_subset", "cell_type", "donor", "human")
    names = (
        "Paul to Setty marrow",
        "Paul to van Galen marrow",
        "Tabula Sapiens to LCA lung",
        "LCA to Tabula Sapiens lung",
    )
    return [
        Pair(names[0], paul, setty, names[0], PAUL, SETTY),
        Pair(names[1], paul, van_galen, names[1], PAUL, VAN_GALEN),
        Pair(names[2], sapiens, lca, names[2]),
        Pair(names[3], lca, sapiens, names[3]),
    ]


def all_pairs() -> list[Pair]:
    """Return every pair whose data are at hand."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        print(f"{FOLDER} is not set: the marrow and lung pairs are LEFT OUT", file=sys.stderr, flush=True)
    found = baron()
    return found if folder is None else [*found[:2], *development(folder), *found[2:]]
