"""``orthotype evaluate``: an annotation against given labels."""

from typing import Annotated, Any

import typer

from orthotype._keys import KEY
from orthotype.cli.console import say, say_json, table
from orthotype.cli.inputs import AnnotatedFile, annotated_cells
from orthotype.cli.options import Groups, Json, Key
from orthotype.errors import numbered


def evaluate(
    annotated: AnnotatedFile,
    labels: Annotated[str, typer.Option("--labels", help="obs column with the true cell types.")],
    groups: Groups = None,
    key: Key = KEY,
    json: Json = False,
) -> None:
    """Score annotated cells against labels that they have.

    Overall and for each class, with 95 % intervals; classes that only one side has are shown apart.
    """
    from orthotype.transfer.annotated import evaluate_annotation

    cells = annotated_cells(annotated)
    found = evaluate_annotation(cells, labels=labels, groups=groups, key_added=key, subject=str(annotated))
    if json:
        say_json(found.to_dict())
    else:
        say(summary(found))


def summary(found: Any) -> str:
    """Lay out an evaluation for the terminal."""
    columns = ["support", "recall", "recall_low", "recall_high", "precision", "f1"]
    parts = [
        f"{numbered(len(found.shared), 'shared class', 'shared classes')} ({found.interval_method})",
        table(
            [tuple(row) for row in found.summary.itertuples(index=False)],
            header=tuple(found.summary.columns),
        ),
        "",
        table(
            [
                (name, *row)
                for name, row in zip(
                    found.per_class.index, found.per_class[columns].itertuples(index=False), strict=True
                )
            ],
            header=("class", *columns),
        ),
    ]
    if found.target_only:
        calls = found.target_only_calls
        parts += [
            "",
            "classes that the model does not have",
            table(
                [
                    (name, *row)
                    for name, row in zip(
                        calls.index,
                        calls[
                            ["cells", "most_called", "most_called_cells", "share_unknown", "mean_confidence"]
                        ].itertuples(index=False),
                        strict=True,
                    )
                ],
                header=("class", "cells", "called most", "cells so called", "unknown", "mean confidence"),
            ),
        ]
    if found.source_only:
        parts += ["", f"classes that only the model has: {', '.join(found.source_only)}"]
    parts += [f"note: {text}" for text in found.notes]
    return "\n".join(parts)
