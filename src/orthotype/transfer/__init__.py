"""The four verbs on AnnData: fit, annotate, adapt, and saving what was learned."""

from orthotype.transfer.label_transfer import LabelTransfer, load
from orthotype.transfer.predictions import Predictions

__all__ = ["LabelTransfer", "Predictions", "load"]
