"""Talking to the terminal: results to stdout, everything else to stderr, errors in one voice."""

import json
import shlex
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from orthotype.errors import OrthotypeError, OrthotypeWarning


def say(text: str = "") -> None:
    """Write a result to stdout."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """Write something the user should know to stderr."""
    sys.stderr.write(f"orthotype: {text}\n")


def command_line() -> str:
    """Return the command as it was typed, to be repeated."""
    return shlex.join(["orthotype", *sys.argv[1:]])


def say_json(value: Any) -> None:
    """Write a result to stdout as JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def table(rows: Iterable[Sequence[Any]], *, header: Sequence[str]) -> str:
    """Lay out rows in columns as wide as they need: text to the left, numbers to the right."""
    cells = [[_text(value) for value in row] for row in rows]
    numeric = [
        bool(cells) and all(_is_number(value) for value in column) for column in zip(*cells, strict=True)
    ]
    lines = [list(header), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    numeric = numeric or [False] * len(header)
    return "\n".join(
        "  ".join(
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show what is going on, on a terminal; be silent in a pipe."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def one_voice() -> Iterator[None]:
    """Turn orthotype's errors into one message and exit code 1, its warnings into notes on stderr."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, OrthotypeWarning):
                note(f"note: {message}")
            else:
                shown(message, category, *where)

        warnings.showwarning = show
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message=".*names are not unique", category=UserWarning)
        try:
            yield
        except OrthotypeError as error:
            note(f"error: {error}")
            raise SystemExit(1) from None
