"""The pieces of a study made one after another, or by several processes, with the same bits either way.

Processes are spawned, so it works alike on Linux and macOS. A worker opens the pair from disk once, reads the
earlier pieces that it needs from their files and writes its own; nothing large is ever sent.
"""

import shutil
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from orthotype.errors import InputError, OrthotypeError, OrthotypeWarning
from orthotype.models.linear.threads import one_blas_thread
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, PieceStore, Work, seed_of
from orthotype.study.recipe import Recipe
from orthotype.study.steps import FUNCTIONS

Progress = Callable[[str, int, int], None]
PAIR = "pair"


def execute(
    pieces: Sequence[Piece],
    *,
    recipe: Recipe,
    pair: Pair,
    store: PieceStore,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Make every piece that is not there yet; no result depends on the number of workers.

    Parameters
    ----------
    pieces
        The plan, every piece after those it needs.
    recipe, pair
        What the pieces are made from.
    store
        Where finished pieces are.
    workers
        Processes; with one, no process is started.
    progress
        Called with the name of each finished piece, how many are done and how many there are.

    Raises
    ------
    InputError
        If ``workers`` is less than 1.
    OrthotypeError
        If a process dies; the finished pieces are kept.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}; expected at least 1")
    missing = [piece for piece in pieces if not store.has(piece.name)]
    done = len(pieces) - len(missing)
    if workers == 1 or len(missing) < 2:
        finished = _one_by_one(missing, recipe=recipe, pair=pair, store=store)
    else:
        finished = _side_by_side(missing, recipe=recipe, pair=pair, store=store, workers=workers)
    for number, name in enumerate(finished, start=done + 1):
        if progress is not None:
            progress(name, number, len(pieces))


def make(piece: Piece, *, recipe: Recipe, pair: Pair, store: PieceStore) -> None:
    """Make one piece on one thread and write it."""
    work = Work(
        recipe=recipe,
        pair=pair,
        piece=piece,
        earlier=store.read_all(piece.needs),
        seed=seed_of(piece.name, seed=recipe.seed),
    )
    with one_blas_thread():
        result = FUNCTIONS[piece.kind](work)
    store.write(piece.name, result)


def _one_by_one(pieces: Sequence[Piece], *, recipe: Recipe, pair: Pair, store: PieceStore) -> Iterator[str]:
    for piece in pieces:
        make(piece, recipe=recipe, pair=pair, store=store)
        yield piece.name


def _side_by_side(
    pieces: Sequence[Piece], *, recipe: Recipe, pair: Pair, store: PieceStore, workers: int
) -> Iterator[str]:
    place = store.folder / PAIR
    pair.write(place)
    waiting, running = list(pieces), dict[Future[tuple[str, list[str]]], str]()
    told: set[str] = set()
    leave_interrupts = (signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool, workers end their pieces
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=signal.signal, initargs=leave_interrupts
    ) as pool:
        try:
            while waiting or running:
                for piece in [p for p in waiting if all(store.has(name) for name in p.needs)]:
                    if len(running) >= 2 * workers:
                        break
                    future = pool.submit(_make_here, piece, recipe.to_json(), str(store.folder))
                    running[future] = piece.name
                    waiting.remove(piece)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    name, warned = future.result()
                    _tell(warned, told)
                    yield name
        except BrokenProcessPool as error:
            raise OrthotypeError(
                f"a worker process died while it made one of {sorted(running.values())}, perhaps for want of "
                "memory; the finished pieces are kept; run the study again with fewer workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    shutil.rmtree(place, ignore_errors=True)


def _tell(texts: Sequence[str], told: set[str]) -> None:
    for text in texts:
        if text not in told:
            told.add(text)
            warnings.warn(text, OrthotypeWarning, stacklevel=5)


def _make_here(piece: Piece, recipe: str, folder: str) -> tuple[str, list[str]]:
    """Make one piece in a worker; return its name and what orthotype warned of."""
    chosen, pair, store = _opened(recipe, folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", OrthotypeWarning)
        make(piece, recipe=chosen, pair=pair, store=store)
    return piece.name, [str(warning.message) for warning in caught]


@lru_cache(maxsize=1)
def _opened(recipe: str, folder: str) -> tuple[Recipe, Pair, PieceStore]:
    return Recipe.from_json(recipe), Pair.open(Path(folder) / PAIR), PieceStore(Path(folder))
