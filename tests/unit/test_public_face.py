"""The public names, their signatures, their docstrings and examples; importing stays light."""

import doctest
import inspect
import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import orthotype as ot

MODULES = sorted(
    module.name
    for module in walk_packages(ot.__path__, prefix="orthotype.")
    if not module.name.endswith(("__main__", "_kernel", "_nearest", "_rows"))
)
PUBLIC = [name for name in ot.__all__ if not name.startswith("__")]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(getattr(ot, name))]
CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(ot, name))]


@pytest.mark.parametrize("name", ot.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ot, name) is not None
    assert name in dir(ot)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ot.nonsense  # noqa: B018


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_every_public_name_says_what_the_reader_gets(name: str) -> None:
    first = (inspect.getdoc(getattr(ot, name)) or "").split("\n")[0]
    assert len(first.split()) >= 3, f"{name} has no first sentence"
    assert first.endswith("."), f"{name}: {first}"


def public_calls() -> list[tuple[str, inspect.Signature]]:
    calls = [(name, inspect.signature(getattr(ot, name))) for name in FUNCTIONS]
    for owner in ("LabelTransfer", "OrthologMap"):
        members = inspect.getmembers(getattr(ot, owner), inspect.isfunction)
        calls += [
            (f"{owner}.{name}", inspect.signature(member))
            for name, member in members
            if not name.startswith("_") and getattr(ot, owner).__name__ in member.__qualname__
        ]
    return calls


@pytest.mark.parametrize(("name", "signature"), public_calls())
def test_first_argument_positional_the_rest_by_name(name: str, signature: inspect.Signature) -> None:
    kinds = [parameter.kind for key, parameter in signature.parameters.items() if key != "self"]
    assert inspect.Parameter.VAR_KEYWORD not in kinds, f"{name} passes anything through"
    positional = [kind for kind in kinds if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 1, name


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_importing_is_light() -> None:
    code = (
        "import sys, orthotype, orthotype.cli.main\n"
        "heavy = {'anndata', 'sklearn', 'scipy', 'pandas', 'h5py', 'matplotlib', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_is_long() -> None:
    for name in MODULES:
        lines = inspect.getsource(import_module(name)).count("\n")
        assert lines <= 400, f"{name} has {lines} lines"
