"""Tables of clusters and of their names, in the ways that people write them; the numbers are made up."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from orthotype.cells.clusters import join_clusters, name_clusters, read_pairs
from orthotype.errors import InputError

BARCODES = ["AAAA", "CCCC", "GGGG", "TTTT"]
CELLS = [f"M1_TBM_{barcode}" for barcode in BARCODES]
OF_CELL = dict(zip(CELLS, ["0", "10", "2", "10"], strict=True))
OF_CLUSTER = {"0": "Erythroblasts", "10": "HSPCs", "2": "Pro-B"}
AUTHORS = """Cluster\tCellType\tDev_Branch\tDPcolor
0\tErythroblasts\tErythropoieisis\t'#df583c'
10\tHSPCs\tHematopoieisis\t'#1b9e77'
2\tPro-B\tLymphopoieisis\t'#a6761d'
NA\tBasophils\tGranulopoieisis\t'#1f78b4'

"""


@pytest.fixture
def cells() -> AnnData:
    obs = pd.DataFrame({"barcode": BARCODES}, index=CELLS)
    return AnnData(np.ones((4, 2), dtype=np.float32), obs=obs)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text(AUTHORS)
    return tmp_path / "names.txt"


def refused(*arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        join_clusters(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "cell,cluster\n" + "".join(f"{cell},{cluster}\n" for cell, cluster in OF_CELL.items()),
        "".join(f"{cell}\t{cluster}\n" for cell, cluster in OF_CELL.items()),
        '"x"\n' + "".join(f'"{cell}","{cluster}"\n' for cell, cluster in OF_CELL.items()),
        "cell;cluster\r\n" + "".join(f"{cell};{cluster}\r\n" for cell, cluster in reversed(OF_CELL.items())),
        "".join(f"{cell[-4:]}\t{cluster}\n" for cell, cluster in OF_CELL.items()),
    ],
    ids=["csv", "no header", "as R writes it", "windows, other order", "barcodes"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_ways_to_write_it(cells: AnnData, tmp_path: Path, names: Path, text: str, packed: bool) -> None:
    place = tmp_path / "clusters.txt"
    place.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    found = join_clusters(cells, place, labels=names)
    assert found.obs["cluster"].tolist() == list(OF_CELL.values())
    assert found.obs["cell_type"].tolist() == ["Erythroblasts", "HSPCs", "Pro-B", "HSPCs"]
    assert found.obs["cluster"].cat.categories.tolist() == ["0", "2", "10"]
    assert "cluster" not in cells.obs


@pytest.mark.parametrize("kind", [dict, pd.Series, lambda pairs: pd.Series(pairs).to_frame("cluster")])
def test_pairs_in_memory(cells: AnnData, kind: object) -> None:
    found = join_clusters(cells, kind(OF_CELL), labels=kind(OF_CLUSTER), key="group", key_added="type")
    assert found.obs["group"].tolist() == list(OF_CELL.values())
    assert found.obs["type"].tolist() == [OF_CLUSTER[cluster] for cluster in OF_CELL.values()]


def test_numbers_are_clusters_too(cells: AnnData) -> None:
    found = join_clusters(cells, pd.Series(range(4), index=CELLS), labels={n: f"type {n}" for n in range(4)})
    assert found.obs["cell_type"].tolist() == ["type 0", "type 1", "type 2", "type 3"]


def test_tables_that_were_read_back_are_keyed_by_their_column(cells: AnnData) -> None:
    clusters = pd.DataFrame({"cell": CELLS, "cluster": OF_CELL.values()})
    names = pd.DataFrame({"cluster": OF_CLUSTER.keys(), "name": OF_CLUSTER.values()})
    found = join_clusters(cells, clusters, labels=names)
    assert found.obs["cell_type"].tolist() == ["Erythroblasts", "HSPCs", "Pro-B", "HSPCs"]


def test_clusters_of_floats_and_words_for_none(cells: AnnData, tmp_path: Path) -> None:
    cells.obs["cluster"] = [0.0, 10.0, 2.0, np.nan]
    (tmp_path / "floats.csv").write_text("cluster,name\n0.0,Erythroblasts\n10.0,HSPCs\n2.0,Pro-B\n")
    for names in (OF_CLUSTER, {0.0: "Erythroblasts", 10.0: "HSPCs", 2.0: "Pro-B"}, tmp_path / "floats.csv"):
        assert name_clusters(cells, names).obs["cell_type"].tolist()[:3] == [
            "Erythroblasts",
            "HSPCs",
            "Pro-B",
        ]
    some = {CELLS[0]: "0", CELLS[1]: "N/A", CELLS[2]: pd.NA, CELLS[3]: "none"}
    assert join_clusters(cells, some, unclustered="drop").obs_names.tolist() == [CELLS[0]]


def test_a_column_by_name(cells: AnnData, names: Path) -> None:
    found = join_clusters(cells, OF_CELL, labels=names, label_column="Dev_Branch")
    assert found.obs["cell_type"].tolist()[0] == "Erythropoieisis"
    message = refused(cells, OF_CELL, labels=names, label_column="Branch")
    assert (
        "has the columns 'Cluster', 'CellType', 'Dev_Branch', 'DPcolor'; expected one named 'Branch'"
        in message
    )


def test_a_column_by_name_where_the_names_have_no_corner(cells: AnnData, tmp_path: Path) -> None:
    rows = "".join(f'"{cell}"\t{at}\t{cluster}\n' for at, (cell, cluster) in enumerate(OF_CELL.items()))
    (tmp_path / "r.txt").write_text(f'"n"\t"cluster"\n{rows}')
    found = join_clusters(cells, tmp_path / "r.txt", cluster_column="cluster")
    assert found.obs["cluster"].tolist() == list(OF_CELL.values())


def test_everything_that_is_wrong_is_said_at_once(cells: AnnData, tmp_path: Path) -> None:
    lines = [f"{CELLS[0]},0", f"{CELLS[0]},2", f"{CELLS[1]},7", f"{CELLS[2]},NA", "M9_TBM_AAAA,0"]
    (tmp_path / "bad.csv").write_text("cell,cluster\n" + "\n".join(lines))
    message = refused(cells, tmp_path / "bad.csv", labels={"2": "Pro-B", "0": "HSPCs"})
    assert "the table of clusters has 4 problems:" in message
    assert "1 of 4 cells are not in the data: 'M9_TBM_AAAA'; expected names such as" in message
    assert f"1 cells are named more than once: '{CELLS[0]}'" in message
    assert f"2 of 4 cells have no cluster: '{CELLS[2]}', '{CELLS[3]}'" in message
    assert "1 of 2 clusters have no label: '7'; expected a label for each; the table has '2', '0'" in message


def test_a_first_line_of_an_unknown_cell_is_no_header(cells: AnnData, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("M9_TBM_AAAA,0\n" + "".join(f"{cell},0\n" for cell in CELLS))
    assert "1 of 5 cells are not in the data: 'M9_TBM_AAAA'" in refused(cells, tmp_path / "bad.csv")


def test_several_labels_for_a_cluster(cells: AnnData, tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("0,A\n2,B\n2,C\n10,D\n10,D\n")
    message = refused(cells, OF_CELL, labels=tmp_path / "twice.csv")
    assert "1 clusters have several labels: '2'; expected one for each cluster" in message


def test_barcodes_that_cells_share(cells: AnnData) -> None:
    cells.obs["barcode"] = ["AAAA", "AAAA", "GGGG", "TTTT"]
    message = refused(cells, {"AAAA": "0", "GGGG": "1", "TTTT": "2"})
    assert "1 keys are those of several cells: 'AAAA'; name the cells in full" in message


def test_cells_without_a_cluster(cells: AnnData) -> None:
    some = {CELLS[0]: "0", CELLS[2]: "2"}
    assert join_clusters(cells, some, unclustered="drop").obs_names.tolist() == [CELLS[0], CELLS[2]]
    kept = join_clusters(cells, some, labels=OF_CLUSTER, unclustered="keep")
    assert kept.obs["cell_type"].isna().tolist() == [False, True, False, True]
    assert kept.obs["cell_type"].tolist()[::2] == ["Erythroblasts", "Pro-B"]
    assert "expected one of 'error', 'drop', 'keep'" in refused(cells, some, unclustered="leave")


def test_clusters_get_their_names(cells: AnnData, names: Path) -> None:
    cells.obs["cluster"] = pd.Categorical([0, 10, 2, None])
    found = name_clusters(cells, names)
    assert found.obs["cell_type"].tolist()[:3] == ["Erythroblasts", "HSPCs", "Pro-B"]
    assert found.obs["cell_type"].isna().tolist() == [False, False, False, True]
    assert "cell_type" not in cells.obs
    with pytest.raises(InputError, match="2 of 3 clusters have no label: '2', '10'"):
        name_clusters(cells, {"0": "Erythroblasts"})
    with pytest.raises(InputError, match=r"no obs column 'clusters'; .* did you mean 'cluster'"):
        name_clusters(cells, names, key="clusters")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected a csv or tsv file"),
        ("cell,cluster\nM1_TBM_AAAA,0\nM1_TBM_CCCC\n", "1 row has no value: 'M1_TBM_CCCC'"),
        ("M1_TBM_AAAA\nM1_TBM_CCCC\n", "2 rows have no value"),
    ],
)
def test_tables_that_are_none(cells: AnnData, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    assert message in refused(cells, tmp_path / "bad.csv")


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_pairs(tmp_path / "none.csv", known=[])
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "bytes.csv", known=[])
