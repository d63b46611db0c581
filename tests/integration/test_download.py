"""Downloads against a real HTTP server on this machine: breaks, resumption, and all that can go wrong."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from orthotype.datasets import access, cache, convert, download, registry, resume
from orthotype.errors import DownloadError, InputError, OutputError

SIZE = 300_000
CONTENT = np.random.default_rng(5).bytes(SIZE)
OTHER = np.random.default_rng(6).bytes(SIZE)
BROKEN_AT = 12 * resume.BLOCK
NOWHERE = "http://127.0.0.1:9"  # nobody listens there


@dataclass
class Request:
    path: str
    range: str | None
    if_range: str | None
    encoding: str | None
    sent: int = 0


@dataclass
class Behaviour:
    """What the server does; tests change it between requests."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    status: int = 200
    breaks: list[int] = field(default_factory=list)  # bytes to send before hanging up, one per request
    hang: threading.Event | None = None  # instead of hanging up at a break, wait
    pause: float = 0.0  # seconds before each answer goes out
    shifted: int = 0  # a broken server: partial answers begin so many bytes early
    requests: list[Request] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        does: Behaviour = self.server.behaviour
        headers = self.headers
        request = Request(self.path, headers["Range"], headers["If-Range"], headers["Accept-Encoding"])
        does.requests.append(request)
        time.sleep(does.pause)
        if does.status != 200:
            self.send_error(does.status)
            return
        start = self._start(does, request)
        if start is not None and start >= len(does.content):
            self.send_error(416)
            return
        start = None if start is None else start - does.shifted
        body = does.content[start or 0 :]
        self.send_response(200 if start is None else 206)
        self.send_header("Content-Length", str(len(body)))
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(does.content) - 1}/{len(does.content)}")
        if does.etag:
            self.send_header("ETag", does.etag)
        if does.modified:
            self.send_header("Last-Modified", does.modified)
        self.end_headers()
        self._send(does, request, body)

    def _start(self, does: Behaviour, request: Request) -> int | None:
        same = request.if_range in (None, does.etag, does.modified)
        if not (does.ranges and request.range and same):
            return None
        return int(request.range.removeprefix("bytes=").removesuffix("-"))

    def _send(self, does: Behaviour, request: Request, body: bytes) -> None:
        until = does.breaks.pop(0) if does.breaks else len(body)
        request.sent = len(body[:until])  # before the reader can be done with it
        try:
            self.wfile.write(body[:until])
        except (BrokenPipeError, ConnectionResetError):
            request.sent = 0
            return
        if until < len(body):
            if does.hang:
                does.hang.wait(60)
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    behaviour: Behaviour

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


def serve(behaviour: Behaviour, *, port: int = 0) -> Server:
    server = Server(("127.0.0.1", port), Handler)
    server.behaviour = behaviour
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def toy(content: bytes = CONTENT) -> registry.Dataset:
    """A data set that only these tests know: one file of random bytes."""
    known = registry.find("setty2019-human-marrow")
    digest = hashlib.sha256(content).hexdigest()
    url = "http://127.0.0.1:9/published/toy.tar.gz"
    return replace(known, name="toy", url=url, sha256=digest, size=len(content))


@pytest.fixture
def does() -> Behaviour:
    return Behaviour()


@pytest.fixture
def server(does: Behaviour) -> Iterator[Server]:
    server = serve(does)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(download.MIRROR, raising=False)
    return tmp_path / "cache" / "datasets"


def fetch(server: Server, dataset: registry.Dataset | None = None) -> Path:
    with cache.locked() as folder:
        return download.fetch(dataset or toy(), folder, base_url=server.url)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_complete(server: Server, does: Behaviour, folder: Path) -> None:
    assert fetch(server).read_bytes() == CONTENT
    assert left(folder) == ["toy.tar.gz"]
    assert [request.path for request in does.requests] == ["/mirror/toy.tar.gz"]
    assert does.requests[0].range is None
    assert does.requests[0].encoding == "identity"
    fetch(server)
    assert len(does.requests) == 1


def test_a_break_is_healed_at_once(server: Server, does: Behaviour, folder: Path) -> None:
    does.breaks = [BROKEN_AT]
    assert fetch(server).read_bytes() == CONTENT
    first, second = does.requests
    assert first.sent == BROKEN_AT
    assert second.range == f"bytes={BROKEN_AT}-"
    assert second.if_range == '"one"'
    assert second.sent == SIZE - BROKEN_AT
    assert left(folder) == ["toy.tar.gz"]


