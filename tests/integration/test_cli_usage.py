"""Help, version and mistyped commands: exit code 2, the words that would have been right."""

from collections.abc import Callable
from typing import Any

import pytest

Command = Callable[..., Any]
COMMANDS = (
    ("demo",),
    ("inspect",),
    ("train",),
    ("annotate",),
    ("suggest",),
    ("adapt",),
    ("calibrate",),
    ("evaluate",),
    ("report",),
    ("models",),
    ("models", "list"),
    ("models", "path"),
    ("models", "show"),
    ("datasets",),
    ("datasets", "list"),
    ("datasets", "get"),
    ("datasets", "path"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(orthotype: Command, words: tuple[str, ...]) -> None:
    done = orthotype(*words, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage: " in done.out
    assert " ".join(words) in done.out.splitlines()[0]


def test_the_first_page_names_every_command_in_whole_sentences(orthotype: Command) -> None:
    done = orthotype("--help")
    for name in {words[0] for words in COMMANDS}:
        (line,) = [line for line in done.out.splitlines() if line.split()[:1] == [name]]
        assert line.endswith("."), line
        assert not line.endswith("..."), line


@pytest.mark.parametrize(
    "name",
    [
        *("demo", "inspect", "train", "annotate", "suggest", "adapt", "calibrate", "evaluate"),
        *("models list", "models show"),
    ],
)
def test_commands_that_report_have_json(orthotype: Command, name: str) -> None:
    assert "--json" in orthotype(*name.split(), "--help").out


@pytest.mark.parametrize("name", ["demo", "train", "annotate", "suggest", "adapt", "calibrate", "report"])
def test_commands_that_write_have_force(orthotype: Command, name: str) -> None:
    assert "--force" in orthotype(*name.split(), "--help").out


def test_version(orthotype: Command) -> None:
    from orthotype import __version__

    assert orthotype("--version").out == f"orthotype {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Commands:"),
        (("trian",), "trian"),
        (("train",), "source"),
        (("train", "a.h5ad", "--labels", "x"), "--output"),
        (("train", "a.h5ad", "-o", "m.safetensors"), "--labels"),
        (("annotate", "m.safetensors"), "target"),
        (("train", "a.h5ad", "--labels", "x", "-o", "m.safetensors", "--colour", "red"), "--colour"),
        (("train", "a.h5ad", "--labels", "x", "-o", "m.safetensors", "--n-top-genes", "0"), "--n-top-genes"),
        (("train", "a.h5ad", "--labels", "x", "-o", "m.safetensors", "--seed", "one"), "--seed"),
        (("models", "shw"), "shw"),
    ],
)
def test_wrong_usage_is_exit_code_2(orthotype: Command, words: tuple[str, ...], told: str) -> None:
    done = orthotype(*words)
    assert done.code == 2
    assert told in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--encoder", ("log_normalize", "binarize")),
        ("--policy", ("one2one", "groups", "best", "first")),
    ],
)
def test_unknown_words_are_refused_before_anything_is_read(
    orthotype: Command, option: str, known: tuple[str, ...]
) -> None:
    done = orthotype("train", "no.h5ad", "--labels", "x", "-o", "m.safetensors", option, "other")
    assert done.code == 2
    for word in known:
        assert f"'{word}'" in done.err


@pytest.mark.parametrize(
    ("option", "known"), [("--alignment", ("none", "shift")), ("--unknown", ("none", "similarity"))]
)
def test_unknown_words_of_annotate_are_refused(
    orthotype: Command, option: str, known: tuple[str, ...]
) -> None:
    done = orthotype("annotate", "m.safetensors", "no.h5ad", "-o", "out.h5ad", option, "other")
    assert done.code == 2
    for word in known:
        assert f"'{word}'" in done.err
