"""Every number of the way from raw counts to clusters, and those that were published."""

from dataclasses import dataclass, fields
from typing import Final

from orthotype.errors import InputError, Problems, listed

CLUSTERINGS: Final = ("louvain", "leiden")


@dataclass(frozen=True)
class Thresholds:
    """Every number of the way from raw counts to clusters.

    Attributes
    ----------
    min_counts, max_counts
        UMI of a cell, both included.
    min_genes
        Genes of a cell, mitochondrial ones not counted.
    max_mito
        Cells with this share of mitochondrial UMI, or more, are left out.
    min_cells
        Cells that a gene must be seen in.
    target_sum
        Each cell is scaled to this sum before the logarithm.
    min_mean, max_mean, min_dispersion
        Bounds of a variable gene: its mean on the logarithmic scale, its normalised dispersion.
    scale_max
        Before the PCA a gene is divided by its standard deviation and cut here; None leaves it as it is.
    n_components
        Principal components for neighbours and map.
    n_neighbors
        Neighbours of a cell.
    clustering, resolution, n_starts
        ``"louvain"`` or ``"leiden"``; higher resolutions give more clusters; runs of which the best is kept.
    umap
        Whether to make a map.
    """

    min_counts: int = 200
    max_counts: int = 40_000
    min_genes: int = 200
    max_mito: float = 0.05
    min_cells: int = 3
    target_sum: float = 10_000.0
    min_mean: float = 0.0125
    max_mean: float = 4.0
    min_dispersion: float = 0.5
    scale_max: float | None = 10.0
    n_components: int = 11
    n_neighbors: int = 30
    clustering: str = "louvain"
    resolution: float = 1.1
    n_starts: int = 10
    umap: bool = True

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        InputError
            With all of them.
        """
        problems = Problems("the thresholds")
        if self.clustering not in CLUSTERINGS:
            problems.add(f"clustering={self.clustering!r}", expected=f"one of {listed(CLUSTERINGS)}")
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name in {"n_components", "n_neighbors", "n_starts"} else 0
            if field.name != "min_dispersion" and isinstance(value, int | float) and not value >= least:
                problems.add(f"{field.name}={value}", expected=f"at least {least}")
        if self.max_counts < self.min_counts:
            problems.add(f"max_counts={self.max_counts}", expected=f"at least min_counts={self.min_counts}")
        problems.raise_if_any()


STUMPF2020: Final = {
    "mouse": Thresholds(),
    "human": Thresholds(max_mito=0.08, n_components=10),
}


def published(species: str) -> Thresholds:
    """Return the thresholds of Stumpf et al. (2020).

    Raises
    ------
    InputError
        If there are none for the species.
    """
    if species not in STUMPF2020:
        raise InputError(
            f"there are no published thresholds for {species}; expected one of {listed(STUMPF2020)}; "
            "pass thresholds=Thresholds(...) of your own"
        )
    return STUMPF2020[species]
