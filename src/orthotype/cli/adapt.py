"""``orthotype adapt``: a model and a few labelled cells in, a better model out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orthotype.cli import outputs
from orthotype.cli.console import naming, note, say, say_json
from orthotype.cli.inputs import counted, handed_over
from orthotype.cli.options import CellsFile, Force, Json, Layer, MaxMemory, ModelFile, ModelOutput, Species

if TYPE_CHECKING:
    from orthotype.transfer.adapt.report import AdaptReport

SUBJECT = "the labelled target cells"


Labels = Annotated[
    str,
    typer.Option(
        "--labels", help="obs column, or a .csv of cell and label (of cluster and label with --clusters)."
    ),
]
Picture = Annotated[
    Path | None, typer.Option("--picture", help="Also draw what changed (.svg, .png or .pdf).")
]
Clusters = Annotated[
    str | None, typer.Option("--clusters", help="obs column with clusters: --labels names them.")
]
Target = Annotated[
    Path | None,
    typer.Option("--target", help="All cells of the target, if the labelled ones are a file of their own."),
]
NewClasses = Annotated[
    list[str] | None,
    typer.Option("--new-class", help="A label that is a new class although it looks like one. Repeatable."),
]
Complete = Annotated[
    bool,
    typer.Option("--complete", help="Every type of the target has a label: leave out classes without one."),
]
Strength = Annotated[
    str,
    typer.Option("--strength", help="How strongly to hold to the source: auto, or alpha of the penalty."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Decides the folds; by default that of the model.")
]


def adapt(
    model: ModelFile,
    cells: CellsFile,
    labels: Labels,
    output: ModelOutput,
    picture: Picture = None,
    clusters: Clusters = None,
    target: Target = None,
    new_class: NewClasses = None,
    complete: Complete = False,
    species: Species = None,
    layer: Layer = None,
    strength: Strength = "auto",
    seed: Seed = None,
    max_memory: MaxMemory = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Teach a model a few labelled cells of the target.

    Cells without a label are not learned from, but tell how the species differ. Writes a new model, and says
    what it changed and which labels to look at again.
    """
    from orthotype.transfer import load

    alpha = _strength(strength)
    outputs.ready(output, outputs.MODEL, force=force)
    if picture is not None:
        outputs.ready(picture, outputs.PICTURE, force=force)
        _can_draw()
    fitted = load(model)
    with (
        counted(f"learning from the labelled cells of {cells}") as told,
        handed_over(cells),
        naming({SUBJECT: cells, "the target": target}),
    ):
        adapted = fitted.adapt(
            cells,
            labels=labels,
            clusters=clusters,
            target=target,
            new_classes=new_class or (),
            complete=complete,
            species=species,
            layer=layer,
            strength=alpha,
            random_state=seed,
            max_memory=max_memory,
            progress=told,
        )
    adapted.save(output, force=force)
    if picture is not None:
        _draw(adapted.adapt_report_, picture, force=force)
    if json:
        say_json(outcome(adapted))
    else:
        say(str(adapted.adapt_report_))
    note(f"wrote {output}" + (f" and {picture}" if picture is not None else ""))


def _strength(text: str) -> float | Literal["auto"]:
    """Return the number that was given, or "auto"."""
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither auto nor a number", param_hint="--strength") from None


def _can_draw() -> None:
    """Say before any work that figures cannot be drawn, if so."""
    from orthotype.pl.canvas import new_figure

    new_figure(width=1, height=1)


def _draw(report: "AdaptReport", path: Path, *, force: bool) -> None:
    from orthotype._files import written_whole
    from orthotype.pl import adaptation

    figure = adaptation(report)
    with written_whole(path, force=force) as beside:
        figure.savefig(beside, bbox_inches="tight")


def outcome(adapted: Any) -> dict[str, Any]:
    """Return the report as plain JSON values, with the name of the model."""
    return {**adapted.adapt_report_.to_dict(), "model_hash": adapted.state_.hash()}
