"""Small tables that several steps lay out alike."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def long_confusion(table: pd.DataFrame) -> pd.DataFrame:
    """Return a confusion table as rows of true, called, cells and their share of the true class."""
    counts = table.to_numpy()
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n_rows, n_columns = counts.shape
    return pd.DataFrame(
        {
            "true": np.repeat(np.array(table.index, dtype=object), n_columns),
            "called": np.tile(np.array(table.columns, dtype=object), n_rows),
            "cells": counts.ravel().astype(np.int64),
            "share": (counts / totals).ravel(),
        }
    )


def entropy_table(
    entropy: NDArray[np.float64], names: NDArray[np.object_], *, order: Sequence[str]
) -> pd.DataFrame:
    """Return how entropy is spread over the cells of every class that has some: cells, mean, quartiles."""
    rows = []
    for name in order:
        values = entropy[names == name]
        if len(values):
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            rows.append((name, len(values), float(values.mean()), float(low), float(middle), float(high)))
    columns = ["class", "cells", "mean", "lower_quartile", "median", "upper_quartile"]
    return pd.DataFrame(rows, columns=columns)
