"""LabelTransfer: train on labelled cells of one species, label the cells of another."""

from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd

from orthotype.cells.backed import as_cells
from orthotype.cells.checks import check_seed
from orthotype.cells.clusters import Table
from orthotype.cells.encode import Encoder, encoder_from
from orthotype.cells.memory import Progress, memory_for
from orthotype.cells.survey import looked_again
from orthotype.cells.table import BLOCK_SIZE, CellTable
from orthotype.models.consensus import ConsensusClassifier
from orthotype.models.linear.choice import check_alpha
from orthotype.transfer.adapt.adapting import adapt_state
from orthotype.transfer.adapt.cells import Few, gather
from orthotype.transfer.adapt.names import Names
from orthotype.transfer.adapt.report import AdaptReport
from orthotype.transfer.adapt.request import check_adapting
from orthotype.transfer.annotator import Annotator
from orthotype.transfer.fitting import Source, choose_orthologs, fit_state
from orthotype.transfer.gene_weights import check_weighting
from orthotype.transfer.state import ModelState
from orthotype.transfer.streaming import cleared
from orthotype.transfer.training import Asked, model_place

if TYPE_CHECKING:
    from anndata import AnnData

    from orthotype.cells.backed import StoredCells


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
        Variable genes chosen per species, then united; markers of each class come with them, 3 for every 200.
    selection
        What makes a gene variable: ``"dispersion"`` or ``"variance"`` of the encoded values.
    gene_weights
        What genes are worth where the target is at hand: ``"transferability"``, as much as their class
        profiles agree between source and target, or ``"none"``.
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
    adapt_report_ : AdaptReport
        What :meth:`adapt` did; on the model that it returned.

    Examples
    --------
    >>> import orthotype as ot
    >>> mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
    >>> human = model.annotate(human, species="human")
    >>> human.obs["orthotype_label"].iloc[0], human.obs["cell_ontology_class"].iloc[0]
    ('type B pancreatic cell', 'type B pancreatic cell')
    """

    adapt_report_: AdaptReport

    def __init__(
        self,
        *,
        encoder: str | Encoder = "log_normalize",
        policy: str = "one2one",
        n_top_genes: int = 2000,
        selection: str = "dispersion",
        gene_weights: Literal["transferability", "none"] = "transferability",
        alpha: float | Literal["strongest", "lowest"] = "strongest",
        n_splits: int = 5,
        random_state: int = 0,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self.encoder = encoder
        self.policy = policy
        self.n_top_genes = n_top_genes
        self.selection = selection
        self.gene_weights = gene_weights
        self.alpha = alpha
        self.n_splits = n_splits
        self.random_state = random_state
        self.block_size = block_size

    def fit(
        self,
        source: "AnnData | StoredCells | str | Path | Sequence[AnnData | StoredCells | str | Path]",
        *,
        labels: str,
        species: str | Sequence[str | None] | None = None,
        batch: str | None = None,
        layer: str | None = None,
        min_cells: int = 2,
        target: "AnnData | StoredCells | str | Path | None" = None,
        target_species: str | None = None,
        orthologs: "pd.DataFrame | str | Path | None" = None,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
        client: Any = None,
        output: str | Path | None = None,
        force: bool = False,
    ) -> Self:
        """Learn the classes of labelled cells.

        Parameters
        ----------
        source
            Labelled cells x genes, or a file of them; never changed. Cells without a label are left out. The
            matrix of a file (``.h5ad``, ``.zarr``, or an AnnData opened with ``backed="r"``) is read in
            blocks, twice, and never held in memory; the model is the same to the last bit. A list of them is
            one reference with the genes that all of them have, by single orthologs in another species.
        labels
            obs column with the classes.
        species
            Species of the source, or of each; None lets the gene names decide.
        batch
            obs column with donors or batches: then no donor is in both the training and the held-out part of
            a fold. Batches of several sources are told apart.
        layer
            Where the counts are: ``"X"``, ``"raw"`` or the name of a layer; None to find them.
        min_cells
            Classes with fewer cells are refused.
        target
            The cells to be labelled later, if they are at hand: genes are then chosen in both species and
            weighted by how well they carry over. Their labels, if they have any, are never looked at.
        target_species
            Species of ``target``, or the one the model is meant for. Default: human, or mouse for a human
            source.
        orthologs
            A table of orthologs to use instead of the bundled one.
        max_memory
            For files: what the process may take, in bytes or as ``"2GB"``; the rest goes on disk.
        progress
            For files: told what is being done, how far it has come, and how far it has to go.
        client
            For files: a ``dask.distributed.Client`` whose workers read and encode the cells; the model is the
            same to the last bit. See ``docs/scale.md``.
        output
            Where to write the model (``.safetensors``). A run over files that is interrupted can then be
            repeated and goes on where it was.
        force
            Replace an output that exists.

        Raises
        ------
        InputError
            With every problem of the source at once, or if a parameter of the model cannot be used.
        OutputError
            If the output cannot be written, or exists and ``force`` is false.
        ClusterError
            If the cluster goes away.
        """
        check_weighting(self.gene_weights)
        check_alpha(self.alpha)
        check_seed(self.random_state)
        place = model_place(output, force=force)
        asked = Asked(source, labels, species, batch, layer, min_cells, target, target_species)

        def fit(checked: Source, other: CellTable | None) -> ModelState:
            return self._fit(checked, other, target_species=target_species, orthologs=orthologs)

        memory = memory_for(max_memory, progress=progress, client=client)
        with nullcontext() if place is None else cleared(place):
            self.state_ = asked.fitted(fit, memory=memory, output=place)
            if place is not None:
                self.save(place, force=force)
        return self

    def _fit(
        self,
        checked: Source,
        other: CellTable | None,
        *,
        target_species: str | None,
        orthologs: "pd.DataFrame | str | Path | None",
    ) -> ModelState:
        """Return the model of cells that were checked."""
        return fit_state(
            checked,
            orthologs=choose_orthologs(
                checked.table.species,
                target=other,
                target_species=target_species,
                policy=self.policy,
                table=orthologs,
            ),
            encoder=encoder_from(self.encoder),
            classifier=ConsensusClassifier(
                alpha=self.alpha, n_splits=self.n_splits, random_state=self.random_state
            ),
            target=other,
            n_top_genes=self.n_top_genes,
            selection=self.selection,
            weighting=self.gene_weights,
            block_size=self.block_size,
        )

    def adapt(
        self,
        few: "AnnData | StoredCells | str | Path",
        *,
        labels: Table,
        clusters: str | None = None,
        target: "AnnData | StoredCells | str | Path | None" = None,
        new_classes: Sequence[str] = (),
        complete: bool = False,
        species: str | None = None,
        layer: str | None = None,
        strength: float | Literal["auto"] = "auto",
        random_state: int | None = None,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
        client: Any = None,
    ) -> Self:
        """Return a new model that has learned from a few labelled target cells; this one stays as it is.

        The source is the prior, of one strength for every number of cells. Classes without a label stay
        reachable, unless the labels are said to be complete. See ``docs/adapt.md``.

        Parameters
        ----------
        few
            Cells of the target, or a file of them, of which some are labelled. The others, if there are any,
            are the target. The matrix of a file is read in blocks, once.
        labels
            Labels of the cells: an obs column, a Series or mapping of cell to label, or a table of them with
            the columns ``cell`` and ``label`` (a csv file, a suggestion table that was filled in). Cells
            without a label are not learned from.
        clusters
            obs column with clusters: then ``labels`` is a Series, mapping or table of cluster to label.
        target
            All cells of the target, if they are at hand: their labels, if they have any, are never looked at.
            The species shift is estimated on them, and the report says what changed on them.
        new_classes
            Names of classes that the model is to learn although they look like one of its classes. Other
            names that it does not have become new classes anyway, and are told.
        complete
            Whether every class of the target has a label. Classes of the model without one are then left out:
            no cell is called so, and those that are there are told apart better.
        species, layer
            As for :meth:`fit`.
        strength
            How strongly the weights are held to the source: alpha of the penalty, without the fit from
            nothing, or ``"auto"``.
        random_state
            Decides the folds; None for that of the model.
        max_memory, progress, client
            For files: as for :meth:`fit`.

        Returns
        -------
        LabelTransfer
            With ``adapt_report_``, an :class:`~orthotype.transfer.adapt.report.AdaptReport`: what was
            chosen and why, what changed, which labels to look at again. The card keeps it as ``adapted``.

        Raises
        ------
        InputError
            With every problem of the labels and cells at once.

        Warns
        -----
        OrthotypeWarning
            Of labels that are other names of the model's classes, and of new classes.
        """
        state = self._fitted()
        seed = self.random_state if random_state is None else random_state
        memory = memory_for(max_memory, progress=progress, client=client)
        cells = as_cells(few, memory=memory)
        others = None if target is None else as_cells(target, memory=memory)

        def gathered(look_first: bool | None) -> tuple[Few, Names]:
            asked = check_adapting(
                state,
                cells,
                labels,
                clusters=clusters,
                species=species,
                layer=layer,
                target=others,
                new_classes=new_classes,
                complete=complete,
                strength=strength,
                random_state=seed,
                look_first=look_first,
            )
            found = gather(state, asked.table, asked.labels, target=asked.target, block_size=self.block_size)
            return found, asked.names

        found, names = looked_again(gathered)
        adapted = copy(self)
        adapted.state_, adapted.adapt_report_ = adapt_state(
            state,
            found,
            names,
            complete=complete,
            strength=strength,
            random_state=seed,
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
            gene_weights=card["selection"].get("gene_weights", "transferability"),
            alpha=card["alpha"],
            n_splits=card["n_models"],
            random_state=card["random_state"],
        )
        model.state_ = state
        return model


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
