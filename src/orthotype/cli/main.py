"""``orthotype``: the commands and what they share. Heavy imports wait inside each command."""

import typer

from orthotype.cli import (
    adapt,
    annotate,
    calibrate,
    datasets,
    demo,
    evaluate,
    inspect,
    models,
    orthologs,
    report,
    study,
    suggest,
    train,
)
from orthotype.cli.console import one_voice

app = typer.Typer(
    name="orthotype",
    help="Carry cell types across species: train on labelled cells of one, label the cells of another.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def main(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    """Carry cell types across species: train on labelled cells of one, label the cells of another."""
    if version:
        from orthotype._version import __version__

        typer.echo(f"orthotype {__version__}")
        raise typer.Exit


app.command("demo")(demo.demo)
app.command("inspect")(inspect.inspect)
app.command("train")(train.train)
app.command("annotate")(annotate.annotate)
app.command("suggest")(suggest.suggest)
app.command("adapt")(adapt.adapt)
app.command("calibrate")(calibrate.calibrate)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("study")(study.study)
app.add_typer(models.app, name="models")
app.add_typer(orthologs.app, name="orthologs")
app.add_typer(datasets.app, name="datasets")


def run() -> None:
    """Run the command line; orthotype's own errors become one message and exit code 1."""
    with one_voice():
        app()
