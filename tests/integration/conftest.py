"""The command line inside this process: the same path as from a shell, without the start of Python."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orthotype.cli.main import run

Command = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds, read as strict JSON: NaN and Infinity are no JSON."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def message(self) -> str:
        """The one error message, without its first words."""
        first, _, message = self.err.partition("orthotype: error: ")
        assert not first, self.err
        assert "orthotype: " not in message, self.err
        assert "Traceback" not in message
        return message.rstrip("\n")


@pytest.fixture
def orthotype(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Give a function that runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["orthotype", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            run()
        out, err = capsys.readouterr()
        return Done(int(left.value.code or 0), out, err)

    return command


@contextmanager
def _nothing_new(folder: Path) -> Iterator[None]:
    def listing() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = listing()
    yield
    assert listing() == before


@pytest.fixture
def refused(orthotype: Command, tmp_path: Path) -> Callable[..., str]:
    """Give a function that runs a command, sees it refused with nothing written, and returns the message."""

    def command(*words: object) -> str:
        with _nothing_new(tmp_path):
            done = orthotype(*words)
        assert (done.code, done.out) == (1, "")
        return done.message

    return command
