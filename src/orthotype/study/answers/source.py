"""Question one: whether a linear model is as good as a neural network."""

from orthotype.study.answers.answer import Answer, Record, Tables
from orthotype.study.answers.words import Row, joined, named, p_value, row_where, rows, signed


def answer_source(tables: Tables, record: Record) -> Answer:
    """Say how the two learners compare on source cells that neither had seen, by test."""
    where = f"{record['source']['species']} cells that no model had seen"
    if "source_comparison" not in tables:
        learner = record["recipe"]["learners"][0]
        whole = tables["source_metrics"]
        recall = float(row_where(whole[whole["class"] == "all"], "metric", "balanced_accuracy")["value"])
        text = f"Not compared: only the {named(learner)} was run. On {where} its mean recall is {recall:.3f}."
        return Answer("source", "Not compared.", text, numbers={"balanced_accuracy": recall})
    row = row_where(tables["source_comparison"], "metric", "balanced_accuracy")
    one, other = named(row["a"]), named(row["b"])
    short, verdict = _verdict(row, one, other)
    text = (
        f"On {where} the {one} has a mean recall of {row['mean_a']:.3f}, the {other} of {row['mean_b']:.3f}: "
        f"{verdict}. The difference is {signed(row['difference'])} ({100 * row['level']:g} % interval "
        f"{signed(row['low'])} to {signed(row['high'])}) over {row['n_folds']} folds."
    )
    kept = ("mean_a", "mean_b", "difference", "low", "high", "p_equal", "p_difference", "verdict")
    return Answer(
        "source",
        f"{short} Mean recall {row['mean_a']:.3f} against {row['mean_b']:.3f}.",
        text,
        details=(*_other_metrics(tables), *_on_the_target(tables)),
        numbers={key: row[key] for key in kept},
    )


def _verdict(row: Row, one: str, other: str) -> tuple[str, str]:
    """Return the verdict of the tests in a word and in a clause."""
    margin = f"{row['margin']:g}"
    return {
        "equal": ("Yes, equal by test.", f"equal within {margin} by test ({p_value(row['p_equal'])})"),
        "a better": ("It is better.", f"the {one} is better ({p_value(row['p_difference'])})"),
        "b better": ("No.", f"the {other} is better ({p_value(row['p_difference'])})"),
        "undecided": (
            "Not decided.",
            f"neither equal within {margin} by test ({p_value(row['p_equal'])}) nor different",
        ),
    }[str(row["verdict"])]


def _other_metrics(tables: Tables) -> tuple[str, ...]:
    """Say what the tests say of accuracy and macro F1, where rare classes count less or otherwise."""
    told = []
    for row in rows(tables["source_comparison"]):
        if row["metric"] != "balanced_accuracy":
            words = str(row["metric"]).replace("_", " ").replace("f1", "F1")
            verdict = _verdict(row, named(row["a"]), named(row["b"]))[1]
            told.append(f"{words} {row['mean_a']:.3f} and {row['mean_b']:.3f}, {verdict}")
    return (f"By other scores: {'; '.join(told)}.",) if told else ()


def _on_the_target(tables: Tables) -> tuple[str, ...]:
    if "transfer_summary" not in tables:
        return ()
    summary = tables["transfer_summary"]
    recall = summary[summary["metric"] == "mean_recall"].set_index("learner")["value"]
    told = [f"{float(value):.3f} for the {named(learner)}" for learner, value in recall.items()]
    return (f"On the target, of which no model has seen a label, mean recall is {joined(told)}.",)
