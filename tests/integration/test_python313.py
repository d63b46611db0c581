"""A fresh install on Python 3.13 labels cells exactly as this one, with a model that was saved here.

Both with one thread: libraries of other versions share sums out among several in another order.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

import orthotype as ot

ROOT = Path(__file__).parents[2]
LABELS = "cell_ontology_class"

ANNOTATE = """
import sys
import pandas as pd
import orthotype as ot
assert sys.version_info[:2] == (3, 13), sys.version
human = ot.datasets.get("baron2016-human")
found = ot.load(sys.argv[1]).annotate(human)
proba = pd.DataFrame(found.obsm["orthotype_proba"], index=human.obs_names)
proba.insert(0, "label", found.obs["orthotype_label"].astype(str).to_numpy())
proba.to_csv(sys.argv[2])
"""


def find_python313() -> str | None:
    """Return a Python 3.13 that really runs: named by ORTHOTYPE_PYTHON313, on the path, or kept by pyenv."""
    kept = sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python"))
    for candidate in (os.environ.get("ORTHOTYPE_PYTHON313"), shutil.which("python3.13"), *map(str, kept)):
        if candidate is None:
            continue
        code = "import sys; sys.exit(sys.version_info[:2] != (3, 13))"
        if subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


@pytest.fixture(scope="module")
def python313(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python 3.13 with orthotype freshly installed from a copy of this tree, by nothing but pip."""
    found = find_python313()
    if found is None:
        pytest.skip("NOT TESTED: no Python 3.13 here; set ORTHOTYPE_PYTHON313 to see that models carry over")
    folder = tmp_path_factory.mktemp("python313")
    tree = folder / "tree"
    ignored = shutil.ignore_patterns(".venv*", ".git", ".*_cache", "orthotype-demo", "__pycache__", "*.so")
    shutil.copytree(ROOT, tree, ignore=ignored)
    subprocess.run([found, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-input", str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.python313
def test_a_model_saved_here_labels_alike_on_313(python313: Path, tmp_path: Path) -> None:
    mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    model = ot.LabelTransfer().fit(mouse, labels=LABELS)
    model.save(tmp_path / "model.safetensors")
    with threadpool_limits(1):
        here = model.annotate(human)
    out = tmp_path / "there.csv"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [python313, "-c", ANNOTATE, tmp_path / "model.safetensors", out],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    there = pd.read_csv(out, index_col=0)
    assert there["label"].tolist() == here.obs["orthotype_label"].astype(str).tolist()
    np.testing.assert_allclose(
        there.drop(columns="label").to_numpy(), here.obsm["orthotype_proba"], rtol=0, atol=1e-6
    )
