"""The tools that are compared, what each needs, and the names of the rows that it gives."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """One tool: a module of this package with a function ``run``, and where it can run.

    Attributes
    ----------
    module
        Module of :mod:`peers`.
    rows
        Names of its answers, in the order in which ``run`` gives them.
    home
        Name of its own environment, or None for the Python that runs the comparison.
    pins
        What pip installs there.
    random
        Whether the seed changes its answer; others run once.
    options
        Passed to ``run``.
    """

    module: str
    rows: tuple[str, ...]
    home: str | None = None
    pins: tuple[str, ...] = ()
    random: bool = False
    options: tuple[str, ...] = ()


TOOLS = {
    "orthotype": Tool(
        "ours",
        ("orthotype", "orthotype, cell by cell", "orthotype, model alone"),
        random=True,
        options=("file",),
    ),
    "orthotype-target": Tool(
        "ours",
        (
            "orthotype with target",
            "orthotype with target, cell by cell",
            "orthotype with target, model alone",
        ),
        random=True,
        options=("target",),
    ),
    "logistic": Tool("logistic", ("logistic regression",)),
    "svm": Tool("svm", ("linear SVM",)),
    "celltypist": Tool(
        "celltypist_",
        ("CellTypist", "CellTypist, majority voting"),
        home="celltypist",
        pins=("celltypist==1.7.1", "scikit-learn>=1.7,<1.8"),
        random=True,
    ),
    "singler": Tool(
        "singler_",
        ("SingleR",),
        home="singler",
        pins=("singler==0.5.0", "scranpy==0.3.1", "scipy"),
    ),
    "symphonypy": Tool(
        "symphonypy_",
        ("symphonypy",),
        home="symphonypy",
        pins=("symphonypy==0.2.4",),
        random=True,
    ),
}
