"""Merged Drop-seq files and other text matrices of counts; names of genes are real, numbers are simulated."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from orthotype.cells import dge
from orthotype.cells.delimited import read_table
from orthotype.cells.read import read
from orthotype.errors import InputError

GENES = ["Hbb-bs", "Elane", "mt-Co1", "Cd79a", "Prss34", "Gata1", "Vpreb1"]
CELLS = [f"{specimen}_{population}_{barcode}" for specimen, population, barcode in (
    ("M1", "TBM", "ACGTACGTACGT"),
    ("M1", "LSK", "TTTTACGTACGN"),
    ("M2", "TBM", "ACGTACGTACGT"),
    ("M2", "LSK", "GGGTACGTACGA"),
)]  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    numbers = np.random.default_rng(8).poisson(0.6, size=(len(GENES), len(CELLS)))
    numbers[2, 1], numbers[3, 0], numbers[0, 2] = 1_234_567, 10, 2_147_483_647
    numbers[5] = 0
    return pd.DataFrame(numbers, index=pd.Index(GENES, name="GENE"), columns=CELLS)


@pytest.fixture
def path(table: pd.DataFrame, tmp_path: Path) -> Path:
    table.to_csv(tmp_path / "merged.DGE.txt.gz", sep="\t")
    return tmp_path / "merged.DGE.txt.gz"


def expect(adata: AnnData, table: pd.DataFrame) -> None:
    assert adata.obs_names.tolist() == list(table.columns)
    assert adata.var_names.tolist() == list(table.index)
    assert (adata.X.format, adata.X.dtype) == ("csr", np.int32)
    assert adata.X.has_canonical_format
    assert (adata.X.data > 0).all()
    np.testing.assert_array_equal(adata.X.toarray(), table.T)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        dge.read_dge(path)
    return str(caught.value)


def test_cells_with_their_origin(path: Path, table: pd.DataFrame) -> None:
    found = dge.read_dge(path)
    expect(found, table)
    assert found.obs.columns.tolist() == ["specimen", "population", "barcode"]
    assert found.obs["specimen"].tolist() == ["M1", "M1", "M2", "M2"]
    assert found.obs["population"].tolist() == ["TBM", "LSK", "TBM", "LSK"]
    assert found.obs["barcode"].tolist() == [cell[-12:] for cell in CELLS]


def test_the_general_reader_recognises_it(path: Path, table: pd.DataFrame) -> None:
    found = read(path)
    expect(found, table)
    assert "specimen" in found.obs
    assert read(path, genes_in="rows").obs.shape == (4, 3)
    assert "specimen" not in read(path, genes_in="columns").obs


def test_it_agrees_with_the_reader_of_any_table(path: Path) -> None:
    mine, other = dge.read_dge(path), read_table(path, genes_in="rows")
    assert mine.obs_names.equals(other.obs_names)
    assert mine.var_names.equals(other.var_names)
    np.testing.assert_array_equal(mine.X.toarray().astype(np.float32), other.X.toarray())


@pytest.mark.parametrize("block", [1, 7, 40, 10_000])
def test_the_size_of_the_blocks_changes_nothing(
    path: Path, table: pd.DataFrame, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dge, "BLOCK", block)
    expect(dge.read_dge(path), table)


def test_no_more_than_a_block_of_lines_is_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dge, "BLOCK", 1)
    with dge.opened(path) as file:
        file.readline()
        sizes = [block.count(b"\n") for block in dge._blocks(file)]
    assert sizes == [1] * len(GENES)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n \n",
        lambda text: text.removeprefix("GENE\t"),
        lambda text: text.replace("\t10\t", "\t1e1\t").replace("\t0\t", "\t0.0\t"),
        lambda text: "\n".join(
            "\t".join(f'"{word}"' if not word.isdigit() else word for word in line.split("\t"))
            for line in text.splitlines()
        ),
    ],
    ids=["windows", "no last line end", "blank lines", "as R writes it", "other spellings", "quoted names"],
)
def test_the_ways_to_write_it(table: pd.DataFrame, tmp_path: Path, rewrite: object) -> None:
    text = rewrite(table.to_csv(sep="\t"))
    place = tmp_path / "plain.txt"
    place.write_bytes(text.encode())
    expect(read(place), table)
    place.with_suffix(".txt.gz").write_bytes(gzip.compress(text.encode()))
    expect(read(place.with_suffix(".txt.gz")), table)


def test_commas(table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "counts.csv")
    expect(dge.read_counts(tmp_path / "counts.csv"), table)


def test_what_follows_the_second_part_is_the_barcode() -> None:
    assert dge.name_parts(["M1_TBM_AC_GT"]).iloc[0].tolist() == ["M1", "TBM", "AC_GT"]


def test_other_names_are_named(table: pd.DataFrame, tmp_path: Path) -> None:
    table.columns = ["M1_TBM_ACGTACGT", "M1-ACGTACGT", "_TBM_ACGTACGT", "M1_ACGTACGT"]
    table.to_csv(tmp_path / "other.txt", sep="\t")
    message = refused(tmp_path / "other.txt")
    assert "3 of 4 cells have other names: 'M1-ACGTACGT', '_TBM_ACGTACGT', 'M1_ACGTACGT'" in message
    assert "expected Specimen_Population_Barcode; read the file with orthotype.cells.read" in message
    assert "specimen" not in read(tmp_path / "other.txt", genes_in="rows").obs


def test_everything_that_is_wrong_is_said_at_once(table: pd.DataFrame, tmp_path: Path) -> None:
    table = table.astype(object)
    table.iloc[1, 1], table.iloc[3, 2], table.iloc[4, 0], table.iloc[6, 3] = "-3", "0.5", "NA", "3000000000"
    table.columns = [*CELLS[:3], CELLS[0]]
    table.index = pd.Index(["Hbb-bs", *GENES[1:5], "Elane", "Vpreb1"], name="GENE")
    table.to_csv(tmp_path / "bad.txt", sep="\t")
    message = refused(tmp_path / "bad.txt")
    assert "bad.txt has 3 problems:" in message
    assert f"1 cells are there more than once: '{CELLS[0]}'" in message
    assert "1 genes are there more than once: 'Elane'" in message
    assert "4 values are no counts: '-3 (gene Elane)', '0.5 (gene Cd79a)', 'NA (gene Prss34)'" in message
    assert "'3000000000 (gene Vpreb1)'; expected whole numbers from 0" in message


def test_a_short_line_is_named(path: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[5] = lines[5].rsplit("\t", 1)[0]
    (tmp_path / "cut.txt").write_text("\n".join(lines))
    assert "line 6 has 4 fields; expected 5 as in the lines before" in refused(tmp_path / "cut.txt")


def test_two_wrong_lines_that_make_up_for_each_other(path: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[3], moved = lines[3].rsplit("\t", 1)
    lines[4] = f"{lines[4]}\t{moved}"
    (tmp_path / "cut.txt").write_text("\n".join(lines))
    assert "line 4 has 4 fields" in refused(tmp_path / "cut.txt")


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_file_that_breaks_off(table: pd.DataFrame, tmp_path: Path, keep: float) -> None:
    long = pd.concat([table] * 3000)
    long.index = pd.Index([f"G{number}" for number in range(len(long))], name="GENE")
    packed = gzip.compress(long.to_csv(sep="\t").encode())
    (tmp_path / "cut.txt.gz").write_bytes(packed[: int(len(packed) * keep)])
    assert "cut.txt.gz is damaged" in refused(tmp_path / "cut.txt.gz")


def test_no_genes_at_all(tmp_path: Path) -> None:
    (tmp_path / "head.txt").write_text("\t".join(["GENE", *CELLS]) + "\n")
    assert "no line but the first" in refused(tmp_path / "head.txt")


def test_columns_of_text_are_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    table.insert(0, "symbol", GENES)
    table.to_csv(tmp_path / "text.txt", sep="\t")
    assert "columns of text ('symbol')" in refused(tmp_path / "text.txt")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("M1_TBM_ACGTACGT", True),
        ("M1_TBM_ACGTACGT-1", True),
        ("BM1_AAAGTCTCAAAC", False),
        ("2017_9_totalBM_TACCTTAGTG", False),
        ("M1_TBM_5", False),
        ("AAACCTGAGAAACC-1", False),
    ],
)
def test_which_names_are_recognised(tmp_path: Path, name: str, is_one: bool) -> None:
    (tmp_path / "x.txt").write_text(f"GENE\t{name}\nCd34\t1\n")
    assert dge.is_dge(tmp_path / "x.txt") is is_one


def test_bytes_that_are_no_text_are_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x80\t\x81\n")
    assert not dge.is_dge(tmp_path / "x.txt")
