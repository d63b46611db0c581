"""The answer at the top of the page: a few sentences and a few numbers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from orthotype._keys import ASSIGNED, CONFIDENCE, LABEL, NO_AGREEMENT, RESERVED_LABELS, STATUS, UNKNOWN
from orthotype.metrics import Evaluation
from orthotype.report.words import count, interval, percent, score


def lead(
    run: Mapping[str, Any], card: Mapping[str, Any], predictions: pd.DataFrame, evaluation: Evaluation | None
) -> list[str]:
    """Say the answer in a few sentences."""
    status = predictions[STATUS].astype(str)
    labelled = (status == ASSIGNED).to_numpy()
    target = (run.get("target") or {}).get("species") or card.get("target_species")
    source = (run.get("source") or {}).get("species") or card.get("species")
    known = card.get("classes") or sorted(set(predictions[LABEL].astype(str)) - RESERVED_LABELS)
    cells = f"{count(len(status))} {target} cells" if target else f"{count(len(status))} cells"
    who = f"All {cells}" if labelled.all() else f"{count(labelled.sum())} of {cells}"
    origin = f" learned from {source} cells" if source else ""
    mean = score(predictions.loc[labelled, CONFIDENCE].mean(), digits=2)
    sure = f", with a mean confidence of {mean}" if labelled.any() else ""
    sentences = [f"{who} got one of {len(known)} labels{origin}{sure}."]
    unknown, disagree = int((status == UNKNOWN).sum()), int((status == NO_AGREEMENT).sum())
    if unknown:
        sentences.append(f"{count(unknown)} fit none of them.")
    if disagree:
        sentences.append(f"On {count(disagree)} the fold models disagree.")
    if evaluation is not None:
        row = evaluation.summary.set_index("metric").loc["accuracy"]
        bounds = f"{percent(row['low'])} to {percent(row['high'])}"
        spread: str = "" if pd.isna(row["low"]) else f" ({100 * evaluation.level:g} % interval {bounds})"
        known_cells = f"Of the {count(row['cells'])} cells whose given label the model knows"
        sentences.append(f"{known_cells}, {percent(row['value'])} got it{spread}.")
    return sentences


def figures(predictions: pd.DataFrame, evaluation: Evaluation | None) -> list[dict[str, str]]:
    """Return the few numbers that stand at the top of the page."""
    status = predictions[STATUS].astype(str)
    assigned = (status == ASSIGNED).to_numpy()
    found = [
        {
            "value": percent(assigned.mean()),
            "name": "of cells labelled",
            "note": f"{count(len(status))} cells",
        },
        {
            "value": score(predictions.loc[assigned, CONFIDENCE].mean(), digits=2),
            "name": "mean confidence",
            "note": "of labelled cells",
        },
    ]
    if evaluation is not None:
        rows = evaluation.summary.set_index("metric")
        for metric, name in (("accuracy", "accuracy"), ("mean_recall", "mean recall")):
            row = rows.loc[metric]
            found.append(
                {"value": score(row["value"]), "name": name, "note": interval(row["low"], row["high"])}
            )
    return found
