"""Which biology transfers: the genes that carry over and those that do not, and the markers of each class."""

from typing import Any, Final

import pandas as pd

from orthotype.report.svg import bar, span
from orthotype.report.words import count, percent, plain, score
from orthotype.transfer.biology_tables import (
    CARRIES,
    DIFFERS,
    EVIDENCE,
    GAINED,
    LOST,
    NO_CELLS,
    NOT_MEASURED,
    ONE_SPECIES,
    UNDECIDED,
)

MOST_GENES = 12
MOST_MARKERS = 12
STYLES: Final = {
    CARRIES: "assigned",
    UNDECIDED: "unknown",
    DIFFERS: "other",
    ONE_SPECIES: "disagree",
    NOT_MEASURED: "track",
}
MEANINGS: Final = {
    CARRIES: "its profile over the classes agrees: the whole 95 % interval lies above 0.5",
    UNDECIDED: "the interval holds 0.5, or too few classes can be compared",
    DIFFERS: "the whole interval lies below 0.5",
    ONE_SPECIES: "it tells the classes apart in one of the species, hardly in the other",
    NOT_MEASURED: "the target lacks it",
}
MARKER_STYLES: Final = {CARRIES: "assigned", UNDECIDED: "unknown", LOST: "other"}


def biology(genes: pd.DataFrame | None, markers: pd.DataFrame | None) -> dict[str, Any] | None:
    """Return everything that the page shows of transferability, or None if the tables are not there.

    Parameters
    ----------
    genes
        Table of :func:`orthotype.transferability`.
    markers
        Table of :func:`orthotype.marker_transfer`.
    """
    if genes is None or markers is None or not len(genes):
        return None
    evidence = genes["evidence"].astype(str)
    numbers = [(word, int((evidence == word).sum())) for word in EVIDENCE]
    cards = [_class(str(name), table) for name, table in markers.groupby("class", observed=True)]
    told = genes.assign(told=genes[["source_spread", "target_spread"]].max(axis=1)).sort_values(
        ["told", "gene"], ascending=[False, True], kind="stable"
    )
    words = told["evidence"].astype(str)
    return {
        "genes": count(len(genes)),
        "n_classes": f"{float(genes['n_classes'].iloc[0]):.1f}",
        "bar": bar([(number / len(genes), STYLES[word]) for word, number in numbers]),
        "evidence": [
            {
                "word": word,
                "style": STYLES[word],
                "meaning": MEANINGS[word],
                "genes": count(number),
                "share": percent(number / len(genes)),
            }
            for word, number in numbers
        ],
        "best": _carried(told[words == CARRIES].head(MOST_GENES)),
        "worst": _not_carried(told[words.isin([DIFFERS, ONE_SPECIES])].head(MOST_GENES)),
        "classes": [card for card in cards if card["told"]],
        "few": _names([card["name"] for card in cards if not card["told"] and card["seen"]]),
        "unseen": _names([card["name"] for card in cards if not card["seen"]]),
    }


def _carried(genes: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "gene": str(row["gene"]),
            "highest": _highest(row),
            "value": score(row["transferability"], digits=2),
            "span": span(
                float(row["transferability"]),
                max(float(row["transferability_low"]), 0.0),
                max(float(row["transferability_high"]), 0.0),
            ),
        }
        for _, row in genes.iterrows()
    ]


def _not_carried(genes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return genes with their spread over the classes of each species, on one scale."""
    sides = ("source_spread", "target_spread")
    most = max(float(genes[list(sides)].to_numpy(dtype=float).max(initial=0.0)), 1e-9)
    return [
        {
            "gene": str(row["gene"]),
            "highest": _highest(row),
            "spreads": [
                {"text": score(row[side], digits=2), "bar": bar([(float(row[side]) / most, style)])}
                for side, style in zip(sides, ("assigned", "other"), strict=True)
            ],
        }
        for _, row in genes.iterrows()
    ]


def _highest(gene: "pd.Series[Any]") -> str:
    """Say in which class a gene is highest, or in which two."""
    source, target = (_name(gene[side]) for side in ("source_class", "target_class"))
    if str(gene["evidence"]) == ONE_SPECIES:
        in_source = gene["source_spread"] > gene["target_spread"]
        return f"{source}, source only" if in_source else f"{target}, target only"
    return source if source == target else f"{source}; in the target {target}"


def _class(name: str, markers: pd.DataFrame) -> dict[str, Any]:
    """Return the markers of one class by verdict; ``told`` if any of them carries over or is lost."""
    words = markers["verdict"].astype(str)
    told = {word: _marker_list(markers[words == word]) for word in (CARRIES, LOST, GAINED, UNDECIDED)}
    judged = int(words.isin(list(MARKER_STYLES)).sum())
    parts = [(int((words == word).sum()) / max(judged, 1), style) for word, style in MARKER_STYLES.items()]
    return {
        "name": name,
        "seen": bool((words != NO_CELLS).all()),
        "told": bool(words.isin([CARRIES, LOST]).any()),
        "bar": bar(parts),
        "carried": count((words == CARRIES).sum()),
        "judged": count(judged),
        "verdicts": [
            {"word": word, "genes": genes, "style": MARKER_STYLES.get(word, "disagree")}
            for word, genes in told.items()
            if genes["shown"]
        ],
        "missing": _names(markers.loc[words == NOT_MEASURED, "gene"].astype(str).tolist()),
    }


def _marker_list(markers: pd.DataFrame) -> dict[str, Any]:
    shown = [
        {
            "name": str(row["gene"]),
            "means": f"mean {score(row['source_mean'], digits=2)} in the source, "
            f"{score(row['target_mean'], digits=2)} in the target",
        }
        for _, row in markers.head(MOST_MARKERS).iterrows()
    ]
    return {"shown": shown, "rest": max(0, len(markers) - MOST_MARKERS)}


def _names(names: list[str]) -> str:
    return plain(names, most=20) if names else ""


def _name(value: Any) -> str:
    return "alike in all" if pd.isna(value) else str(value)
