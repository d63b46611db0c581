"""Bundled models: the registry tells what the files hold, and a name is as good as a path."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData

import orthotype as ot
from orthotype.errors import InputError, ModelFileError
from orthotype.models import pretrained
from orthotype.models.pretrained.registry import REGISTRY
from orthotype.models.store import read_card

NAMES = [model.name for model in pretrained.records()]


def test_there_is_a_model_of_mouse_marrow() -> None:
    assert NAMES == ["mouse-marrow"]
    assert {path.stem for path in REGISTRY.parent.glob("*.safetensors")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_that_of_the_registry(name: str) -> None:
    entry, content = pretrained.find(name), pretrained.path(name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    assert len(content) == entry.size <= 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_the_registry_says_and_more(name: str) -> None:
    entry, card = pretrained.find(name).to_dict(), read_card(name)
    for key in (
        "name",
        "title",
        "species",
        "target_species",
        "tissue",
        "citation",
        "doi",
        "accession",
        "licence",
    ):
        assert card[key] == entry[key]
    assert (len(card["classes"]), card["n_cells"]) == (entry["classes"], entry["cells"])
    assert len(card["limits"]) >= 3
    assert card["script"] == "tools/build_marrow_model.py"
    assert set(card["class_ontology_term_ids"]) == set(card["classes"])


def test_the_marrow_model_tells_what_it_relabelled_and_merged() -> None:
    card = read_card("mouse-marrow")
    to = {cluster: text.split(":")[0] for cluster, text in card["relabelled"].items()}
    assert to == {"13Baso": "monocyte", "15Mo": "neutrophil", "17Neu": "basophil"}
    assert "authors of orthotype" in card["relabelled_by"]
    for cluster, name in to.items():
        assert cluster in card["merged"][name]
    assert not card["selection"]["with_target"]


def test_a_model_holds_no_cells() -> None:
    state = ot.load("mouse-marrow").state_
    assert state.card["n_cells"] == 2_730
    assert all(2_730 not in values.shape for values in state.to_arrays().values())


def test_a_name_is_as_good_as_a_path() -> None:
    by_name, by_path = ot.load("mouse-marrow"), ot.load(pretrained.path("mouse-marrow"))
    assert by_name.state_.hash() == by_path.state_.hash()
    assert ot.LabelTransfer.load("mouse-marrow").card == by_name.card
    assert pretrained.located(Path("mouse-marrow")) == pretrained.path("mouse-marrow")


def test_a_file_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mouse-marrow").write_bytes(b"mine")
    assert pretrained.located("mouse-marrow") == Path("mouse-marrow")
    with pytest.raises(ModelFileError, match="mouse-marrow is not an orthotype model"):
        ot.load("mouse-marrow")


def test_a_folder_of_that_name_does_not_hide_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mouse-marrow").mkdir()
    assert pretrained.located("mouse-marrow") == pretrained.path("mouse-marrow")


def test_a_name_that_no_model_has() -> None:
    with pytest.raises(
        InputError, match="no bundled model is called 'mouse-marow'; did you mean 'mouse-marrow'"
    ):
        pretrained.path("mouse-marow")
    with pytest.raises(
        InputError, match="expected one of 'mouse-marrow'; 'orthotype models list' shows them"
    ):
        pretrained.find("xyz")
    with pytest.raises(ModelFileError, match=r"xyz: no such file; .* bundled one \('mouse-marrow'\)"):
        ot.load("xyz")


def test_the_notice_names_every_model() -> None:
    notice = REGISTRY.with_name("NOTICE").read_text(encoding="utf-8")
    for model in pretrained.records():
        for needed in (model.file_name, model.doi, model.accession):
            assert needed in notice


def test_listing_is_light() -> None:
    heavy = {"anndata", "numpy", "pandas", "scipy", "h5py", "safetensors"}
    command = "import sys, orthotype.models.pretrained as p; p.path('mouse-marrow'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


@pytest.fixture(scope="module")
def human() -> AnnData:
    return ot.datasets.get("setty2019-human-marrow-subset")


@pytest.mark.parametrize("alignment", ["none", "shift"])
def test_human_erythroid_and_dendritic_cells_are_found(human: AnnData, alignment: str) -> None:
    annotated = ot.load("mouse-marrow").annotate(human, species="human", alignment=alignment, unknown="none")
    kind = annotated.obs["coarse_type"].astype(str).to_numpy()
    label = annotated.obs["orthotype_label"].astype(str).to_numpy()
    assert (label[kind == "erythroid"] == "erythroid").mean() > 0.9
    assert (label[kind == "dendritic"] == "dendritic").mean() > 0.6
    assert (label[kind == "granulocytic progenitor"] == "erythroid").mean() < 0.1


def test_stem_cells_have_no_class_and_little_confidence(human: AnnData) -> None:
    plain = {"alignment": "none", "unknown": "none"}
    obs = ot.load("mouse-marrow").annotate(human, species="human", **plain).obs
    confidence = obs["orthotype_confidence"].groupby(obs["coarse_type"].astype(str)).mean()
    for stranger in ("stem cell", "lympho-myeloid progenitor"):
        assert confidence[stranger] < confidence["erythroid"] - 0.3
    assert np.isfinite(confidence).all()
