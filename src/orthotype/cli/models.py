"""``orthotype models``: what a model file is."""

from pathlib import Path
from typing import Annotated

import typer

from orthotype.cli.console import say, say_json
from orthotype.cli.options import Json

app = typer.Typer(help="Look into model files.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def models() -> None:
    """Look into model files."""


@app.command("show")
def show(
    model: Annotated[Path, typer.Argument(help="Model file written by orthotype train.")], json: Json = False
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
