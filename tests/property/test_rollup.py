"""Roll-up, on simulated probabilities, for properties only."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.lineage import CellOntology
from orthotype.transfer.rollup import roll_up_proba

IDS = {
    "alpha": "CL:0000171",
    "beta": "CL:0000169",
    "T": "CL:0000084",
    "CD8 T": "CL:0000625",
    "B": "CL:0000236",
    "monocyte": "CL:0000576",
    "endothelial": "CL:0000115",
}


def draw(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(len(IDS), 0.3), size=n)


@given(seed=st.integers(0, 10_000), level=st.floats(0.55, 0.95), more=st.floats(0.0, 0.05))
@settings(deadline=None, max_examples=40)
def test_a_higher_level_never_gives_a_more_specific_label(seed: int, level: float, more: float) -> None:
    proba = draw(seed)
    low, high = (roll_up_proba(proba, list(IDS), IDS, level=x) for x in (level, level + more))
    size = {id(each): np.where(each.n_classes > 0, each.n_classes, len(IDS)) for each in (low, high)}
    assert (size[id(high)] >= size[id(low)]).all()


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_the_order_of_classes_and_cells_plays_no_part(seed: int) -> None:
    proba, rng = draw(seed), np.random.default_rng(seed)
    columns, rows = rng.permutation(len(IDS)), rng.permutation(len(proba))
    names = list(IDS)
    plain = roll_up_proba(proba, names, IDS, level=0.8)
    mixed = roll_up_proba(proba[rows][:, columns], [names[k] for k in columns], IDS, level=0.8)
    assert mixed.label.tolist() == plain.label[rows].tolist()
    np.testing.assert_allclose(mixed.probability, plain.probability[rows])


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_the_probability_is_that_of_the_classes_below_the_term(seed: int) -> None:
    ontology, proba = CellOntology.bundled(), draw(seed)
    found = roll_up_proba(proba, list(IDS), IDS, level=0.75)
    for i in np.flatnonzero(found.n_classes > 1):
        below = [found.term[i] in {ontology.id(t), *ontology.ancestors(t)} for t in IDS.values()]
        assert found.n_classes[i] == sum(below)
        assert np.isclose(found.probability[i], proba[i, below].sum())


def test_if_the_probabilities_are_honest_the_labels_are_right_as_often_as_stated() -> None:
    ontology, rng, proba = CellOntology.bundled(), np.random.default_rng(1), draw(1, 6000)
    true = (rng.random((6000, 1)) > proba.cumsum(axis=1)).sum(axis=1).clip(max=len(IDS) - 1)
    found = roll_up_proba(proba, list(IDS), IDS, level=0.9)
    terms = list(IDS.values())
    right = np.array(
        [
            term in {ontology.id(terms[k]), *ontology.ancestors(terms[k])} if n > 1 else name == list(IDS)[k]
            for name, term, n, k in zip(found.label, found.term, found.n_classes, true, strict=True)
        ]
    )
    for kept in (found.n_classes == 1, found.n_classes > 1):
        assert abs(right[kept].mean() - found.probability[kept].mean()) < 0.02
        assert right[kept].mean() > 0.9
