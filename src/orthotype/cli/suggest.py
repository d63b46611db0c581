"""``orthotype suggest``: a model and cells in, a table of the cells to label next out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthotype.cli import outputs
from orthotype.cli.console import naming, note, say, say_json, table
from orthotype.cli.inputs import counted, handed_over
from orthotype.cli.options import CellsFile, Force, Json, Layer, MaxMemory, ModelFile, Species

if TYPE_CHECKING:
    import pandas as pd


Output = Annotated[Path, typer.Option("--output", "-o", help="Table to fill in and write (.csv).")]
Number = Annotated[int, typer.Option("-n", help="How many cells or clusters to suggest.")]
Clusters = Annotated[
    str | None,
    typer.Option("--clusters", help="obs column with clusters: suggest clusters instead of cells."),
]
Labelled = Annotated[
    str | None,
    typer.Option(
        "--labelled", help="Labels given so far (.csv of cell and label, or obs column): not asked for again."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same cells.")]


def suggest(
    model: ModelFile,
    target: CellsFile,
    output: Output,
    n: Number = 20,
    clusters: Clusters = None,
    labelled: Labelled = None,
    species: Species = None,
    layer: Layer = None,
    seed: Seed = 0,
    max_memory: MaxMemory = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Say which cells to label next, and why.

    Writes one row per cell with an empty column 'label'. Fill it in, adapt the model to it, and ask again.
    """
    from orthotype.cells.write import write_table
    from orthotype.transfer import load

    outputs.ready(output, outputs.TABLE, force=force)
    fitted = load(model)
    with (
        counted(f"comparing the cells of {target}") as told,
        handed_over(target),
        naming({"the target": target}),
    ):
        found = fitted.suggest(
            target,
            n,
            species=species,
            layer=layer,
            by="cells" if clusters is None else "clusters",
            clusters=clusters,
            labelled=labelled,
            random_state=seed,
            max_memory=max_memory,
            progress=told,
        )
    write_table(found, output, force=force)
    if json:
        say_json(outcome(found))
    else:
        say(summary(found))
    _note_numbers(found)
    note(f"wrote {output}; fill in the column 'label' and adapt the model to it")


def _note_numbers(found: "pd.DataFrame") -> None:
    """Say which cells were not compared, and which not asked for."""
    if found.attrs["compared"] < found.attrs["cells"]:
        note(f"{found.attrs['compared']:,} of {found.attrs['cells']:,} cells were compared with each other")
    if found.attrs["left_empty"]:
        note(f"{found.attrs['left_empty']:,} cells were left without a label, and are not asked for again")


def outcome(found: "pd.DataFrame") -> dict[str, Any]:
    """Return the suggestions as plain JSON values."""
    numbers = {str(name): value for name, value in found.attrs.items()}
    return {**numbers, "suggested": found.reset_index().to_dict("records")}


def summary(found: "pd.DataFrame") -> str:
    """Lay out the suggestions, for the terminal."""
    rows = found[["predicted", "confidence", "reason"]].itertuples(name=None)
    return table(list(rows), header=("cell", "predicted", "confidence", "why"))
