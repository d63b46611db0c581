"""Talking to the terminal: results to stdout, everything else to stderr, errors in one voice."""

import json
import math
import shlex
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orthotype.errors import InputError, OrthotypeError, OrthotypeWarning, Problems


def say(text: str = "") -> None:
    """Write a result to stdout, at once: a reader that has gone away is noticed here, not at the exit."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


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
    """Lay out rows in columns as wide as they need: text to the left, numbers to the right.

    What is not known, None or NaN, stays empty.
    """
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
    if value is None or (isinstance(value, float) and math.isnan(value)):
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
    """Turn errors into one message and exit code 1, orthotype's warnings into notes on stderr.

    What the libraries underneath warn of is shown only where Python was asked to (``-W``, PYTHONWARNINGS).
    """
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, OrthotypeWarning):
                note(f"note: {message}")
            else:
                shown(message, category, *where, **more)

        warnings.showwarning = show
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", OrthotypeWarning)
        try:
            yield
        except OrthotypeError as error:
            note(f"error: {error}")
            raise SystemExit(1) from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            note(f"error: {place}{error.strerror or error}; check the file and its permissions")
            raise SystemExit(1) from None


@contextmanager
def naming(files: Mapping[str, Path | None]) -> Iterator[None]:
    """Let errors about "the source" or "the target" name the file that was typed."""
    try:
        yield
    except InputError as error:
        if error.subject not in files:
            raise
        problems = Problems(str(files[error.subject]))
        problems.extend(error.problems)
        problems.raise_if_any(type(error))
