"""What a model can still do when the target lacks some of its genes, and when to warn.

A gene that the target lacks is no zero: it was not measured. It is filled with its mean over the source
classes, which for a linear model only moves the intercepts; every class then loses the margin that the gene
gave it, but none is favoured::

    b_k  becomes  b_k + sum over missing j of W_kj m_j,     W_kj  becomes  0

What is left is foretold from the weights W and intercepts b of each fold model and from class means mu and
variances s2. Class k keeps its cells if they stay nearer to it than to its nearest rival l; D_klj = W_kj -
W_lj, and c widens the spread, because the genes of a class vary together::

    margin_kl = b_k - b_l + sum_j D_klj x_kj,    x_kj = mu_kj if j is present else m_j
    spread_kl = c * sqrt(sum over present j of D_klj^2 s2_kj)
    recall_k  = min over l of Phi(margin_kl / spread_kl)

The expected loss is the mean, over classes and fold models, of recall with all genes minus recall with those
present. How it compares with the loss that was measured, and how c and the levels were found, is told in
``docs/coverage.md``.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.space import Alignment
from orthotype.cells.table import CellTable
from orthotype.errors import GeneError, listed, warn
from orthotype.genes.orthologs import OrthologMap
from orthotype.genes.species import TABLED
from orthotype.transfer.state import ModelState

SPREAD: Final = 1.5  # c
REDUCED: Final = 0.01  # expected loss of mean recall from which coverage is "reduced" ...
POOR: Final = 0.05  # ... and "poor"
MISSING_SHOWN: Final = 10
REMEDY = "train with the target given (fit(..., target=...), train --target)"


def target_coverage(state: ModelState, table: CellTable, aligned: Alignment) -> dict[str, Any]:
    """Count what became of the target's genes, and which of the model's genes it lacks; warn if many.

    Returns
    -------
    dict
        Plain JSON: the counts and shares of :class:`~orthotype.genes.Coverage`, and under ``model_genes`` how
        many selected genes there are and are missing, the share of the model's weight and of the source's
        counts, the expected loss of mean recall with its level ("good", "reduced" or "poor"), and the missing
        genes that weigh most.

    Warns
    -----
    OrthotypeWarning
        If the level is not "good".
    """
    space = state.space
    found = _whole_map(space.orthologs, table.species).coverage(
        table.genes, species=table.species, totals=table.totals
    )
    missing = ~aligned.present[space.selected]
    weight = np.abs(state.mean_coef).max(axis=0) * np.sqrt(state.profiles.mean.var(axis=0))
    order = [j for j in np.argsort(-weight, kind="stable") if missing[j]]
    lost = expected_loss(state, ~missing)
    level = level_of(lost)
    if level != "good":
        advice = f"for full use of the cells, {REMEDY}"
        if level == "poor":
            advice = f"read the labels with care, or {REMEDY}"
        warn(
            f"gene coverage is {level}: the target lacks {missing.sum():,} of the model's {len(missing):,} "
            f"genes (most weight: {listed(space.names[order])}), which should cost about {100 * lost:.0f} "
            f"points of mean recall; expected under {100 * REDUCED:.0f}; {advice}"
        )
    return {
        **found.to_dict(),
        "model_genes": {
            "n": len(missing),
            "n_missing": int(missing.sum()),
            "share_of_weight_missing": float(weight[missing].sum() / weight.sum()) if weight.any() else 0.0,
            "share_of_counts_present": aligned.share,
            "expected_loss": round(lost, 6),
            "level": level,
            "missing_top": [str(space.names[j]) for j in order[:MISSING_SHOWN]],
        },
    }


def level_of(lost: float) -> str:
    """Return "good", "reduced" or "poor" for an expected loss of mean recall, 0 to 1."""
    return "poor" if lost >= POOR else "reduced" if lost >= REDUCED else "good"


def check_species(state: ModelState, species: str) -> None:
    """Refuse cells of a species that no ortholog table joins to the model.

    Raises
    ------
    GeneError
        With what to do: train a model for that species.
    """
    orthologs = state.space.orthologs
    known = (orthologs.source, orthologs.target)
    if species in known or {species, orthologs.source} <= set(TABLED):
        return
    raise GeneError(
        f"the cells are of {species}, and no bundled ortholog table joins {species} to {orthologs.source}; "
        f"expected cells of {' or '.join(dict.fromkeys(known))}, for which this model was trained; train one "
        f"for {species}: orthotype train ... --target-species '{species}' --orthologs FILE "
        "(tables to download: orthotype orthologs list)"
    )


def without_missing(state: ModelState, present: NDArray[np.bool_]) -> ModelState:
    """Return the model for cells that lack some selected genes: their part moved into the intercepts.

    Parameters
    ----------
    state
        The model.
    present
        Which of its selected features the cells have, shape (n_selected,).
    """
    if present.all():
        return state
    profiles, missing = state.profiles, ~present
    filled = state.intercept + state.coef[:, :, missing].astype(np.float64) @ profiles.centre[missing]
    zero = np.float32(0)
    return replace(
        state,
        coef=np.where(present, state.coef, zero),
        intercept=np.asarray(filled, dtype=state.intercept.dtype),
        profiles=replace(
            profiles,
            mean=np.where(present, profiles.mean, zero),
            variance=np.where(present, profiles.variance, zero),
        ),
        called=np.where(present, state.called, zero),
    )


def expected_loss(state: ModelState, present: NDArray[np.bool_], *, spread: float = SPREAD) -> float:
    """Return the mean recall, 0 to 1, that cells like the source's should lose without the missing genes."""
    if present.all():
        return 0.0
    whole = expected_recall(state, np.ones_like(present), spread=spread)
    return max(0.0, float((whole - expected_recall(state, present, spread=spread)).mean()))


def expected_recall(
    state: ModelState, present: NDArray[np.bool_], *, spread: float = SPREAD
) -> NDArray[np.float64]:
    """Return the recall to be expected of each class that has source cells, for every fold model.

    Returns
    -------
    Shape (n_models, n_classes with cells).
    """
    from scipy.special import ndtr

    profiles = state.profiles
    values = np.where(present, profiles.mean, profiles.centre)
    seen = np.flatnonzero(profiles.n_cells > 0)
    found = np.empty((len(state.coef), len(seen)))
    for m, (coef, intercept) in enumerate(zip(state.coef, state.intercept, strict=True)):
        for place, k in enumerate(seen):
            ahead = coef[k].astype(np.float64) - np.delete(coef, k, axis=0)
            margin = intercept[k] - np.delete(intercept, k) + ahead @ values[k]
            width = np.sqrt((ahead[:, present] ** 2) @ profiles.variance[k, present])
            found[m, place] = ndtr(margin / (spread * np.maximum(width, 1e-9))).min()
    return found


def _whole_map(orthologs: OrthologMap, species: str) -> OrthologMap:
    """Return the map between the model's species and the target's, with the genes that are no feature.

    A model keeps its features but not the rest of the table, so the installed table tells which other genes
    have orthologs; where there is none for the pair, the model's own features have to do.
    """
    partner = orthologs.target if species == orthologs.source else species
    try:
        return OrthologMap(orthologs.source, partner, policy=orthologs.policy)
    except GeneError:
        return orthologs
