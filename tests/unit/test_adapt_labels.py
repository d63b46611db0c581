"""Labels for a few cells: columns, tables, clusters, and everything that may be wrong with them."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from orthotype.cells.columns import MISSING_WORDS
from orthotype.cells.few_labels import few_labels, read_labels
from orthotype.errors import InputError, Problems


@pytest.fixture
def cells() -> AnnData:
    obs = pd.DataFrame(
        {"type": ["T cell", None, " B cell ", "nan", "T cell"], "group": ["1", "1", "2", "3", "3"]},
        index=[f"c{i}" for i in range(5)],
    )
    return AnnData(X=np.ones((5, 2), dtype=np.float32), obs=obs)


def labelled(cells: AnnData, labels: object, **more: object) -> list[str | None]:
    problems = Problems("the cells")
    found = few_labels(cells, labels, problems=problems, **more)
    problems.raise_if_any()
    return found.tolist()


def test_a_column_and_its_empty_values(cells: AnnData) -> None:
    assert labelled(cells, "type") == ["T cell", None, "B cell", None, "T cell"]


@pytest.mark.parametrize("text", ["cell,label\nc1,A\nc3,B\n", "c1,A\nc3,B\n", "cell\tlabel\nc1\tA\nc3\tB\n"])
def test_a_file_with_and_without_column_names(cells: AnnData, tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    for path in (tmp_path / "labels.csv", str(tmp_path / "labels.csv")):
        assert labelled(cells, path) == [None, "A", None, "B", None]


def test_a_suggestion_table_that_was_filled_in(cells: AnnData, tmp_path: Path) -> None:
    text = 'cell,label,reason,group\nc1,A,"first, of two",x\nc2,,not labelled,x\nc3,B,"y",A\n'
    (tmp_path / "suggested.csv").write_text(text)
    assert labelled(cells, tmp_path / "suggested.csv") == [None, "A", None, "B", None]
    table = pd.DataFrame({"reason": ["x", "y"], "label": ["A", np.nan]}, index=["c1", "c2"])
    assert labelled(cells, table) == [None, "A", None, None, None]


def test_a_mapping_and_a_series(cells: AnnData) -> None:
    assert labelled(cells, {"c1": "A"}) == [None, "A", None, None, None]
    assert labelled(cells, pd.Series({"c1": "A", "c2": ""})) == [None, "A", None, None, None]
    assert read_labels({"c1": " A "}).to_dict() == {"c1": "A"}


def test_clusters_and_their_names(cells: AnnData, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("cluster,label\n1,A\n3,B\n2,\n")
    assert labelled(cells, tmp_path / "names.csv", clusters="group") == ["A", "A", None, "B", "B"]
    assert labelled(cells, {"2": "A"}, clusters="group") == [None, None, "A", None, None]


def test_the_same_label_twice_is_no_contradiction(cells: AnnData) -> None:
    assert labelled(cells, pd.Series(["A", "A"], index=["c1", "c1"]))[1] == "A"


def test_everything_that_is_wrong_is_said_at_once(cells: AnnData) -> None:
    table = pd.Series(
        ["A", "B", "A", "unknown", *["A"] * 4], index=["c1", "c1", "x0", "c2", "x1", "x2", "x3", "x4"]
    )
    with pytest.raises(InputError) as refused:
        labelled(cells, table)
    message = str(refused.value)
    assert len(refused.value.problems) == 4
    assert "labels for 7 cells, but only 5 cells" in message
    assert "5 of 7 labelled cells are not in the data: 'x0'" in message
    assert "1 cells have contradicting labels ('c1: A or B')" in message
    assert "1 cells are labelled 'unknown'" in message


@pytest.mark.parametrize("labels", [{}, {"c1": ""}])
def test_no_label_at_all(cells: AnnData, labels: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no cell has a label"):
        labelled(cells, labels)


def test_names_that_several_cells_share(cells: AnnData) -> None:
    cells.obs_names = ["a", "a", "b", "c", "d"]
    with pytest.raises(InputError, match="1 labelled names are those of several cells: 'a'"):
        labelled(cells, {"a": "A"})
    assert labelled(cells, {"b": "A"})[2] == "A"


def test_clusters_that_do_not_fit(cells: AnnData) -> None:
    table = pd.Series(["A", "B", "C"], index=["1", "1", "9"])
    with pytest.raises(InputError, match=r"1 of 2 labelled clusters are not in .*'9'") as refused:
        labelled(cells, table, clusters="group")
    assert "1 clusters have contradicting labels ('1: A or B')" in str(refused.value)
    with pytest.raises(InputError, match=r"no obs column 'grup'.*'group'"):
        labelled(cells, {"1": "A"}, clusters="grup")


def test_a_column_that_is_not_there_and_one_of_measurements(cells: AnnData) -> None:
    with pytest.raises(InputError, match=r"no obs column 'tipe'.*'type'"):
        labelled(cells, "tipe")
    cells.obs["score"] = np.linspace(0, 1, 5)
    with pytest.raises(InputError, match="holds measurements"):
        labelled(cells, "score")


def test_a_file_that_is_not_there(cells: AnnData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv does not exist; check the path"):
        labelled(cells, str(tmp_path / "none.csv"))
    (tmp_path / "to_label.csv").write_text("c1,A\n")
    with pytest.raises(InputError, match=r"to_lable\.csv does not exist; did you mean 'to_label\.csv'\?"):
        labelled(cells, str(tmp_path / "to_lable.csv"))


def test_a_table_that_was_read_back_is_keyed_by_its_cells(cells: AnnData, tmp_path: Path) -> None:
    cells.obs_names = list("01234")
    table = pd.DataFrame({"label": ["A", None, "B"]}, index=pd.Index(["4", "1", "3"], name="cell"))
    table.to_csv(tmp_path / "to_label.csv")
    read = pd.read_csv(tmp_path / "to_label.csv")
    read.to_csv(tmp_path / "numbered.csv")
    for given in (read, read[["label", "cell"]], tmp_path / "numbered.csv", table):
        assert labelled(cells, given) == [None, None, None, "B", "A"]


def test_the_column_of_labels_is_found_or_asked_for(cells: AnnData, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("cell,predicted,Label\nc1,X,A\nc2,X,\n")
    assert labelled(cells, tmp_path / "a.csv") == [None, "A", None, None, None]
    (tmp_path / "b.csv").write_text("cell,cell_type\nc1,A\nc2,\n")
    assert labelled(cells, tmp_path / "b.csv") == [None, "A", None, None, None]
    (tmp_path / "c.csv").write_text("cell,nCount,cell_type\nc1,0.5,A\nc2,1.5,B\n")
    with pytest.raises(
        InputError, match=r"columns 'cell', 'nCount', 'cell_type'; expected labels in .*'label'"
    ):
        labelled(cells, tmp_path / "c.csv")
    with pytest.raises(InputError, match="columns 'type', 'group'; expected labels in a column 'label'"):
        labelled(cells, cells.obs)
    (tmp_path / "d.csv").write_text("c1,A,X\nc2,B,X\n")
    with pytest.raises(InputError, match="no line of column names, and 3 columns; expected labels in"):
        labelled(cells, tmp_path / "d.csv")


def test_measurements_are_no_labels(cells: AnnData, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("cell,label\nc1,0.5\nc2,\nc3,2\n")
    for given in (tmp_path / "a.csv", {"c1": 0.5, "c2": None, "c3": 2}, pd.Series({"c1": 0.5, "c3": 2.0})):
        with pytest.raises(InputError, match=r"holds measurements where its labels should be \('0.5', '2'"):
            labelled(cells, given)
    assert labelled(cells, pd.Series({"c1": 1.0, "c3": 2.0})) == [None, "1", None, "2", None]
    assert labelled(cells, {"c1": "1.1", "c2": "T cell"})[1:3] == ["1.1", "T cell"]


def test_one_rule_for_what_is_missing(cells: AnnData, tmp_path: Path) -> None:
    words = [spelled for word in sorted(MISSING_WORDS) for spelled in (word, word.upper(), word.title())]
    lines = "".join(f"c1,{word}\n" for word in words)
    (tmp_path / "a.csv").write_text(f"cell,label\n{lines}c0,A\n")
    nothing = [*words, None, np.nan, pd.NA, pd.NaT]
    series = pd.Series(["A", *nothing], index=["c0", *["c1"] * len(nothing)], dtype=object)
    for given in (tmp_path / "a.csv", series, series.to_frame("label"), {"c0": "A", "c1": pd.NA}):
        assert labelled(cells, given) == ["A", None, None, None, None]


def test_clusters_that_were_suggested_are_named_by_their_group(cells: AnnData, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"label": ["A", "", "B"], "predicted": "x", "group": ["1", "2", "3"]},
        index=pd.Index(["c1", "c2", "c3"], name="cell"),
    )
    table.to_csv(tmp_path / "suggested.csv")
    cells.obs["leiden"] = cells.obs["group"]
    for given in (table, table.reset_index(), tmp_path / "suggested.csv"):
        assert labelled(cells, given, clusters="leiden") == ["A", "A", None, "B", "B"]
    named = table.rename(columns={"group": "leiden"}).assign(group="x")
    assert labelled(cells, named, clusters="leiden") == ["A", "A", None, "B", "B"]
    torn = pd.concat([table, table.assign(label="C").head(1)])
    with pytest.raises(InputError, match=r"1 clusters have contradicting labels \('1: A or C'\)"):
        labelled(cells, torn, clusters="leiden")
    not_suggested = pd.DataFrame({"label": ["A", "B"], "group": "x"}, index=["1", "3"])
    assert labelled(cells, not_suggested, clusters="leiden") == ["A", "A", None, "B", "B"]


def test_clusters_that_are_floats(cells: AnnData, tmp_path: Path) -> None:
    cells.obs["leiden"] = [0.0, 0.0, 1.0, 2.0, np.nan]
    (tmp_path / "a.csv").write_text("cluster,label\n0.0,A\n2.0,B\n")
    frame = pd.DataFrame({"leiden": [0.0, 2.0], "label": ["A", "B"]})
    for given in ({0.0: "A", 2.0: "B"}, pd.Series({0.0: "A", 2.0: "B"}), frame, tmp_path / "a.csv"):
        assert labelled(cells, given, clusters="leiden") == ["A", "A", None, "B", None]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes among the files")
def test_a_pipe_is_read_once(cells: AnnData, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for text in ("cell,label\nc1,A\n", "c1\tA\n"):
        writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
        writer.start()
        assert labelled(cells, str(pipe)) == [None, "A", None, None, None]
        writer.join(timeout=10)


def test_what_is_no_table(cells: AnnData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of type list; expected a csv or tsv file, a DataFrame, a Series"):
        labelled(cells, ["A", "B"])
    with pytest.raises(InputError, match="holds more than words and numbers"):
        labelled(cells, {"c1": ["A"]})
    with pytest.raises(InputError, match="no obs column"):
        labelled(cells, str(tmp_path))
