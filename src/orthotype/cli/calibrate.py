"""``orthotype calibrate``: a model and labelled target cells in, one that names sets of classes out."""

from math import floor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthotype.cli import outputs
from orthotype.cli.console import naming, note, say, say_json, table
from orthotype.cli.inputs import counted, handed_over
from orthotype.cli.options import CellsFile, Force, Json, Layer, MaxMemory, ModelFile, ModelOutput, Species

if TYPE_CHECKING:
    from orthotype.transfer.annotator import Annotator

SUBJECT = "the labelled target cells"

Labels = Annotated[
    str, typer.Option("--labels", help="obs column with classes of the model; empty where there is none.")
]
Coverage = Annotated[
    float,
    typer.Option("--coverage", help="Share of the cells of every class whose set is to hold it, 0 to 1."),
]


def calibrate(
    model: ModelFile,
    cells: CellsFile,
    labels: Labels,
    output: ModelOutput,
    coverage: Coverage = 0.9,
    species: Species = None,
    layer: Layer = None,
    max_memory: MaxMemory = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Teach a model how sure to be of a target.

    Some of its cells have a label. What cells are called stays the same; annotations get a column with all
    classes that cannot be ruled out. Use cells that the model was not adapted to, drawn without regard to how
    it calls them.
    """
    from orthotype.transfer import load

    outputs.ready(output, outputs.MODEL, force=force)
    fitted = load(model)
    with (
        counted(f"comparing the labelled cells of {cells}") as told,
        handed_over(cells),
        naming({SUBJECT: cells}),
    ):
        calibrated = fitted.calibrate(
            cells,
            labels=labels,
            coverage=coverage,
            species=species,
            layer=layer,
            max_memory=max_memory,
            progress=told,
        )
    calibrated.save(output, force=force)
    if json:
        say_json(outcome(calibrated))
    else:
        say(summary(calibrated))
    note(f"wrote {output}")


def outcome(calibrated: "Annotator") -> dict[str, Any]:
    """Return what was learned as plain JSON values, with the name of the model."""
    state = calibrated.state_
    return {
        **calibrated.card["prediction_sets"],
        "temperature": state.temperature,
        "model_hash": state.hash(),
    }


def summary(calibrated: "Annotator") -> str:
    """Lay out what was learned, for the terminal."""
    found = outcome(calibrated)
    rows = [
        (name, found["n_labelled"][name], f"below {floor(least * 1e4) / 1e4:.4f}" if least > 0 else "never")
        for name, least in found["least"].items()
    ]
    head = (
        f"learned from {found['cells']:,} {found['species']} cells, to hold {found['coverage']:g} of every "
        f"class; temperature {found['temperature_before']:.3g} before, {found['temperature']:.3g} now"
    )
    return f"{head}\n\n{table(rows, header=('class', 'labelled cells', 'ruled out'))}"
