"""Paired tests and their adjustment, against scipy; simulated curves, for properties only."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ttest_rel

from orthotype.errors import InputError
from orthotype.metrics.adjusted import benjamini_hochberg
from orthotype.study.significance import paired_tests


def simulated(*, gain: float = 0.0, classes: int = 6, repeats: int = 5, seed: int = 0) -> pd.DataFrame:
    """A curve of two learners whose transfer is better than scratch by ``gain``, give or take 0.05."""
    rng = np.random.default_rng(seed)
    points = pd.MultiIndex.from_product(
        [
            ["ann", "mlr"],
            ["scratch", "transfer"],
            [0, 1, 2, 5],
            range(repeats),
            [f"class {k}" for k in range(classes)],
            ["f1", "recall"],
        ],
        names=["learner", "start", "shots", "repeat", "class", "metric"],
    )
    curve = points.to_frame(index=False)
    curve = curve[(curve["start"] == "transfer") | (curve["shots"] > 0)].reset_index(drop=True)
    curve["value"] = 0.6 + rng.normal(0, 0.05, len(curve)) + gain * (curve["start"] == "transfer")
    return curve.assign(n_labelled=curve["shots"], n_test=100)


def one_class(transfer: list[float], scratch: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "learner": "mlr",
            "start": ["transfer"] * len(transfer) + ["scratch"] * len(scratch),
            "shots": 3,
            "repeat": [*range(len(transfer)), *range(len(scratch))],
            "class": "a",
            "metric": "f1",
            "value": [*transfer, *scratch],
        }
    )


@given(
    st.lists(
        st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.01, 0.5, 1.0])), min_size=1, max_size=40
    )
)
@settings(deadline=None, max_examples=100)
def test_adjusted_p_values_are_those_of_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p, method="bh"), rtol=1e-12)


def test_a_family_with_gaps_is_refused_and_an_empty_one_is_empty() -> None:
    assert benjamini_hochberg([]).tolist() == []
    with pytest.raises(InputError, match="2 of 3 are missing or outside"):
        benjamini_hochberg([0.1, np.nan, 1.2])
    with pytest.raises(InputError, match="one list"):
        benjamini_hochberg([[0.1]])


def test_each_row_is_a_one_sided_paired_t_test() -> None:
    curve = simulated(gain=0.04)
    tests = paired_tests(curve)
    keys = ["learner", "shots", "class", "metric"]
    expected_rows = curve.loc[curve["shots"] > 0, keys].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_frame_equal(tests[keys], expected_rows)
    for _, row in tests.sample(12, random_state=1).iterrows():
        same = (
            curve[["learner", "shots", "class", "metric"]] == row[["learner", "shots", "class", "metric"]]
        ).all(axis=1)
        values = {start: part.sort_values("repeat")["value"] for start, part in curve[same].groupby("start")}
        expected = ttest_rel(values["transfer"], values["scratch"], alternative="greater")
        assert row["p"] == pytest.approx(expected.pvalue)
        assert row["t"] == pytest.approx(expected.statistic)
        assert row["difference"] == pytest.approx(values["transfer"].mean() - values["scratch"].mean())
        assert row["n_pairs"] == 5


def test_p_values_are_adjusted_across_the_whole_curve() -> None:
    tests = paired_tests(simulated(gain=0.04))
    np.testing.assert_allclose(tests["p_adjusted"], false_discovery_control(tests["p"]))
    assert (tests["p_adjusted"] >= tests["p"]).all()
    assert (tests["p_adjusted"] > tests["p"] * 1.01).mean() > 0.9, "unadjusted p-values"
    apart = tests.groupby("learner")["p"].transform(benjamini_hochberg)
    assert not np.allclose(tests["p_adjusted"], apart), "adjusted per learner, not across the curve"


def test_without_a_difference_the_unadjusted_are_significant_and_the_adjusted_are_not() -> None:
    tests = paired_tests(simulated(classes=60, seed=3))
    assert (tests["p"] < 0.05).sum() > 15
    assert (tests["p_adjusted"] < 0.05).sum() == 0


def test_the_order_of_rows_and_repeats_does_not_matter_and_starts_do() -> None:
    curve = simulated(gain=0.03)
    tests = paired_tests(curve)
    keys = ["learner", "shots", "class", "metric"]
    shuffled = paired_tests(curve.sample(frac=1, random_state=2)).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(shuffled, tests.sort_values(keys, ignore_index=True))
    turned = paired_tests(
        curve.assign(start=curve["start"].map({"transfer": "scratch", "scratch": "transfer"}))
    )
    np.testing.assert_allclose(turned["p"], 1 - tests["p"])
    lone = curve.assign(
        repeat=np.where(curve["start"] == "transfer", curve["repeat"], (curve["repeat"] + 1) % 5)
    )
    assert not np.allclose(paired_tests(lone)["p"], tests["p"]), "repeats are not paired"


@pytest.mark.parametrize(
    ("transfer", "scratch", "p", "note"),
    [
        ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6], 0.125, "no spread"),
        ([0.5] * 5, [0.5] * 5, 1.0, "no spread"),
        ([0.1, 0.2], [0.2, 0.3], 1.0, "no spread"),
        ([1.0], [0.0], 1.0, "one repeat"),
        ([1.0, np.nan], [0.0, 0.0], 1.0, "one repeat"),
        ([np.nan, np.nan], [0.0, 0.0], 1.0, "no pair"),
        ([0.4, 0.5], [], 1.0, "no pair"),
        ([], [0.4, 0.5], 1.0, "no pair"),
    ],
)
def test_where_no_t_test_holds_the_p_value_is_stated(
    transfer: list[float], scratch: list[float], p: float, note: str
) -> None:
    row = paired_tests(one_class(transfer, scratch)).iloc[0]
    assert row["p"] == row["p_adjusted"] == p
    assert row["note"] == note
    assert np.isnan(row["t"])


def test_missing_repeats_are_left_out_in_pairs() -> None:
    row = paired_tests(one_class([0.9, 0.7, 0.8, np.nan], [0.5, 0.6, 0.6, 0.0])).iloc[0]
    assert row["n_pairs"] == 3
    assert row["scratch"] == pytest.approx(np.mean([0.5, 0.6, 0.6]))
    assert row["p"] == pytest.approx(
        ttest_rel([0.9, 0.7, 0.8], [0.5, 0.6, 0.6], alternative="greater").pvalue
    )


def test_a_curve_of_the_source_model_alone_has_nothing_to_test() -> None:
    curve = simulated()
    assert paired_tests(curve[curve["shots"] == 0]).empty
