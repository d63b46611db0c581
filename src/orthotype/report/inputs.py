"""What went into a run, and how to repeat it."""

from collections.abc import Mapping
from typing import Any

from orthotype.report.words import NOTHING, count, plain, spaced

ROWS = (
    ("file", "file"),
    ("species", "species"),
    ("cells", "cells"),
    ("genes", "genes"),
    ("gene_names", "gene names"),
    ("counts", "values"),
    ("labels", "label column"),
)
SHOWN_ELSEWHERE = {"coverage", "top_genes", "cells_per_class", "classes", "class_ontology_term_ids"}


def what_went_in(run: Mapping[str, Any], card: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the table source against target; a row that neither side can fill is left out."""
    source = _side_of_card(card) | dict(run.get("source") or {})
    target = dict(run.get("target") or {})
    files = run.get("files") or {}
    source.setdefault("file", files.get("source"))
    target.setdefault("file", files.get("target"))
    names = dict(ROWS)
    names |= {key: spaced(key) for key in [*source, *target] if key not in names}
    rows = [
        {"name": name, "source": _cell(source.get(key)), "target": _cell(target.get(key))}
        for key, name in names.items()
    ]
    return [row for row in rows if row["source"] != NOTHING or row["target"] != NOTHING]


def how_it_was_run(run: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the command, the seeds and versions, and the card as rows of name and value."""
    parameters, versions = dict(run.get("parameters") or {}), dict(run.get("versions") or {})
    files = dict(run.get("files") or {})
    facts = [
        ("created", run.get("created")),
        ("seed", run.get("seed", card.get("random_state"))),
        ("model", files.get("model")),
        ("model hash", run.get("model_hash") or card.get("hash")),
        *((spaced(name), value) for name, value in parameters.items()),
    ]
    return {
        "command": run.get("command"),
        "facts": [(name, plain(value)) for name, value in facts if value is not None],
        "versions": [(name, plain(value)) for name, value in versions.items()],
        "card": [
            (spaced(name), plain(value)) for name, value in _flat(card) if value not in (None, "", [], {})
        ],
    }


def _side_of_card(card: Mapping[str, Any]) -> dict[str, Any]:
    genes, counts = card.get("genes") or {}, card.get("counts") or {}
    found = {
        "species": card.get("species"),
        "cells": card.get("n_cells"),
        "genes": genes.get("n_genes") if isinstance(genes, Mapping) else None,
        "gene_names": genes.get("kind") if isinstance(genes, Mapping) else None,
        "labels": card.get("labels"),
    }
    if isinstance(counts, Mapping) and counts:
        found["counts"] = f"{counts.get('where', '')} ({counts.get('scale', '')})"
    return {name: value for name, value in found.items() if value is not None}


def _flat(card: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in card.items():
        if not prefix and name in SHOWN_ELSEWHERE:
            continue
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}: ")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def _cell(value: Any) -> str:
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else plain(value)
