"""Models that come with orthotype: weights and cards, never cells.

Wherever a model file is asked for, the name of one of these is as good: ``ot.load("mouse-marrow")``.
"""

from orthotype.models.pretrained.registry import PretrainedModel, find, located, path, records

__all__ = ["PretrainedModel", "find", "located", "path", "records"]
