"""The bundled tables against their checksums, their sources and a second way to judge what is one to one."""

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


def test_mapping_sixty_thousand_names_takes_less_than_a_second():
    code = """if True:
        from time import process_time
        from orthotype.genes import identify, OrthologMap
        import scipy.sparse
        names = ["RP11-%d.1" % n for n in range(20_000)] + ["CD34", "MARCH1"] * 5 + names_of()
        begin = process_time()
        OrthologMap("human", "mouse").projection(identify(names))
        print(process_time() - begin)
    """
    names = [symbol for symbol in gene_table("human").symbol_of.values() if symbol][:40_000]
    code = f"import sys, json\ndef names_of(): return json.load(sys.stdin)\n{code}"
    times = []
    for _ in range(3):  # the quickest: other work on the machine is no fault of the tables
        result = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(names), capture_output=True, text=True, check=True
        )
        times.append(float(result.stdout))
    assert min(times) < 1


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
