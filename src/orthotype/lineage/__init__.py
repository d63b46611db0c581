"""Which cell types are neighbours, by a lineage tree or the Cell Ontology, and where errors fall."""

from orthotype.lineage.ontology import CellOntology
from orthotype.lineage.relations import error_table
from orthotype.lineage.tree import Lineage

__all__ = ["CellOntology", "Lineage", "error_table"]
