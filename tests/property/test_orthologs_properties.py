"""What holds for every ortholog table and every set of genes. The tables here are invented."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.genes import OrthologMap, identify
from orthotype.genes.policies import POLICIES
from orthotype.genes.tables import gene_table

FEW = settings(deadline=None, max_examples=25)
PAIR = st.tuples(st.integers(0, 7), st.integers(0, 7))
TABLES = st.lists(PAIR, min_size=1, max_size=25)
MOUSE_NAMES = [symbol for symbol in gene_table("mouse").symbol_of.values() if symbol]


def table_of(rows):
    return pd.DataFrame([(f"rat{a}", f"fish{b}") for a, b in rows], columns=["rat", "zebrafish"])


def made(rows, policy):
    return OrthologMap("rat", "zebrafish", policy=policy, table=table_of(rows))


@settings(deadline=None)
@given(rows=TABLES, policy=st.sampled_from(POLICIES))
def test_no_gene_is_in_two_features(rows, policy):
    orthologs = made(rows, policy)
    for members in (orthologs.source_members, orthologs.target_members):
        genes = [gene for feature in members for gene in feature]
        assert len(genes) == len(set(genes))


@settings(deadline=None)
@given(rows=TABLES)
def test_one_to_one_means_alone_in_the_whole_table(rows):
    orthologs = made(rows, "one2one")
    pairs = set(rows)
    alone = {
        (f"rat{a}", f"fish{b}")
        for a, b in pairs
        if sum(a == other for other, _ in pairs) == 1 and sum(b == other for _, other in pairs) == 1
    }
    found = {(s[0], t[0]) for s, t in zip(orthologs.source_members, orthologs.target_members, strict=True)}
    assert found == alone


@settings(deadline=None)
@given(rows=TABLES, data=st.data())
def test_a_one_to_many_gene_is_never_one_to_one_whatever_genes_the_data_have(rows, data):
    orthologs = made(rows, "one2one")
    several = {f"rat{a}" for a, b in rows if len({y for x, y in rows if x == a}) > 1}
    names = data.draw(st.lists(st.sampled_from([f"rat{n}" for n in range(8)]), unique=True, min_size=1))
    P = orthologs.projection(identify(names, species="rat"))
    mapped = {name for name, count in zip(names, P.sum(axis=1), strict=True) if count}
    assert not mapped & several


@settings(deadline=None)
@given(rows=TABLES, policy=st.sampled_from(["one2one", "groups"]), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, policy, random):
    shuffled = rows + rows[:3]
    random.shuffle(shuffled)

    def members(orthologs):
        sides = zip(orthologs.source_members, orthologs.target_members, strict=True)
        return {(frozenset(source), frozenset(target)) for source, target in sides}

    assert members(made(rows, policy)) == members(made(shuffled, policy))


@settings(deadline=None)
@given(rows=TABLES, policy=st.sampled_from(["one2one", "groups", "best"]))
def test_the_other_direction_has_the_same_features(rows, policy):
    there = made(rows, policy)
    back = OrthologMap("zebrafish", "rat", policy=policy, table=table_of(rows))
    one = {
        (frozenset(s), frozenset(t)) for s, t in zip(there.source_members, there.target_members, strict=True)
    }
    other = {
        (frozenset(t), frozenset(s)) for s, t in zip(back.source_members, back.target_members, strict=True)
    }
    assert one == other


@FEW
@given(
    names=st.lists(st.sampled_from(MOUSE_NAMES), min_size=1, max_size=60),
    policy=st.sampled_from(POLICIES),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_genes_and_the_rest_of_the_data_do_not_matter(names, policy, random):
    orthologs = bundled(policy)
    P = orthologs.projection(identify(names, species="mouse"))
    order = list(range(len(names)))
    random.shuffle(order)
    kept = order[: max(1, len(order) // 2)]
    part = orthologs.projection(identify([names[row] for row in kept], species="mouse"))
    assert (part != P[kept]).nnz == 0
    assert P.sum(axis=1).max() <= 1


@FEW
@given(names=st.lists(st.sampled_from(MOUSE_NAMES), min_size=1, max_size=60), seed=st.integers(0, 2**32 - 1))
def test_aligning_keeps_every_count_of_a_mapped_gene(names, seed):
    orthologs = bundled("groups")
    genes = identify(names, species="mouse")
    X = np.random.default_rng(seed).poisson(2, size=(5, len(names)))
    P = orthologs.projection(genes)
    mapped = P.sum(axis=1) > 0
    assert np.array_equal((X @ P).sum(axis=1), X[:, mapped].sum(axis=1))
    found = orthologs.coverage(genes, totals=X.sum(axis=0))
    assert found.n_mapped == mapped.sum()
    if X.sum():
        assert found.share_mapped == pytest.approx(X[:, mapped].sum() / X.sum())


MADE = {}


def bundled(policy):
    if policy not in MADE:
        MADE[policy] = OrthologMap("mouse", "human", policy=policy)
    return MADE[policy]
