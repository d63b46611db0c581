"""The same work on the workers of a cluster: the same answer, whatever happens to them. Bundled cells."""

import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.cells import handout, workers
from orthotype.errors import ClusterError, InputError
from orthotype.transfer import streaming

if TYPE_CHECKING:
    from anndata import AnnData

distributed = pytest.importorskip("distributed", reason="NOT TESTED: dask.distributed is not installed")

LABELS = "cell_ontology_class"
PIECE = 64


@pytest.fixture(autouse=True)
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces for a few hundred cells, here and on the workers."""
    monkeypatch.setattr("orthotype.cells.pieces.PIECE", PIECE)
    monkeypatch.setattr(streaming, "WORTH_KEEPING", 1)


def cluster_of(n: int) -> Any:
    return distributed.LocalCluster(
        n_workers=n,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        memory_limit=None,
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Give a client of four worker processes."""
    with cluster_of(4) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def here(small_mouse: "AnnData") -> ot.LabelTransfer:
    return ot.LabelTransfer().fit(small_mouse, labels=LABELS, species="mouse")


def same_model(one: ot.LabelTransfer, other: ot.LabelTransfer) -> None:
    ours, theirs = one.state_.to_arrays(), other.state_.to_arrays()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert {**one.card, "created": ""} == {**other.card, "created": ""}


def same_labels(one: "AnnData", other: "AnnData") -> None:
    np.testing.assert_array_equal(one.obsm["orthotype_proba"], other.obsm["orthotype_proba"])
    for name in (name for name in other.obs if name.startswith("orthotype_")):
        assert one.obs[name].astype(object).equals(other.obs[name].astype(object)), name
    said, expected = (json.loads(str(each.uns["orthotype"]["details"])) for each in (one, other))
    for entry in ("coverage", "genes", "shift", "ratios", "card"):
        assert said[entry] == expected[entry]


def both_alike(client: Any, here: ot.LabelTransfer, human: "AnnData", kept: Path) -> None:
    """Hold training and labelling on a cluster against the same in memory."""
    there = ot.LabelTransfer().fit(kept / "mouse.h5ad", labels=LABELS, species="mouse", client=client)
    same_model(there, here)
    same_labels(here.annotate(kept / "human.h5ad", client=client), here.annotate(human))


def test_one_worker(here: ot.LabelTransfer, small_human: "AnnData", kept: Path) -> None:
    with cluster_of(1) as cluster, distributed.Client(cluster) as client:
        both_alike(client, here, small_human, kept)


def test_four_workers(here: ot.LabelTransfer, small_human: "AnnData", kept: Path, client: Any) -> None:
    both_alike(client, here, small_human, kept)


def fractions(cells: "AnnData") -> "AnnData":
    """Return cells with values that are not whole, so that the order of sums matters, and gaps in labels."""
    cells = cells.copy()
    cells.X = sp.csr_matrix(cells.X.astype(np.float32) * np.float32(0.3))
    cells.obs.loc[cells.obs_names[::7], LABELS] = ""
    return cells


@pytest.mark.parametrize("kind", ["gzip", "dense", "zarr"])
def test_kinds_of_files_and_values(small_mouse: "AnnData", client: Any, tmp_path: Path, kind: str) -> None:
    cells = fractions(small_mouse)
    path = tmp_path / ("cells.zarr" if kind == "zarr" else "cells.h5ad")
    stored = cells.copy()
    if kind == "dense":
        stored.X = stored.X.toarray()
    if kind == "zarr":
        import anndata

        from orthotype.cells.quiet import quiet

        with quiet(), anndata.settings.override(zarr_write_format=3):
            stored.write_zarr(path)
    else:
        stored.write_h5ad(path, compression="gzip")
    there = ot.LabelTransfer().fit(path, labels=LABELS, species="mouse", client=client)
    same_model(there, ot.LabelTransfer().fit(cells, labels=LABELS, species="mouse"))


def slowly() -> Callable[[Any], Any]:
    """Return work that takes its time; a function within a function is sent to the workers as it is."""

    def work(piece: Any) -> Any:
        import time

        from orthotype.cells.handout import work_on

        time.sleep(0.3)
        return work_on(piece)

    return work


def test_of_two_workers_one_is_killed_which_costs_time_alone(
    here: ot.LabelTransfer, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handout, "work_on", slowly())
    killed: list[int] = []

    def kill(what: str, done: int, whole: int) -> None:
        if not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    with cluster_of(2) as cluster, distributed.Client(cluster) as client:
        there = ot.LabelTransfer().fit(
            kept / "mouse.h5ad", labels=LABELS, species="mouse", client=client, progress=kill
        )
        assert killed[0] not in client.run(os.getpid).values()
    same_model(there, here)


