"""Roll-up: where the leaf is uncertain and the parent is not, the label is the parent.

A cell may be an alpha or a delta cell, and surely endocrine. A term of the Cell Ontology stands for all
classes of the model that are a kind of it, and its probability is the sum of theirs. The label of a cell is
the most specific node that reaches a stated level::

    P(t) = sum of p_k over the classes k that are a kind of t
    label = the node with P >= level that holds the fewest classes; among these the one that says most

Calibrated class probabilities have calibrated sums, so that at level 0.9 at least nine labels in ten hold,
whether they are leaves or parents; fewer if the probabilities promise too much. A class itself always comes
before a parent.

Some nodes say nothing. Left out are terms that hold more than a quarter of all terms ("cell", "eukaryotic
cell", "neural cell"), terms for what a cell does or has instead of what it is ("motile cell", "secretory
cell", "nucleate cell", ...), terms that hold every class of the model (they are certain whatever the cell),
and terms that hold a single class (the class says more). With a lineage in place of the ontology, a node
stands for a cell type and all that comes from it, and is written "X or later"; the roots are left out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, KEY, STATUS, UNKNOWN
from orthotype.errors import InputError
from orthotype.lineage import CellOntology, Lineage
from orthotype.metrics.spelling import spelling
from orthotype.transfer.annotated import read_annotation

if TYPE_CHECKING:
    from anndata import AnnData

LEVEL: Final = 0.9
LARGEST: Final = 0.25
ROLLED_UP: Final = "rolled up"
UNDECIDED: Final = "undecided"
# Terms for what a cell does or has; the ontology puts them right below "cell".
QUALITIES: Final = frozenset(
    {
        "CL:0000151",  # secretory cell
        "CL:0000154",  # protein secreting cell
        "CL:0000183",  # contractile cell
        "CL:0000211",  # electrically active cell
        "CL:0000219",  # motile cell
        "CL:0000225",  # anucleate cell
        "CL:0000226",  # single nucleate cell
        "CL:0000228",  # multinucleate cell
        "CL:0000325",  # stuff accumulating cell
        "CL:0000329",  # oxygen accumulating cell
        "CL:0000393",  # electrically responsive cell
        "CL:0000404",  # electrically signaling cell
        "CL:0000412",  # polyploid cell
        "CL:0000413",  # haploid cell
        "CL:0000415",  # diploid cell
        "CL:0000422",  # mitogenic signaling cell
        "CL:0000424",  # excretory cell
        "CL:0000630",  # supporting cell
        "CL:0002242",  # nucleate cell
        "CL:0011115",  # precursor cell
    }
)


@dataclass(frozen=True)
class RollUp:
    """The most specific node of each of n cells that reaches the level.

    Attributes
    ----------
    label
        Name of the class or of the node, "" where none reaches the level, shape (n,).
    term
        Its Cell Ontology id, "" where there is none, shape (n,).
    probability
        Its probability; that of the most probable class where no node reaches the level, shape (n,).
    depth
        Steps from the most probable class in it up to it: 0 for a class, -1 for no node, shape (n,).
    n_classes
        Classes of the model that it holds, 0 for no node, shape (n,).
    """

    label: NDArray[np.object_]
    term: NDArray[np.object_]
    probability: NDArray[np.float64]
    depth: NDArray[np.intp]
    n_classes: NDArray[np.intp]


class Node(NamedTuple):
    """A node that may become a label.

    Attributes
    ----------
    label, term
        Name and Cell Ontology id.
    steps
        Steps up to it from each class that it holds.
    says
        How much it says; of nodes with equally many classes the one that says most is taken.
    """

    label: str
    term: str
    steps: dict[int, int]
    says: float


def roll_up(
    adata: "AnnData",
    *,
    level: float = LEVEL,
    lineage: Lineage | str | Path | None = None,
    key_added: str = KEY,
) -> pd.DataFrame:
    """Return the most specific label of each annotated cell that is as certain as asked for.

    Parameters
    ----------
    adata
        Annotated cells; never changed.
    level
        Probability that a label must reach, above 0.5 and at most 1.
    lineage
        A lineage, or a file with one, to climb instead of the Cell Ontology.
    key_added
        Key of the annotation.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``label``; ``ontology_term_id``; ``probability``; ``depth``, the steps up from the
        most probable class; ``classes``, how many classes of the model the label holds; ``most_probable``,
        the class; ``status``: "assigned" to a class, "rolled up" to a node above it, "undecided" where no
        node reaches the level (no label), or "unknown" as in the annotation.

    Raises
    ------
    InputError
        If the cells are not annotated, the level has no meaning, or no class has a place in the ontology or
        in the lineage.

    Examples
    --------
    >>> import orthotype as ot
    >>> mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
    >>> table = ot.roll_up(model.annotate(human, species="human"))
    >>> "pancreatic endocrine cell" in set(table.loc[table["status"] == "rolled up", "label"])
    True
    """
    found = read_annotation(adata, key_added=key_added)
    if lineage is not None and not isinstance(lineage, Lineage):
        lineage = Lineage.read(lineage)
    rolled = roll_up_proba(
        found.proba,
        found.classes,
        dict(found.card.get("class_ontology_term_ids") or {}),
        level=level,
        lineage=lineage,
    )
    unknown = found.predictions[STATUS].astype(str).to_numpy() == UNKNOWN
    status = np.select(
        [unknown, rolled.depth == 0, rolled.depth > 0], [UNKNOWN, ASSIGNED, ROLLED_UP], default=UNDECIDED
    )
    return pd.DataFrame(
        {
            "label": np.where(unknown, UNKNOWN, rolled.label),
            "ontology_term_id": np.where(unknown, "", rolled.term),
            "probability": np.where(unknown, np.nan, rolled.probability),
            "depth": np.where(unknown, -1, rolled.depth),
            "classes": np.where(unknown, 0, rolled.n_classes),
            "most_probable": np.array(found.classes, dtype=object)[found.proba.argmax(axis=1)],
            "status": pd.Categorical(status, categories=[ASSIGNED, ROLLED_UP, UNDECIDED, UNKNOWN]),
        },
        index=adata.obs_names,
    )


def rolled_labels(
    proba: NDArray[np.floating],
    classes: NDArray[np.object_],
    ontology_ids: NDArray[np.object_],
    *,
    unknown: NDArray[np.bool_],
) -> pd.Categorical | None:
    """Return the label of each cell at the default level, for the columns of an annotation.

    Parameters
    ----------
    proba
        Class probabilities, shape (n, n_classes).
    classes, ontology_ids
        Names of the classes and their Cell Ontology ids, "" where none is known, shape (n_classes,).
    unknown
        Cells that fit no class, shape (n,).

    Returns
    -------
    Names of classes and of terms above them, "undecided" where none is certain enough, "unknown"; None for a
    model of which fewer than two classes have a place in the ontology.
    """
    ids = dict(zip(map(str, classes), map(str, ontology_ids), strict=True))
    ontology = CellOntology.bundled()
    if sum(term in ontology for term in ids.values()) < 2:
        return None
    found = roll_up_proba(proba, classes, ids).label
    labels = np.where(unknown, UNKNOWN, np.where(found == "", UNDECIDED, found)).astype(object)
    above = sorted(set(labels.tolist()) - {*ids, UNDECIDED, UNKNOWN})
    return pd.Categorical(labels, categories=[*ids, *above, UNDECIDED, UNKNOWN])


def roll_up_proba(
    proba: NDArray[np.floating],
    classes: Sequence[str] | NDArray[np.object_],
    ontology_ids: Mapping[str, str],
    *,
    level: float = LEVEL,
    lineage: Lineage | None = None,
) -> RollUp:
    """Roll class probabilities up the Cell Ontology, or a lineage.

    Parameters
    ----------
    proba
        Class probabilities, shape (n, n_classes).
    classes
        Names of the classes.
    ontology_ids
        Class to Cell Ontology id; classes without one can only be labels themselves.
    level
        Probability that a label must reach, above 0.5 and at most 1.
    lineage
        Climbed instead of the ontology where given.

    Raises
    ------
    InputError
        If the level has no meaning, or fewer than two classes have a place in what is to be climbed.
    """
    if not 0.5 < level <= 1:
        raise InputError(f"level is {level}; expected a probability above 0.5 and at most 1, such as 0.9")
    names = [str(name) for name in classes]
    ids = {name: term for name, term in ontology_ids.items() if term}
    nodes = _ontology_nodes(names, ids) if lineage is None else _lineage_nodes(names, lineage)
    table = np.asarray(proba, dtype=np.float64)
    n, best = len(table), table.argmax(axis=1)
    rolled = RollUp(
        label=np.full(n, "", dtype=object),
        term=np.full(n, "", dtype=object),
        probability=table.max(axis=1),
        depth=np.full(n, -1, dtype=np.intp),
        n_classes=np.zeros(n, dtype=np.intp),
    )
    leaves = [Node(name, ids.get(name, ""), {k: 0}, 1.0) for k, name in enumerate(names)]
    for node in [*leaves, *sorted(nodes, key=lambda node: (len(node.steps), -node.says, node.label))]:
        held = np.array(sorted(node.steps))
        total = table[:, held].sum(axis=1)
        here = np.flatnonzero((rolled.depth < 0) & (total >= level - 1e-9))
        rolled.label[here], rolled.term[here] = node.label, node.term
        rolled.probability[here], rolled.n_classes[here] = total[here], len(held)
        first = best[here] if len(held) == 1 else held[table[np.ix_(here, held)].argmax(axis=1)]
        rolled.depth[here] = [node.steps.get(int(k), 0) for k in first]
    return rolled


def _ontology_nodes(names: list[str], ids: dict[str, str]) -> list[Node]:
    """Return the terms above the classes that say something."""
    ontology = CellOntology.bundled()
    placed = {k: ontology.id(ids[name]) for k, name in enumerate(names) if ids.get(name, "") in ontology}
    _need_two(len(placed), "a Cell Ontology id that the bundled ontology knows", "give a lineage")
    above: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for k, term in placed.items():
        for ancestor, steps in _steps_up(ontology, term).items():
            above[ancestor][k] = steps
    return [
        Node(ontology.name(term), term, steps, ontology.information(term))
        for term, steps in above.items()
        if 1 < len(steps) < len(names) and term not in QUALITIES and ontology.share(term) <= LARGEST
    ]


def _steps_up(ontology: CellOntology, term: str) -> dict[str, int]:
    """Return how many steps above a term each of its ancestors is, itself at 0."""
    steps, front = {term: 0}, [term]
    while front:
        parents = {parent for child in front for parent in ontology.parents(child)} - steps.keys()
        depth = steps[front[0]] + 1
        steps |= dict.fromkeys(sorted(parents), depth)
        front = sorted(parents)
    return steps


def _lineage_nodes(names: list[str], lineage: Lineage) -> list[Node]:
    """Return the cell types of a lineage with what comes from them, roots left out."""
    code = {spelling(name): k for k, name in enumerate(names)}
    known = {name: code[spelling(name)] for name in lineage.names if spelling(name) in code}
    _need_two(len(known), "a place in the lineage", f"it has {', '.join(lineage.names[:5])}")
    children: defaultdict[str, list[str]] = defaultdict(list)
    for parent, child in lineage.edges:
        children[parent].append(child)
    roots = set(lineage.names) - {child for _, child in lineage.edges}
    nodes = []
    for name in lineage.names:
        steps: dict[int, int] = {}
        front, passed, depth = [name], {name}, 0
        while front:
            steps |= {known[each]: depth for each in front if each in known and known[each] not in steps}
            front = sorted({child for each in front for child in children[each]} - passed)
            passed |= set(front)
            depth += 1
        if name not in roots and 1 < len(steps) < len(names):
            raised = {k: max(step, 1) for k, step in steps.items()}
            nodes.append(Node(f"{name} or later", "", raised, -float(len(passed))))
    return nodes


def _need_two(n: int, what: str, remedy: str) -> None:
    if n < 2:
        raise InputError(f"{n} of the model's classes has {what}; expected at least two; {remedy}")
