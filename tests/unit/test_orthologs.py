import json

import h5py
import numpy as np
import pytest

from orthotype import datasets
from orthotype.errors import GeneError
from orthotype.genes import OrthologMap, identify
from orthotype.genes.tables import gene_table, one_to_one_of_human


def gene_names(dataset):
    with h5py.File(datasets.path(dataset)) as file:
        var = file["var"]
        return [name.decode() for name in var[var.attrs["_index"]][:]]


@pytest.fixture(scope="module")
def mouse():
    return identify(gene_names("baron2016-mouse"))


@pytest.fixture(scope="module")
def human():
    return identify(gene_names("baron2016-human"))


@pytest.fixture(scope="module")
def one2one():
    return OrthologMap("mouse", "human")


def partners(policy, symbol):
    """Mouse symbols in the feature that holds a human symbol."""
    orthologs = OrthologMap("mouse", "human", policy=policy)
    gene = gene_table("human").by_symbol[symbol]
    mouse = gene_table("mouse").symbol_of
    found = [m for m, h in zip(orthologs.source_members, orthologs.target_members, strict=True) if gene in h]
    return {mouse[gene] for members in found for gene in members}


@pytest.mark.parametrize(
    ("human_symbol", "mouse_symbol"),
    [
        ("S100A9", "S100a9"),
        ("GZMB", "Gzmb"),
        ("PF4", "Pf4"),
        ("HBA1", "Hba-a1"),
        ("VPREB1", "Vpreb1a"),
        ("LYZ", "Lyz2"),
    ],
)
def test_blood_markers_that_strict_tables_lose_are_one_to_one(human_symbol, mouse_symbol):
    assert partners("one2one", human_symbol) == {mouse_symbol}


@pytest.mark.parametrize("symbol", ["HBB", "FCGR3A", "HLA-A", "IGLL1"])
def test_families_are_dropped_by_one2one_and_live_on_in_groups(symbol):
    assert partners("one2one", symbol) == set()
    assert partners("groups", symbol)


def test_a_family_sums_its_genes_in_each_species():
    orthologs = OrthologMap("mouse", "human", policy="groups")
    place = orthologs.names.tolist().index("FCGR3A/FCGR3B")
    P = orthologs.projection(identify(["FCGR3A", "LYZ", "FCGR3B"], species="human"))
    assert P[:, [place]].toarray().ravel().tolist() == [1, 0, 1]


def test_real_pancreas_data_share_at_least_13000_one_to_one_pairs(mouse, human, one2one):
    assert (mouse.species, human.species) == ("mouse", "human")
    in_mouse = one2one.projection(mouse).sum(axis=0) > 0
    in_human = one2one.projection(human).sum(axis=0) > 0
    assert (in_mouse & in_human).sum() >= 13_000


@pytest.mark.parametrize("policy", ["one2one", "groups", "best", "first"])
def test_symbols_and_ids_of_the_same_data_give_the_same_projection(mouse, policy):
    orthologs = OrthologMap("mouse", "human", policy=policy)
    known = mouse.ids != ""
    by_symbol = orthologs.projection(identify(mouse.names[known], species="mouse"))
    by_id = orthologs.projection(identify(mouse.ids[known], species="mouse"))
    assert (by_symbol != by_id).nnz == 0


def test_mouse_to_human_to_mouse_is_the_identity_on_one_to_one_genes(one2one):
    back = OrthologMap("human", "mouse")
    there = {m[0]: h[0] for m, h in zip(one2one.source_members, one2one.target_members, strict=True)}
    again = {h[0]: m[0] for h, m in zip(back.source_members, back.target_members, strict=True)}
    assert {again[human]: human for human in there.values()} == there


def test_coverage_puts_every_gene_in_one_class(mouse, one2one):
    totals = np.arange(len(mouse.names), dtype=float)
    found = one2one.coverage(mouse, totals=totals)
    assert found.n_genes == found.n_mapped + found.n_no_ortholog + found.n_ambiguous + found.n_unrecognised
    assert found.n_recognised == found.n_genes - found.n_unrecognised
    shares = (found.share_mapped, found.share_no_ortholog, found.share_ambiguous, found.share_unrecognised)
    assert sum(shares) == pytest.approx(1)
    assert found.n_features - found.n_features_missing == found.n_mapped
    assert all(len(names) <= 10 for names in json.loads(json.dumps(found.to_dict()))["examples"].values())


