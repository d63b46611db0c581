"""Orthologs as a sparse matrix: which genes of two species are one feature, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import GeneError
from orthotype.genes.clean import ENSEMBL_ID
from orthotype.genes.coverage import CLASSES, Coverage, coverage_of
from orthotype.genes.identify import GeneIdentity
from orthotype.genes.pairs import bundled_pairs, has_bundled_pairs
from orthotype.genes.policies import features
from orthotype.genes.species import Species, resolve_species
from orthotype.genes.tables import TIERS, Pairs, gene_table, sources
from orthotype.genes.usertable import user_pairs

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

Members = list[tuple[str, ...]]


def _with_names(members: Members, names: dict[str, tuple[str, ...]]) -> Members:
    """Add the further names by which data may call a gene whose species has no gene table."""
    if not names:
        return members
    return [(*genes, *(name for gene in genes for name in names.get(gene, ()))) for genes in members]


def _family_name(genes: list[str]) -> str:
    """Join the names of a family's genes, ids last: ``FCGR3A/FCGR3B``; at most three, then how many more."""
    ordered = sorted(genes, key=lambda gene: (ENSEMBL_ID.fullmatch(gene) is not None, gene))
    more = f"/+{len(ordered) - 3}" if len(ordered) > 3 else ""
    return "/".join(ordered[:3]) + more


