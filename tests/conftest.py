"""What many tests share: a small real pair of mouse and human cells, and a model trained on the mouse."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

import orthotype as ot

if TYPE_CHECKING:
    from anndata import AnnData

SHARED = (
    "type B pancreatic cell",
    "pancreatic ductal cell",
    "pancreatic D cell",
    "pancreatic A cell",
    "endothelial cell",
)
ONLY_HUMAN = "pancreatic acinar cell"

# A busy machine is no error.
settings.register_profile("orthotype", settings(), deadline=None)
settings.load_profile("orthotype")


def first_cells(name: str, *, classes: tuple[str, ...], n: int) -> "AnnData":
    """Return the first n cells of each class of a bundled data set, with plain text columns."""
    cells = ot.datasets.get(name)
    named = cells.obs["cell_ontology_class"].astype(str).to_numpy()
    chosen = np.sort(np.concatenate([np.flatnonzero(named == label)[:n] for label in classes]))
    few = cells[chosen].copy()
    few.obs = few.obs.astype(str).astype(object)
    return few


@pytest.fixture
def rng() -> np.random.Generator:
    """Give random numbers that are the same in every run."""
    return np.random.default_rng(20201205)


@pytest.fixture(scope="session")
def small_mouse() -> "AnnData":
    """Give 400 labelled mouse pancreas cells of five classes; not to be changed."""
    return first_cells("baron2016-mouse", classes=SHARED, n=80)


@pytest.fixture(scope="session")
def small_human() -> "AnnData":
    """Give 300 human pancreas cells of the same five classes and one more; not to be changed."""
    return first_cells("baron2016-human", classes=(*SHARED, ONLY_HUMAN), n=50)


@pytest.fixture(scope="session")
def small_model(small_mouse: "AnnData") -> ot.LabelTransfer:
    """Give a model of the 400 mouse cells."""
    return ot.LabelTransfer().fit(small_mouse, labels="cell_ontology_class", species="mouse")


@pytest.fixture(scope="session")
def kept(
    tmp_path_factory: pytest.TempPathFactory,
    small_mouse: "AnnData",
    small_human: "AnnData",
    small_model: ot.LabelTransfer,
) -> Path:
    """Give a folder with mouse.h5ad, human.h5ad, model.safetensors and annotated.h5ad; not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    small_mouse.copy().write_h5ad(folder / "mouse.h5ad")
    small_human.copy().write_h5ad(folder / "human.h5ad")
    small_model.save(folder / "model.safetensors")
    small_model.annotate(small_human).write_h5ad(folder / "annotated.h5ad")
    return folder
