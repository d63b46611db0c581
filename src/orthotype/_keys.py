"""Every AnnData key and reserved word that orthotype reads or writes.

With the default ``key_added="orthotype"`` an annotated AnnData holds::

    obs["orthotype_label"]              the label, or one of the two reserved words below
    obs["orthotype_confidence"]         probability of the most probable class (calibrated), 0 to 1
    obs["orthotype_entropy"]            entropy of the class probabilities divided by its maximum, 0 to 1
    obs["orthotype_votes"]              how many fold models voted for the most voted class
    obs["orthotype_status"]             "assigned", "no agreement" or "unknown"
    obs["orthotype_ontology_term_id"]   Cell Ontology id of the label, where the source names one
    obsm["orthotype_proba"]             cells x classes, in the order of uns["orthotype"]["classes"]
    uns["orthotype"]                    how it was made: model, species, policy, coverage, seed, versions
"""

from typing import Final

KEY: Final = "orthotype"

LABEL: Final = "label"
CONFIDENCE: Final = "confidence"
ENTROPY: Final = "entropy"
VOTES: Final = "votes"
STATUS: Final = "status"
ONTOLOGY: Final = "ontology_term_id"
PROBA: Final = "proba"

ASSIGNED: Final = "assigned"
NO_AGREEMENT: Final = "no agreement"  # the fold models disagree with each other
UNKNOWN: Final = "unknown"  # the cell fits none of the classes

RESERVED_LABELS: Final = frozenset({NO_AGREEMENT, UNKNOWN})


def column(name: str, *, key_added: str = KEY) -> str:
    """Return the obs or obsm key of one result, such as ``orthotype_label``."""
    return f"{key_added}_{name}"
