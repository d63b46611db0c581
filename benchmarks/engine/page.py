"""Pages of the documentation: what a benchmark wrote into them, replaced."""

import argparse
import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def between(text: str, begin: str, end: str, body: str) -> str:
    """Return the text with what stands between two marks replaced."""
    before, rest = text.split(begin)
    return f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}"


def command(
    about: str | None,
    measured: Callable[[], Iterable[dict[str, Any]]],
    *,
    results: Path,
    path: Path,
    page: Callable[[str, Rows], str],
) -> None:
    """Measure and keep the rows, unless ``--page`` is asked for, and make the page from what was kept."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only make the page anew from the results")
    warnings.simplefilter("ignore")
    if not parser.parse_args().page:
        lines = ",\n".join(json.dumps(row) for row in measured())
        results.write_text(f'{{"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
    path.write_text(page(path.read_text(encoding="utf-8"), rows), encoding="utf-8")
