"""Fetch the file of a data set into the cache: checked, or with an error that says what to do instead."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orthotype.datasets.cache import VARIABLE
from orthotype.datasets.resume import ResumingDownloader
from orthotype.errors import DownloadError, OutputError

if TYPE_CHECKING:
    from requests import RequestException

MIRROR = "ORTHOTYPE_DATA_MIRROR"


class Published(Protocol):
    """A file that someone publishes: what fetching it needs to know."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def url(self) -> str:
        """Where it is published."""

    @property
    def file_name(self) -> str:
        """What it is called in the cache and on a mirror."""

    @property
    def sha256(self) -> str | None:
        """Its checksum; None if it is not known beforehand."""

    @property
    def size(self) -> int | None:
        """Its bytes; None if they are not known beforehand."""


def fetch(dataset: Published, cache: Path, *, base_url: str | None = None) -> Path:
    """Return the checked file of a data set in the cache, downloading what is not there yet.

    Parameters
    ----------
    dataset
        Which file, with its size and sha256; without a sha256 whatever comes whole is taken.
    cache
        An existing folder that no other process fills at the same time.
    base_url
        Folder of a mirror; ``None`` means the environment variable ``ORTHOTYPE_DATA_MIRROR`` or, without it,
        the published address.

    Raises
    ------
    DownloadError
        If there is no file to be had, or it is another file; the message says what to do by hand.
    OutputError
        If the cache cannot be written.
    """
    import pooch
    from requests import RequestException

    target = cache / dataset.file_name
    mirror = base_url or os.environ.get(MIRROR)
    url = f"{mirror.rstrip('/')}/{dataset.file_name}" if mirror else dataset.url
    known = None if dataset.sha256 is None else f"sha256:{dataset.sha256}"
    downloader = ResumingDownloader(target, sha256=dataset.sha256, size=dataset.size)
    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(url, known, target.name, cache, downloader=downloader)
    except RequestException as error:
        found = f"{url}: {_reason(error)}{downloader.kept()}"
        raise DownloadError(f"{found}; {_remedy(dataset, target)}") from error
    except DownloadError as error:
        raise DownloadError(f"{url}: {error}; {_remedy(dataset, target)}") from error
    except OSError as error:
        raise OutputError(
            f"cannot write {target} ({error.strerror or error}); make room there, or name another folder "
            f"with the environment variable {VARIABLE}"
        ) from error
    return target


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch's own notes off stderr for a moment."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _reason(error: "RequestException") -> str:
    """Say in a few words why a request failed."""
    import requests
    from requests.exceptions import ChunkedEncodingError, ProxyError, SSLError

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    reasons: dict[type[Exception], str] = {
        ProxyError: "the proxy refused the connection",
        SSLError: "the server's certificate was not accepted",
        requests.Timeout: "the server did not answer in time",
        ChunkedEncodingError: "the connection broke again and again",
        requests.ConnectionError: "no connection to the server",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), str(error))


def _remedy(dataset: Published, target: Path) -> str:
    """Say what to do when a download does not work."""
    by_hand = (
        f"{dataset.name} could not be downloaded; try again, name a mirror in {MIRROR}, or put the file in "
        f"place by hand:\n  from    {dataset.url}\n  to      {target}"
    )
    if dataset.sha256 is None:
        return by_hand
    size = "" if dataset.size is None else f" ({dataset.size:,} bytes)"
    return f"{by_hand}\n  sha256  {dataset.sha256}{size}"
