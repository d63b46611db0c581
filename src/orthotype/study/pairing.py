"""From two AnnData to one pair: checked, classes matched, encoded in features of both species."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.columns import label_values, ontology_ids
from orthotype.cells.encode import encoder_from
from orthotype.cells.space import FeatureSpace, build_space
from orthotype.cells.table import BLOCK_SIZE, CellTable, check_column, open_cells, warn_of_repeated
from orthotype.errors import InputError, Problems, listed
from orthotype.study.learners import Codes
from orthotype.study.pair import Pair, Side
from orthotype.study.recipe import Recipe
from orthotype.transfer.annotated import match_classes
from orthotype.transfer.fitting import Source, choose_orthologs, open_source

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from orthotype.genes.orthologs import OrthologMap


@dataclass(frozen=True)
class Columns:
    """Which columns and words the user named.

    Attributes
    ----------
    source_labels, target_labels
        obs columns with the classes; the target's may be None.
    source_groups, target_groups
        obs columns with donors or batches, or None.
    source_species, target_species
        Species; None lets the gene names decide.
    source_layer, target_layer
        Where the counts are; None to find them.
    """

    source_labels: str
    target_labels: str | None = None
    source_groups: str | None = None
    target_groups: str | None = None
    source_species: str | None = None
    target_species: str | None = None
    source_layer: str | None = None
    target_layer: str | None = None


def make_pair(
    source: "AnnData",
    target: "AnnData",
    *,
    columns: Columns,
    recipe: Recipe,
    orthologs: "pd.DataFrame | str | Path | None" = None,
    block_size: int = BLOCK_SIZE,
) -> Pair:
    """Return both data sets encoded in one feature space, with their classes matched.

    Parameters
    ----------
    source, target
        Cells x genes; never changed. Source cells without a label are left out.
    columns
        Where labels, donors and counts are.
    recipe
        Encoder, ortholog policy and gene selection.
    orthologs
        A table of orthologs to use instead of the bundled one.
    block_size
        Rows per block; no result depends on it.

    Raises
    ------
    InputError
        With every problem of a side at once; or if target labels share no class with the source.
    """
    learned, table = _open_source(source, columns, recipe), _open_target(target, columns)
    classes = tuple(sorted({str(name) for name in learned.labels}))
    matched = _match(target, columns.target_labels, classes, learned.ontology)
    features = choose_orthologs(
        learned.table.species, target=table, target_species=None, policy=recipe.policy, table=orthologs
    )
    space = build_space(
        learned.table,
        orthologs=features,
        encoder=encoder_from(recipe.encoder),
        target=table,
        n_top_genes=recipe.n_top_genes,
        selection=recipe.selection,
        block_size=block_size,
    )
    names = (*classes, *matched.target_only)
    _check_names(names)
    groups = None if columns.target_groups is None else target.obs[columns.target_groups].to_numpy()
    return Pair(
        source=_side(learned.table, space, learned.labels, names, groups=learned.batch, size=block_size),
        target=_side(table, space, matched.labels, names, groups=groups, size=block_size),
        classes=classes,
        target_only=matched.target_only,
        features=tuple(str(name) for name in space.names),
        ontology={**matched.ontology, **learned.ontology},
        facts={
            "source": _described(source, learned.table, columns.source_labels, columns.source_groups),
            "target": _described(target, table, columns.target_labels, columns.target_groups),
            "matches": matched.notes,
            **_gene_facts(learned, table, features, space),
        },
    )


def _check_names(names: tuple[str, ...]) -> None:
    """Refuse classes whose names the tables of a study use for rows over all classes."""
    taken = sorted({"all", "all labelled"} & set(names))
    if taken:
        raise InputError(
            f"a class is named {listed(taken)}, which in the tables of a study is the row over all classes; "
            "expected names of cell types; rename the class"
        )


def _side(
    table: CellTable,
    space: FeatureSpace,
    labels: NDArray[np.object_],
    names: tuple[str, ...],
    *,
    groups: "NDArray[np.object_] | None",
    size: int,
) -> Side:
    return Side(
        species=table.species,
        cells=table.names.astype(str),
        X=encode(table, space, block_size=size),
        codes=_codes(labels, names),
        groups=None if groups is None else np.array([str(group) for group in groups]),
    )


def _gene_facts(
    learned: Source, table: CellTable, features: "OrthologMap", space: FeatureSpace
) -> dict[str, Any]:
    """Return what became of the genes of both sides."""
    return {
        "unlabelled_source_cells": learned.n_unlabelled,
        "features_on_offer": len(space.orthologs.names),
        "ortholog_policy": features.policy,
        "ortholog_release": dict(features.release),
        "coverage": {
            side: features.coverage(cells.genes, species=cells.species, totals=cells.totals).to_dict()
            for side, cells in (("source", learned.table), ("target", table))
        },
    }


def encode(table: CellTable, space: FeatureSpace, *, block_size: int) -> sp.csr_array:
    """Return all cells as encoded rows, (n, n_selected) CSR float32 with sorted indices."""
    aligned = space.align(table.genes, species=table.species)
    blocks = [rows for _, rows in aligned.blocks(table.rows, size=block_size)]
    X = sp.csr_array(sp.vstack(blocks, format="csr"), dtype=np.float32)
    X.sort_indices()
    return X


@dataclass(frozen=True)
class _Matched:
    labels: NDArray[np.object_]
    target_only: tuple[str, ...]
    ontology: dict[str, str]
    notes: list[str]


def _open_source(source: "AnnData", columns: Columns, recipe: Recipe) -> Source:
    return open_source(
        source,
        labels=columns.source_labels,
        species=columns.source_species,
        batch=columns.source_groups,
        layer=columns.source_layer,
        min_cells=recipe.min_cells,
        subject="the source",
    )


def _open_target(target: "AnnData", columns: Columns) -> CellTable:
    problems = Problems("the target")
    for name in (columns.target_labels, columns.target_groups):
        if name is not None:
            check_column(target, name, problems=problems)
    table = open_cells(
        target,
        subject="the target",
        species=columns.target_species,
        layer=columns.target_layer,
        problems=problems,
    )
    warn_of_repeated(table.genes, "the target")
    return table


def _match(
    target: "AnnData", labels: str | None, classes: tuple[str, ...], ids: Mapping[str, str]
) -> _Matched:
    """Give target labels the names that the source uses; name by name, by spelling, or by ontology id.

    Raises
    ------
    InputError
        If no target label is a source class.
    """
    if labels is None:
        return _Matched(np.full(target.n_obs, None, dtype=object), (), {}, [])
    given = label_values(target.obs[labels])
    present = sorted({name for name in given if name is not None})
    same = match_classes(present, classes, ids=ontology_ids(target, labels), class_ids=ids)
    renamed = {name: same[name][0] if name in same else name for name in present}
    if not set(renamed.values()) & set(classes):
        raise InputError(
            f"the target: no label in {labels!r} ({listed(present) or 'no labels'}) is a source class "
            f"({listed(classes)}); expected at least one in common; rename the classes of one side, or run "
            "the study without target labels"
        )
    return _Matched(
        labels=np.array([None if name is None else renamed[name] for name in given], dtype=object),
        target_only=tuple(sorted(set(renamed.values()) - set(classes))),
        ontology={renamed[name]: term for name, term in ontology_ids(target, labels).items()},
        notes=[
            f"{name!r} (target) is {partner!r} (source): {reason}" for name, (partner, reason) in same.items()
        ],
    )


def _codes(labels: NDArray[np.object_], names: tuple[str, ...]) -> Codes:
    place = {name: code for code, name in enumerate(names)}
    return np.array([-1 if label is None else place[str(label)] for label in labels], dtype=np.intp)


def _described(adata: "AnnData", table: CellTable, labels: str | None, groups: str | None) -> dict[str, Any]:
    return {
        "species": table.species,
        "cells": table.n_cells,
        "genes": int(adata.n_vars),
        "gene_names": table.genes.kind,
        "counts": f"{table.counts.where} ({table.counts.scale})",
        "labels": labels,
        "groups": groups,
    }
