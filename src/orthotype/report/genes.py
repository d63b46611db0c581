"""The genes that speak loudest for each class, and whether they do so in both species."""

from typing import Any

import pandas as pd

from orthotype.report.svg import bar
from orthotype.report.words import score

MOST = 10


def top_genes(genes: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return the heaviest genes of every class, at most ten, with their means in source and target if given.

    Bars share one scale over all classes for the means, so that a gene that is silent in one species is seen.
    """
    if genes is None or not len(genes):
        return None
    sides = [name for name in ("source_mean", "target_mean") if name in genes]
    largest = float(genes[sides].to_numpy(dtype=float, na_value=0.0).max()) if sides else 1.0
    cards = []
    for name, table in genes.groupby("class", sort=True, observed=True):
        rows = table.sort_values("weight", ascending=False, kind="stable").head(MOST)
        cards.append(
            {
                "name": str(name),
                "rows": [
                    {
                        "gene": str(row["gene"]),
                        "weight": score(row["weight"]),
                        "means": [_mean(row[side], largest, side) for side in sides],
                    }
                    for _, row in rows.iterrows()
                ],
            }
        )
    return {"classes": cards, "sides": [side.removesuffix("_mean") for side in sides]}


def _mean(value: Any, largest: float, side: str) -> dict[str, Any]:
    known = not pd.isna(value)
    share = float(value) / largest if known and largest > 0 else 0.0
    style = "assigned" if side == "source_mean" else "other"
    return {"text": score(value if known else None, digits=2), "bar": bar([(share, style)])}
