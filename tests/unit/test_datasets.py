"""The registry and the bundled pair: what is promised is what is there."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from anndata.io import sparse_dataset

import orthotype
from orthotype import datasets
from orthotype.datasets import convert, registry
from orthotype.errors import InputError

BUNDLED = [dataset for dataset in datasets.list() if dataset.kind == "bundled"]
LABELS = {
    "baron2016-mouse": {
        "beta": 894,
        "ductal": 275,
        "delta": 218,
        "alpha": 191,
        "endothelial": 139,
        "quiescent_stellate": 47,
        "gamma": 41,
        "macrophage": 36,
        "activated_stellate": 14,
        "B_cell": 10,
        "immune_other": 8,
        "T_cell": 7,
        "schwann": 6,
    },
    "baron2016-human": {
        "beta": 623,
        "alpha": 577,
        "ductal": 290,
        "acinar": 231,
        "delta": 144,
        "activated_stellate": 72,
        "gamma": 67,
        "endothelial": 62,
        "quiescent_stellate": 41,
        "macrophage": 18,
        "mast": 8,
        "t_cell": 4,
        "epsilon": 3,
        "schwann": 2,
    },
}
DONORS = {
    "baron2016-mouse": {"mouse1": 822, "mouse2": 1064},
    "baron2016-human": {"human1": 472, "human2": 450, "human3": 914, "human4": 306},
}
ONLY_HUMAN = {"pancreatic acinar cell", "mast cell", "pancreatic epsilon cell"}
ARCHIVES = {"www.ebi.ac.uk", "ndownloader.figshare.com", "ftp.ncbi.nlm.nih.gov"}
TOTAL = 15_500_000


@pytest.fixture(scope="module")
def pair() -> dict[str, AnnData]:
    return {name: datasets.get(name) for name in LABELS}


def test_public_names() -> None:
    assert datasets.__all__ == ["Dataset", "get", "list", "path"]
    assert orthotype.datasets is datasets


def test_the_registry_is_complete() -> None:
    names = [dataset.name for dataset in datasets.list()]
    assert len(set(names)) == len(names) >= 5
    for dataset in datasets.list():
        assert dataset.kind in {"bundled", "download"}
        for file in dataset.files:
            assert file.url.startswith("https://")
            known = (len(file.sha256 or ""), file.size is not None)
            assert known == (64, True) or (known, dataset.kind) == ((0, False), "download")
        for told in ("species", "tissue", "technology", "citation", "doi", "licence", "notes"):
            assert getattr(dataset, told), (dataset.name, told)
        assert (dataset.kind == "download") == (dataset.name in convert.CONVERTERS)


def test_the_registry_as_a_table() -> None:
    table = pd.DataFrame(datasets.list())
    assert list(table["name"][:2]) == ["baron2016-mouse", "baron2016-human"]
    json.dumps(table.to_dict("records"))


def test_an_entry_as_json() -> None:
    entry = json.loads(json.dumps(datasets.list()[0].to_dict()))
    written = json.loads(registry.REGISTRY.read_text(encoding="utf-8"))["datasets"][0]
    assert entry == {"saved_as": "", "beside": []} | written


def test_no_two_files_of_the_cache_have_one_name() -> None:
    files = {(file.file_name, file.url) for dataset in datasets.list() for file in dataset.files}
    downloads = [(name, url) for name, url in files if not name.endswith(".h5ad")]
    assert len({name for name, _ in downloads}) == len(downloads)


def test_published_addresses_are_those_of_the_content() -> None:
    """A package index files each archive under a digest of its own, so the address cannot drift unseen."""
    for dataset in datasets.list():
        if dataset.sha256 is None:  # no publisher's checksum: taken on trust
            assert dataset.url.split("/")[2] in ARCHIVES
            continue
        folders = dataset.url.split("/packages/")[1].split("/")
        assert [len(part) for part in folders[:3]] == [2, 2, 60]


def test_unknown_name() -> None:
    with pytest.raises(
        InputError, match="no data set is called 'baron2016-mose'; did you mean 'baron2016-mouse'"
    ):
        datasets.path("baron2016-mose")
    with pytest.raises(InputError, match=r"expected one of 'baron2016-mouse', .*; 'orthotype datasets list'"):
        datasets.get("xyz")


def test_bundled_files_are_those_of_the_registry() -> None:
    paths = [datasets.path(dataset.name) for dataset in BUNDLED]
    for path, dataset in zip(paths, BUNDLED, strict=True):
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == dataset.sha256
        assert len(content) == dataset.size
    assert sum(path.stat().st_size for path in paths) <= TOTAL
    assert {path.name for path in paths} == {path.name for path in paths[0].parent.glob("*.h5ad")}


@pytest.mark.parametrize("name", list(LABELS))
def test_bundled_cells(pair: dict[str, AnnData], name: str) -> None:
    table, dataset = pair[name], registry.find(name)
    assert table.shape == (dataset.cells, dataset.genes)
    assert table.obs[dataset.labels].value_counts().to_dict() == LABELS[name]
    assert table.obs[dataset.donors].value_counts().to_dict() == DONORS[name]
    assert table.obs_names.is_unique
    assert table.var_names.is_unique
    assert table.uns["doi"] == dataset.doi
    assert table.uns["species"] == dataset.species


@pytest.mark.parametrize("name", list(LABELS))
def test_bundled_values_are_raw_counts(pair: dict[str, AnnData], name: str) -> None:
    counts = pair[name].X
    assert (counts.format, counts.dtype, counts.indices.dtype) == ("csr", np.int32, np.int32)
    assert counts.has_canonical_format
    assert counts.data.min() == 1
    assert np.asarray(counts.sum(axis=1)).min() > 0


def test_bundled_totals(pair: dict[str, AnnData]) -> None:
    """Numbers of the files inside the package that the pair is built from."""
    mouse, human = pair.values()
    assert (mouse.X.nnz, human.X.nnz) == (3_094_361, 4_015_200)
    assert (mouse.X.max(), human.X.max()) == (3656, 3305)
    insulin = np.asarray(human[:, "INS"].X.todense()).ravel()
    assert human.obs["cell_type"].iloc[insulin.argmax()] == "beta"


def test_ontology_terms_say_what_the_pair_shares(pair: dict[str, AnnData]) -> None:
    mouse, human = (table.obs for table in pair.values())
    for obs in (mouse, human):
        terms = obs[["cell_type", "cell_type_ontology_term_id", "cell_ontology_class"]].drop_duplicates()
        assert not terms["cell_type"].duplicated().any()
        assert obs["cell_type_ontology_term_id"].str.fullmatch(r"CL:\d{7}").all()
        named = terms[["cell_type_ontology_term_id", "cell_ontology_class"]].drop_duplicates()
        assert not named.duplicated("cell_type_ontology_term_id").any()
        assert not named.duplicated("cell_ontology_class").any()
    beta = mouse.loc[mouse["cell_type"] == "beta", "cell_type_ontology_term_id"]
    assert set(beta) == {"CL:0000169"}
    shared = set(mouse["cell_ontology_class"]) & set(human["cell_ontology_class"])
    assert len(shared) == 10
    assert set(human["cell_ontology_class"]) - shared == ONLY_HUMAN


@pytest.mark.parametrize("rows", [slice(0, 7), slice(1000, 1100), slice(1800, None)])
def test_bundled_files_can_be_read_in_blocks(pair: dict[str, AnnData], rows: slice) -> None:
    for name, table in pair.items():
        with h5py.File(datasets.path(name)) as file:
            block = sparse_dataset(file["X"])[rows]
        assert (block != table.X[rows]).nnz == 0
        assert block.dtype == np.int32


def test_importing_is_light() -> None:
    heavy = {"anndata", "numpy", "pandas", "scipy", "h5py", "pooch", "requests", "rich", "platformdirs"}
    command = "import sys, orthotype.datasets as d; d.list(); d.path('baron2016-mouse'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert heavy.isdisjoint(loaded.split())


@pytest.mark.parametrize("verb", [datasets.get, datasets.path])
def test_signatures(verb: Callable[..., object]) -> None:
    with pytest.raises(TypeError):
        verb("baron2016-mouse", "http://127.0.0.1:9")


def test_the_notice_names_every_source() -> None:
    notice = (Path(registry.__file__).with_name("bundled") / "NOTICE").read_text(encoding="utf-8")
    for dataset in BUNDLED:
        for needed in (dataset.file_name, dataset.doi, dataset.accession, dataset.url.rsplit("/", 1)[-1]):
            assert needed in notice
    assert "Copyright (c) 2021 Cynthia" in notice


def test_the_page_lists_what_the_registry_lists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `") and " x " in row}
    assert list(rows) == [dataset.name for dataset in datasets.list()]
    for dataset in datasets.list():
        row = rows[dataset.name]
        size = f"{dataset.size / 1e6:.0f} MB" if dataset.size and dataset.kind == "download" else dataset.kind
        shape = [f"{number:,}" if number else "?" for number in (dataset.cells, dataset.genes)]
        for needed in (" x ".join(shape), dataset.technology, dataset.species, size):
            assert needed in row
