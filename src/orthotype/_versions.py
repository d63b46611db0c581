"""What is installed and what is active, to put into a bug report or beside a result."""

import os
import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("anndata", "h5py", "numpy", "pandas", "safetensors", "scikit-learn", "scipy", "torch", "zarr")


def show_versions() -> dict[str, str]:
    """Return the versions of orthotype and what it stands on, and which kernel computes the sums over rows.

    Returns
    -------
    dict
        Name to version; a package that is not installed says so. ``"kernel"`` is "native (...)" or "scipy
        (...)".

    Examples
    --------
    >>> show_versions()["kernel"].split()[0] in {"native", "scipy"}
    True
    """
    report = {"orthotype": _version("orthotype"), "python": sys.version.split()[0]}
    report |= {name: _version(name) for name in PACKAGES}
    report["kernel"] = import_module("orthotype.models.linear.kernel").describe()
    report["platform"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return report


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
