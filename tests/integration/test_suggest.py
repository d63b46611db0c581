"""Which cells to label next, from the command line and back into the model, on the bundled pancreas."""

import csv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype.errors import InputError, OrthotypeWarning
from orthotype.transfer.suggest.suggesting import COLUMNS

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = "cell_ontology_class"
ACINAR = "pancreatic acinar cell"


@pytest.fixture(scope="module")
def human() -> anndata.AnnData:
    """Give all human cells."""
    return ot.datasets.get("baron2016-human")


@pytest.fixture(scope="module")
def model() -> ot.LabelTransfer:
    """Give a model of all mouse cells, which knows no acinar cell."""
    return ot.LabelTransfer().fit(ot.datasets.get("baron2016-mouse"), labels=LABELS, species="mouse")


@pytest.fixture(scope="module")
def thirty(model: ot.LabelTransfer, human: anndata.AnnData) -> pd.DataFrame:
    """Give the thirty cells to label first."""
    return model.suggest(human, 30)


def truth(human: anndata.AnnData) -> pd.Series:
    return human.obs[LABELS].astype(str)


def adapted(model: ot.LabelTransfer, human: anndata.AnnData, few: pd.Index) -> ot.LabelTransfer:
    """Give the model that has learned the true labels of a few cells."""
    labels = truth(human)[few]
    new = sorted(set(labels) - set(model.card["classes"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrthotypeWarning)
        return model.adapt(human, labels=labels, new_classes=new)


@pytest.fixture(scope="module")
def in_rounds(model: ot.LabelTransfer, human: anndata.AnnData) -> pd.Index:
    """Give thirty cells as one comes by them: ten, and twice ten more from the model adapted so far."""
    cells = model.suggest(human, 10).index
    for _ in range(2):
        asked = adapted(model, human, cells)
        cells = cells.append(asked.suggest(human, 10, labelled=truth(human)[cells]).index)
    return cells


def test_thirty_labels_reach_every_type_that_matters(in_rounds: pd.Index, human: anndata.AnnData) -> None:
    assert len(set(in_rounds)) == 30
    true = truth(human)
    seen = set(true[in_rounds])
    sizes = true.value_counts()
    assert set(sizes.index[sizes >= 20]) <= seen
    assert {ACINAR, "mast cell"} <= seen
    shares = true[in_rounds].value_counts(normalize=True)
    assert shares.max() <= 0.4


def test_every_class_that_was_called_gets_a_label(
    thirty: pd.DataFrame, model: ot.LabelTransfer, human: anndata.AnnData
) -> None:
    called = pd.Series(model.predict(human).label).value_counts().drop("unknown")
    assert set(called.index[called >= 3]) <= set(thirty["predicted"])


def test_reasons_neighbours_and_genes_say_what_is_there(
    thirty: pd.DataFrame, human: anndata.AnnData, model: ot.LabelTransfer
) -> None:
    unknown = thirty[thirty["status"] == "unknown"]
    assert (
        unknown["reason"]
        .str.fullmatch(r"stands for [\d,]+ cells? that fits? no class, nearest to '.+'")
        .all()
    )
    assert (unknown["group"] == [f"unknown, nearest to {name!r}" for name in unknown["predicted"]]).all()
    assert unknown["predicted"].nunique() >= 3
    acinar = thirty.loc[truth(human)[thirty.index] == ACINAR, "top_genes"].str.cat(sep=" ").split()
    assert {"CPA1", "CTRB1"} & set(acinar)
    first = thirty["reason"].str.startswith("the first cell of ")
    named = thirty.loc[first, "reason"].str.extract("the first cell of '([^']+)'")[0]
    assert named.is_unique
    assert named.tolist() == thirty.loc[first, "predicted"].tolist()
    around = thirty["neighbours"].str.findall(r" (\d+)(?:,|$)")
    assert {sum(map(int, counts)) for counts in around} == {15}
    said = model.predict(human)
    place = {name: i for i, name in enumerate(said.cells)}
    assert [said.confidence[place[name]] for name in thirty.index] == pytest.approx(
        thirty["confidence"].tolist(), abs=1e-4
    )


def test_where_the_source_lacks_most_types_cells_are_grouped_by_where_they_lie(
    human: anndata.AnnData,
) -> None:
    mouse = ot.datasets.get("baron2016-mouse")
    few = mouse.obs[LABELS].isin(["macrophage", "endothelial cell", "pancreatic stellate cell", "B cell"])
    poor = ot.LabelTransfer().fit(mouse[few.to_numpy()].copy(), labels=LABELS, species="mouse")
    asked = poor.suggest(human, 15)
    strange = asked["group"].str.endswith("like no class")
    assert strange.sum() >= 10
    assert asked.loc[strange, "group"].is_unique
    assert asked.loc[strange, "reason"].str.contains("hardly kin of it|fits? no class").all()
    assert truth(human)[asked.index].nunique() >= 6


def test_thirty_labels_are_worth_more_than_thirty_of_random_cells(
    in_rounds: pd.Index, model: ot.LabelTransfer, human: anndata.AnnData
) -> None:
    true = truth(human)
    scored = [name for name, size in true.value_counts().items() if size >= 10]
    assert ACINAR in scored

    def mean_recall(few: pd.Index) -> float:
        said = adapted(model, human, few).predict(human)
        called = pd.Series(said.classes[said.winner], index=human.obs_names)
        return float(np.mean([(called[true == name] == name).mean() for name in scored]))

    rng = np.random.default_rng(0)
    random = [mean_recall(human.obs_names[rng.choice(human.n_obs, 30, replace=False)]) for _ in range(5)]
    assert mean_recall(in_rounds) >= np.mean(random)


def test_clusters(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    found = model.suggest(human, 50, by="clusters", clusters=LABELS)
    true = truth(human)
    assert sorted(found["group"]) == sorted(set(true))
    assert (true[found.index] == found["group"]).all()
    assert found.set_index("group")["stands_for"].to_dict() == true.value_counts().to_dict()
    three = model.suggest(human, 3, by="clusters", clusters=LABELS)
    assert three.index.tolist() == found.index[:3].tolist()
    done = pd.Series(found["group"].to_numpy(), index=found.index)[1:]
    left = model.suggest(human, 50, by="clusters", clusters=LABELS, labelled=done)
    assert left.index.tolist() == found.index[:1].tolist()
    with pytest.raises(InputError, match=r"each of the 13 clusters has a labelled cell.*by='cells'"):
        model.suggest(human, by="clusters", clusters=LABELS, labelled=found["group"])


def test_clusters_as_groups_of_cells(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    donors = model.suggest(human, 8, clusters="donor")
    assert set(donors["group"]) == set(human.obs["donor"])


def test_labels_given_so_far_are_not_asked_for_again(
    model: ot.LabelTransfer, human: anndata.AnnData, thirty: pd.DataFrame, tmp_path: Path
) -> None:
    filled = thirty.head(12).assign(label=truth(human)[thirty.index[:12]])
    filled.iloc[3, 0] = ""
    filled.to_csv(tmp_path / "labels.csv")
    again = model.suggest(human, 20, labelled=tmp_path / "labels.csv")
    assert not set(again.index) & set(filled.index)
    assert again.equals(model.suggest(human, 20, labelled=filled))
    assert again.equals(model.suggest(human, 20, labelled=filled["label"]))
    met = set(filled["label"]) - {""}
    assert not any(f"first cell of {name!r}" in reason for name in met for reason in again["reason"])


def test_the_cells_stay_as_they_are(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    few = human[::10].copy()
    before = few.copy()
    model.suggest(few, 5)
    assert (few.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(few.obs, before.obs)


def test_fifty_cells_are_enough(model: ot.LabelTransfer, human: anndata.AnnData) -> None:
    assert len(model.suggest(human[:50].copy(), 50)) == 50


def test_as_typed_and_back_into_the_model(
    orthotype: Command, kept: Path, small_human: anndata.AnnData
) -> None:
    given = ("suggest", kept / "model.safetensors", kept / "human.h5ad")
    done = orthotype(*given, "-n", "12", "-o", "to_label.csv")
    assert done.code == 0, done.err
    assert "why" in done.out.splitlines()[0]
    assert "wrote to_label.csv; fill in the column 'label'" in done.err
    with Path("to_label.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["cell", *COLUMNS]
    assert len(rows) == 12
    assert all(row["label"] == "" for row in rows)
    table = pd.read_csv("to_label.csv", index_col="cell")
    assert table.drop(columns="label").notna().all(axis=None)

    table["label"] = small_human.obs[LABELS][table.index].where(np.arange(12) % 4 > 0)
    given_labels = table["label"].dropna()
    table.to_csv("to_label.csv")
    done = orthotype(
        *("adapt", kept / "model.safetensors", kept / "human.h5ad", "--labels", "to_label.csv"),
        *("--new-class", ACINAR, "-o", "adapted.safetensors"),
    )
    assert done.code == 0, done.err
    learned = ot.load("adapted.safetensors").card["adapted"]
    assert learned["cells_per_class"] == given_labels.value_counts().to_dict()

    done = orthotype(
        *("suggest", "adapted.safetensors", kept / "human.h5ad", "-n", "5", "-o", "next.csv"),
        *("--labelled", "to_label.csv", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["labelled"] == len(given_labels)
    assert "3 cells were left without a label, and are not asked for again" in done.err
    assert (done.json["cells"], done.json["compared"]) == (300, 300)
    asked = [row["cell"] for row in done.json["suggested"]]
    assert len(asked) == 5
    assert not set(asked) & set(given_labels.index)


def test_a_table_that_was_filled_in_is_what_adapt_takes(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData, tmp_path: Path
) -> None:
    to_label = small_model.suggest(small_human, 15)
    to_label["label"] = small_human.obs[LABELS].reindex(to_label.index)
    to_label.iloc[[2, 7], 0] = ""
    to_label.to_csv(tmp_path / "filled.csv")
    assert ACINAR in set(to_label["label"])
    with pytest.warns(OrthotypeWarning, match=ACINAR):
        from_table, from_column, from_file = (
            small_model.adapt(small_human, labels=labels)
            for labels in (to_label, to_label["label"], str(tmp_path / "filled.csv"))
        )
    expected = to_label["label"][to_label["label"] != ""].value_counts().to_dict()
    assert from_table.card["adapted"]["cells_per_class"] == expected
    for other in (from_column, from_file):
        np.testing.assert_array_equal(other.state_.coef, from_table.state_.coef)
    assert from_table.suggest(small_human, 5, labelled=to_label).equals(
        from_file.suggest(small_human, 5, labelled=tmp_path / "filled.csv")
    )


def test_a_label_counts_for_the_class_that_it_names(
    small_model: ot.LabelTransfer, small_human: anndata.AnnData
) -> None:
    first = small_model.suggest(small_human, 12)
    alpha = "pancreatic A cell"
    called = first.index[first["predicted"] == alpha][:1]
    assert len(called) == 1

    def left(name: str) -> int:
        labelled = pd.Series(name, index=called)
        return int((small_model.suggest(small_human, 12, labelled=labelled)["group"] == alpha).sum())

    assert left("pancreatic D cell") > left(alpha)


def test_clusters_as_typed(orthotype: Command, kept: Path) -> None:
    done = orthotype(
        *("suggest", kept / "model.safetensors", kept / "human.h5ad", "--clusters", LABELS),
        *("-n", "4", "-o", "clusters.csv", "--json"),
    )
    assert done.code == 0, done.err
    groups = [row["group"] for row in done.json["suggested"]]
    assert len(set(groups)) == 4


def test_a_table_that_exists_is_kept(orthotype: Command, refused: Refused, kept: Path) -> None:
    given = ("suggest", kept / "model.safetensors", kept / "human.h5ad", "-n", "2", "-o", "t.csv")
    Path("t.csv").write_text("mine", encoding="utf-8")
    assert "t.csv exists already" in refused(*given)
    assert orthotype(*given, "--force").code == 0
    assert len(pd.read_csv("t.csv")) == 2


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("-n", "0"), ("0 cells were asked for", "at least 1")),
        (("-n", "-3"), ("-3 cells were asked for", "at least 1")),
        (("-n", "5000"), ("5,000 cells were asked for", "at most 1,000 at once")),
        (("--clusters", "cell_ontology_clas"), ("no obs column 'cell_ontology_clas'", f"'{LABELS}'")),
    ],
)
def test_requests_that_cannot_be_met(
    refused: Refused, kept: Path, words: tuple[str, ...], facts: tuple[str, ...]
) -> None:
    given = ("suggest", kept / "model.safetensors", kept / "human.h5ad", "-o", "t.csv")
    message = refused(*given, *words)
    for fact in facts:
        assert fact in message


def test_labels_of_cells_that_are_not_there(refused: Refused, kept: Path, tmp_path: Path) -> None:
    rows = "".join(f"cell {i},beta\n" for i in range(7))
    Path("labels.csv").write_text(f"cell,label\n{rows}", encoding="utf-8")
    message = refused(
        *("suggest", kept / "model.safetensors", kept / "human.h5ad", "-o", "t.csv"),
        *("--labelled", "labels.csv", "-n", "0", "--clusters", "none"),
    )
    assert "3 problems" in message
    assert "7 of 7 labelled cells are not in the data: 'cell 0', " in message
    assert "and 2 more" in message


def test_a_table_of_labels_that_is_not_there(refused: Refused, kept: Path) -> None:
    given = ("suggest", kept / "model.safetensors", kept / "human.h5ad", "-o", "t.csv")
    assert "no.csv does not exist" in refused(*given, "--labelled", "no.csv")


def test_the_output_is_a_table(refused: Refused, kept: Path) -> None:
    message = refused("suggest", kept / "model.safetensors", kept / "human.h5ad", "-o", "t.h5ad")
    assert "expected .csv" in message


def test_bad_requests_from_python(small_model: ot.LabelTransfer, small_human: anndata.AnnData) -> None:
    with pytest.raises(InputError, match="without saying where they are") as found:
        small_model.suggest(small_human, 2.5, by="clusters")
    assert len(found.value.problems) == 2
    with pytest.raises(InputError, match="by is 'cell'; expected 'cells' or 'clusters'"):
        small_model.suggest(small_human, by="cell")
    with pytest.raises(InputError, match="measurements"):
        wide = small_human.copy()
        wide.obs["depth"] = np.linspace(0.1, 1, wide.n_obs)
        small_model.suggest(wide, clusters="depth")
    with pytest.raises(InputError, match="not fitted"):
        ot.LabelTransfer().suggest(small_human)


def test_names_that_are_not_unique(small_model: ot.LabelTransfer, small_human: anndata.AnnData) -> None:
    twice = small_human[:20].copy()
    twice.obs_names = ["same", "same", *twice.obs_names[2:]]
    with pytest.raises(InputError, match="1 names are those of several cells: 'same'"):
        small_model.suggest(twice, 3)