def closing(cluster: Any, at: int) -> Callable[[str, int, int], None]:
    """Close a cluster once so many cells are done."""

    def told(what: str, done: int, whole: int) -> None:
        if done >= at:
            cluster.close()

    return told


def test_a_cluster_that_goes_away_is_one_error_and_the_work_goes_on_without_it(
    here: ot.LabelTransfer,
    small_human: "AnnData",
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handout, "work_on", slowly())
    monkeypatch.setattr("orthotype.cells.cache.Journal.EVERY", 0.0)
    output = tmp_path / "labels.csv"
    with (
        cluster_of(1) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ClusterError, match=r"the cluster has gone away .*give the same command again"),
    ):
        here.annotate(kept / "human.h5ad", output=output, client=client, progress=closing(cluster, 2 * PIECE))
    assert [each.name for each in tmp_path.iterdir()] == [".labels.csv.orthotype-parts"]
    seen: list[int] = []
    found = here.annotate(
        kept / "human.h5ad", output=output, progress=lambda what, done, whole: seen.append(done)
    )
    assert min(seen) > 2 * PIECE
    same_labels(found, here.annotate(small_human))
    assert [each.name for each in tmp_path.iterdir()] == ["labels.csv"]


def test_training_goes_on_without_a_cluster_that_went_away(
    here: ot.LabelTransfer, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handout, "work_on", slowly())
    monkeypatch.setattr("orthotype.cells.cache.Journal.EVERY", 0.0)
    output = tmp_path / "model.safetensors"
    asked = {"labels": LABELS, "species": "mouse", "output": output}
    with (
        cluster_of(1) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ClusterError, match=r"the cluster has gone away .*give the same command again"),
    ):
        ot.LabelTransfer().fit(
            kept / "mouse.h5ad", **asked, client=client, progress=closing(cluster, 2 * PIECE)
        )
    assert [each.name for each in tmp_path.iterdir()] == [".model.safetensors.orthotype-parts"]
    seen: list[tuple[str, int]] = []
    found = ot.LabelTransfer().fit(
        kept / "mouse.h5ad", **asked, progress=lambda what, done, whole: seen.append((what, done))
    )
    assert min(done for what, done in seen if what == "choosing genes") > 2 * PIECE
    same_model(found, here)


def test_a_cluster_without_workers(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.1)
    monkeypatch.setattr(workers, "LOOK_EVERY", 0.1)
    with (
        cluster_of(0) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ClusterError, match="the cluster has had no worker for"),
    ):
        ot.LabelTransfer().fit(kept / "mouse.h5ad", labels=LABELS, client=client)


def test_a_damaged_file_is_told_by_the_workers(
    here: ot.LabelTransfer, small_human: "AnnData", client: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cells.h5ad"
    small_human.copy().write_h5ad(path, compression="gzip")
    with h5py.File(path, "r") as file:
        chunk = file["X/data"].id.get_chunk_info(file["X/data"].id.get_num_chunks() - 1)
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset)
        opened.write(b"\xff" * chunk.size)
    with pytest.raises(InputError, match=r"is damaged: X, cells 2\d\d to 300 cannot be read"):
        here.annotate(path, client=client, output=tmp_path / "out.csv")
    assert [each.name for each in tmp_path.iterdir()] == ["cells.h5ad"]


