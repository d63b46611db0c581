import pytest

from orthotype.genes.clean import (
    as_r_writes,
    as_r_writes_all,
    genes_of_date,
    id_in,
    split_genome,
    without_suffix,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ENSG00000174059", "ENSG00000174059"),
        ("ENSG00000174059.17", "ENSG00000174059"),
        ("ENSG00000182378.15_PAR_Y", "ENSG00000182378"),
        ("CD34_ENSG00000174059", "ENSG00000174059"),
        ("ENSMUSG00000016494|Cd34", "ENSMUSG00000016494"),
        ("FBgn0004647", "FBgn0004647"),
        ("WBGene00000003", "WBGene00000003"),
        ("ENSG0000017405", ""),
        ("ENST00000310706", ""),
        ("CD34", ""),
    ],
)
def test_an_ensembl_id_is_found_wherever_a_name_holds_one(name, expected):
    assert id_in(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GRCh38_CD34", ("CD34", "human")),
        ("mm10___Lyz2", ("Lyz2", "mouse")),
        ("hg19-CD34", ("CD34", "human")),
        ("Sscrofa11.1_INS", ("INS", "pig")),
        ("CD34", ("CD34", "")),
        ("mm10_", ("mm10_", "")),
    ],
)
def test_the_genome_before_a_name_tells_its_species(name, expected):
    assert split_genome(name) == expected


@pytest.mark.parametrize(
    ("date", "symbols"),
    [
        ("2-Sep", ("SEPT2", "SEP2")),
        ("Sep-02", ("SEPT2", "SEP2")),
        ("2021-03-01", ("MARCH1", "MARC1")),
        ("2021-03-01 00:00:00", ("MARCH1", "MARC1")),
        ("1-Dec", ("DEC1",)),
        ("1-Foo", ()),
        ("CD34", ()),
        ("NKX2-1", ()),
    ],
)
def test_a_date_is_read_back_as_the_symbols_it_may_have_been(date, symbols):
    assert genes_of_date(date) == symbols


@pytest.mark.parametrize(
    ("symbol", "written"),
    [
        ("HLA-A", "HLA.A"),
        ("5S_rRNA", "X5S_rRNA"),
        ("0610010K14Rik", "X0610010K14Rik"),
        ("CD34", "CD34"),
        ("H2-K1", "H2.K1"),
    ],
)
def test_symbols_are_rewritten_as_r_does(symbol, written):
    assert as_r_writes(symbol) == written


def test_a_rewritten_spelling_of_two_symbols_is_left_out():
    assert as_r_writes_all(["A-1", "A.1", "B-1", "CD34"]) == {"A.1": "A-1", "B.1": "B-1"}
    assert "A.1" not in as_r_writes_all(["A-1", "A/1"])


def test_a_suffix_is_taken_off_only_beside_the_name_without_it():
    assert without_suffix("MATR3-1", {"MATR3"}) == "MATR3"
    assert without_suffix("MATR3.1", {"MATR3"}) == "MATR3"
    assert without_suffix("NKX2-1", {"CD34"}) == ""
