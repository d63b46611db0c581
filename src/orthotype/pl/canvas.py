"""Axes to draw on, without the state of pyplot."""

from typing import TYPE_CHECKING

from orthotype.errors import OrthotypeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY = "#3b7db8", "#d98a00", "#8b939a"


def axes_or_new(ax: "Axes | None", *, width: float, height: float) -> "Axes":
    """Return the axes given, or those of a new figure of this size in inches.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OrthotypeError(
            'figures need matplotlib, which is not installed; pip install "orthotype[plot]"'
        ) from error
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained").subplots()


def without_frame(ax: "Axes") -> None:
    """Keep only the left and the lower axis."""
    ax.spines[["top", "right"]].set_visible(False)
