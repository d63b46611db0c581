"""Which cells are labelled and which tested: nothing leaks, repeats share nothing, small classes are told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orthotype as ot
from orthotype.errors import InputError
from orthotype.study.few_shot_design import Split, design, design_table, shots

LABELS = "cell_ontology_class"
SIZES = st.lists(st.integers(0, 70), min_size=2, max_size=6)


def cells_of(sizes: list[int], seed: int) -> np.ndarray:
    """Shuffled codes of classes of the given sizes, with eight cells that belong to none of them."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return (
        np.random.default_rng(seed).permutation(np.append(codes, [-1] * 5 + [len(sizes)] * 3)).astype(np.intp)
    )


def labelled(split: Split) -> np.ndarray:
    return np.concatenate(split.train)


@given(
    sizes=SIZES,
    repeats=st.integers(1, 6),
    train=st.integers(1, 12),
    validate=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=150)
def test_no_test_cell_is_labelled_and_repeats_share_none(
    sizes: list[int], repeats: int, train: int, validate: int, seed: int
) -> None:
    sizes = [repeats * 2, repeats * 2, *sizes]
    codes = cells_of(sizes, seed)
    barred = np.random.default_rng(seed).random(len(codes)) < 0.2
    barred[np.isin(codes, [0, 1])] = False
    splits = design(
        codes,
        n_classes=len(sizes),
        repeats=repeats,
        train=train,
        validate=validate,
        seed=seed,
        left_out=barred,
    )
    inside = np.flatnonzero((codes >= 0) & (codes < len(sizes)))
    aside = [np.concatenate([labelled(split), split.validate]) for split in splits]
    together = np.concatenate(aside)
    assert len(together) == len(set(together.tolist())), "a cell is set aside twice"
    assert not barred[together].any(), "a cell that was left out is labelled"
    for split, own in zip(splits, aside, strict=True):
        np.testing.assert_array_equal(split.test, np.setdiff1d(inside, own))
        for k, cells in enumerate(split.train):
            assert (codes[cells] == k).all()
            allowed = int((codes[~barred] == k).sum())
            given_away = int((codes[own] == k).sum())
            assert given_away == min(train + validate, allowed // max(repeats, 2))
            assert (codes[split.test] == k).sum() >= sizes[k] / 2


@given(seed=st.integers(0, 1000), n=st.integers(0, 40))
@settings(deadline=None, max_examples=30)
def test_fewer_shots_are_among_more_and_every_class_gives_what_it_has(seed: int, n: int) -> None:
    codes = cells_of([300, 40, 3, 9], seed)
    for split in design(codes, n_classes=4, seed=seed):
        few, more = shots(split, n), shots(split, n + 1)
        assert set(few.tolist()) <= set(more.tolist())
        found = np.bincount(codes[few], minlength=4)
        assert found.tolist() == [min(n, 32), min(n, 7), 0, min(n, 1)]


def test_the_full_design_is_that_of_the_paper() -> None:
    codes = np.repeat(np.arange(3), 200).astype(np.intp)
    splits = design(codes, n_classes=3, seed=0)
    assert len(splits) == 5
    for split in splits:
        assert [len(cells) for cells in split.train] == [32, 32, 32]
        assert np.bincount(codes[split.validate]).tolist() == [8, 8, 8]
        assert len(split.test) == 600 - 3 * 40


def test_the_draw_of_a_class_does_not_depend_on_other_classes_and_follows_the_seed() -> None:
    codes = cells_of([100, 60, 80], 1)
    without = np.where(codes == 1, -1, codes)
    all_there, one_gone = (design(each, n_classes=3, seed=4) for each in (codes, without))
    for one, other in zip(all_there, one_gone, strict=True):
        np.testing.assert_array_equal(one.train[0], other.train[0])
        np.testing.assert_array_equal(one.train[2], other.train[2])
    again, another = design(codes, n_classes=3, seed=4), design(codes, n_classes=3, seed=5)
    assert all((a.test == b.test).all() for a, b in zip(all_there, again, strict=True))
    assert not np.array_equal(labelled(all_there[0]), labelled(another[0]))


def test_real_small_classes_are_scaled_down_and_the_table_says_so() -> None:
    source, target = (
        ot.datasets.get(name).obs[LABELS].astype(str) for name in ("baron2016-mouse", "baron2016-human")
    )
    classes = sorted(set(source))
    codes = np.array([classes.index(name) if name in classes else -1 for name in target], dtype=np.intp)
    table = design_table(design(codes, n_classes=len(classes), seed=0), codes, classes=classes).set_index(
        "class"
    )
    shown = table[["cells", "labelled", "watched", "test", "size"]].T.to_dict("list")
    assert shown["type B pancreatic cell"] == [623, 32, 8, 583, "full"]
    assert shown["endothelial cell"] == [62, 10, 2, 50, "scaled down"]
    assert shown["macrophage"] == [18, 3, 0, 15, "scaled down"]
    assert shown["T cell"] == [4, 0, 0, 4, "never labelled"]
    assert shown["B cell"] == [0, 0, 0, 0, "not in the target"]
    assert table["repeats"].eq(5).all()
    assert len(table) == len(classes)


def test_cells_left_out_are_counted_in_the_table_and_still_tested() -> None:
    codes = np.repeat([0, 1], 50).astype(np.intp)
    barred = np.arange(100) % 50 < 20
    splits = design(codes, n_classes=2, seed=0, left_out=barred)
    table = design_table(splits, codes, classes=["a", "b"], left_out=barred)
    assert table["left_out"].tolist() == [20, 20]
    assert table["labelled"].tolist() == [5, 5]
    for split in splits:
        assert set(np.flatnonzero(barred).tolist()) <= set(split.test.tolist())


def test_a_split_that_leaks_cannot_be_made() -> None:
    one = np.array([0, 1])
    with pytest.raises(InputError, match="1 cells are labelled and in the test") as caught:
        Split(2, (one, np.array([2, 2])), np.array([1, 7]), np.array([1, 7]))
    assert len(caught.value.problems) == 4
    assert "labelled twice" in str(caught.value)


def test_every_problem_of_a_design_is_named() -> None:
    codes = np.zeros(10, dtype=np.intp)
    with pytest.raises(InputError, match="repeats is 0") as caught:
        design(codes, n_classes=2, repeats=0, seed=0, left_out=np.zeros(3, dtype=bool))
    assert "left_out has shape" in str(caught.value)
    with pytest.raises(InputError, match="1 classes of the target have the 5 cells"):
        design(codes, n_classes=2, seed=0)
    with pytest.raises(InputError, match="shots is -1"):
        shots(design(np.arange(20) % 2, n_classes=2, seed=0)[0], -1)