def test_a_later_call_resumes(does: Behaviour, folder: Path) -> None:
    does.breaks = [BROKEN_AT, 0]
    server = serve(does)
    with pytest.raises(DownloadError, match=r"98,304 of 300,000 bytes have arrived and are kept"):
        fetch(server)
    assert left(folder) == ["toy.tar.gz.part", "toy.tar.gz.part.version"]
    assert fetch(server).read_bytes() == CONTENT
    server.stop()
    assert does.requests[-1].range == f"bytes={BROKEN_AT}-"
    assert does.requests[-1].sent == SIZE - BROKEN_AT
    assert left(folder) == ["toy.tar.gz"]


def test_it_gives_up_when_every_connection_breaks(server: Server, does: Behaviour) -> None:
    does.breaks = [resume.BLOCK] * 20
    with pytest.raises(DownloadError, match=r"broke again and again \(40,960 of 300,000 bytes"):
        fetch(server)
    assert len(does.requests) == 5


def test_a_server_without_ranges_sends_all_again(server: Server, does: Behaviour) -> None:
    does.ranges = False
    does.breaks = [BROKEN_AT]
    assert fetch(server).read_bytes() == CONTENT
    assert does.requests[1].range is not None
    assert does.requests[1].sent == SIZE


def test_a_server_that_misreads_ranges(server: Server, does: Behaviour) -> None:
    does.shifted = 10
    does.breaks = [BROKEN_AT]
    assert fetch(server).read_bytes() == CONTENT
    assert [request.range is None for request in does.requests] == [True, False, True]


def test_the_date_names_the_version_where_no_strong_etag_does(server: Server, does: Behaviour) -> None:
    does.etag, does.modified = 'W/"weak"', "Sat, 21 Nov 2026 10:00:00 GMT"
    does.breaks = [BROKEN_AT]
    assert fetch(server).read_bytes() == CONTENT
    assert does.requests[1].if_range == does.modified


@pytest.mark.parametrize("etags", [('"one"', '"two"'), (None, None)], ids=["told by ETag", "told by sha256"])
def test_another_file_between_break_and_resumption(
    server: Server, does: Behaviour, folder: Path, etags: tuple[str | None, str | None]
) -> None:
    does.content, does.etag = OTHER, etags[0]
    does.breaks = [BROKEN_AT, 0]
    with pytest.raises(DownloadError):
        fetch(server)
    does.content, does.etag = CONTENT, etags[1]
    assert fetch(server).read_bytes() == CONTENT
    assert does.requests[-1].sent == SIZE
    assert left(folder) == ["toy.tar.gz"]


def test_another_file_in_the_middle_of_one_call(server: Server, does: Behaviour) -> None:
    class Changing(list[int]):
        def pop(self, _: int = 0) -> int:
            until = super().pop(0)
            does.content = CONTENT
            return until

    does.content, does.etag, does.breaks = OTHER, None, Changing([BROKEN_AT])
    assert fetch(server).read_bytes() == CONTENT
    assert [request.range is None for request in does.requests] == [True, False, True]


@pytest.mark.parametrize(
    "wrong", [OTHER, CONTENT[:-1], CONTENT + b"more", b""], ids=["other", "short", "long", "empty"]
)
def test_wrong_checksum(server: Server, does: Behaviour, folder: Path, wrong: bytes) -> None:
    does.content = wrong
    with pytest.raises(DownloadError) as caught:
        fetch(server)
    message = str(caught.value)
    assert toy().sha256 in message
    assert "expected" in message
    if len(wrong) == SIZE:
        assert hashlib.sha256(wrong).hexdigest() in message
    assert left(folder) == []


def test_a_server_that_sends_without_end_is_cut_off(server: Server, does: Behaviour) -> None:
    does.content = OTHER * 20
    with pytest.raises(DownloadError) as caught:
        fetch(server)
    received = int(re.findall(r"\(([\d,]+) bytes\)", str(caught.value))[0].replace(",", ""))
    assert SIZE < received <= SIZE + resume.BLOCK


