"""Repairs of gene names: what spreadsheets, R, aligners and tools that make names unique do to them.

Every repair here only proposes a name; :mod:`orthotype.genes.identify` takes it if a gene is called so.
"""

import re
from collections.abc import Container, Iterable

ENSEMBL_ID = re.compile(r"(?:ENS[A-Z]*G\d{11}|FBgn\d{7}|WBGene\d{8})")
_ID_IN_NAME = re.compile(r"(?:^|[_|:;, -])(ENS[A-Z]*G\d{11}|FBgn\d{7}|WBGene\d{8})(?:\.\d+)?(?=$|[_|:;, .-])")
_GENOME = re.compile(
    r"^(GRCh3[78]|hg19|hg38|GRCm3[89]|mm9|mm10|mm39|Mmul_10|Sscrofa11\.1)[_.:-]+(?=.)", re.IGNORECASE
)
_SPECIES_OF_GENOME = {
    "grch": "human",
    "hg": "human",
    "grcm": "mouse",
    "mm": "mouse",
    "mmul_": "rhesus",
    "sscrofa": "pig",
}
_UNIQUE_SUFFIX = re.compile(r"^(.+?)[-.](\d{1,2})$")
_NOT_R = re.compile(r"[^A-Za-z0-9._]")
_DAY_MONTH = re.compile(r"^(\d{1,2})-(Mar|Sep|Sept|Dec|Oct|Nov|Feb|Apr|May)$", re.IGNORECASE)
_MONTH_DAY = re.compile(r"^(Mar|Sep|Sept|Dec|Oct|Nov|Feb|Apr|May)-(\d{1,2})$", re.IGNORECASE)
_FULL_DATE = re.compile(r"^(?:19|20)\d\d-(\d\d)-(\d\d)(?: 00:00:00)?$")
_MONTHS = {
    "02": "FEB",
    "03": "MAR",
    "04": "APR",
    "05": "MAY",
    "09": "SEP",
    "10": "OCT",
    "11": "NOV",
    "12": "DEC",
}
_GENES_OF_MONTH = {
    "MAR": ("MARCH", "MARC"),
    "SEP": ("SEPT", "SEP"),
    "DEC": ("DEC",),
    "OCT": ("OCT",),
    "NOV": ("NOV",),
}


def split_genome(name: str) -> tuple[str, str]:
    """Return the name without the genome that an aligner put before it, and the species of that genome.

    >>> split_genome("mm10___Lyz2")
    ('Lyz2', 'mouse')
    """
    found = _GENOME.match(name)
    if not found:
        return name, ""
    return name[found.end() :], _SPECIES_OF_GENOME[found.group(1).rstrip("0123456789.").lower()]


def id_in(name: str) -> str:
    """Return the Ensembl gene id that a name holds, without its version, or nothing.

    >>> id_in("ENSG00000174059.17"), id_in("CD34_ENSG00000174059")
    ('ENSG00000174059', 'ENSG00000174059')
    """
    found = _ID_IN_NAME.search(name)
    return found.group(1) if found else ""


def without_suffix(name: str, names: Container[str]) -> str:
    """Return the name before ``-1`` or ``.1`` was added to make it unique, if that name is there too."""
    found = _UNIQUE_SUFFIX.match(name)
    return found.group(1) if found and found.group(1) in names else ""


def genes_of_date(name: str) -> tuple[str, ...]:
    """Return the old symbols that a spreadsheet may have turned into this date.

    >>> genes_of_date("2-Sep"), genes_of_date("Mar-01")
    (('SEPT2', 'SEP2'), ('MARCH1', 'MARC1'))
    """
    month, day = "", ""
    if found := _DAY_MONTH.match(name):
        day, month = found.groups()
    elif found := _MONTH_DAY.match(name):
        month, day = found.groups()
    elif found := _FULL_DATE.match(name):
        month, day = _MONTHS.get(found.group(1), ""), found.group(2)
    return tuple(f"{stem}{int(day)}" for stem in _GENES_OF_MONTH.get(month.upper()[:3], ()))


def as_r_writes(name: str) -> str:
    """Return the name as R's ``make.names`` writes it: ``HLA-A`` is ``HLA.A``, ``5S`` is ``X5S``."""
    written = _NOT_R.sub(".", name)
    return f"X{written}" if written[:1].isdigit() or written[:1] == "_" else written


def as_r_writes_all(symbols: Iterable[str]) -> dict[str, str]:
    """Return R's spelling of the symbols that it changes; spellings of two symbols are left out."""
    found: dict[str, str] = {}
    for symbol in symbols:
        for spelling in {as_r_writes(symbol), symbol.replace("_", "-")} - {symbol}:
            found[spelling] = "" if spelling in found else symbol
    return {spelling: symbol for spelling, symbol in found.items() if symbol}
