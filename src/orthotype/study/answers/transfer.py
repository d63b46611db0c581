"""Question two: how well the source carries over to the target, and where it fails."""

from typing import Any

from orthotype._keys import RESERVED_LABELS
from orthotype.study.answers.answer import Answer, Record, Tables
from orthotype.study.answers.words import cells, named, row_where, share

KINDS = ("proximal", "distal", "no_agreement", "unplaced")


def answer_transfer(tables: Tables, record: Record) -> Answer:
    """Say how many target cells the first learner labels right, and which errors each learner makes."""
    learner = str(record["recipe"]["learners"][0])
    if "transfer_summary" not in tables:
        return _without_truth(tables, record, learner)
    summary = tables["transfer_summary"]
    scores = summary[summary["learner"] == learner]
    accuracy, recall = row_where(scores, "metric", "accuracy"), row_where(scores, "metric", "mean_recall")
    spread = f" (interval {share(accuracy['low'])} to {share(accuracy['high'])})"
    text = (
        f"Of {int(accuracy['cells']):,} {record['target']['species']} cells whose class the source knows, "
        f"the {named(learner)} labels {share(accuracy['value'])} right"
        f"{spread if accuracy['low'] <= accuracy['high'] else ''}; mean recall over {len(record['shared'])} "
        f"classes is {recall['value']:.3f}."
    )
    numbers: dict[str, Any] = {"accuracy": accuracy["value"], "mean_recall": recall["value"]}
    details = [*_kinds_of_errors(tables, record, numbers), _weakest(tables, learner)]
    short = f"{share(accuracy['value'])} right, mean recall {recall['value']:.3f}."
    return Answer("transfer", short, text, details=tuple(details), numbers=numbers)


def _without_truth(tables: Tables, record: Record, learner: str) -> Answer:
    calls = tables["transfer_calls"]
    mine = calls[calls["learner"] == learner]
    agreed = 1 - float(mine.loc[mine["label"].isin(RESERVED_LABELS), "share"].sum())
    text = (
        f"Not scored: no target label was given. The fold models of the {named(learner)} agree on "
        f"{share(agreed)} of {int(mine['cells'].sum()):,} {record['target']['species']} cells."
    )
    return Answer("transfer", "Not scored, no target labels.", text, numbers={"agreed": agreed})


def _kinds_of_errors(tables: Tables, record: Record, numbers: dict[str, Any]) -> list[str]:
    if "transfer_errors" not in tables:
        return []
    errors, told = tables["transfer_errors"], []
    for learner in record["recipe"]["learners"]:
        row = row_where(errors[errors["learner"] == learner], "class", "all")
        rates = {kind: float(row[f"{kind}_rate"]) for kind in KINDS}
        numbers |= {f"{kind}_{learner}": rate for kind, rate in rates.items()}
        unplaced = f", {share(rates['unplaced'])} errors without a place" if rates["unplaced"] else ""
        told.append(
            f"{named(learner).capitalize()}: {share(rates['proximal'])} proximal errors, "
            f"{share(rates['distal'])} distal ones{unplaced}, no agreement on {share(rates['no_agreement'])}."
        )
    return told


def _weakest(tables: Tables, learner: str) -> str:
    """Name the class with the lowest recall, and what its cells are called instead."""
    classes = tables["transfer_per_class"]
    classes = classes[(classes["learner"] == learner) & classes["recall"].notna()]
    row = classes.sort_values(["recall", "support"], kind="stable").iloc[0]
    table = tables["transfer_confusion"]
    mine = table[(table["learner"] == learner) & (table["true"] == row["class"])]
    wrong = mine[mine["called"] != row["class"]].sort_values("cells", ascending=False, kind="stable").iloc[0]
    if not wrong["cells"]:
        return f"Every class has a recall of {row['recall']:.3f} or more."
    return (
        f"The weakest class is {row['class']}: recall {row['recall']:.2f} over {cells(row['support'])}, most "
        f"often called {wrong['called']} ({cells(wrong['cells'])})."
    )
