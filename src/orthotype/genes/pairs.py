"""The pairs of any two species: bundled with human, turned round, or composed through human."""

import hashlib
from collections import defaultdict
from functools import cache

from orthotype.errors import GeneError
from orthotype.genes.species import TABLED, Species
from orthotype.genes.tables import Pairs, human_pairs

_WORSE = {"A": 0, "C": 1, "B": 2, "D": 3, "M": 4}


@cache
def bundled_pairs(source: str, target: str) -> Pairs:
    """Return the pairs of two species from the bundled tables.

    Raises
    ------
    GeneError
        If no bundled table reaches one of the two.
    """
    lost = [name for name in (source, target) if name not in TABLED]
    if lost:
        raise GeneError(
            f"no ortholog table of {source} and {target} is bundled; expected two of {', '.join(TABLED)}; "
            f"give a table of your own (two columns: genes of {source}, genes of {target})"
        )
    if source == "human":
        return human_pairs(target)
    if target == "human":
        return human_pairs(source).reversed()
    return _through_human(human_pairs(source).reversed(), human_pairs(target))


def has_bundled_pairs(source: Species, target: Species) -> bool:
    """Return whether the bundled tables reach both species."""
    return source.has_table and target.has_table


def _through_human(left: Pairs, right: Pairs) -> Pairs:
    """Join two tables on their human genes; a pair is as sure as the weaker of the two that made it."""
    of_human: dict[str, list[int]] = defaultdict(list)
    for row, human in enumerate(right.source_ids):
        of_human[human].append(row)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for i, human in enumerate(left.target_ids):
        for j in of_human.get(human, ()):
            key = left.source_ids[i], right.target_ids[j]
            if key not in found or (left.one[i] and right.one[j]):
                found[key] = i, j
    rows = list(found.values())
    one = [left.one[i] and right.one[j] for i, j in rows]
    return Pairs(
        source=left.source,
        target=right.target,
        source_ids=[left.source_ids[i] for i, _ in rows],
        target_ids=[right.target_ids[j] for _, j in rows],
        one=one,
        tier=[max(left.tier[i], right.tier[j], key=_WORSE.__getitem__) for i, j in rows],
        ensembl=[_cardinality(left.ensembl[i], right.ensembl[j]) for i, j in rows],
        votes=[left.votes[i] or right.votes[j] for i, j in rows],
        confident=[left.confident[i] or right.confident[j] for i, j in rows],
        middle=[left.target_ids[i] for i, _ in rows],
        hcop=[() for _ in rows],
        release=_both(left, right),
    )


def _cardinality(left: str, right: str) -> str:
    if not left or not right:
        return ""
    return max(left, right, key=("1:1", "1:n", "n:m").index)


def _both(left: Pairs, right: Pairs) -> dict[str, str]:
    sums = f"{left.release['sha256']}{right.release['sha256']}".encode()
    return {
        "name": f"{left.source} {right.target} orthologs",
        "release": f"{left.release['release']}; {right.release['release']}",
        "sha256": hashlib.sha256(sums).hexdigest(),
        "via": "human",
    }
