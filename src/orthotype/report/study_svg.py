"""Drawings of a study as inline SVG: learning curves, differences with a margin, a map of cells, a tree.

Colours come from the classes of the page's style sheet, so drawings follow light, dark and print.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WIDTH, HEIGHT = 300.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 36.0, 8.0, 8.0, 32.0
SIDE = 380.0


@dataclass(frozen=True)
class Curve:
    """One line with its interval: style class, whether it is dashed, x, mean, low, high, and its name."""

    style: str
    dashed: bool
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    name: str


@dataclass(frozen=True)
class Difference:
    """A difference with its interval and a name."""

    name: str
    value: float
    low: float
    high: float


def curves(
    lines: Sequence[Curve], *, title: str, x_label: str, floor: float = 0.0, mark: float | None = None
) -> Markup:
    """Draw scores between 0 and 1 against a number of cells, on a square root scale so that few are seen.

    Parameters
    ----------
    lines
        What to draw.
    title
        What a screen reader says.
    x_label
        Below the axis.
    floor
        Score at the foot of the drawing; what lies below is cut off.
    mark
        A score to mark by a dotted line.
    """
    most = max((max(line.x) for line in lines if line.x), default=1.0)
    ticks = [n for n in (0, 1, 2, 5, 10, 20, 30, 50, 100) if n <= most]

    def x(n: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.sqrt(n / most)

    def y(value: float) -> float:
        return _y((value - floor) / (1.0 - floor))

    parts = [_grid(ticks=[(x(n), f"{n}") for n in ticks], x_label=x_label, floor=floor)]
    if mark is not None:
        parts.append(_path([(LEFT, y(mark)), (WIDTH - RIGHT, y(mark))], "mark-line"))
    for line in lines:
        around = list(zip(line.x, line.high, strict=True)) + list(zip(line.x, line.low, strict=True))[::-1]
        known = [(x(n), y(value)) for n, value in around if np.isfinite(value)]
        if len(known) > 2:
            parts.append(_path(known, f"band {line.style}", closed=True))
    for line in lines:
        style = f"line {line.style}{' dashed' if line.dashed else ''}"
        points = [(x(n), y(v)) for n, v in zip(line.x, line.mean, strict=True) if np.isfinite(v)]
        parts.append(_path(points, style))
        for n, value in zip(line.x, line.mean, strict=True):
            if np.isfinite(value):
                label = f"{line.name}, {n:g} cells: {value:.3f}"
                style = f"knot {line.style}{' dashed' if line.dashed else ''}"
                parts.append(_dot(x(n), y(value), style, label))
    return _drawing(parts, title, width=WIDTH, height=HEIGHT)


def differences(rows: Sequence[Difference], *, margin: float, title: str, label: str) -> Markup:
    """Draw differences with their intervals around zero, and the margin within which they count as none."""
    reach = 1.15 * max(margin, *(abs(bound) for row in rows for bound in (row.low, row.high, row.value)))
    width, left, step = 480.0, 130.0, 28.0
    height = step * len(rows) + 44.0
    bottom = height - 34.0

    def x(value: float) -> float:
        return left + (width - left - 12.0) * (value + reach) / (2 * reach)

    parts = [_rect(x(-margin), 4.0, x(margin) - x(-margin), bottom - 4.0, "margin")]
    parts.append(_path([(x(0.0), 4.0), (x(0.0), bottom)], "diagonal"))
    for place, row in enumerate(rows):
        y = 4.0 + step * (place + 0.5)
        parts.append(_path([(x(row.low), y), (x(row.high), y)], "whisker"))
        parts.append(_dot(x(row.value), y, "point", f"{row.name}: {row.value:+.4f}", radius=4.5))
        parts.append(_text(left - 10.0, y + 4.0, row.name, "end"))
    for value in _ticks(reach):
        text = f"{value:+.2g}".replace("-", "\u2212") if value else "0"
        parts.append(_text(x(value), bottom + 15.0, text, "middle"))
    parts.append(_text((left + width - 12.0) / 2, height - 2.0, label, "middle"))
    return _drawing(parts, title, width=width, height=height)


def _ticks(reach: float) -> list[float]:
    """Return zero and two or four places around it: 1, 2 or 5 times a power of ten."""
    scale = 10.0 ** np.floor(np.log10(reach))
    step = float(max(factor * scale for factor in (0.1, 0.2, 0.5, 1.0) if factor * scale <= 0.9 * reach))
    return [-step, 0.0, step]


def cell_map(
    groups: Mapping[str, Floats], *, title: str, numbers: Mapping[int, tuple[float, float]] | None = None
) -> Markup:
    """Draw cells as dots, one style class for each group, later groups on top.

    Parameters
    ----------
    groups
        Style class to coordinates, (n, 2), already between 0 and 1.
    title
        What a screen reader says.
    numbers
        Numbers to write on the map, and where.
    """
    inner = SIDE - 16.0
    parts = []
    for style, points in groups.items():
        if len(points):
            moves = "".join(f"M{8 + inner * a:.1f} {8 + inner * (1 - b):.1f}h0" for a, b in points)
            parts.append(Markup('<path class="dots {}" d="{}"/>').format(style, moves))
    for number, (a, b) in (numbers or {}).items():
        parts.append(_text(8 + inner * a, 8 + inner * (1 - b) + 5.0, str(number), "middle", style="number"))
    return _drawing(parts, title, width=SIDE, height=SIDE)


def scaled(points: Floats) -> Floats:
    """Return coordinates between 0 and 1 with the same unit along both axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high - low).max()) or 1.0
    return np.asarray((points - (low + high) / 2) / reach + 0.5)