def test_coverage_says_why_a_gene_is_lost_and_names_the_most_expressed_first(one2one):
    genes = identify(["HBB", "FCGR3A", "XIST", "LYZ", "nonsense"], species="human")
    found = one2one.coverage(genes, totals=np.array([1, 5, 1, 2, 1]))
    assert found.examples == {
        "no_ortholog": ["XIST"], "ambiguous": ["FCGR3A", "HBB"], "unrecognised": ["nonsense"]
    }  # fmt: skip
    assert (found.share_mapped, found.share_ambiguous) == (0.2, 0.6)
    without = one2one.coverage(genes)
    assert (without.n_mapped, without.share_mapped) == (1, None)
    empty = one2one.coverage(genes, totals=np.zeros(5))
    assert empty.share_mapped is None


def test_a_stored_map_projects_alike_without_the_table(mouse):
    made = OrthologMap("mouse", "human", policy="groups")
    stored = OrthologMap.from_members(
        made.source,
        made.target,
        made.names.tolist(),
        made.source_members,
        made.target_members,
        made.policy,
        made.release,
    )
    assert (stored.projection(mouse) != made.projection(mouse)).nnz == 0
    assert stored.coverage(mouse) == made.coverage(mouse)
    with pytest.raises(GeneError, match="expected the same number"):
        OrthologMap.from_members("mouse", "human", ["A"], [], [], "one2one", {})
    with pytest.raises(GeneError, match="two features"):
        OrthologMap.from_members("mouse", "human", ["A", "B"], [["x"], ["x"]], [["y"], ["z"]], "one2one", {})


def test_a_species_with_itself_has_its_own_genes_as_features():
    orthologs = OrthologMap("human", "human")
    genes = identify(["CD34", "MARCH1", "MATR3", "MATR3-1"], species="human")
    P = orthologs.projection(genes)
    assert orthologs.names[P.indices].tolist() == ["CD34", "MARCHF1", "MATR3", "MATR3"]
    assert len(set(orthologs.names)) == orthologs.n_features
    assert orthologs.coverage(genes).n_no_ortholog == 0


@pytest.mark.parametrize("target", ["rhesus", "cynomolgus", "pig"])
def test_other_species_are_reached_from_human_and_through_human(target):
    direct, composed = OrthologMap("human", target), OrthologMap("mouse", target)
    assert "via" not in direct.release
    assert composed.release["via"] == "human"
    assert 14_000 < composed.n_features < direct.n_features
    marker = identify(["CD34"], species=target)
    assert direct.names[direct.projection(marker).indices].tolist() == ["CD34"]


def test_a_composed_pair_is_one_to_one_only_if_both_its_halves_are():
    mouse, pig = one_to_one_of_human("mouse"), one_to_one_of_human("pig")
    through = {(mouse[human], pig[human]) for human in mouse.keys() & pig.keys()}
    orthologs = OrthologMap("mouse", "pig")
    pairs = zip(orthologs.source_members, orthologs.target_members, strict=True)
    assert {(source, target) for (source,), (target,) in pairs} == through
    families = OrthologMap("mouse", "pig", policy="groups")
    assert families.n_features > orthologs.n_features


def test_tiers_choose_among_pairs_judged_on_the_whole_table():
    strict = OrthologMap("mouse", "human", tiers=("A", "B", "D"))
    names = set(strict.names)
    assert "S100A9" not in names
    assert "LYZ" not in names  # Ensembl's LYZ-Lyz3 lost to LYZ-Lyz2 and does not come back
    assert names < set(OrthologMap("mouse", "human").names)


def test_data_of_neither_species_are_refused(one2one):
    with pytest.raises(GeneError, match=r"read as pig; expected mouse or human"):
        one2one.projection(identify(["CD34"], species="pig"))
    with pytest.raises(GeneError, match="say which with species="):
        one2one.projection(identify(["foo"]))
    assert one2one.projection(identify(["Lyz2"], species="mouse"), species="Mus musculus").nnz == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"policy": "one2on"},
            r"unknown ortholog policy 'one2on'; expected one of one2one.*did you mean 'one2one'",
        ),
        ({"tiers": ("A", "X")}, r"unknown evidence tiers 'X'"),
        ({"target": "zebrafish"}, r"no ortholog table of mouse and zebrafish is bundled"),
        ({"target": "moose"}, r"unknown species 'moose'"),
    ],
)
def test_what_cannot_be_joined_is_refused(arguments, message):
    with pytest.raises(GeneError, match=message):
        OrthologMap(**({"source": "mouse", "target": "human"} | arguments))


def test_a_species_without_a_gene_table_has_no_map_onto_itself():
    with pytest.raises(GeneError, match="no gene table of zebrafish"):
        OrthologMap("zebrafish", "zebrafish")
