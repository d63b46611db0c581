"""Places to write to, looked at before any work is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orthotype._files import check_output
from orthotype.errors import OutputError

MODEL: Final = (".safetensors",)
CELLS: Final = (".h5ad", ".zarr", ".csv", ".parquet")
TABLE: Final = (".csv",)
PICTURE: Final = (".svg", ".png", ".pdf")
PAGE: Final = (".html", ".htm")


def ready(path: Path, endings: tuple[str, ...], *, force: bool) -> None:
    """Refuse a place that cannot be written, or whose name promises something else than it will hold.

    Raises
    ------
    OutputError
        If the name has another ending, the folder is missing or not writable, or the file exists and
        ``force`` is false.
    """
    ending = path.suffix.lower()
    if ending not in endings and not path.is_dir():
        found = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise OutputError(
            f"{path} {found}; expected {' or '.join(endings)}; name it {path.with_suffix(endings[0])}"
        )
    store = ending == ".zarr" and ending in endings
    if store and path.is_dir() and not force:
        raise OutputError(
            f"{path} exists already; nothing was overwritten; pass --force (force=True) to replace it"
        )
    check_output(path.with_name(f".{path.name}.new") if store else path, force=force)


def apart(places: Mapping[str, Path]) -> None:
    """Refuse two outputs in one place.

    Parameters
    ----------
    places
        What each option names.

    Raises
    ------
    OutputError
        If two of them name the same file.
    """
    options: dict[Path, list[str]] = {}
    for option, path in places.items():
        options.setdefault(path.resolve(), []).append(option)
    for names in options.values():
        if len(names) > 1:
            raise OutputError(
                f"{' and '.join(names)} name the same file, {places[names[0]]}; expected two files"
            )
