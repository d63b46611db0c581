"""What suggestions do not depend on, on real cells."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import orthotype as ot
from orthotype.transfer.suggest.request import check_request
from orthotype.transfer.suggest.suggesting import suggest_cells

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"
SETTINGS = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


@pytest.fixture(scope="module")
def suggested(small_model: ot.LabelTransfer, small_human: "AnnData") -> pd.DataFrame:
    """Give the twelve cells to label first."""
    return small_model.suggest(small_human, 12)


def test_the_order_of_the_genes_does_not_matter(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame, rng: np.random.Generator
) -> None:
    mixed = small_human[:, rng.permutation(small_human.n_vars)].copy()
    pd.testing.assert_frame_equal(
        small_model.suggest(mixed, 12).drop(columns="top_genes"), suggested.drop(columns="top_genes")
    )


@pytest.mark.parametrize("size", [7, 100, 100_000])
def test_the_size_of_the_blocks_does_not_matter(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame, size: int
) -> None:
    model = ot.LabelTransfer(block_size=size)
    model.state_ = small_model.state_
    pd.testing.assert_frame_equal(model.suggest(small_human, 12), suggested)


def test_the_names_of_the_classes_do_not_matter(small_mouse: "AnnData", small_human: "AnnData") -> None:
    """The folds are given: drawn within classes, they depend on the order of the names."""
    named = small_mouse.copy()
    named.obs["fold"] = named.obs.groupby(LABELS).cumcount().mod(3).astype(str)
    renamed = named.copy()
    names = sorted(set(renamed.obs[LABELS]))
    new = dict(zip(names, [f"type {i}" for i in (3, 1, 4, 0, 2)], strict=True))
    renamed.obs[LABELS] = renamed.obs[LABELS].map(new)
    before, found = (
        ot.LabelTransfer().fit(cells, labels=LABELS, species="mouse", batch="fold").suggest(small_human, 12)
        for cells in (named, renamed)
    )
    both = found.index.intersection(before.index)
    assert len(both) >= 11, "another order of classes is another rounding, and a tie may fall otherwise"
    assert found["predicted"][both].tolist() == before["predicted"][both].map(new).tolist()


def test_the_same_seed_gives_the_same_cells(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame
) -> None:
    pd.testing.assert_frame_equal(small_model.suggest(small_human, 12), suggested)


def test_of_few_cells_the_seed_decides_nothing(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame
) -> None:
    pd.testing.assert_frame_equal(small_model.suggest(small_human, 12, random_state=7), suggested)


def test_the_order_of_the_cells_does_not_matter(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame, rng: np.random.Generator
) -> None:
    mixed = small_human[rng.permutation(small_human.n_obs)].copy()
    pd.testing.assert_frame_equal(small_model.suggest(mixed, 12), suggested)


def test_a_longer_list_begins_like_a_shorter_one(
    small_model: ot.LabelTransfer, small_human: "AnnData", suggested: pd.DataFrame
) -> None:
    assert small_model.suggest(small_human, 30).index[:12].tolist() == suggested.index.tolist()


@SETTINGS
@given(n=st.integers(1, 300), n_labelled=st.integers(0, 100), most=st.sampled_from([40, 4000]))
def test_as_many_as_asked_for_once_each_and_none_that_has_a_label(
    small_model: ot.LabelTransfer, small_human: "AnnData", n: int, n_labelled: int, most: int
) -> None:
    n = min(n, small_human.n_obs - n_labelled)
    chosen = np.random.default_rng(n).permutation(small_human.n_obs)[:n_labelled]
    labels = small_human.obs[LABELS].iloc[chosen]
    asked = {"by": "cells", "clusters": None, "random_state": 0}
    request = check_request(small_human, n=n, labelled=labels, **asked)
    found = small_model.label(small_human)
    frame = suggest_cells(small_model.state_, found, request, block_size=64, most=most)
    assert len(frame) == n
    assert frame.index.is_unique
    assert set(frame.index) <= set(small_human.obs_names)
    assert not set(frame.index) & set(labels.index)
    assert (frame["stands_for"] >= 1).all()
    assert (frame["label"] == "").all()


def test_what_the_cells_stand_for_is_every_cell_without_a_label(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    everywhere = small_model.suggest(small_human, 40)
    groups = everywhere["group"].nunique()
    assert groups >= 6
    assert everywhere["stands_for"].sum() == small_human.n_obs
