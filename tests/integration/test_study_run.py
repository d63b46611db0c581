"""A study from end to end: the same folder for any number of workers, after a kill, and twice over."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError, OrthotypeError, OutputError
from orthotype.study import Columns, preset, read_study, run
from orthotype.study.steps import learner as learners

LABELS = "cell_ontology_class"
COLUMNS = Columns(source_labels=LABELS, target_labels=LABELS)
RECIPE = replace(
    preset("quick"),
    name="tiny",
    learners=("mlr",),
    n_top_genes=120,
    n_folds=3,
    shots=(0, 2),
    repeats=2,
    train_cells=4,
    validate_cells=1,
    n_important=20,
    n_components=4,
    zero_shot_cells=2,
)
SCRIPT = """
import sys
from dataclasses import replace
from anndata import read_h5ad
from orthotype.study import Columns, Recipe, run
if __name__ == "__main__":
    mouse, human, recipe, output, workers = sys.argv[1:]
    columns = Columns("cell_ontology_class", "cell_ontology_class")
    run(read_h5ad(mouse), target=read_h5ad(human), columns=columns, recipe=Recipe.from_json(recipe),
        output=output, workers=int(workers))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def done(tmp_path_factory, small_mouse, small_human):
    """Give a finished small study; not to be changed."""
    folder = tmp_path_factory.mktemp("study") / "one"
    return run(small_mouse, target=small_human, columns=COLUMNS, recipe=RECIPE, output=folder)


def test_the_folder_holds_what_it_promises(done):
    names = {path.name for path in done.folder.iterdir()}
    assert names == {"study.json", "tables", "models", "pieces"}
    assert len(list((done.folder / "models").glob("mlr_fold*.safetensors"))) == 3
    for name in done.tables:
        assert (done.folder / "tables" / f"{name}.csv").is_file()
        rows = json.loads((done.folder / "tables" / f"{name}.json").read_text())
        assert len(rows) == len(done.tables[name])
    assert [answer.key for answer in done.answers] == ["source", "transfer", "why", "few-shot", "zero-shot"]
    assert done.record["shared"] == sorted(done.record["classes"])
    assert done.record["target_only"] == ["pancreatic acinar cell"]


def test_the_numbers_are_those_of_the_pair(done, small_human):
    cells = done.tables["transfer_cells"]
    assert cells["cell"].tolist() == small_human.obs_names.tolist()
    assert cells["true"].tolist() == small_human.obs[LABELS].tolist()
    shared = cells[cells["true"].isin(done.record["shared"])]
    accuracy = float((shared["true"] == shared["label"]).mean())
    summary = done.tables["transfer_summary"].set_index("metric")["value"]
    assert accuracy == pytest.approx(summary["accuracy"])
    assert accuracy > 0.9
    table = done.tables["transfer_confusion"].pivot_table(
        index="true", columns="called", values="cells", aggfunc="sum"
    )
    assert table.sum(axis=1).to_dict() == cells["true"].value_counts().to_dict()
    assert (cells[cells["true"] == "pancreatic acinar cell"]["outcome"] == "no source class").all()
    curve = done.tables["few_shot_curve"]
    assert set(zip(curve["start"], curve["shots"], strict=True)) == {
        ("transfer", 0),
        ("transfer", 2),
        ("scratch", 2),
    }
    found = done.tables["zero_shot_classes"]
    assert set(found["class"]) == set(done.record["shared"])


def test_two_workers_give_the_same_folder(done, tmp_path, small_mouse, small_human):
    told = []
    other = run(
        small_mouse,
        target=small_human,
        columns=COLUMNS,
        recipe=RECIPE,
        output=tmp_path / "two",
        workers=2,
        progress=lambda name, finished, total: told.append((name, finished, total)),
    )
    assert contents(other.folder) == contents(done.folder)
    assert [finished for _, finished, _ in told] == list(range(1, len(told) + 1))
    assert len({name for name, _, _ in told}) == told[-1][2] == done.record["pieces"]


def whole(folder):
    """Return the pieces that are written to the end; others have a name that begins with a dot."""
    return [path for path in folder.rglob("*.npz") if path.name[0] != "."]


