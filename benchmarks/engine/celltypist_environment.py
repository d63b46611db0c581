"""CellTypist 1.7.1 in an environment of its own: it needs an older scikit-learn than the one here."""

import subprocess
import sys
import venv
from pathlib import Path

PLACE = Path(__file__).parents[1] / ".celltypist"
PINS = ("celltypist==1.7.1", "scikit-learn>=1.7,<1.8")


def interpreter() -> str | None:
    """Return the Python of that environment, made on the first call; None where it cannot be made."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "ready").is_file():
        venv.create(PLACE, with_pip=True, clear=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINS], check=False)
        if done.returncode != 0:
            print("celltypist could not be installed; it is left out", file=sys.stderr)
            return None
        (PLACE / ".gitignore").write_text("*\n")
        (PLACE / "ready").touch()
    return str(python)
