"""Any file of cells, read into an AnnData with sparse rows, or one clear message why not.

What a file is follows from what it holds, not from its name: an HDF5 file is looked into, a text file that is
named ``.h5ad`` is called a text file.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from orthotype.errors import InputError, listed, no_file

if TYPE_CHECKING:
    from anndata import AnnData

KNOWN: Final = (
    ".h5ad, .zarr, a 10x .h5, a folder with a 10x matrix.mtx, or a table .csv, .tsv or .txt (plain or .gz)"
)
HDF5: Final = b"\x89HDF\r\n\x1a\n"
HDF5_ENDINGS: Final = (".h5ad", ".h5", ".hdf5")
TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt", ".tab")
FOREIGN: Final = {
    ".rds": "an R object; in R, write it as .h5ad (for example with zellkonverter or SeuratDisk)",
    ".rda": "an R object; in R, write it as .h5ad (for example with zellkonverter or SeuratDisk)",
    ".rdata": "an R object; in R, write it as .h5ad (for example with zellkonverter or SeuratDisk)",
    ".h5seurat": "a Seurat file; in R, convert it with SeuratDisk::Convert(..., dest = 'h5ad')",
    ".loom": "a Loom file; convert it with anndata.io.read_loom(...).write_h5ad(...)",
    ".h5mu": "a MuData file; write its RNA part with mudata.read(...)['rna'].write_h5ad(...)",
    ".xlsx": "a spreadsheet; export it as .csv, and mind that spreadsheets turn gene names into dates",
    ".zip": "an archive; unpack it first",
    ".tar": "an archive; unpack it first",
}


def read(path: str | Path, *, genes_in: str | None = None) -> "AnnData":
    """Return the cells of a file as an AnnData, matrices as sparse rows wherever most values are zero.

    Parameters
    ----------
    path
        ``.h5ad``, ``.zarr``, a 10x ``.h5`` of any version, a 10x folder (``matrix.mtx``, ``barcodes.tsv``,
        ``genes.tsv`` or ``features.tsv``, plain or gz, also with a common prefix), or a table of numbers
        (``.csv``, ``.tsv``, ``.txt``, plain or gz), also a merged Drop-seq file, recognised by its cells
        being called ``Specimen_Population_Barcode``.
    genes_in
        For tables only: ``"rows"`` or ``"columns"``. By default the names themselves tell.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, of another kind than its name says, or of a kind that
        orthotype does not read.

    Notes
    -----
    Columns of text in a table of cells by genes become columns of ``obs``, so that labels can travel with it.
    """
    from orthotype.cells import delimited, dge, formats, tenx

    path = Path(path)
    if not path.exists():
        raise InputError(no_file(path))
    if path.is_dir():
        if formats.is_zarr(path):
            return formats.read_zarr(path)
        if tenx.is_folder(path):
            return tenx.read_folder(path)
        raise InputError(_strange_folder(path))
    with path.open("rb") as file:
        head = file.read(4096)
    name = path.name.lower().removesuffix(".gz")
    ending = Path(name).suffix
    if not head:
        raise InputError(f"{path} is empty (0 bytes); expected {KNOWN}; copy or download it again")
    if ending in FOREIGN:
        raise InputError(f"{path} is {FOREIGN[ending]}; expected {KNOWN}")
    if head.startswith(HDF5):
        return formats.read_hdf5(path)
    if ending in HDF5_ENDINGS:
        raise InputError(f"{path} is not an HDF5 file: it {_nature(head)}; expected what {ending} promises")
    if ending == ".mtx":
        return tenx.read_folder(path.parent, matrix=path)
    if ending in TEXT_ENDINGS and genes_in != "columns" and dge.is_dge(path):
        return dge.read_dge(path)
    if ending in TEXT_ENDINGS:
        return delimited.read_table(path, genes_in=genes_in)
    raise InputError(f"{path} has an ending that orthotype does not know; expected {KNOWN}")


def _strange_folder(path: Path) -> str:
    inside = sorted(other.name for other in path.iterdir())
    found = f"holds {listed(inside)}" if inside else "is empty"
    deeper = sorted(str(other.parent) for other in path.glob("*/*matrix.mtx*"))
    hint = f"; did you mean the folder {listed(deeper)}?" if deeper else ""
    return f"folder {path} {found}; expected a .zarr store or a 10x folder with matrix.mtx{hint}"


def _nature(head: bytes) -> str:
    if head.startswith(b"\x1f\x8b"):
        return "is compressed with gzip (unpack it with gunzip)"
    if head.startswith(b"PK"):
        return "is a zip archive (unpack it first)"
    try:
        start = head[:200].decode()
    except UnicodeDecodeError:
        return "holds something else"
    if start.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        return "is a web page (the download failed; fetch it again)"
    return f"is text and begins with {start.splitlines()[0][:40]!r}"
