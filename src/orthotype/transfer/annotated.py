"""An annotation read back from AnnData: what was said of each cell, by which model, and how right it was."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import CONFIDENCE, ENTROPY, KEY, LABEL, PROBA, STATUS, VOTES, column
from orthotype.cells.columns import holds_names, label_values, ontology_ids
from orthotype.cells.table import check_column
from orthotype.errors import Problems, listed
from orthotype.metrics import Evaluation, evaluate

if TYPE_CHECKING:
    from anndata import AnnData


# What a record cannot do without.
NEEDED = ("classes", "model_hash", "details")


@dataclass(frozen=True)
class Annotated:
    """Labels of cells with the record of how they were made.

    Attributes
    ----------
    predictions
        label, confidence, entropy, votes and status of each cell.
    proba
        Class probabilities, cells x classes.
    classes
        Classes of the model.
    model_hash
        The model's name in annotations.
    details
        The model's card, the gene coverage, the run.
    """

    predictions: pd.DataFrame
    proba: NDArray[np.floating]
    classes: tuple[str, ...]
    model_hash: str
    details: dict[str, Any]

    @property
    def card(self) -> dict[str, Any]:
        """The card of the model."""
        return dict(self.details["card"])


def read_annotation(adata: "AnnData", *, key_added: str = KEY, subject: str = "the data") -> Annotated:
    """Return what ``annotate`` wrote into an AnnData.

    Raises
    ------
    InputError
        If columns or the record are missing.
    """
    names = [LABEL, CONFIDENCE, ENTROPY, VOTES, STATUS]
    _check_annotation(adata, [column(name, key_added=key_added) for name in names], key_added, subject)
    record = adata.uns[key_added]
    frame = pd.DataFrame({name: adata.obs[column(name, key_added=key_added)] for name in names})
    return Annotated(
        predictions=frame,
        proba=np.asarray(adata.obsm[column(PROBA, key_added=key_added)]),
        classes=tuple(str(name) for name in record["classes"]),
        model_hash=str(record["model_hash"]),
        details=json.loads(str(record["details"])),
    )


def _check_annotation(adata: "AnnData", names: list[str], key_added: str, subject: str) -> None:
    """Refuse cells without an annotation, or with a part of one."""
    problems = Problems(subject)
    missing = [name for name in names if name not in adata.obs]
    record, proba = adata.uns.get(key_added, {}), column(PROBA, key_added=key_added)
    lost = [name for name in NEEDED if not hasattr(record, "keys") or name not in record]
    if missing:
        problems.add(
            f"it holds no annotation under {key_added!r} (no {listed(missing)})",
            expected="cells annotated by orthotype",
            remedy="run orthotype annotate first",
        )
    elif lost:
        part = f" ({listed(lost)} missing)" if len(lost) < len(NEEDED) else ""
        problems.add(
            f"it has the columns of an annotation, but not its record uns[{key_added!r}]{part}",
            expected="the record of how the labels were made",
            remedy='join parts of one annotation with anndata.concat(..., uns_merge="same"), which keeps it; '
            "cells that were annotated apart need to be annotated again after joining",
        )
    elif proba not in adata.obsm:
        problems.add(
            f"it has the columns of an annotation, but no obsm[{proba!r}]",
            expected="the class probabilities of each cell",
            remedy="keep obsm, or run orthotype annotate again",
        )
    problems.raise_if_any()


def remember_run(adata: "AnnData", *, key_added: str = KEY, command: str, files: Mapping[str, str]) -> None:
    """Add the command and the files of a run to the record of an annotation, in place."""
    record = adata.uns[key_added]
    details = json.loads(record["details"])
    details["run"] |= {"command": command, "files": dict(files)}
    record["details"] = json.dumps(details, ensure_ascii=False, allow_nan=False)


def evaluate_annotation(
    adata: "AnnData",
    *,
    labels: str,
    groups: str | None = None,
    key_added: str = KEY,
    subject: str = "the data",
    random_state: int = 0,
) -> Evaluation:
    """Score an annotation against given labels.

    A true class and a class of the model are held to be the same if their names are, if the names differ only
    in case, spaces, hyphens or underscores, or if both have the same Cell Ontology id and no other partner.
    Every match that is not by the very name is told in ``notes``.

    Parameters
    ----------
    adata
        Annotated cells.
    labels
        obs column with the true classes.
    groups
        obs column with donors or batches; intervals then resample them. Cells without one are left out.
    key_added
        Key of the annotation.
    random_state
        Seed of the intervals.

    Raises
    ------
    InputError
        If there is no annotation or no such column, the labels are measurements, or no class is shared.
    """
    donors, kept = _check_columns(adata, labels, groups, subject)
    found = read_annotation(adata, key_added=key_added, subject=subject)
    true = label_values(adata.obs[labels])
    same = match_classes(
        sorted({name for name in true if name is not None}),
        found.classes,
        ids=ontology_ids(adata, labels),
        class_ids=found.card.get("class_ontology_term_ids", {}),
    )
    renamed = [None if name is None else same.get(name, (name,))[0] for name in true]
    result = evaluate(
        np.array(renamed, dtype=object)[kept],
        found.predictions[LABEL].astype(str).to_numpy(dtype=object)[kept],
        source_classes=found.classes,
        proba=found.proba[kept],
        classes=found.classes,
        confidence=found.predictions[CONFIDENCE].to_numpy()[kept],
        groups=None if donors is None else donors[kept],
        random_state=random_state,
    )
    notes = [f"{name!r} is the model's {partner!r}: {reason}" for name, (partner, reason) in same.items()]
    n = int((~kept).sum())
    if n:
        have, are = ("cell has", "is") if n == 1 else ("cells have", "are")
        notes.append(f"{n:,} {have} no value in {groups!r} and {are} left out.")
    return replace(result, notes=(*notes, *result.notes))


def _check_columns(
    adata: "AnnData", labels: str, groups: str | None, subject: str
) -> tuple[NDArray[np.object_] | None, NDArray[np.bool_]]:
    """Return the group of each cell, if there are groups, and which cells have one."""
    problems = Problems(subject)
    for name in (labels, groups):
        if name is not None:
            check_column(adata, name, problems=problems)
    if labels in adata.obs:
        holds_names(adata.obs[labels], labels, problems=problems)
    donors = None if groups is None or groups not in adata.obs else label_values(adata.obs[groups])
    kept = np.ones(adata.n_obs, dtype=bool)
    if donors is not None:
        kept = np.array([donor is not None for donor in donors], dtype=bool)
        if not kept.any():
            problems.add(
                f"no cell has a value in obs column {groups!r}",
                expected="a donor or batch for some cells",
            )
    problems.raise_if_any()
    return donors, kept


def match_classes(
    names: list[str],
    classes: tuple[str, ...],
    *,
    ids: Mapping[str, str],
    class_ids: Mapping[str, str],
) -> dict[str, tuple[str, str]]:
    """Return the partners of true classes that the model spells in another way, each with the reason.

    >>> match_classes(["T-cell", "beta"], ("T_cell", "beta"), ids={}, class_ids={})
    {'T-cell': ('T_cell', 'the names differ only in spelling')}
    """
    free_names = [name for name in names if name not in classes]
    free_classes = [name for name in classes if name not in names]
    found: dict[str, tuple[str, str]] = {}
    for key_of, key_of_class, reason in (
        (_plain, _plain, "the names differ only in spelling"),
        (
            lambda name: ids.get(name, ""),
            lambda name: class_ids.get(name, ""),
            "both have the same Cell Ontology id",
        ),
    ):
        theirs, ours = _unique(free_names, key_of), _unique(free_classes, key_of_class)
        for key, name in theirs.items():
            if key and key in ours:
                found[name] = (ours[key], reason)
        free_names = [name for name in free_names if name not in found]
        partners = {partner for partner, _ in found.values()}
        free_classes = [name for name in free_classes if name not in partners]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name).strip().casefold()


def _unique(names: list[str], key_of: Any) -> dict[str, str]:
    keys = [key_of(name) for name in names]
    return {key: name for key, name in zip(keys, names, strict=True) if keys.count(key) == 1}
