"""The species that orthotype knows: English and Latin names, taxon, and how their Ensembl ids begin."""

import re
from dataclasses import dataclass

from orthotype.errors import GeneError, listed, nearest


@dataclass(frozen=True)
class Species:
    """One species: its name here, its Latin name, its NCBI taxon and the first letters of its gene ids.

    A species that orthotype does not know can be made and used with a table of your own:
    ``Species("axolotl", "Ambystoma mexicanum", 8296, "")``.
    """

    name: str
    latin: str
    taxon: int
    ensembl_prefix: str

    @property
    def has_table(self) -> bool:
        """Whether a gene table of this species is bundled, so that its symbols are understood."""
        return self.name in TABLED


TABLED = ("human", "mouse", "rhesus", "cynomolgus", "pig")

_KNOWN = (
    Species("human", "Homo sapiens", 9606, "ENSG"),
    Species("mouse", "Mus musculus", 10090, "ENSMUSG"),
    Species("rhesus", "Macaca mulatta", 9544, "ENSMMUG"),
    Species("cynomolgus", "Macaca fascicularis", 9541, "ENSMFAG"),
    Species("pig", "Sus scrofa", 9823, "ENSSSCG"),
    Species("rat", "Rattus norvegicus", 10116, "ENSRNOG"),
    Species("zebrafish", "Danio rerio", 7955, "ENSDARG"),
    Species("chicken", "Gallus gallus", 9031, "ENSGALG"),
    Species("fly", "Drosophila melanogaster", 7227, "FBgn"),
    Species("worm", "Caenorhabditis elegans", 6239, "WBGene"),
    Species("rabbit", "Oryctolagus cuniculus", 9986, "ENSOCUG"),
    Species("marmoset", "Callithrix jacchus", 9483, "ENSCJAG"),
    Species("mouse lemur", "Microcebus murinus", 30608, "ENSMICG"),
    Species("chimpanzee", "Pan troglodytes", 9598, "ENSPTRG"),
    Species("gorilla", "Gorilla gorilla", 9593, "ENSGGOG"),
    Species("dog", "Canis lupus familiaris", 9615, "ENSCAFG"),
    Species("cat", "Felis catus", 9685, "ENSFCAG"),
    Species("cow", "Bos taurus", 9913, "ENSBTAG"),
    Species("sheep", "Ovis aries", 9940, "ENSOARG"),
    Species("horse", "Equus caballus", 9796, "ENSECAG"),
    Species("guinea pig", "Cavia porcellus", 10141, "ENSCPOG"),
    Species("golden hamster", "Mesocricetus auratus", 10036, "ENSMAUG"),
    Species("ferret", "Mustela putorius furo", 9669, "ENSMPUG"),
    Species("opossum", "Monodelphis domestica", 13616, "ENSMODG"),
    Species("western clawed frog", "Xenopus tropicalis", 8364, "ENSXETG"),
)
_OTHER_NAMES = {
    "homo": "human",
    "mice": "mouse",
    "mus": "mouse",
    "macaque": "rhesus",
    "rhesus macaque": "rhesus",
    "rhesus monkey": "rhesus",
    "cynomolgus macaque": "cynomolgus",
    "cynomolgus monkey": "cynomolgus",
    "crab eating macaque": "cynomolgus",
    "swine": "pig",
    "fruit fly": "fly",
    "drosophila": "fly",
    "roundworm": "worm",
    "nematode": "worm",
    "lemur": "mouse lemur",
    "frog": "western clawed frog",
    "xenopus": "western clawed frog",
    "hamster": "golden hamster",
    "dog familiaris": "dog",
}


def _spellings() -> dict[str, Species]:
    by_name = {species.name: species for species in _KNOWN}
    found = {other: by_name[name] for other, name in _OTHER_NAMES.items()}
    for species in _KNOWN:
        words = species.latin.lower().split()
        short = "".join(word[0] for word in words[:-1]) + words[-1]  # mmusculus, as BioMart writes it
        for text in (species.name, " ".join(words), short, str(species.taxon), f"ncbitaxon:{species.taxon}"):
            found[text] = species
    return found


_BY_SPELLING = _spellings()


def known_species() -> tuple[Species, ...]:
    """Return every species that orthotype knows by name; those with a bundled gene table come first."""
    return _KNOWN


def resolve_species(text: "str | Species") -> Species:
    """Return the species meant by a name, a Latin name, BioMart's short name or an NCBI taxon.

    Raises
    ------
    GeneError
        If the text names no known species; the message lists those known and the nearest.

    Examples
    --------
    >>> resolve_species("Mus musculus").name, resolve_species("10090").name
    ('mouse', 'mouse')
    """
    if isinstance(text, Species):
        return text
    wanted = re.sub(r"[\s_-]+", " ", str(text)).strip().lower()
    if wanted in _BY_SPELLING:
        return _BY_SPELLING[wanted]
    close = nearest(wanted, _BY_SPELLING)
    hint = (
        f"did you mean {listed(close)}?" if close else "for another species make a Species(...) and a table"
    )
    known = ", ".join(species.name for species in _KNOWN)
    raise GeneError(f"unknown species {str(text)!r}; expected one of {known}; {hint}")
