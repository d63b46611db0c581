"""The tutorial of docs/adapt.md runs as it stands, and the page shows what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adapt.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def test_the_tutorial_runs_and_says_what_the_page_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "Warning" in line and "warnings.warn" not in line]
    assert len(warned) == 1, done.stderr
    assert "2 classes are new to the model: mast cell (begins as T cell), pancreatic acinar" in warned[0]
    assert "<svg" in (tmp_path / "adapted.svg").read_text(encoding="utf-8")
    assert (tmp_path / "pancreas_human.safetensors").is_file()

    said, shown = done.stdout.splitlines(), block("text").splitlines()
    assert said[0] == shown[0] == "learned from 20 human cells of 12 classes"
    assert said[2].startswith("mean recall of held-out")
    assert said[2].endswith("classes of one label")
    acinar = next(line.split() for line in said if line.startswith("pancreatic acinar cell"))
    before, after = float(acinar[-3]), float(acinar[-2])
    assert before == 0.0
    assert after > 0.9
    words = [line.split()[:2] for line in said if not line.startswith("  ")]
    assert words == [line.split()[:2] for line in shown if not line.startswith("  ")]


def test_the_pictures_are_there() -> None:
    for name in ("adapted.svg", "adapt.svg"):
        assert f"pictures/{name}" in PAGE
        assert "<svg" in (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
