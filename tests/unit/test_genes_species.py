import pytest

from orthotype.errors import GeneError
from orthotype.genes.species import Species, known_species, resolve_species


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mouse", "mouse"),
        ("MOUSE", "mouse"),
        ("Mus musculus", "mouse"),
        ("mus_musculus", "mouse"),
        ("mmusculus", "mouse"),
        ("10090", "mouse"),
        ("NCBITaxon:9606", "human"),
        ("Macaca fascicularis", "cynomolgus"),
        ("crab-eating macaque", "cynomolgus"),
        ("fruit fly", "fly"),
        ("guinea_pig", "guinea pig"),
    ],
)
def test_every_usual_spelling_names_the_species(text, name):
    assert resolve_species(text).name == name


def test_a_species_of_ones_own_is_taken_as_it_is():
    axolotl = Species("axolotl", "Ambystoma mexicanum", 8296, "")
    assert resolve_species(axolotl) is axolotl
    assert not axolotl.has_table


def test_an_unknown_species_lists_those_known_and_the_nearest():
    with pytest.raises(GeneError, match=r"unknown species 'moose'; expected one of human, mouse.*'mouse'"):
        resolve_species("moose")


def test_no_two_species_share_a_name_a_taxon_or_a_prefix():
    species = known_species()
    for attribute in ("name", "taxon", "ensembl_prefix", "latin"):
        assert len({getattr(each, attribute) for each in species}) == len(species)
