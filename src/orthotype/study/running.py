"""A study from two data sets to a folder: plan the pieces, make the missing ones, gather tables and answers.

::

    output/
      study.json    recipe, versions, data, answers      tables/   one csv and one json each
      models/       the fold models of each learner      pieces/   what a run that was stopped goes on from

The folder is the same, to the last bit, for any number of workers and for a run that was stopped and went on.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orthotype._files import check_folder
from orthotype.errors import OutputError
from orthotype.study.folder import Study, write_study
from orthotype.study.pairing import Columns, make_pair
from orthotype.study.pieces import PieceStore, in_order, study_key
from orthotype.study.recipe import Recipe, check_recipe, preset
from orthotype.study.steps import plan
from orthotype.study.steps.learner import with_what_is_installed
from orthotype.study.steps.placing import place_classes
from orthotype.study.workers import Progress, execute

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def run(
    source: "AnnData",
    *,
    target: "AnnData",
    columns: Columns,
    output: str | Path,
    recipe: Recipe | str = "default",
    lineage: str | Path | None = None,
    orthologs: "pd.DataFrame | str | Path | None" = None,
    workers: int = 1,
    progress: Progress | None = None,
    force: bool = False,
) -> Study:
    """Answer the five questions of Stumpf et al. (2020) for a source and a target, in a folder.

    Is a linear model as good as a network; how well does it transfer and where does it fail; which genes
    carry it; how few target cells are enough; which types can be found that nobody labelled in the target.
    Without target labels it answers what can be answered; without torch the linear model runs alone. A study
    of the same recipe and data that was stopped goes on where it was.

    Parameters
    ----------
    source, target
        Cells x genes with raw counts or log-normalised values; never changed.
    columns
        Where labels, donors and counts are.
    output
        Folder to write.
    recipe
        A :class:`Recipe`, or the name of a preset: ``"default"``, ``"quick"`` or ``"stumpf2020"``.
    lineage
        Which classes are neighbours: a text file, ``"haematopoiesis"`` for the bundled tree, or
        ``"ontology"``. By default the Cell Ontology, where the classes have ids or names that it knows.
    orthologs
        A table of orthologs to use instead of the bundled one.
    workers
        Processes; no result depends on it. With more than one, a script needs the usual
        ``if __name__ == "__main__":``.
    progress
        Called with the name of each finished piece, how many are done and how many there are.
    force
        Write into a folder that holds something else.

    Raises
    ------
    InputError
        With every problem of a side, or of the recipe, at once.
    OutputError
        If the folder cannot be written, or holds something else and ``force`` is false.

    Examples
    --------
    >>> import orthotype as ot
    >>> from orthotype.study import Columns, run
    >>> mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    >>> columns = Columns(source_labels="cell_ontology_class", target_labels="cell_ontology_class")
    >>> found = run(mouse, target=human, columns=columns, output="study")  # doctest: +SKIP
    >>> print(found.answers[0].text)  # doctest: +SKIP
    """
    chosen = preset(recipe) if isinstance(recipe, str) else recipe
    check_recipe(chosen)
    chosen, notes = with_what_is_installed(chosen)
    folder = Path(output)
    if not folder.exists() or not (folder / "pieces").is_dir():
        check_folder(folder, force=force)
    pair = make_pair(source, target, columns=columns, recipe=chosen, orthologs=orthologs)
    placed, note = place_classes(pair, lineage)
    pair = replace(pair, facts={**pair.facts, "lineage": placed, "notes": [*notes, *note]})
    key = study_key(chosen, pair.content_hash)
    store = PieceStore(_ready(folder, key, force=force))
    pieces = list(in_order(plan(chosen, pair)))
    execute(pieces, recipe=chosen, pair=pair, store=store, workers=workers, progress=progress)
    return write_study(folder, recipe=chosen, pair=pair, key=key, pieces=pieces, store=store)


def _ready(folder: Path, key: str, *, force: bool) -> Path:
    """Return the folder of the pieces; a folder with another study in it is refused unless forced.

    Raises
    ------
    OutputError
        If it holds another study and ``force`` is false.
    """
    place = folder / "pieces" / key
    if not place.is_dir() and (folder / "pieces").is_dir() and not force:
        raise OutputError(
            f"{folder} holds a study of other settings or data; nothing was overwritten; name another "
            "folder, or pass --force (force=True) to replace it"
        )
    place.mkdir(parents=True, exist_ok=True)
    return place
