"""Pieces of the cells: what is summed over cells is summed within a piece, then piece after piece.

Cells are counted as they are handed over, and every 16,384 of them are a piece. Within a piece values are
added cell after cell, then the sums of the pieces in their order. So a sum is the same to the last bit
whatever the size of the blocks, and whoever worked on the pieces.
"""

from collections.abc import Iterator
from itertools import pairwise

import scipy.sparse as sp

PIECE = 1 << 14


def is_edge(cell: int) -> bool:
    """Return whether a piece ends before this cell."""
    return cell % PIECE == 0


def edges(start: int, stop: int) -> list[int]:
    """Return ``start``, the edges of pieces between, and ``stop``."""
    return [start, *range((start // PIECE + 1) * PIECE, stop, PIECE), stop]


def cut(first: int, block: sp.csr_array) -> Iterator[tuple[slice, sp.csr_array]]:
    """Yield the parts of a block that are in one piece each, with their rows within the block.

    Parameters
    ----------
    first
        Number of the first cell of the block.
    block
        Consecutive cells.
    """
    n = int(block.shape[0])
    for begin, end in pairwise(edges(first, first + n)):
        part = slice(begin - first, end - first)
        yield part, block if end - begin == n else block[part]
