"""Proposed new types: on real cells of a type that the source lacks, and on simulated ones for properties."""

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.cells.table import CellTable, open_cells
from orthotype.errors import InputError
from orthotype.models.groups import Places, find_groups, join_groups, likeness, profiles_of
from orthotype.transfer import proposals, unknown_cells
from orthotype.transfer.proposals import Proposals, propose_for, propose_groups

if TYPE_CHECKING:
    from anndata import AnnData

ACINAR = "pancreatic acinar cell"


@pytest.fixture(scope="module")
def small_model(small_mouse: "AnnData", small_human: "AnnData") -> ot.LabelTransfer:
    """Give a model of the 400 mouse cells, made with the human cells in view."""
    return ot.LabelTransfer().fit(
        small_mouse, labels="cell_ontology_class", species="mouse", target=small_human
    )


@pytest.fixture(scope="module")
def annotated(small_model: ot.LabelTransfer, small_human: "AnnData") -> "AnnData":
    return small_model.annotate(small_human)


@pytest.fixture(scope="module")
def found(annotated: "AnnData") -> Proposals:
    return ot.propose_types(annotated)


def test_a_type_that_the_source_lacks_comes_out_as_a_group(found: Proposals, annotated: "AnnData") -> None:
    true = annotated.obs["cell_ontology_class"].to_numpy() == ACINAR
    inside = (found.cells == "unknown 1").to_numpy()
    assert true[inside].mean() > 0.95
    assert inside[true].mean() > 0.8
    assert found.groups.loc["unknown 1", "probably"] == ""
    assert found.groups.loc["unknown 1", "cells"] == inside.sum()


def test_its_marker_genes_are_those_of_the_type(found: Proposals) -> None:
    genes = found.markers.loc[found.markers["group"] == "unknown 1", "gene"].tolist()
    assert {"PRSS1", "CPA1", "CTRB1"} <= set(genes)
    first = found.markers.iloc[0]
    assert first["rank"] == 1
    assert first["auroc"] > 0.9
    assert first["fraction"] > first["fraction_others"]
    assert found.groups.loc["unknown 1", "markers"].split(", ") == genes[:5]


def test_only_unknown_cells_have_a_group(found: Proposals, annotated: "AnnData") -> None:
    unknown = (annotated.obs["orthotype_status"] == "unknown").to_numpy()
    assert found.cells.index.tolist() == annotated.obs_names.tolist()
    assert (found.cells.notna().to_numpy() == unknown).all()
    assert set(found.cells.cat.categories) == {*found.groups.index, "no group"}


