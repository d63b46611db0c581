import gzip
from pathlib import Path

import pandas as pd
import pytest

from orthotype.errors import GeneError
from orthotype.genes import OrthologMap, Species, identify

DATA = Path(__file__).parents[1] / "data" / "orthologs"
ZEBRAFISH = DATA / "biomart_human_zebrafish.tsv"


def partners(orthologs):
    return dict(zip(orthologs.names.tolist(), orthologs.source_members, strict=True))


def test_biomart_columns_are_read_as_they_are():
    orthologs = OrthologMap("zebrafish", "human", table=ZEBRAFISH)
    assert partners(orthologs) == {
        "PTPRC": ("ENSDARG00000071437", "ptprc"), "CD79A": ("ENSDARG00000037473", "cd79a")
    }  # fmt: skip
    report = orthologs.report
    assert (report["rows"], report["empty"], report["pairs"], report["one_to_one"]) == (8, 2, 6, 2)
    families = partners(OrthologMap("zebrafish", "human", table=ZEBRAFISH, policy="groups"))
    assert families["GATA1"] == ("ENSDARG00000013477", "ENSDARG00000059130", "gata1a", "gata1b")


def test_data_of_a_species_without_a_gene_table_may_use_ids_or_symbols():
    orthologs = OrthologMap("zebrafish", "human", table=ZEBRAFISH)
    for names in (["ptprc", "gata1a", "foo"], ["ENSDARG00000071437.2", "ENSDARG00000013477", "foo"]):
        genes = identify(names, species="zebrafish")
        assert orthologs.projection(genes).toarray().tolist() == [[1, 0], [0, 0], [0, 0]]
        found = orthologs.coverage(genes)
        assert (found.n_mapped, found.n_ambiguous, found.n_no_ortholog) == (1, 1, 1)


def test_hcop_columns_are_read_as_they_are_from_a_gz_file():
    orthologs = OrthologMap("rat", "human", table=DATA / "hcop_human_rat.txt.gz")
    assert partners(orthologs)["LYZ"] == ("ENSRNOG00000005825", "Lyz2")
    assert "INS" not in partners(orthologs)


def test_hcop_rows_without_ensembl_ids_fall_back_to_symbols():
    orthologs = OrthologMap("human", "chicken", table=DATA / "hcop_human_chicken.txt")
    assert orthologs.report["columns"]["chicken"] == ["chicken_symbol"]
    assert orthologs.projection(identify(["GATA1", "SOX9"], species="chicken")).nnz == 2


def test_two_columns_suffice_and_many_to_one_is_not_one_to_one():
    table = DATA / "two_columns_human_fly.csv"
    orthologs = OrthologMap("fly", "human", table=table)
    assert sorted(partners(orthologs)) == ["FBL", "MYC", "PCNA", "POLR2A", "RPL3", "TUBG1"]
    families = partners(OrthologMap("fly", "human", table=table, policy="groups"))
    assert families["NOTCH1/NOTCH2/NOTCH3"] == ("FBgn0004647",)


def test_a_table_without_a_header_is_read_from_its_first_row(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("ENSMUSG00000016494,ENSG00000174059\nENSMUSG00000026395,ENSG00000081237\n")
    assert OrthologMap("mouse", "human", table=path).names.tolist() == ["CD34", "PTPRC"]


def test_old_and_new_names_of_one_pair_are_one_row_and_counted():
    table = pd.DataFrame(
        {"mouse": ["Marchf1", "March1", "Cd34", None], "human": ["MARCHF1", "MARCH1", "CD34", "X"]}
    )
    orthologs = OrthologMap("mouse", "human", table=table)
    assert orthologs.names.tolist() == ["MARCHF1", "CD34"]
    assert (orthologs.report["duplicated"], orthologs.report["empty"]) == (1, 1)


def test_an_unrecognised_partner_still_counts_as_a_partner():
    table = pd.DataFrame({"mouse": ["Cd34", "nonsense", "Lyz2"], "human": ["CD34", "CD34", "LYZ"]})
    orthologs = OrthologMap("mouse", "human", table=table)
    assert orthologs.names.tolist() == ["LYZ"]
    assert orthologs.report["unrecognised_mouse"] == {"n": 1, "examples": ["nonsense"]}


def test_a_symbol_that_is_a_gene_of_its_own_is_no_further_name_of_another():
    table = pd.DataFrame(
        {
            "rat_ensembl_gene": ["ENSRNOG00000011483", ""],
            "rat_symbol": ["S100a9", "S100a9"],
            "human_symbol": ["S100A9", "LYZ"],
        }
    )
    assert OrthologMap("rat", "human", table=table).source_members == [("ENSRNOG00000011483",), ("S100a9",)]


def test_the_homology_type_of_a_filtered_table_is_believed():
    table = pd.DataFrame(
        {
            "mouse": ["Cd34", "Lyz2"],
            "human": ["CD34", "LYZ"],
            "Homology type": ["ortholog_one2many", "ortholog_one2one"],
        }
    )
    assert OrthologMap("mouse", "human", table=table).names.tolist() == ["LYZ"]


def test_unnamed_columns_in_the_other_order_are_noticed():
    table = pd.DataFrame({"a": ["CD34", "LYZ"], "b": ["Cd34", "Lyz2"]})
    orthologs = OrthologMap("mouse", "human", table=table)
    assert orthologs.report["columns_swapped"]
    assert orthologs.names.tolist() == ["CD34", "LYZ"]


def test_crossed_names_are_counted_and_do_no_harm():
    table = pd.DataFrame({"source": ["a", "b", "c"], "target": ["b", "a", "c"]})
    fish = Species("cavefish", "Astyanax mexicanus", 7994, "ENSAMXG")
    orthologs = OrthologMap(fish, "zebrafish", table=table)
    assert orthologs.report["crossed"] == 1
    assert orthologs.source_members == [("a",), ("b",), ("c",)]
    assert orthologs.target_members == [("b",), ("a",), ("c",)]
    assert orthologs.projection(identify(["b"], species=fish)).indices.tolist() == [1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"mouse": ["Lyz2"]}), "has one column, 'mouse'; expected at least two"),
        (pd.DataFrame({"mouse": [], "human": []}), "has no rows"),
        (
            pd.DataFrame({"mouse": ["zz"], "human": ["LYZ"]}),
            r"no usable pair .* not recognised: 'zz' .mouse. and none",
        ),
        (
            pd.DataFrame({"mouse": ["ENSDARG00000071437"], "human": ["PTPRC"]}),
            r"column 'mouse' holds ids of zebrafish .* expected mouse \(ENSMUSG",
        ),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table, message):
    with pytest.raises(GeneError, match=message):
        OrthologMap("mouse", "human", table=table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"mouse,human\nLyz2,LYZ\nCd34\n", "row 3 has 1 columns, the header 2"),
        (b"\x89PNG\xff\xfe\x00", "is not a text table"),
        (gzip.compress(b"mouse,human\nLyz2,LYZ\n", mtime=0)[:-9], "is not a text table"),
        (b"", "has no rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, message):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(GeneError, match=message):
        OrthologMap("mouse", "human", table=path)
    with pytest.raises(GeneError, match=r"cannot read the ortholog table .*absent.csv"):
        OrthologMap("mouse", "human", table=tmp_path / "absent.csv")
