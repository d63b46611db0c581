"""``orthotype models``: the models that come with orthotype, and what a model file is."""

from typing import Annotated, Any

import typer

from orthotype.cli.console import note, say, say_json, table
from orthotype.cli.options import Json, ModelFile

app = typer.Typer(
    help="List bundled models, look into model files.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def models() -> None:
    """List bundled models, look into model files."""


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the models that come with orthotype."""
    from orthotype.models import pretrained

    known = pretrained.records()
    if json:
        say_json([model.to_dict() for model in known])
        return
    rows = [(m.name, m.species, m.target_species, m.tissue, m.classes, m.cells) for m in known]
    say(table(rows, header=("name", "trained on", "made for", "tissue", "classes", "cells")))
    note("classes, limits, what to cite: orthotype models show NAME")


@app.command("path")
def path(name: Annotated[str, typer.Argument(help="Name, as in: orthotype models list")]) -> None:
    """Print where the file of a bundled model is."""
    from orthotype.models import pretrained

    say(str(pretrained.path(name)))


@app.command("show")
def show(
    model: ModelFile,
    json: Json = False,
) -> None:
    """Show the card of a model: classes, genes, scores, origin."""
    from orthotype.cli.train import summary
    from orthotype.models.store import read_card

    card = read_card(model)
    if json:
        say_json(card)
        return
    say(summary(card))
    orthologs = card["orthologs"]
    say()
    say(f"orthologs  {orthologs['source']} to {orthologs['target']}, policy {orthologs['policy']}")
    say(f"penalty    {card['alpha']:.3g}, one of {len(card['alphas'])} tried")
    say(f"consensus  {card['n_models']} fold models vote")
    say(f"made       {card['created']} by orthotype {card['orthotype_version']}, seed {card['random_state']}")
    for line in origin(card):
        say(line)


def origin(card: dict[str, Any]) -> list[str]:
    """Say what a published model learned from, under which terms, and what to mind, if its card tells."""
    lines = [
        f"{name:<10} {card[key]}"
        for name, key in (("learned", "citation"), ("licence", "licence"))
        if key in card
    ]
    relabelled = [f"{cluster}: {reason}" for cluster, reason in card.get("relabelled", {}).items()]
    if relabelled:
        lines += [
            "",
            f"clusters relabelled by {card['relabelled_by']}:",
            *(f"- {line}" for line in relabelled),
        ]
    if card.get("limits"):
        lines += ["", "limits:", *(f"- {line}" for line in card["limits"])]
    return lines
