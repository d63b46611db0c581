"""Ortholog tables from a real HTTP server on this machine: real formats, breaks, trust on first use."""

import gzip
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orthotype.datasets import cache, download, orthologs, published, resume
from orthotype.errors import DownloadError, InputError, OrthotypeWarning
from orthotype.genes import OrthologMap, identify, resolve_species

HCOP = "human_rat_hcop_fifteen_column.txt.gz"
FISH = "danio_rerio.Compara.116.protein_default.homologies.tsv.gz"
HUMAN = "homo_sapiens.Compara.116.protein_default.homologies.tsv.gz"
ENSEMBL_HEADER = [
    "gene_stable_id",
    "protein_stable_id",
    "species",
    "identity",
    "homology_type",
    "homology_gene_stable_id",
    "homology_protein_stable_id",
    "homology_species",
    "homology_identity",
    "dn",
    "ds",
    "goc_score",
    "wga_coverage",
    "is_high_confidence",
    "homology_id",
]


def rows_of(*rows: list[str]) -> bytes:
    return gzip.compress("".join("\t".join(row) + "\n" for row in rows).encode(), mtime=0)


def hcop(*pairs: tuple[str, str, str, str, int], word: str = "rat") -> bytes:
    """HCOP's fifteen columns: human id, symbol, other id, symbol, and how many resources assert the pair."""
    left = ["entrez_gene", "ensembl_gene", "hgnc_id", "name", "symbol", "chr", "assert_ids"]
    header = [name if name == "hgnc_id" else f"human_{name}" for name in left]
    header += [f"{word}_entrez_gene", f"{word}_ensembl_gene", "rgd_id", f"{word}_name", f"{word}_symbol"]
    header += [f"{word}_chr", f"{word}_assert_ids", "support"]
    sources = ["Ensembl", "HGNC", "OMA", "OrthoDB", "Panther", "NCBI", "Treefam"]
    body = [
        ["-", a, "-", "a name", b, "1", "-", "-", c, "-", "-", d, "1", "-", ",".join(sources[:n])]
        for a, b, c, d, n in pairs
    ]
    return rows_of(header, *body)


def ensembl(*pairs: tuple[str, str, str, str, str]) -> bytes:
    """Ensembl's fifteen columns: gene, species, kind, other gene, other species."""
    body = [
        [a, "P", s, "50.1", kind, b, "P", t, "49.0", "NULL", "NULL", "75", "98.1", "1", str(number)]
        for number, (a, s, kind, b, t) in enumerate(pairs)
    ]
    return rows_of(ENSEMBL_HEADER, *body)


RAT = hcop(
    ("ENSG00000163220", "S100A9", "ENSRNOG00000011483", "S100a9", 7),
    ("ENSG00000163220", "S100A9", "ENSRNOG00000099999", "Weak", 1),
    ("ENSG00000090382", "LYZ", "ENSRNOG00000005825", "Lyz2", 5),
    ("ENSG00000090382", "LYZ", "ENSRNOG00000004444", "Lyz3", 3),
    ("ENSG00000244734", "HBB", "ENSRNOG00000047098", "Hbb", 4),
    ("ENSG00000244734", "HBB", "ENSRNOG00000048955", "Hbb-b1", 4),
    ("ENSG00000198851", "CD3E", "-", "Cd3e", 6),
)