def test_a_killed_run_goes_on_and_ends_the_same(done, tmp_path, kept):
    folder = tmp_path / "killed"
    files = [str(kept / "mouse.h5ad"), str(kept / "human.h5ad")]
    words = [sys.executable, "-c", SCRIPT, *files, RECIPE.to_json(), str(folder), "1"]
    started = subprocess.Popen(words, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(whole(folder)) < 5 and time.monotonic() < deadline:
        assert started.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    finished = {path: path.stat().st_mtime_ns for path in whole(folder)}
    assert not (folder / "study.json").exists()
    assert len(finished) >= 5
    subprocess.run(words, check=True)
    for path, changed in finished.items():
        assert path.stat().st_mtime_ns == changed, f"{path.name} was made again"
    assert {
        name: text for name, text in contents(folder).items() if not Path(name).name.startswith(".")
    } == contents(done.folder)


def test_a_finished_study_is_not_made_again(done, tmp_path, small_mouse, small_human, monkeypatch):
    import shutil

    shutil.copytree(done.folder, tmp_path / "again")
    monkeypatch.setattr("orthotype.study.workers.make", lambda *_, **__: pytest.fail("made again"))
    again = run(small_mouse, target=small_human, columns=COLUMNS, recipe=RECIPE, output=tmp_path / "again")
    assert contents(again.folder) == contents(done.folder)


@pytest.mark.parametrize("change", ["recipe", "data"])
def test_other_settings_or_data_never_take_over_pieces(
    done, tmp_path, small_mouse, small_human, monkeypatch, change
):
    import shutil

    shutil.copytree(done.folder, tmp_path / "again")
    recipe, human = RECIPE, small_human
    if change == "recipe":
        recipe = replace(RECIPE, seed=1)
    else:
        human = small_human.copy()
        human.obs.iloc[0, human.obs.columns.get_loc(LABELS)] = "macrophage"
    made = []
    monkeypatch.setattr("orthotype.study.running.execute", lambda pieces, *, store, **_: made.append(store))
    with pytest.raises(OutputError, match="other settings or data"):
        run(small_mouse, target=human, columns=COLUMNS, recipe=recipe, output=tmp_path / "again")
    assert not made
    monkeypatch.setattr("orthotype.study.running.write_study", lambda *_, **__: None)
    run(small_mouse, target=human, columns=COLUMNS, recipe=recipe, output=tmp_path / "again", force=True)
    assert not list(made[0].folder.rglob("*.npz"))
    assert made[0].folder.name != done.record["key"]


def test_a_foreign_folder_is_left_alone(tmp_path, small_mouse, small_human):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds files already"):
        run(small_mouse, target=small_human, columns=COLUMNS, recipe=RECIPE, output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_target_labels_what_can_be_asked_is_asked(tmp_path, small_mouse, small_human):
    blind = small_human[:120].copy()
    del blind.obs[LABELS]
    found = run(small_mouse, target=blind, columns=Columns(LABELS), recipe=RECIPE, output=tmp_path / "blind")
    assert not {"transfer_summary", "few_shot_curve", "zero_shot_classes"} & set(found.tables)
    assert {"transfer_calls", "why_top_genes", "zero_shot_marker_tests"} <= set(found.tables)
    said = {answer.key: answer.text for answer in found.answers}
    assert said["transfer"].startswith("Not scored: no target label was given.")
    assert said["few-shot"] == "Not measured: no target label was given."
    assert "show the source's markers" in said["zero-shot"]
    assert found.tables["transfer_cells"]["outcome"].unique().tolist() == ["not known"]


def test_target_labels_decide_nothing_before_the_scores(done, small_mouse, small_human):
    from orthotype.study.pairing import make_pair

    blind = small_human.copy()
    del blind.obs[LABELS]
    one = make_pair(small_mouse, small_human, columns=COLUMNS, recipe=RECIPE)
    other = make_pair(small_mouse, blind, columns=Columns(LABELS), recipe=RECIPE)
    assert one.features == other.features
    assert (one.target.X != other.target.X).nnz == 0


def test_too_few_labels_for_curves(tmp_path, small_mouse, small_human):
    human = small_human.copy()
    column = human.obs[LABELS].to_numpy(dtype=object).copy()
    column[np.setdiff1d(np.arange(human.n_obs), np.arange(0, human.n_obs, 60))] = None
    human.obs[LABELS] = pd.Series(column, index=human.obs_names, dtype=object)
    recipe = replace(RECIPE, repeats=5)
    found = run(small_mouse, target=human, columns=COLUMNS, recipe=recipe, output=tmp_path / "few")
    assert "few_shot_curve" not in found.tables
    assert "fewer than two classes" in {a.key: a for a in found.answers}["few-shot"].text
    assert set(found.tables["zero_shot_classes"]["n_labelled"]) == {0}


def test_without_torch_the_linear_model_runs_alone_and_says_so(monkeypatch):
    find = learners.find_spec
    monkeypatch.setattr(learners, "find_spec", lambda name: None if name == "torch" else find(name))
    recipe, notes = learners.with_what_is_installed(preset("stumpf2020"))
    assert (recipe.learners, recipe.networks) == (("mlr",), "default")
    assert "torch is not installed" in notes[0]
    assert "own engine" in notes[1]


def test_both_learners_and_donors(tmp_path, small_mouse, small_human):
    pytest.importorskip("torch", reason="NO TORCH: the network of the study was not run")
    small_mouse = small_mouse.copy()
    small_mouse.obs["half"] = np.where(np.arange(small_mouse.n_obs) % 2, "odd", "even")
    columns = replace(COLUMNS, source_groups="half", target_groups="donor")
    recipe = replace(RECIPE, learners=("mlr", "ann"), networks="stumpf2020", encoder="binarize")
    found = run(small_mouse, target=small_human, columns=columns, recipe=recipe, output=tmp_path / "both")
    comparison = found.tables["source_comparison"]
    assert set(comparison["verdict"]) <= {"equal", "a better", "b better", "undecided"}
    assert set(comparison["n_folds"]) == {2}
    assert set(found.tables["why_weights"]["learner"]) == {"mlr", "ann"}
    assert "against" in found.answers[0].short
    for metric in ("balanced_accuracy", "published_balanced_accuracy"):
        assert (found.tables["source_metrics"]["metric"] == metric).sum() >= 2


def test_a_worker_that_dies_is_told(tmp_path, small_mouse, small_human, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    import orthotype.study.workers as workers

    class Dead:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def submit(self, *_):
            raise BrokenProcessPool("killed")

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Dead)
    with pytest.raises(OrthotypeError, match="a worker process died"):
        run(small_mouse, target=small_human, columns=COLUMNS, recipe=RECIPE, output=tmp_path / "x", workers=2)
    with pytest.raises(InputError, match="workers is 0"):
        run(small_mouse, target=small_human, columns=COLUMNS, recipe=RECIPE, output=tmp_path / "y", workers=0)


def test_what_is_read_back_is_what_was_written(done):
    again = read_study(done.folder)
    assert again.answers == done.answers
    assert again.record == done.record
    for name, table in done.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    with pytest.raises(InputError, match="no finished study"):
        read_study(done.folder / "tables")
