"""``orthotype orthologs`` as a user types it, and a species without a bundled table from table to labels."""

import gzip
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

from orthotype.genes import identify

Command = Callable[..., Any]
LABELS = ("--labels", "cell_ontology_class")
DATA = Path(__file__).parents[1] / "data" / "orthologs"


def test_show_answers_with_partners_tier_evidence_and_sources(orthotype: Command) -> None:
    done = orthotype("orthologs", "show", "S100A9", "Lyz2", "HBB")
    assert (done.code, done.err) == (0, "")
    lines = {line.split()[1]: " ".join(line.split()) for line in done.out.splitlines() if "ENSMUSG" in line}
    assert "one to one C Ensembl one-to-many; HCOP 12 of 12 (EggNOG, Ensembl, HGNC" in lines["S100a9"]
    assert "one of several M Ensembl silent; HCOP 6 of 12" in lines["Hbb-bs"]
    assert "Lyz2 (mouse, ENSMUSG00000069516)" in done.out
    for meaning in ("tier C: each other's best partner in HCOP", "tier M: one of several partners"):
        assert done.out.count(meaning) == 1


def test_show_reads_old_names_and_composes_through_human(orthotype: Command) -> None:
    done = orthotype("orthologs", "show", "MARCH1", "--to", "mouse")
    assert "MARCHF1 (human, ENSG00000145416, read by previous from 'MARCH1')" in done.out
    done = orthotype("orthologs", "show", "Cd34", "--species", "mouse", "--to", "pig", "--to", "rhesus")
    assert "composed through human ENSG00000174059" in done.out
    assert "rhesus" in done.out


def test_show_tells_unknown_genes_with_the_nearest_names(orthotype: Command) -> None:
    some = orthotype("orthologs", "show", "S100AX9", "LYZ")
    assert some.code == 0
    assert some.err.startswith("orthotype: 'S100AX9' is no gene of any bundled species; did you mean S100A9")
    assert "LYZ (human" in some.out
    none = orthotype("orthologs", "show", "qqqqq", "--species", "mouse")
    assert (none.code, none.out) == (1, "")
    assert none.err == "orthotype: 'qqqqq' is no gene of mouse; check the spelling\n"


def test_show_as_json(orthotype: Command) -> None:
    done = orthotype("orthologs", "show", "S100A9", "S100AX9", "--json")
    known, unknown = done.json
    assert known["partners"][0]["tier"] == "C"
    assert unknown["id"] is None
    assert "S100A9" in unknown["nearest"]


def test_list_shows_bundled_pairs_and_tables_to_download(orthotype: Command) -> None:
    done = orthotype("orthologs", "list")
    assert "18,079" in done.out
    assert "hcop-human-rat" in done.out
    found = orthotype("orthologs", "list", "--json").json
    assert {"source": "human", "target": "mouse"}.items() <= found["bundled"][0].items()
    assert found["download"][0]["files"][0]["sha256"] is None
    assert "doi" in found["download"][0]


def test_export_writes_a_table_that_train_can_read(orthotype: Command, kept: Path) -> None:
    done = orthotype("orthologs", "export", "mouse", "human", "--policy", "groups", "-o", "table.tsv")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("orthotype: wrote table.tsv: ")
    table = pd.read_csv("table.tsv", sep="\t", keep_default_na=False)
    assert {"HBB"} == set(table.loc[table["mouse_symbol"] == "Hbb-bs", "feature"])
    trained = orthotype(
        *("train", kept / "mouse.h5ad", *LABELS, "-o", "m.safetensors", "--orthologs", "table.tsv"),
        *("--policy", "groups", "--json"),
    )
    assert trained.code == 0, trained.err
    assert trained.json["n_features"] > 12_000


