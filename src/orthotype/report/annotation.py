"""The report of an annotated AnnData: read back what was said, then write it down."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orthotype._keys import KEY
from orthotype.cells.table import check_column
from orthotype.errors import Problems
from orthotype.metrics import Evaluation
from orthotype.report.proposals import rolled_up
from orthotype.report.write import write_report
from orthotype.transfer.annotated import evaluate_annotation, read_annotation
from orthotype.transfer.biology import has_biology, marker_transfer, transferability

if TYPE_CHECKING:
    from anndata import AnnData


def report_annotation(
    path: str | Path,
    adata: "AnnData",
    *,
    evaluation: Evaluation | None = None,
    labels: str | None = None,
    groups: str | None = None,
    key_added: str = KEY,
    title: str | None = None,
    subject: str = "the data",
    force: bool = False,
) -> Path:
    """Write the report of annotated cells; :func:`orthotype.report.write_report` says what it holds.

    Parameters
    ----------
    path
        HTML file to write.
    adata
        Cells annotated by :meth:`orthotype.LabelTransfer.annotate`.
    evaluation
        The annotation against true labels, if it is at hand already.
    labels
        obs column with true labels; they are then compared with the annotation.
    groups
        obs column with donors or batches, which the intervals then resample.
    key_added
        Key of the annotation.
    title
        Heading; by default the two species.
    subject
        What error messages call the cells.
    force
        Overwrite an existing file.

    Raises
    ------
    InputError
        If the cells are not annotated or a column is missing.
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    problems = Problems(subject)
    if labels is not None:
        check_column(adata, labels, problems=problems)
    problems.raise_if_any()
    found = read_annotation(adata, key_added=key_added, subject=subject)
    if evaluation is None and labels is not None:
        evaluation = evaluate_annotation(
            adata, labels=labels, groups=groups, key_added=key_added, subject=subject
        )
    predictions = found.predictions
    if labels is not None:
        predictions = predictions.assign(true=adata.obs[labels].to_numpy())
    card, run = found.card, dict(found.details.get("run") or {})
    target = (run.get("target") or {}).get("species") or "target"
    genes, kept = found.details.get("genes"), has_biology(adata, key_added=key_added)
    return write_report(
        path,
        title=title
        or f"{target} cells labelled by a model of {card.get('species', 'another species')}".capitalize(),
        run=run | {"model_hash": found.model_hash},
        card=card,
        predictions=predictions,
        coverage=found.details.get("coverage") or {},
        evaluation=evaluation,
        genes=pd.DataFrame(genes) if genes else None,
        details=found.details,
        transferability=transferability(adata, key_added=key_added) if kept else None,
        markers=marker_transfer(adata, key_added=key_added) if kept else None,
        rolled=rolled_up(adata, key_added=key_added),
        force=force,
    )
