"""The second scene of the demo: what is printed, written and reported is what the labels of the cells say."""

import json
from pathlib import Path

import anndata
import pandas as pd
import pytest

from orthotype.cli import demo_marrow
from orthotype.cli.demo_marrow import MARKERS, READING, Scene
from orthotype.models.store import read_card
from orthotype.study.reading import fitting_share


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Path]:
    folder = tmp_path_factory.mktemp("scene") / "marrow"
    return demo_marrow.play(folder, force=False), folder


def test_the_reading_speaks_of_classes_of_the_model() -> None:
    classes = set(read_card(demo_marrow.MODEL)["classes"])
    assert {label for allowed in READING.values() for label in allowed} <= classes
    assert set(MARKERS) == classes
    for stranger in ("stem cell", "lympho-myeloid progenitor", "lymphoid progenitor"):
        assert READING[stranger] == ()


def test_the_shares_are_those_of_the_written_labels(played: tuple[Scene, Path]) -> None:
    scene, folder = played
    cells = anndata.read_h5ad(folder / "human_annotated.h5ad")
    for calls, key in ((scene.plain, "unshifted_label"), (scene.shifted, "orthotype_label")):
        label = cells.obs[key].astype(str)
        for row in calls.to_dict("records"):
            own = label[cells.obs["coarse_type"] == row["type"]]
            assert row["cells"] == len(own)
            assert dict(row["called"]) == own.value_counts().to_dict()
            if READING[row["type"]]:
                assert row["fits"] == pytest.approx(own.isin(READING[row["type"]]).mean())
    table = pd.read_csv(folder / "labels.csv", index_col=0)
    assert table["orthotype_label"].tolist() == cells.obs["orthotype_label"].astype(str).tolist()
    for key, alignment in (("unshifted", "none"), ("orthotype", "shift")):
        assert json.loads(cells.uns[key]["details"])["run"]["parameters"]["alignment"] == alignment


def test_no_label_of_the_cells_is_used(played: tuple[Scene, Path]) -> None:
    card = played[0].card
    assert card["target_species"] == "human"
    assert not card["selection"]["with_target"]
    assert set(card["cells_per_class"].values()).isdisjoint({1_348})


def test_most_cells_fit_and_strangers_are_less_sure(played: tuple[Scene, Path]) -> None:
    scene = played[0]
    for calls in (scene.plain, scene.shifted):
        assert fitting_share(calls) > 0.75
        sure = calls.set_index("type")["confidence"]
        assert sure["stem cell"] < sure["erythroid"] - (0.3 if calls is scene.plain else 0.1)
    assert scene.shifted["unlike"].between(0, 1).all()


def test_markers_are_seen_in_the_cells_so_called(played: tuple[Scene, Path]) -> None:
    for table in (played[0].markers_plain, played[0].markers):
        first = table.drop_duplicates("label").set_index("label")
        for label in ("erythroid", "neutrophil", "monocyte", "dendritic"):
            assert first.loc[label, "fraction"] > first.loc[label, "fraction_others"] + 0.3, label


def test_the_summary_hides_nothing(played: tuple[Scene, Path]) -> None:
    text = demo_marrow.summary(played[0])
    assert max(map(len, text.splitlines())) <= 110
    for kind in READING:
        assert kind in text
    assert "404 cells" in text
    assert "our reading" in text
    assert f"{fitting_share(played[0].plain):.3f} of the 944 cells" in text
    assert f"{fitting_share(played[0].shifted):.3f} with the species shift" in text


def test_the_scene_as_json(played: tuple[Scene, Path]) -> None:
    told = json.loads(json.dumps(played[0].to_dict(), allow_nan=False))
    assert [row["type"] for row in told["shifted"]] == list(READING)
    assert told["shifted"][-1]["fits"] is None
    assert told["markers"][0]["gene"] == "KLF1"


def test_the_folder_holds_tables_and_a_report(played: tuple[Scene, Path]) -> None:
    scene, folder = played
    tables = {f"{name}_{way}.csv" for name in ("types", "markers") for way in ("shifted", "unshifted")}
    assert {path.name for path in folder.iterdir()} == {
        "human_annotated.h5ad",
        "labels.csv",
        "report.html",
        *tables,
    }
    types = pd.read_csv(folder / "types_shifted.csv", index_col="type")
    assert types["fits"].tolist() == pytest.approx(scene.shifted["fits"].tolist(), nan_ok=True)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for needed in (*READING, "Kinds without a class", "13Baso", "KLF1", "Setty M", "Paul F"):
        assert needed in page, needed
    assert len(page) < 200_000
