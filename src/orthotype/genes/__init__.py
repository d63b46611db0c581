"""Which genes are the same: what a data set's gene names mean, and which genes two species share."""

from orthotype.genes.coverage import Coverage
from orthotype.genes.identify import GeneIdentity, identify
from orthotype.genes.orthologs import OrthologMap
from orthotype.genes.species import Species, known_species, resolve_species

__all__ = [
    "Coverage",
    "GeneIdentity",
    "OrthologMap",
    "Species",
    "identify",
    "known_species",
    "resolve_species",
]
