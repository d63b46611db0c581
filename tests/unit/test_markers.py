"""Marker genes of the bundled mouse cells, and whether human cells show them; real cells of known type."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import false_discovery_control, mannwhitneyu

import orthotype as ot
from orthotype.errors import InputError
from orthotype.models.rank_sums import gene_ranks
from orthotype.study.marker_sets import compare_cells, pools, random_sets, strata
from orthotype.study.markers import evidence_by_halves, marker_evidence, marker_test, source_markers
from orthotype.study.pairing import Columns, make_pair
from orthotype.study.recipe import Recipe

LABELS = Columns(source_labels="cell_type", target_labels="cell_type")


def baron(n_top_genes):
    mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    return make_pair(mouse, human, columns=LABELS, recipe=Recipe(n_top_genes=n_top_genes))


@pytest.fixture(scope="module")
def pair():
    """All shared genes of the mouse and human pancreas cells that are expressed enough."""
    return baron(20_000)


@pytest.fixture(scope="module")
def used():
    """Names of the genes that a model of these cells uses by default."""
    return baron(2_000).features


@pytest.fixture(scope="module")
def markers(pair):
    return source_markers(pair.source.X, pair.source.codes, classes=pair.classes, features=pair.features)


@pytest.fixture(scope="module")
def outside(pair, used):
    return source_markers(
        pair.source.X,
        pair.source.codes,
        classes=pair.classes,
        features=pair.features,
        exclude_features=used,
    )


def true_labels(pair):
    return np.array([*pair.names, None], dtype=object)[pair.target.codes]


def by_class(table):
    return table.set_index("class")


def test_the_textbook_markers_come_first(markers):
    first = markers[markers["rank"] <= 5].groupby("class")["gene"].agg(set)
    expected = {"alpha": {"GCG", "TTR"}, "beta": {"INS"}, "delta": {"SST"}, "gamma": {"PPY"}}
    expected |= {"B_cell": {"CD79A"}, "ductal": {"KRT8"}, "endothelial": {"CDH5"}, "macrophage": {"LYZ"}}
    for name, genes in expected.items():
        assert genes <= first[name], name


def test_a_marker_is_higher_in_its_class_than_in_every_other(pair, markers):
    X, codes = pair.source.X, pair.source.codes
    row = markers[markers["gene"] == "PPY"].iloc[0]
    column = pair.features.index("PPY")
    values = X[:, [column]].toarray().ravel()
    means = np.array([values[codes == k].mean() for k in range(pair.n_classes)])
    own = pair.classes.index(row["class"])
    assert row["class"] == "gamma"
    assert row["mean"] == pytest.approx(means[own])
    assert row["next_mean"] == pytest.approx(np.delete(means, own).max())
    assert means[pair.classes.index(row["next_class"])] == pytest.approx(row["next_mean"])
    assert row["fraction"] == pytest.approx((values[codes == own] > 0).mean())
    assert row["fraction_others"] == pytest.approx((values[codes != own] > 0).mean())
    assert row["p"] == pytest.approx(
        mannwhitneyu(
            values[codes == own], values[codes != own], alternative="greater", method="asymptotic"
        ).pvalue
    )
    everything = source_markers(X, codes, classes=pair.classes, features=pair.features, n=len(pair.features))
    assert (everything["difference"] > 0).all()
    assert (everything["p_adjusted"] <= 0.05).all()
    assert len(everything) > 2 * len(markers)
    assert (markers["p_adjusted"] >= markers["p"]).all()
    assert (markers["p_adjusted"] <= 0.05).all()
    assert (
        markers.groupby("class")["rank"]
        .agg(lambda ranks: list(ranks) == list(range(1, len(ranks) + 1)))
        .all()
    )


def test_evidence_is_shown_gene_by_gene(pair, markers):
    genes = markers.loc[markers["class"] == "alpha", "gene"].tolist()
    chosen = true_labels(pair) == "alpha"
    table = marker_evidence(pair.target.X, chosen, markers=genes, features=pair.features)
    assert table["gene"].tolist() == genes
    gcg = table.iloc[0]
    values = pair.target.X[:, [pair.features.index("GCG")]].toarray().ravel()
    assert gcg["gene"] == "GCG"
    assert gcg["mean"] == pytest.approx(values[chosen].mean())
    assert gcg["mean_others"] == pytest.approx(values[~chosen].mean())
    assert gcg["effect"] == pytest.approx(gcg["mean"] - gcg["mean_others"])
    assert gcg["fraction"] > 0.99
    assert gcg["auroc"] > 0.98
    assert table["p_adjusted"].to_numpy() == pytest.approx(false_discovery_control(table["p"]))


def test_cells_of_the_true_class_show_its_markers_also_outside_the_model(pair, markers, outside, used):
    labels = true_labels(pair)
    inside = by_class(marker_test(pair.target.X, labels, markers=markers, features=pair.features))
    fresh = by_class(
        marker_test(pair.target.X, labels, markers=outside, features=pair.features, exclude_features=used)
    )
    assert not set(outside["gene"]) & set(used)
    tested = inside.dropna(subset="p")
    assert (tested["p"] == tested[["p_cells", "p_genes"]].max(axis=1)).all()
    assert tested["p_adjusted"].to_numpy() == pytest.approx(false_discovery_control(tested["p"]))
    many = inside.index[(inside["cells"] >= 15) & (inside["genes"] == 20)]
    assert len(many) == 9
    assert (inside.loc[many, "p_adjusted"] < 0.001).all()
    assert (inside.loc[many, "auroc"] > 0.88).all()
    assert (fresh.loc[many, "p_adjusted"] < 0.001).all()
    assert (fresh.loc[many, "auroc"] > 0.7).all()
    assert inside.loc[["acinar", "epsilon", "mast"], ["genes", "cells"]].to_numpy().tolist() == [
        [0, 231],
        [0, 3],
        [0, 8],
    ]
    assert (
        inside.loc[["B_cell", "immune_other", "acinar"], ["auroc", "p", "p_adjusted"]].isna().all(axis=None)
    )


def test_cells_of_another_class_show_less_of_them(pair, outside, used):
    labels = true_labels(pair)
    wrong = labels.copy()
    wrong[labels == "endothelial"] = "schwann"
    wrong[labels == "mast"], wrong[labels == "macrophage"] = "macrophage", None
    wrong[labels == "acinar"], wrong[labels == "ductal"] = "endothelial", None
    table = by_class(
        marker_test(pair.target.X, wrong, markers=outside, features=pair.features, exclude_features=used)
    )
    assert (table.loc[["schwann", "macrophage", "endothelial"], "p_adjusted"] > 0.05).all()


def test_random_cells_show_nothing_as_often_as_they_should(pair, markers):
    """Twelve classes, three draws: about two of 36 p-values below 0.05 if the test holds its level."""
    labels, p = true_labels(pair), []
    for seed in range(3):
        mixed = np.random.default_rng(seed).permutation(labels)
        table = marker_test(
            pair.target.X, mixed, markers=markers, features=pair.features, n_draws=499, seed=seed
        )
        p += table["p"].dropna().tolist()
    assert len(p) > 30
    assert sum(value < 0.05 for value in p) <= 5


def test_random_genes_show_nothing_even_where_cells_differ(pair):
    """Alpha cells differ from others in many genes: over cells alone, random genes pass too often."""
    rng = np.random.default_rng(0)
    few = rng.choice(len(pair.features), 1_000, replace=False)
    X = sp.csr_array(pair.target.X[:600, few])
    alpha = true_labels(pair)[:600] == "alpha"
    ranks = gene_ranks(X)
    auroc = ranks.test(np.where(alpha, 0, -1), n_classes=1).auroc[0]
    groups = strata(np.asarray(X.sum(axis=0)).ravel(), np.ones(1_000, dtype=bool))
    over_genes, over_cells = [], []
    for _ in range(300):
        genes = rng.choice(1_000, 15, replace=False)
        matched = pools(genes, groups)
        drawn = random_sets(auroc, matched, 199, rng)
        over_genes.append((1 + (drawn >= auroc[genes].mean()).sum()) / 200)
        over_cells.append(compare_cells(ranks, alpha, matched)[1])
    assert 50 < alpha.sum() < 550
    assert 15 <= sum(p <= 0.1 for p in over_genes) <= 45
    assert sum(p <= 0.01 for p in over_cells) > 30


def test_markers_vary_together_so_few_random_cells_need_the_test_over_cells(pair, markers):
    rng = np.random.default_rng(0)
    few = np.flatnonzero(
        np.isin(np.arange(len(pair.features)) % 12, 0) | np.isin(pair.features, markers["gene"])
    )
    X, features = sp.csr_array(pair.target.X[:600, few]), np.asarray(pair.features)[few]
    genes = np.flatnonzero(np.isin(features, markers.loc[markers["class"] == "alpha", "gene"]))
    ranks = gene_ranks(X)
    matched = pools(genes, strata(np.asarray(X.sum(axis=0)).ravel(), np.ones(len(few), dtype=bool)))
    over_genes, over_cells = [], []
    for _ in range(200):
        chosen = np.isin(np.arange(600), rng.choice(600, 8, replace=False))
        auroc = ranks.test(np.where(chosen, 0, -1), n_classes=1).auroc[0]
        over_genes.append((random_sets(auroc, matched, 99, rng) >= auroc[genes].mean()).mean())
        over_cells.append(compare_cells(ranks, chosen, matched)[1])
    assert sum(p <= 0.05 for p in over_genes) > 20
    assert 3 <= sum(p <= 0.05 for p in over_cells) <= 18


def test_the_draws_of_a_class_depend_on_the_seed_alone(pair, markers):
    few = markers[markers["class"].isin(["gamma", "schwann"])]
    X, labels = pair.target.X[:500], true_labels(pair)[:500]
    one, same = (marker_test(X, labels, markers=few, features=pair.features, n_draws=99) for _ in range(2))
    pd.testing.assert_frame_equal(one, same)
    assert one["p_genes"].min() >= 1 / 100


class HalfLearner:
    """A nearest-mean classifier that remembers the totals of the genes it was given."""

    name = "half"

    def __init__(self):
        self.seen = []

    def fit(self, X, codes, *, n_classes, seed):
        self.seen.append(set(X.sum(axis=0).round(3).tolist()))
        means = np.vstack([np.asarray(X[codes == k].mean(axis=0)).ravel() for k in range(n_classes)])
        return NearestMean(means / np.linalg.norm(means, axis=1, keepdims=True))


class NearestMean:
    def __init__(self, means):
        self.means = means

    def predict_proba(self, X):
        scores = np.exp(X @ self.means.T)
        return scores / scores.sum(axis=1, keepdims=True)


def test_one_half_of_the_genes_speaks_for_what_the_other_half_called(pair):
    learner = HalfLearner()
    table = evidence_by_halves(
        learner,
        pair.source.X,
        pair.source.codes,
        target=pair.target.X,
        classes=pair.classes,
        features=pair.features,
        seed=3,
    )
    found = by_class(table)
    assert found["cells"].sum() == pair.target.X.shape[0]
    assert (found.loc[["endothelial", "macrophage", "beta"], "p_adjusted"] < 0.01).all()


def test_the_half_that_called_is_not_tested(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.uniform(1, 5, size=40), size=(80, 40)).astype(np.float32)
    X[40:, :20] *= 3
    X += np.arange(40, dtype=np.float32) / 64
    totals = dict(zip([f"g{j}" for j in range(40)], X.sum(axis=0).round(3).tolist(), strict=True))
    tested = []
    monkeypatch.setattr(
        "orthotype.study.markers.marker_test",
        lambda X, called, *, markers, exclude_features, **rest: tested.append((markers, exclude_features)),
    )
    learner = HalfLearner()
    evidence_by_halves(
        learner,
        sp.csr_array(X),
        np.repeat([0, 1], 40),
        target=sp.csr_array(X),
        classes=["low", "high"],
        features=list(totals),
    )
    (markers, excluded), *_ = tested
    assert {totals[gene] for gene in excluded} == learner.seen[0]
    assert len(markers) >= 5
    assert not set(markers["gene"]) & set(excluded)


def test_what_does_not_fit_is_refused(pair, markers):
    X, codes, features = pair.source.X, pair.source.codes, pair.features
    with pytest.raises(InputError) as raised:
        source_markers(X, codes[:-1], classes=pair.classes, features=[*features[:-1], features[0]])
    assert len(raised.value.problems) == 2
    with pytest.raises(InputError, match="leaves none of the"):
        source_markers(X, codes, classes=pair.classes, features=features, exclude_features=features)
    with pytest.raises(InputError, match="at least two classes"):
        source_markers(X, codes, classes=pair.classes[:1], features=features)
    with pytest.raises(InputError, match="1 markers are no features of the target \\('Gcg'\\)"):
        marker_evidence(X, codes == 3, markers=["Gcg"], features=features)


def test_a_class_of_no_cell_or_all_cells_has_no_p_value():
    X = sp.csr_array(np.random.default_rng(0).poisson(1.0, size=(20, 60)).astype(np.float32))
    features = [f"g{j}" for j in range(60)]
    markers = pd.DataFrame({"class": ["a", "a", "b"], "gene": ["g0", "g1", "g2"]})
    table = marker_test(X, ["a"] * 20, markers=markers, features=features, n_draws=9)
    assert table["cells"].tolist() == [20, 0]
    assert table["p"].isna().all()
    only = marker_test(
        X[:, :2], ["a"] * 10 + [None] * 10, markers=markers[:2], features=features[:2], n_draws=9
    )
    assert only["p"].isna().all()
    table = marker_evidence(X, np.zeros(20, dtype=bool), markers=["g0"], features=features)
    assert table["p"].tolist() == [1.0]
    empty = marker_evidence(X, np.arange(20) < 5, markers=["g0"], features=features, exclude_features=["g0"])
    assert empty.empty
