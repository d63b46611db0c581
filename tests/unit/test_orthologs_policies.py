import pytest

from orthotype.genes.policies import features
from orthotype.genes.tables import Pairs


def pairs(*rows):
    """Make a small table of (source, target, one to one, tier, Ensembl type, votes)."""
    source, target, one, tier, ensembl, votes = (list(column) for column in zip(*rows, strict=True))
    return Pairs(
        source="mouse",
        target="human",
        source_ids=source,
        target_ids=target,
        one=one,
        tier=tier,
        ensembl=ensembl,
        votes=votes,
        confident=[True] * len(rows),
        release={},
    )


TABLE = pairs(
    ("m1", "h1", True, "A", "1:1", 12),
    ("m2", "h2", True, "C", "1:n", 9),
    ("m2b", "h2", False, "M", "1:n", 3),
    ("m3", "h3", False, "M", "n:m", 6),
    ("m3", "h3b", False, "M", "n:m", 4),
    ("m3b", "h3b", False, "M", "n:m", 5),
    ("m1", "h4", False, "M", "", 3),
    ("m5", "h5", True, "D", "1:1", 1),
    ("m6", "h6", False, "M", "1:n", 0),
    ("m6", "h6b", False, "M", "", 8),
)


def found(policy, tiers="ACBD"):
    chosen = features(TABLE, policy, tiers)
    return list(zip(chosen.source, chosen.target, strict=True))


def test_one2one_keeps_only_what_the_whole_table_calls_so():
    assert found("one2one") == [(("m1",), ("h1",)), (("m2",), ("h2",)), (("m5",), ("h5",))]
    assert found("one2one", tiers="A") == [(("m1",), ("h1",))]


def test_groups_join_families_and_leave_a_sure_pair_alone():
    assert found("groups") == [
        (("m1",), ("h1",)),
        (("m2", "m2b"), ("h2",)),
        (("m3", "m3b"), ("h3", "h3b")),
        (("m5",), ("h5",)),
        (("m6",), ("h6", "h6b")),
    ]


def test_best_gives_each_gene_its_surest_free_partner():
    assert found("best") == [
        (("m1",), ("h1",)),
        (("m2",), ("h2",)),
        (("m3",), ("h3",)),
        (("m3b",), ("h3b",)),
        (("m5",), ("h5",)),
        (("m6",), ("h6b",)),
    ]


def test_first_takes_ensembls_first_row_of_each_gene():
    assert found("first") == [
        (("m1",), ("h1",)), (("m2",), ("h2",)), (("m3",), ("h3",)), (("m3b",), ("h3b",)), (("m5",), ("h5",)),
        (("m6",), ("h6",)),
    ]  # fmt: skip


def test_a_component_too_large_for_a_family_falls_back_to_its_one_to_one_pairs():
    rows = [("m0", "h0", True, "C", "n:m", 9)]
    rows += [("m0", f"h{n}", False, "M", "n:m", 3) for n in range(1, 60)]
    chosen = features(pairs(*rows), "groups", "ACBD")
    assert (chosen.source, chosen.target) == ([("m0",)], [("h0",)])


@pytest.mark.parametrize("policy", ["one2one", "groups", "best"])
def test_direction_does_not_matter(policy):
    there, back = features(TABLE, policy, "ACBD"), features(TABLE.reversed(), policy, "ACBD")
    assert (there.source, there.target) == (back.target, back.source)
