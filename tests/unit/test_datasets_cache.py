"""Where downloads are kept."""

from pathlib import Path

import pytest
from platformdirs import user_cache_dir

from orthotype.datasets import cache


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert cache.folder() == tmp_path / "datasets"
    monkeypatch.setenv(cache.VARIABLE, "~/data")
    assert cache.folder() == Path.home() / "data" / "datasets"


@pytest.mark.parametrize("value", [None, ""])
def test_otherwise_the_users_cache(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(cache.VARIABLE, value)
    assert cache.folder() == Path(user_cache_dir("orthotype", appauthor=False)) / "datasets"


def test_looking_creates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "new"))
    cache.folder()
    assert list(tmp_path.iterdir()) == []
    with cache.locked() as folder:
        assert folder.is_dir()
