"""``orthotype train``: from labelled cells to a model file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orthotype.cli.console import note, progress, say, say_json, table
from orthotype.cli.options import CellsFile, Force, Json, Layer, Species


def train(
    source: CellsFile,
    labels: Annotated[str, typer.Option("--labels", help="obs column with the cell types.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.safetensors).")],
    species: Species = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="obs column with donors or batches: folds keep them whole.")
    ] = None,
    layer: Layer = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", help="Cells to be labelled later: genes are then chosen in both."),
    ] = None,
    target_species: Annotated[
        str | None,
        typer.Option("--target-species", help="Species of the target, or the one the model is for."),
    ] = None,
    policy: Annotated[str, typer.Option("--policy", help="Which orthologs become features.")] = "one2one",
    orthologs: Annotated[
        Path | None, typer.Option("--orthologs", help="Your own ortholog table (two columns suffice).")
    ] = None,
    encoder: Annotated[str, typer.Option("--encoder", help="log_normalize or binarize.")] = "log_normalize",
    n_top_genes: Annotated[
        int, typer.Option("--n-top-genes", min=1, help="Variable genes per species.")
    ] = 2000,
    min_cells: Annotated[
        int, typer.Option("--min-cells", min=1, help="Smallest class that is accepted.")
    ] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides which cells go to which fold.")] = 0,
    json: Json = False,
    force: Force = False,
) -> None:
    """Train a model on labelled cells and write it as one file."""
    from orthotype._files import check_output
    from orthotype.cells.read import read
    from orthotype.transfer import LabelTransfer

    check_output(output, force=force)
    with progress(f"reading {source}"):
        cells = read(source)
        others = None if target is None else read(target)
    model = LabelTransfer(encoder=encoder, policy=policy, n_top_genes=n_top_genes, random_state=seed)
    with progress(f"training on {cells.n_obs:,} cells"):
        model.fit(
            cells,
            labels=labels,
            species=species,
            batch=batch,
            layer=layer,
            min_cells=min_cells,
            target=others,
            target_species=target_species,
            orthologs=orthologs,
        )
    model.save(output, force=force)
    if json:
        say_json(model.card)
        return
    say(summary(model.card))
    note(f"wrote {output}")


def summary(card: dict[str, Any]) -> str:
    """Say in a few lines what a model is and how good it is on held-out cells."""
    held_out = card["held_out"]
    lines = [
        f"{card['species']} model of {len(card['classes'])} classes, trained on {card['n_cells']:,} cells, "
        f"{card['n_selected']:,} genes of {card['n_features']:,} with orthologs in {card['target_species']}",
        f"held-out cells: accuracy {held_out['accuracy']:.3f}, mean recall {held_out['mean_recall']:.3f}, "
        f"macro F1 {held_out['macro_f1']:.3f}",
        "",
        table(
            [
                (
                    name,
                    card["class_ontology_term_ids"].get(name, ""),
                    card["cells_per_class"][name],
                    held_out["recall"][name],
                    ", ".join(gene["gene"] for gene in card["top_genes"][name][:5]),
                )
                for name in card["classes"]
            ],
            header=("class", "ontology id", "cells", "recall", "top genes"),
        ),
    ]
    return "\n".join(lines)
