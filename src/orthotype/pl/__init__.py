"""Figures from result tables, for papers and notebooks; the report of a labelling draws its own.

Three draw on axes, given or new: :func:`confusion`, :func:`confidence`, :func:`recall`. All others return a
whole matplotlib figure: of a table, of the study or of which biology transfers, or of the report of an
adapted model.
"""

from orthotype.pl.adapting import adaptation
from orthotype.pl.curves import learning_curves, learning_curves_by_class
from orthotype.pl.embedding import embedding
from orthotype.pl.figures import confidence, confusion, recall
from orthotype.pl.importance import gene_heatmap, weight_tails
from orthotype.pl.lineage import lineage_errors
from orthotype.pl.reliability import entropy, reliability
from orthotype.pl.similarity import similarity
from orthotype.pl.transferability import marker_transfer, transferability

__all__ = [
    "adaptation",
    "confidence",
    "confusion",
    "embedding",
    "entropy",
    "gene_heatmap",
    "learning_curves",
    "learning_curves_by_class",
    "lineage_errors",
    "marker_transfer",
    "recall",
    "reliability",
    "similarity",
    "transferability",
    "weight_tails",
]
