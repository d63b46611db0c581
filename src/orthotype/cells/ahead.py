"""Reading ahead: the next blocks are fetched in a thread while the last one is worked on."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")
DEPTH: Final = 2
END: Final[Any] = object()


def read_ahead(items: Iterable[T], *, depth: int = DEPTH) -> Iterator[T]:
    """Yield the same items in the same order, each fetched in a thread while at most ``depth`` wait.

    An error is raised where its item would have come. A consumer that stops early waits for the item that is
    being fetched, and for no other.
    """
    source = iter(items)
    reader = ThreadPoolExecutor(1, thread_name_prefix="orthotype-reader")
    try:
        waiting = deque(reader.submit(next, source, END) for _ in range(depth))
        while (item := waiting.popleft().result()) is not END:
            waiting.append(reader.submit(next, source, END))
            yield item
    finally:
        reader.shutdown(wait=True, cancel_futures=True)
