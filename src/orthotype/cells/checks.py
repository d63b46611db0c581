"""Checks of parameters that many calls share."""

from typing import Final

import numpy as np

from orthotype.errors import Problems

MOST_SEED: Final = 2**32 - 1


def check_random_state(seed: object, *, problems: Problems) -> None:
    """Note a problem if a seed is none that every generator of random numbers takes.

    Parameters
    ----------
    seed
        What was passed as ``random_state``.
    problems
        Where to note that it is no whole number from 0 to 4,294,967,295.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MOST_SEED:
        problems.add(f"random_state is {seed!r}", expected=f"a whole number from 0 to {MOST_SEED:,}")


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises
    ------
    InputError
        As :func:`check_random_state` notes it.
    """
    problems = Problems("the parameters")
    check_random_state(seed, problems=problems)
    problems.raise_if_any()
