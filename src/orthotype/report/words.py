"""Numbers and plain values as people write them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

NOTHING = "\u2013"


def count(value: Any) -> str:
    """Write a whole number with thousands separated.

    >>> count(12394)
    '12,394'
    """
    return NOTHING if _missing(value) else f"{int(value):,}"


def percent(share: Any) -> str:
    """Write a share as per cent, and never a small one as none or a large one as all.

    >>> percent(0.0712), percent(0.99996), percent(0.0001), percent(1)
    ('7.1 %', '> 99.9 %', '< 0.1 %', '100 %')
    """
    if _missing(share):
        return NOTHING
    value = float(share)
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    if value < 0.001:
        return "< 0.1 %"
    if value > 0.999:
        return "> 99.9 %"
    return f"{100 * value:.1f} %"


def score(value: Any, *, digits: int = 3) -> str:
    """Write a score between 0 and 1 with a fixed number of digits.

    >>> score(0.98765)
    '0.988'
    """
    return NOTHING if _missing(value) else f"{float(value):.{digits}f}"


def interval(low: Any, high: Any, *, digits: int = 3) -> str:
    """Write an interval, or a dash where there is none.

    >>> interval(0.9, 0.95, digits=2)
    '0.90 to 0.95'
    """
    if _missing(low) or _missing(high):
        return NOTHING
    return f"{float(low):.{digits}f} to {float(high):.{digits}f}"


def plain(value: Any, *, most: int = 8) -> str:
    """Write any plain value on one line: four figures, at most eight items of a list.

    >>> plain({"kind": "log_normalize", "target_sum": 10000.0})
    'kind log_normalize, target_sum 10000'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _missing(value):
        return NOTHING
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.10g}"
    if isinstance(value, Mapping):
        return _few([f"{key} {plain(item, most=most)}" for key, item in value.items()], most)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return _few([plain(item, most=most) for item in value], most)
    return str(value)


def spaced(name: str) -> str:
    """Write a field name as words.

    >>> spaced("mean_recall")
    'mean recall'
    """
    return str(name).replace("_", " ")


def _few(texts: list[str], most: int) -> str:
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most:,} more" if len(texts) > most else shown or NOTHING


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
