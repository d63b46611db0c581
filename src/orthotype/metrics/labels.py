"""Labels as they come, made comparable: text, with None where there is no label."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import InputError, Problems

Labels = Sequence[Any] | npt.NDArray[Any] | pd.Series | pd.Categorical
Texts = npt.NDArray[np.object_]


def as_labels(values: Labels, *, name: str) -> Texts:
    """Return one label per cell as text; None, NaN and blank text become None.

    Raises
    ------
    InputError
        If the values are not one column.
    """
    dimensions = getattr(values, "ndim", 1)
    if dimensions != 1:
        raise InputError(f"{name} has {dimensions} dimensions; expected one label per cell")
    series = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
    texts: Texts = series.astype(object).map(str).to_numpy(dtype=object, copy=True)
    blank = np.fromiter((not text.strip() for text in texts), dtype=bool, count=len(texts))
    texts[series.isna().to_numpy(dtype=bool) | blank] = None
    return texts


def paired(true: Labels, predicted: Labels) -> tuple[Texts, Texts]:
    """Return true and predicted labels that are known to belong to the same cells.

    Raises
    ------
    InputError
        If there are no cells, the lengths differ, two Series hold the same cells in another order, or a
        predicted label is missing (*unknown* is a word, not a gap).
    """
    problems = Problems("labels")
    if isinstance(true, pd.Series) and isinstance(predicted, pd.Series) and _shuffled(true, predicted):
        problems.add(
            "true and predicted hold the same cells in another order",
            expected="the same order",
            remedy="use predicted.loc[true.index]",
        )
    texts = as_labels(true, name="true"), as_labels(predicted, name="predicted")
    if len(texts[0]) != len(texts[1]):
        problems.add(
            f"{len(texts[0]):,} true and {len(texts[1]):,} predicted labels", expected="one pair per cell"
        )
    if len(texts[0]) == 0:
        problems.add("no cells at all", expected="at least one")
    gaps = sum(text is None for text in texts[1])
    if gaps:
        problems.add(
            f"{gaps:,} predicted labels are missing",
            expected="a label for every cell",
            remedy=f"write one of {' or '.join(map(repr, sorted(RESERVED_LABELS)))} where there is no answer",
        )
    problems.raise_if_any()
    return texts


def paired_whole(true: Labels, predicted: Labels) -> tuple[Texts, Texts]:
    """Return the labels as :func:`paired` does, and refuse missing true labels.

    Raises
    ------
    InputError
        As :func:`paired`, or if a true label is missing.
    """
    true_texts, predicted_texts = paired(true, predicted)
    gaps = sum(text is None for text in true_texts)
    if gaps:
        raise InputError(
            f"labels: {gaps:,} true labels are missing; expected a label for every cell; "
            "leave those cells out, or use evaluate, which counts them"
        )
    return true_texts, predicted_texts


def classes_of(*columns: Iterable[str | None]) -> list[str]:
    """Return the classes that occur, sorted, without gaps and without the two reserved words."""
    found = {text for column in columns for text in column if text is not None}
    return sorted(found - RESERVED_LABELS)


def codes(texts: Texts, classes: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return the position of each label in ``classes``, -1 where it is none of them."""
    return named(classes).get_indexer(named(texts))


def named(labels: Iterable[Any], name: str | None = None) -> "pd.Index[Any]":
    """Return labels as an index that keeps them as they are, whatever pandas infers by default."""
    index: pd.Index[Any] = pd.Index(list(labels), dtype="object", name=name)
    return index


def _shuffled(one: pd.Series, other: pd.Series) -> bool:
    if len(one) != len(other) or one.index.equals(other.index):
        return False
    return one.index.is_unique and bool(one.index.isin(other.index).all())
