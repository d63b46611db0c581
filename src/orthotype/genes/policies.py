"""How pairs of orthologs become features: the four policies, each a few lines over the whole table.

A feature is a set of genes of the source and a set of genes of the target whose counts are summed::

    one2one   the pairs that are one to one; nothing else
    groups    those, and every family of one-to-many and many-to-many genes as one feature
    best      each gene with its best partner that is still free, surest pairs first
    first     the first partner in the table's order, later ones dropped (as in Stumpf et al. 2020)

Which pairs are one to one was decided when the table was built, on all of its rows; a policy never counts
partners among the genes that happen to be in a data set.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from orthotype.errors import GeneError, listed, nearest
from orthotype.genes.tables import Pairs

POLICIES: Final = ("one2one", "groups", "best", "first")
_RANK: Final = {"A": 0, "C": 1, "B": 2, "D": 3, "U": 4, "M": 5}
_ENSEMBL_RANK: Final = {"1:1": 0, "1:n": 1, "n:m": 2, "": 3}
_LARGEST_FAMILY: Final = 40  # genes; larger components are chains of weak evidence, not families
_LEAST_VOTES: Final = 3


@dataclass(frozen=True)
class Features:
    """Genes of every feature on both sides, in the order of the table."""

    source: list[tuple[str, ...]]
    target: list[tuple[str, ...]]


def features(pairs: Pairs, policy: str, tiers: Collection[str]) -> Features:
    """Return the features of one policy.

    Raises
    ------
    GeneError
        If the policy or a tier is not known.
    """
    if policy not in POLICIES:
        close = nearest(policy, POLICIES)
        hint = f"; did you mean {listed(close)}?" if close else ""
        raise GeneError(f"unknown ortholog policy {policy!r}; expected one of {', '.join(POLICIES)}{hint}")
    if unknown := sorted(set(tiers) - set("ACBD")):
        raise GeneError(f"unknown evidence tiers {listed(unknown)}; expected some of A, C, B, D")
    one = [row for row in range(len(pairs)) if pairs.one[row] and pairs.tier[row] in {*tiers, "U"}]
    rows = {"one2one": one, "best": None, "first": None, "groups": None}[policy]
    if policy == "groups":
        return _groups(pairs, one)
    if policy == "best":
        rows = _best(pairs, one)
    elif policy == "first":
        rows = _first(pairs)
    chosen = rows or []
    return Features(
        [(pairs.source_ids[row],) for row in chosen], [(pairs.target_ids[row],) for row in chosen]
    )


def _best(pairs: Pairs, one: list[int]) -> list[int]:
    one_set = set(one)

    def rank(row: int) -> tuple[object, ...]:
        return (
            row not in one_set,
            _RANK[pairs.tier[row]],
            -pairs.votes[row],
            _ENSEMBL_RANK[pairs.ensembl[row]],
            not pairs.confident[row],
            min(pairs.source_ids[row], pairs.target_ids[row]),
            max(pairs.source_ids[row], pairs.target_ids[row]),
        )

    taken_source: set[str] = set()
    taken_target: set[str] = set()
    chosen = []
    for row in sorted(range(len(pairs)), key=rank):
        if pairs.source_ids[row] not in taken_source and pairs.target_ids[row] not in taken_target:
            taken_source.add(pairs.source_ids[row])
            taken_target.add(pairs.target_ids[row])
            chosen.append(row)
    return sorted(chosen)


def _first(pairs: Pairs) -> list[int]:
    """Keep each source gene's first row, then of those each target gene's first row."""
    seen_source: set[str] = set()
    seen_target: set[str] = set()
    chosen = []
    for row in range(len(pairs)):
        if not pairs.ensembl[row] and pairs.tier[row] != "U":
            continue
        if pairs.source_ids[row] in seen_source:
            continue
        seen_source.add(pairs.source_ids[row])
        if pairs.target_ids[row] not in seen_target:
            seen_target.add(pairs.target_ids[row])
            chosen.append(row)
    return chosen


def _groups(pairs: Pairs, one: list[int]) -> Features:
    """Return one-to-one pairs and families: connected components of all pairs that evidence supports.

    A pair of tier A is sure to be alone, so weaker pairs never join it to a family. A component too large to
    be a family falls back to its one-to-one pairs.
    """
    one_set = set(one)
    alone_source = {pairs.source_ids[row] for row in one if pairs.tier[row] == "A"}
    alone_target = {pairs.target_ids[row] for row in one if pairs.tier[row] == "A"}
    rows = [
        row
        for row in range(len(pairs))
        if row in one_set
        or (
            (
                pairs.ensembl[row] not in ("", "1:1")
                or pairs.votes[row] >= _LEAST_VOTES
                or pairs.tier[row] == "U"
            )
            and pairs.source_ids[row] not in alone_source
            and pairs.target_ids[row] not in alone_target
        )
    ]
    found = Features([], [])
    for family in _components(pairs, rows):
        source = dict.fromkeys(pairs.source_ids[row] for row in family)
        target = dict.fromkeys(pairs.target_ids[row] for row in family)
        if len(source) + len(target) <= _LARGEST_FAMILY:
            found.source.append(tuple(source))
            found.target.append(tuple(target))
        else:
            kept = [row for row in family if row in one_set]
            found.source.extend((pairs.source_ids[row],) for row in kept)
            found.target.extend((pairs.target_ids[row],) for row in kept)
    return found


def _components(pairs: Pairs, rows: list[int]) -> list[list[int]]:
    """Return the connected components of these pairs as lists of rows, in the order of their first row."""
    of_source: dict[str, list[int]] = defaultdict(list)
    of_target: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        of_source[pairs.source_ids[row]].append(row)
        of_target[pairs.target_ids[row]].append(row)
    seen: set[int] = set()
    components = []
    for start in rows:
        if start in seen:
            continue
        seen.add(start)
        stack, members = [start], []
        while stack:
            row = stack.pop()
            members.append(row)
            near = {*of_source[pairs.source_ids[row]], *of_target[pairs.target_ids[row]]} - seen
            seen |= near
            stack.extend(near)
        components.append(sorted(members))
    return components
