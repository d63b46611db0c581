"""``orthotype study``: one command from two files to a folder; refusals before any work."""

from dataclasses import replace

import pytest

from orthotype.study import recipe as recipes

LABELS = "cell_ontology_class"
TINY = replace(
    recipes.PRESETS["quick"],
    n_top_genes=100,
    n_folds=2,
    shots=(0, 1),
    repeats=2,
    train_cells=2,
    validate_cells=1,
    n_important=10,
    n_components=3,
    zero_shot_cells=1,
)


@pytest.fixture
def tiny(monkeypatch):
    """Make the quick preset quicker still."""
    monkeypatch.setattr(recipes, "PRESETS", {**recipes.PRESETS, "quick": TINY})


@pytest.fixture
def asked(kept):
    """Give the words of the command for the small pair."""
    files = (kept / "mouse.h5ad", kept / "human.h5ad")
    return ("study", *files, "--source-labels", LABELS, "--preset", "quick", "--learner", "mlr")


def test_a_folder_with_report_figures_and_answers(orthotype, asked, tiny, tmp_path, monkeypatch):
    words = (*asked, "--target-labels", LABELS, "--output", "it", "--workers", 1)
    done = orthotype(*words, "--json")
    assert done.code == 0
    answers = done.json["answers"]
    assert [answer["key"] for answer in answers] == ["source", "transfer", "why", "few-shot", "zero-shot"]
    assert answers[1]["numbers"]["accuracy"] > 0.8
    folder = tmp_path / "it"
    assert {path.name for path in folder.iterdir()} == {
        "figures",
        "models",
        "pieces",
        "report.html",
        "study.json",
        "tables",
    }
    assert list((folder / "figures").glob("*.svg"))
    assert "\r" not in done.err
    monkeypatch.setattr("orthotype.pl.study.write_figures", lambda *_: [])
    again = orthotype(*words)
    assert again.code == 0
    assert "How well does it transfer, and where does it fail?\n  Of " in again.out
    assert "wrote the folder it; open it/report.html" in again.err
    assert "note: figures need matplotlib" in again.err
    other = orthotype(*words, "--seed", 1)
    assert other.code == 1
    assert "holds a study of other settings or data" in other.message


def test_refusals_name_the_file_and_write_nothing(refused, kept, asked, tiny):
    told = refused(*asked, "--target-labels", "celltype", "--output", "it")
    assert str(kept / "human.h5ad") in told
    assert "there is no obs column 'celltype'" in told
    told = refused(
        "study", kept / "mouse.h5ad", kept / "human.h5ad", "--source-labels", "x", "--output", "it"
    )
    assert str(kept / "mouse.h5ad") in told
    told = refused("study", "nowhere.h5ad", kept / "human.h5ad", "--source-labels", LABELS, "--output", "it")
    assert "nowhere.h5ad" in told
    told = refused(*asked, "--lineage", "tree.txt", "--output", "it")
    assert "tree.txt: cannot be read as a lineage" in told


def test_a_lineage_from_a_file_places_the_errors(orthotype, asked, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("orthotype.pl.study.write_figures", lambda *_: [])
    (tmp_path / "tree.txt").write_text(
        "# endocrine\npancreatic A cell > pancreatic D cell > type B pancreatic cell\n"
        "endothelial cell\npancreatic ductal cell\n"
    )
    words = ("--target-labels", LABELS, "--lineage", "tree.txt", "--output", "it", "--workers", 1)
    done = orthotype(*asked, *words)
    assert done.code == 0
    assert "note: The lineage (tree.txt) has no place for 'pancreatic acinar cell'." in done.err
    assert "proximal error" in (tmp_path / "it" / "report.html").read_text(encoding="utf-8")


def test_a_data_set_can_be_named(orthotype, tiny):
    done = orthotype("study", "baron2016-mouse", "setty", "--source-labels", LABELS, "--output", "it")
    assert done.code == 1
    assert "setty" in done.message
