"""The command line as its own process: light help, quiet pipes, ctrl-C, and the whole demo."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

ORTHOTYPE = (sys.executable, "-m", "orthotype")
HEAVY = ("anndata", "h5py", "jinja2", "matplotlib", "numpy", "pandas", "pooch", "scipy", "sklearn", "zarr")
LABELS = ("--labels", "cell_ontology_class")


def run(*words: object, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ORTHOTYPE, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["datasets", "list"], ["models", "list"], ["--version"]]
)
def test_help_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from orthotype.cli.main import run\n"
        f"sys.argv = ['orthotype', *{words!r}]\n"
        "try:\n"
        "    run()\n"
        "finally:\n"
        f"    print('heavy:', *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "heavy:"
    assert done.stdout


def test_the_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("orthotype")
    if not script.exists():
        pytest.skip("NOT TESTED: the orthotype command is not installed beside this Python")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == run("--version", cwd=tmp_path).stdout


def test_no_warning_of_a_library_reaches_the_terminal(
    kept: Path, tmp_path: Path, small_human: anndata.AnnData
) -> None:
    human = small_human[::5].copy()
    names = human.var_names.to_numpy().astype(object).copy()
    names[1] = names[0]
    human.var_names = names
    human.obs_names = ["cell"] * human.n_obs
    with pytest.warns(UserWarning, match="not unique"):
        human.copy().write_h5ad(tmp_path / "twice.h5ad")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = run(
        *("annotate", kept / "model.safetensors", "twice.h5ad", "-o", "out.h5ad", "--table", "out.csv"),
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0
    first, last = done.stderr.splitlines()
    assert first.startswith("orthotype: note: the target: 1 gene names are not unique")
    assert last == "orthotype: wrote out.h5ad and out.csv"


def test_a_reader_that_goes_away_is_no_error_to_tell(kept: Path, tmp_path: Path) -> None:
    words = [*ORTHOTYPE, "inspect", str(kept / "mouse.h5ad")]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        words, cwd=tmp_path, env=buffered, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait()


def test_an_interrupt_leaves_neither_traceback_nor_file(kept: Path, tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        # where the tests run in the background it is ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from orthotype.cli.main import run\n"
        "from orthotype.transfer.label_transfer import LabelTransfer\n"
        "import time\n"
        "def fit(self, *args, **options):\n"
        "    open('begun', 'w').close()\n"
        "    time.sleep(60)\n"
        "LabelTransfer.fit = fit\n"
        f"words = ['train', {str(kept / 'mouse.h5ad')!r}, *{LABELS!r}, '-o', 'm.safetensors']\n"
        "sys.argv = ['orthotype', *words]\n"
        "run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["begun"]


def test_an_error_is_one_message_and_exit_code_1(kept: Path, tmp_path: Path) -> None:
    done = run("train", kept / "mouse.h5ad", "--labels", "celltype", "-o", "m.safetensors", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("orthotype: error: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    return run("demo", cwd=folder), folder / "orthotype-demo"


Demo = tuple[subprocess.CompletedProcess[str], Path]


def test_the_demo_says_how_well_it_went_and_where_to_look(demo: Demo) -> None:
    done, _ = demo
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "orthotype: wrote the folder orthotype-demo; open orthotype-demo/report.html and "
        "orthotype-demo/marrow/report.html\n"
    )
    assert "1,886 mouse cells" in done.stdout
    assert "2,142 human cells" in done.stdout
    assert "95 % interval" in done.stdout
    assert "mast cell, pancreatic acinar cell, pancreatic epsilon cell" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_the_demo_labels_most_human_cells_right(demo: Demo) -> None:
    summary = pd.read_csv(demo[1] / "summary.csv", index_col="metric")["value"]
    assert summary["accuracy_most_probable"] > 0.97
    assert summary["mean_recall_most_probable"] > 0.97
    assert summary["accuracy"] > 0.93
    assert summary["share_unknown"] < 0.06


def test_the_demo_writes_files_that_agree(demo: Demo) -> None:
    folder = demo[1]
    names = {path.name for path in folder.iterdir()}
    tables = {"labels.csv", "summary.csv", "per_class.csv", "confusion.csv"}
    assert names == {"human_annotated.h5ad", "model.safetensors", "report.html", "marrow", *tables}
    cells = anndata.read_h5ad(folder / "human_annotated.h5ad")
    labels = pd.read_csv(folder / "labels.csv", index_col=0)
    assert labels["orthotype_label"].tolist() == cells.obs["orthotype_label"].astype(str).tolist()
    per_class = pd.read_csv(folder / "per_class.csv", index_col=0)
    truth = cells.obs["cell_ontology_class"].astype(str)
    right = (truth == cells.obs["orthotype_label"].astype(str)).groupby(truth).mean()
    for name, recall in per_class["recall"].items():
        assert recall == pytest.approx(right[name]), name
    assert (folder / "report.html").stat().st_size < 2_000_000


def test_the_files_of_the_demo_go_on_being_used(demo: Demo, tmp_path: Path) -> None:
    folder = demo[1]
    card = json.loads(run("models", "show", folder / "model.safetensors", "--json", cwd=tmp_path).stdout)
    assert card["selection"]["with_target"]
    assert card["selection"]["gene_weights"] == "transferability"
    words = ("evaluate", folder / "human_annotated.h5ad", *LABELS, "--groups", "donor", "--json")
    found = json.loads(run(*words, cwd=tmp_path).stdout)
    summary = pd.read_csv(folder / "summary.csv", index_col="metric")["value"]
    for row in found["summary"]:
        assert row["value"] == pytest.approx(summary[row["metric"]])


def test_the_demo_does_not_overwrite(demo: Demo) -> None:
    folder = demo[1]
    done = run("demo", "-o", folder, cwd=folder.parent)
    assert done.returncode == 1
    assert "--force" in done.stderr
