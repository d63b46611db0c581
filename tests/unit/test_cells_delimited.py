"""Tables of text in the ways that people write them; names are real genes, numbers are simulated."""

import gzip

import numpy as np
import pandas as pd
import pytest

from orthotype.cells.delimited import find_genes
from orthotype.cells.read import read
from orthotype.errors import InputError

GENES = ["Ins1", "Ins2", "Gcg", "Sst", "Ppy", "Krt19", "Pecam1", "Col1a1"]
CELLS = ["AAACCTGAGAAACC-1", "AAACCTGAGAAACG-1", "AAACCTGAGAAACT-1"]


@pytest.fixture
def table():
    numbers = np.random.default_rng(5).poisson(1.0, size=(len(CELLS), len(GENES)))
    return pd.DataFrame(numbers, index=CELLS, columns=GENES)


def expect(adata, table):
    assert adata.obs_names.tolist() == CELLS
    assert adata.var_names.tolist() == GENES
    assert adata.X.format == "csr"
    assert adata.X.has_canonical_format
    np.testing.assert_array_equal(adata.X.toarray(), table)


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("mark", ["\t", ",", ";", " "])
@pytest.mark.parametrize("genes_in_rows", [True, False])
@pytest.mark.parametrize("ending", [".csv", ".tsv.gz", ".txt"])
def test_both_orientations_any_delimiter_plain_and_packed(table, tmp_path, mark, genes_in_rows, ending):
    path = tmp_path / f"counts{ending}"
    (table.T if genes_in_rows else table).to_csv(path, sep=mark)
    expect(read(path), table)


def test_a_packed_file_without_the_ending(table, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_bytes(gzip.compress(table.to_csv().encode()))
    expect(read(path), table)


def test_a_header_as_r_writes_it_without_a_corner(table, tmp_path):
    text = table.T.to_csv(sep="\t", quoting=2)
    path = tmp_path / "counts.tsv"
    path.write_text(text.removeprefix('""\t'))
    expect(read(path), table)


def test_windows_line_ends_and_blank_lines(table, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_bytes((table.to_csv(lineterminator="\r\n") + "\r\n").encode())
    expect(read(path), table)


def test_fractions_and_zeros_in_any_spelling(tmp_path):
    path = tmp_path / "logs.csv"
    path.write_text("cell,Ins1,Ins2,Gcg\na,0.000,1.5,0\nb,1e-1,0e0,-0.0\n")
    found = read(path).X
    np.testing.assert_allclose(found.toarray(), [[0, 1.5, 0], [0.1, 0, 0]], rtol=1e-6)
    assert found.nnz == 2


def test_repeated_gene_names_stay_apart(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("cell,Ins1,Ins1\na,1,2\nb,3,4\n")
    found = read(path)
    assert found.var_names.tolist() == ["Ins1", "Ins1"]
    np.testing.assert_array_equal(found.X.toarray(), [[1, 2], [3, 4]])


def test_columns_of_text_describe_cells(table, tmp_path):
    table.insert(0, "cell_type", ["beta", "NA", "alpha"])
    table.to_csv(tmp_path / "labelled.csv")
    found = read(tmp_path / "labelled.csv")
    assert found.obs["cell_type"].tolist() == ["beta", "NA", "alpha"]
    expect(found, table[GENES])


def test_columns_of_text_describe_genes(table, tmp_path):
    turned = table.T
    turned.insert(0, "symbol", [name.upper() for name in GENES])
    turned.to_csv(tmp_path / "genes.tsv", sep="\t")
    found = read(tmp_path / "genes.tsv")
    assert found.var["symbol"].tolist() == [name.upper() for name in GENES]
    expect(found, table)


@pytest.mark.parametrize("word", ["", "NA", "nan"])
def test_missing_values_stay_visible(tmp_path, word):
    (tmp_path / "gaps.csv").write_text(f"cell,Ins1,Ins2\na,1,2\nb,{word},4\n")
    assert np.isnan(read(tmp_path / "gaps.csv").X.toarray()[1, 0])


def test_cells_and_genes_can_be_told(tmp_path):
    path = tmp_path / "unclear.csv"
    path.write_text("x,a1,a2,a3\nb1,1,2,3\nb2,4,5,6\n")
    message = refused(path)
    assert "rows such as 'b1', 'b2' and columns such as 'a1', 'a2', 'a3'" in message
    assert "genes_in='rows'" in message
    assert read(path, genes_in="rows").var_names.tolist() == ["b1", "b2"]
    assert read(path, genes_in="columns").obs_names.tolist() == ["b1", "b2"]
    assert "expected one of 'rows', 'columns'" in refused(path, genes_in="cells")


def test_genes_of_an_unknown_species_are_told_by_the_barcodes(tmp_path):
    unknown = [f"Bgn{i}x" for i in range(8)]
    assert find_genes(unknown, CELLS, tmp_path) == "rows"
    assert find_genes(CELLS, unknown, tmp_path) == "columns"


def test_a_strange_value_is_named_with_its_line(tmp_path):
    (tmp_path / "bad.csv").write_text("cell,Ins1,Ins2\na,1,2\nb,3,4\nc,1.2.3,6\n")
    assert "line 4: '1.2.3' cannot be read; expected numbers" in refused(tmp_path / "bad.csv")


def test_a_short_line_is_named(tmp_path):
    (tmp_path / "cut.csv").write_text("cell,Ins1,Ins2\na,1,2\nb,3\n")
    assert "line 3 has 2 fields; expected 3" in refused(tmp_path / "cut.csv")


def test_a_truncated_packed_table(table, tmp_path):
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(pd.concat([table] * 50).to_csv().encode())[:-20])
    assert "cannot be read as a table of numbers" in refused(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("cell,Ins1,Ins2\n", "ends after its first line"),
        ("just one line of prose", "ends after its first line"),
        ("name,type\na,b\nc,d\n", "holds only text ('type')"),
        ("a\nb\n", "begins with 1 names over 1 columns"),
        ("\n\n", "begins with"),
    ],
)
def test_text_that_is_no_table(tmp_path, content, found):
    (tmp_path / "prose.txt").write_text(content)
    assert found in refused(tmp_path / "prose.txt")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x80,\x81\n\x82,\x83\n")
    assert "cannot be read as a table of numbers" in refused(tmp_path / "bytes.csv")