@dataclass
class Behaviour:
    files: dict[str, bytes]
    etag: str | None = '"one"'
    breaks: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        does: Behaviour = self.server.behaviour
        name, wanted = self.path.rsplit("/", 1)[-1], self.headers["Range"]
        does.asked.append((name, wanted))
        if name not in does.files:
            self.send_error(404)
            return
        whole = does.files[name]
        same = self.headers["If-Range"] in (None, does.etag)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and same else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(whole) - start))
        if does.etag:
            self.send_header("ETag", does.etag)
        self.end_headers()
        stop = does.breaks.pop(0) if does.breaks else len(whole)
        self.wfile.write(whole[start : start + stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def does() -> Behaviour:
    return Behaviour({HCOP: RAT})


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
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(download.MIRROR, raising=False)
    return tmp_path / "cache" / "datasets"


def get(name: str, url: str) -> Path:
    with pytest.warns(OrthotypeWarning, match="taken on trust"):
        return orthologs.path(name, base_url=url)


def test_the_registry_invents_no_checksum_and_knows_its_species() -> None:
    registry = json.loads(published.REGISTRY.read_text(encoding="utf-8"))
    assert all(file["sha256"] is None and file["size"] is None for file in registry["files"])
    assert {f["url"].split("/")[2] for f in registry["files"]} == {
        "storage.googleapis.com",
        "ftp.ensembl.org",
    }
    used = {file.name for table in orthologs.tables() for file in table.files}
    assert used == {file["name"] for file in registry["files"]}
    for table in orthologs.tables():
        assert resolve_species(table.source).name == table.source
        assert resolve_species(table.target).name == table.target
        assert table.name.split("-") == [table.origin, table.source, table.target]


def test_hcop_becomes_a_table_that_keeps_what_many_resources_say(url: str) -> None:
    table = get("hcop-human-rat", url)
    one = OrthologMap("human", "rat", table=table)
    assert one.names.tolist() == ["S100A9", "CD3E", "LYZ"] or sorted(one.names) == ["CD3E", "LYZ", "S100A9"]
    groups = OrthologMap("human", "rat", table=table, policy="groups")
    families = dict(zip(groups.names, groups.target_members, strict=True))
    assert set(families["HBB"]) >= {"ENSRNOG00000047098", "ENSRNOG00000048955"}
    for names in (["S100a9", "Lyz2", "Cd3e"], ["ENSRNOG00000011483", "ENSRNOG00000005825", "Cd3e"]):
        projection = one.projection(identify(names, species="rat"))
        assert sorted(one.names[projection.indices]) == ["CD3E", "LYZ", "S100A9"]
    assert one.projection(identify(["Weak", "Lyz3"], species="rat")).nnz == 0


def test_hcop_calls_the_other_species_by_its_own_word(url: str, does: Behaviour) -> None:
    fly = hcop(("ENSG00000105202", "FBL", "FBgn0003062", "Fib", 5), word="fruit fly")
    does.files = {"human_fruitfly_hcop_fifteen_column.txt.gz": fly}
    table = OrthologMap("human", "fly", table=get("hcop-human-fly", url))
    assert table.target_members == [("FBgn0003062", "Fib")]


def test_ensembl_pairs_are_found_in_either_file_and_either_order(url: str, does: Behaviour) -> None:
    pair = ("ENSG00000081237", "homo_sapiens", "ortholog_one2one", "ENSDARG00000071437", "danio_rerio")
    turned = ("ENSDARG00000013477", "danio_rerio", "ortholog_one2many", "ENSG00000102145", "homo_sapiens")
    second = ("ENSDARG00000059130", "danio_rerio", "ortholog_one2many", "ENSG00000102145", "homo_sapiens")
    other = ("ENSG00000081237", "homo_sapiens", "ortholog_one2one", "ENSMUSG00000026395", "mus_musculus")
    within = ("ENSG00000081237", "homo_sapiens", "other_paralog", "ENSG00000102145", "homo_sapiens")
    does.files = {HUMAN: ensembl(other, within, pair), FISH: ensembl(turned, second, pair)}
    table = get("ensembl-human-zebrafish", url)
    fish = OrthologMap("human", "zebrafish", table=table, policy="groups")
    assert fish.names.tolist() == ["PTPRC", "GATA1"]
    assert fish.target_members == [("ENSDARG00000071437",), ("ENSDARG00000013477", "ENSDARG00000059130")]
    assert fish.report["one_to_one"] == 1
    assert {name for name, _ in does.asked} == {HUMAN, FISH}


def test_the_table_says_where_it_comes_from(url: str, folder: Path) -> None:
    text = get("hcop-human-rat", url).read_text(encoding="utf-8")
    kept = (folder / f"{HCOP}.sha256").read_text(encoding="utf-8").strip()
    assert f"# {kept}\n" in text
    assert "CC0" in text


def test_the_first_download_is_trusted_and_told_the_next_must_match(
    url: str, does: Behaviour, folder: Path
) -> None:
    with pytest.warns(OrthotypeWarning) as told:
        table = orthologs.path("hcop-human-rat", base_url=url)
    [sha256, name] = (folder / f"{HCOP}.sha256").read_text(encoding="utf-8").split()
    assert name == HCOP
    for word in ("states no checksum", sha256, str(folder / f"{HCOP}.sha256"), "must match"):
        assert word in str(told[0].message)
    assert orthologs.path("hcop-human-rat", base_url=url) == table  # no warning, no request
    assert len(does.asked) == 1
    for file in (table, folder / HCOP):
        file.unlink()
    orthologs.path("hcop-human-rat", base_url=url)
    assert len(does.asked) == 2


def test_changed_content_is_refused_and_the_way_out_is_named(url: str, does: Behaviour, folder: Path) -> None:
    table = get("hcop-human-rat", url)
    before = table.read_bytes()
    for file in (table, folder / HCOP):
        file.unlink()
    does.files[HCOP] = hcop(("ENSG00000163220", "S100A9", "ENSRNOG00000011483", "S100a9", 7))
    with pytest.raises(
        DownloadError, match=r"another file: found sha256 .* that of the first download, kept in"
    ):
        _message_on_one_line(lambda: orthologs.path("hcop-human-rat", base_url=url))
    assert not table.exists()
    (folder / f"{HCOP}.sha256").unlink()
    assert get("hcop-human-rat", url).read_bytes() != before


def _message_on_one_line(call: object) -> None:
    try:
        call()
    except DownloadError as error:
        raise DownloadError(str(error).replace("\n", " ")) from error


@pytest.mark.parametrize("etag", ['"one"', None])
def test_a_break_is_healed(url: str, does: Behaviour, etag: str | None, folder: Path) -> None:
    rng = random.Random(3)
    many = [
        (f"ENSG{rng.randrange(10**11):011d}", f"G{n}", f"ENSRNOG{rng.randrange(10**11):011d}", f"g{n}", 4)
        for n in range(3000)
    ]
    does.files[HCOP] = hcop(*many)
    does.etag = etag
    does.breaks = [3 * resume.BLOCK]
    get("hcop-human-rat", url)
    ranges = [wanted for _, wanted in does.asked]
    assert ranges == [None, f"bytes={3 * resume.BLOCK}-" if etag else None]
    assert (folder / HCOP).read_bytes() == does.files[HCOP]


def test_a_missing_file_says_what_to_do_by_hand(url: str, does: Behaviour, folder: Path) -> None:
    does.files = {}
    with pytest.raises(DownloadError, match="404") as error:
        orthologs.path("hcop-human-rat", base_url=url)
    for word in ("https://storage.googleapis.com/public-download-files/hcop/", str(folder / HCOP), "by hand"):
        assert word in str(error.value)
    assert "None" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>sorry</html>", "cannot be read"),
        (RAT[:-12], "cannot be read"),
        (rows_of(["a", "b"], ["1", "2"]), "has no columns 'human_ensembl_gene'"),
        (hcop(("ENSG00000163220", "S100A9", "ENSRNOG00000011483", "S100a9", 1)), "hold no pair"),
        (gzip.compress(gzip.decompress(RAT) + b"cut\toff\n", mtime=0), "row 9 has 2 columns, the header 15"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    url: str, does: Behaviour, folder: Path, content: bytes, reason: str
) -> None:
    does.files[HCOP] = content
    with pytest.warns(OrthotypeWarning), pytest.raises(InputError, match=reason):
        orthologs.path("hcop-human-rat", base_url=url)
    assert not (folder / "hcop-human-rat.tsv").exists()


def test_an_unknown_table_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'hcop-human-rat'"):
        orthologs.find("hcop-human-rats")
