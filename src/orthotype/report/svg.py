"""Small drawings as inline SVG: bars, a stacked histogram, a calibration curve.

Colours come from the classes of the page's style sheet, so drawings follow light, dark and print. Bars carry
no text and stretch with their cell; plots keep their shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 420.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 10.0, 40.0


@dataclass(frozen=True)
class Series:
    """One layer of a histogram: its name, its style class and the cells of every bin."""

    name: str
    style: str
    counts: Sequence[int]


def bar(parts: Sequence[tuple[float, str]]) -> Markup:
    """Draw shares of a whole (0 to 1) side by side, each with its style class, on a track."""
    drawn, start = [_rect(0, 0, 100, 10, "track")], 0.0
    for share, style in parts:
        width = 100 * min(max(share, 0.0), 1.0)
        drawn.append(_rect(start, 0, width, 10, style))
        start += width
    return _stretched(drawn)


def span(value: float, low: float, high: float) -> Markup:
    """Draw a score between 0 and 1 as a mark on its interval; no interval where it is undefined."""
    drawn = [_rect(0, 4.5, 100, 1, "track")]
    if low <= high:
        drawn.append(_rect(100 * low, 3, max(100 * (high - low), 0.5), 4, "interval"))
    if 0 <= value <= 1:
        drawn.append(_rect(min(max(100 * value - 1, 0), 98), 0, 2, 10, "mark"))
    return _stretched(drawn)


def diverging(share: float, style: str) -> Markup:
    """Draw a signed share (-1 to 1) as a bar to the left or the right of the middle."""
    width = 50 * min(abs(share), 1.0)
    start = 50.0 if share >= 0 else 50 - width
    return _stretched([_rect(0, 0, 100, 10, "track"), _rect(start, 0, max(width, 0.5), 10, style)])


def histogram(series: Sequence[Series], *, title: str, x_label: str, y_label: str) -> Markup:
    """Draw a stacked histogram of a quantity between 0 and 1."""
    n_bins = len(series[0].counts)
    heights = [sum(layer.counts[b] for layer in series) for b in range(n_bins)]
    step = _step(max(heights, default=0))
    top = step * max(1, -(-max(heights, default=0) // step))
    parts = [_frame(x_label, y_label, [(value / top, f"{value:,}") for value in range(0, top + 1, step)])]
    width = (WIDTH - LEFT - RIGHT) / n_bins
    base = [0.0] * n_bins
    for layer in series:
        for b, cells in enumerate(layer.counts):
            if cells:
                high = base[b] + cells / top
                label = f"{layer.name}: {cells:,} cells, {b / n_bins:.2f} to {(b + 1) / n_bins:.2f}"
                x, y = LEFT + b * width + 0.5, _y(high)
                parts.append(_rect(x, y, width - 1, _y(base[b]) - y, layer.style, label=label))
                base[b] = high
    return _plot(parts, title)


def calibration_curve(points: Sequence[tuple[float, float, int]], *, title: str) -> Markup:
    """Draw confidence against share right, one point per bin (confidence, share right, cells)."""
    ticks = [(value / 4, f"{value / 4:g}") for value in range(5)]
    parts = [_frame("mean confidence", "share right", ticks)]
    parts.append(_line([(0.0, 0.0), (1.0, 1.0)], "diagonal"))
    parts.append(_line([(x, y) for x, y, _ in points], "curve"))
    most = max((cells for _, _, cells in points), default=1)
    for x, y, cells in points:
        radius = 2.5 + 5 * (cells / most) ** 0.5
        text = escape(f"confidence {x:.2f}, right {y:.2f}, {cells:,} cells")
        parts.append(
            Markup(
                '<circle class="point" cx="{:.2f}" cy="{:.2f}" r="{:.2f}"><title>{}</title></circle>'
            ).format(_x(x), _y(y), radius, text)
        )
    return _plot(parts, title)


def _frame(x_label: str, y_label: str, y_ticks: Sequence[tuple[float, str]]) -> Markup:
    parts = []
    for place, text in y_ticks:
        parts.append(_line([(0.0, place), (1.0, place)], "grid"))
        parts.append(_text(LEFT - 6, _y(place) + 4, text, "end"))
    bottom = HEIGHT - BOTTOM + 16
    parts += [_text(_x(place), bottom, f"{place:g}", "middle") for place in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x_label, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = Markup(
        '<text class="label" text-anchor="middle" transform="translate(11 {:.1f}) rotate(-90)">{}</text>'
    )
    parts.append(turned.format(middle, y_label))
    return Markup("").join(parts)


def _plot(parts: Sequence[Markup], title: str) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )


def _stretched(parts: Sequence[Markup]) -> Markup:
    opening = '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    return Markup(opening).format(Markup("").join(parts))


def _rect(x: float, y: float, width: float, height: float, style: str, *, label: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(label) if label else ""
    shape = '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}">{}</rect>'
    return Markup(shape).format(style, x, y, width, height, inner)


def _line(points: Sequence[tuple[float, float]], style: str) -> Markup:
    path = " ".join(f"{_x(x):.2f},{_y(y):.2f}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(style, path)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def _step(most: int) -> int:
    """Return the distance of axis ticks: 1, 2 or 5 times a power of ten, at most six ticks."""
    scale = 1
    while True:
        for factor in (1, 2, 5):
            if most <= 6 * factor * scale:
                return factor * scale
        scale *= 10
