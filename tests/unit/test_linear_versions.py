"""What is installed and active."""

from importlib import import_module

from orthotype import __version__


def test_versions_name_what_matters(monkeypatch):
    show_versions = import_module("orthotype._versions").show_versions
    monkeypatch.setenv("ORTHOTYPE_KERNEL", "scipy")
    report = show_versions()
    assert report["orthotype"] in (__version__, "not installed")
    assert {"python", "numpy", "scipy", "anndata", "torch"} <= set(report)
    assert report["kernel"].startswith("scipy")
