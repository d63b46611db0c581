"""Run the tutorial of ``docs/adapt.md`` and keep what it shows: ``python benchmarks/adapt_tutorial.py``.

Writes the printed report into the page and the picture to ``docs/pictures/adapted.svg``.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.page import between

ROOT = Path(__file__).parents[1]
PAGE, PICTURES = ROOT / "docs" / "adapt.md", ROOT / "docs" / "pictures"
BEGIN, END = "<!-- made by benchmarks/adapt_tutorial.py -->", "<!-- end -->"
SAME_BYTES = "import matplotlib\nmatplotlib.rcParams['svg.hashsalt'] = 'orthotype'\n"


def tutorial(text: str) -> str:
    """Return the Python of the page."""
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return str(block)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    code = SAME_BYTES + tutorial(text).replace('"adapted.svg")', '"adapted.svg", metadata={"Date": None})')
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        picture = Path(folder, "adapted.svg").read_text(encoding="utf-8")
    (PICTURES / "adapted.svg").write_text(picture, encoding="utf-8")
    made = f"```text\n{done.stdout.rstrip()}\n```"
    PAGE.write_text(between(text, BEGIN, END, made), encoding="utf-8")


if __name__ == "__main__":
    main()
