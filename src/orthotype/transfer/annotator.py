"""A fitted model at work: labels for cells of any species, and the file that keeps it."""

from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from orthotype._keys import GROUP, KEY, ROLLED_UP, SET, UNKNOWN, column
from orthotype.cells.backed import as_cells
from orthotype.cells.clusters import Table
from orthotype.cells.columns import check_labels
from orthotype.cells.counts import warn_of_binarised
from orthotype.cells.encode import Binarize
from orthotype.cells.memory import Progress, memory_for
from orthotype.cells.survey import looked_again
from orthotype.cells.table import BLOCK_SIZE, open_cells, warn_of_repeated
from orthotype.errors import InputError, Problems
from orthotype.models.neighbours import N_NEIGHBORS
from orthotype.transfer.annotated import remember_run
from orthotype.transfer.calibrating import calibrate_state, cell_sets
from orthotype.transfer.labelling import Labelling, Options, label_cells
from orthotype.transfer.predictions import Predictions, check_free, check_key
from orthotype.transfer.proposals import propose_for
from orthotype.transfer.record import annotation_record
from orthotype.transfer.rollup import rolled_labels
from orthotype.transfer.state import ModelState
from orthotype.transfer.streaming import Streamed, tables_of, working
from orthotype.transfer.suggest.request import check_request
from orthotype.transfer.suggest.suggesting import suggest_cells
from orthotype.transfer.unknown_cells import keep_sample

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from orthotype.cells.backed import StoredCells


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
        target: "AnnData | StoredCells | str | Path",
        *,
        species: str | None = None,
        layer: str | None = None,
        alignment: str = "shift",
        unknown: str = "similarity",
        n_neighbors: int = N_NEIGHBORS,
        key_added: str = KEY,
        output: str | Path | None = None,
        max_memory: int | str | None = None,
        force: bool = False,
        progress: Progress | None = None,
        client: Any = None,
        run: Mapping[str, Any] | None = None,
    ) -> "AnnData":
        """Return a copy of the cells with labels, confidence and the record of how they were made.

        Parameters
        ----------
        target
            Cells x genes of any species that the gene tables know, or a file of them; never changed. The
            matrix of a file (``.h5ad``, ``.zarr``, or an AnnData opened with ``backed="r"``) is read in
            blocks and never held in memory: what comes back then has no X.
        species, layer
            As for :meth:`fit`.
        alignment
            ``"shift"`` takes off the species shift, estimated on these cells without any label; ``"none"``
            leaves the model as it is.
        unknown
            ``"similarity"`` calls cells unknown that look like no class; ``"none"`` gives every cell a class.
        n_neighbors
            Most similar cells that a cell leans on; 0 judges every cell by itself.
        key_added
            Prefix of the columns, and key in uns.
        output
            For a file: where to write the labels, into a copy of it (``.h5ad``, ``.zarr``) or a table
            (``.csv``, ``.parquet``). A run that is interrupted can be repeated and goes on where it was.
        max_memory
            For a file: what the process may take, in bytes or as ``"2GB"``; the rest goes on disk.
        force
            Replace an output that exists.
        progress
            For a file: told what is being done, how far it has come, and how far it has to go.
        client
            For a file: a ``dask.distributed.Client`` whose workers read and encode the cells; the labels are
            the same. See ``docs/scale.md``.
        run
            ``command`` and ``files`` to be noted in the record.

        Raises
        ------
        InputError
            With every problem of the target at once.
        OutputError
            If the output cannot be written, or exists and ``force`` is false.
        ClusterError
            If the cluster goes away.
        """
        check_key(key_added)
        memory = memory_for(max_memory, progress=progress, client=client)
        streamed = Streamed.of(target, output, memory=memory, force=force)
        options = _checked(alignment, unknown, n_neighbors)
        named = {"species": species, "layer": layer}
        key = {"model": self._fitted().hash(), **named}
        with working(target, streamed, memory=memory, key=key) as cells:
            check_free(cells, key_added=key_added)
            found = self._label(cells, species, layer, options, keep=True)
            proposals = propose_for(found.table, found.predictions)
            record = annotation_record(
                self._fitted(), found, parameters={**named, **asdict(options)}, proposals=proposals
            )
            annotated = found.predictions.annotate(tables_of(cells), record=record, key_added=key_added)
            annotated.obs[column(GROUP, key_added=key_added)] = proposals.cells.array
            self._add_rolled_up(annotated, found.predictions, key_added=key_added)
            sets = cell_sets(self._fitted(), found.predictions.proba, options=options)
            if sets is not None:
                annotated.obs[column(SET, key_added=key_added)] = sets
            if run is not None:
                remember_run(annotated, key_added=key_added, **run)
            if streamed is not None:
                streamed.write(cells, annotated, key_added=key_added)
        return annotated

    def _add_rolled_up(self, annotated: "AnnData", said: Predictions, *, key_added: str) -> None:
        """Add the most specific label that is certain enough, where classes have a place in the ontology."""
        rolled = rolled_labels(said.proba, said.classes, said.ontology, unknown=said.status == UNKNOWN)
        if rolled is not None:
            annotated.obs[column(ROLLED_UP, key_added=key_added)] = rolled

    def predict(
        self,
        target: "AnnData | StoredCells | str | Path",
        *,
        species: str | None = None,
        layer: str | None = None,
        alignment: str = "shift",
        unknown: str = "similarity",
        n_neighbors: int = N_NEIGHBORS,
    ) -> Predictions:
        """Return labels and probabilities alone; the parameters are those of :meth:`annotate`."""
        return self.label(
            target,
            species=species,
            layer=layer,
            alignment=alignment,
            unknown=unknown,
            n_neighbors=n_neighbors,
        ).predictions

    def label(
        self,
        target: "AnnData | StoredCells | str | Path",
        *,
        species: str | None = None,
        layer: str | None = None,
        alignment: str = "shift",
        unknown: str = "similarity",
        n_neighbors: int = N_NEIGHBORS,
    ) -> Labelling:
        """Return predictions, coverage, profiles and shift; the parameters are those of :meth:`annotate`."""
        return self._label(as_cells(target), species, layer, _checked(alignment, unknown, n_neighbors))

    def _label(
        self,
        cells: "AnnData | StoredCells",
        species: str | None,
        layer: str | None,
        options: Options,
        *,
        keep: bool = False,
    ) -> Labelling:
        """Label cells; ``keep`` those with all their genes that proposals are made of."""

        def labelled(look_first: bool | None) -> Labelling:
            table = open_cells(
                cells, subject="the target", species=species, layer=layer, look_first=look_first
            )
            warn_of_repeated(table.genes, "the target")
            if keep:
                keep_sample(table)
            found = label_cells(self._fitted(), table, options=options, block_size=self.block_size)
            if self._fitted().space.encoder.kind != Binarize.kind:
                warn_of_binarised(table.counts, "the target")
            return found

        return looked_again(labelled)

    def suggest(
        self,
        target: "AnnData | StoredCells | str | Path",
        n: int = 20,
        *,
        species: str | None = None,
        layer: str | None = None,
        by: Literal["cells", "clusters"] = "cells",
        clusters: str | None = None,
        labelled: Table | None = None,
        random_state: int = 0,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
    ) -> "pd.DataFrame":
        """Return the cells to label next, a few at a time, each with the reason in words.

        Every class that was called gets its share of the labels, and so do the cells nearest to it that fit
        no class; within a group come typical cells first, then those that are doubtful, stand for many
        others, and are not yet near a label. Fill in the column ``label`` and hand the table to
        :meth:`LabelTransfer.adapt`; then ask the adapted model again. See ``docs/suggest.md``.

        Parameters
        ----------
        target
            The cells to be labelled, or a file of them; never changed.
        n
            How many cells or clusters, 1 to 1,000; there may be fewer clusters, or cells left.
        species, layer
            As for :meth:`annotate`.
        by
            ``"cells"``, or ``"clusters"`` for the most typical cell of each cluster not asked for yet.
        clusters
            obs column with clusters: what is labelled, with ``by="clusters"``; else the groups that get a
            share each, instead of classes and groups that fit none.
        labelled
            Labels given so far, which are not asked for again: an obs column, a Series or mapping of cell to
            label, or such a table filled in, or its csv file. Cells that it names without a label are passed
            over, too, unless it names all.
        random_state
            Decides which cells are compared where there are more than 4,000.
        max_memory, progress
            For files: as for :meth:`annotate`.

        Returns
        -------
        One row per cell, the most useful first, with the name of the cell as index:

        - ``label``, empty, to be filled in; rows that stay empty are passed over and not asked for again
        - ``predicted``, ``confidence``, ``status``: what the model says now
        - ``group``: the class, the group of unknown cells, or the cluster that it is chosen from
        - ``stands_for``: cells of the group that are nearer to it than to any other chosen or labelled cell
        - ``reason``: in words
        - ``neighbours``: what the 15 cells nearest to it are called
        - ``top_genes``: genes that are high in it and its neighbours of the same group against all other
          cells, the highest first

        Raises
        ------
        InputError
            With everything that is wrong with the request or the cells; for clusters that all have a label.

        Warns
        -----
        OrthotypeWarning
            If fewer cells are left than were asked for.

        Examples
        --------
        >>> import orthotype as ot
        >>> mouse, human = (ot.datasets.get(f"baron2016-{name}") for name in ("mouse", "human"))
        >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
        >>> to_label = model.suggest(human, 20)
        >>> to_label.columns[:4].tolist()
        ['label', 'predicted', 'confidence', 'status']
        """
        state = self._fitted()
        cells = as_cells(target, memory=memory_for(max_memory, progress=progress))
        request = check_request(
            cells, n=n, by=by, clusters=clusters, labelled=labelled, random_state=random_state
        )
        found = self.label(cells, species=species, layer=layer)
        return suggest_cells(state, found, request, block_size=self.block_size)

    def calibrate(
        self,
        target: "AnnData | StoredCells | str | Path",
        *,
        labels: str,
        species: str | None = None,
        layer: str | None = None,
        coverage: float = 0.9,
        alignment: str = "shift",
        n_neighbors: int = N_NEIGHBORS,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Return a new model that knows how sure to be of this target, and names sets of classes.

        Some of the target's cells have a label, and the model has not learned from them: they give a
        temperature, and for each class the probability under which it can be ruled out, so that the set of
        a cell holds its class for the stated share of the cells of every class. The labels stay the same.

        Parameters
        ----------
        target
            The cells to be labelled, or a file of them, some of them with a label.
        labels
            obs column with classes of the model; empty where there is none.
        species, layer
            As for :meth:`fit`.
        coverage
            Between 0 and 1, exclusive.
        alignment, n_neighbors
            As for :meth:`annotate`, which has to be asked the same way afterwards.
        max_memory, progress
            For files: as for :meth:`annotate`.

        Raises
        ------
        InputError
            With every problem of the cells at once.
        """
        state = self._fitted()
        options = _checked(alignment, "none", n_neighbors)
        if not isinstance(labels, str):
            raise InputError(
                f"labels is a {type(labels).__name__}; expected the name of an obs column; put the "
                "labels into one first, such as adata.obs['label'] = labels"
            )
        cells = as_cells(target, memory=memory_for(max_memory, progress=progress))

        def fitted(look_first: bool | None) -> ModelState:
            problems = Problems("the labelled target cells")
            names = check_labels(cells, labels, min_cells=1, problems=problems)
            table = open_cells(
                cells,
                subject=problems.subject,
                species=species,
                layer=layer,
                problems=problems,
                look_first=look_first,
            )
            return calibrate_state(
                state,
                table,
                np.asarray(names, dtype=object),
                coverage=coverage,
                options=options,
                block_size=self.block_size,
            )

        calibrated = copy(self)
        calibrated.state_ = looked_again(fitted)
        return calibrated

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


def _checked(alignment: str, unknown: str, n_neighbors: Any) -> Options:
    problems = Problems("the options of the annotation")
    for name, value, known in (
        ("alignment", alignment, ("shift", "none")),
        ("unknown", unknown, ("similarity", "none")),
    ):
        if value not in known:
            problems.add(f"{name} is {value!r}", expected=f"one of {', '.join(map(repr, known))}")
    if not isinstance(n_neighbors, Integral) or n_neighbors < 0:
        problems.add(
            f"n_neighbors is {n_neighbors!r}", expected="0 for none, or a number of cells such as 15"
        )
    problems.raise_if_any()
    return Options(alignment, unknown, int(n_neighbors))
