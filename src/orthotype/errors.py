"""Every exception and warning that orthotype raises, and the one grammar of its messages.

::

    Exception
    `-- OrthotypeError
        |-- InputError (also ValueError)      data, labels or parameters that cannot be used
        |   |-- GeneError                     gene names, species and ortholog tables
        |   `-- ModelFileError                a model file that is damaged, foreign or too new
        |-- OutputError (also OSError)        a place that cannot be written, or must not be overwritten
        |-- DownloadError (also OSError)      a file that could not be fetched or fails its checksum
        `-- ClusterError (also OSError)       a cluster that goes away, or loses its workers
    UserWarning
    `-- OrthotypeWarning
        `-- ConvergenceWarning                a fit that stopped before its tolerance

A message says what was found, what was expected, and what to do. Checks collect every problem of an input
before one error names them all::

    problems = Problems("cells.h5ad")
    if "cell_type" not in columns:
        problems.add("no obs column 'cell_type'", expected="one of 'celltype', 'donor'", remedy="pass
        labels=...")
    problems.raise_if_any()
"""

import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


class OrthotypeError(Exception):
    """Anything that orthotype itself refuses, with a message meant for the user."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what was found, what was expected, what to do."""

    found: str
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        return "; ".join(parts)


class InputError(OrthotypeError, ValueError):
    """Data, labels or parameters cannot be used.

    Attributes
    ----------
    problems
        Every problem that was found, in the order of the checks; at least one.
    subject
        What was checked, as the message calls it; "" where the message names no one thing.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = (), *, subject: str = "") -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (Problem(message),)
        self.subject = subject


class GeneError(InputError):
    """Gene names, a species or an ortholog table cannot be used."""


class ModelFileError(InputError):
    """A model file is damaged, is something else, or is newer than this orthotype."""


class OutputError(OrthotypeError, OSError):
    """A result cannot be written where it was asked for."""


class DownloadError(OrthotypeError, OSError):
    """A file could not be fetched, or is not the file it should be."""


class ClusterError(OrthotypeError, OSError):
    """A cluster went away, or cannot do the work; the same command goes on or starts again."""


class OrthotypeWarning(UserWarning):
    """Something that the user should know and that does not stop the work."""


class ConvergenceWarning(OrthotypeWarning):
    """A fit stopped before it reached its tolerance."""


class Problems:
    """Collect every problem of one input, then raise a single error that names them all.

    Parameters
    ----------
    subject
        What is being checked, as the user knows it: a file name, "the source AnnData".
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.found: list[Problem] = []

    def add(self, found: str, *, expected: str = "", remedy: str = "") -> None:
        """Note one problem and go on checking."""
        self.found.append(Problem(found, expected, remedy))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Take over the problems of another check."""
        self.found.extend(problems)

    def raise_if_any(self, kind: type[InputError] = InputError) -> None:
        """Raise one error with all problems noted so far, if there are any.

        Raises
        ------
        InputError
            Or the given kind of it.
        """
        if not self.found:
            return
        if len(self.found) == 1:
            message = f"{self.subject}: {self.found[0]}"
        else:
            lines = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.found, 1))
            message = f"{self.subject} has {len(self.found)} problems:\n{lines}"
        raise kind(message, self.found, subject=self.subject)


def listed(names: Iterable[object], *, most: int = 5) -> str:
    """Write names as ``'a', 'b', ... and 7 more``: at most five examples, then the count.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    names = list(names)
    shown = ", ".join(repr(str(name)) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def numbered(n: int, one: str, many: str) -> str:
    """Write a number with the words that fit it.

    >>> numbered(1, "class is", "classes are"), numbered(1200, "class is", "classes are")
    ('1 class is', '1,200 classes are')
    """
    return f"{n:,} {one if n == 1 else many}"


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the known names that look most like a mistyped one, best first.

    >>> nearest("cell_typ", ["donor", "cell_type"])
    ['cell_type']
    """
    known = list(known)
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = get_close_matches(name.lower(), list(by_lower), n=most, cutoff=0.5)
    return [by_lower[match] for match in matches]


def no_file(path: Path) -> str:
    """Write that a file does not exist, with the names in its folder that look like its own."""
    message = f"{path} does not exist"
    if not path.parent.is_dir():
        return f"{message}, and neither does the folder {path.parent}; check the path"
    alike = nearest(path.name, [other.name for other in path.parent.iterdir()])
    return f"{message}; did you mean {listed(alike)}?" if alike else f"{message}; check the path"


def warn(message: str, category: type[Warning] = OrthotypeWarning) -> None:
    """Warn the user, at the line of theirs that called orthotype, however deep within the reason lies."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _within(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _within(module: str) -> bool:
    return module == "contextlib" or module.partition(".")[0] == __name__.partition(".")[0]
