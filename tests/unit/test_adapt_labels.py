"""Labels for a few cells: columns, tables, clusters, and everything that may be wrong with them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

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
    with pytest.raises(InputError, match="cannot be read"):
        labelled(cells, str(tmp_path / "none.csv"))
