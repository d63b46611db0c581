"""Middles of classes, components without a dense matrix, and the angles between classes of two species."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.errors import ConvergenceWarning, InputError
from orthotype.study.similarity import class_similarity, dendrogram, geometric_median, principal_components


def test_the_median_of_one_two_and_equal_points():
    np.testing.assert_array_equal(geometric_median([[3.0, -1.0]]), [3.0, -1.0])
    np.testing.assert_allclose(geometric_median([[0.0, 0.0], [2.0, 2.0]]), [1.0, 1.0])
    np.testing.assert_array_equal(geometric_median([[5.0, 1.0]] * 4), [5.0, 1.0])


def test_a_point_with_most_of_the_weight_is_the_median_to_the_last_digit():
    points = [[1.0, 2.0]] * 3 + [[10.0, 0.0], [-3.0, 7.0]]
    np.testing.assert_array_equal(geometric_median(points), [1.0, 2.0])


def test_the_iteration_leaves_a_point_that_is_not_the_median():
    # The mean, where it starts, is the first point.
    points = np.array([[0.0, 0.0], [-9.0, 0.0], [3.0, 0.5], [3.0, -0.5], [3.0, 0.0]])
    np.testing.assert_array_equal(points.mean(axis=0), points[0])
    np.testing.assert_allclose(geometric_median(points), [3 - 0.5 / np.sqrt(3), 0.0], atol=1e-7)


def test_a_stray_cell_hardly_moves_the_median(rng):
    points = rng.standard_normal((99, 3))
    stray = np.vstack([points, [[1e6, 1e6, 1e6]]])
    assert np.linalg.norm(geometric_median(stray) - geometric_median(points)) < 0.1


def test_the_odd_median_on_a_line_is_the_median(rng):
    values = rng.standard_normal(31)
    np.testing.assert_allclose(geometric_median(values[:, None])[0], np.median(values), atol=1e-9)


def test_far_from_the_origin_and_at_any_scale_the_same(rng):
    points = rng.standard_normal((40, 4))
    middle = geometric_median(points)
    np.testing.assert_allclose(geometric_median(1e-6 * points) * 1e6, middle, atol=1e-8)
    np.testing.assert_allclose(geometric_median(points + 1e6) - 1e6, middle, atol=1e-7)


def test_too_few_steps_are_said():
    with pytest.warns(ConvergenceWarning, match="stopped after 2 steps"):
        geometric_median(np.random.default_rng(0).standard_normal((9, 2)), max_iter=2)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), [1.0, 2.0], [[np.nan, 0.0]]])
def test_no_points_are_refused(points):
    with pytest.raises(InputError, match="at least one row of finite coordinates"):
        geometric_median(points)


def test_components_are_orthonormal_signed_and_the_same_from_any_seed(rng):
    X = sp.csr_array(np.where(rng.random((60, 25)) < 0.3, rng.random((60, 25)) * 4, 0).astype(np.float32))
    space, other = (principal_components(X, n_components=5, seed=seed) for seed in (0, 7))
    np.testing.assert_allclose(space.axes @ space.axes.T, np.eye(5), atol=1e-10)
    np.testing.assert_allclose(space.axes, other.axes, atol=1e-8)
    assert (space.axes[np.arange(5), np.abs(space.axes).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(space.project(X).mean(axis=0), 0, atol=1e-6)
    again = principal_components(X, n_components=5, seed=0)
    np.testing.assert_array_equal(space.axes, again.axes)


def test_components_along_which_nothing_varies_are_left_out():
    line = np.outer(np.arange(12.0), np.array([1.0, 2.0, 0.0, 0.0, 1.0]))
    space = principal_components(sp.csr_array(line), n_components=3)
    assert space.axes.shape == (1, 5)
    np.testing.assert_allclose(space.explained, [1.0])


def test_components_need_enough_cells_and_cells_that_differ():
    with pytest.raises(InputError, match="16 components of 10 cells x 20 genes"):
        principal_components(sp.csr_array(np.eye(10, 20)), n_components=16)
    with pytest.raises(InputError, match="all 6 cells are equal"):
        principal_components(sp.csr_array(np.ones((6, 5))), n_components=2)


def test_a_species_compared_with_itself_has_every_class_at_one(rng):
    X = sp.csr_array((rng.random((80, 30)) < 0.3) * rng.random((80, 30)))
    codes = rng.integers(0, 4, 80)
    names = ["a", "b", "c", "d"]
    table = class_similarity(X, codes, X, codes, classes_s=names, classes_t=names, n_components=5)
    across = table.loc["source"]["target"]
    np.testing.assert_allclose(np.diag(across), 1.0)
    np.testing.assert_allclose(across, table.loc["source"]["source"], atol=1e-12)
    np.testing.assert_array_equal(table, table.T)


def test_order_of_classes_and_classes_without_cells(rng):
    X = sp.csr_array((rng.random((50, 20)) < 0.4) * 1.0)
    Z = sp.csr_array((rng.random((30, 20)) < 0.4) * 1.0)
    codes, z_codes = rng.integers(0, 3, 50), rng.integers(0, 2, 30)
    table = class_similarity(
        X, codes, Z, z_codes, classes_s=list("abc"), classes_t=list("xy"), n_components=4
    )
    turned = class_similarity(
        X, 3 - codes, Z, z_codes, classes_s=["none", *"cba"], classes_t=list("xy"), n_components=4
    )
    assert turned.index.tolist() == [("source", n) for n in "cba"] + [("target", n) for n in "xy"]
    np.testing.assert_allclose(turned.loc[table.index, table.columns], table, atol=1e-12)


def test_all_that_does_not_fit_is_said_at_once():
    X, Z = sp.csr_array(np.eye(6, 5)), sp.csr_array(np.eye(6, 4))
    with pytest.raises(InputError, match="3 problems"):
        class_similarity(
            X, np.zeros(5, int), Z, np.full(6, -1), classes_s=["a"], classes_t=["a"], n_components=2
        )


def test_the_tree_joins_the_closest_classes_first():
    angles = np.deg2rad([0, 10, 90, 120])
    cosines = np.cos(angles[:, None] - angles)
    names = list("abcd")
    tree = dendrogram(pd.DataFrame(cosines, index=names, columns=names))
    assert {*tree[0, :2]} == {0, 1}
    assert {*tree[1, :2]} == {2, 3}
    np.testing.assert_allclose(tree[:2, 2], 1 - np.cos(np.deg2rad([10, 30])))
    np.testing.assert_allclose(tree[2, 2], np.mean(1 - cosines[:2, 2:]))
    with pytest.raises(InputError, match="symmetric table"):
        dendrogram(pd.DataFrame(cosines[:3]))
