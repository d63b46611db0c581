"""Whatever the counts, their order and the size of the blocks: what was written is what is read."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orthotype.cells import dge

COUNTS = st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 2_147_483_647))


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    n_genes, n_cells = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    values = draw(st.lists(COUNTS, min_size=n_genes * n_cells, max_size=n_genes * n_cells))
    return np.array(values, dtype=np.int64).reshape(n_genes, n_cells)


@given(
    counts=matrices(),
    block=st.integers(1, 200),
    mark=st.sampled_from("\t,;"),
    corner=st.sampled_from(["GENE", "", None]),
    packed=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read(
    counts: np.ndarray, block: int, mark: str, corner: str | None, packed: bool
) -> None:
    cells = [f"S{at}_TBM_ACGTAC" for at in range(counts.shape[1])]
    assume(corner is not None or len(cells) > 1)  # one name alone does not tell what separates names
    lines = [mark.join(cells if corner is None else [corner, *cells])]
    lines += [mark.join([f"Gene{at}", *map(str, row)]) for at, row in enumerate(counts)]
    text = ("\n".join(lines) + "\n").encode()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "counts.txt"
        path.write_bytes(gzip.compress(text) if packed else text)
        patch.setattr(dge, "BLOCK", block)
        found = dge.read_counts(path)
    assert found.obs_names.tolist() == cells
    assert found.var_names.tolist() == [f"Gene{at}" for at in range(len(counts))]
    np.testing.assert_array_equal(found.X.toarray(), counts.T)
    assert found.X.nnz == np.count_nonzero(counts)
