"""``orthotype adapt`` as a user types it: from suggested cells to a better model, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

import orthotype as ot

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = "cell_ontology_class"
BETA, ALPHA, ACINAR = "type B pancreatic cell", "pancreatic A cell", "pancreatic acinar cell"


@pytest.fixture
def given(kept: Path) -> tuple[object, ...]:
    """Give the first words of the command."""
    return "adapt", kept / "model.safetensors", kept / "human.h5ad"


def some(cells: anndata.AnnData, n: int, *, acinar: bool = False) -> "pd.Series[str]":
    true = cells.obs[LABELS]
    chosen = true if acinar else true[true != ACINAR]
    return chosen.groupby(chosen).head(n)


def written(labels: "pd.Series[str]", path: str = "labels.csv") -> str:
    labels.rename("label").rename_axis("cell").to_csv(path)
    return path


def test_from_suggested_cells_to_an_adapted_model_and_its_labels(
    orthotype: Command, kept: Path, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    done = orthotype("suggest", *given[1:], "-n", "20", "-o", "to_label.csv")
    assert done.code == 0, done.err
    table = pd.read_csv("to_label.csv", index_col="cell")
    table["label"] = small_human.obs[LABELS][table.index]
    table.to_csv("to_label.csv")

    done = orthotype(*given, "--labels", "to_label.csv", "-o", "adapted.safetensors", "--picture", "a.svg")
    assert done.code == 0, done.err
    assert "learned from 20 human cells of 6 classes" in done.out
    assert f"new class: {ACINAR}, begun as pancreatic ductal cell" in done.out
    assert "labels that changed: " in done.out
    assert "note: 1 class is new to the model" in done.err
    assert done.err.endswith("orthotype: wrote adapted.safetensors and a.svg\n")
    assert "<svg" in Path("a.svg").read_text(encoding="utf-8")

    for model, name in ((given[1], "before"), ("adapted.safetensors", "after")):
        done = orthotype("annotate", model, given[2], "-o", f"{name}.csv")
        assert done.code == 0, done.err
    true = small_human.obs[LABELS].drop(table.index)
    right = {}
    for name in ("before", "after"):
        labels = pd.read_csv(f"{name}.csv", index_col=0)["orthotype_label"][true.index]
        right[name] = (labels == true).groupby(true).mean()
    assert right["before"][ACINAR] == 0
    assert right["after"][ACINAR] > 0.6
    assert right["after"].mean() > right["before"].mean() + 0.05


def test_the_file_is_the_model_that_python_makes(
    orthotype: Command, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    labels = some(small_human, 3)
    done = orthotype(*given, "--labels", written(labels), "-o", "a.safetensors", "--seed", "4", "--json")
    assert (done.code, done.err) == (0, "orthotype: wrote a.safetensors\n")
    expected = ot.load(given[1]).adapt(small_human, labels=labels, random_state=4)
    assert done.json["model_hash"] == expected.state_.hash() == ot.load("a.safetensors").state_.hash()
    assert done.json["cells_per_class"] == labels.value_counts().to_dict()
    assert done.json["target_cells"] == 300
    shown = orthotype("models", "show", "a.safetensors", "--json").json
    assert shown["adapted"]["from"] == ot.load(given[1]).state_.hash()


def test_complete_labels_leave_out_what_has_none(
    orthotype: Command, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    labels = some(small_human, 3)
    labels = labels[labels.isin([ALPHA, BETA])]
    words = ("--labels", written(labels), "-o", "a.safetensors", "--complete", "--json")
    done = orthotype(*given, *words)
    assert done.code == 0, done.err
    assert ot.load("a.safetensors").card["classes"] == [ALPHA, BETA]
    assert sorted([*done.json["left_out"], ALPHA, BETA]) == ot.load(given[1]).card["classes"]


def test_a_column_of_a_file_of_its_own_and_the_target_beside_it(
    orthotype: Command, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    labels = some(small_human, 2)
    few = small_human[labels.index].copy()
    few.write_h5ad("few.h5ad")
    done = orthotype(
        *("adapt", given[1], "few.h5ad", "--labels", LABELS, "--target", given[2], "-o", "a.safetensors"),
        *("--strength", "0.5", "--species", "human", "--layer", "X", "--json"),
    )
    assert done.code == 0, done.err
    assert (done.json["strength"], done.json["start"]) == (0.5, "label shift")
    assert done.json["target_cells"] == 300


def test_clusters_and_a_class_that_only_looks_like_one(
    orthotype: Command, refused: Refused, given: tuple[object, ...]
) -> None:
    Path("names.csv").write_text("cluster,label\nbeta,pancreatic X cell\nalpha,pancreatic a cells\n")
    words = (*given, "--labels", "names.csv", "--clusters", "cell_type", "-o", "a.safetensors")
    assert "pancreatic X cell (did you mean" in refused(*words)
    done = orthotype(*words, "--new-class", "pancreatic X cell", "--json")
    assert done.code == 0, done.err
    assert set(done.json["new_classes"]) == {"pancreatic X cell"}
    assert done.json["matched"]["pancreatic a cells"][0] == ALPHA
    assert f"pancreatic a cells is {ALPHA}" in done.err


def test_everything_that_is_wrong_with_the_labels_is_said_and_nothing_written(
    refused: Refused, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    cell = small_human.obs_names[0]
    lines = [f"{cell},{BETA}", f"{cell},{ALPHA}", *(f"nowhere {i},{BETA}" for i in range(7))]
    lines.append(f"{small_human.obs_names[1]},pancreatic X cell")
    Path("labels.csv").write_text("cell,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    message = refused(
        *(*given, "--labels", "labels.csv", "-o", "a.safetensors", "--picture", "a.svg"),
        *("--new-class", "mast cell", "--strength", "-2"),
    )
    assert f"{given[2]} has 5 problems" in message
    for fact in (
        "7 of 9 labelled cells are not in the data: 'nowhere 0'",
        "and 2 more",
        f"contradicting labels ('{cell}: {BETA} or {ALPHA}')",
        "pancreatic X cell (did you mean",
        "no cell has the label of the new classes 'mast cell'",
        "strength is -2.0",
    ):
        assert fact in message


def test_more_labels_than_cells(
    refused: Refused, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    labels = pd.Series(BETA, index=[*small_human.obs_names, "one more"])
    message = refused(*given, "--labels", written(labels), "-o", "a.safetensors")
    assert "labels for 301 cells, but only 300 cells" in message


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("--labels", "nope", "-o", "a.safetensors"), "no obs column 'nope'"),
        (("--labels", "nope.csv", "-o", "a.safetensors"), "nope.csv does not exist"),
        (("--labels", LABELS, "-o", "a.csv"), "expected .safetensors"),
        (("--labels", LABELS, "-o", "a.safetensors", "--picture", "a.txt"), "expected .svg"),
        (("--labels", LABELS, "-o", "a.safetensors", "--clusters", LABELS), "does not exist"),
        (("--labels", LABELS, "-o", "a.safetensors", "--target", "none.h5ad"), "none.h5ad"),
    ],
)
def test_words_that_do_not_fit(
    refused: Refused, given: tuple[object, ...], words: tuple[str, ...], fact: str
) -> None:
    assert fact in refused(*given, *words)


def test_only_force_replaces(
    orthotype: Command, refused: Refused, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    words = (*given, "--labels", written(some(small_human, 1)), "-o", "a.safetensors", "--picture", "a.png")
    assert orthotype(*words).code == 0
    assert "a.safetensors exists already" in refused(*words)
    Path("a.safetensors").unlink()
    assert "a.png exists already" in refused(*words)
    assert orthotype(*words, "--force").code == 0


def test_auto_is_the_strength_of_no_word(
    orthotype: Command, given: tuple[object, ...], small_human: anndata.AnnData
) -> None:
    words = (*given, "--labels", written(some(small_human, 2)), "--json")
    plain = orthotype(*words, "-o", "a.safetensors")
    auto = orthotype(*words, "-o", "b.safetensors", "--strength", "auto")
    assert auto.code == 0, auto.err
    assert auto.json == plain.json
    done = orthotype(*words, "-o", "c.safetensors", "--strength", "strong")
    assert done.code == 2
    assert "'strong' is neither auto nor a number" in done.err