class OrthologMap:
    """The features that two species share, as a projection from genes.

    Aligning either species is one sparse product: counts ``X`` (cells x genes) become ``X @ P`` (cells x
    features), with ``P = projection(genes)``. Which genes are one to one is judged on the whole table, never
    on the genes of a data set.

    Parameters
    ----------
    source, target
        The two species, as any name that :func:`resolve_species` knows, or a :class:`Species`. The same
        species twice gives its own genes as features.
    policy
        "one2one", "groups", "best" or "first"; see :mod:`orthotype.genes.policies`.
    tiers
        Evidence tiers whose one-to-one pairs are used (human and mouse; other bundled pairs are tier D).
    table
        Your own ortholog table instead of the bundled one: a DataFrame or a csv, tsv or gz file of two
        columns or more; see :mod:`orthotype.genes.usertable`.

    Attributes
    ----------
    names
        A readable name of each feature: the human symbol if human is one of the two, else the source's;
        families are joined, "HBB/HBD". Shape (F,).
    source_members, target_members
        Ids of the genes of each feature on either side, F tuples.
    release
        Name, release and sha256 of the table; "via" where the pairs were composed through a third species.
    report
        Counts of what a table of your own held and what was dropped; empty for bundled tables.

    Raises
    ------
    GeneError
        If a species, policy or tier is unknown, no table has the pair, or a table of your own cannot be used.

    Examples
    --------
    >>> from orthotype.genes import identify
    >>> orthologs = OrthologMap("mouse", "human")
    >>> P = orthologs.projection(identify(["Lyz2", "S100a9", "Gm5849"], species="mouse"))
    >>> orthologs.names[P.indices].tolist()
    ['LYZ', 'S100A9']
    """

    def __init__(
        self,
        source: str | Species,
        target: str | Species,
        *,
        policy: str = "one2one",
        tiers: Sequence[str] = TIERS,
        table: pd.DataFrame | str | Path | None = None,
    ) -> None:
        left, right = resolve_species(source), resolve_species(target)
        self.source, self.target, self.policy = left.name, right.name, policy
        self.report: dict[str, Any] = {}
        self._pairs: Pairs | None = None
        if left.name == right.name and table is None:
            genes = gene_table(left.name)
            ids = [gene for gene in genes.symbol_of if gene not in genes.other_ids]
            self.source_members: Members = [(gene,) for gene in ids]
            self.target_members: Members = self.source_members
            entry = sources()["tables"][f"genes_{left.name}"]
            self.release: dict[str, Any] = {key: entry[key] for key in ("release", "sha256")}
            self.release["name"] = entry["table"]
        else:
            self._pairs = self._read(left, right, table)
            found = features(self._pairs, policy, tiers)
            self.source_members = _with_names(found.source, self._pairs.source_names)
            self.target_members = _with_names(found.target, self._pairs.target_names)
            self.release = self._pairs.release
        self.names = self._named(left, right)

    def _read(self, left: Species, right: Species, table: pd.DataFrame | str | Path | None) -> Pairs:
        if table is None:
            return bundled_pairs(left.name, right.name)
        pairs, self.report = user_pairs(table, left, right)
        return pairs

    @classmethod
    def from_members(
        cls,
        source: str,
        target: str,
        names: Sequence[str],
        source_members: Sequence[Sequence[str]],
        target_members: Sequence[Sequence[str]],
        policy: str,
        release: dict[str, Any],
    ) -> Self:
        """Rebuild a map from what a model file stores, whatever table is installed.

        Raises
        ------
        GeneError
            If the three lists differ in length, or a gene is in two features of one species.
        """
        made = cls.__new__(cls)
        made.source, made.target, made.policy, made.release = source, target, policy, dict(release)
        made.source_members = [tuple(genes) for genes in source_members]
        made.target_members = [tuple(genes) for genes in target_members]
        made.names = np.array([str(name) for name in names], dtype=object)
        made.report, made._pairs = {}, None
        if not len(made.names) == len(made.source_members) == len(made.target_members):
            raise GeneError(
                f"a stored ortholog map has {len(made.names)} names, {len(made.source_members)} source and "
                f"{len(made.target_members)} target features; expected the same number of each"
            )
        for members in (made.source_members, made.target_members):
            genes = [gene for feature in members for gene in feature]
            if len(set(genes)) < len(genes):
                raise GeneError("a stored ortholog map has a gene in two features; expected each gene once")
        return made

    @property
    def n_features(self) -> int:
        """How many features the two species share."""
        return len(self.names)

    def projection(self, genes: GeneIdentity, *, species: str | None = None) -> csr_array:
        """Return the matrix P (n_genes x F) that sums genes into features: ``X @ P`` aligns X.

        Parameters
        ----------
        genes
            What the gene names of the data mean, from :func:`identify`.
        species
            Which side the data are of; by default ``genes.species``.

        Raises
        ------
        GeneError
            If the data are of neither species.
        """
        from scipy.sparse import csr_array

        columns = self._columns(genes, species)
        mapped = columns >= 0
        indptr = np.concatenate([[0], np.cumsum(mapped)])
        values = np.ones(int(indptr[-1]), dtype=np.float32)
        return csr_array((values, columns[mapped], indptr), shape=(len(columns), self.n_features))

    def coverage(
        self,
        genes: GeneIdentity,
        *,
        species: str | None = None,
        totals: NDArray[np.floating[Any]] | None = None,
    ) -> Coverage:
        """Return how many genes, and which share of the counts, the features carry.

        Parameters
        ----------
        genes, species
            As for :meth:`projection`.
        totals
            Counts of each gene summed over the cells, shape (n_genes,); None leaves the shares out.
        """
        side = self._side(genes, species)
        columns = self._columns(genes, side)
        partnered = self._partnered(side)
        known = np.array([gene != "" for gene in genes.ids], dtype=bool)
        has_partner = np.array([gene in partnered for gene in genes.ids], dtype=bool)
        classes = np.select(
            [columns >= 0, ~known, has_partner],
            [CLASSES.index("mapped"), CLASSES.index("unrecognised"), CLASSES.index("ambiguous")],
            CLASSES.index("no_ortholog"),
        )
        return coverage_of(
            classes.astype(np.intp),
            names=genes.names.tolist(),
            n_features=self.n_features,
            n_features_found=len(np.unique(columns[columns >= 0])),
            totals=totals,
        )

    def _side(self, genes: GeneIdentity, species: str | None) -> str:
        asked = species or genes.species
        if asked is None:
            raise GeneError(
                "the species of the genes is not known and their names do not tell it; "
                f"expected {self.source} or {self.target}; say which with species="
            )
        name = asked if asked in (self.source, self.target) else resolve_species(asked).name
        if name not in (self.source, self.target):
            raise GeneError(
                f"the genes are read as {name}; expected {self.source} or {self.target}, which this map joins"
                "; name the right species or make another map"
            )
        return name

    def _columns(self, genes: GeneIdentity, species: str | None) -> NDArray[np.intp]:
        side = self._side(genes, species)
        members = self.source_members if side == self.source else self.target_members
        column = {gene: place for place, feature in enumerate(members) for gene in feature}
        return np.array([column.get(gene, -1) for gene in genes.ids], dtype=np.intp)

    def _partnered(self, side: str) -> set[str]:
        """Return every gene of one side that has any partner in the table."""
        if self._pairs is None and self.source != self.target:
            left, right = (resolve_species(name) for name in (self.source, self.target))
            if not has_bundled_pairs(left, right):
                return set()
            self._pairs = bundled_pairs(self.source, self.target)
        if self._pairs is None:
            return set()
        if side == self.source:
            ids, names = self._pairs.source_ids, self._pairs.source_names
        else:
            ids, names = self._pairs.target_ids, self._pairs.target_names
        return {*ids, *(name for others in names.values() for name in others)}

    def _named(self, left: Species, right: Species) -> NDArray[np.object_]:
        """Return a readable and unique name of each feature."""
        side, members = (right, self.target_members) if right.name == "human" else (left, self.source_members)
        symbol_of = gene_table(side.name).symbol_of if side.has_table else {}
        if not side.has_table and self._pairs is not None:
            others = self._pairs.target_names if side is right else self._pairs.source_names
            symbol_of = {gene: names[0] for gene, names in others.items()}
            further = set(symbol_of.values())
            members = [tuple(gene for gene in feature if gene not in further) for feature in members]
        found = np.empty(len(members), dtype=object)
        taken: set[str] = set()
        for place, feature in enumerate(members):
            name = _family_name([symbol_of.get(gene) or gene for gene in feature])
            found[place] = f"{name} ({feature[0]})" if name in taken else name
            taken.add(name)
        return found
