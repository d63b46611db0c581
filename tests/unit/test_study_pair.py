"""A pair: both data sets in one feature space, classes matched, kept on disk without loss."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError
from orthotype.study.pair import Pair
from orthotype.study.pairing import Columns, make_pair
from orthotype.study.recipe import Recipe

LABELS = "cell_ontology_class"
RECIPE = Recipe(n_top_genes=100)


@pytest.fixture(scope="module")
def pair(small_mouse, small_human):
    columns = Columns(LABELS, LABELS, target_groups="donor")
    return make_pair(small_mouse, small_human, columns=columns, recipe=RECIPE)


def test_both_sides_stand_in_one_space(pair, small_mouse, small_human):
    assert pair.source.X.shape == (small_mouse.n_obs, len(pair.features))
    assert pair.target.X.shape == (small_human.n_obs, len(pair.features))
    assert pair.source.X.dtype == pair.target.X.dtype == np.float32
    assert (pair.source.species, pair.target.species) == ("mouse", "human")
    assert 100 < len(pair.features) <= 200


def test_codes_name_the_labels(pair, small_mouse, small_human):
    names = np.array(pair.names, dtype=object)
    assert names[pair.source.codes].tolist() == small_mouse.obs[LABELS].tolist()
    assert names[pair.target.codes].tolist() == small_human.obs[LABELS].tolist()
    assert pair.classes == tuple(sorted(set(small_mouse.obs[LABELS])))
    assert pair.target_only == ("pancreatic acinar cell",)
    assert pair.shared == tuple(range(5))
    assert pair.source_only == ()
    assert pair.target.groups.tolist() == small_human.obs["donor"].tolist()


def test_a_feature_is_the_same_gene_on_both_sides(pair, small_mouse, small_human):
    for name, mouse, human in (("INS", "Ins2", "INS"), ("SST", "Sst", "SST"), ("GCG", "Gcg", "GCG")):
        if name in pair.features:
            j = pair.features.index(name)
            seen = np.asarray(small_human[:, human].X.todense()).ravel() > 0
            np.testing.assert_array_equal(pair.target.X[:, [j]].toarray().ravel() > 0, seen)
            seen = np.asarray(small_mouse[:, mouse].X.todense()).ravel() > 0
            np.testing.assert_array_equal(pair.source.X[:, [j]].toarray().ravel() > 0, seen)
    assert {"SST", "GCG"} <= set(pair.features)


def test_a_pair_comes_back_from_disk_alike(pair, tmp_path):
    pair.write(tmp_path)
    again = Pair.open(tmp_path)
    assert again.content_hash == pair.content_hash
    assert (again.source.X != pair.source.X).nnz == 0
    assert again.names == pair.names
    assert again.facts == pair.facts
    np.testing.assert_array_equal(again.target.groups, pair.target.groups)


@pytest.mark.parametrize("change", ["label", "value", "feature", "donor", "fact"])
def test_the_hash_sees_every_change(pair, change):
    target = pair.target
    codes, X, groups = target.codes.copy(), target.X.copy(), target.groups.copy()
    codes[0], X.data[0], groups[0] = -1, X.data[0] + 1, "another"
    changed = {
        "label": replace(pair, target=replace(target, codes=codes)),
        "value": replace(pair, target=replace(target, X=X)),
        "feature": replace(pair, features=(*pair.features[:-1], "X")),
        "donor": replace(pair, target=replace(target, groups=groups)),
        "fact": replace(pair, facts={**pair.facts, "lineage": {}}),
    }[change]
    assert changed.content_hash != pair.content_hash


def test_names_are_matched_by_spelling_and_by_id(small_mouse, small_human):
    mouse, human = small_mouse.copy(), small_human.copy()
    human.obs["named"] = human.obs[LABELS].replace(
        {"endothelial cell": "Endothelial_cell", "pancreatic A cell": "alpha"}
    )
    pair = make_pair(mouse, human, columns=Columns(LABELS, "named"), recipe=RECIPE)
    assert pair.shared == tuple(range(5))
    assert sorted(note.split(" (")[0] for note in pair.facts["matches"]) == ["'Endothelial_cell'", "'alpha'"]


def test_cells_without_a_label_have_no_class(small_mouse, small_human):
    human = small_human.copy()
    column = human.obs[LABELS].to_numpy(dtype=object).copy()
    column[:7] = [None, "", "nan", "NA", None, None, None]
    human.obs["partly"] = pd.Series(column, index=human.obs_names, dtype=object)
    pair = make_pair(small_mouse, human, columns=Columns(LABELS, "partly"), recipe=RECIPE)
    assert (pair.target.codes[:7] == -1).all()
    assert (pair.target.codes[7:] >= 0).all()


def test_labels_that_share_nothing_are_told(small_mouse, small_human):
    human = small_human.copy()
    human.obs["other"] = "liver " + human.obs["donor"].astype(str)
    with pytest.raises(InputError, match=r"no label in 'other' .*is a source class .*expected at least one"):
        make_pair(small_mouse, human, columns=Columns(LABELS, "other"), recipe=RECIPE)


def test_a_class_may_not_be_called_all(small_mouse, small_human):
    human = small_human.copy()
    human.obs["other"] = human.obs[LABELS].replace({"pancreatic acinar cell": "all"})
    with pytest.raises(InputError, match="a class is named 'all'"):
        make_pair(small_mouse, human, columns=Columns(LABELS, "other"), recipe=RECIPE)


def test_every_problem_of_the_target_comes_at_once(small_mouse, small_human):
    columns = Columns(LABELS, "celltype", target_groups="patient", target_species="mouse")
    with pytest.raises(InputError) as refused:
        make_pair(small_mouse, small_human, columns=columns, recipe=RECIPE)
    assert len(refused.value.problems) == 3
    assert refused.value.subject == "the target"
