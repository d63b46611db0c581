"""Options that several commands share, spelled and explained once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Species = Annotated[
    str | None, typer.Option("--species", help="Species of the cells; by default the gene names tell.")
]
Layer = Annotated[
    str | None,
    typer.Option("--layer", help="Where the counts are: X, raw or a layer; by default they are found."),
]
Groups = Annotated[
    str | None, typer.Option("--groups", help="obs column with donors or batches; intervals resample them.")
]
Key = Annotated[str, typer.Option("--key", help="Prefix of the annotation's columns.")]
CellsFile = Annotated[
    Path,
    typer.Argument(help="Cells: .h5ad, .zarr, 10x .h5, a 10x mtx folder, or a csv/tsv table (also .gz)."),
]
