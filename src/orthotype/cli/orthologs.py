"""``orthotype orthologs``: which genes are the same, how sure that is, and tables to keep."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orthotype.cli import outputs
from orthotype.cli.console import note, progress, say, say_json, table
from orthotype.cli.options import Force, Json, Policy

app = typer.Typer(
    help="Ask the ortholog tables; keep or fetch one.", no_args_is_help=True, rich_markup_mode=None
)

TSV = (".tsv",)
EVIDENCE = {
    "1:1": "Ensembl one-to-one",
    "1:n": "Ensembl one-to-many",
    "n:m": "Ensembl many-to-many",
    "": "Ensembl silent",
}


@app.callback()
def orthologs() -> None:
    """Ask the ortholog tables; keep or fetch one."""


@app.command("list")
def list_tables(json: Json = False) -> None:
    """List the pairs of species: bundled ones, and tables to download."""
    from orthotype.datasets import orthologs
    from orthotype.genes.lookup import available

    bundled, more = available().to_dict("records"), orthologs.tables()
    if json:
        say_json({"bundled": bundled, "download": [entry.to_dict() for entry in more]})
        return
    rows = [(p["source"], p["target"], p["pairs"], p["one2one"], p["via"], p["release"]) for p in bundled]
    say(table(rows, header=("bundled", "", "pairs", "one to one", "via", "release")))
    say()
    fetched = [(entry.name, entry.source, entry.target, entry.title, entry.release) for entry in more]
    say(table(fetched, header=("to download", "", "", "origin", "release")))
    note("licences, addresses, checksums: orthotype orthologs list --json")
    note("any other species: train --orthologs FILE, a table of your own (two columns suffice)")


@app.command("show")
def show(
    genes: Annotated[list[str], typer.Argument(help="Symbols, old or new, or Ensembl ids.")],
    species: Annotated[
        str | None, typer.Option("--species", help="Species of the genes; by default their names tell.")
    ] = None,
    targets: Annotated[
        list[str] | None, typer.Option("--to", help="Partners in this species only; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what is known of genes: partners in other species, how sure they are, who says so.

    Exit code 1 if none of the genes is known.
    """
    from orthotype.genes import lookup

    found = lookup.show(genes, species=species, targets=targets)
    if json:
        say_json(found)
    else:
        known = [gene for gene in found if gene["id"]]
        if known:
            say("\n\n".join([*map(described, known), legend(known)]).rstrip())
    for gene in found:
        if not gene["id"]:
            note(unknown(gene))
    if not any(gene["id"] for gene in found):
        raise typer.Exit(1)


def described(gene: dict[str, Any]) -> str:
    """Lay out one gene and its partners for the terminal."""
    how = "" if gene["how"] in ("symbol", "id") else f", read by {gene['how']} from {gene['query']!r}"
    head = f"{gene['symbol'] or gene['id']} ({gene['species']}, {gene['id']}{how})"
    if not gene["partners"]:
        return f"{head}\n  no partner in the bundled tables"
    rows = [
        (
            f"  {partner['species']}",
            partner["symbol"] or "(no symbol)",
            partner["id"],
            "one to one" if partner["one2one"] else "one of several",
            partner["tier"],
            evidence(partner),
        )
        for partner in gene["partners"]
    ]
    return f"{head}\n{table(rows, header=('  partner', 'symbol', 'id', 'pair', 'tier', 'evidence'))}"


def evidence(partner: dict[str, Any]) -> str:
    """Say who asserts a pair."""
    parts = [EVIDENCE[partner["ensembl"]]]
    if partner["hcop_votes"]:
        names = f" ({', '.join(partner['sources'])})" if partner["sources"] else ""
        parts.append(f"HCOP {partner['hcop_votes']} of 12{names}")
    if partner.get("via"):
        parts.append(f"composed through human {partner['via']}")
    return "; ".join(parts)


def legend(found: list[dict[str, Any]]) -> str:
    """Say what the tiers mean that are shown."""
    meanings = {p["tier"]: p["meaning"] for gene in found for p in gene["partners"]}
    return "\n".join(f"tier {tier}: {meaning}" for tier, meaning in sorted(meanings.items()))


def unknown(gene: dict[str, Any]) -> str:
    """Say that a gene is not known, and what it may have meant."""
    where = gene["species"] or "any bundled species"
    like = f"did you mean {', '.join(gene['nearest'])}?" if gene["nearest"] else "check the spelling"
    return f"{gene['query']!r} is no gene of {where}; {like}"


@app.command("export")
def export(
    source: Annotated[str, typer.Argument(help="Species of the first columns.")],
    target: Annotated[str, typer.Argument(help="Species of the next.")],
    policy: Annotated[
        Policy, typer.Option("--policy", help="Which orthologs: see docs/orthologs.md.")
    ] = Policy.ONE2ONE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table to write (.tsv); by default to stdout.")
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Write the ortholog table of two species: to keep, edit and give back with --orthologs."""
    from orthotype._files import written_whole
    from orthotype.genes import lookup

    if output is not None:
        outputs.ready(output, TSV, force=force)
    pairs = lookup.export(source, target, policy=policy.value)
    if output is not None:
        with written_whole(output, force=force) as beside:
            pairs.to_csv(beside, sep="\t", index=False, lineterminator="\n")
        note(f"wrote {output}: {len(pairs):,} pairs")
    elif not json:
        say(pairs.to_csv(sep="\t", index=False, lineterminator="\n").rstrip("\n"))
    if json:
        say_json(pairs.to_dict("records"))


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="Name, as in: orthotype orthologs list")], json: Json = False
) -> None:
    """Fetch an ortholog table and print where it is, for train --orthologs."""
    from orthotype.datasets import orthologs

    with progress(f"fetching {name}"):
        place = orthologs.path(name)
    found = orthologs.find(name)
    if json:
        say_json(found.to_dict() | {"path": str(place)})
    else:
        say(str(place))
    note(found.notes)
    note(f"use it with: orthotype train ... --target-species {found.target} --orthologs {place}")
