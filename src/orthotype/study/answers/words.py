"""Rows, names and numbers as the sentences of the answers need them."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

NAMES: Final = {"mlr": "linear model", "ann": "neural network"}
Row = dict[str, Any]


def rows(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict(orient="records")]


def row_where(table: pd.DataFrame, column: str, value: str) -> Row:
    """Return the first row in which a column has a value."""
    return rows(table[table[column] == value])[0]


def named(learner: Any) -> str:
    """Return what people call a learner."""
    return NAMES.get(str(learner), str(learner))


def share(value: Any) -> str:
    """Write a share as per cent.

    >>> share(0.978)
    '97.8 %'
    """
    return f"{100 * float(value):.1f} %"


def signed(value: Any) -> str:
    """Write a difference with its sign.

    >>> signed(0.0123)
    '+0.012'
    """
    return f"{float(value):+.3f}".replace("-", "\u2212")


def p_value(value: Any) -> str:
    """Write a p-value, never as zero.

    >>> p_value(0.00001), p_value(0.04)
    ('p < 0.001', 'p = 0.040')
    """
    return "p < 0.001" if float(value) < 0.001 else f"p = {float(value):.3f}"


def cells(number: Any) -> str:
    """Write a number of cells.

    >>> cells(1), cells(1234)
    ('1 cell', '1,234 cells')
    """
    return "1 cell" if int(number) == 1 else f"{int(number):,} cells"


def joined(texts: Sequence[str]) -> str:
    """Write texts one after the other.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else list(texts))
