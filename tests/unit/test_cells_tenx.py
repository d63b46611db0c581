"""Cell Ranger output of versions 2 and 3, really written; the numbers are simulated."""

import gzip

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from orthotype.cells.read import read
from orthotype.errors import InputError

IDS = ["ENSMUSG00000035804", "ENSMUSG00000000215", "ENSMUSG00000050711", "ADT_CD45"]
SYMBOLS = ["Ins1", "Ins2", "Ins2", "CD45"]
TYPES = ["Gene Expression"] * 3 + ["Antibody Capture"]
BARCODES = ["AAACCTGA-1", "AAACCTGC-1"]
COUNTS = sp.csc_matrix(np.array([[3, 0, 0, 9], [0, 1, 7, 8]], dtype=np.int64).T)  # genes x cells


def write_h5(path, *, version=3, types=TYPES, groups=("mm10",), barcodes=BARCODES):
    with h5py.File(path, "w") as file:
        for name in ("matrix",) if version == 3 else groups:
            group = file.create_group(name)
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(COUNTS, part)
            group["shape"] = COUNTS.shape
            group["barcodes"] = np.array(barcodes, dtype="S")
            if version == 3:
                features = group.create_group("features")
                features["id"] = np.array(IDS, dtype="S")
                features["name"] = np.array(SYMBOLS, dtype="S")
                features["feature_type"] = np.array(types, dtype="S")
            else:
                group["genes"] = np.array(IDS, dtype="S")
                group["gene_names"] = np.array(SYMBOLS, dtype="S")
    return path


def write_folder(folder, *, prefix="", version=3, packed=True, genes=None, transposed=False):
    folder.mkdir(exist_ok=True)
    if genes is None:
        columns = [IDS, SYMBOLS, TYPES] if version == 3 else [IDS, SYMBOLS]
        genes = "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True))
    scipy.io.mmwrite(folder / "tmp.mtx", COUNTS.T if transposed else COUNTS)
    texts = {
        "matrix.mtx": (folder / "tmp.mtx").read_text(),
        "barcodes.tsv": "\n".join(BARCODES) + "\n",
        "features.tsv" if version == 3 else "genes.tsv": genes,
    }
    (folder / "tmp.mtx").unlink()
    for name, text in texts.items():
        path = folder / f"{prefix}{name}"
        if packed:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    return folder


def expect(adata, *, n_genes):
    assert adata.obs_names.tolist() == BARCODES
    assert adata.var_names.tolist() == SYMBOLS[:n_genes]
    assert adata.var["gene_ids"].tolist() == IDS[:n_genes]
    assert adata.X.format == "csr"
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS.T.toarray()[:, :n_genes])


def refused(path):
    with pytest.raises(InputError) as caught:
        read(path)
    return str(caught.value)


def test_hdf5_of_version_3_keeps_gene_expression_only(tmp_path):
    expect(read(write_h5(tmp_path / "filtered_feature_bc_matrix.h5")), n_genes=3)


def test_hdf5_of_version_2(tmp_path):
    expect(read(write_h5(tmp_path / "old.h5", version=2)), n_genes=4)


def test_hdf5_of_several_genomes_is_refused(tmp_path):
    assert "several genomes ('hg19', 'mm10')" in refused(
        write_h5(tmp_path / "two.h5", version=2, groups=("hg19", "mm10"))
    )


def test_hdf5_without_gene_expression_is_refused(tmp_path):
    path = write_h5(tmp_path / "adt.h5", types=["Antibody Capture"] * 4)
    assert "holds only features of type 'Antibody Capture'; expected 'Gene Expression'" in refused(path)


def test_hdf5_whose_parts_do_not_fit_is_refused(tmp_path):
    path = write_h5(tmp_path / "odd.h5", barcodes=[*BARCODES, "AAACCTGG-1"])
    assert "3 barcodes" in refused(path)


def test_truncated_hdf5(tmp_path):
    path = write_h5(tmp_path / "cut.h5")
    path.write_bytes(path.read_bytes()[:-500])
    assert "is truncated" in refused(path)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("packed", [True, False])
def test_folders_of_both_versions_plain_and_packed(tmp_path, version, packed):
    folder = write_folder(tmp_path / "run", version=version, packed=packed)
    expect(read(folder), n_genes=3 if version == 3 else 4)


def test_files_with_a_common_prefix_as_in_public_archives(tmp_path):
    folder = write_folder(tmp_path / "geo", prefix="GSM1_")
    expect(read(folder), n_genes=3)
    write_folder(folder, prefix="GSM2_")
    assert "holds several matrices ('GSM1_matrix.mtx.gz', 'GSM2_matrix.mtx.gz')" in refused(folder)
    expect(read(folder / "GSM2_matrix.mtx.gz"), n_genes=3)


def test_a_matrix_of_cells_by_genes_is_turned(tmp_path):
    expect(read(write_folder(tmp_path / "turned", transposed=True)), n_genes=3)


def test_genes_with_one_column_of_names(tmp_path):
    folder = write_folder(tmp_path / "names", version=2, genes="".join(f"{name}\n" for name in SYMBOLS))
    assert read(folder).var_names.tolist() == SYMBOLS


def test_a_missing_part_is_named(tmp_path):
    folder = write_folder(tmp_path / "part")
    (folder / "barcodes.tsv.gz").unlink()
    assert "expected beside it one of 'barcodes.tsv', 'barcodes.tsv.gz'" in refused(folder)


def test_parts_of_different_runs_are_refused(tmp_path):
    folder = write_folder(tmp_path / "mixed", version=2, genes="a\tb\nc\td\n")
    assert "holds 4 genes x 2 cells, but there are 2 gene names and 2 barcodes" in refused(folder)


@pytest.mark.parametrize("name", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
def test_a_truncated_part_is_named(tmp_path, name):
    folder = write_folder(tmp_path / "cut")
    path = folder / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:-12])
    assert str(path) in refused(folder)


def test_text_named_mtx(tmp_path):
    folder = write_folder(tmp_path / "text", packed=False)
    (folder / "matrix.mtx").write_text("gene\tcell\n")
    assert "no Matrix Market file" in refused(folder)