@pytest.mark.parametrize("what", ["order", "block", "straight"])
def test_neither_order_nor_blocks_nor_the_way_there_matter(
    what: str, found: Proposals, annotated: "AnnData", small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    if what == "order":
        mixed = np.random.default_rng(3).permutation(annotated.n_obs)
        again = ot.propose_types(annotated[mixed].copy())
    elif what == "block":
        again = propose_groups(
            open_cells(annotated, subject="cells", species="human"),
            status=annotated.obs["orthotype_status"].astype(str).to_numpy(dtype=object),
            proba=annotated.obsm["orthotype_proba"],
            classes=annotated.uns["orthotype"]["classes"],
            block_size=7,
        )
    else:
        labelling = small_model.label(small_human)
        again = propose_for(labelling.table, labelling.predictions)
    assert again.cells.astype(object).reindex(found.cells.index).equals(found.cells.astype(object))
    assert again.groups.equals(found.groups)
    assert again.markers.equals(found.markers)


def test_cells_beyond_those_looked_at_join_the_groups(
    monkeypatch: pytest.MonkeyPatch, found: Proposals, annotated: "AnnData"
) -> None:
    monkeypatch.setattr(unknown_cells, "MOST_UNKNOWN", 30)
    again = ot.propose_types(annotated)
    true = annotated.obs["cell_ontology_class"].to_numpy() == ACINAR
    inside = (again.cells == "unknown 1").to_numpy()
    assert inside.sum() > 35
    assert true[inside].mean() > 0.95
    assert again.groups.loc["unknown 1", "cells"] == inside.sum()


def test_misfits_of_a_class_are_told_from_a_new_type(annotated: "AnnData") -> None:
    few = annotated.copy()
    status = few.obs["orthotype_status"].astype(str).to_numpy(dtype=object)
    alpha = few.obs["cell_ontology_class"].to_numpy() == "pancreatic A cell"
    status[np.flatnonzero(alpha)[:12]] = "unknown"
    few.obs["orthotype_status"] = status
    groups = ot.propose_types(few)
    misfits = groups.cells[alpha & (status == "unknown")].value_counts().index[0]
    assert groups.groups.loc[misfits, "probably"] == "pancreatic A cell"
    assert groups.groups.loc[misfits, "likeness"] > 0.8
    assert groups.groups.loc["unknown 1", "probably"] == ""


@pytest.mark.parametrize(
    ("same", "standing", "tail", "told"),
    [(0.8, 9, 0.0, True), (9, 0.3, 0.4, True), (9, 9, 0.4, False), (9, 0.3, 0.0, False)],
)
def test_misfits_are_much_like_the_class_or_a_tail_of_it(
    monkeypatch: pytest.MonkeyPatch,
    annotated: "AnnData",
    same: float,
    standing: float,
    tail: float,
    told: bool,
) -> None:
    for name, value in (("THE_SAME", same), ("STANDING", standing), ("TAIL", tail)):
        monkeypatch.setattr(proposals, name, value)
    few = annotated.copy()
    status = few.obs["orthotype_status"].astype(str).to_numpy(dtype=object)
    alpha = few.obs["cell_ontology_class"].to_numpy() == "pancreatic A cell"
    status[np.flatnonzero(alpha)[:12]] = "unknown"
    few.obs["orthotype_status"] = status
    assert ("pancreatic A cell" in set(ot.propose_types(few).groups["probably"])) == told


def test_without_unknown_cells_there_are_no_groups(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    none = ot.propose_types(small_model.annotate(small_human, unknown="none"))
    assert len(none.groups) == len(none.markers) == len(none.to_records()) == 0
    assert none.cells.isna().all()


def test_the_groups_fit_into_the_record(found: Proposals) -> None:
    rows = json.loads(json.dumps(found.to_records(), allow_nan=False))
    assert rows[0]["group"] == "unknown 1"
    assert rows[0]["nearest"] in {*found.groups["nearest"]}


def test_cells_without_annotation_and_a_negative_number_are_refused(
    small_human: "AnnData", annotated: "AnnData"
) -> None:
    with pytest.raises(InputError, match="no annotation"):
        ot.propose_types(small_human)
    with pytest.raises(InputError, match="n_markers is -1"):
        ot.propose_types(annotated, n_markers=-1)
    assert len(ot.propose_types(annotated, n_markers=0).markers) == 0


def simulated(rng: np.random.Generator, sizes: list[int]) -> tuple[sp.csr_array, np.ndarray]:
    """Return simulated counts of types that each have twenty genes of their own, and the types."""
    types = np.repeat(np.arange(len(sizes)), sizes)
    rate = np.full((len(types), 200), 0.3)
    for k in range(len(sizes)):
        rate[np.ix_(types == k, np.arange(20 * k, 20 * k + 20))] = 3.0
    return sp.csr_array(rng.poisson(rate).astype(np.float32)), types


@pytest.mark.parametrize("sizes", [[40, 30, 20], [60, 8, 8, 8]])
def test_groups_are_the_types_of_simulated_cells(rng: np.random.Generator, sizes: list[int]) -> None:
    rows, types = simulated(rng, sizes)
    codes = find_groups(Places.learn(rows).place(rows))
    for k in range(len(sizes)):
        values, counts = np.unique(codes[(types == k) & (codes >= 0)], return_counts=True)
        assert counts.max() >= 0.7 * sizes[k]
        assert set(types[codes == values[counts.argmax()]]) == {k}


def test_cells_are_seen_from_their_mean(rng: np.random.Generator) -> None:
    rows, types = simulated(rng, [40, 40])
    places = Places.learn(rows).place(rows)
    assert places[types == 0].mean(axis=0) @ places[types == 1].mean(axis=0) < 0
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)


def test_too_few_cells_are_no_group_and_strangers_join_none(rng: np.random.Generator) -> None:
    rows, types = simulated(rng, [20, 20])
    places = Places.learn(rows).place(rows)
    assert (find_groups(places[:9]) == -1).all()
    joined = join_groups(places[::2], known=places[1::2], codes=types[1::2] - (types[1::2] == 1) * 2)
    assert (joined[types[::2] == 0] == 0).all()
    assert (joined[types[::2] == 1] == -1).all()


def test_likeness_stands_between_the_next_class_and_the_class_itself(rng: np.random.Generator) -> None:
    rows, types = simulated(rng, [60, 60, 30])
    members = {0: np.flatnonzero(types == 0)[:40], 1: np.flatnonzero(types == 1)}
    about = {"own": members[0], "profiles": profiles_of(rows, members), "to": 0, "seed": 0}
    own = likeness(rows, np.flatnonzero(types == 0)[40:], **about)
    other = likeness(rows, np.flatnonzero(types == 2), **about)
    assert own.standing > 0.8
    assert other.standing < 0.2
    assert own.own > own.next


def test_four_unknown_cells_are_too_few_for_a_group(annotated: "AnnData") -> None:
    table: CellTable = open_cells(annotated, subject="cells", species="human")
    status = np.full(table.n_cells, "assigned", dtype=object)
    status[:4] = "unknown"
    few = propose_groups(
        table,
        status=status,
        proba=annotated.obsm["orthotype_proba"],
        classes=annotated.uns["orthotype"]["classes"],
    )
    assert few.cells.astype(object).tolist()[:4] == ["no group"] * 4
    assert len(few.groups) == 0
