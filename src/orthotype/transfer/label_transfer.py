"""LabelTransfer: train on labelled cells of one species, label the cells of another."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from orthotype.cells.columns import check_labels
from orthotype.cells.encode import Encoder, encoder_from
from orthotype.cells.table import BLOCK_SIZE, CellTable, labelled_mask, open_cells, warn_of_repeated
from orthotype.errors import Problems
from orthotype.models.consensus import ConsensusClassifier
from orthotype.transfer.adapting import adapt_state
from orthotype.transfer.annotator import Annotator
from orthotype.transfer.fitting import choose_orthologs, fit_state, open_source
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from anndata import AnnData


class LabelTransfer(Annotator):
    """Carry cell types from labelled cells of one species to the cells of another.

    ``fit`` learns from labelled cells, ``annotate`` labels others, ``adapt`` gives a new model that has
    learned from a few labelled cells of the target. Raw counts are best; log-normalised values give the same
    answer.

    Parameters
    ----------
    encoder
        How counts become model input: ``"log_normalize"``, ``"binarize"``, or an encoder.
    policy
        Which orthologs become features: see ``docs/orthologs.md``.
    n_top_genes
        Variable genes chosen per species, then united.
    selection
        What makes a gene variable: ``"dispersion"`` or ``"variance"`` of the encoded values.
    alpha
        Strength of the L2 penalty, or the rule that chooses it by cross-validation on the source:
        ``"strongest"``, the strongest penalty that is as good as the best within a standard error (carries
        over to other species and studies best), or ``"lowest"``, the lowest held-out loss.
    n_splits
        Folds, and fold models that vote.
    random_state
        Decides which cells go to which fold. The same seed gives the same model.
    block_size
        Cells handled at once; no result depends on it.

    Attributes
    ----------
    state_ : ModelState
        The fitted model; ``card`` is what a person wants to know of it.

    Examples
    --------
    >>> import orthotype as ot
    >>> mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
    >>> human = model.annotate(human, species="human")
    >>> human.obs["orthotype_label"].iloc[0], human.obs["cell_ontology_class"].iloc[0]
    ('type B pancreatic cell', 'type B pancreatic cell')
    """

    def __init__(
        self,
        *,
        encoder: str | Encoder = "log_normalize",
        policy: str = "one2one",
        n_top_genes: int = 2000,
        selection: str = "dispersion",
        alpha: float | Literal["strongest", "lowest"] = "strongest",
        n_splits: int = 5,
        random_state: int = 0,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self.encoder = encoder
        self.policy = policy
        self.n_top_genes = n_top_genes
        self.selection = selection
        self.alpha = alpha
        self.n_splits = n_splits
        self.random_state = random_state
        self.block_size = block_size

    def fit(
        self,
        source: "AnnData",
        *,
        labels: str,
        species: str | None = None,
        batch: str | None = None,
        layer: str | None = None,
        min_cells: int = 2,
        target: "AnnData | None" = None,
        target_species: str | None = None,
        orthologs: "pd.DataFrame | str | Path | None" = None,
    ) -> Self:
        """Learn the classes of labelled cells.

        Parameters
        ----------
        source
            Labelled cells x genes; never changed. Cells without a label are left out.
        labels
            obs column with the classes.
        species
            Species of the source; None lets the gene names decide.
        batch
            obs column with donors or batches: then no donor is in both the training and the held-out part of
            a fold.
        layer
            Where the counts are: ``"X"``, ``"raw"`` or the name of a layer; None to find them.
        min_cells
            Classes with fewer cells are refused.
        target
            The cells to be labelled later, if they are at hand: genes are then chosen in both species. Their
            labels, if they have any, are never looked at.
        target_species
            Species of ``target``, or the one the model is meant for. Default: human, or mouse for a human
            source.
        orthologs
            A table of orthologs to use instead of the bundled one.

        Raises
        ------
        InputError
            With every problem of the source at once.
        """
        encoder = encoder_from(self.encoder)
        checked = open_source(
            source,
            labels=labels,
            species=species,
            batch=batch,
            layer=layer,
            min_cells=min_cells,
            subject="the source",
        )
        other = None
        if target is not None:
            other = open_cells(target, subject="the target", species=target_species)
            warn_of_repeated(other.genes, "the target")
        self.state_ = fit_state(
            checked,
            orthologs=choose_orthologs(
                checked.table.species,
                target=other,
                target_species=target_species,
                policy=self.policy,
                table=orthologs,
            ),
            encoder=encoder,
            classifier=ConsensusClassifier(
                alpha=self.alpha, n_splits=self.n_splits, random_state=self.random_state
            ),
            target=other,
            n_top_genes=self.n_top_genes,
            selection=self.selection,
            block_size=self.block_size,
        )
        return self

    def adapt(
        self,
        few: "AnnData",
        *,
        labels: str,
        species: str | None = None,
        layer: str | None = None,
        strength: float | Literal["cv"] = "cv",
    ) -> Self:
        """Return a new model that has learned from a few labelled target cells; this one stays as it is.

        Parameters
        ----------
        few
            Labelled cells of the target; cells without a label are left out.
        labels
            obs column with classes of the model.
        species, layer
            As for :meth:`fit`.
        strength
            How strongly the weights are held to the source; ``"cv"`` chooses on the few cells.

        Raises
        ------
        InputError
            With every problem of the cells at once; for classes that the model does not know.
        """
        state = self._fitted()
        problems = Problems("the labelled target cells")
        names = check_labels(few, labels, min_cells=1, problems=problems)
        kept = labelled_mask(names, n_cells=few.n_obs)
        table: CellTable = open_cells(
            few[kept], subject=problems.subject, species=species, layer=layer, problems=problems
        )
        adapted = self._copy()
        adapted.state_ = adapt_state(
            state,
            table,
            np.asarray(names, dtype=object)[kept],
            strength=strength,
            random_state=self.random_state,
            block_size=self.block_size,
        )
        return adapted

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file; it labels cells exactly as the model that was saved.

        Parameters
        ----------
        path
            The file, or the name of a bundled model, such as ``"mouse-marrow"``.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, something else, or of a newer format.
        """
        state = ModelState.load(path)
        card = state.card
        model = cls(
            encoder=state.space.encoder,
            policy=state.space.orthologs.policy,
            n_top_genes=card["selection"]["n_top_genes"],
            selection=card["selection"]["method"],
            alpha=card["alpha"],
            n_splits=card["n_models"],
            random_state=card["random_state"],
        )
        model.state_ = state
        return model

    def _copy(self) -> Self:
        names = (
            "encoder",
            "policy",
            "n_top_genes",
            "selection",
            "alpha",
            "n_splits",
            "random_state",
            "block_size",
        )
        return type(self)(**{name: getattr(self, name) for name in names})


def load(path: str | Path) -> LabelTransfer:
    """Read a model file written by :meth:`LabelTransfer.save`, or a bundled model.

    Parameters
    ----------
    path
        The file, or the name of a bundled model; ``orthotype models list`` shows them.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, something else, or of a newer format.

    Examples
    --------
    >>> import orthotype as ot
    >>> marrow = ot.load("mouse-marrow")
    >>> marrow.card["species"], marrow.card["target_species"]
    ('mouse', 'human')
    """
    return LabelTransfer.load(path)
