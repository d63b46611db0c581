"""``orthotype inspect``: what a file holds, as orthotype sees it."""

from orthotype.cli.console import say, say_json
from orthotype.cli.inputs import reading
from orthotype.cli.options import CellsFile, Json


def inspect(file: CellsFile, json: Json = False) -> None:
    """Show what a file holds: genes, species, counts, labels.

    Also batches, how many of its genes have orthologs, and every problem that would stop training or
    annotation.
    """
    from orthotype.cells.inspect import inspect as inspect_cells

    with reading(file):
        found = inspect_cells(file)
    if json:
        say_json(found.to_dict())
    else:
        say(str(found))
