"""``orthotype train``: from labelled cells to a model file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orthotype.cli import outputs
from orthotype.cli.console import naming, note, say, say_json, table
from orthotype.cli.inputs import cluster, counted, handed_over
from orthotype.cli.options import (
    CellsFile,
    Encoder,
    Force,
    Json,
    Layer,
    MaxMemory,
    ModelOutput,
    Orthologs,
    Policy,
    Scheduler,
    Species,
    Weighting,
)

Labels = Annotated[str, typer.Option("--labels", help="obs column with the cell types.")]
Batch = Annotated[
    str | None, typer.Option("--batch", help="obs column with donors or batches: folds keep them whole.")
]
Target = Annotated[
    Path | None,
    typer.Option("--target", help="Cells to be labelled later: genes are then chosen in both and weighted."),
]
TargetSpecies = Annotated[
    str | None,
    typer.Option("--target-species", help="Species of the target, or the one the model is for."),
]
GeneWeights = Annotated[
    Weighting, typer.Option("--gene-weights", help="What genes are worth in the target: docs/alignment.md.")
]
PolicyName = Annotated[
    Policy, typer.Option("--policy", help="Which orthologs become features: see docs/orthologs.md.")
]
EncoderName = Annotated[Encoder, typer.Option("--encoder", help="How counts become model input.")]
TopGenes = Annotated[int, typer.Option("--n-top-genes", min=1, help="Variable genes per species.")]
MinCells = Annotated[int, typer.Option("--min-cells", min=1, help="Smallest class that is accepted.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides which cells go to which fold.")]


def train(
    source: CellsFile,
    labels: Labels,
    output: ModelOutput,
    species: Species = None,
    batch: Batch = None,
    layer: Layer = None,
    target: Target = None,
    target_species: TargetSpecies = None,
    gene_weights: GeneWeights = Weighting.TRANSFERABILITY,
    policy: PolicyName = Policy.ONE2ONE,
    orthologs: Orthologs = None,
    encoder: EncoderName = Encoder.LOG_NORMALIZE,
    n_top_genes: TopGenes = 2000,
    min_cells: MinCells = 2,
    seed: Seed = 0,
    max_memory: MaxMemory = None,
    scheduler: Scheduler = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Train a model on labelled cells and write it as one file."""
    from orthotype.transfer import LabelTransfer

    outputs.ready(output, outputs.MODEL, force=force)
    model = LabelTransfer(
        encoder=encoder.value,
        policy=policy.value,
        n_top_genes=n_top_genes,
        gene_weights=gene_weights.value,
        random_state=seed,
    )
    named = {"the source": source, "the target": target}
    with (
        cluster(scheduler) as client,
        counted(f"training on {source}") as told,
        handed_over(source),
        naming(named),
    ):
        model.fit(
            source,
            labels=labels,
            species=species,
            batch=batch,
            layer=layer,
            min_cells=min_cells,
            target=target,
            target_species=target_species,
            orthologs=orthologs,
            max_memory=max_memory,
            progress=told,
            client=client,
            output=output,
            force=force,
        )
    if json:
        say_json(model.card)
    else:
        say(summary(model.card))
    note(f"wrote {output}")


def own_table(report: dict[str, Any]) -> list[str]:
    """Say what a table of the user's own held, and what of it could not be used."""
    if not report:
        return []
    unread = sum(found["n"] for key, found in report.items() if key.startswith("unrecognised_"))
    return [
        f"your ortholog table: {report['rows']:,} rows, {report['pairs']:,} usable pairs, "
        f"{report['one_to_one']:,} of them one to one; {report['duplicated']:,} rows duplicated, "
        f"{report['empty']:,} with a gap, {unread:,} names that no gene table knows"
    ]


def weighted(selection: dict[str, Any]) -> list[str]:
    """Say that genes were weighted for the target, and how many of them count little."""
    if selection.get("gene_weights") != "transferability":
        return []
    return [f"genes weighted by how well they carry over: {selection['n_below_half']:,} count less than half"]


def summary(card: dict[str, Any]) -> str:
    """Say in a few lines what a model is and how good it is on held-out cells."""
    held_out = card["held_out"]
    left_out = f" ({card['n_unlabelled']:,} without a label left out)" if card["n_unlabelled"] else ""
    lines = [
        f"{card['species']} model of {len(card['classes'])} classes, trained on {card['n_cells']:,} cells"
        f"{left_out}",
        f"{card['n_selected']:,} variable genes of {card['n_features']:,} with orthologs in "
        f"{card['target_species']}",
        *weighted(card["selection"]),
        f"held-out cells: accuracy {held_out['accuracy']:.3f}, mean recall {held_out['mean_recall']:.3f}, "
        f"macro F1 {held_out['macro_f1']:.3f}",
        *own_table(card.get("ortholog_table") or {}),
        "",
        table(
            [
                (
                    name,
                    card["class_ontology_term_ids"].get(name, ""),
                    card["cells_per_class"][name],
                    held_out["recall"][name],
                    ", ".join(present_genes(card, name)[:5]),
                )
                for name in card["classes"]
            ],
            header=("class", "ontology id", "cells", "recall", "top genes"),
        ),
    ]
    return "\n".join(lines)


def present_genes(card: dict[str, Any], name: str) -> list[str]:
    """Return the genes whose presence, not whose absence, speaks for a class, best first."""
    return [gene["gene"] for gene in card["top_genes"][name] if gene["weight"] > 0]
