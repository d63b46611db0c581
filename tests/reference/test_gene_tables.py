"""The bundled tables against their checksums, their sources and a second way to judge what is one to one."""

import cProfile
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from orthotype.genes import OrthologMap, identify
from orthotype.genes.tables import gene_table

ROOT = Path(__file__).parents[2]
DATA = ROOT / "src" / "orthotype" / "genes" / "data"
SOURCES = json.loads((DATA / "SOURCES.json").read_text())


def read(name):
    path = DATA / f"{name}.tsv.gz"
    head = sum(line.startswith("# ") for line in gzip.decompress(path.read_bytes()).decode().splitlines())
    return pd.read_csv(path, sep="\t", skiprows=head, dtype=str, keep_default_na=False, quoting=3)


@pytest.mark.parametrize("name", SOURCES["tables"])
def test_every_table_is_the_one_it_says(name):
    entry = SOURCES["tables"][name]
    data = (DATA / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    lines = gzip.decompress(data).decode().splitlines()
    head = [line for line in lines if line.startswith("# ")]
    assert [line[2:].split(": ", 1)[0] for line in head][:4] == ["table", "release", "origin", "licence"]
    assert len(lines) - len(head) - 1 == entry["rows"]


def test_all_tables_together_are_small():
    assert sum(path.stat().st_size for path in DATA.iterdir()) <= 3_000_000


def test_tiers_and_one_to_one_agree_with_a_second_way_to_judge_them():
    table = read("orthologs_human_mouse")
    table["votes"] = [int(bits or "0", 16).bit_count() for bits in table["hcop"]]
    best = table["votes"] >= 3
    for side in ("human", "mouse"):
        most = table.groupby(side)["votes"].transform("max")
        ties = table["votes"].eq(most).groupby(table[side]).transform("sum")
        best &= table["votes"].eq(most) & (ties == 1)
    ensembl = table[table["ensembl"] != ""]
    alone = table["ensembl"] == "1:1"
    for side in ("human", "mouse"):
        alone &= table[side].map(ensembl[side].value_counts()).eq(1)
    expected = pd.Series("M", index=table.index)
    expected[best] = "C"
    expected[alone] = "D"
    expected[alone & (table["votes"] >= 2)] = "B"
    expected[alone & best] = "A"
    assert (table["tier"] == expected).all()
    one = table[table["one2one"] == "1"]
    assert one["human"].is_unique
    assert one["mouse"].is_unique
    assert "M" not in set(one["tier"])
    rank = one["tier"].map("ACBD".index)
    taken = dict(zip(one["human"], rank, strict=True)) | dict(zip(one["mouse"], rank, strict=True))
    passed_over = table[(table["one2one"] == "") & (table["tier"] != "M")]
    better = [
        min(taken.get(human, 9), taken.get(mouse, 9)) <= "ACBD".index(tier)
        for human, mouse, tier in zip(
            passed_over["human"], passed_over["mouse"], passed_over["tier"], strict=True
        )
    ]
    assert all(better)
    assert len(one) > 18_000


@pytest.mark.parametrize("species", ["rhesus", "cynomolgus", "pig"])
def test_pairs_of_other_species_are_one_to_one_only_where_alone(species):
    table = read(f"orthologs_human_{species}")
    one = table["one2one"] == "1"
    for side in ("human", species):
        assert (table[side].map(table[side].value_counts())[one] == 1).all()
    assert not table.duplicated(["human", species]).any()


@pytest.mark.parametrize("species", ["human", "mouse", "rhesus", "cynomolgus", "pig"])
def test_every_name_means_one_gene_that_exists(species):
    genes, names = read(f"genes_{species}"), read(f"names_{species}")
    assert genes["id"].is_unique
    assert genes["symbol"][genes["symbol"] != ""].is_unique
    assert names["name"].is_unique
    assert set(names["id"]) <= set(genes["id"])
    older = names[names["kind"] != "id"]
    assert not set(older["name"]) & set(genes["symbol"])
    assert set(names["kind"]) <= {"previous", "alias", "id"}
    redirected = names[names["kind"] == "id"]
    assert not set(redirected["name"]) & set(redirected["id"])


@pytest.mark.parametrize("species", ["mouse", "rhesus", "cynomolgus", "pig"])
def test_every_gene_of_a_pair_is_in_the_gene_tables(species):
    table = read(f"orthologs_human_{species}")
    assert set(table["human"]) <= set(gene_table("human").symbol_of)
    assert set(table[species]) <= set(gene_table(species).symbol_of)


def test_the_work_of_mapping_grows_with_the_names_and_no_faster():
    """Calls, which are the same on every machine; seconds are in ``benchmarks/mapping.py``."""
    symbols = [symbol for symbol in gene_table("human").symbol_of.values() if symbol]
    orthologs = OrthologMap("human", "mouse")

    def calls(n):
        names = (
            ["CD34", "MARCH1"] * 5 + [f"RP11-{number}.1" for number in range(n // 3)] + symbols[: n * 2 // 3]
        )
        counted = cProfile.Profile()
        counted.runcall(lambda: orthologs.projection(identify(names)))
        return sum(entry.callcount for entry in counted.getstats())

    calls(300)  # reads the tables
    few, many = calls(15_000), calls(60_000)
    assert many < 4.4 * few
    assert many < 60 * 60_000


def test_no_bundled_table_names_a_file_of_mgi():
    origins = " ".join(entry["origin"] for entry in SOURCES["tables"].values())
    assert "MGI" not in origins
    assert Counter(name.split("_")[0] for name in SOURCES["tables"]) == {
        "genes": 5,
        "names": 5,
        "orthologs": 4,
    }


@pytest.mark.skipif(
    "ORTHOTYPE_WHEELS" not in os.environ or find_spec("pyarrow") is None,
    reason="ORTHOTYPE_WHEELS (a folder with the pinned wheels) and pyarrow are needed to rebuild the tables",
)
def test_the_tool_rebuilds_every_table_byte_for_byte(tmp_path):
    tool = ROOT / "tools" / "build_gene_tables.py"
    command = [sys.executable, str(tool), "--wheels", os.environ["ORTHOTYPE_WHEELS"], "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name
