"""``orthotype datasets``: data to try orthotype on."""

from typing import Annotated

import typer

from orthotype.cli.console import note, say, say_json, table
from orthotype.cli.options import Json

app = typer.Typer(help="List, fetch and find data sets.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name, as in: orthotype datasets list")]


@app.command("list")
def list_datasets(json: Json = False) -> None:
    """List the data sets: bundled ones, and ones to download."""
    from orthotype import datasets

    known = datasets.list()
    if json:
        say_json([entry.to_dict() for entry in known])
        return
    rows = [(d.name, d.species, d.tissue, d.cells, d.genes, d.kind, d.citation) for d in known]
    say(table(rows, header=("name", "species", "tissue", "cells", "genes", "where", "citation")))


@app.command("get")
def get(name: Name) -> None:
    """Fetch a data set into the cache, check it, and print its path."""
    from orthotype import datasets

    note(f"ready: {name}")
    say(str(datasets.path(name)))


@app.command("path")
def path(name: Name) -> None:
    """Print the path of a data set on this machine, fetching it first if need be."""
    from orthotype import datasets

    say(str(datasets.path(name)))
