"""The names that labels use: classes of the model, however they are spelled, and classes that it has not.

A name is a class of the model if it is its very name, if the two differ only in case, spaces, hyphens,
underscores or a plural s, or if both have the same Cell Ontology id, and no other class does. A name that
only looks alike is asked about, unless the ontology knows both and tells them apart. Any other name becomes a
new class; two spellings of one are asked about, too.

A new class begins with the weights of the class that the model takes its cells for: what is left to learn is
how they differ. Where it takes them for nothing, it begins with those of its nearest relative in the Cell
Ontology, if one of the model's classes is related to it, else with the mean weights of all classes, which
favour nothing.
"""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import OrthotypeWarning, Problems, listed, numbered
from orthotype.lineage import CellOntology
from orthotype.metrics.spelling import spelling
from orthotype.models.linear.softmax import softmax
from orthotype.transfer.state import ModelState

# Names that are so alike are asked about, share of characters in common, 0 to 1.
ALIKE = 0.8
# Mean probability from which on cells are taken for a class, 0 to 1.
TAKEN_FOR = 0.25


@dataclass(frozen=True)
class Names:
    """What the names of the labels are to the model.

    Attributes
    ----------
    known
        Name to class of the model.
    matched
        Name to the reason, for names that are not the class's very name.
    new
        Names of new classes, sorted.
    ids
        Name to Cell Ontology id, for new classes that have one.
    """

    known: dict[str, str]
    matched: dict[str, str]
    new: tuple[str, ...]
    ids: dict[str, str]


def match_names(
    names: Collection[str],
    state: ModelState,
    *,
    ids: Mapping[str, str],
    new_classes: Collection[str],
    problems: Problems,
) -> Names:
    """Return which class of the model every name is, and which names are new; note what has to be asked.

    Parameters
    ----------
    names
        Names of the labels.
    state
        The model.
    ids
        Cell Ontology ids of names, where the cells carry them.
    new_classes
        Names that are new classes whatever they look like.
    problems
        Where to note names that could be a class of the model, and new classes that no cell has.
    """
    classes = [str(name) for name in state.classes]
    ontology = CellOntology.bundled()
    class_ids = dict(zip(classes, map(str, state.ontology), strict=True))
    id_of = {name: ids.get(name) or class_ids.get(name) or ontology.find(name) or "" for name in names}
    of_class = {name: class_ids[name] or ontology.find(name) or "" for name in classes}
    known: dict[str, str] = {}
    matched: dict[str, str] = {}
    new: list[str] = []
    for name in sorted(names):
        if name in classes:
            known[name] = name
        elif name in new_classes:
            new.append(name)
        else:
            partner, reason = _partner(name, id_of[name], of_class)
            if partner:
                known[name], matched[name] = partner, reason
            else:
                new.append(name)
    asked = {name: _alike(name, id_of[name], of_class) for name in new if name not in new_classes}
    _note(asked, names, classes, new_classes, problems)
    _note_spellings([name for name in new if name not in new_classes], problems)
    return Names(known, matched, tuple(new), {name: id_of[name] for name in new if id_of[name]})


def _partner(name: str, term: str, of_class: Mapping[str, str]) -> tuple[str, str]:
    """Return the one class that a name is another spelling of, and the reason; empty if there is none."""
    spelled = [other for other in of_class if _plain(other) == _plain(name)]
    if len(spelled) == 1:
        return spelled[0], "the names differ only in spelling"
    same = [other for other, its in of_class.items() if its and its == term]
    return (same[0], f"both are {term} in the Cell Ontology") if len(same) == 1 else ("", "")


def _plain(name: str) -> str:
    return spelling(name).removesuffix("s")


def _alike(name: str, term: str, of_class: Mapping[str, str]) -> list[str]:
    """Return classes whose names look like this one, the likest first; two terms of the ontology never do."""
    likeness = {
        other: SequenceMatcher(None, _plain(name), _plain(other), autojunk=False).ratio()
        for other, its in of_class.items()
        if not (term and its)
    }
    return sorted((o for o in likeness if likeness[o] >= ALIKE), key=lambda o: -likeness[o])


def _note(
    asked: Mapping[str, list[str]],
    names: Collection[str],
    classes: Collection[str],
    new_classes: Collection[str],
    problems: Problems,
) -> None:
    questions = [f"{name} (did you mean {listed(alike, most=2)}?)" for name, alike in asked.items() if alike]
    if questions:
        one, many = "class is not in the model but looks", "classes are not in the model but look"
        problems.add(
            f"{numbered(len(questions), one, many)} like one of its own: {'; '.join(questions[:5])}",
            expected="a class of the model, or a new class that is named as one",
            remedy="rename the labels, or name new classes (new_classes=[...], --new-class)",
        )
    unused = sorted(set(new_classes) - set(names))
    if unused:
        problems.add(f"no cell has the label of the new classes {listed(unused)}")
    old = sorted(set(new_classes) & set(classes))
    if old:
        problems.add(
            f"{listed(old)} are classes of the model already", remedy="leave them out of the new ones"
        )


def _note_spellings(new: Collection[str], problems: Problems) -> None:
    """Note names of new classes that differ only in spelling: one class, or several that are named as new."""
    spelled: dict[str, list[str]] = {}
    for name in new:
        spelled.setdefault(_plain(name), []).append(name)
    several = [" and ".join(map(repr, alike)) for alike in spelled.values() if len(alike) > 1]
    if several:
        problems.add(
            f"names of new classes differ only in spelling: {', '.join(several[:5])}",
            expected="one name for each class",
            remedy="spell them alike, or name them as new classes (new_classes=[...], --new-class)",
        )


def tell(names: Names, relatives: Mapping[str, str]) -> None:
    """Warn of names that were matched, and of classes that are new to the model."""
    if names.matched:
        told = [f"{name} is {names.known[name]} ({reason})" for name, reason in names.matched.items()]
        warnings.warn(
            numbered(len(told), "label is another name of a class", "labels are other names of classes")
            + f" of the model: {'; '.join(told[:5])}",
            OrthotypeWarning,
            stacklevel=4,
        )
    if names.new:
        begun = [f"{name} (begins as {relatives[name]})" if relatives[name] else name for name in names.new]
        warnings.warn(
            f"{numbered(len(begun), 'class is', 'classes are')} new to the model: {', '.join(begun[:5])}",
            OrthotypeWarning,
            stacklevel=4,
        )


def relative_of(term: str, state: ModelState) -> str:
    """Return the model's class that is most alike in the Cell Ontology, "" if none is related."""
    ontology = CellOntology.bundled()
    if term not in ontology:
        return ""
    found = {
        str(name): ontology.similarity(term, its)
        for name, its in zip(state.classes, map(str, state.ontology), strict=True)
        if its in ontology and ontology.related(term, its)
    }
    return max(found, key=lambda name: found[name], default="")


def beginnings(
    names: Names, state: ModelState, X: sp.csr_array, labels: NDArray[np.object_]
) -> dict[str, str]:
    """Return the class whose weights each new class begins with, "" for the mean of all.

    Parameters
    ----------
    names
        What :func:`match_names` found.
    state
        The model.
    X, labels
        Encoded labelled cells and their names.
    """
    coef, level = (
        each.mean(axis=0, dtype=np.float64) / state.temperature for each in (state.coef, state.intercept)
    )
    found = {}
    for name in names.new:
        proba = softmax(X[labels == name] @ coef.T + level).mean(axis=0)
        taken_for = str(state.classes[int(proba.argmax())])
        relative = relative_of(names.ids.get(name, ""), state)
        found[name] = taken_for if proba.max() >= TAKEN_FOR else relative
    return found
