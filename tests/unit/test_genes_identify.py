import json

import numpy as np
import pytest

from orthotype.errors import GeneError
from orthotype.genes import Species, identify
from orthotype.genes.tables import GeneTable, gene_table


def symbol_of(genes, species="human"):
    return [gene_table(species).symbol_of.get(gene, "") for gene in genes.ids]


@pytest.mark.parametrize(
    ("name", "symbol", "how"),
    [
        ("CD34", "CD34", "symbol"),
        ("ENSG00000174059", "CD34", "id"),
        ("ENSG00000174059.17", "CD34", "id"),
        ("CD34_ENSG00000174059", "CD34", "id"),
        ("MARCH1", "MARCHF1", "previous"),
        ("C10orf54", "VSIR", "previous"),
        ("QARS", "QARS1", "previous"),
        ("HLA.A", "HLA-A", "mangled"),
        ("C10ORF10", "DEPP1", "case"),
        ("GRCh38_CD34", "CD34", "prefix"),
        ("GRCh38_MARCH1", "MARCHF1", "previous"),
        ("2-Sep", "SEPTIN2", "date"),
        ("15-Sep", "SELENOF", "date"),
        ("PU.1", "SPI1", "alias"),
        ("cd34", "CD34", "case"),
        ("mm10___Cd34", "", "unmapped"),
        ("ENSMUSG00000016494", "", "unmapped"),
        ("NOTAGENE", "", "unmapped"),
        ("", "", "unmapped"),
    ],
)
def test_every_usual_form_of_a_human_name_is_read(name, symbol, how):
    genes = identify([name], species="human")
    assert (symbol_of(genes), genes.how.tolist()) == ([symbol], [how])


@pytest.mark.parametrize(
    ("name", "symbol", "how"),
    [
        ("Lyz2", "Lyz2", "symbol"),
        ("H2.K1", "H2-K1", "mangled"),
        ("X0610010K14Rik", "0610010K14Rik", "mangled"),
        ("Gnb2l1", "Rack1", "human"),
        ("lyz2", "Lyz2", "case"),
        ("mm10___Lyz2", "Lyz2", "prefix"),
        ("ENSG00000174059", "", "unmapped"),
    ],
)
def test_every_usual_form_of_a_mouse_name_is_read(name, symbol, how):
    genes = identify([name], species="mouse")
    assert (symbol_of(genes, "mouse"), genes.how.tolist()) == ([symbol], [how])


def test_old_and_new_symbols_and_ids_mean_the_same_gene():
    genes = identify(["MARCHF1", "ENSG00000145416"], species="human")
    old = identify(["MARCH1"], species="human")
    assert set(genes.ids) == set(old.ids) == {"ENSG00000145416"}


def test_a_proposal_yields_to_the_gene_that_is_there_under_its_own_name():
    assert identify(["SPI1", "PU.1", "spi1"], species="human").how.tolist() == [
        "symbol",
        "unmapped",
        "unmapped",
    ]
    assert identify(["MARCHF1", "MARCH1"], species="human").how.tolist() == ["symbol", "unmapped"]


def test_two_aliases_of_one_gene_name_neither():
    assert identify(["PDL1"], species="human").how.tolist() == ["alias"]
    assert identify(["PDL1", "PD-L1", "CD34"], species="human").how.tolist() == [
        "unmapped",
        "unmapped",
        "symbol",
    ]


def test_letters_that_fit_two_symbols_in_other_case_name_neither():
    table = GeneTable("pig", {}, {"Ab": "gene 1", "AB": "gene 2", "Cd": "gene 3"})
    assert table.by_lower == {"cd": "gene 3"}


def test_an_ambiguous_date_is_resolved_only_by_what_else_is_there():
    assert identify(["1-Mar"], species="human").how.tolist() == ["unmapped"]
    read = identify(["MTARC1", "1-Mar"], species="human")
    assert symbol_of(read) == ["MTARC1", "MARCHF1"]


def test_rows_of_one_gene_are_reported():
    genes = identify(["MATR3", "CD34", "MATR3-1", "MATR3"], species="human")
    assert genes.how.tolist() == ["symbol", "symbol", "suffix", "symbol"]
    assert list(genes.duplicates.values()) == [[0, 2, 3]]
    assert genes.to_dict()["duplicated_examples"] == [["MATR3", "MATR3-1", "MATR3"]]


@pytest.mark.parametrize("species", ["human", "mouse", "rhesus", "cynomolgus", "pig"])
def test_the_species_is_told_by_ids_and_by_all_its_names(species):
    table = gene_table(species)
    ids = list(table.symbol_of)[::50]
    assert identify(ids).species == species
    names = [symbol or gene for gene, symbol in table.symbol_of.items()][::20]
    assert identify(names).likely_species == species


@pytest.mark.parametrize(
    ("ids", "species"),
    [(["ENSDARG00000071437"], "zebrafish"), (["FBgn0004647"], "fly"), (["ENSRNOG00000011483"], "rat")],
)
def test_ids_tell_species_without_a_table(ids, species):
    genes = identify(ids)
    assert (genes.species, genes.kind, genes.ids.tolist(), genes.how.tolist()) == (
        species,
        "ensembl",
        ids,
        ["id"],
    )


def test_the_kind_of_names_is_told():
    symbols = ["CD34", "PTPRC", "LYZ", "GATA1"]
    ids = ["ENSG00000174059", "ENSG00000081237", "ENSG00000090382", "ENSG00000102145"]
    assert identify(symbols).kind == "symbol"
    assert identify(ids).kind == "ensembl"
    assert identify(symbols[:2] + ids[2:]).kind == "mixed"
    assert identify(["AAACCTG-1", "AAACCTC-1", "x"]).kind == "unrecognised"


def test_undecidable_names_have_no_species_and_no_genes():
    genes = identify(["foo", "bar"])
    assert genes.species is None
    assert genes.ids.tolist() == ["", ""]
    assert identify([]).to_dict()["n_genes"] == 0


def test_a_species_asked_for_keeps_the_evidence_against_it():
    genes = identify(["Lyz2", "Cd34", "Gata1", "Ptprc", "Hba-a1"], species="Homo sapiens")
    assert (genes.species, genes.likely_species) == ("human", "mouse")
    assert genes.scores["mouse"] == 1.0
    with pytest.raises(GeneError, match="unknown species"):
        identify(["Lyz2"], species="moose")


def test_names_of_a_species_without_a_table_stand_as_they_are():
    genes = identify(["ptprc", "ENSDARG00000071437.5"], species="zebrafish")
    assert genes.ids.tolist() == ["ptprc", "ENSDARG00000071437"]
    assert identify(["foo"], species=Species("axolotl", "Ambystoma mexicanum", 8296, "")).ids.tolist() == [
        "foo"
    ]


def test_the_summary_is_plain_json():
    genes = identify(np.array(["CD34", *(f"nonsense{n}" for n in range(6))], dtype=object), species="human")
    summary = json.loads(json.dumps(genes.to_dict()))
    assert summary["how"] == {"unmapped": 6, "symbol": 1}
    assert len(summary["unmapped_examples"]) == 5
