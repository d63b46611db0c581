"""What an evaluation says, as tables and as plain JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Evaluation:
    """How well labels carried over, as tables.

    Attributes
    ----------
    shared, source_only, target_only
        Classes that both sides have, that only the source has, that only the true labels name; sorted.
    n_cells, n_missing
        Cells with a true label, and cells left out because they have none.
    summary
        One row per metric: value, low, high, and the cells it is computed over. Only cells whose true class
        is shared count, so that a class which the source never saw does not count against it.
    per_class
        Scores of every shared class over the same cells (columns of :func:`orthotype.metrics.per_class`) with
        intervals for recall, precision and f1, and ``called_target_only``: how many cells of target-only
        classes got this label. Precision does not count those.
    confusion
        Rows: shared, then target-only classes. Columns: shared, then source-only classes, *no agreement*,
        *unknown*.
    target_only_calls
        For every class that the source lacks: its cells, what they were called most, the shares assigned, *no
        agreement* and *unknown*, and the mean confidence.
    entropy
        Softmax entropy (0 to 1) per true class: cells, mean and quartiles; None without probabilities.
    reliability
        Confidence against share right over the assigned cells of shared classes; None without confidence.
    level, interval_method
        What the intervals mean, and how they were made, in words.
    notes
        What the reader should know, such as class names that differ only in spelling.
    """

    shared: tuple[str, ...]
    source_only: tuple[str, ...]
    target_only: tuple[str, ...]
    n_cells: int
    n_missing: int
    summary: pd.DataFrame
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    target_only_calls: pd.DataFrame
    entropy: pd.DataFrame | None
    reliability: pd.DataFrame | None
    level: float
    interval_method: str
    notes: tuple[str, ...]

    def value(self, metric: str) -> float:
        """Return one value of the summary by its name."""
        return float(self.summary.set_index("metric")["value"].loc[metric])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON: tables as lists of records, NaN as None."""
        return {
            "shared": list(self.shared),
            "source_only": list(self.source_only),
            "target_only": list(self.target_only),
            "n_cells": self.n_cells,
            "n_missing": self.n_missing,
            "summary": _records(self.summary),
            "per_class": _records(self.per_class.reset_index()),
            "confusion": {
                "true": list(self.confusion.index),
                "predicted": list(self.confusion.columns),
                "counts": self.confusion.to_numpy().tolist(),
            },
            "target_only_calls": _records(self.target_only_calls.reset_index()),
            "entropy": None if self.entropy is None else _records(self.entropy.reset_index()),
            "reliability": None if self.reliability is None else _records(self.reliability),
            "level": self.level,
            "interval_method": self.interval_method,
            "notes": list(self.notes),
        }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(key): value.item() if isinstance(value, np.generic) else value for key, value in row.items()}
        for row in plain.to_dict(orient="records")
    ]
