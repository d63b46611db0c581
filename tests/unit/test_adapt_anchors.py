"""Anchors: cells that are found, a point half the way where none are, nothing where labels contradict."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype._keys import ASSIGNED, UNKNOWN
from orthotype.models.consensus import Votes
from orthotype.models.profiles import ClassProfiles
from orthotype.transfer.adapt.anchors import ANCHORS, FEWEST, Anchors, Sight, anchor_cells
from orthotype.transfer.labelling import Judged

K, P = 4, 6


@pytest.fixture
def profiles() -> ClassProfiles:
    mean = np.eye(K, P, dtype=np.float32) * 4
    return ClassProfiles(mean=mean, variance=np.ones_like(mean), n_cells=np.full(K, 9.0))


def sight(unlabelled: list[int], labelled: list[int], sure: float = 1.0, *, apart: float = 0.0) -> Sight:
    """Cells with a variance of one on each of two axes; the labelled ones ``apart`` on the first."""
    cells = np.array(unlabelled)
    n, m = len(cells), len(labelled)
    places = np.array([[(-1) ** i, (-1) ** (i // 2)] for i in range(n)] + [[apart, 0.0]] * m)
    return Sight(cells, np.array(labelled, dtype=int), np.full(n, sure >= 0.5), places.reshape(-1, 2))


def all_but(*new: int) -> np.ndarray:
    return ~np.isin(np.arange(K), new)


def anchors(
    profiles: ClassProfiles,
    seen: Sight | None,
    codes: list[int],
    *,
    new: tuple[int, ...] = (),
    shift: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    found = standing(profiles, seen, codes, new=new, shift=shift)
    return found.X.toarray(), found.codes


def standing(
    profiles: ClassProfiles,
    seen: Sight | None,
    codes: list[int],
    *,
    new: tuple[int, ...] = (),
    shift: float = 0.0,
) -> Anchors:
    n = 0 if seen is None else len(seen.unlabelled)
    cells = sp.csr_array(np.arange(1.0, n + 1)[:, None] * np.ones(P)) if n else None
    return anchor_cells(
        np.array(codes),
        known=all_but(*new),
        profiles=profiles,
        shift=np.full(P, shift),
        unlabelled=cells,
        sight=seen,
        random_state=0,
    )


def test_cells_that_are_assigned_to_a_class_stand_for_it(profiles: ClassProfiles) -> None:
    rows, codes = anchors(profiles, sight([2] * 30 + [1] * 30, [0, 3], apart=9.0), [0, 3])
    assert np.bincount(codes).tolist() == [0, ANCHORS, ANCHORS]
    assert (rows[codes == 2] <= 30).all()
    assert (rows[codes == 1] > 30).all()


def test_cells_nearer_to_labelled_ones_stand_for_nothing() -> None:
    places = np.array([0.0, 0.1, 0.2, 3.0, 3.1, 3.2, 3.3, 3.2])[:, None]
    seen = Sight(np.full(7, 2), np.array([0]), np.ones(7, dtype=bool), places)
    code = np.zeros(1, dtype=int)
    assert seen.nearer(np.arange(7), code).tolist() == [0, 1, 2], "the others lie with the label"
    assert seen.nearer(np.array([0, 1, 4, 5]), code).tolist() == [0, 1, 4, 5], "two would be left"
    assert not len(seen.nearer(np.arange(0), code))


def test_the_mean_of_sure_cells_stands_beside_the_labels_of_a_class(profiles: ClassProfiles) -> None:
    n = ANCHORS + 10
    rows, codes = anchors(profiles, sight([0] * n + [1] * n, [0, 1]), [0, 1])
    assert codes[:1].tolist() == [0], "the nearest labelled cell of all is that of class 0"
    assert (codes == 0).sum() == 1
    assert 1 <= rows[0, 0] <= n
    assert 1 not in codes, "labels speak against it: the nearest is of another class"
    assert 0 not in anchors(profiles, sight([0] * n, [0], sure=0.4), [0])[1]


@pytest.mark.parametrize(
    "seen", [None, sight([2] * (FEWEST - 1) + [0] * 30, [-1] * 3), sight([2] * 30, [-1] * 3, sure=0.4)]
)
def test_a_class_that_is_not_found_has_a_point_half_the_way(
    profiles: ClassProfiles, seen: Sight | None
) -> None:
    rows, codes = anchors(profiles, seen, [0, 1, 3], shift=0.5)
    assert codes[codes != 0].tolist() == [2]
    mean = profiles.mean + 0.5
    np.testing.assert_allclose(rows[-1], (mean.mean(axis=0) + mean[2]) / 2)


def test_labels_contradict_a_class_that_half_of_a_new_one_is_assigned_to(profiles: ClassProfiles) -> None:
    common = [2] * 90 + [0] * 10
    taken = sight(common, [2, 2, 0, 0, 1, 1, 1, 1])
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert taken.contradicted(codes, known=all_but(0))[2]
    found = standing(profiles, taken, codes.tolist(), new=(0,))
    assert 2 not in found.codes
    assert (found.covered, found.answered) == (False, True), "labels say what the target is called otherwise"
    seldom = sight(common, [2, 0, 0, 0, 1, 1, 1, 1])
    assert not seldom.contradicted(codes, known=all_but(0))[2], "a quarter of one class, and many cells"
    found = standing(profiles, seldom, codes.tolist(), new=(0,))
    assert 2 in found.codes
    assert (found.covered, found.answered) == (False, False)


def test_labels_of_a_known_class_contradict_where_labels_cover_the_target(profiles: ClassProfiles) -> None:
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    for others, covered in ((59, False), (61, True)):
        seen = sight([2] * 15 + [0] * others + [-1] * 50, [2] * 8)
        assert seen.contradicted(codes, known=all_but())[2] == covered
        found = standing(profiles, seen, codes.tolist())
        assert (2 in found.codes) == (not covered)
        assert found.weigh == (0.1 if covered else 0.3)
        assert seen.contradicted(codes, known=all_but(1))[2], "a new name may always be another name"


def test_labels_contradict_a_class_to_which_they_are_assigned_as_often_as_other_cells() -> None:
    codes = np.zeros(20, dtype=int)
    labelled = [2] * 2 + [0] * 18
    rare, common = (sight([2] * n + [0] * (100 - n), labelled) for n in (10, 50))
    assert rare.contradicted(codes, known=all_but(0))[2]
    assert not common.contradicted(codes, known=all_but(0))[2]


def test_labels_that_lie_elsewhere_contradict_nothing(profiles: ClassProfiles) -> None:
    labelled, codes = [2, 2, 2, 2], np.zeros(4, dtype=int)
    for apart, contradicted in ((0.0, True), (1.5, True), (3.0, False)):
        seen = sight([2] * 40 + [1] * 40, labelled, apart=apart)
        assert seen.contradicted(codes, known=all_but(0))[2] == contradicted
        assert (2 in anchors(profiles, seen, codes.tolist(), new=(0,))[1]) == (not contradicted)
    gone = sight([2] * (FEWEST - 1) + [1] * 40, labelled, apart=9.0)
    assert gone.contradicted(codes, known=all_but(0))[2], "hardly any other cell is assigned to it"


def test_no_anchor_is_below_zero(profiles: ClassProfiles) -> None:
    assert (anchors(profiles, None, [0], shift=-9.0)[0] >= 0).all()


def test_unknown_cells_are_assigned_to_no_class() -> None:
    proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.6, 0.4]], dtype=np.float32)
    status = np.array([ASSIGNED, UNKNOWN, ASSIGNED, ASSIGNED], dtype=object)
    votes = Votes(proba.argmax(axis=1), np.full(4, 5), np.ones(4, dtype=bool))
    judged = Judged(proba, votes, status, np.zeros(4), None, np.nan, {}, False, None)  # type: ignore[arg-type]
    found = Sight.of(judged, 3, np.array([3, 1]), np.zeros((4, 2)))
    assert found.unlabelled.tolist() == [3, -1, 3]
    assert found.labelled.tolist() == [3]
    assert found.sure.tolist() == [True, True, True]
