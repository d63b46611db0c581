"""Question three: which genes carry the classes."""

from typing import Any

from orthotype.study.answers.answer import Answer, Record, Tables
from orthotype.study.answers.words import joined


def answer_why(tables: Tables, record: Record) -> Answer:
    """Name the genes that tell most, and say whether they sit in the tails of the weights."""
    learner = record["recipe"]["learners"][0]
    top = tables["why_top_genes"]
    first = top[(top["learner"] == learner) & (top["rank"] == 1)]
    best = first.sort_values("importance", ascending=False, kind="stable").head(4)
    told = [f"{gene} ({name})" for gene, name in zip(best["gene"], best["class"], strict=True)]
    numbers: dict[str, Any] = {"best_genes": best["gene"].tolist()}
    parts = [f"The genes that tell most about a class are {joined(told)}"]
    if "why_weights" in tables:
        weights = tables["why_weights"]
        weights = weights[(weights["learner"] == learner) & weights["share"].notna()]
        inside, expected = float(weights["share"].mean()), float(weights["expected"].mean())
        sure = int((weights["p_adjusted"] < 0.05).sum())
        numbers |= {"share_in_tails": inside, "expected_in_tails": expected, "classes_significant": sure}
        parts.append(
            f"{100 * inside:.0f} % of the {record['recipe']['n_important']} most informative genes of a "
            f"class sit in the tails of the weights, where {100 * expected:.0f} % would by chance "
            f"(significant for {sure} of {len(weights)} classes)"
        )
    return Answer(
        "why",
        f"First of all {joined(told[:3])}.",
        "; ".join(parts) + ".",
        details=_alike(tables, record, numbers),
        numbers=numbers,
    )


def _alike(tables: Tables, record: Record, numbers: dict[str, Any]) -> tuple[str, ...]:
    """Say how many shared classes have their counterpart as the nearest class of the other species."""
    if "why_similarity" not in tables:
        return ()
    long = tables["why_similarity"]
    across = long[(long["row_side"] == "source") & (long["column_side"] == "target")]
    shared = [name for name in record["shared"] if (across["column_class"] == name).any()]
    strays = []
    for name in shared:
        mine = across[across["row_class"] == name]
        nearest = str(mine.loc[mine["cosine"].idxmax(), "column_class"])
        if nearest != name:
            strays.append(f"{name} (nearest {nearest})")
    if not shared:
        return ()
    numbers |= {"nearest_own_class": len(shared) - len(strays), "shared_classes": len(shared)}
    return (
        f"{len(shared) - len(strays)} of {len(shared)} shared classes are most alike to their own "
        f"counterpart in the other species{f'; not {joined(strays)}' if strays else ''}.",
    )
