"""Whether transfer is better than starting from scratch: paired tests, adjusted across the whole curve.

For every learner, number of shots, class and metric, d_r is the score of transfer minus the score from
scratch in repeat r, and Student's one-sided paired t-test asks whether their mean is above 0. A curve asks
this hundreds of times, so p-values are adjusted together over all rows of the table (Benjamini and Hochberg
1995, J R Stat Soc B 57:289): of the rows with an adjusted p below 0.05, about 5 % at most are chance. One
p-value adjusted alone is that p-value; nothing is corrected.

Where the t-test has no value, the p-value is stated by a rule and the row says which:

================  ==================================================  ===============================
note              when                                                p
================  ==================================================  ===============================
``""``            the t-test holds                                    of the t-test
``"no spread"``   the differences d_r are all the same                2 to the power of -R if they are
                                                                      positive (of all signs that R
                                                                      differences can have, one is as
                                                                      good), 1 otherwise
``"one repeat"``  a single pair                                       1
``"no pair"``     one of the two starts is missing or has no value    1
================  ==================================================  ===============================
"""

from typing import Final

import numpy as np
import pandas as pd

from orthotype.metrics.adjusted import benjamini_hochberg

TESTED: Final = ["learner", "shots", "class", "metric"]
STARTS: Final = ("transfer", "scratch")
SAME: Final = 1e-12


def paired_tests(curve: pd.DataFrame) -> pd.DataFrame:
    """Test transfer above scratch at every point of a curve, adjusted across all of them.

    Parameters
    ----------
    curve
        Tidy rows of :func:`orthotype.study.few_shot.curve`. Points at 0 shots are left out: there is nothing
        from scratch to compare with. To test a smaller family, pass only its rows.

    Returns
    -------
    pandas.DataFrame
        One row per learner, shots, class and metric, in the order of the curve: ``n_pairs`` repeats; mean
        ``transfer``, mean ``scratch`` and mean ``difference`` over them; ``t``; ``p``; ``p_adjusted`` over
        all rows; ``note`` as the module explains. A mean without a pair and a t without a test are NaN, p
        never.
    """
    compared = curve[(curve["shots"] > 0) & curve["start"].isin(STARTS)]
    values = compared.set_index([*TESTED, "repeat"])
    pairs = pd.concat({start: values.loc[values["start"] == start, "value"] for start in STARTS}, axis=1)
    pairs.loc[pairs.isna().any(axis=1)] = np.nan
    pairs["difference"] = pairs["transfer"] - pairs["scratch"]
    grouped = pairs.groupby(level=TESTED, sort=False)
    table = grouped.mean()
    table.insert(0, "n_pairs", grouped["difference"].count())
    spread = grouped["difference"].max() - grouped["difference"].min()
    result = _t_tests(table, deviation=grouped["difference"].std(ddof=1), spread=spread)
    result.insert(6, "p_adjusted", benjamini_hochberg(result["p"]))
    return result.reset_index()


def _t_tests(
    table: pd.DataFrame, *, deviation: "pd.Series[float]", spread: "pd.Series[float]"
) -> pd.DataFrame:
    from scipy.stats import t as student

    n, mean = table["n_pairs"].to_numpy(), table["difference"].to_numpy(dtype=float)
    same = (n >= 2) & (spread.to_numpy() <= SAME)
    regular = (n >= 2) & ~same
    statistic = np.full(len(table), np.nan)
    error = deviation.to_numpy()[regular] / np.sqrt(n[regular])
    statistic[regular] = mean[regular] / error
    p = np.ones(len(table))
    p[regular] = student.sf(statistic[regular], n[regular] - 1)
    gained = same & (mean > SAME)
    p[gained] = 0.5 ** n[gained]
    note = np.select([n == 0, n == 1, same], ["no pair", "one repeat", "no spread"], default="")
    return table.assign(t=statistic, p=p, note=note.astype(object))
