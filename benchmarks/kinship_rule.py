"""The rule that gives the numbers of kinship, one type and few types: safe from strangers of a new study.

Kin of another species lie lower than kin of one species, and one species cannot say how much; strangers do
not lie higher for it. So every number is the lowest that is safe from strangers::

    plane  the lowest a + b / n + c D, on the mean of all strangers, that none of them lies above; of n cells,
           where two are called the same class with chance D (for what is carried, b = c = 0)
    rise   how far the strangers of a source lie above the plane of those of all other sources, at most
    asked  plane + rise

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


def plane(rows: Floats, values: Floats) -> Floats:
    """Return the weights, shape (k,), of the lowest plane that no value is above; rows (n, k), ones first."""
    bounds = [(None, None), *[(0, None)] * (rows.shape[1] - 1)]
    return np.asarray(linprog(rows.mean(axis=0), A_ub=-rows, b_ub=-values, bounds=bounds).x)


def asked(strangers: pd.DataFrame, what: str, by: tuple[str, ...] = ()) -> dict[str, float]:
    """Return the plane, the rise, and of how many strangers of how many sources they are."""
    told = strangers[strangers[what].notna()].assign(one=1.0, few=1 / strangers["n"])
    rows, values = told[["one", *by]].to_numpy(float), told[what].to_numpy(float)
    rises = [0.0]
    for study in told["study"].unique():
        its = (told["study"] == study).to_numpy()
        rises.append(float((values[its] - rows[its] @ plane(rows[~its], values[~its])).max()))
    weights = dict(zip(("a", *by), plane(rows, values), strict=True))
    return {**weights, "rise": max(rises), "targets": len(told), "studies": told["study"].nunique()}


def numbers(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the plane and the rise for kinship, one type and few types."""
    strangers = frame[frame["kind"].str.startswith(STRANGERS)]
    one, two = (strangers[strangers[share] >= NEARLY_ALL] for share in ("largest", "largest_two"))
    return {
        "kinship": asked(strangers, "whole", ("few", "concentration")),
        "one type": asked(one, "carried"),
        "few types": asked(two, "carried"),
    }
