"""Kinship of a target with the classes of a source; the numbers are made up, but for the last test."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import orthotype as ot
from orthotype.errors import OrthotypeWarning
from orthotype.models.kinship import FEWEST_CELLS, LEAST_KINSHIP, Kinship, kinship

N_GENES, N_CLASSES = 300, 4


def means(rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(1.0, 1.0, size=(N_CLASSES, N_GENES))


def cells(rng: np.random.Generator, of: np.ndarray, n: int = 600) -> sp.csr_array:
    """Return cells of the classes, with a shift of every gene and noise."""
    level = of[rng.integers(len(of), size=n)] + rng.gamma(1.0, 0.5, size=of.shape[1])
    return sp.csr_array(rng.poisson(level).astype(np.float32))


def kin_of(rows: sp.csr_array, source: np.ndarray, present: np.ndarray | None = None) -> Kinship:
    """Return what is found where the shift is what the cells differ by on average."""
    shift = np.asarray(rows.mean(axis=0)).ravel() - source.mean(axis=0)
    everywhere = np.ones(N_GENES, dtype=bool)
    return kinship(rows, source, shift=shift, present=everywhere if present is None else present)


def told(rows: sp.csr_array, source: np.ndarray, present: np.ndarray | None = None) -> float:
    """Return the kinship of the whole."""
    return kin_of(rows, source, present).whole


def classes_told(rows: sp.csr_array, source: np.ndarray) -> np.ndarray:
    """Return the kinship of each class where there is no shift."""
    everywhere = np.ones(N_GENES, dtype=bool)
    found = kinship(rows, source, shift=np.full(N_GENES, 0.5), present=everywhere).classes
    assert found is not None
    return found


def test_cells_of_the_classes_are_kin_and_other_cells_are_not(rng: np.random.Generator) -> None:
    source = means(rng)
    assert told(cells(rng, source), source) > 0.9
    assert told(cells(rng, means(rng)), source) < LEAST_KINSHIP


def test_a_class_whose_name_strangers_have_is_less_kin_than_one_that_is_there(
    rng: np.random.Generator,
) -> None:
    source = means(rng)
    there, strange = cells(rng, source[:2]), cells(rng, means(rng), 1200)
    found = classes_told(sp.csr_array(sp.vstack([there, strange])), source)
    assert found[:2].min() > found[2:].max() + 0.1


def test_a_few_cells_of_classes_that_are_there_do_not_speak_for_the_others(rng: np.random.Generator) -> None:
    source = means(rng)
    there, strange = cells(rng, source[:2], 60), cells(rng, means(rng), 1200)
    found = kinship(
        sp.csr_array(sp.vstack([there, strange])),
        source,
        shift=np.full(N_GENES, 0.5),
        present=np.ones(N_GENES, dtype=bool),
    )
    assert found.classes is not None
    assert found.classes.max() > found.whole + 0.2
    assert found.foreign


def test_few_strangers_are_no_surer_to_be_kin_than_many_and_few_kin_are_kin(rng: np.random.Generator) -> None:
    source = means(rng)
    many, few = (
        [kin_of(cells(rng, means(rng), n), source).least for _ in range(20)] for n in (600, FEWEST_CELLS)
    )
    assert np.nanquantile(few, 0.9) < np.nanquantile(many, 0.9) + 0.05
    kin = [kin_of(cells(rng, source, FEWEST_CELLS), source) for _ in range(20)]
    assert np.nanmedian([some.whole for some in kin]) > 0.8
    assert np.mean([some.foreign for some in kin]) <= 0.1


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_standard_error_is_how_far_draws_lie_apart(rng: np.random.Generator, share: float) -> None:
    source = means(rng)
    there = share * source + (1.0 - share) * means(rng)
    draws = [kin_of(cells(rng, there, 120), source) for _ in range(60)]
    apart, said = np.std([some.whole for some in draws]), np.median([some.error for some in draws])
    assert 0.5 < said / apart < 2
    assert all(some.least < some.whole for some in draws)
    assert kin_of(cells(rng, there, 3000), source).error < said / 2


def test_less_kinship_than_is_asked_is_foreign_and_nothing_told_is_not() -> None:
    assert not Kinship().foreign
    assert not Kinship(LEAST_KINSHIP).foreign
    assert Kinship(LEAST_KINSHIP - 0.01).foreign
    assert Kinship(LEAST_KINSHIP + 0.1, error=0.1).foreign


@pytest.mark.parametrize(
    ("there", "called", "shift", "one_type"),
    [
        (True, [600, 0, 0, 0], 0.0, True),
        (True, [560, 40, 0, 0], 0.0, True),
        (True, [500, 100, 0, 0], 0.0, False),
        (True, [600, 0, 0, 0], 1.0, False),
        (False, [600, 0, 0, 0], 0.0, False),
    ],
)
def test_cells_of_one_type_are_told_before_any_shift(
    rng: np.random.Generator, there: bool, called: list[int], shift: float, one_type: bool
) -> None:
    source, every = means(rng), np.ones(N_GENES, dtype=bool)
    one = cells(rng, source[:1] if there else means(rng)[:1])
    found = kinship(one, source, shift=np.full(N_GENES, shift), present=every, n_called=np.array(called))
    assert found.one_type == one_type


def test_cells_of_many_types_are_not_of_one(rng: np.random.Generator) -> None:
    source, every = means(rng), np.ones(N_GENES, dtype=bool)
    many = cells(rng, source)
    found = kinship(many, source, shift=np.zeros(N_GENES), present=every, n_called=np.array([570, 30, 0, 0]))
    assert found.whole > 0.9
    assert not found.one_type


def test_one_type_is_kin_though_it_differs_in_nothing() -> None:
    assert Kinship(0.1).foreign
    assert not Kinship(0.1, largest=0.95, by_halves=0.9, carried=0.5).foreign


@pytest.mark.parametrize(("called", "lone"), [([592, 4, 4, 0], True), ([4, 4, 4, 4], False)])
def test_one_class_called_alone_is_foreign_unless_it_is_one_type(
    rng: np.random.Generator, called: list[int], lone: bool
) -> None:
    source, every = means(rng), np.ones(N_GENES, dtype=bool)
    n_called = np.array(called)
    rows = cells(rng, means(rng), int(n_called.sum()))
    if rows.shape[0] < FEWEST_CELLS:
        rows = cells(rng, means(rng), FEWEST_CELLS)
    found = kinship(rows, source, shift=np.zeros(N_GENES), present=every, n_called=n_called)
    assert np.isnan(found.whole)
    assert found.lone == lone == found.told == found.foreign
    assert not replace(found, by_halves=0.9, carried=0.5).foreign


def test_cells_without_the_genes_of_their_class_are_not_of_its_type(rng: np.random.Generator) -> None:
    source, every = np.ones((N_CLASSES, N_GENES)), np.ones(N_GENES, dtype=bool)
    for k in range(N_CLASSES):  # each class has genes of its own, the first hardly any
        source[k, k::N_CLASSES] += 1.0 if k == 0 else 4.0
    called = np.array([600, 0, 0, 0])
    told = {}
    bare = np.ones((1, N_GENES))
    bare[0, ::N_CLASSES] = 0.05
    for name, level in {"bare": bare, "of it": source[:1]}.items():
        rows = sp.csr_array(rng.poisson(np.repeat(level, 600, axis=0)).astype(np.float32))
        told[name] = kinship(rows, source, shift=np.zeros(N_GENES), present=every, n_called=called)
        assert told[name].by_halves > 0.6
    assert told["of it"].one_type
    assert not told["bare"].one_type


@pytest.mark.parametrize(
    ("called", "there", "few"),
    [([300, 270, 30, 0], True, True), ([300, 200, 100, 0], True, False), ([300, 270, 30, 0], False, False)],
)
def test_cells_of_two_types_that_carry_their_genes_are_of_few(
    rng: np.random.Generator, called: list[int], there: bool, few: bool
) -> None:
    source, every = means(rng), np.ones(N_GENES, dtype=bool)
    two = cells(rng, source[:2] if there else means(rng)[:2])
    found = kinship(two, source, shift=np.zeros(N_GENES), present=every, n_called=np.array(called))
    assert found.few_types == few
    assert not found.one_type


def test_a_class_that_no_cell_was_called_is_not_told(rng: np.random.Generator) -> None:
    source = means(rng)
    found = classes_told(cells(rng, source[:3]), source)
    assert np.isnan(found).tolist() == [False, False, False, True]


def test_genes_that_the_cells_lack_play_no_part(rng: np.random.Generator) -> None:
    source = means(rng)
    present = rng.random(N_GENES) < 0.5
    some = cells(rng, source)
    empty = sp.csr_array(some.multiply(present[None]))
    assert told(empty, source, present) > 0.9
    np.testing.assert_allclose(told(empty, source, present), told(some, source, present), rtol=1e-12)


@pytest.mark.parametrize("n", [1, FEWEST_CELLS - 1])
def test_few_cells_tell_nothing(rng: np.random.Generator, n: int) -> None:
    source = means(rng)
    assert np.isnan(told(cells(rng, source, n), source))


def test_one_class_tells_nothing(rng: np.random.Generator) -> None:
    source = means(rng)
    assert np.isnan(told(cells(rng, source), source[:1]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_cells_nor_of_classes_matters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = means(rng)
    some = cells(rng, np.vstack([source[:2], means(rng)[:2]]))
    found = told(some, source)
    mixed = sp.csr_array(some[rng.permutation(some.shape[0])])
    assert told(mixed, source[::-1]) == pytest.approx(found, abs=1e-9)
    assert -1 <= found <= 1


def test_pancreas_and_marrow_are_no_kin_and_mouse_and_human_marrow_are() -> None:
    model = ot.load("mouse-marrow")
    marrow, pancreas = ot.datasets.get("setty2019-human-marrow-subset"), ot.datasets.get("baron2016-human")
    assert (model.label(marrow, species="human").predictions.status == "unknown").mean() < 0.5
    with pytest.warns(OrthotypeWarning, match="too unlike the source"):
        found = model.label(pancreas, species="human")
    assert (found.predictions.status == "unknown").mean() > 0.9


def test_cells_of_very_many_classes_tell_nothing(rng: np.random.Generator) -> None:
    source = rng.gamma(1.0, 5.0, size=(20, N_GENES))
    spread = sp.csr_array(rng.poisson(np.repeat(source, 3, axis=0)).astype(np.float32))
    found = kinship(spread, source, shift=np.zeros(N_GENES), present=np.ones(N_GENES, dtype=bool))
    assert np.isnan(found.whole)
    assert not found.told
    assert not found.foreign
