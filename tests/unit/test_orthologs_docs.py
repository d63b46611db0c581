"""The page on orthologs says what the code does: its examples run, its numbers are those of the tables."""

import re
from pathlib import Path

import pytest

from orthotype.genes import OrthologMap
from orthotype.genes.lookup import available, show
from orthotype.genes.tables import human_pairs

PAGE = (Path(__file__).parents[2] / "docs" / "orthologs.md").read_text(encoding="utf-8")


def test_its_examples_run_and_give_what_it_says():
    space = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks[:2]:
        exec(block, space)
        for line in block.splitlines():
            expression, mark, said = line.partition("  # ")
            if mark and said.strip()[:1] in "'[" and "=" not in expression:
                assert repr(eval(expression, space)) == said.strip().partition(", decided")[0]


def test_its_table_of_pairs_is_the_bundled_one():
    for row in available().query("source == 'human'").itertuples():
        assert f"| human, {row.target} | {row.pairs:,} | {row.one2one:,} |" in PAGE


@pytest.mark.parametrize("tier", "ACBD")
def test_its_tiers_count_the_one_to_one_pairs(tier):
    pairs = human_pairs("mouse")
    count = sum(one and kind == tier for one, kind in zip(pairs.one, pairs.tier, strict=True))
    assert re.search(rf"^\| {tier} \| .* \| {count:,} \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("policy", ["one2one", "groups", "best", "first"])
def test_its_policies_count_the_features(policy):
    orthologs = OrthologMap("mouse", "human", policy=policy)
    assert re.search(rf"^\| `{policy}` \| {orthologs.n_features:,}", PAGE, re.MULTILINE)
    sides = zip(orthologs.source_members, orthologs.target_members, strict=True)
    families = sum(len(source) + len(target) > 2 for source, target in sides)
    assert families in (0, 1088)


def test_its_example_of_a_tie_is_one():
    votes = [partner["hcop_votes"] for partner in show(["CXCL1"], targets=["mouse"])[0]["partners"]]
    assert votes == [5, 5, 5]
    assert not any(partner["one2one"] for partner in show(["CXCL1"], targets=["mouse"])[0]["partners"])