def test_what_no_cluster_can_read(
    here: ot.LabelTransfer, small_human: "AnnData", client: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a cluster was named, but these cells are in memory"):
        here.annotate(small_human, client=client)
    small_human[:, :50].to_df().to_csv(tmp_path / "cells.csv")
    with pytest.raises(InputError, match=r"a cluster was named, but .*cells.csv is read whole"):
        here.annotate(tmp_path / "cells.csv", client=client)
    columns = small_human.copy()
    columns.X = sp.csc_matrix(columns.X)
    columns.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(InputError, match=r"X is stored by genes \(CSC\).*leave the cluster out"):
        here.annotate(tmp_path / "cells.h5ad", client=client)


def test_several_files_are_one_reference(small_mouse: "AnnData", client: Any, tmp_path: Path) -> None:
    """Pieces lie across the ends of files; values are not whole, some cells have no label, genes differ."""
    cells = fractions(small_mouse)
    parts = [cells[:70, 5:], cells[70:75], cells[75:, ::-1][:, 40:], cells[:30]]
    paths = [tmp_path / name for name in ("a.h5ad", "b.h5ad", "c.zarr", "d.h5ad")]
    for number, (part, path) in enumerate(zip(parts, paths, strict=True)):
        part = part.copy()
        part.obs_names = [f"{number} {name}" for name in part.obs_names]
        with warnings.catch_warnings(action="ignore"):
            part.write_zarr(path) if path.suffix == ".zarr" else part.write_h5ad(path, compression="gzip")
    here = ot.LabelTransfer(block_size=50).fit(paths, labels=LABELS, species="mouse")
    there = ot.LabelTransfer().fit(paths, labels=LABELS, species="mouse", client=client)
    same_model(there, here)
    assert [source["n_cells"] for source in there.card["sources"]] == [60, 4, 278, 25]
    with pytest.raises(InputError, match="a cluster was named, but these cells are in memory"):
        ot.LabelTransfer().fit([paths[0], small_mouse], labels=LABELS, client=client)


def test_files_of_two_species_are_one_reference(
    small_mouse: "AnnData", small_human: "AnnData", client: Any, tmp_path: Path
) -> None:
    paths = [tmp_path / "mouse.h5ad", tmp_path / "human.h5ad"]
    for path, cells in zip(paths, (small_mouse, small_human), strict=True):
        cells.copy().write_h5ad(path, compression="gzip")
    same_model(
        ot.LabelTransfer().fit(paths, labels=LABELS, client=client),
        ot.LabelTransfer().fit(paths, labels=LABELS),
    )


def test_a_client_that_is_none(here: ot.LabelTransfer, kept: Path) -> None:
    with pytest.raises(InputError, match=r"the client is a str; expected a dask.distributed.Client"):
        here.annotate(kept / "human.h5ad", client="tcp://node1:8786")


class Alone:
    """A client whose tasks end in one way."""

    status = "running"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, *words: Any, pure: bool) -> Any:
        return self

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        raise self.error

    def nthreads(self) -> dict[str, int]:
        return {"one": 1}

    def cancel(self, futures: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            ModuleNotFoundError("No module named 'orthotype'", name="orthotype"),
            InputError,
            "a worker of the cluster cannot import orthotype",
        ),
        (
            distributed.scheduler.KilledWorker("task", None, 3),
            ClusterError,
            "cost several workers their life",
        ),
        (RuntimeError("a bug"), RuntimeError, "a bug"),
    ],
)
def test_what_workers_cannot_do(error: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        list(workers.Workers(Alone(error)).run(len, ["task"]))


def test_workers_of_another_version() -> None:
    with pytest.raises(InputError, match=r"a worker of the cluster has orthotype .*, this process 0.0"):
        workers._done(len, "task", "0.0")


def test_a_worker_that_does_not_see_the_file(kept: Path, small_human: "AnnData", tmp_path: Path) -> None:
    from orthotype.cells.backed import open_stored
    from orthotype.cells.encode import LogNormalize
    from orthotype.cells.measuring import Measuring
    from orthotype.cells.table import open_cells

    path = tmp_path / "cells.h5ad"
    small_human.copy().write_h5ad(path)
    rows = open_cells(open_stored(path), subject="cells", species="human").rows
    work = Measuring(sp.csr_array((rows.shape[1], 1)), LogNormalize())
    piece = next(handout._pieces(rows, work, size=10, start=0, looked=[False]))
    path.unlink()
    with pytest.raises(InputError, match=r"a worker of the cluster cannot see .*cells.h5ad"):
        handout.work_on(piece)


def test_the_command_line(
    orthotype: Callable[..., Any], kept: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = client.scheduler.address
    done = orthotype(
        "train", kept / "mouse.h5ad", "--labels", LABELS, "-o", "m.safetensors", "--scheduler", address,
        "--max-memory", "1GB",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = orthotype(
        "annotate", "m.safetensors", kept / "human.h5ad", "-o", "labels.csv", "--scheduler", address
    )
    assert done.code == 0, done.err
    monkeypatch.setattr(workers, "CONNECT", 0.2)
    done = orthotype(
        "annotate", "m.safetensors", kept / "human.h5ad", "-o", "more.csv", "--scheduler", "tcp://127.0.0.1:9"
    )
    assert done.code == 1
    assert done.message.startswith("no scheduler answers at tcp://127.0.0.1:9")
