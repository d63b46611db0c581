"""Every AnnData key and reserved word that orthotype reads or writes.

With the default ``key_added="orthotype"`` an annotated AnnData holds::

    obs["orthotype_label"]              the label, or one of the two reserved words below
    obs["orthotype_confidence"]         probability of the most probable class (calibrated), 0 to 1
    obs["orthotype_entropy"]            entropy of the class probabilities divided by its maximum, 0 to 1
    obs["orthotype_votes"]              how many fold models voted for the most voted class
    obs["orthotype_status"]             "assigned", "no agreement" or "unknown"
    obs["orthotype_nearest_class"]      the most probable class, whatever the status
    obs["orthotype_group"]              proposed type of an unknown cell, such as "unknown 1"
    obs["orthotype_set"]                classes that cannot be ruled out, if the model was calibrated
    obs["orthotype_rolled_up"]          the most specific class or Cell Ontology parent that is 90 % certain
    obs["orthotype_ontology_term_id"]   Cell Ontology id of the label, where the source names one
    obsm["orthotype_proba"]             cells x classes, in the order of uns["orthotype"]["classes"]
    uns["orthotype"]                    how it was made: model, species, policy, coverage, seed, versions
    uns["orthotype"]["transferability"] DataFrame, a row per gene of the model: orthotype.transferability
    uns["orthotype"]["markers"]         DataFrame, a row per class and marker: orthotype.marker_transfer

The last two are tables of their own, not columns of var: a gene of the model can be several genes of the
target, or none, and they stay whole when genes are chosen.
"""

from typing import Final

KEY: Final = "orthotype"

LABEL: Final = "label"
CONFIDENCE: Final = "confidence"
ENTROPY: Final = "entropy"
VOTES: Final = "votes"
STATUS: Final = "status"
NEAREST: Final = "nearest_class"
ONTOLOGY: Final = "ontology_term_id"
GROUP: Final = "group"
SET: Final = "set"
ROLLED_UP: Final = "rolled_up"
PROBA: Final = "proba"
TRANSFERABILITY: Final = "transferability"
MARKERS: Final = "markers"

ASSIGNED: Final = "assigned"
NO_AGREEMENT: Final = "no agreement"  # the fold models disagree with each other
UNKNOWN: Final = "unknown"  # the cell fits none of the classes

RESERVED_LABELS: Final = frozenset({NO_AGREEMENT, UNKNOWN})


def column(name: str, *, key_added: str = KEY) -> str:
    """Return the obs or obsm key of one result, such as ``orthotype_label``."""
    return f"{key_added}_{name}"
