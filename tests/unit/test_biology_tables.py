"""Which genes and markers carry over, on simulated class profiles: for properties only."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import ClassProfiles
from orthotype.transfer.biology_tables import EVIDENCE, VERDICTS, biology_tables
from orthotype.transfer.profile_pair import Pair

N_CLASSES, N_GENES = 7, 60
KEPT, LOST, GAINED, MISSING, SILENT = "kept", "lost", "gained", "missing", "silent"


def profiles(mean: np.ndarray, n_cells: np.ndarray | float = 100.0, variance: float = 0.25) -> ClassProfiles:
    cells = np.broadcast_to(np.asarray(n_cells, dtype=float), mean.shape[:1]).copy()
    spread = np.full(mean.shape, variance, dtype=np.float32)
    return ClassProfiles(mean.astype(np.float32), spread, cells)


def simulated(seed: int = 0) -> Pair:
    """Give two species of seven classes; the first five genes are markers of the first class."""
    rng = np.random.default_rng(seed)
    source = rng.gamma(1.0, 1.0, size=(N_CLASSES, N_GENES))
    target = source + 0.2 * rng.normal(size=source.shape)
    target[:, 35:40] = 4.0 - target[:, 35:40]
    target[:, 40:] = rng.gamma(1.0, 1.0, size=(N_CLASSES, N_GENES - 40))
    source[:, :5], target[:, :5] = 0.5, 0.5
    for gene, (here, there) in enumerate([(4.0, 4.0), (4.0, 0.7), (0.5, 6.0), (4.0, 0.0), (4.0, 0.5)]):
        source[0, gene], target[0, gene] = here, there
    present = np.arange(N_GENES) != 3
    target[:, ~present] = 0.0
    genes = np.array([KEPT, LOST, GAINED, MISSING, SILENT, *(f"g{i:02d}" for i in range(5, N_GENES))])
    markers = [np.array([0, 1, 3, 4])] + [
        5 + np.argsort(-source[k, 5:] + source[:, 5:].mean(axis=0))[:4] for k in range(1, N_CLASSES)
    ]
    return Pair(
        genes=genes.astype(object),
        classes=np.array([f"class {k}" for k in range(N_CLASSES)], dtype=object),
        source=profiles(source),
        target=profiles(target),
        called=source.astype(np.float32),
        taken=np.zeros(N_GENES, dtype=np.float32),
        present=present,
        markers=markers,
    )


def with_target_cells(pair: Pair, n_cells: list[float]) -> Pair:
    return replace(pair, target=replace(pair.target, n_cells=np.array(n_cells)))


def verdicts(pair: Pair, code: int = 0) -> dict[str, str]:
    table = biology_tables(pair)["markers"]
    own = table[table["class"].astype(str) == pair.classes[code]]
    return dict(zip(own["gene"], own["verdict"].astype(str), strict=True))


def test_markers_are_told_apart() -> None:
    assert verdicts(simulated()) == {
        KEPT: "carries over",
        LOST: "lost",
        MISSING: "not measured",
        SILENT: "lost",
        GAINED: "gained",
    }


def test_genes_are_told_apart() -> None:
    pair = simulated()
    table = biology_tables(pair)["transferability"]
    assert table["evidence"].cat.categories.tolist() == list(EVIDENCE)
    words = table["evidence"].astype(str)
    assert words[[KEPT, SILENT, GAINED, MISSING]].tolist() == [
        "carries over",
        "one species only",
        "one species only",
        "not measured",
    ]
    steady, opposed, other = (
        [f"g{i:02d}" for i in range(*places)] for places in ((5, 35), (35, 40), (40, N_GENES))
    )
    assert (words[steady] == "carries over").mean() > 0.9
    assert (words[opposed] == "differs").all()
    assert (words[other] == "carries over").mean() < 0.2
    numbers = table.loc[MISSING].drop(["evidence", "source_class", "target_class", "n_classes"])
    assert numbers.dropna().index.tolist() == ["source_mean", "source_spread"]


def test_where_a_gene_is_highest_and_how_far_classes_lie_apart() -> None:
    pair = simulated()
    row = biology_tables(pair)["transferability"].loc[LOST]
    assert row["source_class"] == "class 0"
    assert row["source_mean"] == pytest.approx((4.0 + 6 * 0.5) / 7)
    assert row["source_spread"] == pytest.approx(np.std([4.0, *[0.5] * 6]))
    assert row["shift"] == pytest.approx((0.7 - 4.0) / 7, rel=1e-4)
    flat = biology_tables(pair)["transferability"].loc[MISSING, "target_class"]
    assert pd.isna(flat)


def test_the_shift_is_measured_against_what_the_model_calls_on_the_source() -> None:
    pair = simulated()
    row = biology_tables(replace(pair, called=pair.called + np.float32(0.5)))["transferability"].loc[LOST]
    assert row["shift"] == pytest.approx((0.7 - 4.0) / 7 - 0.5, rel=1e-4)


def test_the_best_genes_come_first_and_those_not_measured_last() -> None:
    table = biology_tables(simulated())["transferability"]
    values = table["transferability"].to_numpy()
    assert np.all(np.diff(values[:-1]) <= 0)
    assert table.index[-1] == MISSING


def test_a_marker_seen_in_few_cells_is_left_undecided() -> None:
    pair = simulated()
    few = with_target_cells(pair, [4.0, *[100.0] * 6])
    assert set(verdicts(few).values()) == {"undecided", "not measured"}
    assert biology_tables(few)["transferability"]["n_classes"].iloc[0] == pytest.approx(6)
    noisy = replace(pair, source=replace(pair.source, variance=pair.source.variance * 200))
    assert verdicts(with_target_cells(noisy, [5.0, *[100.0] * 6]))[LOST] == "undecided"


def test_a_class_without_cells_says_so() -> None:
    pair = with_target_cells(simulated(), [0.0, *[100.0] * 6])
    assert set(verdicts(pair).values()) == {"no cells", "not measured"}
    table = biology_tables(pair)["transferability"]
    assert "class 0" not in table["source_class"].cat.categories
    assert table["n_classes"].iloc[0] == pytest.approx(6)


@pytest.mark.parametrize("n_called", [0, 1, 3])
def test_too_few_classes_decide_nothing(n_called: int) -> None:
    pair = with_target_cells(simulated(), [*[100.0] * n_called, *[0.0] * (N_CLASSES - n_called)])
    tables = biology_tables(pair)
    assert set(tables["transferability"]["evidence"]) <= {"undecided", "not measured", "one species only"}
    assert set(tables["markers"]["verdict"]) <= set(VERDICTS)
    if n_called < 2:
        assert set(tables["transferability"]["evidence"]) == {"undecided", "not measured"}
        assert set(verdicts(pair).values()) <= {"undecided", "no cells", "not measured"}


def test_the_same_cells_carry_everything_over() -> None:
    pair = simulated()
    same = replace(pair, target=pair.source, present=np.ones(N_GENES, dtype=bool))
    tables = biology_tables(same)
    words = tables["transferability"]["evidence"].astype(str)
    assert words[words != "carries over"].to_dict() == {GAINED: "undecided"}  # alike in all classes
    assert set(tables["markers"]["verdict"]) == {"carries over"}


@given(seed=st.integers(0, 300))
@settings(deadline=None, max_examples=25)
def test_the_order_of_genes_and_classes_and_their_names_play_no_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pair = simulated(seed)
    genes, classes = rng.permutation(N_GENES), rng.permutation(N_CLASSES)
    place = np.argsort(genes)
    renamed = np.array([f"type {k}" for k in range(N_CLASSES)], dtype=object)[::-1]
    moved = [
        ClassProfiles(
            side.mean[np.ix_(classes, genes)], side.variance[np.ix_(classes, genes)], side.n_cells[classes]
        )
        for side in (pair.source, pair.target)
    ]
    other = Pair(
        genes=pair.genes[genes],
        classes=renamed[classes],
        source=moved[0],
        target=moved[1],
        called=pair.called[np.ix_(classes, genes)],
        taken=pair.taken[genes],
        present=pair.present[genes],
        markers=[place[pair.markers[k]] for k in classes],
    )
    back = dict(zip(renamed, pair.classes, strict=True))
    found, again = biology_tables(pair), biology_tables(other)
    named = ["source_class", "target_class"]
    one = found["transferability"].astype(dict.fromkeys(named, object))
    two = again["transferability"].astype(dict.fromkeys(named, object)).replace(dict.fromkeys(named, back))
    pd.testing.assert_frame_equal(one.sort_index(), two.sort_index(), rtol=1e-4, atol=1e-5)
    keys = ["class", "gene"]
    first, second = (
        table["markers"].astype({"class": object}).assign(order=range(len(table["markers"])))
        for table in (found, again)
    )
    second["class"] = second["class"].map(back)
    joined = first.merge(second, on=keys, suffixes=("", "_again"))
    assert len(joined) == len(first) == len(second)
    assert (joined["verdict"].astype(str) == joined["verdict_again"].astype(str)).all()
    np.testing.assert_allclose(joined["contribution"], joined["contribution_again"], atol=1e-5)


@given(seed=st.integers(0, 300), size=st.floats(0.1, 2.0))
@settings(deadline=None, max_examples=25)
def test_a_shift_that_all_classes_share_moves_the_shift_alone(seed: int, size: float) -> None:
    pair = simulated(seed)
    shift = np.random.default_rng(seed).normal(scale=size, size=N_GENES) * pair.present
    moved = replace(pair, target=replace(pair.target, mean=(pair.target.mean + shift).astype(np.float32)))
    one, other = (biology_tables(each)["transferability"].sort_index() for each in (pair, moved))
    np.testing.assert_allclose(one["agreement"], other["agreement"], atol=1e-3)
    np.testing.assert_allclose(one["transferability"], other["transferability"], atol=2e-2)
    assert (one["evidence"].astype(str) == other["evidence"].astype(str)).mean() > 0.97
    expected = pd.Series(shift, index=pair.genes.astype(str)).sort_index()
    measured = expected.index != MISSING
    np.testing.assert_allclose((other["shift"] - one["shift"])[measured], expected[measured], atol=1e-3)
    assert verdicts(pair) == verdicts(moved)
