"""How many genes, and what share of the counts, come through each step to the model."""

from collections.abc import Mapping
from typing import Any

from orthotype.report.svg import bar
from orthotype.report.words import count, percent

LOST = (
    ("no_ortholog", "no ortholog"),
    ("ambiguous", "several orthologs"),
    ("unrecognised", "name not recognised"),
)


def gene_coverage(coverage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one funnel for each side that is known, source first."""
    sides = [("source", coverage.get("source")), ("target", coverage.get("target"))]
    model = coverage.get("model_genes")
    return [_side(name, side, side.get("model_genes") or model) for name, side in sides if side]


def _side(name: str, side: Mapping[str, Any], model: Mapping[str, Any] | None) -> dict[str, Any]:
    whole = side.get("n_genes") or 0
    lost_names = side.get("share_unrecognised")
    steps = [
        ("in the data", whole, None if lost_names is None else 1.0),
        ("recognised", side.get("n_recognised"), None if lost_names is None else 1 - lost_names),
        ("with an ortholog", side.get("n_mapped"), side.get("share_mapped")),
    ]
    uses_model = name == "target" and model is not None and model.get("n") is not None
    if uses_model and model is not None:
        steps.append(
            ("used by the model", model["n"] - (model.get("n_missing") or 0), model.get("share_of_counts"))
        )
    return {
        "name": name,
        "steps": [
            {
                "name": step,
                "genes": count(genes),
                "counts": percent(share),
                "bar": bar([((genes or 0) / whole if whole else 0.0, "assigned")]),
            }
            for step, genes, share in steps
        ],
        "lost": [_lost(side, key, word) for key, word in LOST if side.get(f"n_{key}")],
        "model": _model(model) if uses_model and model is not None else None,
    }


def _lost(side: Mapping[str, Any], key: str, word: str) -> dict[str, str]:
    examples = (side.get("examples") or {}).get(key) or []
    return {
        "word": word,
        "genes": count(side[f"n_{key}"]),
        "counts": percent(side.get(f"share_{key}")),
        "examples": ", ".join(_gene(example) for example in examples),
    }


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    missing = model.get("n_missing") or 0
    weight = model.get("share_of_weight_missing")
    return {
        "n": count(model["n"]),
        "found": count(model["n"] - missing),
        "missing": missing,
        "weight": None if weight is None else percent(weight),
        "level": model.get("level"),
        "cost": None if (loss := model.get("expected_loss")) is None else f"{100 * loss:.1f}",
        "top": ", ".join(_gene(gene) for gene in model.get("missing_top") or []),
    }


def _gene(example: Any) -> str:
    if isinstance(example, Mapping):
        return str(example.get("gene", ""))
    return str(example[0]) if isinstance(example, list | tuple) and example else str(example)
