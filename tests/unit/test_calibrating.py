"""Calibrating on labelled target cells: what is learned, what is kept, what is refused."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import orthotype as ot
from orthotype.cells.table import CellTable, open_cells
from orthotype.errors import InputError
from orthotype.models.conformal import PredictionSets, fewest_cells, set_names
from orthotype.transfer.calibrating import calibrate_state, cell_sets, lowest
from orthotype.transfer.labelling import Options, label_cells
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from anndata import AnnData

SIZE = 512


@pytest.fixture(scope="module")
def table(small_human: "AnnData") -> CellTable:
    return open_cells(small_human, subject="the target", species="human")


@pytest.fixture(scope="module")
def labels(small_human: "AnnData") -> np.ndarray:
    """Give labels of half of the cells of the classes that the model has."""
    names = small_human.obs["cell_ontology_class"].to_numpy(dtype=object).copy()
    names[(names == "pancreatic acinar cell") | (np.arange(len(names)) % 2 == 1)] = None
    return names


@pytest.fixture(scope="module")
def calibrated(small_model: ot.LabelTransfer, table: CellTable, labels: np.ndarray) -> ModelState:
    return calibrate_state(small_model.state_, table, labels, block_size=SIZE)


def proba(state: ModelState, table: CellTable) -> np.ndarray:
    return label_cells(state, table, block_size=SIZE).predictions.proba


def test_the_card_tells_what_was_learned(calibrated: ModelState, labels: np.ndarray) -> None:
    entry = calibrated.card["prediction_sets"]
    assert entry == json.loads(json.dumps(entry, allow_nan=False))
    assert entry["coverage"] == 0.9
    assert entry["species"] == "human"
    assert entry["cells"] == sum(entry["n_labelled"].values()) == sum(name is not None for name in labels)
    assert set(entry["least"]) == {str(name) for name in calibrated.classes}
    assert (entry["alignment"], entry["rare"]) == ("shift", "keep")


def test_no_weight_changes_and_the_old_model_stays(
    calibrated: ModelState, small_model: ot.LabelTransfer
) -> None:
    assert np.array_equal(calibrated.coef, small_model.state_.coef)
    assert np.array_equal(calibrated.intercept, small_model.state_.intercept)
    assert "prediction_sets" not in small_model.state_.card
    assert calibrated.hash() != small_model.state_.hash()


def test_the_probabilities_fit_the_labelled_cells_better(
    calibrated: ModelState, small_model: ot.LabelTransfer, table: CellTable, labels: np.ndarray
) -> None:
    given = np.array([name is not None for name in labels])
    codes = np.searchsorted(calibrated.classes.astype(str), labels[given].astype(str))
    losses = [
        -np.log(proba(state, table)[given][np.arange(given.sum()), codes]).mean()
        for state in (small_model.state_, calibrated)
    ]
    assert losses[1] < losses[0]


def test_the_sets_are_those_of_the_labelled_cells(
    calibrated: ModelState, table: CellTable, labels: np.ndarray
) -> None:
    said = proba(calibrated, table)
    texts = cell_sets(calibrated, said, options=Options())
    assert texts is not None
    inside = [name in text.split(" | ") for text, name in zip(texts, labels, strict=True) if name is not None]
    assert 0.88 <= np.mean(inside) < 1


def test_the_file_keeps_them(calibrated: ModelState, table: CellTable, tmp_path: Path) -> None:
    calibrated.save(tmp_path / "model.safetensors")
    again = ModelState.load(tmp_path / "model.safetensors")
    assert again.card["prediction_sets"] == calibrated.card["prediction_sets"]
    assert np.array_equal(proba(again, table), proba(calibrated, table))


def test_sets_hold_only_as_they_were_learned(
    calibrated: ModelState, small_model: ot.LabelTransfer, table: CellTable
) -> None:
    said = proba(calibrated, table)
    assert cell_sets(calibrated, said, options=Options(alignment="none")) is None
    assert cell_sets(calibrated, said, options=Options(n_neighbors=0)) is None
    assert cell_sets(small_model.state_, said, options=Options()) is None
    assert cell_sets(calibrated, said, options=Options(unknown="none")) is not None


def test_blocks_play_no_part(
    calibrated: ModelState, small_model: ot.LabelTransfer, table: CellTable, labels: np.ndarray
) -> None:
    again = calibrate_state(small_model.state_, table, labels, block_size=31)
    assert again.temperature == pytest.approx(calibrated.temperature, rel=1e-4)
    for name, least in calibrated.card["prediction_sets"]["least"].items():
        assert again.card["prediction_sets"]["least"][name] == pytest.approx(least, abs=1e-4)


def test_a_few_cells_that_are_all_right_do_not_make_the_model_sure_of_everything(
    small_model: ot.LabelTransfer, table: CellTable, labels: np.ndarray
) -> None:
    few = np.full(len(labels), None, dtype=object)
    ductal = np.flatnonzero(labels == "pancreatic ductal cell")[:9]
    few[ductal] = labels[ductal]
    state = calibrate_state(small_model.state_, table, few, block_size=SIZE)
    before = state.card["prediction_sets"]["temperature_before"]
    assert before / 4 < state.temperature < before * 1.2


def test_everything_that_is_wrong_is_said_at_once(
    small_model: ot.LabelTransfer, table: CellTable, labels: np.ndarray
) -> None:
    wrong = np.where(np.arange(len(labels)) < 8, "pancreatic beta cell", None).astype(object)
    with pytest.raises(InputError) as error:
        calibrate_state(small_model.state_, table, wrong, coverage=0.9, rare="hide", block_size=SIZE)
    for words in ("rare is 'hide'", "'pancreatic beta cell'", "at least 9 of a class"):
        assert words in str(error.value)
    with pytest.raises(InputError, match="coverage is 90"):
        calibrate_state(small_model.state_, table, labels, coverage=90, block_size=SIZE)


@pytest.mark.parametrize("at", [-0.9, 0.13, 1.7])
def test_the_lowest_point_of_a_parabola_is_found(at: float) -> None:
    assert lowest(lambda x: 3 * (x - at) ** 2) == pytest.approx(at, abs=1e-9)
    assert lowest(lambda x: -x) == pytest.approx(2.4)


@pytest.mark.parametrize(("coverage", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_how_many_cells_a_class_needs(coverage: float, n: int) -> None:
    rng = np.random.default_rng(0)
    assert fewest_cells(coverage) == n
    for cells, always in ((n - 1, True), (n, False)):
        sets = PredictionSets.learn(rng.uniform(0.1, 1, (cells, 1)), np.zeros(cells, int), coverage=coverage)
        assert (sets.least[0] == 0) == always
        assert sets.promised[0] != always


def test_rare_classes_share_a_threshold() -> None:
    rng = np.random.default_rng(0)
    codes = np.r_[np.zeros(40, int), np.ones(5, int), np.full(6, 2)]
    said = rng.dirichlet([1, 1, 1, 1], size=len(codes))
    keep, pool = (PredictionSets.learn(said, codes, rare=rare) for rare in ("keep", "pool"))
    assert keep.least[1:].tolist() == [0, 0, 0]
    assert pool.least[0] == keep.least[0]
    true = np.sort(said[np.arange(51), codes][40:])
    assert pool.least[1:].tolist() == [true[11 - 11]] * 3
    alone = PredictionSets.learn(said[:42], codes[:42], rare="pool")
    assert alone.least[1] == pytest.approx(np.sort(said[np.arange(42), codes[:42]])[42 - 39])
    with pytest.raises(ValueError, match="rare is 'drop'"):
        PredictionSets.learn(said, codes, rare="drop")


def test_names_of_sets_and_the_way_back() -> None:
    classes = np.array(["b", "a", "c"], dtype=object)
    sets = np.array([[True, False, True], [False, False, False], [False, True, False]])
    assert set_names(sets, classes).tolist() == ["b | c", "", "a"]
    assert set_names(np.zeros((0, 3), bool), classes).tolist() == []
    learned = PredictionSets(np.array([0.1, 0.2, 0.3]), np.array([9, 9, 9]), 0.9)
    again = PredictionSets.from_dict(learned.to_dict(classes), ["a", "b", "new"])
    assert (again.least.tolist(), again.n_labelled.tolist()) == ([0.2, 0.1, 0.0], [9, 9, 0])
