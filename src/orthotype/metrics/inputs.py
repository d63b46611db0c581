"""What an evaluation is given, checked as a whole, and which classes each side has."""

from collections.abc import Sequence

import numpy.typing as npt

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import InputError, Problems, listed
from orthotype.metrics.calibration import checked_confidence, checked_proba
from orthotype.metrics.labels import Labels, Texts, as_labels, classes_of
from orthotype.metrics.spelling import spelling
from orthotype.metrics.tallies import Floats


def check_labels(truth: Texts, calls: Texts, source_classes: Sequence[str]) -> Problems:
    """Note predicted labels that are no source class, and a truth that shares no class with the source."""
    problems = Problems("evaluation")
    known = sorted({str(name) for name in source_classes} - RESERVED_LABELS)
    foreign = sorted(set(calls) - set(known) - RESERVED_LABELS)
    if foreign:
        problems.add(f"predicted labels that are no source class: {listed(foreign)}", expected=listed(known))
    if not set(truth) - {None}:
        problems.add("no cell has a true label", expected="at least one")
    elif not set(truth) & set(known):
        problems.add(
            f"no true class ({listed(classes_of(truth))}) is a source class ({listed(known)})",
            expected="at least one in common",
            remedy="rename the classes of one side",
        )
    return problems


def check_draws(problems: Problems, *, n_boot: int, level: float) -> None:
    """Note a number of draws or a level that there cannot be."""
    if n_boot < 0 or not 0 < level < 1:
        problems.add(f"n_boot={n_boot}, level={level}", expected="n_boot >= 0 and a level between 0 and 1")


def check_scores(
    problems: Problems,
    *,
    n_cells: int,
    n_classes: int,
    proba: npt.ArrayLike | None,
    confidence: npt.ArrayLike | None,
) -> tuple[Floats | None, Floats | None]:
    """Return probabilities and confidence, the latter from the former if need be; note what is wrong."""
    table = sure = None
    try:
        table = None if proba is None else checked_proba(proba)
        if table is not None and table.shape != (n_cells, n_classes):
            expected = f"cells x classes: ({n_cells}, {n_classes})"
            problems.add(f"proba has shape {table.shape}", expected=expected)
            table = None
    except InputError as error:
        problems.add(str(error))
    given = confidence if confidence is not None or table is None else table.max(axis=1)
    try:
        sure = None if given is None else checked_confidence(given, n_cells)
    except InputError as error:
        problems.add(str(error))
    return table, sure


def check_groups(problems: Problems, groups: Labels | None, n_cells: int) -> Texts | None:
    """Return one group per cell, or None; note what is wrong."""
    if groups is None:
        return None
    donors = as_labels(groups, name="groups")
    missing = sum(donor is None for donor in donors)
    if len(donors) != n_cells or missing:
        problems.add(
            f"groups has {len(donors):,} values, {missing:,} of them missing",
            expected=f"one for each of {n_cells:,} cells",
        )
    return donors


def sides(truth: Texts, source_classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the classes that both sides have, that only the source has and that only the truth names."""
    known, present = {str(name) for name in source_classes} - RESERVED_LABELS, set(truth)
    return tuple(sorted(known & present)), tuple(sorted(known - present)), tuple(sorted(present - known))


def notes_on(
    truth: Texts, source_only: Sequence[str], target_only: Sequence[str], n_missing: int
) -> tuple[str, ...]:
    """Say what the reader should know about the labels before the scores."""
    notes = []
    if n_missing:
        notes.append(f"{n_missing:,} cells have no true label and are left out.")
    by_spelling = {spelling(name): name for name in source_only}
    for name in target_only:
        twin = by_spelling.get(spelling(name))
        if twin is not None:
            notes.append(
                f"{name!r} (target) and {twin!r} (source) differ only in spelling and count as two classes; "
                "rename one if they are the same."
            )
        if name in RESERVED_LABELS or name.casefold() in {"nan", "none", "na", "<na>"}:
            cells = int((truth == name).sum())
            notes.append(f"The true label {name!r} of {cells:,} cells counts as a class of the target only.")
    return tuple(notes)
