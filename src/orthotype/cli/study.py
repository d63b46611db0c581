"""``orthotype study``: the five questions of Stumpf et al. 2020, asked of two data sets."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthotype.cli.console import naming, note, progress, say, say_json
from orthotype.cli.inputs import opened
from orthotype.cli.options import Encoder, Force, Json, Orthologs, Policy

if TYPE_CHECKING:
    from anndata import AnnData

    from orthotype.study import Recipe, Study

Side = Annotated[
    str,
    typer.Argument(help="Cells: a file or folder as for train, or the name of a data set (datasets list)."),
]


class Preset(StrEnum):
    """Where a recipe starts from."""

    DEFAULT = "default"
    QUICK = "quick"
    STUMPF2020 = "stumpf2020"


class Learner(StrEnum):
    """What learns."""

    MLR = "mlr"
    ANN = "ann"


SourceLabels = Annotated[str, typer.Option("--source-labels", help="obs column with the source's types.")]
TargetLabels = Annotated[
    str | None,
    typer.Option("--target-labels", help="obs column with the target's types, for scores and few-shot."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write, or to go on with.")]
PresetName = Annotated[
    Preset, typer.Option("--preset", help="quick: a minute or two; default; stumpf2020: as published.")
]
LineageName = Annotated[
    str | None,
    typer.Option(
        "--lineage",
        help="Which types are neighbours: a text file, haematopoiesis, or ontology (the default).",
    ),
]
SourceSpecies = Annotated[
    str | None, typer.Option("--source-species", help="By default the gene names tell.")
]
TargetSpecies = Annotated[
    str | None, typer.Option("--target-species", help="By default the gene names tell.")
]
SourceGroups = Annotated[
    str | None,
    typer.Option("--source-groups", help="obs column with donors or batches: folds keep them whole."),
]
TargetGroups = Annotated[
    str | None,
    typer.Option("--target-groups", help="obs column with donors or batches; intervals resample them."),
]
Learners = Annotated[
    list[Learner] | None, typer.Option("--learner", help="mlr, ann, or both (twice); by default both.")
]
EncoderName = Annotated[
    Encoder | None, typer.Option("--encoder", help="How counts become model input, if not as the preset.")
]
PolicyName = Annotated[Policy | None, typer.Option("--policy", help="Which orthologs, if not as the preset.")]
TopGenes = Annotated[int | None, typer.Option("--n-top-genes", min=1, help="Variable genes per species.")]
MinCells = Annotated[
    int | None, typer.Option("--min-cells", min=1, help="Smallest source class that is accepted.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides every random choice.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; by default one for each core.")
]


def study(
    source: Side,
    target: Side,
    source_labels: SourceLabels,
    output: Output,
    target_labels: TargetLabels = None,
    preset: PresetName = Preset.DEFAULT,
    lineage: LineageName = None,
    source_species: SourceSpecies = None,
    target_species: TargetSpecies = None,
    source_groups: SourceGroups = None,
    target_groups: TargetGroups = None,
    learner: Learners = None,
    encoder: EncoderName = None,
    policy: PolicyName = None,
    n_top_genes: TopGenes = None,
    orthologs: Orthologs = None,
    min_cells: MinCells = None,
    seed: Seed = 0,
    workers: Workers = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Run the experiments of Stumpf et al. 2020 on two data sets.

    Is a linear model as good as a network; how well does it transfer and where does it fail; which genes
    carry it; how few target cells are enough; which types can be found that nobody labelled. Writes a folder
    with tables, figures, models and a report. A run that was stopped goes on where it was.
    """
    from orthotype.study import Columns, run

    recipe = chosen_recipe(
        preset.value,
        {
            "learners": None if not learner else tuple(dict.fromkeys(word.value for word in learner)),
            "encoder": None if encoder is None else encoder.value,
            "policy": None if policy is None else policy.value,
            "n_top_genes": n_top_genes,
            "min_cells": min_cells,
            "seed": seed,
        },
    )
    columns = Columns(
        source_labels=source_labels,
        target_labels=target_labels,
        source_groups=source_groups,
        target_groups=target_groups,
        source_species=source_species,
        target_species=target_species,
    )
    cells = cells_of(source), cells_of(target)
    with naming({"the source": Path(source), "the target": Path(target)}), pieces_shown() as shown:
        found = run(
            cells[0],
            target=cells[1],
            columns=columns,
            output=output,
            recipe=recipe,
            lineage=lineage,
            orthologs=orthologs,
            workers=workers or os.cpu_count() or 1,
            progress=shown,
            force=force,
        )
    finish(found, as_json=json)


def chosen_recipe(name: str, changes: dict[str, Any]) -> "Recipe":
    """Return a preset with what was named on the command line."""
    from orthotype.study import preset

    return replace(preset(name), **{key: value for key, value in changes.items() if value is not None})


def cells_of(word: str) -> "AnnData":
    """Return the cells of a file, or of a data set where there is no file of that name."""
    from orthotype import datasets

    if not Path(word).exists() and word in {dataset.name for dataset in datasets.list()}:
        with progress(f"opening the data set {word}"):
            return datasets.get(word)
    return opened(Path(word))


@contextmanager
def pieces_shown() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a bar of the finished pieces on a terminal; be silent in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", justify="left")
    bar = Progress(
        words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)
    )
    with bar:
        task = bar.add_task("preparing", total=None)

        def show(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield show


def finish(found: "Study", *, as_json: bool) -> None:
    """Draw the figures, write the report and say the five answers."""
    from orthotype.pl.study import write_figures
    from orthotype.report.study import report_study

    with progress("drawing figures and writing the report"):
        drawn = write_figures(found.tables, found.folder / "figures")
        page = report_study(found.folder / "report.html", found, force=True)
    if as_json:
        say_json({"folder": str(found.folder), "answers": [answer.to_dict() for answer in found.answers]})
    else:
        for answer in found.answers:
            say(f"{answer.question}")
            say(f"  {answer.text}")
            say()
    for text in found.record.get("notes", []):
        note(f"note: {text}")
    if not drawn:
        note('note: figures need matplotlib: pip install "orthotype[plot]"; the report draws its own')
    note(f"wrote the folder {found.folder}; open {page}")
