import json

import pytest

from orthotype.errors import GeneError
from orthotype.genes import OrthologMap
from orthotype.genes.lookup import available, export, show


def test_show_gives_partners_with_tier_and_sources():
    s100a9, lyz2, hbb = json.loads(json.dumps(show(["S100A9", "Lyz2", "HBB"], targets=["mouse", "human"])))
    first = s100a9["partners"][0]
    assert (first["symbol"], first["tier"], first["one2one"], first["ensembl"]) == (
        "S100a9",
        "C",
        True,
        "1:n",
    )
    assert {"Ensembl", "HGNC", "OMA"} <= set(first["sources"])
    assert (lyz2["species"], [p["symbol"] for p in lyz2["partners"]]) == ("mouse", ["LYZ"])
    assert {p["symbol"]: p["one2one"] for p in hbb["partners"]} == {"Hbb-bs": False, "Hbb-bt": False}


def test_show_reads_old_names_ids_and_composed_partners():
    march, by_id = show(["MARCH1", "ENSMUSG00000069516"])
    assert (march["symbol"], march["how"]) == ("MARCHF1", "previous")
    assert (by_id["symbol"], by_id["how"]) == ("Lyz2", "id")
    assert show(["Cd34"])[0]["species"] == "mouse"
    [partner] = show(["Cd34"], species="mouse", targets=["pig"])[0]["partners"]
    assert partner["via"] == "ENSG00000174059"


def test_show_offers_the_nearest_names_of_a_gene_it_does_not_know():
    [unknown] = show(["S100AX9"])
    assert unknown["id"] is None
    assert "S100A9" in unknown["nearest"]


def test_available_lists_every_pair_of_bundled_species():
    table = available()
    assert len(table) == 10
    direct = table.set_index(["source", "target"]).loc[("human", "mouse")]
    assert (direct["via"], direct["one2one"] > 18_000) == ("", True)
    assert (table.loc[table["source"] != "human", "via"] == "human").all()


@pytest.mark.parametrize("policy", ["one2one", "groups"])
def test_an_exported_table_given_back_makes_the_same_features(policy):
    made = OrthologMap("pig", "human", policy=policy)
    again = OrthologMap("pig", "human", policy="groups", table=export("pig", "human", policy))

    def members(orthologs):
        sides = zip(orthologs.source_members, orthologs.target_members, strict=True)
        return {(frozenset(source), frozenset(target)) for source, target in sides}

    assert members(made) == members(again)
    with pytest.raises(GeneError, match="unknown ortholog policy"):
        export("pig", "human", "all")
