"""How many threads work, and that their number never changes a result."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


def available_threads() -> int:
    """Return how many threads the kernel may use: ``ORTHOTYPE_NUM_THREADS``, else this process's cores."""
    asked = os.environ.get("ORTHOTYPE_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", ""))
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  the controller knows only what is loaded
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run linear algebra on one thread, so that sums are added in the same order on every machine."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
