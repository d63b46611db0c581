"""The second scene of ``orthotype demo``: a bundled model of mouse marrow labels human marrow.

What can be right is said beforehand: the labels that each kind of human cell allows, and the genes that the
cells of each label should show. The model has seen neither these cells nor this reading.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from orthotype._keys import KEY, LABEL, column
from orthotype.cli.console import command_line, table
from orthotype.errors import OrthotypeWarning

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

MODEL: Final = "mouse-marrow"
CELLS: Final = "setty2019-human-marrow-subset"
TYPES: Final = "coarse_type"
PLAIN: Final = "unshifted"  # key of the labels without the species shift taken off
READING: Final = {
    "erythroid": ("erythroid",),
    "erythroid-megakaryocytic progenitor": (
        "megakaryocyte-erythroid progenitor",
        "erythroid",
        "megakaryocyte",
    ),
    "granulocytic progenitor": ("neutrophil", "granulocyte-monocyte progenitor"),
    "monocytic-dendritic progenitor": ("monocyte", "dendritic", "granulocyte-monocyte progenitor"),
    "dendritic": ("dendritic",),
    "stem cell": (),
    "lympho-myeloid progenitor": (),
    "lymphoid progenitor": (),
}
MARKERS: Final = {
    "erythroid": ("KLF1", "HBB"),
    "megakaryocyte-erythroid progenitor": ("GATA1", "GATA2"),
    "megakaryocyte": ("ITGA2B", "PF4"),
    "granulocyte-monocyte progenitor": ("MPO", "CD34"),
    "neutrophil": ("ELANE", "AZU1"),
    "monocyte": ("LYZ", "CSF1R"),
    "dendritic": ("IRF8", "IRF7"),
    "basophil": ("HDC", "MS4A2"),
    "eosinophil": ("EPX", "CLC"),
    "lymphoid": ("NKG7", "CCL5"),
}


@dataclass(frozen=True)
class Scene:
    """What the second scene found.

    Attributes
    ----------
    card
        The card of the model.
    plain, shifted
        What each kind of cell was called as it is, and with the species shift taken off: tables of
        :func:`orthotype.study.reading.calls_by_type`; ``shifted`` has one more column, ``unlike``, the share
        of cells that the default, ``unknown="similarity"``, calls unknown.
    markers_plain, markers
        Marker genes in the cells of each label, as they are and with the shift taken off: tables of
        :func:`orthotype.study.reading.markers_by_label`.
    remark
        What is said of the cells as a whole by the default, "" if nothing.
    """

    card: Mapping[str, Any]
    plain: "pd.DataFrame"
    shifted: "pd.DataFrame"
    markers_plain: "pd.DataFrame"
    markers: "pd.DataFrame"
    remark: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return all tables as plain JSON; what is not defined is null."""
        names = ("plain", "shifted", "markers_plain", "markers")
        frames = {name: getattr(self, name).astype(object) for name in names}
        rows = {name: frame.where(frame.notna(), None).to_dict("records") for name, frame in frames.items()}
        return {"model": MODEL, "cells": CELLS, "remark": self.remark, **rows}


def play(output: Path, *, force: bool) -> Scene:
    """Label the human cells, write cells, tables and report into a folder, and return what was found."""
    from orthotype import datasets
    from orthotype.transfer import load
    from orthotype.transfer.annotated import remember_run

    model, human = load(MODEL), datasets.get(CELLS)
    both = model.annotate(
        human, species="human", alignment="none", unknown="none", n_neighbors=0, key_added=PLAIN
    )
    both = model.annotate(both, species="human", unknown="none")
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", OrthotypeWarning)
        asked = model.annotate(human, species="human")
    for key in (PLAIN, KEY):
        remember_run(both, key_added=key, command=command_line(), files={"model": MODEL, "target": CELLS})
    used = [str(name) for name in model.state_.space.names]
    scene = Scene(
        card=model.card,
        plain=called(both, PLAIN),
        shifted=called(both, KEY).assign(unlike=called(asked, KEY)["unknown"]),
        markers_plain=shown(both, PLAIN, used=used),
        markers=shown(both, KEY, used=used),
        remark=" ".join(str(remark.message) for remark in remarks),
    )
    write_folder(output, scene, both, force=force)
    return scene


def write_folder(output: Path, scene: Scene, both: "AnnData", *, force: bool) -> None:
    """Write the cells with both annotations, the tables and the report."""
    from orthotype.cells.write import write_h5ad, write_table
    from orthotype.report.reading import write_reading
    from orthotype.study.reading import written

    output.mkdir(parents=True, exist_ok=True)
    write_h5ad(both, output / "human_annotated.h5ad", force=force)
    columns = [name for name in both.obs if name.startswith((f"{KEY}_", f"{PLAIN}_"))]
    labels = both.obs[["cluster", TYPES, *columns]]
    write_table(labels.rename_axis("cell"), output / "labels.csv", force=force)
    for name, calls, genes in (
        ("unshifted", scene.plain, scene.markers_plain),
        ("shifted", scene.shifted, scene.markers),
    ):
        told = calls.assign(called=calls["called"].map(written))
        write_table(told.set_index("type"), output / f"types_{name}.csv", force=force)
        write_table(genes.set_index("label"), output / f"markers_{name}.csv", force=force)
    write_reading(
        output / "report.html",
        title="A model of mouse marrow labels human marrow",
        card=scene.card,
        cells=both.uns,
        plain=scene.plain,
        shifted=scene.shifted,
        markers_plain=scene.markers_plain,
        markers=scene.markers,
        command=command_line(),
        force=force,
    )


