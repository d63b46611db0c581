"""Writers of bone marrow in the formats in which the archives serve it; each also says what should come back.

What the formats are is known from the scripts of those who have read the files. The names of cells, their
labels and everything else that describes them are made up here; the counts are those that the caller gives.
"""

import csv
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

Files = dict[str, bytes]
Written = tuple[Files, pd.DataFrame]
SAMPLES = ("BM1", "BM2", "BM5-34p")


def barcode(number: int, *, letters: int = 12) -> str:
    return "".join("ACGT"[number // 4**place % 4] for place in range(letters))


def lines(rows: Sequence[Sequence[object]], *, mark: str = "\t", quoting: int = csv.QUOTE_NONE) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, quoting=quoting, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def matrix(cells: AnnData, names: Sequence[str], corner: Sequence[str], **how: object) -> bytes:
    """Genes x cells as text; ``corner`` is what stands over the column of genes, if anything."""
    dense = cells.X.T.toarray()
    rows = ([gene, *row] for gene, row in zip(cells.var_names, dense.tolist(), strict=True))
    return lines([[*corner, *names], *rows], **how)


def stumpf(cells: AnnData) -> Written:
    obs = pd.DataFrame({"donor": "", "population": "", "barcode": ""}, index=range(cells.n_obs), dtype=object)
    for number in range(cells.n_obs):
        obs.loc[number] = [f"S{number % 3}", "TBM" if number % 2 else "LSK", barcode(number)]
    obs.index = obs["donor"] + "_" + obs["population"] + "_" + obs["barcode"]
    return {"E-MTAB-8630-merged.DGE.txt.gz": gzip.compress(matrix(cells, obs.index, ["GENE"]))}, obs


def tabula_muris(cells: AnnData, names: Sequence[str], library: str) -> tuple[bytes, pd.DataFrame]:
    """The table of annotations as the consortium writes it, and what we make of it."""
    types = np.array([("granulocyte", "CL:0000094"), ("T cell", "CL:0000084"), ("NA", "NA")])
    chosen = types[np.arange(cells.n_obs) % 3]
    obs = pd.DataFrame({"cell_type": chosen[:, 0], "cell_type_ontology_term_id": chosen[:, 1]}, index=names)
    obs["donor"], obs["sex"] = [f"3-F-{number % 2}" for number in range(cells.n_obs)], "F"
    obs["library"] = [name.rsplit("_", 1)[0] if library == "channel" else "D041912" for name in names]
    header = ["cell", "tissue", "subtissue", "cell_ontology_class", "cell_ontology_id", "free_annotation"]
    header += ["cluster.ids", "mouse.sex", "mouse.id", "tSNE_1", "tSNE_2", library, "subsetA"]

    def more(row: Any) -> list[str]:
        return [row.sex, row.donor, "-5.4", "1e-3", row.library, "FALSE"]

    body = [
        [name, "Marrow", "", row.cell_type, row.cell_type_ontology_term_id, "NA", "0", *more(row)]
        for name, row in zip(names, obs.itertuples(), strict=True)
    ]
    other = ["10X_P4_3_AAAAAAAAAAAA", "Bladder", "", "bladder cell", "CL:1001319", "NA", "0", "M", "3-M-8"]
    table = [header, *reversed(body), [*other, "0", "0", "10X_P4_3", "FALSE"]]
    return lines(table, mark=",", quoting=csv.QUOTE_ALL), obs.replace("NA", np.nan)


def droplet(cells: AnnData) -> Written:
    """Two channels of marrow, each with a barcode that the authors left out, and another organ."""
    halves = np.array_split(np.arange(cells.n_obs), 2)
    packed, names = io.BytesIO(), []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("droplet/", "")
        archive.writestr("__MACOSX/droplet/Marrow-10X_P7_2/._matrix.mtx", b"\x00")
        for channel, half in (("10X_P7_2", halves[0]), ("10X_P7_3", halves[1])):
            barcodes = [barcode(number, letters=16) for number in half]
            names += [f"{channel}_{word}" for word in barcodes]
            counts = sp.vstack([cells.X[half], sp.csr_matrix(np.ones((1, cells.n_vars), int))]).tocoo()
            text = [["%%MatrixMarket matrix coordinate integer general"], ["%"]]
            text += [[f"{cells.n_vars} {len(half) + 1} {counts.nnz}"]]
            entries = zip(counts.col, counts.row, counts.data, strict=True)
            text += [[f"{gene + 1} {cell + 1} {value}"] for gene, cell, value in entries]
            inside = f"droplet/Marrow-{channel}"
            archive.writestr(f"{inside}/matrix.mtx", lines(text, quoting=csv.QUOTE_NONE))
            archive.writestr(f"{inside}/genes.tsv", lines([[gene, gene] for gene in cells.var_names]))
            archive.writestr(f"{inside}/barcodes.tsv", lines([[f"{word}-1"] for word in [*barcodes, "TTTT"]]))
        archive.writestr("droplet/Bladder-10X_P4_3/matrix.mtx", b"not read")
    table, obs = tabula_muris(cells, names, "channel")
    files = {"tabula-muris-droplet.zip": packed.getvalue(), "tabula-muris-annotations_droplet.csv": table}
    return files, obs


def facs(cells: AnnData) -> Written:
    names = [f"A{number}.D041912.3_8_M.1.1" for number in range(cells.n_obs)]
    packed = io.BytesIO()
    left_out = anndata.concat([cells, cells[:1].copy()], index_unique="-")
    left_out.var = cells.var
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        text = matrix(left_out, [*names, "P9.x"], [""], mark=",", quoting=csv.QUOTE_NONNUMERIC)
        archive.writestr("FACS/Marrow-counts.csv", text)
        archive.writestr("FACS/Bladder-counts.csv", b"not read")
    table, obs = tabula_muris(cells, names, "plate.barcode")
    return {"tabula-muris-FACS.zip": packed.getvalue(), "tabula-muris-annotations_facs.csv": table}, obs


def paul(cells: AnnData) -> Written:
    """Wells in rows under nineteen lines that explain the columns; some genes have several names."""
    names = [f"W{31105 + number}" for number in range(cells.n_obs)]
    obs = pd.DataFrame({"donor": "2", "library": "AB173"}, index=names)
    obs["sequencing_batch"], obs["plate"] = "SB17", "2"
    obs["sorted_as"] = ["Unsorted myeloid" if number % 4 else "Cebpa KO" for number in range(len(obs))]
    obs["cells_in_well"] = [str(int(number % 5 > 0)) for number in range(len(obs))]
    header = ["Well_ID", "Seq_batch_ID", "Amp_batch_ID", "well_coordinates", "Mouse_ID", "Plate_ID"]
    header += ["Batch_desc", "Pool_barcode", "Cell_barcode", "RMT_sequence", "Number_of_cells"]
    header += ["CD34_measurement", "FcgR3_measurement"]
    explained = [
        ["Experimental design table"],
        ["Field:", "Description:"],
        *[[name, "..."] for name in header],
    ]
    explained += [["", ""]] * (19 - len(explained))
    body = [
        [name, "SB17", "AB173", "A1", "2", "2", row.sorted_as, *"ABC", row.cells_in_well, "NA", "112.5"]
        for name, row in zip(names, obs.itertuples(), strict=True)
    ]
    several = cells.copy()
    several.var_names = [
        f"{gene};{gene}-like" if at % 3 == 0 else gene for at, gene in enumerate(cells.var_names)
    ]
    files = {
        "GSE72857_umitab.txt.gz": gzip.compress(matrix(several, names, [])),
        "GSE72857_experimental_design.txt.gz": gzip.compress(lines([*explained, header, *reversed(body)])),
    }
    return files, obs


def van_galen(cells: AnnData) -> Written:
    """One pair of files for each sample, the two under numbers of their own, and a leukaemia sample."""
    parts = np.array_split(np.arange(cells.n_obs), len(SAMPLES))
    labels = np.array(["Mono", "lateEry", ""])
    packed, frames = io.BytesIO(), []
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        for at, (sample, part) in enumerate(zip(SAMPLES, parts, strict=True)):
            names = [f"{sample}_{barcode(number)}" for number in part]
            few = cells[part]
            obs = pd.DataFrame({"cell_type": labels[part % 3]}, index=names, dtype=object)
            obs["donor"], obs["library"] = sample[:3], sample
            rows = [[name, "170122", "0.1", cell_type] for name, cell_type in obs["cell_type"].items()]
            header = ["Cell", "NumberOfReads", "CyclingScore", "CellType"]
            add(f"GSM{3587996 + 2 * at}_{sample}.dem.txt.gz", gzip.compress(matrix(few, names, ["Gene"])))
            add(f"GSM{3587997 + 2 * at}_{sample}.anno.txt.gz", gzip.compress(lines([header, *rows])))
            frames.append(obs)
        add("GSM3587923_AML1012-D0.dem.txt.gz", b"not read")
    return {"GSE116256_RAW.tar": packed.getvalue()}, pd.concat(frames).replace("", np.nan)


WRITERS: dict[str, Callable[[AnnData], Written]] = {
    "stumpf2020-mouse-marrow": stumpf,
    "tabula-muris-marrow-droplet": droplet,
    "tabula-muris-marrow-facs": facs,
    "paul2015-mouse-marrow": paul,
    "vangalen2019-human-marrow": van_galen,
}
