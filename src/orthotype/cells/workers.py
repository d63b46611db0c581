"""Work handed to the workers of a dask cluster, and taken back in order.

All that is asked of a cluster: that its workers have orthotype installed, and see the files under the same
path. A worker that dies costs time; dask gives its work to another. A cluster that goes away is one error.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from orthotype._version import __version__
from orthotype.errors import ClusterError, InputError

T = TypeVar("T")
AHEAD: Final = 2  # tasks for each thread of the cluster that wait or run at once
FEWEST_AHEAD: Final = 4
LOOK_EVERY: Final = 2.0  # seconds
PATIENCE: Final = 600.0  # seconds without a single worker
CONNECT: Final = 10.0  # seconds


class Workers:
    """The workers of a cluster.

    Parameters
    ----------
    client
        A ``dask.distributed.Client``. It is used as it is, and stays open.

    Raises
    ------
    InputError
        If it is no such client.
    """

    def __init__(self, client: Any) -> None:
        if not all(hasattr(client, name) for name in ("submit", "nthreads", "cancel", "status")):
            raise InputError(
                f"the client is a {type(client).__name__}; expected a dask.distributed.Client; "
                "make one with Client(address) or Client(LocalCluster())"
            )
        self.client = client

    def run(self, function: Callable[[T], Any], tasks: Iterable[T]) -> Iterator[Any]:
        """Yield what the workers make of the tasks, in the order of the tasks.

        Only a few tasks for each thread are with the cluster at once, so that results do not pile up.

        Raises
        ------
        ClusterError
            If the cluster goes away, has no worker for ten minutes, or loses a worker over a task again and
            again.
        InputError
            If its workers have no orthotype, or another version of it.
        """
        source, waiting = iter(tasks), deque[Any]()
        try:
            while True:
                with self._there():
                    while len(waiting) < self._most():
                        task = next(source, None)
                        if task is None:
                            break
                        waiting.append(self.client.submit(_done, function, task, __version__, pure=False))
                if not waiting:
                    return
                yield self._result(waiting.popleft())
        finally:
            if self.client.status == "running":
                self.client.cancel(list(waiting))

    def _most(self) -> int:
        return max(FEWEST_AHEAD, AHEAD * self._threads())

    def _threads(self) -> int:
        """Return how many threads the workers have together."""
        if self.client.status != "running":
            raise CancelledError(f"the client is {self.client.status}")
        threads: int = sum(self.client.nthreads().values())
        return threads

    def _result(self, future: Any) -> Any:
        """Wait for a result as long as there is a cluster."""
        since = time.monotonic()
        with self._there():
            while not future.done():
                with suppress(TimeoutError):
                    future.result(timeout=LOOK_EVERY)
                if self._threads():
                    since = time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    raise ClusterError(
                        f"the cluster has had no worker for {PATIENCE / 60:.0f} minutes; "
                        "start workers, then give the same command again"
                    )
            return future.result()

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Say in one message that the cluster is gone, or that its workers cannot do the work."""
        from distributed.client import ClosedClientError
        from distributed.scheduler import KilledWorker

        try:
            yield
        except (ClusterError, InputError):
            raise
        except ImportError as error:
            raise InputError(
                f"a worker of the cluster cannot import {error.name}; expected orthotype {__version__} and "
                "what it needs on every worker; install it where the workers run"
            ) from error
        except KilledWorker as error:
            raise ClusterError(
                "the same piece of work has cost several workers their life, likely for want of memory; "
                "expected about 1 GB for each thread of a worker; give the workers more memory or fewer "
                "threads, then give the same command again"
            ) from error
        except (CancelledError, ClosedClientError, OSError) as error:
            raise ClusterError(
                f"the cluster has gone away ({str(error) or type(error).__name__}); expected a scheduler "
                "that stays until the work is done; start it, then give the same command again"
            ) from error


def connected(address: str) -> Any:
    """Return a client of the scheduler at an address, such as ``tcp://node1:8786``.

    Raises
    ------
    InputError
        If dask is not installed.
    ClusterError
        If no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "a cluster needs dask.distributed, which is not installed; pip install 'orthotype[dask]'"
        ) from error
    try:
        client: Any = Client
        return client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {address} ({str(error) or type(error).__name__}); expected an address "
            "such as tcp://node1:8786; start one with: dask scheduler"
        ) from error


def _done(function: Callable[[T], Any], task: T, version: str) -> Any:
    """Do one task, on a worker."""
    if version != __version__:
        raise InputError(
            f"a worker of the cluster has orthotype {__version__}, this process {version}; "
            "install the same version on both"
        )
    return function(task)
