"""Training: from labelled cells of one species to a model state."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype import metrics
from orthotype._version import __version__
from orthotype.cells.backed import StoredCells, as_cells
from orthotype.cells.cache import EncodedCells, key_of
from orthotype.cells.columns import check_labels, ontology_ids
from orthotype.cells.encode import Encoder
from orthotype.cells.space import FeatureSpace, build_space
from orthotype.cells.table import CellTable, check_column, labelled_mask, open_cells, warn_of_repeated
from orthotype.errors import Problems, listed, numbered, warn
from orthotype.genes.orthologs import OrthologMap
from orthotype.genes.species import resolve_species
from orthotype.models.consensus import ConsensusClassifier
from orthotype.models.linear.kept import KeptFits
from orthotype.models.linear.softmax import softmax
from orthotype.models.margins import MarginScale, margins
from orthotype.models.neighbours import neighbours_of
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.shift import called_means
from orthotype.models.unknown import UnknownRule
from orthotype.models.views import Views, view_cells
from orthotype.transfer.gene_weights import gene_weights
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from anndata import AnnData


# Encoded cells handled at once after the fit: a multiple of a kilobyte each.
AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Source:
    """Labelled cells, checked and ready.

    Attributes
    ----------
    table
        The cells that have a label.
    labels
        Class of each, shape (n_cells,).
    batch
        Donor or batch of each, or None.
    label_column
        Where the classes were found.
    ontology
        Class to Cell Ontology id.
    n_unlabelled
        Cells left out because they have no label.
    sources
        Name, species and cells of each data set, where there are several.
    """

    table: CellTable
    labels: NDArray[np.object_]
    batch: NDArray[np.object_] | None
    label_column: str
    ontology: dict[str, str]
    n_unlabelled: int
    sources: tuple[dict[str, Any], ...] = ()


def open_source(
    adata: "AnnData | StoredCells",
    *,
    labels: str,
    species: str | None,
    batch: str | None,
    layer: str | None,
    min_cells: int,
    subject: str,
    look_first: bool | None = None,
) -> Source:
    """Check labels, batch, counts, genes and species of the source together.

    ``look_first`` as for :func:`orthotype.cells.table.open_cells`.

    Raises
    ------
    InputError
        With every problem at once.
    """
    adata = as_cells(adata)
    problems = Problems(subject)
    names = check_labels(adata, labels, min_cells=min_cells, problems=problems)
    if batch is not None:
        check_column(adata, batch, problems=problems)
    labelled = labelled_mask(names, n_cells=adata.n_obs)
    if batch in adata.obs and names is not None:
        _check_batches(names[labelled], adata.obs[batch][labelled], problems=problems)
    chosen = adata if labelled.all() else adata[labelled]
    table = open_cells(
        chosen, subject=subject, species=species, layer=layer, problems=problems, look_first=look_first
    )
    warn_of_repeated(table.genes, subject)
    kept = np.asarray(names, dtype=object)[labelled]
    return Source(
        table=table,
        labels=kept,
        batch=None if batch is None else chosen.obs[batch].astype(str).to_numpy(dtype=object),
        label_column=labels,
        ontology=ontology_ids(adata, labels),
        n_unlabelled=int((~labelled).sum()),
    )


def _check_batches(names: NDArray[np.object_], batch: "pd.Series[Any]", *, problems: Problems) -> None:
    """Note a problem if no batch can be held out, warn of classes that are gone when one is."""
    column = str(batch.name)
    batches = batch.astype(str).to_numpy(dtype=object)
    missing = int(batch.isna().sum())
    if missing:
        warn(
            f"{numbered(missing, 'cell has', 'cells have')} no value in {column!r}: they are held out "
            "together, as one batch"
        )
    if len(set(batches)) == 1:
        problems.add(
            f"obs column {column!r} names only one batch ({batches[0]!r})",
            expected="at least two, to hold one out",
            remedy="name another column, or none to split cells at random within classes",
        )
        return
    spread = pd.Series(batches).groupby(names).nunique()
    alone = [str(name) for name in spread.index[spread == 1]]
    if len(alone) == len(spread) > 0:
        problems.add(
            f"no class is in more than one batch of {column!r}",
            expected="classes in several batches, so that a batch can be held out",
            remedy="name another column, or none to split cells at random within classes",
        )
    elif alone:
        warn(
            f"{len(alone)} of {len(spread)} classes are in one batch of {column!r} only ({listed(alone)}): "
            "the model that does not see this batch cannot vote for them, so their held-out recall is 0"
        )


def choose_orthologs(
    species: str, *, target: CellTable | None, target_species: str | None, policy: str, table: Any = None
) -> OrthologMap:
    """Return the features on offer between the source and the species it is meant for.

    A model that is not made for a particular target is made for human, or for mouse if it is trained on
    human; other species reach its features through their own orthologs when they are annotated.
    """
    if target is not None:
        partner = target.species
    elif target_species is not None:
        partner = resolve_species(target_species).name
    else:
        partner = "mouse" if species == "human" else "human"
    return OrthologMap(species, partner, policy=policy, table=table)


def fit_state(
    source: Source,
    *,
    orthologs: OrthologMap,
    encoder: Encoder,
    classifier: ConsensusClassifier,
    target: CellTable | None,
    n_top_genes: int,
    selection: str,
    weighting: str,
    block_size: int,
) -> ModelState:
    """Train a consensus model: choose features, encode, fit the folds, gather profiles, write the card.

    With a target at hand genes are chosen in both, and with the weighting "transferability" the folds are
    fitted anew with genes that are worth as much as they carry over.
    """
    space = build_space(
        source.table,
        orthologs=orthologs,
        encoder=encoder,
        target=target,
        n_top_genes=n_top_genes,
        selection=selection,
        labels=source.labels,
        block_size=block_size,
    )
    aligned = space.align(source.table.genes, species=source.table.species)
    cells = aligned.cells(source.table.rows, size=block_size)
    state, weights = _learned(source, space, cells, classifier, key=aligned.key), None
    if target is not None and weighting == "transferability":
        weights = gene_weights(state, target, block_size=block_size)
        if weights is not None:
            state = _learned(source, space, cells, classifier, key=aligned.key, weights=weights)
    chosen = {"method": selection, "n_top_genes": n_top_genes, "with_target": target is not None}
    return state.with_card(
        **source_card(source, space, orthologs=orthologs),
        selection=chosen | ({} if target is None else _told(weights)),
    )


def _learned(
    source: Source,
    space: FeatureSpace,
    cells: EncodedCells,
    classifier: ConsensusClassifier,
    *,
    key: str,
    weights: NDArray[np.float32] | None = None,
) -> ModelState:
    """Fit the folds on encoded cells, whose genes may be weighted, and gather what goes with them."""
    X, memory = cells.matrix, source.table.rows.memory
    weighted = X if weights is None else cells.weighted(weights, memory=memory).matrix
    kept = _kept_fits(source, classifier, key=key, weights=weights)
    classifier.fit(weighted, source.labels.astype(str), groups=source.batch, kept=kept)
    classes = np.asarray(classifier.classes_, dtype=object)
    codes = pd.Index(classes).get_indexer(pd.Index(source.labels))
    held_out = np.nan_to_num(classifier.held_out_scores_.astype(np.float64))
    state = ModelState(
        space=space,
        classes=classes,
        coef=classifier.coef_ if weights is None else classifier.coef_ * weights,
        intercept=classifier.intercept_,
        temperature=classifier.temperature_,
        profiles=class_profiles(
            (rows, one_hot(codes[where], len(classes))) for where, rows in cells.blocks(AT_ONCE)
        ),
        called=called_means(X, held_out, codes, temperature=classifier.temperature_),
        card={},
    )
    return state.with_card(
        **fit_card(classifier, codes=codes, classes=classes),
        unknown=learned_unknown(cells, codes, state.profiles, margins(held_out)).to_dict(),
        margins=asdict(MarginScale.learn(held_out)),
        top_genes=top_genes(state),
    )


def _told(weights: NDArray[np.float32] | None) -> dict[str, Any]:
    """Say by what genes are weighted, and how many of them count less than half."""
    if weights is None:
        return {"gene_weights": "none"}
    return {"gene_weights": "transferability", "n_below_half": int(np.count_nonzero(weights < 0.5))}


def _kept_fits(
    source: Source, classifier: ConsensusClassifier, *, key: str, weights: NDArray[np.float32] | None
) -> KeptFits | None:
    """Return where the fits of the folds are kept for a run that goes on; None to keep nothing."""
    memory = source.table.rows.memory
    if memory.parts is None:
        return None
    batch = [] if source.batch is None else source.batch.tolist()
    cells = (key, source.table.rows.origin, source.labels.tolist(), batch)
    name, worth = ("fits", ()) if weights is None else ("weighted fits", (weights,))
    return KeptFits(memory.parts / name, key_of(dict(memory.key), *cells, classifier.get_params(), *worth))


def learned_unknown(
    cells: EncodedCells, codes: NDArray[np.intp], profiles: ClassProfiles, ahead: NDArray[np.float64]
) -> UnknownRule:
    """Return what is usual for the source's cells, each taken out of the mean of its class."""
    views = Views.joined(
        [
            view_cells(rows, codes[where], profiles=profiles, own=codes[where], ahead=ahead[where])
            for where, rows in cells.blocks(AT_ONCE)
        ]
    )
    among = neighbours_of(cells.matrix)
    return UnknownRule.learn(views, codes, n_classes=len(profiles.n_cells), neighbours=among)


