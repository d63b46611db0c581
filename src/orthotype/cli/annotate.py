"""``orthotype annotate``: a model and cells in, labelled cells out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthotype._keys import CONFIDENCE, KEY, LABEL, column
from orthotype.cli import outputs
from orthotype.cli.console import command_line, naming, note, say, say_json, table
from orthotype.cli.inputs import cluster, counted, handed_over
from orthotype.cli.options import (
    Alignment,
    CellsFile,
    Force,
    Json,
    Key,
    Layer,
    MaxMemory,
    ModelFile,
    Scheduler,
    Species,
    Unknown,
)
from orthotype.errors import numbered

if TYPE_CHECKING:
    from anndata import AnnData


Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Annotated cells (.h5ad; .zarr of a .zarr) or labels alone (.csv, .parquet)."
    ),
]
AlignmentName = Annotated[
    Alignment, typer.Option("--alignment", help="shift: take off the species shift, found unlabelled.")
]
UnknownName = Annotated[
    Unknown, typer.Option("--unknown", help="similarity: call cells unknown that look like no class.")
]
Neighbors = Annotated[
    int, typer.Option("--neighbors", min=0, help="Similar cells that a cell leans on; 0 for none.")
]
LabelTable = Annotated[Path | None, typer.Option("--table", help="Also write the labels as .csv.")]
GeneTable = Annotated[Path | None, typer.Option("--genes", help="Also write which genes carry over as .csv.")]


def annotate(
    model: ModelFile,
    target: CellsFile,
    output: Output,
    species: Species = None,
    layer: Layer = None,
    alignment: AlignmentName = Alignment.SHIFT,
    unknown: UnknownName = Unknown.SIMILARITY,
    neighbors: Neighbors = 15,
    csv: LabelTable = None,
    genes: GeneTable = None,
    key: Key = KEY,
    max_memory: MaxMemory = None,
    scheduler: Scheduler = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Label cells of any species with a model.

    Writes the cells with label, confidence, votes and status of each, and with the record of how they were
    made. The file is read in blocks and its matrix is never in memory; a run that was interrupted goes on
    where it was when the same command is given again.
    """
    from orthotype.transfer import load

    _check_places(output, csv, genes, force=force)
    fitted = load(model)
    files = {"model": str(model), "target": str(target)}
    with (
        cluster(scheduler) as client,
        counted(f"labelling {target}") as told,
        handed_over(target),
        naming({"the target": target}),
    ):
        annotated = fitted.annotate(
            target,
            species=species,
            layer=layer,
            alignment=alignment.value,
            unknown=unknown.value,
            n_neighbors=neighbors,
            key_added=key,
            output=output,
            max_memory=max_memory,
            force=force,
            progress=told,
            client=client,
            run={"command": command_line(), "files": files},
        )
    _write_tables(annotated, csv, genes, key=key, force=force)
    found = outcome(annotated, key)
    if json:
        say_json(found)
    else:
        say(summary(found))
    first, *others = (str(path) for path in (output, csv, genes) if path is not None)
    note(f"wrote {' and '.join([', '.join([first, *others[:-1]]), *others[-1:]])}")


def _check_places(output: Path, csv: Path | None, genes: Path | None, *, force: bool) -> None:
    named = {"--output": output, "--table": csv, "--genes": genes}
    outputs.apart({option: path for option, path in named.items() if path is not None})
    outputs.ready(output, outputs.CELLS, force=force)
    for place in (csv, genes):
        if place is not None:
            outputs.ready(place, outputs.TABLE, force=force)


def _write_tables(
    annotated: "AnnData", csv: Path | None, genes: Path | None, *, key: str, force: bool
) -> None:
    from orthotype.cells.write import write_table
    from orthotype.transfer.biology import transferability
    from orthotype.transfer.streaming import labels_of

    if csv is not None:
        write_table(labels_of(annotated, key_added=key), csv, force=force)
    if genes is not None:
        write_table(transferability(annotated, key_added=key).set_index("gene"), genes, force=force)


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
    cells = numbered(found["cells"], f"{found['species']} cell", f"{found['species']} cells")
    cost = 100 * genes["expected_loss"]
    return "\n".join(
        [
            f"{cells} labelled by {n_used:,} of the {genes['n']:,} "
            f"genes of the model, with {1 - genes['share_of_weight_missing']:.1%} of its weight",
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
