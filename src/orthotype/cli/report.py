"""``orthotype report``: an annotation as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from orthotype._keys import KEY
from orthotype.cli import outputs
from orthotype.cli.console import note, progress
from orthotype.cli.inputs import AnnotatedFile, annotated_cells
from orthotype.cli.options import Force, Groups, Key


def report(
    annotated: AnnotatedFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Report to write (.html).")],
    labels: Annotated[
        str | None, typer.Option("--labels", help="obs column with true cell types, if there are any.")
    ] = None,
    groups: Groups = None,
    key: Key = KEY,
    force: Force = False,
) -> None:
    """Write an annotation as one HTML file for any browser.

    It shows labels, confidence, gene coverage, top genes and how it was run; with --labels also how right the
    labels are.
    """
    from orthotype.report import report_annotation

    outputs.ready(output, outputs.PAGE, force=force)
    cells = annotated_cells(annotated)
    with progress("writing the report"):
        report_annotation(
            output, cells, labels=labels, groups=groups, key_added=key, subject=str(annotated), force=force
        )
    note(f"wrote {output}")
