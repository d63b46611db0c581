"""What the command line writes to the terminal, and the words that its options take."""

import json
import sys
import warnings

import pytest

from orthotype.cells.encode import ENCODERS
from orthotype.cli import console, options
from orthotype.errors import (
    ConvergenceWarning,
    GeneError,
    InputError,
    OrthotypeWarning,
    OutputError,
    Problems,
)
from orthotype.genes.policies import POLICIES


def test_tables_align_text_left_and_numbers_right() -> None:
    rows = [("beta", 1234, 0.5, None), ("activated stellate", 7, float("nan"), "CL:1")]
    assert console.table(rows, header=("class", "cells", "recall", "id")).splitlines() == [
        "class               cells  recall  id",
        "beta                1,234   0.500",
        "activated stellate      7          CL:1",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert console.table([], header=("class", "cells")) == "class  cells"


def test_words_that_hold_digits_are_text() -> None:
    lines = console.table([("CD34", "1.2.3"), ("T", "x")], header=("class", "version")).splitlines()
    assert lines[1] == "CD34   1.2.3"


def test_negative_numbers_are_numbers() -> None:
    lines = console.table([(-1.5,), (10,)], header=("change",)).splitlines()
    assert lines == ["change", "-1.500", "    10"]


def test_results_go_to_stdout_and_notes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("result")
    console.note("wrote a.txt")
    assert capsys.readouterr() == ("result\n", "orthotype: wrote a.txt\n")


def test_json_is_strict_and_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_json({"class": "γδ T"})
    out = capsys.readouterr().out
    assert "γδ T" in out
    assert json.loads(out) == {"class": "γδ T"}
    with pytest.raises(ValueError, match="JSON"):
        console.say_json({"score": float("nan")})


def test_progress_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("reading"):
        pass
    assert capsys.readouterr() == ("", "")


def test_progress_shows_on_a_terminal_and_never_on_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with console.progress("reading mouse.h5ad"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "reading mouse.h5ad" in err


@pytest.mark.parametrize("kind", [InputError, GeneError, OutputError])
def test_errors_become_one_message_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    with pytest.raises(SystemExit) as left, console.one_voice():
        raise kind("no such gene")
    assert left.value.code == 1
    assert capsys.readouterr() == ("", "orthotype: error: no such gene\n")


def test_errors_of_the_system_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, console.one_voice():
        raise PermissionError(13, "Permission denied", "cells.h5ad")
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("orthotype: error: cells.h5ad: Permission denied; ")


def test_mistakes_of_ours_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), console.one_voice():
        _ = 1 / 0


@pytest.mark.parametrize("kind", [OrthotypeWarning, ConvergenceWarning])
def test_warnings_become_notes(capsys: pytest.CaptureFixture[str], kind: type[Warning]) -> None:
    with console.one_voice():
        warnings.warn("12 genes are missing", kind, stacklevel=1)
    assert capsys.readouterr().err == "orthotype: note: 12 genes are missing\n"


@pytest.mark.parametrize("kind", [UserWarning, FutureWarning, DeprecationWarning])
def test_warnings_of_libraries_are_kept_back_unless_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: type[Warning]
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])
    with console.one_voice():
        warnings.warn("names are not unique", kind, stacklevel=1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    with pytest.warns(kind, match="names are not unique"), console.one_voice():
        warnings.warn("names are not unique", kind, stacklevel=1)


def test_one_voice_leaves_the_warnings_as_they_were() -> None:
    before = (warnings.showwarning, list(warnings.filters))
    with console.one_voice():
        pass
    assert (warnings.showwarning, list(warnings.filters)) == before


def failed(subject: str) -> InputError:
    problems = Problems(subject)
    problems.add("no genes", remedy="give some")
    problems.add("no cells")
    with pytest.raises(InputError) as caught:
        problems.raise_if_any(GeneError)
    return caught.value


def test_naming_puts_the_file_for_the_subject() -> None:
    with pytest.raises(GeneError) as caught, console.naming({"the source": "mouse.h5ad", "the target": None}):
        raise failed("the source")
    assert str(caught.value) == "mouse.h5ad has 2 problems:\n  1. no genes; give some\n  2. no cells"
    assert len(caught.value.problems) == 2


def test_naming_leaves_other_errors_alone() -> None:
    for error in (failed("the table"), InputError("no fold"), OutputError("no place")):
        with pytest.raises(type(error)) as caught, console.naming({"the source": "mouse.h5ad"}):
            raise error
        assert caught.value is error


def test_the_command_is_quoted_as_a_shell_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/orthotype", "inspect", "my cells.h5ad"])
    assert console.command_line() == "orthotype inspect 'my cells.h5ad'"


def test_options_take_every_word_that_the_library_knows() -> None:
    assert {word.value for word in options.Encoder} == set(ENCODERS)
    assert [word.value for word in options.Policy] == list(POLICIES)
