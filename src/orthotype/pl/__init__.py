"""Figures from result tables, for papers and notebooks; the report draws its own and needs none of this."""

from orthotype.pl.figures import confidence, confusion, recall

__all__ = ["confidence", "confusion", "recall"]
