"""A fitted model at work: labels for cells of any species, and the file that keeps it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthotype._keys import KEY
from orthotype.cells.table import BLOCK_SIZE, open_cells, warn_of_repeated
from orthotype.errors import InputError
from orthotype.transfer.labelling import Labelling, label_cells
from orthotype.transfer.predictions import Predictions, check_key
from orthotype.transfer.record import annotation_record
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from anndata import AnnData


class Annotator:
    """What a fitted model can do for unlabelled cells; :class:`~orthotype.LabelTransfer` adds how it learns.

    Attributes
    ----------
    state_ : ModelState
        The fitted model.
    block_size : int
        Cells handled at once; no result depends on it.
    """

    state_: ModelState
    block_size: int = BLOCK_SIZE

    def annotate(
        self,
        target: "AnnData",
        *,
        species: str | None = None,
        layer: str | None = None,
        alignment: str = "none",
        unknown: str = "none",
        key_added: str = KEY,
    ) -> "AnnData":
        """Return a copy of the cells with labels, confidence and the record of how they were made.

        Parameters
        ----------
        target
            Cells x genes of any species that the gene tables know; never changed.
        species, layer
            As for :meth:`fit`.
        alignment
            ``"shift"`` takes off the species shift, estimated on these cells without any label.
        unknown
            ``"similarity"`` calls cells unknown that are too unlike the mean profile of their class.
        key_added
            Prefix of the columns, and key in uns.

        Raises
        ------
        InputError
            With every problem of the target at once.
        """
        check_key(key_added)
        found = self.label(target, species=species, layer=layer, alignment=alignment, unknown=unknown)
        record = annotation_record(
            self._fitted(),
            found,
            parameters={"species": species, "layer": layer, "alignment": alignment, "unknown": unknown},
        )
        return found.predictions.annotate(target, record=record, key_added=key_added)

    def predict(
        self, target: "AnnData", *, species: str | None = None, layer: str | None = None
    ) -> Predictions:
        """Return labels and probabilities alone; the parameters are those of :meth:`annotate`."""
        return self.label(target, species=species, layer=layer).predictions

    def label(
        self,
        target: "AnnData",
        *,
        species: str | None = None,
        layer: str | None = None,
        alignment: str = "none",
        unknown: str = "none",
    ) -> Labelling:
        """Return predictions, coverage, profiles and shift; the parameters are those of :meth:`annotate`."""
        for name, value, known in (
            ("alignment", alignment, ("none", "shift")),
            ("unknown", unknown, ("none", "similarity")),
        ):
            if value not in known:
                raise InputError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}")
        table = open_cells(target, subject="the target", species=species, layer=layer)
        warn_of_repeated(table.genes, "the target")
        return label_cells(
            self._fitted(), table, alignment=alignment, unknown=unknown, block_size=self.block_size
        )

    @property
    def card(self) -> dict[str, Any]:
        """What the model is, what it was trained on and how good it is on held-out cells: plain JSON."""
        return self._fitted().full_card()

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the model as one ``.safetensors`` file.

        Raises
        ------
        OutputError
            If the place cannot be written, or holds a file and ``force`` is false.
        """
        self._fitted().save(path, force=force)

    def _fitted(self) -> ModelState:
        state: ModelState | None = getattr(self, "state_", None)
        if state is None:
            raise InputError("this LabelTransfer is not fitted; call fit first, or load a model file")
        return state