def test_a_stale_part_longer_than_the_file(server: Server, does: Behaviour, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.tar.gz.part").write_bytes(CONTENT + b"more")
    assert fetch(server).read_bytes() == CONTENT


def test_a_complete_part_needs_no_request(server: Server, does: Behaviour, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.tar.gz.part").write_bytes(CONTENT)
    assert fetch(server).read_bytes() == CONTENT
    assert does.requests == []


@pytest.mark.parametrize(("status", "text"), [(404, "404 Not Found"), (503, "503 Service Unavailable")])
def test_refused(server: Server, does: Behaviour, folder: Path, status: int, text: str) -> None:
    does.status = status
    with pytest.raises(DownloadError, match=f"the server answered {text}"):
        fetch(server)
    assert left(folder) == []
    assert len(does.requests) == 1


def test_no_network_says_what_to_do(folder: Path) -> None:
    with pytest.raises(DownloadError) as caught, cache.locked() as there:
        download.fetch(toy(), there)
    message = str(caught.value)
    assert message.startswith(
        f"{toy().url}: no connection to the server; toy could not be downloaded; try again"
    )
    for needed in (toy().url, str(folder / "toy.tar.gz"), toy().sha256, "300,000 bytes", download.MIRROR):
        assert needed in message


def test_a_mirror_that_is_no_address() -> None:
    with pytest.raises(DownloadError, match="Invalid URL 'nowhere/toy"), cache.locked() as there:
        download.fetch(toy(), there, base_url="nowhere")


def test_the_mirror_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(download.MIRROR, f"{server.url}/")
    with cache.locked() as there:
        assert download.fetch(toy(), there).read_bytes() == CONTENT


def test_a_file_put_there_by_hand(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.tar.gz").write_bytes(CONTENT)
    with cache.locked() as there:
        assert download.fetch(toy(), there).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.tar.gz").write_bytes(CONTENT[:-5])
    assert fetch(server).read_bytes() == CONTENT


def test_a_cache_that_cannot_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot keep downloads in .*; name another .*ORTHOTYPE_CACHE"):
        access.path("lca-lung-subset", base_url=NOWHERE)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        access.path("lca-lung-subset", base_url=NOWHERE)


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_full_disk(server: Server, folder: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with cache.locked() as there:
        resource.setrlimit(resource.RLIMIT_FSIZE, (BROKEN_AT, hard))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*make room"):
                download.fetch(toy(), there, base_url=server.url)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "toy.tar.gz" not in left(folder)
    assert fetch(server).read_bytes() == CONTENT


def test_silent_in_a_pipe_and_a_bar_on_a_terminal(
    server: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(server).unlink()
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(server)
    out, err = capfd.readouterr()
    assert out == ""
    assert "downloading" in err


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from orthotype.datasets import access, convert, registry

url, digest, size = sys.argv[1:]
known = registry.find("setty2019-human-marrow")
toy = replace(known, name="toy", url="http://127.0.0.1:9/toy.tar.gz", sha256=digest, size=int(size))
access.find = lambda name: toy
convert.to_h5ad = lambda dataset, archive, target: archive.rename(target)
print(access.path("toy", base_url=url))
"""


def child(server: Server) -> subprocess.Popen[str]:
    arguments = [server.url, toy().sha256, str(SIZE)]
    command = [sys.executable, "-c", textwrap.dedent(CHILD), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once_download_once(server: Server, does: Behaviour, folder: Path) -> None:
    does.pause = 1.0
    children = [child(server), child(server)]
    answers = [process.communicate(timeout=60) for process in children]
    assert [process.returncode for process in children] == [0, 0]
    assert answers[0] == answers[1] == (f"{folder / convert.h5ad_name(toy(), [toy().sha256])}\n", "")
    assert Path(answers[0][0].strip()).read_bytes() == CONTENT
    assert len(does.requests) == 1


def test_threads_at_once_download_once(server: Server, does: Behaviour) -> None:
    does.pause = 0.2
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [path.read_bytes() == CONTENT for path in found] == [True] * 4
    assert len(does.requests) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_process_leaves_a_part_and_no_lock(server: Server, does: Behaviour, folder: Path) -> None:
    does.breaks, does.hang = [BROKEN_AT], threading.Event()
    process = child(server)
    part = folder / "toy.tar.gz.part"
    clock = threading.Event()
    for _ in range(3000):
        if part.exists() and part.stat().st_size >= BROKEN_AT // 2:
            break
        clock.wait(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    does.hang.set()
    kept = part.stat().st_size
    assert fetch(server).read_bytes() == CONTENT
    assert does.requests[-1].range == f"bytes={kept}-"
    assert does.requests[-1].sent == SIZE - kept


def test_path_converts_once_and_then_needs_no_network(
    server: Server, does: Behaviour, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def converted(_: registry.Dataset, archive: Path, target: Path) -> None:
        made.append(archive)
        target.write_bytes(archive.read_bytes()[:10])

    monkeypatch.setattr(access, "find", lambda _: toy())
    monkeypatch.setattr(convert, "to_h5ad", converted)
    first = access.path("toy", base_url=server.url)
    assert first == folder / f"toy-{toy().sha256[:8]}-r1.h5ad"
    monkeypatch.delattr(cache, "locked")  # a read-only cache will do
    assert access.path("toy") == first
    assert made == [folder / "toy.tar.gz"]
    assert len(does.requests) == 1


def test_a_failed_conversion_leaves_no_h5ad(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise InputError("toy does not hold raw counts")

    monkeypatch.setattr(access, "find", lambda _: toy())
    monkeypatch.setitem(convert.CONVERTERS, "toy", broken)
    with pytest.raises(InputError):
        access.path("toy", base_url=server.url)
    assert left(folder) == ["toy.tar.gz"]
