"""What adapting is asked for, checked before any work: labels, cells, names and target, all at once."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.checks import check_random_state
from orthotype.cells.clusters import Table
from orthotype.cells.columns import ontology_ids
from orthotype.cells.few_labels import few_labels
from orthotype.cells.table import CellTable, open_cells
from orthotype.errors import InputError, Problems
from orthotype.transfer.adapt.names import Names, match_names
from orthotype.transfer.coverage import check_species
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from anndata import AnnData

    from orthotype.cells.backed import StoredCells

SUBJECT = "the labelled target cells"


class Asked(NamedTuple):
    """What to learn from.

    Attributes
    ----------
    table
        The cells.
    labels
        Label of each, None where it has none, shape (n_cells,).
    names
        What the labels are to the model.
    target
        Further cells, or None.
    """

    table: CellTable
    labels: NDArray[np.object_]
    names: Names
    target: CellTable | None


def check_adapting(
    state: ModelState,
    few: "AnnData | StoredCells",
    labels: Table,
    *,
    clusters: str | None,
    species: str | None,
    layer: str | None,
    target: "AnnData | StoredCells | None",
    new_classes: Collection[str],
    complete: bool,
    strength: float | str,
    random_state: int,
    look_first: bool | None = None,
) -> Asked:
    """Check everything that adapting rests on.

    The parameters are those of :meth:`orthotype.LabelTransfer.adapt`, ``look_first`` as for
    :func:`orthotype.cells.table.open_cells`.

    Raises
    ------
    InputError
        With every problem of labels, names and cells at once.
    """
    problems = Problems(SUBJECT)
    given = few_labels(few, labels, clusters=clusters, problems=problems)
    present = {label for label in given if label is not None}
    ids = _ids(few, labels) if isinstance(labels, str) and clusters is None else {}
    fresh = [new_classes] if isinstance(new_classes, str) else [str(name) for name in new_classes]
    names = match_names(present, state, ids=ids, new_classes=fresh, problems=problems)
    if complete and len({names.known.get(label, label) for label in present}) == 1:
        problems.add(
            "the labels name one class and are said to be complete", expected="labels of at least two classes"
        )
    check_random_state(random_state, problems=problems)
    if strength != "auto" and not _positive(strength):
        problems.add(f"strength is {strength!r}", expected='"auto" or a positive number')
    table = open_cells(
        few, subject=SUBJECT, species=species, layer=layer, problems=problems, look_first=look_first
    )
    check_species(state, table.species)
    others = None
    if target is not None:
        others = open_cells(target, subject="the target", species=species, layer=layer, look_first=look_first)
        if others.species != table.species:
            raise InputError(
                f"the labelled cells are {table.species}, the target is {others.species}; "
                "expected cells of one species; adapt the model to each species by itself"
            )
    return Asked(table, given, names, others)


def _positive(strength: Any) -> bool:
    return isinstance(strength, int | float) and bool(np.isfinite(strength)) and strength > 0


def _ids(few: "AnnData | StoredCells", labels: str) -> dict[str, str]:
    if labels not in few.obs or Path(labels).is_file():
        return {}
    return ontology_ids(few, labels)
