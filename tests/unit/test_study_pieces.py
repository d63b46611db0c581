"""Pieces: seeds by name, files whole and alike, tables back to the last bit, plans without holes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthotype.errors import OrthotypeError
from orthotype.study.pieces import Piece, PieceStore, Result, in_order, seed_of, study_key
from orthotype.study.recipe import Recipe


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": pd.Series(["β cell", "a,b", None], dtype=object),
            "whole": [1, 2, 3],
            "share": [0.1 + 0.2, np.nan, 1e-300],
            "true": [True, False, True],
            "shots": pd.array([1, None, 3], dtype="Int64"),
        }
    )


def test_a_piece_comes_back_to_the_last_bit(tmp_path):
    store = PieceStore(tmp_path)
    arrays = {
        "proba": np.random.default_rng(0).random((3, 2)),
        "model/coef": np.ones((2, 2), np.float32),
        "n": np.array(3),
    }
    store.write("few/mlr/n01", Result(arrays, {"t": table(), "empty": table().iloc[:0]}, {"kind": "umap"}))
    again = store.read("few/mlr/n01")
    assert again.facts == {"kind": "umap"}
    for name, values in arrays.items():
        assert again.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(again.arrays[name], values)
    pd.testing.assert_frame_equal(again.tables["t"], table())
    assert list(again.tables["empty"].columns) == list(table().columns)


def test_the_same_result_gives_the_same_bytes(tmp_path):
    one, other = PieceStore(tmp_path / "a"), PieceStore(tmp_path / "b")
    for store in (one, other):
        store.write("x", Result({"a": np.arange(3), "b": np.eye(2)}, {"t": table()}))
    assert one.path("x").read_bytes() == other.path("x").read_bytes()


def test_only_finished_pieces_are_there(tmp_path):
    store = PieceStore(tmp_path)
    with pytest.raises(TypeError):
        store.write("x", Result(facts={"not": {1, 2}}))
    assert not store.has("x")
    assert list(tmp_path.rglob("*.npz")) == []


def test_a_damaged_piece_is_told(tmp_path):
    store = PieceStore(tmp_path)
    store.write("x", Result({"a": np.arange(1000)}))
    whole = store.path("x").read_bytes()
    flipped = bytearray(whole)
    flipped[2000] ^= 1
    for damaged in (whole[:400], b"", b"no archive", bytes(flipped)):
        store.path("x").write_bytes(damaged)
        with pytest.raises(OrthotypeError, match=r"x\.npz is damaged .*delete this file and run the study"):
            store.read("x")


@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 2**31))
def test_a_seed_follows_from_the_name_alone(one, other, seed):
    assert seed_of(one, seed=seed) == seed_of(one, seed=seed)
    assert (seed_of(one, seed=seed) == seed_of(other, seed=seed)) == (one == other)
    assert seed_of(one, seed=seed) != seed_of(one, seed=seed + 1)


def test_seeds_stay_what_they_are():
    assert seed_of("source/mlr/fold0", seed=0) == 1367331263


def test_the_key_knows_recipe_and_data():
    keys = {
        study_key(Recipe(), "data"),
        study_key(Recipe(seed=1), "data"),
        study_key(Recipe(level=0.9), "data"),
        study_key(Recipe(), "other data"),
    }
    assert len(keys) == 4
    assert study_key(Recipe(), "data") == study_key(Recipe(), "data")


@pytest.mark.parametrize(
    "pieces",
    [
        [Piece("a", "k", needs=("b",)), Piece("b", "k")],
        [Piece("a", "k"), Piece("a", "k")],
        [Piece("a", "k", needs=("a",))],
    ],
)
def test_a_plan_with_a_hole_is_refused(pieces):
    with pytest.raises(OrthotypeError, match="the plan is at fault"):
        list(in_order(pieces))
