"""What a model says about cells: one row per cell, ready for a table or for AnnData."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import (
    ASSIGNED,
    CONFIDENCE,
    ENTROPY,
    GROUP,
    KEY,
    LABEL,
    NEAREST,
    NO_AGREEMENT,
    ONTOLOGY,
    PROBA,
    ROLLED_UP,
    SET,
    STATUS,
    UNKNOWN,
    VOTES,
    column,
)
from orthotype.cells.backed import annotations_of
from orthotype.errors import InputError, listed
from orthotype.metrics import softmax_entropy

if TYPE_CHECKING:
    from anndata import AnnData

    from orthotype.cells.backed import StoredCells

# Every column of obs that an annotation may have.
IN_OBS: Final = (
    *(LABEL, CONFIDENCE, ENTROPY, VOTES, STATUS, NEAREST, ONTOLOGY),
    *(GROUP, ROLLED_UP, SET),
)
STATUSES = (ASSIGNED, NO_AGREEMENT, UNKNOWN)


def check_key(key: Any) -> None:
    """Refuse a prefix of columns that a file could not hold.

    Raises
    ------
    InputError
        If it is no text, is empty, or holds a slash, which HDF5 takes for a folder.
    """
    if not isinstance(key, str) or not key.strip() or "/" in key:
        raise InputError(
            f"the key {key!r} cannot be a prefix of columns; expected a word without a slash, such as {KEY!r}"
        )


def written_columns(key_added: str) -> frozenset[str]:
    """Return the names of all columns of obs that an annotation under this key may have."""
    return frozenset(column(name, key_added=key_added) for name in IN_OBS)


def columns_in(obs: pd.DataFrame, *, key_added: str = KEY) -> list[str]:
    """Return the columns of obs that an annotation under this key writes, in their order.

    Other columns may begin with the key, too: ``cell_type`` with the key ``cell``.
    """
    written = written_columns(key_added)
    return [name for name in obs if name in written]


def check_free(cells: "AnnData | StoredCells", *, key_added: str = KEY) -> None:
    """Refuse to replace what has the name of a result and is of no earlier annotation under this key.

    Cells that were put together have lost the record of theirs, and still have every column.

    Raises
    ------
    InputError
        With the names, if there are any.
    """
    always = {column(name, key_added=key_added) for name in (LABEL, CONFIDENCE, ENTROPY, VOTES, STATUS)}
    if key_added in annotations_of(cells) or always <= set(cells.obs):
        return
    proba = column(PROBA, key_added=key_added)
    taken = [("obs column", name) for name in columns_in(cells.obs, key_added=key_added)]
    taken += [("obsm array", proba)] if proba in cells.obsm else []
    if taken:
        kind = " and ".join(dict.fromkeys(kind for kind, _ in taken))
        raise InputError(
            f"the target has the {kind} {listed(name for _, name in taken)}, which annotate would replace, "
            f"but no record uns[{key_added!r}] of an earlier annotation; expected results of orthotype or "
            "none of these names; pass another key (key_added=..., --key), or remove them"
        )


@dataclass(frozen=True)
class Predictions:
    """Labels of n cells and how sure the model is of them.

    Attributes
    ----------
    cells
        Names of the cells, shape (n,).
    classes
        Names of the model's classes, shape (n_classes,).
    ontology
        Cell Ontology id of each class, "" where none is known, shape (n_classes,).
    winner
        Code of the class that each cell is called or nearest to, shape (n,).
    votes
        Fold models that voted for it, shape (n,).
    status
        "assigned", "no agreement" or "unknown" for each cell, shape (n,).
    proba
        Calibrated class probabilities, shape (n, n_classes), float32; each row sums to 1.
    similarity
        Cosine between the cell and the mean profile of that class, shape (n,).
    """

    cells: NDArray[np.object_]
    classes: NDArray[np.object_]
    ontology: NDArray[np.object_]
    winner: NDArray[np.intp]
    votes: NDArray[np.intp]
    status: NDArray[np.object_]
    proba: NDArray[np.float32]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def label(self) -> NDArray[np.object_]:
        """The class of each assigned cell, else "no agreement" or "unknown"."""
        return np.where(self.status == ASSIGNED, self.classes[self.winner], self.status).astype(object)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the class that the cell is called or nearest to, 0 to 1."""
        return self.proba[np.arange(len(self)), self.winner]

    @property
    def entropy(self) -> NDArray[np.float64]:
        """Entropy of the class probabilities over its maximum: 0 is certain, 1 knows nothing."""
        return np.asarray(softmax_entropy(self.proba))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell: label, confidence, entropy, votes, status, nearest_class, ontology id."""
        frame = pd.DataFrame(
            {
                LABEL: pd.Categorical(self.label, categories=[*self.classes, NO_AGREEMENT, UNKNOWN]),
                CONFIDENCE: self.confidence,
                ENTROPY: self.entropy.astype(np.float32),
                VOTES: self.votes.astype(np.int32),
                STATUS: pd.Categorical(self.status, categories=list(STATUSES)),
                NEAREST: pd.Categorical(self.classes[self.winner], categories=list(self.classes)),
            },
            index=pd.Index(self.cells, name="cell"),
        )
        if any(self.ontology):
            terms = np.where(self.status == ASSIGNED, self.ontology[self.winner], "")
            frame[ONTOLOGY] = pd.Categorical(terms)
        return frame

    def annotate(self, adata: "AnnData", *, record: dict[str, Any], key_added: str = KEY) -> "AnnData":
        """Return a copy of the cells with these labels and the record of how they were made.

        The columns are listed in :mod:`orthotype._keys`; those of an earlier annotation under the same key
        are replaced.
        """
        annotated = adata.copy()
        frame = self.to_frame()
        frame.index = annotated.obs_names
        annotated.obs = annotated.obs.drop(columns=columns_in(annotated.obs, key_added=key_added))
        for name in frame.columns:
            annotated.obs[column(name, key_added=key_added)] = frame[name]
        annotated.obsm[column(PROBA, key_added=key_added)] = self.proba
        annotated.uns[key_added] = record
        return annotated
