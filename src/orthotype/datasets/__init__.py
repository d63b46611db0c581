"""Public data to try orthotype on: a bundled pancreas pair and human marrow, and more to download.

``list()`` says what there is, ``get(name)`` returns an AnnData, ``path(name)`` the h5ad file on this machine.
"""

from orthotype.datasets.access import get, list, path  # noqa: A004
from orthotype.datasets.registry import Dataset

__all__ = ["Dataset", "get", "list", "path"]
