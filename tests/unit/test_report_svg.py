"""Drawings: well-formed, to scale, and safe for any name."""

from xml.etree import ElementTree

import pytest

from orthotype.report.svg import HEIGHT, WIDTH, Series, bar, calibration_curve, histogram, span


def parsed(svg):
    return ElementTree.fromstring(str(svg))


def rectangles(svg, style):
    return [node for node in parsed(svg).iter("rect") if node.get("class") == style]


def test_bars_are_to_scale_and_side_by_side():
    first, second = rectangles(bar([(0.25, "a")]), "a"), rectangles(bar([(0.25, "a"), (0.5, "b")]), "b")
    assert float(first[0].get("width")) == 25
    assert (float(second[0].get("x")), float(second[0].get("width"))) == (25, 50)
    assert float(rectangles(bar([(7.0, "a")]), "a")[0].get("width")) == 100


def test_a_span_without_interval_shows_its_mark_alone():
    nan = float("nan")
    assert len(rectangles(span(0.5, 0.4, 0.7), "interval")) == 1
    assert not rectangles(span(0.5, nan, nan), "interval")
    assert not rectangles(span(nan, nan, nan), "mark")
    assert float(rectangles(span(1, 1, 1), "mark")[0].get("x")) == 98


def test_a_histogram_stacks_to_the_sum_of_its_layers():
    layers = [Series("one", "a", [10, 0]), Series("two", "b", [30, 0])]
    svg = histogram(layers, title="t", x_label="x", y_label="y")
    low, high = rectangles(svg, "a")[0], rectangles(svg, "b")[0]
    assert float(high.get("height")) == pytest.approx(3 * float(low.get("height")), abs=0.02)
    assert float(high.get("y")) + float(high.get("height")) == pytest.approx(float(low.get("y")), abs=0.02)
    assert low.find("title").text == "one: 10 cells, 0.00 to 0.50"
    assert {"0", "10", "40"} <= {node.text for node in parsed(svg).iter("text")}


@pytest.mark.parametrize("most", [0, 1, 6, 7, 999, 1_000_001])
def test_axes_reach_above_the_highest_bar_with_few_ticks(most):
    svg = histogram([Series("one", "a", [most])], title="t", x_label="x", y_label="y")
    ticks = [
        int(node.text.replace(",", ""))
        for node in parsed(svg).iter("text")
        if node.get("text-anchor") == "end"
    ]
    assert ticks[0] == 0
    assert max(ticks) >= most
    assert 2 <= len(ticks) <= 7


def test_everything_is_drawn_inside_the_frame():
    points = [(0.0, 0.0, 1), (1.0, 1.0, 1000)]
    for node in parsed(calibration_curve(points, title="t")).iter("circle"):
        assert 0 <= float(node.get("cx")) <= WIDTH
        assert 0 <= float(node.get("cy")) <= HEIGHT


def test_names_are_escaped():
    hostile = "<script>alert('x')</script>"
    svg = histogram([Series(hostile, hostile, [1])], title=hostile, x_label=hostile, y_label=hostile)
    assert "<script>" not in svg
    assert parsed(svg).get("aria-label") == hostile