def called(annotated: "AnnData", key: str) -> "pd.DataFrame":
    """Return what each kind of cell was called by the annotation under a key."""
    from orthotype.study.reading import calls_by_type
    from orthotype.transfer.annotated import read_annotation

    found = read_annotation(annotated, key_added=key)
    return calls_by_type(annotated.obs[TYPES], found.predictions, reading=READING)


def shown(annotated: "AnnData", key: str, *, used: list[str]) -> "pd.DataFrame":
    """Return whether the cells of each label show the marker genes of the label."""
    import numpy as np

    from orthotype.cells.encode import LogNormalize
    from orthotype.study.reading import markers_by_label

    totals = np.asarray(annotated.X.sum(axis=1), dtype=np.float64).ravel()
    return markers_by_label(
        LogNormalize().encode(annotated.X, totals),
        annotated.obs[column(LABEL, key_added=key)],
        markers=MARKERS,
        features=annotated.var_names.tolist(),
        used=used,
    )


def summary(scene: Scene) -> str:
    """Say in a few lines what was done and how far it can be believed."""
    from orthotype.study.reading import fitting_share

    card, known = scene.card, scene.shifted["fits"].notna()
    none = scene.shifted[~known]
    lines = [
        "second scene: mouse marrow to human marrow with the bundled model, no human label used",
        "",
        f"  model         {card['name']}, {card['n_cells']:,} mouse cells of Paul et al. 2015, "
        f"{len(card['classes'])} classes; it has seen no human cell",
        f"  labelled      {scene.shifted['cells'].sum():,} human CD34+ cells of Setty et al. 2019",
        "  checked       against our reading of the authors' clusters by marker genes: coarse, and no truth",
        f"  fits          {fitting_share(scene.plain):.3f} of the {scene.shifted['cells'][known].sum():,} "
        f"cells that have a class, {fitting_share(scene.shifted):.3f} with the species shift taken off",
        "",
        indented(kinds(scene.plain[known], scene.shifted[known])),
        "",
        f"  The model has no class for the other {none['cells'].sum():,} cells. Most get one of its labels:",
        "",
        indented(strangers(none)),
        "",
        "  * by the default of annotate; here every cell is shown with a label (--unknown none)",
        *(
            [
                "",
                *wrap(
                    f"With the default, annotate warns: {scene.remark}.",
                    100,
                    initial_indent="  ",
                    subsequent_indent="  ",
                ),
            ]
            if scene.remark
            else []
        ),
        "",
        "  Marker genes: share of the cells so called in which they were seen / of all others",
        "",
        indented(borne_out(scene)),
    ]
    return "\n".join(lines)


def kinds(plain: "pd.DataFrame", shifted: "pd.DataFrame") -> str:
    """Lay out what the kinds of cells that the model has a class for were called."""
    rows = [
        (after["type"], after["cells"], before["fits"], after["fits"], after["unlike"], first(after))
        for (_, before), (_, after) in zip(plain.iterrows(), shifted.iterrows(), strict=True)
    ]
    return table(
        rows, header=("kind of cell", "cells", "fits", "shifted", "unknown*", "called most, shifted")
    )


def strangers(none: "pd.DataFrame") -> str:
    """Lay out what became of the kinds of cells that the model has no class for."""
    rows = [
        (row["type"], row["cells"], row["confidence"], row["unlike"], first(row))
        for _, row in none.iterrows()
    ]
    return table(rows, header=("kind of cell", "cells", "confidence", "unknown*", "called most, shifted"))


def first(row: "pd.Series[Any]") -> str:
    """Return the label that most cells of a kind got, with its share."""
    name, cells = row["called"][0]
    return f"{name} {cells / row['cells']:.0%}"


def borne_out(scene: Scene) -> str:
    """Lay out whether the cells of each label show its first marker gene, as they are and shifted."""
    plain, shifted = (
        {row["label"]: row for row in frame.drop_duplicates("label").to_dict("records")}
        for frame in (scene.markers_plain, scene.markers)
    )
    rows = [
        (label, genes[0], *shares(plain.get(label)), *shares(shifted.get(label)))
        for label, genes in MARKERS.items()
        if label in plain or label in shifted
    ]
    return table(rows, header=("called", "gene", "cells", "seen in", "shifted", "seen in"))


def shares(row: dict[Any, Any] | None) -> tuple[int | None, str]:
    """Return the cells of a label, and the share of them and of all others that show its gene."""
    if row is None:
        return None, ""
    return row["cells"], f"{row['fraction']:.0%} / {row['fraction_others']:.0%}"


def indented(text: str) -> str:
    """Move a table two columns to the right."""
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
