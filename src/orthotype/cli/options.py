"""Options that several commands share, spelled and explained once; the words that options take."""

from enum import StrEnum
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
MaxMemory = Annotated[
    str | None,
    typer.Option("--max-memory", help="What may be held in memory, such as 2GB; the rest goes on disk."),
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a dask scheduler whose workers read the cells."),
]
ModelFile = Annotated[Path, typer.Argument(help="Model file, or the name of a bundled model.")]
ModelOutput = Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.safetensors).")]
Orthologs = Annotated[
    Path | None, typer.Option("--orthologs", help="Your own ortholog table (two columns suffice).")
]
Groups = Annotated[
    str | None, typer.Option("--groups", help="obs column with donors or batches; intervals resample them.")
]
Key = Annotated[str, typer.Option("--key", help="Prefix of the annotation's columns.")]
CellsFile = Annotated[
    Path,
    typer.Argument(help="Cells: .h5ad, .zarr, 10x .h5, a 10x mtx folder, or a csv/tsv table (also .gz)."),
]


class Encoder(StrEnum):
    """How counts become model input."""

    LOG_NORMALIZE = "log_normalize"
    BINARIZE = "binarize"


class Weighting(StrEnum):
    """What genes are worth in a target that is at hand."""

    TRANSFERABILITY = "transferability"
    NONE = "none"


class Policy(StrEnum):
    """Which orthologs become features."""

    ONE2ONE = "one2one"
    GROUPS = "groups"
    BEST = "best"
    FIRST = "first"


class Alignment(StrEnum):
    """Whether the species shift is taken off."""

    NONE = "none"
    SHIFT = "shift"


class Unknown(StrEnum):
    """Whether cells that look like no class are called unknown."""

    NONE = "none"
    SIMILARITY = "similarity"
