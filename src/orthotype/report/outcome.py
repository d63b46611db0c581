"""What came out: the labels, how many cells each got, and how sure the model is of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from orthotype._keys import (
    ASSIGNED,
    CONFIDENCE,
    LABEL,
    NO_AGREEMENT,
    RESERVED_LABELS,
    STATUS,
    UNKNOWN,
    VOTES,
)
from orthotype.report.svg import Series, bar, histogram
from orthotype.report.words import count, percent, score

STATUSES = ((ASSIGNED, "assigned"), (NO_AGREEMENT, "disagree"), (UNKNOWN, "unknown"))
N_BINS = 20


def labels_given(predictions: pd.DataFrame, card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per label, most cells first, then classes without cells, then the reserved words."""
    labels = predictions[LABEL].astype(str)
    cells = labels.value_counts()
    confidence = predictions[CONFIDENCE].groupby(labels.to_numpy()).mean()
    in_source = card.get("cells_per_class") or {}
    order = sorted(set(cells.index) | set(card.get("classes") or []), key=lambda name: _rank(name, cells))
    most = max(int(cells.max()), 1)
    return [
        {
            "name": name,
            "reserved": name in RESERVED_LABELS,
            "cells": int(cells.get(name, 0)),
            "share": percent(cells.get(name, 0) / len(labels)),
            "bar": bar([(cells.get(name, 0) / most, _style(name))]),
            "confidence": score(confidence.get(name), digits=2),
            "in_source": count(in_source.get(name)),
            "given": _most_given(predictions, labels, name),
        }
        for name in order
    ]


def status_shares(predictions: pd.DataFrame) -> dict[str, Any]:
    """Return the share of cells of every status, and one bar of all of them."""
    status = predictions[STATUS].astype(str)
    shares = [(word, style, int((status == word).sum())) for word, style in STATUSES]
    return {
        "bar": bar([(cells / len(status), style) for _, style, cells in shares]),
        "rows": [
            {"word": word, "style": style, "cells": count(cells), "share": percent(cells / len(status))}
            for word, style, cells in shares
        ],
    }


def confidence_plot(predictions: pd.DataFrame) -> Any:
    """Draw how confidence is distributed, stacked by status."""
    status = predictions[STATUS].astype(str).to_numpy()
    values = predictions[CONFIDENCE].to_numpy(dtype=float)
    edges = np.linspace(0, 1, N_BINS + 1)
    series = [
        Series(word, style, np.histogram(np.clip(values[status == word], 0, 1), bins=edges)[0].tolist())
        for word, style in STATUSES
    ]
    title = "Histogram of confidence, stacked by status"
    return histogram(series, title=title, x_label="confidence", y_label="cells")


def votes_line(predictions: pd.DataFrame, card: Mapping[str, Any]) -> str:
    """Say how many cells all fold models agree on, or nothing if votes are not known."""
    if VOTES not in predictions:
        return ""
    votes = predictions[VOTES].to_numpy()
    models = int(card.get("n_models") or votes.max())
    agreed = int((votes == models).sum())
    return f"All {models} fold models agree on {count(agreed)} of {count(len(votes))} cells."


def _rank(name: str, cells: "pd.Series[int]") -> tuple[bool, int, str]:
    return name in RESERVED_LABELS, -int(cells.get(name, 0)), name


def _style(name: str) -> str:
    return dict(STATUSES).get(name, "assigned") if name in RESERVED_LABELS else "assigned"


def _most_given(predictions: pd.DataFrame, labels: "pd.Series[str]", name: str) -> Sequence[str]:
    if "true" not in predictions:
        return []
    given = predictions.loc[(labels == name).to_numpy(), "true"].dropna().astype(str).value_counts()
    return [f"{word} {count(cells)}" for word, cells in given[given > 0].head(3).items()]
