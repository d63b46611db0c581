"""``orthotype demo``: mouse cells teach, human cells are labelled, in two scenes with a report each."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orthotype.cli import demo_marrow
from orthotype.cli.console import command_line, note, progress, say, say_json
from orthotype.cli.options import Force, Json

MARROW = "marrow"  # folder of the second scene
SOURCE, TARGET, LABELS = "baron2016-mouse", "baron2016-human", "cell_ontology_class"


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")] = Path("orthotype-demo"),
    json: Json = False,
    force: Force = False,
) -> None:
    """Label human pancreas and marrow with models of mouse cells.

    First scene: a model is trained on mouse pancreas and labels human pancreas. Second scene: the bundled
    model of mouse marrow labels human marrow. All data are bundled. Writes a folder with the annotated cells,
    the model, tables of how right the labels are, and a report for each scene; no human label is used but to
    score.
    """
    from orthotype import datasets
    from orthotype._files import check_folder
    from orthotype.transfer import LabelTransfer

    check_folder(output, force=force)
    mouse, human = datasets.get(SOURCE), datasets.get(TARGET)
    with progress(f"training on {mouse.n_obs:,} mouse cells"):
        model = LabelTransfer().fit(
            mouse, labels=LABELS, species="mouse", target=human, target_species="human"
        )
    with progress(f"labelling {human.n_obs:,} human cells"):
        annotated = model.annotate(human, species="human")
    with progress("comparing with the human labels and writing the report"):
        found = write_folder(output, model=model, annotated=annotated, force=force)
    with progress("labelling human marrow with the bundled model of mouse marrow"):
        scene = demo_marrow.play(output / MARROW, force=force)
    if json:
        say_json({"pancreas": found.to_dict(), "marrow": scene.to_dict()})
    else:
        say(summary(model.card, found))
        say()
        say(demo_marrow.summary(scene))
    reports = f"{output / 'report.html'} and {output / MARROW / 'report.html'}"
    note(f"wrote the folder {output}; open {reports}")


def write_folder(output: Path, *, model: Any, annotated: Any, force: bool) -> Any:
    """Write model, annotated cells, tables and report into one folder; return the evaluation."""
    from orthotype.cells.write import write_h5ad, write_table
    from orthotype.report import report_annotation
    from orthotype.transfer.annotated import evaluate_annotation, remember_run

    output.mkdir(parents=True, exist_ok=True)
    remember_run(
        annotated,
        command=command_line(),
        files={"model": "model.safetensors", "source": SOURCE, "target": TARGET},
    )
    found = evaluate_annotation(annotated, labels=LABELS, groups="donor")
    model.save(output / "model.safetensors", force=force)
    write_h5ad(annotated, output / "human_annotated.h5ad", force=force)
    columns = [name for name in annotated.obs if name.startswith("orthotype_")]
    write_table(annotated.obs[[LABELS, *columns]].rename_axis("cell"), output / "labels.csv", force=force)
    write_table(found.summary.set_index("metric"), output / "summary.csv", force=force)
    write_table(found.per_class, output / "per_class.csv", force=force)
    write_table(found.confusion, output / "confusion.csv", force=force)
    report_annotation(
        output / "report.html",
        annotated,
        evaluation=found,
        title="Mouse pancreas teaches, human pancreas is labelled",
        force=force,
    )
    return found


def summary(card: dict[str, Any], found: Any) -> str:
    """Say in a few lines what was done and how well it went."""
    rows = found.summary.set_index("metric")

    def scored(metric: str) -> str:
        value, low, high = rows.loc[metric, ["value", "low", "high"]]
        return f"{value:.3f} (95 % interval {low:.3f} to {high:.3f})"

    lines = [
        "orthotype demo: Baron et al. 2016 pancreas, mouse to human, no human label used",
        "",
        f"  trained on    {card['n_cells']:,} mouse cells, {len(card['classes'])} classes, "
        f"{card['n_features']:,} genes shared with human, {card['n_selected']:,} of them variable",
        f"  held-out      accuracy {card['held_out']['accuracy']:.3f} on mouse cells not trained on",
        f"  labelled      {found.n_cells:,} human cells",
        f"  nearest class accuracy {scored('accuracy_most_probable')}",
        f"                mean recall {scored('mean_recall_most_probable')}, over the {len(found.shared)} "
        "classes of both species",
        f"  as labelled   accuracy {scored('accuracy')}",
        f"                mean recall {scored('mean_recall')}; {rows.loc['share_unknown', 'value']:.3f} of "
        "these cells came back unknown",
    ]
    if found.target_only:
        calls = found.target_only_calls
        cells = int(calls["cells"].sum())
        unknown = float((calls["share_unknown"] * calls["cells"]).sum()) / cells
        lines += [
            f"  not in mouse  {', '.join(found.target_only)}",
            f"                ({cells:,} human cells, of which {unknown:.3f} came back unknown)",
        ]
    return "\n".join(lines)