def source_card(source: Source, space: FeatureSpace, *, orthologs: OrthologMap) -> dict[str, Any]:
    """Describe what the model was trained on."""
    table = source.table
    names, cells = np.unique(source.labels.astype(str), return_counts=True)
    return {
        "orthotype_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "species": table.species,
        "target_species": space.orthologs.target,
        "labels": source.label_column,
        "n_cells": table.n_cells,
        "n_unlabelled": source.n_unlabelled,
        "cells_per_class": dict(zip(names.tolist(), cells.tolist(), strict=True)),
        "class_ontology_term_ids": {name: source.ontology[name] for name in names if name in source.ontology},
        "n_batches": None if source.batch is None else len(set(source.batch)),
        "counts": {"where": table.counts.where, "scale": table.counts.scale},
        "genes": table.genes.to_dict(),
        "coverage": orthologs.coverage(table.genes, species=table.species, totals=table.totals).to_dict(),
        "ortholog_table": dict(orthologs.report),
        **({"sources": list(source.sources)} if source.sources else {}),
        "n_features": len(space.orthologs.names),
        "n_selected": len(space.selected),
    }


def fit_card(
    classifier: ConsensusClassifier, *, codes: NDArray[np.intp], classes: NDArray[np.object_]
) -> dict[str, Any]:
    """Describe the fit and how good it is on cells that the scoring model had not seen."""
    scores = classifier.held_out_scores_
    proba = softmax(scores / classifier.temperature_)
    true, called = classes[codes], classes[scores.argmax(axis=1)]
    table = metrics.per_class(true, called)
    return {
        "alpha": classifier.alpha_,
        "alphas": [float(alpha) for alpha in classifier.path_.alphas],
        "held_out_losses": [float(np.nanmean(losses)) for losses in classifier.path_.losses],
        "n_models": classifier.n_models_,
        "random_state": classifier.random_state,
        "held_out": {
            "accuracy": float(metrics.accuracy(true, called)),
            "mean_recall": float(metrics.mean_recall(true, called)),
            "macro_f1": float(metrics.macro_f1(true, called)),
            "expected_calibration_error": float(
                metrics.expected_calibration_error(true, called, proba.max(axis=1))
            ),
            "recall": {str(name): float(table.loc[name, "recall"]) for name in classes},
        },
    }


def top_genes(state: ModelState) -> dict[str, list[dict[str, Any]]]:
    """Return the genes that speak most for each class, with weight and mean in the source."""
    weights, means, names = state.mean_coef, state.profiles.mean, state.space.names
    return {
        str(name): [
            {
                "gene": str(names[j]),
                "weight": round(float(weights[k, j]), 6),
                "source_mean": round(float(means[k, j]), 6),
            }
            for j in state.top_features(k)
        ]
        for k, name in enumerate(state.classes)
    }
