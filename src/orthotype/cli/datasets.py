"""``orthotype datasets``: data to try orthotype on."""

from typing import Annotated

import typer

from orthotype.cli.console import note, progress, say, say_json, table
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
    rows = [(d.name, d.species, d.tissue, d.cells, d.genes, d.labels, d.donors, d.kind) for d in known]
    say(table(rows, header=("name", "species", "tissue", "cells", "genes", "labels", "donors", "where")))
    note("what to cite, licences, checksums: orthotype datasets list --json")


@app.command("get")
def get(name: Name) -> None:
    """Fetch a data set, check it, and print where it is."""
    from orthotype import datasets

    with progress(f"fetching {name}"):
        place = datasets.path(name)
    say(str(place))
    note(f"{name} is ready")


@app.command("path")
def path(name: Name) -> None:
    """Print where a data set is, fetching it first if need be."""
    from orthotype import datasets

    with progress(f"fetching {name}"):
        place = datasets.path(name)
    say(str(place))
