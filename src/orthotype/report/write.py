"""From plain tables to one HTML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from orthotype._files import written_whole
from orthotype._keys import CONFIDENCE, LABEL, STATUS
from orthotype.errors import Problems, listed
from orthotype.metrics import Evaluation
from orthotype.report.alignment import alignment
from orthotype.report.biology import biology
from orthotype.report.comparison import comparison
from orthotype.report.coverage import gene_coverage
from orthotype.report.genes import top_genes
from orthotype.report.inputs import how_it_was_run, what_went_in
from orthotype.report.lead import figures, lead
from orthotype.report.outcome import confidence_plot, labels_given, status_shares, votes_line
from orthotype.report.page import page
from orthotype.report.proposals import proposals

NEEDED = (LABEL, CONFIDENCE, STATUS)


def write_report(
    path: str | Path,
    *,
    title: str,
    run: Mapping[str, Any],
    card: Mapping[str, Any],
    predictions: pd.DataFrame,
    coverage: Mapping[str, Any],
    evaluation: Evaluation | None = None,
    genes: pd.DataFrame | None = None,
    details: Mapping[str, Any] | None = None,
    transferability: pd.DataFrame | None = None,
    markers: pd.DataFrame | None = None,
    rolled: pd.DataFrame | None = None,
    force: bool = False,
) -> Path:
    """Write one HTML file that says what was labelled, how well, from which genes and how to repeat it.

    The file needs no network and nothing beside it; it prints, and follows light and dark. A fact that is not
    given is left out, never guessed.

    Parameters
    ----------
    path
        File to write, whole or not at all.
    title
        Heading of the page.
    run
        How it was run: ``command``, ``created``, ``seed``, ``versions``, ``parameters``, ``files``,
        ``model_hash``, ``source`` and ``target`` (each with ``file``, ``species``, ``cells``, ``genes``,
        ``counts``, ``labels``). Every key may be missing.
    card
        The card of the model; every key may be missing.
    predictions
        One row per cell: ``label``, ``confidence``, ``status``, and if known ``votes`` and the ``true``
        label.
    coverage
        Gene coverage of ``source`` and ``target``, each as ``genes.Coverage.to_dict()``; the target may hold
        ``model_genes`` with ``n``, ``n_missing`` and ``missing_top``.
    evaluation
        The labels against true ones, if there are any.
    genes
        ``class``, ``gene``, ``weight`` and if known ``source_mean`` and ``target_mean``, the encoded
        expression.
    details
        Record of the annotation, for what its ``alignment`` changed.
    transferability, markers
        Tables of :func:`orthotype.transferability` and :func:`orthotype.marker_transfer`.
    rolled
        Table of :func:`orthotype.roll_up`.
    force
        Overwrite an existing file.

    Returns
    -------
    pathlib.Path
        Where the report is.

    Raises
    ------
    InputError
        If there are no cells or a column of ``predictions`` or ``genes`` is missing.
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    _check(predictions, genes)
    text = page(
        "report.html",
        title=title,
        lead=lead(run, card, predictions, evaluation),
        figures=figures(predictions, evaluation),
        went_in=what_went_in(run, card),
        coverage=gene_coverage(coverage),
        labels=labels_given(predictions, card),
        has_truth="true" in predictions,
        status=status_shares(predictions),
        confidence=confidence_plot(predictions),
        votes=votes_line(predictions, card),
        evaluation=None if evaluation is None else comparison(evaluation),
        genes=top_genes(genes),
        alignment=alignment(details or {}, predictions, transferability),
        proposals=proposals(details or {}, predictions, rolled),
        biology=biology(transferability, markers),
        run=how_it_was_run(run, card),
    )
    with written_whole(path, force=force) as beside:
        beside.write_text(text, encoding="utf-8")
    return Path(path)


def _check(predictions: pd.DataFrame, genes: pd.DataFrame | None) -> None:
    problems = Problems("the report")
    if not len(predictions):
        problems.add("predictions hold no cells", expected="at least one")
    missing = [name for name in NEEDED if name not in predictions]
    if missing:
        problems.add(f"predictions lack {listed(missing)}", expected=f"the columns {listed(NEEDED)}")
    if genes is not None:
        lacking = [name for name in ("class", "gene", "weight") if name not in genes]
        if lacking:
            problems.add(f"genes lack {listed(lacking)}", expected="the columns 'class', 'gene', 'weight'")
    problems.raise_if_any()
