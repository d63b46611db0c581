"""Learning curves: means and intervals over repeats, one panel per class or metric, one style per start."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from orthotype import pl
from orthotype.errors import InputError


@pytest.fixture
def table(rng):
    rows = [
        (learner, start, shots, repeat, name, metric, rng.uniform(0.4, 0.9))
        for learner in ("mlr", "ann")
        for start in ("transfer", "scratch")
        for shots in (0, 1, 5, 30)
        for repeat in range(4)
        for name, metric in (
            *(("x", "f1"), ("y", "f1"), ("all", "f1"), ("all", "accuracy")),
            *(("all labelled", "f1"), ("x", "recall")),
        )
        if (start, shots) != ("scratch", 0)
    ]
    columns = ["learner", "start", "shots", "repeat", "class", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def shown(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_class_has_a_panel_with_every_learner_and_start(table):
    figure = pl.learning_curves_by_class(table)
    assert [ax.get_title() for ax in shown(figure)] == ["x", "y"]
    assert legend(figure) == ["mlr, transfer", "mlr, scratch", "ann, transfer", "ann, scratch"]
    lines = {line.get_label(): line for line in shown(figure)[1].get_lines()}
    np.testing.assert_array_equal(lines["mlr, transfer"].get_xdata(), [0, 1, 5, 30])
    np.testing.assert_array_equal(lines["mlr, scratch"].get_xdata(), [1, 5, 30])
    chosen = table[(table["class"] == "y") & (table["learner"] == "ann") & (table["start"] == "scratch")]
    np.testing.assert_allclose(
        lines["ann, scratch"].get_ydata(), chosen.groupby("shots")["value"].mean().to_numpy()
    )
    styles = {label: (line.get_color(), line.get_linestyle()) for label, line in lines.items()}
    assert len(set(styles.values())) == 4
    hollow = {label for label, line in lines.items() if line.get_markerfacecolor() == "white"}
    assert hollow == {"mlr, scratch", "ann, scratch"}
    assert styles["mlr, transfer"][0] == styles["mlr, scratch"][0] != styles["ann, transfer"][0]


def test_overall_scores_have_a_panel_per_metric_and_no_single_class(table):
    figure = pl.learning_curves(table)
    assert [ax.get_title() for ax in shown(figure)] == ["F1", "accuracy"]
    labelled = pl.learning_curves(table, over="all labelled")
    assert [ax.get_title() for ax in shown(labelled)] == ["F1"]
    chosen = pl.learning_curves(table, metrics=["accuracy"])
    assert [ax.get_title() for ax in shown(chosen)] == ["accuracy"]
    line = shown(chosen)[0].get_lines()[0]
    rows = table[(table["class"] == "all") & (table["metric"] == "accuracy") & (table["learner"] == "mlr")]
    first = rows[(rows["start"] == "transfer") & (rows["shots"] == 0)]
    np.testing.assert_allclose(line.get_ydata()[0], first["value"].mean())


def test_bands_are_t_intervals_over_repeats(table):
    figure = pl.learning_curves(table, metrics=["accuracy"], level=0.9)
    band = shown(figure)[0].collections[0].get_paths()[0].vertices
    rows = table[(table["class"] == "all") & (table["metric"] == "accuracy") & (table["shots"] == 5)]
    values = rows[(rows["learner"] == "mlr") & (rows["start"] == "transfer")]["value"]
    half = t.ppf(0.95, 3) * values.std() / 2
    heights = np.sort(np.unique(band[band[:, 0] == 5, 1]))
    np.testing.assert_allclose(heights, [values.mean() - half, values.mean() + half])


def test_one_repeat_has_no_band_and_missing_values_are_left_out(table):
    single = table[table["repeat"] == 0].copy()
    single.loc[(single["shots"] == 30) & (single["class"] == "x"), "value"] = np.nan
    figure = pl.learning_curves_by_class(single)
    band = shown(figure)[0].collections[0].get_paths()[0].vertices
    assert band[:, 0].max() == 5
    line = shown(figure)[0].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 5])
    for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True):
        np.testing.assert_allclose(band[band[:, 0] == x, 1], y)


def test_a_class_without_values_has_no_panel(table):
    table.loc[table["class"] == "y", "value"] = np.nan
    assert [ax.get_title() for ax in shown(pl.learning_curves_by_class(table))] == ["x"]


@pytest.mark.parametrize("classes", [1, 14])
def test_any_number_of_classes_can_be_drawn(table, classes, tmp_path):
    part = table[(table["class"] == "x") & (table["metric"] == "f1") & (table["repeat"] < 2)]
    names = [f"a rather long name of a class, number {i}" for i in range(classes)]
    many = pd.concat([part.assign(**{"class": name}) for name in names])
    figure = pl.learning_curves_by_class(many)
    assert len(shown(figure)) == classes
    figure.savefig(tmp_path / "curves.png", dpi=30)


def test_what_cannot_be_drawn_is_said(table):
    with pytest.raises(InputError, match="no column 'repeat'"):
        pl.learning_curves(table.drop(columns="repeat"))
    with pytest.raises(InputError, match="'precision' of single classes has no rows"):
        pl.learning_curves_by_class(table, metric="precision")
    with pytest.raises(InputError, match="class 'all' has no rows"):
        pl.learning_curves(table[table["class"] == "x"])
    with pytest.raises(InputError, match="start 'nothing'; expected 'transfer', 'scratch'"):
        pl.learning_curves(table.replace({"start": {"scratch": "nothing"}}))
    with pytest.raises(InputError, match="no values for 'z'"):
        pl.learning_curves_by_class(table, classes=["x", "z"])