def test_export_to_stdout_and_as_json(orthotype: Command) -> None:
    lines = orthotype("orthologs", "export", "pig", "rhesus").out.splitlines()
    assert lines[0].split("\t")[:2] == ["pig_ensembl_gene", "pig_symbol"]
    assert len(lines) == len(orthotype("orthologs", "export", "pig", "rhesus", "--json").json) + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "mouse", "wombat"), "unknown species 'wombat'; expected one of human, mouse"),
        (("show", "LYZ", "--species", "moose"), "did you mean 'mouse'"),
        (("export", "mouse", "rat"), "no ortholog table of mouse and rat is bundled"),
        (("export", "mouse", "human", "-o", "table.csv"), "table.csv ends in '.csv'; expected .tsv"),
        (("export", "mouse", "human", "-o", "nowhere/table.tsv"), "is not a folder"),
        (("get", "hcop-human-rats"), "did you mean 'hcop-human-rat'"),
    ],
)
def test_bad_words_are_one_clear_error(
    refused: Callable[..., str], words: tuple[str, ...], message: str
) -> None:
    assert message in refused("orthologs", *words)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that a server on this machine publishes in place of the real addresses."""
    folder = tmp_path / "published"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("ORTHOTYPE_DATA_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ORTHOTYPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield folder
    server.shutdown()
    server.server_close()


def test_get_prints_the_place_and_says_that_the_first_download_was_trusted(
    orthotype: Command, mirror: Path, tmp_path: Path
) -> None:
    name = "human_rat_hcop_fifteen_column.txt.gz"
    (mirror / name).write_bytes((DATA / "hcop_human_rat.txt.gz").read_bytes())
    done = orthotype("orthologs", "get", "hcop-human-rat")
    place = tmp_path / "cache" / "datasets" / "hcop-human-rat.tsv"
    assert (done.code, done.out) == (0, f"{place}\n")
    assert (
        "the publisher states no checksum, so this first download was taken on trust; its sha256" in done.err
    )
    assert f"--target-species rat --orthologs {place}" in done.err
    again = orthotype("orthologs", "get", "hcop-human-rat", "--json")
    assert again.json["path"] == str(place)
    assert "trust" not in again.err


# The rat cells of these tests are simulated: bundled mouse cells under rat names. They show that nothing is
# lost between table and label, not that mouse and rat are alike.


@pytest.fixture
def rat(small_mouse: anndata.AnnData) -> tuple[pd.DataFrame, anndata.AnnData]:
    """Give a BioMart table of mouse and rat, and the mouse cells renamed by it."""
    found = identify(small_mouse.var_names, species="mouse")
    ids = list(dict.fromkeys(gene for gene in found.ids if gene))
    rat_id = {gene: f"ENSRNOG{number:011d}" for number, gene in enumerate(ids)}
    table = pd.DataFrame(
        {
            "Gene stable ID": ids,
            "Rat gene stable ID": [rat_id[gene] for gene in ids],
            "Rat gene name": [f"Rn{number}" for number in range(len(ids))],
            "Rat homology type": "ortholog_one2one",
            "Rat orthology confidence [0 low, 1 high]": 1,
        }
    )
    cells = small_mouse.copy()
    cells.var_names = [rat_id.get(gene, f"x{n}") for n, gene in enumerate(found.ids)]
    cells.var_names_make_unique()
    return table, cells


def test_a_species_without_a_bundled_table_from_table_to_labels(
    orthotype: Command, kept: Path, rat: tuple[pd.DataFrame, anndata.AnnData]
) -> None:
    table, cells = rat
    with gzip.open("mart_export.txt.gz", "wt") as file:
        table.to_csv(file, sep="\t", index=False)
    by_symbol = cells.copy()
    symbol = dict(zip(table["Rat gene stable ID"], table["Rat gene name"], strict=True))
    by_symbol.var_names = [symbol.get(name, name) for name in cells.var_names]
    cells.write_h5ad("rat.h5ad")
    by_symbol.write_h5ad("rat_symbols.h5ad")
    done = orthotype(
        *("train", kept / "mouse.h5ad", *LABELS, "-o", "m.safetensors"),
        *("--orthologs", "mart_export.txt.gz", "--target-species", "rat"),
    )
    assert done.code == 0, done.err
    assert "with orthologs in rat" in done.out
    runs = [
        ("as_mouse.h5ad", kept / "mouse.h5ad"),
        ("as_rat.h5ad", "rat.h5ad"),
        ("as_named.h5ad", "rat_symbols.h5ad", "--species", "rat"),
    ]
    found = []
    for output, target, *words in runs:
        done = orthotype("annotate", "m.safetensors", target, "-o", output, *words)
        assert done.code == 0, done.err
        found.append(anndata.read_h5ad(output).obs["orthotype_label"].astype(str).tolist())
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert orthotype("inspect", "rat.h5ad").code == 0


def test_a_third_species_is_told_to_train_with_a_table(
    orthotype: Command, kept: Path, rat: tuple[pd.DataFrame, anndata.AnnData]
) -> None:
    cells = rat[1]
    cells.write_h5ad("rat.h5ad")
    done = orthotype("annotate", kept / "model.safetensors", "rat.h5ad", "-o", "out.h5ad")
    assert done.code == 1
    assert "no bundled ortholog table joins rat to mouse" in done.message
    assert "orthotype train ... --target-species 'rat' --orthologs FILE" in done.message
    assert not Path("out.h5ad").exists()
