"""A virtual environment for each tool: they need versions of the same libraries that do not go together."""

import subprocess
import sys
import venv
from pathlib import Path

HOME = Path(__file__).parents[1]


def interpreter(name: str, pins: tuple[str, ...]) -> Path:
    """Return the Python of a tool's environment, made with pip on the first call.

    Raises
    ------
    RuntimeError
        With the last lines of pip, if a package cannot be installed.
    """
    place = HOME / f".{name}"
    python = place / "bin" / "python"
    if not (place / "ready").is_file():
        print(f"installing {' '.join(pins)} into {place}", file=sys.stderr, flush=True)
        venv.create(place, with_pip=True, clear=True)
        (place / ".gitignore").write_text("*\n")
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *pins], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"pip could not install {' '.join(pins)}: {' '.join(done.stderr.split()[-60:])}"
            )
        (place / "ready").touch()
    return python
