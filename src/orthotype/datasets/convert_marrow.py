"""Bone marrow as its archives serve it, to counts with named columns.

What the files look like is known from the scripts of those who have read them; ``docs/datasets.md`` says how
far that could be verified. Names of cells are checked on both sides of every join, so that a file of another
form is refused, not half read.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype.datasets.registry import Dataset
from orthotype.datasets.tidying import tidy, unpacked_all
from orthotype.errors import InputError, Problems, listed

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

MISSING = ("", "NA", "nan")
DROPLET = r"(?!__MACOSX).*\bMarrow-10X_[^/]+/(matrix\.mtx|genes\.tsv|barcodes\.tsv)"
FACS = r"(?!__MACOSX).*\bMarrow-counts\.csv"
HEALTHY = r"(.*/)?GSM\d+_BM[^/]*\.(dem|anno)\.txt(\.gz)?"
TABULA_MURIS = {
    "cell_ontology_class": "cell_type",
    "cell_ontology_id": "cell_type_ontology_term_id",
    "free_annotation": "free_annotation",
    "mouse.id": "donor",
    "mouse.sex": "sex",
    "subtissue": "sorted_as",
}
PAUL = {
    "Mouse_ID": "donor",
    "Amp_batch_ID": "library",
    "Seq_batch_ID": "sequencing_batch",
    "Plate_ID": "plate",
    "Batch_desc": "sorted_as",
    "Number_of_cells": "cells_in_well",
}


def _stumpf2020(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    """Read the merged Drop-seq file: specimen and population are in the names of the cells."""
    from orthotype.cells.dge import read_dge

    kept = {"specimen": "donor", "population": "population", "barcode": "barcode"}
    return tidy(read_dge(archive), dataset, obs=kept)


def _tabula_muris_droplet(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    """Read one 10x folder for each channel; ``10X_P7_2_ACGT`` is barcode ``ACGT-1`` of channel 10X_P7_2."""
    from orthotype.cells import tenx

    channels = []
    for folder in sorted({place.parent for place in unpacked_all(archive, DROPLET, scratch)}):
        cells = tenx.read_folder(folder)
        channel = folder.name.removeprefix("Marrow-")
        cells.obs_names = [f"{channel}_{barcode.removesuffix('-1')}" for barcode in cells.obs_names]
        channels.append(cells)
    return _tabula_muris(dataset, archive, stacked(channels, dataset.name), library="channel")


def _tabula_muris_facs(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    """Read the one table of reads, genes x cells."""
    from orthotype.cells.dge import read_counts

    [place] = unpacked_all(archive, FACS, scratch)
    return _tabula_muris(dataset, archive, read_counts(place), library="plate.barcode")


def _tabula_muris(dataset: Dataset, archive: Path, cells: "AnnData", *, library: str) -> "AnnData":
    """Keep the cells that the authors kept, with their labels."""
    columns = TABULA_MURIS | {library: "library"}
    table = read_lines(_beside(dataset, archive), key="cell", needed=["tissue", *columns])
    table = table[table["tissue"] == "Marrow"]
    kept = cells[cells.obs_names.isin(table.index)].copy()
    return tidy(described(kept, table, columns, dataset.name), dataset, obs=_same(columns, table))


def _paul2015(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    """Read wells and their description; a gene of several names is called by the first."""
    from anndata.utils import make_index_unique

    from orthotype.cells.dge import read_counts

    cells = read_counts(archive)
    cells.var["all_names"] = cells.var_names
    cells.var_names = make_index_unique(cells.var_names.str.split(";").str[0])
    table = read_lines(_beside(dataset, archive), key="Well_ID", needed=list(PAUL))
    wells = described(cells, table, PAUL, dataset.name)
    return tidy(wells, dataset, obs=_same(PAUL, table), var={"all_names": "all_names"})


def _van_galen2019(dataset: Dataset, archive: Path, scratch: Path) -> "AnnData":
    """Read counts and annotation of each healthy sample; ``BM5-34p`` are the CD34+ cells of donor BM5."""
    from orthotype.cells.dge import read_counts

    files: dict[str, dict[str, Path]] = {}
    for place in unpacked_all(archive, HEALTHY, scratch):
        found = re.fullmatch(r"GSM\d+_(.+)\.(dem|anno)\.txt(\.gz)?", place.name)
        if found:
            files.setdefault(found[1], {})[found[2]] = place
    alone = [sample for sample, pair in files.items() if len(pair) < 2]
    if alone:
        raise InputError(f"{archive} has one file only of {listed(alone)}; expected .dem.txt and .anno.txt")
    columns = {"CellType": "cell_type"}
    samples = []
    for sample, pair in sorted(files.items()):
        table = read_lines(pair["anno"], key="Cell", needed=list(columns))
        cells = described(read_counts(pair["dem"]), table, columns, f"{dataset.name}, {sample}")
        cells.obs["library"], cells.obs["donor"] = sample, sample.split("-")[0]
        samples.append(cells)
    kept = {name: name for name in ("cell_type", "donor", "library")}
    return tidy(stacked(samples, dataset.name), dataset, obs=kept)


def read_lines(path: Path, *, key: str, needed: Sequence[str]) -> "pd.DataFrame":
    """Return a text table by the key of its lines; what stands above the line of column names is left out.

    Raises
    ------
    InputError
        If no line names all the columns.
    """
    import pandas as pd

    from orthotype.cells.dge import opened

    with opened(path) as file:
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    delimiter = "," if path.name.removesuffix(".gz").endswith(".csv") else "\t"
    rows = list(csv.reader(lines, delimiter=delimiter))
    start = next((at for at, row in enumerate(rows) if {key, *needed} <= set(row)), None)
    if start is None:
        raise InputError(f"{path} has no line of the column names {listed([key, *needed])}")
    header, body = rows[start], [row for row in rows[start + 1 :] if row]
    short = [row[0] for row in body if len(row) != len(header)]
    if short:
        raise InputError(f"{path}: {len(short):,} lines do not have {len(header)} columns: {listed(short)}")
    return pd.DataFrame(body, columns=header, dtype=object).set_index(key)


def described(cells: "AnnData", table: "pd.DataFrame", columns: Mapping[str, str], subject: str) -> "AnnData":
    """Return the cells with columns of a table joined by name.

    Raises
    ------
    InputError
        If cells are in one of the two only, or twice in the table.
    """
    import pandas as pd

    problems = Problems(subject)
    unlisted = cells.obs_names[~cells.obs_names.isin(table.index)]
    missing = table.index[~table.index.isin(cells.obs_names)]
    twice = table.index[table.index.duplicated()].unique()
    for names, found in (
        (unlisted, "cells of the matrix are not described"),
        (missing, "cells are described but not in the matrix"),
        (twice, "cells are described more than once"),
    ):
        if len(names):
            problems.add(f"{len(names):,} {found}: {listed(names)}", expected="the same cells in both files")
    problems.raise_if_any()
    chosen = table.loc[cells.obs_names, list(columns)]
    for name in chosen:
        cells.obs[columns[name]] = pd.Categorical(chosen[name].where(~chosen[name].isin(MISSING), None))
    return cells


def stacked(parts: Sequence["AnnData"], name: str) -> "AnnData":
    """Return samples over the same genes as one.

    Raises
    ------
    InputError
        If a sample has other genes, or in another order.
    """
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    if not all(part.var_names.equals(parts[0].var_names) for part in parts):
        raise InputError(
            f"the samples of {name} have different genes; expected one list; the source has changed"
        )
    obs = pd.concat([part.obs.astype(object) for part in parts])
    return anndata.AnnData(sp.vstack([part.X for part in parts], format="csr"), obs=obs, var=parts[0].var)


def _beside(dataset: Dataset, archive: Path) -> Path:
    """Return the file of descriptions, which lies beside the counts."""
    return archive.with_name(dataset.beside[0].file_name)


def _same(columns: Mapping[str, str], table: "pd.DataFrame") -> dict[str, str]:
    """Return our names of the columns that say anything."""
    return {ours: ours for theirs, ours in columns.items() if not table[theirs].isin(MISSING).all()}


CONVERTERS: dict[str, Callable[[Dataset, Path, Path], "AnnData"]] = {
    "stumpf2020-mouse-marrow": _stumpf2020,
    "stumpf2020-human-marrow": _stumpf2020,
    "tabula-muris-marrow-droplet": _tabula_muris_droplet,
    "tabula-muris-marrow-facs": _tabula_muris_facs,
    "paul2015-mouse-marrow": _paul2015,
    "vangalen2019-human-marrow": _van_galen2019,
}
