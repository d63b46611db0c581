"""Receive one file over HTTP, going on where an earlier attempt broke off.

What has arrived lies in ``<file>.part`` beside the final place, with the server's name for that version of
the file (a strong ETag, or its date) in ``<file>.part.version``. The next attempt asks for the rest only, and
only of the same version. A server that knows no ranges, or has another version by now, sends the whole file.
Where pieces that do not fit were joined nevertheless, the checksum tells, and all is fetched once more.
Without a checksum to tell, pieces are joined only if the server names the version.
"""

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype.errors import DownloadError

if TYPE_CHECKING:
    from requests import Response

ATTEMPTS = 5
TIMEOUT = (10, 60)
BLOCK = 1 << 13  # what a break costs at most, in bytes


class ResumingDownloader:
    """A pooch downloader that continues where an earlier attempt broke off.

    Parameters
    ----------
    target
        Final place of the file; the parts lie beside it.
    sha256, size
        What the whole file must have; None for what is not known beforehand.
    """

    def __init__(self, target: Path, *, sha256: str | None, size: int | None) -> None:
        self.part = target.with_name(f"{target.name}.part")
        self.version = target.with_name(f"{target.name}.part.version")
        self.sha256 = sha256
        self.size = size
        self.told = size is None  # then the server's word counts
        self.joined = False

    def __call__(self, url: str, output_file: str | Path, pooch: object) -> None:
        """Put the checked file at ``output_file``.

        Raises
        ------
        requests.RequestException
            If the server cannot be reached, refuses, or breaks off again and again; the part is kept.
        DownloadError
            If the whole file fails its checksum; nothing is kept.
        """
        self.joined = self._have() > 0
        found = self._complete(url)
        if self.sha256 not in (None, found) and self.joined:
            self._discard()
            found = self._complete(url)
        if self.sha256 not in (None, found):
            size = self._have()
            self._discard()
            expected = self.sha256 if self.told else f"{self.sha256} ({self.size:,} bytes)"
            raise DownloadError(
                f"the server sent another file: found sha256 {found} ({size:,} bytes), "
                f"expected {expected}; it was not kept"
            )
        self.part.replace(output_file)
        self._discard()

    def kept(self) -> str:
        """Say how much has arrived and waits to be continued."""
        if not self._have():
            return ""
        whole = "" if self.size is None else f" of {self.size:,}"
        return f" ({self._have():,}{whole} bytes have arrived and are kept)"

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _complete(self, url: str) -> str:
        """Receive until all is there, as long as each attempt brings more; return the sha256."""
        import requests
        from requests.exceptions import ChunkedEncodingError

        for attempt in range(1, ATTEMPTS + 1):
            before = self._have()
            if self.size is not None and before >= self.size:
                break
            try:
                self._receive(url)
            except (ChunkedEncodingError, requests.ConnectionError, requests.Timeout):
                if attempt == ATTEMPTS or self._have() <= before:
                    raise
                logging.getLogger(__name__).info("the connection broke; going on from byte %d", self._have())
        self.part.touch()
        with self.part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _receive(self, url: str) -> None:
        """Ask once for what is missing, and add what comes to the part."""
        import requests

        start = self._have()
        headers = {"Accept-Encoding": "identity", **self._range(start)}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if start and response.status_code == 416:
                self._discard()
                return
            response.raise_for_status()
            joining = start > 0 and response.status_code == 206
            self.joined = self.joined or joining
            if not joining:
                self.version.write_text(_version(response), encoding="latin-1")
            if self.told:
                self.size = _whole_size(response, start if joining else 0)
            with self.part.open("ab" if joining else "wb") as file, _progress(file.tell(), self.size) as show:
                for block in response.iter_content(BLOCK):
                    file.write(block)
                    show(len(block))
                    if self.size is not None and file.tell() > self.size:
                        return
                self.size = file.tell() if self.size is None else self.size

    def _range(self, start: int) -> dict[str, str]:
        if not start:
            return {}
        headers = {"Range": f"bytes={start}-"}
        with suppress(FileNotFoundError):
            version = self.version.read_text(encoding="latin-1")
            if version:
                headers["If-Range"] = version
        return headers if self.sha256 or "If-Range" in headers else {}


def _version(response: "Response") -> str:
    """Return what names this version of the file: a strong ETag, else its date, else nothing."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified", "")


def _whole_size(response: "Response", start: int) -> int | None:
    """Return how many bytes the whole file has, if the server says so."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


@contextmanager
def _progress(start: int, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr if that is a terminal, else nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("downloading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=size, completed=start)
        yield lambda more: bar.advance(task, more)
