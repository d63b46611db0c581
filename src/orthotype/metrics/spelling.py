"""When two spellings of a cell type are the same name."""

import re


def spelling(name: str) -> str:
    """Return a name without case, spaces, hyphens and underscores: what its spellings have in common.

    >>> spelling("Pro-B") == spelling("pro_b")
    True
    """
    return re.sub(r"[\s_\-]+", "", name).casefold()
