"""Every command as a user types it, on a small real pair: what it prints, where, and what it writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

import orthotype as ot

Command = Callable[..., Any]
LABELS = ("--labels", "cell_ontology_class")


def test_inspect_says_what_a_file_holds(orthotype: Command, kept: Path) -> None:
    done = orthotype("inspect", kept / "mouse.h5ad")
    assert (done.code, done.err) == (0, "")
    for fact in ("400", "14,877, symbols", "mouse", "counts", "cell_ontology_class", "donor", "orthologs"):
        assert fact in done.out
    told = orthotype("inspect", kept / "mouse.h5ad", "--json").json
    assert told["genes"]["species"] == "mouse"
    assert told["n_cells"] == 400


def test_train_writes_a_model_and_says_how_good_it_is(orthotype: Command, kept: Path) -> None:
    done = orthotype("train", kept / "mouse.h5ad", *LABELS, "-o", "model.safetensors")
    assert done.code == 0
    assert done.err == "orthotype: wrote model.safetensors\n"
    assert "mouse model of 5 classes, trained on 400 cells" in done.out
    assert "pancreatic A cell" in done.out
    assert "CL:0000171" in done.out
    assert "GCG" in done.out
    assert ot.load("model.safetensors").card["n_cells"] == 400


def test_train_says_how_many_genes_count_little_in_the_target(orthotype: Command, kept: Path) -> None:
    done = orthotype(
        *("train", kept / "mouse.h5ad", *LABELS, "-o", "model.safetensors", "--target", kept / "human.h5ad")
    )
    n = ot.load("model.safetensors").card["selection"]["n_below_half"]
    assert f"genes weighted by how well they carry over: {n:,} count less than half\n" in done.out


def test_train_as_json_prints_the_card_that_the_file_holds(orthotype: Command, kept: Path) -> None:
    done = orthotype("train", kept / "mouse.h5ad", *LABELS, "-o", "model.safetensors", "--json")
    shown = orthotype("models", "show", "model.safetensors", "--json")
    card = shown.json
    assert done.json == {name: value for name, value in card.items() if not name.startswith("format")}
    assert card["species"] == "mouse"


def test_train_takes_its_options(orthotype: Command, kept: Path) -> None:
    done = orthotype(
        *("train", kept / "mouse.h5ad", "--labels", "cell_type", "-o", "m.safetensors", "--json"),
        *("--species", "Mus musculus", "--batch", "library", "--layer", "X", "--target", kept / "human.h5ad"),
        *("--target-species", "Homo sapiens", "--policy", "groups", "--encoder", "binarize"),
        *("--n-top-genes", "300", "--gene-weights", "none", "--min-cells", "3", "--seed", "7"),
    )
    card = done.json
    assert card["n_batches"] == 3
    assert card["encoder"]["kind"] == "binarize"
    assert card["orthologs"]["policy"] == "groups"
    chosen = {"method": "dispersion", "n_top_genes": 300, "with_target": True, "gene_weights": "none"}
    assert card["selection"] == chosen
    assert (card["species"], card["target_species"], card["random_state"]) == ("mouse", "human", 7)
    assert "2 of 5 classes are in one batch of 'library' only ('beta', 'ductal')" in done.err


def test_train_takes_an_ortholog_table(orthotype: Command, kept: Path) -> None:
    genes = [("Gcg", "GCG"), ("Ins2", "INS"), ("Sst", "SST"), ("Pecam1", "PECAM1"), ("Krt8", "KRT8")]
    pd.DataFrame(genes, columns=["mouse", "human"]).to_csv("mine.csv", index=False)
    done = orthotype(
        *("train", kept / "mouse.h5ad", *LABELS, "-o", "m.safetensors", "--orthologs", "mine.csv", "--json")
    )
    assert done.code == 0, done.err
    assert done.json["n_features"] == 5


def test_train_says_what_of_your_table_it_could_use(orthotype: Command, kept: Path) -> None:
    genes = [("Gcg", "GCG"), ("Ins2", "INS"), ("Sst", "SST"), ("Sst", "SST"), ("Nope1", "KRT8"), ("Krt8", "")]
    pd.DataFrame(genes, columns=["mouse", "human"]).to_csv("mine.csv", index=False)
    done = orthotype("train", kept / "mouse.h5ad", *LABELS, "-o", "m.safetensors", "--orthologs", "mine.csv")
    assert done.code == 0, done.err
    assert (
        "your ortholog table: 6 rows, 3 usable pairs, 3 of them one to one; 1 rows duplicated, 1 with a gap, "
        "1 names that no gene table knows" in done.out
    )


def test_cells_without_a_label_are_left_out_and_told(
    orthotype: Command, small_mouse: anndata.AnnData
) -> None:
    some = small_mouse.copy()
    some.obs.iloc[:30, some.obs.columns.get_loc("cell_ontology_class")] = ""
    some.write_h5ad("some.h5ad")
    done = orthotype("train", "some.h5ad", *LABELS, "-o", "m.safetensors")
    assert "trained on 370 cells (30 without a label left out)" in done.out


def test_annotate_writes_cells_and_table(orthotype: Command, kept: Path) -> None:
    done = orthotype(
        *("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "out.h5ad", "--table", "t.csv")
    )
    assert done.err == "orthotype: wrote out.h5ad and t.csv\n"
    assert "300 human cells labelled by" in done.out
    cells, table = anndata.read_h5ad("out.h5ad"), pd.read_csv("t.csv", index_col=0)
    assert table.index.tolist() == cells.obs_names.tolist()
    assert table["orthotype_label"].tolist() == cells.obs["orthotype_label"].tolist()
    true, called = cells.obs["cell_ontology_class"].astype(str), cells.obs["orthotype_label"].astype(str)
    assert (true == called).mean() > 0.65
    assert (true == cells.obs["orthotype_nearest_class"].astype(str)).mean() > 0.75
    for label, n_cells in table["orthotype_label"].value_counts().items():
        assert any(line.split()[-2:-1] == [str(n_cells)] for line in done.out.splitlines() if label in line)


def test_annotate_as_json_counts_every_cell(orthotype: Command, kept: Path) -> None:
    done = orthotype(
        *("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "out.h5ad", "--json"),
        *("--alignment", "shift", "--unknown", "similarity", "--key", "mine", "--species", "9606"),
    )
    told = done.json
    assert told["cells"] == 300 == sum(label["cells"] for label in told["labels"].values())
    assert told["species"] == "human"
    assert told["model_genes"]["n"] == 2044
    cells = anndata.read_h5ad("out.h5ad")
    assert "mine_label" in cells.obs
    assert told["model_hash"] == cells.uns["mine"]["model_hash"]


def test_an_annotation_remembers_the_command_and_the_files(orthotype: Command, kept: Path) -> None:
    orthotype("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "my out.h5ad")
    run = ot.read("my out.h5ad").uns["orthotype"]["details"]
    assert f"orthotype annotate {kept / 'model.safetensors'} {kept / 'human.h5ad'} -o 'my out.h5ad'" in run


def test_annotating_again_replaces_the_annotation(orthotype: Command, kept: Path) -> None:
    orthotype("annotate", kept / "model.safetensors", kept / "annotated.h5ad", "-o", "again.h5ad")
    first, again = anndata.read_h5ad(kept / "annotated.h5ad"), anndata.read_h5ad("again.h5ad")
    assert list(again.obs) == list(first.obs)
    pd.testing.assert_frame_equal(again.obs, first.obs)


def test_evaluate_scores_and_shows_what_the_model_lacks(orthotype: Command, kept: Path) -> None:
    done = orthotype("evaluate", kept / "annotated.h5ad", *LABELS, "--groups", "donor")
    assert (done.code, done.err) == (0, "")
    assert "5 shared classes" in done.out
    assert "4 groups" in done.out
    assert "classes that the model does not have" in done.out
    assert "pancreatic acinar cell" in done.out
    told = orthotype("evaluate", kept / "annotated.h5ad", *LABELS, "--json").json
    assert told["target_only"] == ["pancreatic acinar cell"]
    accuracy = {row["metric"]: row["value"] for row in told["summary"]}["accuracy"]
    assert accuracy > 0.8


def test_evaluate_matches_classes_and_says_so(orthotype: Command, kept: Path) -> None:
    done = orthotype("evaluate", kept / "annotated.h5ad", "--labels", "cell_type")
    assert "'beta' is the model's 'type B pancreatic cell'" in done.out


@pytest.mark.parametrize("more", [(), LABELS, (*LABELS, "--groups", "donor")])
def test_report_writes_one_page(orthotype: Command, kept: Path, more: tuple[str, ...]) -> None:
    done = orthotype("report", kept / "annotated.h5ad", *more, "-o", "report.html")
    assert (done.code, done.out, done.err) == (0, "", "orthotype: wrote report.html\n")
    page = Path("report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "type B pancreatic cell" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_models_show_describes_a_model(orthotype: Command, kept: Path) -> None:
    done = orthotype("models", "show", kept / "model.safetensors")
    assert (done.code, done.err) == (0, "")
    for fact in (
        "mouse model of 5 classes",
        "mouse to human, policy one2one",
        "5 fold models vote",
        "seed 0",
    ):
        assert fact in done.out


def test_top_genes_are_genes_that_a_class_shows(orthotype: Command, kept: Path) -> None:
    done = orthotype("models", "show", kept / "model.safetensors")
    (beta,) = [line for line in done.out.splitlines() if line.startswith("type B pancreatic cell")]
    assert "GCG" not in beta


def test_datasets_are_listed_and_found(orthotype: Command) -> None:
    done = orthotype("datasets", "list")
    listed = orthotype("datasets", "list", "--json")
    assert listed.err == ""
    for entry in listed.json:
        assert entry["name"] in done.out
        assert entry["sha256"] is None or len(entry["sha256"]) == 64
        assert entry["licence"]
        assert entry["citation"]
    where = orthotype("datasets", "path", "baron2016-mouse")
    assert where.err == ""
    assert Path(where.out.strip()).is_file()
    got = orthotype("datasets", "get", "baron2016-mouse")
    assert got.out == where.out
    assert "ready" in got.err


def test_only_force_replaces_and_nothing_else_is_left_behind(
    orthotype: Command, refused: Command, kept: Path, tmp_path: Path
) -> None:
    train = ("train", kept / "mouse.h5ad", *LABELS, "--n-top-genes", "200", "-o", "m.safetensors")
    annotate = ("annotate", "m.safetensors", kept / "human.h5ad", "-o", "out.h5ad", "--table", "out.csv")
    report = ("report", "out.h5ad", "-o", "report.html")
    for words in (train, annotate, report):
        assert orthotype(*words).code == 0
        assert "exists already; nothing was overwritten; pass --force" in refused(*words)
        assert orthotype(*words, "--force").code == 0
    Path("out.h5ad").unlink()
    assert "out.csv exists already" in refused(*annotate)
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors", "out.csv", "report.html"}
