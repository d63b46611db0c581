"""Asking again: what was labelled or left empty, clusters and back, and when nothing is left."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype.errors import InputError, OrthotypeWarning

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = "cell_ontology_class"
BETA, ALPHA, ACINAR = "type B pancreatic cell", "pancreatic A cell", "pancreatic acinar cell"


@pytest.fixture(scope="module")
def first(small_model: ot.LabelTransfer, small_human: anndata.AnnData) -> pd.DataFrame:
    """Give twenty suggested cells, every second one with its label."""
    found = small_model.suggest(small_human, 20)
    found["label"] = small_human.obs[LABELS].reindex(found.index).where(np.arange(20) % 2 == 0, "")
    return found


def test_what_was_left_empty_is_not_asked_again(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData, first: pd.DataFrame, tmp_path: Path
) -> None:
    first.to_csv(tmp_path / "to_label.csv")
    given = (first, first["label"], pd.read_csv(tmp_path / "to_label.csv"), tmp_path / "to_label.csv")
    again = [small_model.suggest(small_human, 20, labelled=table) for table in given]
    assert not set(again[0].index) & set(first.index)
    assert all(other.equals(again[0]) for other in again[1:])
    assert (again[0].attrs["labelled"], again[0].attrs["left_empty"]) == (10, 10)
    assert again[0].attrs["compared"] == small_human.n_obs


def test_what_was_left_empty_is_no_label(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData, first: pd.DataFrame
) -> None:
    none = small_model.suggest(small_human, 20, labelled=pd.Series(pd.NA, index=first.index))
    assert (none.attrs["labelled"], none.attrs["left_empty"]) == (0, 20)
    assert not set(none.index) & set(first.index)
    assert none["stands_for"].sum() >= small_human.n_obs - len(first)
    assert none["reason"].str.contains("the first cell of").any()


def test_a_column_of_all_cells_says_only_what_has_a_label(
    orthotype: Command, kept: Path, small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    cells = small_human.copy()
    cells.obs["so_far"] = cells.obs[LABELS].where(np.arange(cells.n_obs) % 10 == 0)
    named = small_model.suggest(cells, 5, labelled="so_far")
    assert (named.attrs["labelled"], named.attrs["left_empty"]) == (30, 0)
    assert named.equals(small_model.suggest(cells, 5, labelled=cells.obs["so_far"]))
    with pytest.raises(InputError, match=r"no obs column 'sofar'; expected .*'so_far'"):
        small_model.suggest(cells, 5, labelled="sofar")
    cells.write_h5ad("cells.h5ad")
    done = orthotype(
        *("suggest", kept / "model.safetensors", "cells.h5ad", "-n", "5", "--labelled", "so_far"),
        *("-o", "next.csv", "--json"),
    )
    assert done.code == 0, done.err
    assert [row["cell"] for row in done.json["suggested"]] == named.index.tolist()


def test_labels_that_adapt_refuses_are_refused(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    one, two = small_human.obs_names[:2]
    table = pd.Series([BETA, ALPHA, "unknown"], index=[one, one, two])
    with pytest.raises(InputError, match="contradicting labels") as refused:
        small_model.suggest(small_human, 5, labelled=table)
    assert len(refused.value.problems) == 2
    assert "1 cells are labelled 'unknown'" in str(refused.value)


def test_what_is_left_is_suggested_and_then_nothing(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    labels = small_human.obs[LABELS]
    with pytest.warns(OrthotypeWarning, match="20 cells were asked for, and 3 of 300 are left"):
        rest = small_model.suggest(small_human, labelled=labels[3:])
    assert sorted(rest.index) == sorted(small_human.obs_names[:3])
    with pytest.raises(InputError, match="nothing is left to label: of 300 cells 300 have a label; expected"):
        small_model.suggest(small_human, labelled=labels)


def test_clusters_as_typed_and_back_into_the_model(
    orthotype: Command, kept: Path, small_human: anndata.AnnData
) -> None:
    cells = small_human.copy()
    clusters = pd.factorize(cells.obs[LABELS])[0].astype(float)
    clusters[::25] = np.nan
    cells.obs["cl"] = clusters
    cells.write_h5ad("cells.h5ad")
    given = ("cells.h5ad", "--clusters", "cl")
    model = kept / "model.safetensors"
    done = orthotype("suggest", model, *given, "-o", "to_label.csv")
    assert done.code == 0, done.err
    table = pd.read_csv("to_label.csv", index_col="cell")
    assert sorted(table["group"]) == [0, 1, 2, 3, 4, 5], "cells without a cluster are none"
    table["label"] = cells.obs[LABELS].reindex(table.index)
    table["label"] = table["label"].where(table["label"] != BETA)
    table.to_csv("to_label.csv")

    words = ("--labels", "to_label.csv", "--new-class", ACINAR, "-o", "adapted.safetensors", "--json")
    done = orthotype("adapt", model, *given, *words)
    assert done.code == 0, done.err
    true = cells.obs[LABELS].astype(str)
    told = true[cells.obs["cl"].notna() & (true != BETA)]
    assert done.json["cells_per_class"] == told.value_counts().to_dict()
    with pytest.warns(OrthotypeWarning, match=ACINAR):
        adapted = ot.load(model).adapt(cells, labels=table, clusters="cl", new_classes=[ACINAR])
    assert adapted.state_.hash() == done.json["model_hash"]
    with pytest.raises(InputError, match=r"each of the 6 clusters has a labelled cell or one that was left"):
        ot.load(model).suggest(cells, by="clusters", clusters="cl", labelled=table)


def test_no_clusters_at_all(small_model: ot.LabelTransfer, small_human: anndata.AnnData) -> None:
    cells = small_human.copy()
    cells.obs["cl"] = None
    with pytest.raises(InputError, match="no cell has a cluster in obs column 'cl'"):
        small_model.suggest(cells, by="clusters", clusters="cl")


@pytest.mark.parametrize("seed", [-1, 1.5, "x"])
def test_what_is_no_seed(small_model: ot.LabelTransfer, small_human: anndata.AnnData, seed: object) -> None:
    with pytest.raises(InputError, match=f"random_state is {seed!r}; expected a whole number from 0"):
        small_model.suggest(small_human, 5, random_state=seed)


def test_what_is_no_seed_as_typed(orthotype: Command, kept: Path) -> None:
    words = ("suggest", kept / "model.safetensors", kept / "human.h5ad", "-o", "t.csv", "--seed")
    done = orthotype(*words, "-1")
    assert (done.code, Path("t.csv").exists()) == (2, False)
    assert "--seed" in done.err
    assert "Traceback" not in done.err
    assert "random_state is 4294967296" in orthotype(*words, str(2**32)).message


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes among the files")
def test_labels_from_a_pipe(orthotype: Command, kept: Path, first: pd.DataFrame) -> None:
    text = first["label"].to_csv()
    given = (kept / "model.safetensors", kept / "human.h5ad")
    os.mkfifo("pipe")

    def piped(*words: object) -> Any:
        writer = threading.Thread(target=Path("pipe").write_text, args=(text,), daemon=True)
        writer.start()
        done = orthotype(*words)
        assert done.code == 0, done.err
        return done.json

    asked = piped("suggest", *given, "-n", "3", "--labelled", "pipe", "-o", "next.csv", "--json")
    assert (asked["labelled"], asked["left_empty"]) == (10, 10)
    words = ("--labels", "pipe", "--new-class", ACINAR, "-o", "a.safetensors", "--json")
    learned = piped("adapt", *given, *words)
    assert sum(learned["cells_per_class"].values()) == 10
