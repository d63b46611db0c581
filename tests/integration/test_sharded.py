"""A sharded zarr store without consolidated metadata, from training to labels. Bundled cells."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
import zarr

import orthotype as ot

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


def sharded(cells: "AnnData", path: Path) -> Path:
    """Write cells as a store whose matrix lies in shards, with nothing gathered at its root."""
    version = anndata.settings.override(zarr_write_format=3)
    with warnings.catch_warnings(action="ignore"), version:
        cells.copy().write_zarr(path)
    root = path / "zarr.json"
    said = json.loads(root.read_text())
    said.pop("consolidated_metadata", None)
    root.write_text(json.dumps(said))
    group = zarr.open_group(str(path), mode="r+")["X"]
    for name in ("data", "indices"):
        values = group[name][:]
        del group[name]
        made = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=(5000,), shards=(40_000,)
        )
        made[:] = values
    return path


@pytest.fixture
def stores(small_mouse: "AnnData", small_human: "AnnData", tmp_path: Path) -> tuple[Path, Path]:
    return sharded(small_mouse, tmp_path / "mouse.zarr"), sharded(small_human, tmp_path / "human.zarr")


def test_training_and_labels(
    small_model: ot.LabelTransfer, small_human: "AnnData", stores: tuple[Path, Path]
) -> None:
    mouse, human = stores
    model = ot.LabelTransfer(block_size=37).fit(mouse, labels=LABELS, species="mouse")
    for name, values in small_model.state_.to_arrays().items():
        np.testing.assert_array_equal(model.state_.to_arrays()[name], values)
    ours, theirs = model.annotate(human), small_model.annotate(small_human)
    np.testing.assert_array_equal(ours.obsm["orthotype_proba"], theirs.obsm["orthotype_proba"])


def test_a_shard_that_is_cut_short_is_one_error(
    small_model: ot.LabelTransfer, stores: tuple[Path, Path], tmp_path: Path
) -> None:
    human = stores[1]
    shard = sorted((human / "X" / "data" / "c").iterdir())[1]
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(ot.errors.InputError, match=r"human.zarr is damaged: X, cells [\d,]+ to [\d,]+"):
        small_model.annotate(human, output=tmp_path / "labels.csv")
    assert not (tmp_path / "labels.csv").exists()


def test_the_annotated_store_is_the_store(
    small_model: ot.LabelTransfer, stores: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "out.zarr"
    small_model.annotate(stores[1], output=output)
    for part in ("data", "indices"):
        before, after = (
            {each.name: each.read_bytes() for each in (path / "X" / part / "c").iterdir()}
            for path in (stores[1], output)
        )
        assert before == after
