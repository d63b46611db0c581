"""The verdict on every gene of a model and on the markers of every class, from profiles of two species.

:mod:`orthotype.transfer.biology` says what the words mean.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import MARKERS, TRANSFERABILITY
from orthotype.models.shift import TAU
from orthotype.models.transferability import Transferability, transferability
from orthotype.transfer.profile_pair import Floats, Offsets, Pair, offsets

CARRIES: Final = "carries over"
DIFFERS: Final = "differs"
ONE_SPECIES: Final = "one species only"
LOST: Final = "lost"
GAINED: Final = "gained"
UNDECIDED: Final = "undecided"
NOT_MEASURED: Final = "not measured"
NO_CELLS: Final = "no cells"
EVIDENCE: Final = (CARRIES, UNDECIDED, DIFFERS, ONE_SPECIES, NOT_MEASURED)
VERDICTS: Final = (CARRIES, UNDECIDED, LOST, GAINED, NOT_MEASURED, NO_CELLS)

AGREES = 0.5
ONE_SIDED = 0.1
LEAST_CLASSES = 4.0
MOST_GAINED = 10
Z_95 = 1.959963984540054


def biology_tables(pair: Pair) -> dict[str, pd.DataFrame]:
    """Return the tables of genes and of markers under the names that they have in ``uns``."""
    compared = replace(pair.target, n_cells=np.where(pair.shared, pair.target.n_cells, 0.0))
    found, ahead = transferability(pair.source, compared), offsets(pair)
    return {
        TRANSFERABILITY: _gene_table(pair, found, ahead),
        MARKERS: _marker_table(pair, found, ahead),
    }


def _gene_table(pair: Pair, found: Transferability, ahead: Offsets) -> pd.DataFrame:
    shared, absent = pair.shared, ~pair.present
    source, target = (
        side.mean[shared].astype(np.float64) if shared.any() else np.full((1, len(pair.genes)), np.nan)
        for side in (pair.source, pair.target)
    )
    spreads = source.std(axis=0), target.std(axis=0)
    weights = np.where(pair.source.n_cells > 0, pair.target.n_cells / (pair.target.n_cells + TAU), 0.0)
    shift = weights @ (pair.target.mean - pair.called) / max(weights.sum(), 1e-300)
    numbers = {
        "shift": shift if shared.any() else np.full(len(shift), np.nan),
        "shift_taken": pair.taken,
        "transferability": found.transferability,
        "transferability_low": found.low,
        "transferability_high": found.high,
        "agreement": found.agreement,
        "n_classes": np.full(len(shift), found.n_classes),
        "source_mean": source.mean(axis=0),
        "target_mean": target.mean(axis=0),
        "source_spread": spreads[0],
        "target_spread": spreads[1],
    }
    of_source = ("n_classes", "source_mean", "source_spread")
    table = pd.DataFrame(
        {
            name: np.where(absent & (name not in of_source), np.nan, values).astype(np.float32)
            for name, values in numbers.items()
        },
        index=pd.Index(pair.genes.astype(str), name="gene"),
    )
    names = pair.classes[shared].astype(str)
    table["source_class"] = _highest(source, names)
    table["target_class"] = _highest(np.where(absent, 0.0, target), names)
    table["evidence"] = pd.Categorical(_evidence(pair, found, ahead, spreads), categories=list(EVIDENCE))
    best = -np.nan_to_num(table[["agreement", "transferability"]].to_numpy(dtype=np.float64), nan=-2.0)
    return table.iloc[np.lexsort((pair.genes.astype(str), best[:, 0], best[:, 1]))]


def _evidence(
    pair: Pair, found: Transferability, ahead: Offsets, spreads: tuple[Floats, Floats]
) -> NDArray[np.object_]:
    words = np.full(len(pair.genes), UNDECIDED, dtype=object)
    if found.n_classes >= LEAST_CLASSES:
        words[found.low > AGREES] = CARRIES
        words[found.high < AGREES] = DIFFERS
    source, target = spreads
    clear = np.where(source > target, ahead.lacking.max(axis=0), ahead.exceeding.max(axis=0)) > Z_95
    words[clear & (np.minimum(source, target) < ONE_SIDED * np.maximum(source, target))] = ONE_SPECIES
    words[~pair.present] = NOT_MEASURED
    return words


def _highest(means: Floats, names: NDArray[np.str_]) -> "pd.Categorical[object]":
    """Return the class in which each gene is highest; none for a gene that is alike in all."""
    if not len(names):
        return pd.Categorical([None] * means.shape[1], categories=[])
    highest = names[means.argmax(axis=0)].astype(object)
    highest[means.max(axis=0) == means.min(axis=0)] = None
    return pd.Categorical(highest, categories=names.tolist())


def _marker_table(pair: Pair, found: Transferability, ahead: Offsets) -> pd.DataFrame:
    places, codes, verdicts = [], [], []
    for k, markers in enumerate(pair.markers):
        gained = _gained(pair, ahead, k)
        places += [*markers, *gained]
        codes += [k] * (len(markers) + len(gained))
        verdicts += [_verdict(pair, ahead, k, j) for j in markers] + [GAINED] * len(gained)
    names = pair.classes.astype(str)
    at = np.array(codes, dtype=np.intp), np.array(places, dtype=np.intp)
    unseen = ~pair.present[at[1]] | (pair.target.n_cells[at[0]] == 0)
    target: dict[str, NDArray[np.floating]] = {
        "target_mean": pair.target.mean[at],
        "contribution": found.contribution[at],
        "transferability": found.transferability[at[1]],
    }
    return pd.DataFrame(
        {
            "class": pd.Categorical(names[at[0]], categories=names.tolist()),
            "gene": pair.genes[at[1]].astype(str),
            "verdict": pd.Categorical(verdicts, categories=list(VERDICTS)),
            "source_mean": pair.source.mean[at].astype(np.float32),
            **{name: np.where(unseen, np.nan, values).astype(np.float32) for name, values in target.items()},
        },
        index=pd.RangeIndex(len(verdicts)).astype(str),
    )


def _verdict(pair: Pair, ahead: Offsets, code: int, gene: int) -> str:
    if not pair.present[gene]:
        return NOT_MEASURED
    if pair.target.n_cells[code] == 0:
        return NO_CELLS
    lacking = ahead.lacking[code, gene]
    return LOST if lacking > Z_95 else CARRIES if lacking < -Z_95 else UNDECIDED


def _gained(pair: Pair, ahead: Offsets, code: int) -> NDArray[np.intp]:
    """Return genes that mark the class in the target alone, the largest difference first."""
    markers = pair.markers[code]
    if not len(markers):
        return np.array([], dtype=np.intp)
    target = ahead.target[code]
    far = target >= np.median(ahead.source[code, markers])
    fits = (ahead.exceeding[code] > Z_95) & far & (target >= ahead.target.max(axis=0)) & (target > 0)
    fits[markers] = False
    order = np.argsort(ahead.source[code] - target, kind="stable")
    return np.asarray(order[fits[order]][:MOST_GAINED], dtype=np.intp)
