"""``orthotype annotate``: a model and cells in, labelled cells out."""

from pathlib import Path
from typing import Annotated

import typer

from orthotype._keys import KEY
from orthotype.cli.console import command_line, note, progress, say, say_json, table
from orthotype.cli.options import CellsFile, Force, Json, Key, Layer, Species


def annotate(
    model: Annotated[Path, typer.Argument(help="Model file written by orthotype train.")],
    target: CellsFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Annotated cells to write (.h5ad).")],
    species: Species = None,
    layer: Layer = None,
    alignment: Annotated[
        str,
        typer.Option("--alignment", help="none, or shift: take off the species shift, estimated unlabelled."),
    ] = "none",
    unknown: Annotated[
        str,
        typer.Option("--unknown", help="none, or similarity: call cells unknown that look like no class."),
    ] = "none",
    csv: Annotated[Path | None, typer.Option("--table", help="Also write the labels as .csv.")] = None,
    key: Key = KEY,
    json: Json = False,
    force: Force = False,
) -> None:
    """Label cells of any species with a model; write them with labels, confidence and provenance."""
    from orthotype._files import check_output
    from orthotype.cells.read import read
    from orthotype.cells.write import write_h5ad, write_table
    from orthotype.transfer import load
    from orthotype.transfer.annotated import remember_run

    check_output(output, force=force)
    if csv is not None:
        check_output(csv, force=force)
    fitted = load(model)
    with progress(f"reading {target}"):
        cells = read(target)
    with progress(f"labelling {cells.n_obs:,} cells"):
        annotated = fitted.annotate(
            cells,
            species=species,
            layer=layer,
            alignment=alignment,
            unknown=unknown,
            key_added=key,
        )
    remember_run(
        annotated, key_added=key, command=command_line(), files={"model": str(model), "target": str(target)}
    )
    labels = annotated.obs[f"{key}_label"]
    write_h5ad(annotated, output, force=force)
    if csv is not None:
        columns = [name for name in annotated.obs if name.startswith(f"{key}_")]
        write_table(annotated.obs[columns], csv, force=force)
    counts = labels.value_counts()
    counts = counts[counts > 0]
    if json:
        say_json({"cells": annotated.n_obs, "labels": {str(k): int(v) for k, v in counts.items()}})
        return
    confidence = annotated.obs[f"{key}_confidence"].groupby(labels, observed=True).mean()
    say(
        table(
            [(str(name), int(n), float(confidence[name])) for name, n in counts.items()],
            header=("label", "cells", "mean confidence"),
        )
    )
    note(f"wrote {output}" + (f" and {csv}" if csv is not None else ""))
