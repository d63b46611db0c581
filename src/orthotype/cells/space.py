"""The feature space: what a model calls a column, and how a cell of any species becomes a row of it.

A feature is a set of orthologous genes, named on both sides. Aligning is a product with a sparse matrix P
(genes x features), encoding is a function of one row, so a cell's row never depends on its neighbours, on the
block it came in, or on genes outside the space::

    library size   l_i = sum of the cell's counts over all features of the space
    encoded value  e_ij = encode(x_i P_j, l_i)            for the selected features j

A target that lacks some features would get a smaller library size and inflated values for the rest. The space
therefore remembers the mean share of counts that each feature carries in the source, and divides l_i by the
share of the features that the target has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.cache import EncodedCells, Keeper, key_of
from orthotype.cells.encode import Encoder
from orthotype.cells.handout import hand_out
from orthotype.cells.markers import select_markers
from orthotype.cells.measuring import measure
from orthotype.cells.native import rows_kernel
from orthotype.cells.rows import Rows
from orthotype.cells.select import MIN_MEAN, select_genes
from orthotype.cells.sparse import csr_of
from orthotype.cells.survey import SurveyedRows, Surveyor
from orthotype.cells.table import BLOCK_SIZE, CellTable
from orthotype.errors import GeneError
from orthotype.genes.identify import GeneIdentity
from orthotype.genes.orthologs import OrthologMap

# Markers of each class, as a share of the variable features of a species.
MARKERS = 0.015


@dataclass(frozen=True)
class Alignment:
    """How the genes of one data set meet the features of a space.

    Attributes
    ----------
    projection
        Genes x selected features, a single one per gene at most.
    library
        1 for every gene that counts to the library size, shape (n_genes,).
    present
        Whether the data set has any gene of a feature, over all features of the space, shape (n_features,).
    share
        Share of the source's counts in the features that are present, 0 to 1.
    encoder
        Turns aligned counts into model input.
    """

    projection: sp.csr_array
    library: NDArray[np.float64]
    present: NDArray[np.bool_]
    share: float
    encoder: Encoder

    def encode(self, block: sp.csr_array) -> sp.csr_array:
        """Return the encoded rows of one block of counts, shape (n, n_selected), float32."""
        aligned, totals = self.align(block)
        return self.encoder.encode(aligned, totals / self.share)

    def align(self, block: sp.csr_array) -> tuple[sp.csr_array, NDArray[np.float64]]:
        """Return the counts of the selected features, in canonical form, and the library size of each cell.

        The counts are the block times the projection. Most values are of genes that are not selected: they
        are passed over without a multiplication.
        """
        kernel = rows_kernel(block)
        if kernel is None or block.dtype != np.float32:
            return self._aligned(block), np.asarray(block @ self.library, dtype=np.float64)
        n, n_values, width = block.shape[0], int(block.indptr[-1]), self.projection.shape[1]
        data, indices = np.empty(n_values, dtype=np.float32), np.empty(n_values, dtype=np.int32)
        indptr, totals = np.empty(n + 1, dtype=np.int32), np.empty(n)
        parts = (data, indices, indptr, totals)
        kernel.align(block.indptr, block.indices, block.data, self._codes, width, *parts)
        end = int(indptr[-1])
        aligned = csr_of(data[:end], indices[:end], indptr, shape=(n, width))
        aligned.has_canonical_format = True
        return aligned, totals

    def _aligned(self, block: sp.csr_array) -> sp.csr_array:
        """Return the counts of the selected features as numpy finds them; two transpositions order them."""
        columns = self.gene_to_column
        kept = np.flatnonzero((columns >= 0).take(block.indices))
        indptr = np.searchsorted(kept, block.indptr).astype(np.int32)
        places = columns.take(block.indices.take(kept))
        shape = (block.shape[0], self.projection.shape[1])
        aligned = csr_of(block.data.take(kept), places, indptr, shape=shape).tocsc().tocsr()
        aligned.has_sorted_indices = True
        aligned.sum_duplicates()
        return aligned

    @cached_property
    def gene_to_column(self) -> NDArray[np.int32]:
        """Selected feature that each gene counts for, or -1, shape (n_genes,)."""
        places = np.full(self.projection.shape[0], -1, dtype=np.int32)
        filled = np.diff(self.projection.indptr) > 0
        places[filled] = self.projection.indices
        return places

    @cached_property
    def _codes(self) -> NDArray[np.int32]:
        """Twice the selected feature of each gene, and one more if it counts to the library size."""
        return 2 * self.gene_to_column + (self.library > 0).astype(np.int32)

    def restricted(self, columns: NDArray[np.intp]) -> "Alignment":
        """Return the same alignment with only some of the selected features."""
        return replace(self, projection=sp.csr_array(self.projection[:, columns]))

    def blocks(self, rows: Rows, *, size: int = BLOCK_SIZE) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield all rows encoded, a block at a time; the rows of a cell table are encoded once and kept."""
        if isinstance(rows, SurveyedRows):
            yield from self.cells(rows, size=size).blocks(size)
            return
        for where, block in rows.blocks(size):
            yield where, self.encode(block)

    @cached_property
    def key(self) -> str:
        """A name that alike alignments share."""
        p = self.projection
        arrays = (p.data, p.indices, p.indptr, self.library, np.array(self.share))
        return key_of(*arrays, self.encoder.to_dict())

    def cells(self, rows: SurveyedRows, *, size: int = BLOCK_SIZE) -> EncodedCells:
        """Return all rows encoded; the pass over the cells is made once, and the last result is kept.

        Raises
        ------
        OutputError
            If they do not fit into memory, and the disk is full.
        """
        if rows.encoded is None or rows.encoded[0] != self.key:
            rows.encoded = None
            rows.encoded = self.key, self._kept(rows, size)
        return rows.encoded[1]

    def _kept(self, rows: SurveyedRows, size: int) -> EncodedCells:
        """Make the pass over the cells, or what an interrupted run has left of it."""
        key = key_of(self.key, dict(rows.memory.key), rows.found is None, rows.origin)
        keeper = Keeper((rows.shape[0], self.projection.shape[1]), memory=rows.memory, key=key)
        surveyor = None
        if rows.found is None:
            surveyor = Surveyor.from_state(rows.shape, keeper.state) if keeper.done else Surveyor(rows.shape)
        for where, block in self._encoded(rows, size, keeper.done, surveyor):
            keeper.add(where, block)
            if keeper.due:
                keeper.note(None if surveyor is None else surveyor.state())
        keeper.note(None if surveyor is None else surveyor.state())
        return keeper.cells()

    def _encoded(
        self, rows: SurveyedRows, size: int, start: int, surveyor: Surveyor | None
    ) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield encoded cells from ``start`` on, made here or by the workers of a cluster."""
        if rows.memory.workers is not None:
            yield from hand_out(rows, Encoding(self), size=size, start=start, surveyor=surveyor)
            return
        for where, block in rows.blocks(size, start=start, surveyor=surveyor):
            yield where, self.encode(block)


@dataclass(frozen=True)
class FeatureSpace:
    """The columns of a model and the way to them from the genes of any species.

    Attributes
    ----------
    orthologs
        The features, with the genes of source and target species in each.
    share
        Mean share of a source cell's counts in each feature, shape (n_features,), sums to 1.
    selected
        Positions of the features that the model uses, ascending, shape (n_selected,).
    encoder
        Turns aligned counts into model input.
    """

    orthologs: OrthologMap
    share: NDArray[np.float32]
    selected: NDArray[np.int32]
    encoder: Encoder

    @property
    def names(self) -> NDArray[np.object_]:
        """Names of the selected features, for people."""
        return np.asarray(self.orthologs.names, dtype=object)[self.selected]

    def align(self, genes: GeneIdentity, *, species: str) -> Alignment:
        """Match the genes of a data set to the space.

        Raises
        ------
        GeneError
            If the data set has none of the selected features.
        """
        projection = project(self.orthologs, genes, species=species)
        present = np.diff(projection.tocsc().indptr) > 0
        if not present[self.selected].any():
            raise GeneError(
                f"none of the {len(self.selected):,} genes of the model is among the {len(genes.names):,} "
                f"{species} genes given; expected gene symbols or Ensembl ids of {species}; "
                "look at the gene names with: orthotype inspect"
            )
        library = np.asarray(projection.sum(axis=1)).ravel() > 0
        return Alignment(
            projection=sp.csr_array(projection[:, self.selected]),
            library=library.astype(np.float64),
            present=present,
            share=float(self.share[present].sum(dtype=np.float64) / self.share.sum(dtype=np.float64)),
            encoder=self.encoder,
        )


def project(orthologs: OrthologMap, genes: GeneIdentity, *, species: str) -> sp.csr_array:
    """Return the genes x features matrix P of a data set of any species.

    A third species reaches the features through its own orthologs of the source's genes.
    """
    if species in (orthologs.source, orthologs.target):
        return orthologs.projection(genes, species=species)
    bridge = OrthologMap(orthologs.source, species, policy=orthologs.policy)
    feature_of = {gene: j for j, members in enumerate(orthologs.source_members) for gene in members}
    links = {}
    for i, members in enumerate(bridge.source_members):
        features = {feature_of[gene] for gene in members if gene in feature_of}
        if len(features) == 1:
            links[i] = features.pop()
    rows, columns = np.array(list(links), dtype=int), np.array(list(links.values()), dtype=int)
    link = sp.csr_array(
        (np.ones(len(rows), dtype=np.float32), (rows, columns)),
        shape=(len(bridge.names), len(orthologs.names)),
    )
    return sp.csr_array(bridge.projection(genes, species=species) @ link)


def build_space(
    source: CellTable,
    *,
    orthologs: OrthologMap,
    encoder: Encoder,
    target: CellTable | None = None,
    n_top_genes: int = 2000,
    selection: str = "dispersion",
    labels: NDArray[np.object_] | None = None,
    block_size: int = BLOCK_SIZE,
) -> FeatureSpace:
    """Choose the features of a model from the source and, where given, from the unlabelled target.

    Features that the source (or the given target) lacks are left out of the space, so that library sizes are
    sums over the same features in both. Variable features are chosen in each species and united, with the
    markers of the source's classes.

    Parameters
    ----------
    source, target
        Cells; labels play no part.
    orthologs
        Features on offer.
    encoder
        Scale on which genes are variable.
    n_top_genes
        Variable features per species.
    selection
        ``"dispersion"`` or ``"variance"``.
    labels
        Class of each source cell: then markers of every class are taken too, 3 for every 200 variable
        features (:mod:`orthotype.cells.markers`). None for none.
    block_size
        Rows per block; the result does not depend on it.

    Raises
    ------
    GeneError
        If no feature is in all data sets.
    """
    tables = [source] if target is None else [source, target]
    projections = [project(orthologs, table.genes, species=table.species) for table in tables]
    shared = np.all([np.diff(p.tocsc().indptr) > 0 for p in projections], axis=0)
    if not shared.any():
        raise GeneError(
            f"no gene is shared: {' and '.join(f'{len(t.genes.names):,} {t.species} genes' for t in tables)} "
            "have no orthologs in common; look at the gene names with: orthotype inspect"
        )
    orthologs = keep_features(orthologs, shared)
    n_features = int(shared.sum())
    codes = (None if labels is None else np.unique(labels.astype(str), return_inverse=True)[1], None)
    found = [
        measure(
            table.rows,
            sp.csr_array(p[:, shared]),
            encoder=encoder,
            codes=code,
            block_size=block_size,
            name=f"moments-{number}",
        )
        for number, (table, p, code) in enumerate(zip(tables, projections, codes, strict=False))
    ]
    chosen = np.zeros(n_features, dtype=bool)
    for measured in found:
        chosen |= select_genes(measured.genes, n_top=n_top_genes, method=selection)
    own = found[0]
    if own.classes is not None:
        seen = own.genes.mean("log") > MIN_MEAN
        chosen |= select_markers(own.classes, n_top=round(MARKERS * n_top_genes), eligible=seen)
    share = own.genes.mean("linear")
    return FeatureSpace(
        orthologs=orthologs,
        share=(share / share.sum()).astype(np.float32),
        selected=np.flatnonzero(chosen).astype(np.int32),
        encoder=encoder,
    )


def keep_features(orthologs: OrthologMap, kept: NDArray[np.bool_]) -> OrthologMap:
    """Return the same map with only the features of a mask."""
    places = np.flatnonzero(kept)
    return OrthologMap.from_members(
        orthologs.source,
        orthologs.target,
        names=[orthologs.names[j] for j in places],
        source_members=[orthologs.source_members[j] for j in places],
        target_members=[orthologs.target_members[j] for j in places],
        policy=orthologs.policy,
        release=orthologs.release,
    )


@dataclass(frozen=True)
class Encoding:
    """Some cells encoded for a model."""

    alignment: Alignment

    def part(self, cells: slice) -> "Encoding":
        """Return the same for consecutive cells: every row is encoded alike."""
        return self

    def __call__(self, blocks: Iterator[sp.csr_array]) -> sp.csr_array:
        """Return the encoded rows of blocks of linear values."""
        return sp.csr_array(sp.vstack([self.alignment.encode(block) for block in blocks], format="csr"))
