"""Cell types carried across species: train on one, label another, know what is uncertain.

Importing is light: every public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orthotype._version import __version__

if TYPE_CHECKING:
    from orthotype import datasets, errors, metrics, pl
    from orthotype._versions import show_versions
    from orthotype.cells.encode import Binarize, LogNormalize
    from orthotype.cells.inspect import inspect
    from orthotype.cells.read import read
    from orthotype.genes.orthologs import OrthologMap
    from orthotype.models.consensus import ConsensusClassifier
    from orthotype.models.linear.classifier import MultinomialLogisticRegression
    from orthotype.transfer import LabelTransfer, Predictions, load
    from orthotype.transfer.biology import marker_transfer, transferability
    from orthotype.transfer.proposals import propose_types
    from orthotype.transfer.rollup import roll_up

_HOMES = {
    "Binarize": "orthotype.cells.encode",
    "ConsensusClassifier": "orthotype.models.consensus",
    "LabelTransfer": "orthotype.transfer",
    "LogNormalize": "orthotype.cells.encode",
    "MultinomialLogisticRegression": "orthotype.models.linear.classifier",
    "OrthologMap": "orthotype.genes.orthologs",
    "Predictions": "orthotype.transfer",
    "inspect": "orthotype.cells.inspect",
    "load": "orthotype.transfer",
    "marker_transfer": "orthotype.transfer.biology",
    "propose_types": "orthotype.transfer.proposals",
    "read": "orthotype.cells.read",
    "roll_up": "orthotype.transfer.rollup",
    "show_versions": "orthotype._versions",
    "transferability": "orthotype.transfer.biology",
}
_MODULES = ("datasets", "errors", "metrics", "pl")

__all__ = [
    "Binarize",
    "ConsensusClassifier",
    "LabelTransfer",
    "LogNormalize",
    "MultinomialLogisticRegression",
    "OrthologMap",
    "Predictions",
    "__version__",
    "datasets",
    "errors",
    "inspect",
    "load",
    "marker_transfer",
    "metrics",
    "pl",
    "propose_types",
    "read",
    "roll_up",
    "show_versions",
    "transferability",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"orthotype.{name}")
    raise AttributeError(f"module 'orthotype' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
