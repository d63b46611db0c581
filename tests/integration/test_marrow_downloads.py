"""Bone marrow from a real HTTP server on this machine, in the formats in which the archives serve it.

The files are written for this test: with made-up numbers, and, where the development data are there, with
real cells, which must come back as they were.
"""

import gzip
import importlib.util
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from orthotype import datasets
from orthotype.datasets import access, cache, download, registry, resume
from orthotype.errors import DownloadError, InputError, OrthotypeWarning

REAL = os.environ.get("ORTHOTYPE_REAL_DATA")


def written() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "marrow_archives", Path(__file__).with_name("marrow_archives.py")
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


archives = written()


@dataclass
class Behaviour:
    """What the server has and does; tests change it between requests."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)  # bytes to send before hanging up, one per request
    moved: str = ""  # where a request for an address by number is sent on to
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        does: Behaviour = self.server.behaviour
        name, wanted = self.path.rsplit("/", 1)[-1], self.headers["Range"]
        does.asked.append((name, wanted))
        if name.isdigit() and does.moved:
            self.send_response(302)
            self.send_header("Location", f"/elsewhere/{does.moved}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in does.files:
            self.send_error(404)
            return
        whole = does.files[name]
        same = self.headers["If-Range"] in (None, '"one"')
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and same else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(whole) - start))
        self.send_header("ETag", '"one"')
        self.end_headers()
        stop = does.breaks.pop(0) if does.breaks else len(whole)
        self.wfile.write(whole[start : start + stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def does() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(does: Behaviour) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.behaviour = does
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mirror"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and data sets of which the shape is not known beforehand."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(download.MIRROR, raising=False)
    monkeypatch.setattr(access, "find", lambda name: replace(registry.find(name), cells=None, genes=None))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def cells(rng: np.random.Generator) -> AnnData:
    counts = rng.poisson(0.4, size=(41, 30))
    counts[0, :3] = 1, 4321, 10
    genes = [f"Gene{number}" for number in range(27)] + ["mt-Co1", "HLA-A", "ERCC-00002"]
    return AnnData(sp.csr_matrix(counts), var=pd.DataFrame(index=genes))


def get(name: str, url: str) -> AnnData:
    with pytest.warns(OrthotypeWarning, match="taken on trust"):
        return datasets.get(name, base_url=url)


def expect(made: AnnData, cells: AnnData, obs: pd.DataFrame) -> None:
    assert (made.X.format, made.X.dtype) == ("csr", np.int32)
    assert made.obs_names.tolist() == obs.index.tolist()
    assert made.var_names.tolist() == cells.var_names.tolist()
    assert (made.X != cells.X).nnz == 0
    assert sorted(made.obs) == sorted(obs)
    for name in obs:
        found, expected = made.obs[name].astype(object), obs[name].astype(object)
        assert found.where(found.notna(), None).tolist() == expected.where(expected.notna(), None).tolist()


@pytest.mark.parametrize("name", list(archives.WRITERS))
def test_each_archive_becomes_counts_and_named_columns(
    name: str, url: str, does: Behaviour, cells: AnnData
) -> None:
    does.files, obs = archives.WRITERS[name](cells)
    made = get(name, url)
    expect(made, cells, obs)
    dataset = registry.find(name)
    assert made.uns["accession"] == dataset.accession
    for column in (dataset.labels, dataset.donors):
        assert column is None or column in made.obs
    assert {asked for asked, _ in does.asked} == {file.file_name for file in dataset.files} == set(does.files)
    again = datasets.get(name, base_url=url)  # no warning, no request
    assert len(does.asked) == len(does.files)
    expect(again, cells, obs)


def test_the_human_matrix_is_of_the_same_form(url: str, does: Behaviour, cells: AnnData) -> None:
    files, obs = archives.stumpf(cells)
    does.files = {"E-MTAB-8629-merged.DGE.txt.gz": files["E-MTAB-8630-merged.DGE.txt.gz"]}
    expect(get("stumpf2020-human-marrow", url), cells, obs)


def test_other_names_of_a_gene_are_kept(url: str, does: Behaviour, cells: AnnData) -> None:
    cells.var_names = [*cells.var_names[:4], "Gene0;Gene4", *cells.var_names[5:]]
    does.files, _ = archives.paul(cells)
    made = get("paul2015-mouse-marrow", url)
    assert made.var_names.tolist()[:5] == ["Gene0", "Gene1", "Gene2", "Gene3", "Gene0-1"]
    known = ["Gene0;Gene0-like", "Gene1", "Gene2", "Gene3;Gene3-like", "Gene0;Gene4"]
    assert made.var["all_names"].tolist()[:5] == known


def test_the_shape_of_the_registry_is_insisted_on(
    url: str, does: Behaviour, cells: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "find", registry.find)
    does.files, _ = archives.paul(cells)
    with pytest.warns(OrthotypeWarning), pytest.raises(InputError, match="expected 10368 x 27297"):
        datasets.path("paul2015-mouse-marrow", base_url=url)


def test_a_break_in_the_middle_is_healed(url: str, does: Behaviour, rng: np.random.Generator) -> None:
    many = AnnData(sp.csr_matrix(rng.integers(0, 10_000, (200, 200))))
    does.files, obs = archives.stumpf(many)
    does.breaks = [5 * resume.BLOCK]
    expect(get("stumpf2020-mouse-marrow", url), many, obs)
    assert [wanted for _, wanted in does.asked] == [None, f"bytes={5 * resume.BLOCK}-"]


def test_a_later_call_goes_on_where_it_broke_off(
    url: str, does: Behaviour, folder: Path, rng: np.random.Generator
) -> None:
    many = AnnData(sp.csr_matrix(rng.integers(0, 10_000, (200, 200))))
    does.files, obs = archives.paul(many)
    does.breaks = [5 * resume.BLOCK, 0]
    with pytest.raises(
        DownloadError, match=rf"{5 * resume.BLOCK:,} of [\d,]+ bytes have arrived and are kept"
    ):
        datasets.path("paul2015-mouse-marrow", base_url=url)
    assert sorted(path.name for path in folder.glob("GSE*")) == [
        "GSE72857_umitab.txt.gz.part",
        "GSE72857_umitab.txt.gz.part.version",
    ]
    expect(get("paul2015-mouse-marrow", url)[:, :], many, obs)
    assert does.asked[2] == ("GSE72857_umitab.txt.gz", f"bytes={5 * resume.BLOCK}-")


def test_an_address_by_number_leads_elsewhere(
    url: str, does: Behaviour, cells: AnnData, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, obs = archives.droplet(AnnData(sp.csr_matrix(rng.integers(0, 10_000, (200, 200)))))
    does.files, does.moved, does.breaks = files, "tabula-muris-droplet.zip", [5 * resume.BLOCK]
    known = registry.find("tabula-muris-marrow-droplet")
    assert known.url.rsplit("/", 1)[1].isdigit()
    [table] = known.beside
    numbered = replace(known, url=f"{url}/10700167", beside=(replace(table, url=f"{url}/{table.file_name}"),))
    monkeypatch.setattr(access, "find", lambda _: numbered)
    with pytest.warns(OrthotypeWarning):
        made = datasets.get("tabula-muris-marrow-droplet")
    assert made.obs_names.tolist() == obs.index.tolist()
    assert ("tabula-muris-droplet.zip", f"bytes={5 * resume.BLOCK}-") in does.asked


def test_the_first_download_is_trusted_and_the_next_must_match(
    url: str, does: Behaviour, folder: Path, cells: AnnData
) -> None:
    does.files, obs = archives.paul(cells)
    with pytest.warns(OrthotypeWarning) as told:
        place = datasets.path("paul2015-mouse-marrow", base_url=url)
    trusted = [warning for warning in told if issubclass(warning.category, OrthotypeWarning)]
    for name, warning in zip(does.files, trusted, strict=True):
        [sha256, named] = (folder / f"{name}.sha256").read_text(encoding="utf-8").split()
        assert named == name
        assert place.name.count(sha256[:8]) == 1
        for word in ("states no checksum", sha256, "must match"):
            assert word in str(warning.message)
    for name in (*does.files, place.name):
        (folder / name).unlink()
    changed = dict(does.files)
    does.files, _ = archives.paul(cells[:30])
    with pytest.raises(DownloadError, match="the server sent another file") as error:
        datasets.path("paul2015-mouse-marrow", base_url=url)
    assert str(folder / "GSE72857_umitab.txt.gz.sha256") in str(error.value)
    assert not list(folder.glob("*.h5ad"))
    does.files = changed
    expect(datasets.get("paul2015-mouse-marrow", base_url=url), cells, obs)


def test_a_missing_second_file_is_all_that_is_fetched_later(
    url: str, does: Behaviour, folder: Path, cells: AnnData
) -> None:
    files, obs = archives.facs(cells)
    archive, table = files
    does.files = {archive: files[archive]}
    with pytest.warns(OrthotypeWarning), pytest.raises(DownloadError, match="404") as error:
        datasets.path("tabula-muris-marrow-facs", base_url=url)
    [published] = registry.find("tabula-muris-marrow-facs").beside
    for word in (published.url, str(folder / table), "by hand"):
        assert word in str(error.value)
    does.files, does.asked = files, []
    expect(get("tabula-muris-marrow-facs", url), cells, obs)
    assert [name for name, _ in does.asked] == [table]


@pytest.mark.parametrize("name", list(archives.WRITERS))
def test_no_file_at_all(name: str, url: str, folder: Path) -> None:
    with pytest.raises(DownloadError, match="404 Not Found") as error:
        datasets.path(name, base_url=url)
    dataset = registry.find(name)
    for word in (dataset.url, str(folder / dataset.file_name), download.MIRROR):
        assert word in str(error.value)
    assert "None" not in str(error.value)


@pytest.mark.parametrize("name", list(archives.WRITERS))
@pytest.mark.parametrize("content", [b"<html>sorry</html>\n<p>no such file</p>\n", b"\x1f\x8bcut", b""])
def test_something_else_is_refused_and_the_way_out_works(
    name: str, content: bytes, url: str, does: Behaviour, folder: Path, cells: AnnData
) -> None:
    files, obs = archives.WRITERS[name](cells)
    first = next(iter(files))
    does.files = files | {first: content}
    with pytest.warns(OrthotypeWarning), pytest.raises(InputError, match="taken on trust") as error:
        datasets.path(name, base_url=url)
    assert not list(folder.glob("*.h5ad"))
    for place in str(error.value).rsplit(": ", 1)[1].split():
        Path(place).unlink()
    does.files = files
    expect(get(name, url), cells, obs)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "paul2015-mouse-marrow",
            (b"W31105\t", b"W99\t"),
            "1 cells of the matrix are not described: 'W31105'",
        ),
        (
            "paul2015-mouse-marrow",
            (b"W31105\t", b"W31106\t"),
            "1 cells are described more than once: 'W31106'",
        ),
        ("paul2015-mouse-marrow", (b"Batch_desc", b"Batch"), "no line of the column names 'Well_ID'"),
        ("tabula-muris-marrow-facs", (b'"A0.D04', b'"Z0.D04'), "1 cells are described but not in the matrix"),
        ("tabula-muris-marrow-facs", (b'"cell_ontology_class",', b""), "no line of the column names 'cell'"),
        ("tabula-muris-marrow-facs", (b'"FALSE"', b'"FALSE","more"'), "lines do not have 13 columns"),
    ],
)
def test_a_table_that_does_not_fit(
    name: str, change: tuple[bytes, bytes], message: str, url: str, does: Behaviour, cells: AnnData
) -> None:
    does.files, _ = archives.WRITERS[name](cells)
    table = list(does.files)[1]
    packed = table.endswith(".gz")
    text = gzip.decompress(does.files[table]) if packed else does.files[table]
    changed = text.replace(*change)
    assert changed != text
    does.files[table] = gzip.compress(changed) if packed else changed
    with pytest.warns(OrthotypeWarning), pytest.raises(InputError, match="taken on trust") as error:
        datasets.path(name, base_url=url)
    assert message in str(error.value)


def repacked(content: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """The same tar with some members renamed, rewritten or left out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in old.getmembers():
            changed = change(member.name, old.extractfile(member).read())
            if changed:
                member = tarfile.TarInfo(changed[0])
                member.size = len(changed[1])
                new.addfile(member, io.BytesIO(changed[1]))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, data: None if "BM2.anno" in name else (name, data), "has one file only of 'BM2'"),
        (lambda name, data: None if "_BM" in name else (name, data), "has no file like"),
        (
            lambda name, data: (
                name,
                gzip.compress(gzip.decompress(data).replace(b"Gene3\t", b"Gene03\t"))
                if "BM1.dem" in name
                else data,
            ),
            "the samples of vangalen2019-human-marrow have different genes",
        ),
        (
            lambda name, data: (name, data[: len(data) // 2] if "BM1.dem" in name else data),
            "BM1.dem.txt.gz is damaged",
        ),
    ],
)
def test_an_archive_that_lacks_something(
    change: Callable[[str, bytes], tuple[str, bytes] | None],
    message: str,
    url: str,
    does: Behaviour,
    cells: AnnData,
) -> None:
    does.files, _ = archives.van_galen(cells)
    does.files["GSE116256_RAW.tar"] = repacked(does.files["GSE116256_RAW.tar"], change)
    with pytest.warns(OrthotypeWarning), pytest.raises(InputError) as error:
        datasets.path("vangalen2019-human-marrow", base_url=url)
    assert message in str(error.value)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stumpf2020-mouse-marrow", "baccin2020_mouse_bm_subset"),
        ("tabula-muris-marrow-droplet", "baccin2020_mouse_bm_subset"),
        ("tabula-muris-marrow-facs", "baccin2020_mouse_bm_subset"),
        ("paul2015-mouse-marrow", "paul2015_mouse_bm"),
        ("vangalen2019-human-marrow", "vangalen2019_human_bm_healthy"),
    ],
)
def test_real_cells_come_back_as_they_were(name: str, source: str, url: str, does: Behaviour) -> None:
    """Real counts of real genes, in the formats of the archives; names of cells and labels are made up."""
    if not REAL or not (Path(REAL) / f"{source}.h5ad").exists():
        pytest.skip(f"ORTHOTYPE_REAL_DATA names no folder with {source}.h5ad: NOT CHECKED on real cells")
    whole = anndata.read_h5ad(Path(REAL) / f"{source}.h5ad")
    cells = AnnData(sp.csr_matrix(whole.X[:180]), var=whole.var[[]])
    does.files, obs = archives.WRITERS[name](cells)
    expect(get(name, url), cells, obs)
