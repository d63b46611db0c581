"""Which biology transfers: how well each gene's profile over the classes agrees between two species.

With source class means mu_cj, target class means nu_cj of the cells called c, and class weights w_c that sum
to one, the agreement of gene j is the weighted correlation over classes::

    r_j = sum_c w_c a_cj b_cj / sqrt(sum_c w_c a_cj^2  sum_c w_c b_cj^2),   a, b: mu, nu minus mean over c

A shift that all classes share drops out. Few classes make few points, so r_j is uncertain: on Fisher's scale
z = artanh r its variance is 1 / (C - 3), C = 1 / sum_c w_c^2 the effective number of classes. Genes lend each
other strength (empirical Bayes): with mean m and variance s^2 of the true z over genes::

    z_j given the data  ~  N( (z_j (C - 3) + m / s^2) v,  v ),       1 / v = C - 3 + 1 / s^2

Transferability is tanh of that mean, cut at 0, and the interval holds 95 % of that distribution. The calls
come from the model, which leans on the genes that agree: read it as agreement given the calls.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthotype.models.profiles import ClassProfiles

Floats = NDArray[np.float64]

TAU = 5.0
LEAST_VARIANCE = 0.05
MOST_CORRELATION = 0.995
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Transferability:
    """Agreement of every gene's class profile between source and target.

    Attributes
    ----------
    agreement
        The weighted correlation r as it is, shape (n_features,); NaN for a gene that does not vary over the
        classes in one of the species.
    transferability
        Shrunk agreement, 0 to 1; 0 for a gene that cannot be judged.
    low, high
        95 % interval of the shrunk agreement, -1 to 1.
    n_classes
        Effective number of classes behind it.
    contribution
        How much each class adds to the agreement of each gene, shape (n_classes, n_features): positive where
        the gene is high (or low) in this class in both species. Over classes it sums to the agreement.
    """

    agreement: Floats
    transferability: Floats
    low: Floats
    high: Floats
    n_classes: float
    contribution: NDArray[np.float32]


def transferability(source: ClassProfiles, target: ClassProfiles, *, tau: float = TAU) -> Transferability:
    """Compare class profiles of two species, gene by gene.

    Parameters
    ----------
    source
        Profiles of the source classes.
    target
        Profiles of the target cells called each class; best of cells that were assigned, without the unknown.
        Whether the species shift was taken off them plays no part.
    tau
        Target cells at which a class counts half.
    """
    cells = target.n_cells
    weights = np.where(source.n_cells > 0, cells / (cells + tau), 0.0)
    n_features = source.mean.shape[1]
    if np.count_nonzero(weights) < 2:
        nothing = np.zeros(n_features)
        return Transferability(
            np.full(n_features, np.nan),
            nothing,
            nothing - 1,
            nothing + 1,
            float(np.count_nonzero(weights)),
            np.zeros(source.mean.shape, dtype=np.float32),
        )
    weights = weights / weights.sum()
    a, b = (_from_mean(profiles.mean, weights) for profiles in (source, target))
    size = np.sqrt((weights @ a**2) * (weights @ b**2))
    judged = size > 1e-10
    parts = weights[:, None] * a * b / np.where(judged, size, 1.0)
    agreement = np.where(judged, parts.sum(axis=0), np.nan)
    n_classes = float(1.0 / (weights**2).sum())
    centre, spread = _shrunk(agreement, judged, precision=max(n_classes - 3.0, 1.0))
    return Transferability(
        agreement=agreement,
        transferability=np.where(judged, np.clip(np.tanh(centre), 0.0, 1.0), 0.0),
        low=np.where(judged, np.tanh(centre - Z_95 * spread), -1.0),
        high=np.where(judged, np.tanh(centre + Z_95 * spread), 1.0),
        n_classes=n_classes,
        contribution=np.where(judged, parts, 0.0).astype(np.float32),
    )


def _from_mean(mean: NDArray[np.float32], weights: Floats) -> Floats:
    values = mean.astype(np.float64)
    return np.asarray(values - weights @ values)


def _shrunk(agreement: Floats, judged: NDArray[np.bool_], *, precision: float) -> tuple[Floats, float]:
    """Return mean and standard deviation of the true z of every gene, given all genes."""
    z = np.arctanh(np.clip(np.where(judged, agreement, 0.0), -MOST_CORRELATION, MOST_CORRELATION))
    known = z[judged]
    if not len(known):
        return z, 1.0 / float(np.sqrt(precision))
    variance = max(float(known.var()) - 1.0 / precision, LEAST_VARIANCE)
    total = precision + 1.0 / variance
    return (z * precision + known.mean() / variance) / total, 1.0 / float(np.sqrt(total))
