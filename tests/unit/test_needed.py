"""How many cells are needed, read from curves drawn by hand; the fit against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from orthotype.errors import InputError
from orthotype.study.needed import cells_needed, isotonic

Values = dict[int, list[float]]


def drawn(
    transfer: Values, scratch: Values, *, name: str = "a", learner: str = "mlr", most: int = 99
) -> pd.DataFrame:
    """A curve of one class: shots to one F1 per repeat; the class has ``most`` cells to label."""
    rows = [
        (learner, start, n, repeat, name, "f1", value, min(n, most), 50)
        for start, values in (("transfer", transfer), ("scratch", scratch))
        for n, of_repeats in values.items()
        for repeat, value in enumerate(of_repeats)
    ]
    columns = ["learner", "start", "shots", "repeat", "class", "metric", "value", "n_labelled", "n_test"]
    return pd.DataFrame(rows, columns=columns)


def same(means: dict[int, float], repeats: int = 3) -> Values:
    return {n: [mean] * repeats for n, mean in means.items()}


def answer(curve: pd.DataFrame, start: str = "transfer", criterion: str = "target") -> pd.Series:
    table = cells_needed(curve).set_index(["start", "criterion"])
    return table.loc[(start, criterion)]


RISING = same({1: 0.2, 2: 0.5, 5: 0.8, 30: 0.92})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=16))
@settings(deadline=None, max_examples=100)
def test_the_monotone_fit_is_that_of_scikit_learn(means: list[float]) -> None:
    np.testing.assert_allclose(isotonic(np.array(means)), isotonic_regression(means), atol=1e-9)


def test_many_curves_are_fitted_as_each_one_alone(rng: np.random.Generator) -> None:
    curves = rng.random((4, 5, 7))
    expected = np.apply_along_axis(isotonic_regression, -1, curves)
    np.testing.assert_allclose(isotonic(curves), expected, atol=1e-12)


def test_the_first_n_from_which_the_fit_is_good_enough() -> None:
    curve = drawn(same({0: 0.85, 1: 0.9, 2: 0.95, 5: 0.97, 30: 0.97}), RISING)
    row = answer(curve)
    assert (row["shots"], row["n_labelled"], row["outcome"]) == (1, 1, "1")
    assert row["bar"] == 0.9
    assert answer(curve, "scratch")["shots"] == 30


def test_a_source_model_that_the_first_cells_make_worse_is_not_good_at_0() -> None:
    assert answer(drawn(same({0: 0.95, 1: 0.7, 2: 0.8, 5: 0.95, 30: 0.95}), RISING))["shots"] == 5


def test_one_unlucky_point_late_does_not_undo_an_answer() -> None:
    assert answer(drawn(same({0: 0.3, 1: 0.95, 2: 0.96, 5: 0.89, 30: 0.97}), RISING))["shots"] == 1


def test_both_starts_are_measured_against_one_plateau() -> None:
    low = same({1: 0.1, 2: 0.2, 5: 0.3, 30: 0.4})
    curve = drawn(same({0: 0.7, 1: 0.75, 2: 0.77, 5: 0.8, 30: 0.8}), low)
    assert answer(curve, criterion="plateau")["bar"] == pytest.approx(0.95 * 0.8)
    assert answer(curve, criterion="plateau")["shots"] == 2
    scratch = answer(curve, "scratch", "plateau")
    assert scratch["bar"] == pytest.approx(0.95 * 0.8)
    assert not scratch["reached"]
    assert scratch["best"] == pytest.approx(0.4)


def test_not_reached_is_said_and_not_missing() -> None:
    row = answer(drawn(same({0: 0.1, 30: 0.5}), RISING))
    assert not row["reached"]
    assert row["outcome"] == "not reached by 30"
    assert row["share_reached"] == 0
    assert row[["shots", "low", "high"]].isna().all()


def test_a_class_with_few_cells_says_how_many_it_had() -> None:
    curve = drawn(same({0: 0.2, 2: 0.5, 10: 0.95, 30: 0.95}), RISING, most=4)
    row = answer(curve)
    assert (row["shots"], row["n_labelled"]) == (10, 4)
    assert row["outcome"] == "10, with 4 of the class"
    overall = answer(drawn(same({0: 0.2, 2: 0.5, 10: 0.95}), RISING, most=4, name="all"))
    assert overall["outcome"] == "10"


def test_a_class_that_is_never_found_has_no_plateau_to_reach() -> None:
    row = answer(drawn(same({0: 0.0, 30: 0.0}), same({1: 0.0, 30: 0.0})), criterion="plateau")
    assert not row["reached"]
    assert row["outcome"] == "not reached by 30"


def test_missing_values_are_not_measured_and_spare_the_other_start() -> None:
    curve = drawn({0: [0.9, np.nan, 0.9], 30: [0.9, 0.9, 0.9]}, RISING)
    for criterion in ("target", "plateau"):
        row = answer(curve, criterion=criterion)
        assert row["outcome"] == "not measured"
        assert not row["reached"]
        assert answer(curve, "scratch", criterion)["shots"] == 30


def test_the_interval_is_that_of_resampled_repeats(rng: np.random.Generator) -> None:
    means, luck = np.linspace(0.75, 1.0, 40), np.linspace(-0.07, 0.07, 5)
    values = {n: (means[n] + luck + rng.normal(0, 0.01, 5)).tolist() for n in range(40)}
    curve = drawn(values, {n: values[n] for n in range(1, 40)})
    row = cells_needed(curve, n_boot=200, random_state=7).query("start == 'transfer'").iloc[0]
    matrix = np.array(list(values.values())).T
    draws = []
    for taken in np.random.default_rng(7).multinomial(5, [0.2] * 5, size=200):
        fit = isotonic_regression(np.repeat(matrix, taken, axis=0).mean(axis=0))
        draws.append(int(np.argmax(fit >= 0.9 - 1e-12)) if fit[-1] >= 0.9 - 1e-12 else 99)
    draws.sort()
    assert row["low"] == draws[5]
    assert row["high"] == draws[194]
    assert draws[0] < row["low"] < row["shots"] < row["high"] < draws[-1]
    assert row["outcome"] == f"{row['shots']} ({row['low']} to {row['high']})"


def test_an_interval_may_end_beyond_the_last_n() -> None:
    row = answer(drawn({0: [0.1] * 5, 30: [1.0, 1.0, 0.95, 0.85, 0.72]}, same({1: 0.2, 30: 0.92}, 5)))
    assert row["outcome"] == "30 (30 to more than 30)"
    assert pd.isna(row["high"])
    assert 0.5 < row["share_reached"] < 1


def test_one_repeat_has_an_answer_and_no_width() -> None:
    row = answer(drawn(same({0: 0.5, 1: 0.93}, 1), same({1: 0.4}, 1)))
    assert (row["shots"], row["low"], row["high"], row["n_repeats"]) == (1, 1, 1, 1)


def test_an_answer_depends_on_the_seed_and_on_nothing_else_in_the_table(rng: np.random.Generator) -> None:
    noisy = {n: rng.uniform(0.8, 1, 5).tolist() for n in range(6)}
    parts = [
        drawn(noisy, noisy, name=name, learner=learner) for learner in ("ann", "mlr") for name in ("b", "a")
    ]
    together = pd.concat(parts, ignore_index=True)
    table = cells_needed(together, random_state=3)
    pd.testing.assert_frame_equal(table, cells_needed(together, random_state=3))
    alone = cells_needed(parts[3], random_state=3)
    chosen = table.query("learner == 'mlr' and `class` == 'a'").reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen, alone)


def test_every_problem_is_named_at_once() -> None:
    curve = drawn(same({0: 0.5, 1: 0.9}), RISING)
    with pytest.raises(InputError, match="has 4 problems") as caught:
        cells_needed(curve.iloc[1:], target_f1=1.5, level=0.0, n_boot=0)
    assert "mlr transfer, a, at 0" in str(caught.value)
    with pytest.raises(InputError, match="no rows of metric 'auc'"):
        cells_needed(curve, metric="auc")
