"""The rule that gives the numbers of kinship, of one type and of few types: safe from strangers of a new study.

Kin of another species lie lower than kin of one species, and one species cannot say how much; strangers do not
lie higher for it. So every number is the lowest that is safe from strangers::

    line   the lowest a + b / n, on the mean of all targets of n cells, that no stranger lies above
           (for what is carried, b = 0)
    rise   how far the strangers of a study lie above the line of all other studies, at most
    asked  line + rise

Strangers are the targets of ``kinship_settling.py`` of which the source has no class: all of them for
kinship, those of which nine tenths are called one class for one type, and two classes for few types.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linprog

Floats = NDArray[np.float64]

STRANGERS: Final = ("strangers", "strange types")
NEARLY_ALL: Final = 0.9


def line(n: Floats, values: Floats, *, by_number: bool) -> tuple[float, float]:
    """Return a and b of the lowest a + b / n that no value lies above."""
    rows = np.column_stack([np.ones_like(n), 1 / n])
    bounds = [(None, None), (0, None if by_number else 0)]
    found = linprog(rows.mean(axis=0), A_ub=-rows, b_ub=-values, bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def asked(strangers: pd.DataFrame, what: str, *, by_number: bool) -> dict[str, float]:
    """Return a and b of the line, the rise, and of how many strangers of how many studies they are."""
    told = strangers[strangers[what].notna()]
    n, values = told["n"].to_numpy(float), told[what].to_numpy(float)
    rises = [0.0]
    for study in told["study"].unique():
        its = (told["study"] == study).to_numpy()
        a, b = line(n[~its], values[~its], by_number=by_number)
        rises.append(float((values[its] - a - b / n[its]).max()))
    a, b = line(n, values, by_number=by_number)
    return {"a": a, "b": b, "rise": max(rises), "targets": len(told), "studies": told["study"].nunique()}


def numbers(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the line and the rise for kinship, one type and few types."""
    strangers = frame[frame["kind"].isin(STRANGERS)]
    one, two = (strangers[strangers[share] >= NEARLY_ALL] for share in ("largest", "largest_two"))
    return {
        "kinship": asked(strangers, "whole", by_number=True),
        "one type": asked(one, "carried", by_number=False),
        "few types": asked(two, "carried", by_number=False),
    }


def table(frame: pd.DataFrame) -> str:
    """Return the numbers as a Markdown table."""
    lines = ["| number | strangers | studies | line | rise | asked |", "|---" * 6 + "|"]
    for what, said in numbers(frame).items():
        few = f" + {said['b']:.1f} / n" if said["b"] else ""
        ends = [f"{said['a'] + more:.2f}{few}" for more in (0.0, said["rise"])]
        lines.append(
            f"| {what} | {said['targets']} | {said['studies']} | {ends[0]} | {said['rise']:.2f} | {ends[1]} |"
        )
    return "\n".join(lines)
