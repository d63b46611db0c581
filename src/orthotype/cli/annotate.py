"""``orthotype annotate``: a model and cells in, labelled cells out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthotype._keys import CONFIDENCE, KEY, LABEL, column
from orthotype.cli import outputs
from orthotype.cli.console import command_line, naming, note, progress, say, say_json, table
from orthotype.cli.inputs import opened
from orthotype.cli.options import Alignment, CellsFile, Force, Json, Key, Layer, Species, Unknown

if TYPE_CHECKING:
    from anndata import AnnData


def annotate(
    model: Annotated[Path, typer.Argument(help="Model file, or the name of a bundled model.")],
    target: CellsFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Annotated cells to write (.h5ad).")],
    species: Species = None,
    layer: Layer = None,
    alignment: Annotated[
        Alignment, typer.Option("--alignment", help="shift: take off the species shift, found unlabelled.")
    ] = Alignment.NONE,
    unknown: Annotated[
        Unknown, typer.Option("--unknown", help="similarity: call cells unknown that look like no class.")
    ] = Unknown.NONE,
    csv: Annotated[Path | None, typer.Option("--table", help="Also write the labels as .csv.")] = None,
    key: Key = KEY,
    json: Json = False,
    force: Force = False,
) -> None:
    """Label cells of any species with a model.

    Writes the cells with label, confidence, votes and status of each, and with the record of how they were
    made.
    """
    from orthotype.cells.write import write_h5ad, write_table
    from orthotype.transfer import load
    from orthotype.transfer.annotated import remember_run

    outputs.ready(output, outputs.CELLS, force=force)
    if csv is not None:
        outputs.ready(csv, outputs.TABLE, force=force)
    fitted = load(model)
    cells = opened(target)
    with progress(f"labelling {cells.n_obs:,} cells"), naming({"the target": target}):
        annotated = fitted.annotate(
            cells,
            species=species,
            layer=layer,
            alignment=alignment.value,
            unknown=unknown.value,
            key_added=key,
        )
    files = {"model": str(model), "target": str(target)}
    remember_run(annotated, key_added=key, command=command_line(), files=files)
    write_h5ad(annotated, output, force=force)
    if csv is not None:
        write_table(annotated.obs.filter(regex=f"^{key}_").rename_axis("cell"), csv, force=force)
    found = outcome(annotated, key)
    if json:
        say_json(found)
    else:
        say(summary(found))
    note(f"wrote {output}" + (f" and {csv}" if csv is not None else ""))


def outcome(annotated: "AnnData", key: str) -> dict[str, Any]:
    """Count the labels, and say which of the model's genes the cells had."""
    from orthotype.transfer.annotated import read_annotation

    record = read_annotation(annotated, key_added=key)
    confidence = record.predictions[CONFIDENCE].groupby(record.predictions[LABEL], observed=True).mean()
    counts = annotated.obs[column(LABEL, key_added=key)].value_counts()
    return {
        "cells": annotated.n_obs,
        "species": record.details["run"]["target"]["species"],
        "labels": {
            str(name): {"cells": int(n), "mean_confidence": round(float(confidence[name]), 6)}
            for name, n in counts.items()
            if n > 0
        },
        "model_genes": record.details["coverage"]["target"]["model_genes"],
        "model_hash": record.model_hash,
    }


def summary(found: dict[str, Any]) -> str:
    """Lay out what the cells were called, for the terminal."""
    genes = found["model_genes"]
    n_used = genes["n"] - genes["n_missing"]
    cost = 100 * genes["expected_loss"]
    return "\n".join(
        [
            f"{found['cells']:,} {found['species']} cells labelled by {n_used:,} of the {genes['n']:,} genes "
            f"of the model, with {1 - genes['share_of_weight_missing']:.1%} of its weight",
            f"gene coverage {genes['level']}"
            + (
                f": what is missing should cost {cost:.1f} points of mean recall"
                if genes["n_missing"]
                else ""
            ),
            "",
            table(
                [(name, label["cells"], label["mean_confidence"]) for name, label in found["labels"].items()],
                header=("label", "cells", "mean confidence"),
            ),
        ]
    )
