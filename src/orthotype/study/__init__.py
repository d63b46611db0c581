"""What it means: every experiment of Stumpf et al. 2020 on any pair of species, as one call.

::

    run      two data sets in, a folder out          recipe   every setting; presets
    pair     both data sets in one feature space     pieces   the units of work, kept and never made twice
    steps    the five questions                      answers  a measured sentence for each
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orthotype.study.answers import Answer
    from orthotype.study.folder import Study, read_study
    from orthotype.study.pairing import Columns
    from orthotype.study.recipe import PRESETS, Recipe, preset
    from orthotype.study.running import run

_HOMES = {
    "PRESETS": "recipe",
    "Answer": "answers",
    "Columns": "pairing",
    "Recipe": "recipe",
    "Study": "folder",
    "preset": "recipe",
    "read_study": "folder",
    "run": "running",
}

__all__ = ["PRESETS", "Answer", "Columns", "Recipe", "Study", "preset", "read_study", "run"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"orthotype.study.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'orthotype.study' has no attribute {name!r}")
