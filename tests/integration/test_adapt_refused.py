"""Labels that adapting refuses: everything that is wrong in one message, and the model as it was."""

from pathlib import Path

import pandas as pd
import pytest
from anndata import AnnData

import orthotype as ot
from orthotype.errors import InputError

LABELS = "cell_ontology_class"
BETA, ALPHA = "type B pancreatic cell", "pancreatic A cell"


def refused(model: ot.LabelTransfer, cells: AnnData, labels: object, **more: object) -> InputError:
    """Return the error, after a look whether the model is what it was."""
    before = model.state_.hash()
    with pytest.raises(InputError) as caught:
        model.adapt(cells, labels=labels, **more)
    assert model.state_.hash() == before
    assert not hasattr(model, "adapt_report_")
    return caught.value


def test_everything_that_is_wrong_is_said_at_once(
    small_model: ot.LabelTransfer, small_human: AnnData, tmp_path: Path
) -> None:
    cells = small_human[:4].copy()
    one, two, three, _ = cells.obs_names
    lines = [f"{one},{BETA}", f"{one},{ALPHA}", f"{two},pancreatic X cell", f"{three},unknown"]
    lines += [f"nowhere-{i},{BETA}" for i in range(7)]
    (tmp_path / "labels.csv").write_text("cell,label\n" + "\n".join(lines) + "\n")
    error = refused(
        small_model,
        cells,
        tmp_path / "labels.csv",
        strength=-1.0,
        new_classes=["mast cell", BETA],
        random_state=-1,
    )
    message = str(error)
    for said in (
        "labels for 10 cells, but only 4 cells",
        "7 of 10 labelled cells are not in the data: 'nowhere-0'",
        f"1 cells have contradicting labels ('{one}: {BETA} or {ALPHA}')",
        "1 cells are labelled 'unknown', which orthotype uses for its own verdicts",
        "pancreatic X cell (did you mean",
        "no cell has the label of the new classes 'mast cell'",
        f"'{BETA}' are classes of the model already",
        "strength is -1.0",
        "random_state is -1; expected a whole number from 0",
    ):
        assert said in message
    assert len(error.problems) == 9
    assert "nowhere-6" not in message, "at most five examples"


def test_a_near_name_is_asked_about_unless_it_is_named_as_new(
    small_model: ot.LabelTransfer, small_human: AnnData
) -> None:
    labels = pd.Series("pancreatic X cell", index=small_human.obs_names[:3])
    message = str(refused(small_model, small_human, labels))
    assert f"'{ALPHA}'" in message
    assert "--new-class" in message
    with pytest.warns(UserWarning, match="new to the model: pancreatic X cell"):
        adapted = small_model.adapt(small_human, labels=labels, new_classes=["pancreatic X cell"])
    assert "pancreatic X cell" in adapted.card["classes"]


def test_one_new_class_may_be_named_by_its_name_alone(
    small_model: ot.LabelTransfer, small_human: AnnData
) -> None:
    message = str(refused(small_model, small_human, LABELS, new_classes="mast cell"))
    assert "no cell has the label of the new classes 'mast cell'" in message


def test_labels_of_mixed_cells_are_no_class_by_their_ontology_ids(
    small_model: ot.LabelTransfer, small_human: AnnData
) -> None:
    cells = small_human.copy()
    cells.obs["mine"] = None
    cells.obs.loc[cells.obs_names[::5], "mine"] = "state X"
    assert len(set(cells.obs[LABELS][::5])) > 1
    with pytest.warns(UserWarning, match="1 class is new to the model: state X"):
        adapted = small_model.adapt(cells, labels="mine")
    assert "state X" in adapted.card["classes"]


def test_no_label_at_all(small_model: ot.LabelTransfer, small_human: AnnData) -> None:
    cells = small_human.copy()
    cells.obs["mine"] = ""
    assert "no cell has a label" in str(refused(small_model, cells, "mine"))


def test_clusters_that_the_cells_do_not_have(small_model: ot.LabelTransfer, small_human: AnnData) -> None:
    error = refused(small_model, small_human, {"human1": BETA, "human9": ALPHA}, clusters="donor")
    assert "1 of 2 labelled clusters are not in obs column 'donor': 'human9'" in str(error)


def test_a_target_of_another_species(
    small_model: ot.LabelTransfer, small_human: AnnData, small_mouse: AnnData
) -> None:
    cells = small_human[:20]
    message = str(refused(small_model, cells, LABELS, target=small_mouse, new_classes=()))
    assert "the labelled cells are human, the target is mouse" in message


def test_a_file_that_is_not_there(
    small_model: ot.LabelTransfer, small_human: AnnData, tmp_path: Path
) -> None:
    message = str(refused(small_model, small_human, tmp_path / "none.csv"))
    assert "none.csv" in message
    assert "does not exist" in message