def tree(linkage: Floats, names: Sequence[str], styles: Sequence[str], *, title: str) -> Markup:
    """Draw a tree of classes with its leaves on the right, each with its name and style class."""
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(linkage, no_plot=True)
    step, width, names_at = 17.0, 520.0, 250.0
    height = step * len(names) + 30.0
    deepest = float(linkage[:, 2].max()) or 1.0

    def x(depth: float) -> float:
        return names_at - (names_at - 12.0) * depth / deepest

    parts = []
    for places, depths in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        bends = [(x(d), 4.0 + step * p / 10.0) for d, p in zip(depths, places, strict=True)]
        parts.append(_path(bends, "branch"))
    for place, leaf in enumerate(drawn["leaves"] or []):
        y = 4.0 + step * (place + 0.5)
        parts.append(_text(names_at + 8.0, y + 4.0, names[leaf], "start", style=styles[leaf]))
    parts += [_text(x(depth), height - 6.0, f"{depth:.2f}", "middle") for depth in (0.0, deepest)]
    return _drawing(parts, title, width=width, height=height)


def _grid(*, ticks: Sequence[tuple[float, str]], x_label: str, floor: float) -> Markup:
    parts = []
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_path([(LEFT, _y(place)), (WIDTH - RIGHT, _y(place))], "grid"))
        if place in (0.0, 0.5, 1.0):
            parts.append(_text(LEFT - 5.0, _y(place) + 4.0, f"{floor + (1 - floor) * place:g}", "end"))
    parts += [_text(place, HEIGHT - BOTTOM + 14.0, text, "middle") for place, text in ticks]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3.0, x_label, "middle"))
    return Markup("").join(parts)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(value, 0.0), 1.0)


def _drawing(parts: Sequence[Markup], title: str, *, width: float, height: float) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )


def _path(points: Sequence[tuple[float, float]], style: str, *, closed: bool = False) -> Markup:
    moves = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Markup('<path class="{}" d="M{}{}"/>').format(style, moves, "Z" if closed else "")


def _dot(x: float, y: float, style: str, label: str, *, radius: float = 2.6) -> Markup:
    shape = '<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:g}"><title>{}</title></circle>'
    return Markup(shape).format(style, x, y, radius, label)


def _rect(x: float, y: float, width: float, height: float, style: str) -> Markup:
    shape = '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
    return Markup(shape).format(style, x, y, width, height)


def _text(x: float, y: float, text: str, anchor: str, *, style: str = "label") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, text
    )
