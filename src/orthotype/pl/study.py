"""All figures of a study from its tables, as svg and png files."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from orthotype._files import written_whole
from orthotype.pl.curves import learning_curves, learning_curves_by_class
from orthotype.pl.embedding import embedding
from orthotype.pl.importance import gene_heatmap, weight_tails
from orthotype.pl.lineage import lineage_errors
from orthotype.pl.reliability import entropy, reliability
from orthotype.pl.similarity import similarity
from orthotype.pl.study_panels import comparison, confusion_table, unlabelled_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]
Drawing = tuple[str, Callable[[], "Figure"]]
CURVES: Final = ("f1", "balanced_accuracy", "accuracy", "precision", "published_balanced_accuracy")
DOTS: Final = 160


def study_figures(tables: Tables) -> Iterator[Drawing]:
    """Yield a name and a way to draw it for every figure that the tables of a study allow."""
    if "source_comparison" in tables:
        yield "source_comparison", partial(comparison, tables["source_comparison"])
    yield from _of_learners(tables)
    if "few_shot_curve" in tables:
        curve = _in_the_order_of_the_study(tables)
        for over in ("all", "all labelled"):
            part = curve[curve["class"] == over]
            metrics = [name for name in CURVES if (part["metric"] == name).any()]
            if metrics:
                name = f"few_shot_curves_{over.replace(' ', '_')}"
                yield name, partial(learning_curves, part, metrics=metrics, over=over)
        yield "few_shot_curves_by_class", partial(learning_curves_by_class, curve)
    if "why_similarity" in tables:
        yield "class_similarity", partial(_similarity, tables)
        if "why_tree" in tables:
            yield "class_tree", partial(_tree, tables)


def write_figures(tables: Tables, folder: str | Path) -> list[Path]:
    """Write every figure of a study as svg and png; the same tables give the same bytes.

    Returns
    -------
    The files written, none if matplotlib is not installed.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        return []
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    files = []
    with rc_context({"svg.hashsalt": "orthotype", "svg.fonttype": "none"}):
        for name, draw in study_figures(tables):
            figure = draw()
            for ending, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
                file = place / f"{name}{ending}"
                with written_whole(file, force=True) as beside:
                    figure.savefig(beside, dpi=DOTS, metadata=metadata, bbox_inches="tight")
                files.append(file)
    return files


def _of_learners(tables: Tables) -> Iterator[Drawing]:
    """Yield the figures that every learner has of its own."""
    for table, name, draw in (
        ("source_confusion", "source_confusion", confusion_table),
        ("transfer_cells", "transfer_entropy", _entropy),
        ("transfer_confusion", "transfer_confusion", confusion_table),
        ("transfer_errors", "transfer_errors", lineage_errors),
        ("transfer_reliability", "transfer_reliability", reliability),
        ("why_expression", "top_genes", gene_heatmap),
        ("why_weights", "weight_tails", weight_tails),
        ("zero_shot_classes", "zero_shot", unlabelled_classes),
    ):
        for learner, part in _by_learner(tables, table):
            yield f"{name}_{learner}", partial(draw, part)
    if "transfer_map" in tables:
        for learner, part in _by_learner(tables, "transfer_cells"):
            known = part[~part["outcome"].isin(["not known", "no source class"])]
            if len(known):
                cells = known.merge(tables["transfer_map"], on="cell", validate="one_to_one")
                drawn = cells[["x", "y"]].assign(
                    label=cells["true"], called=cells["label"], status=cells["outcome"]
                )
                yield f"transfer_map_{learner}", partial(embedding, drawn)


def _in_the_order_of_the_study(tables: Tables) -> pd.DataFrame:
    """Return the points of the curves with the learners in the order in which the study names them."""
    curve = tables["few_shot_curve"]
    if "transfer_calls" not in tables:
        return curve
    order = list(dict.fromkeys(tables["transfer_calls"]["learner"]))
    return curve.sort_values("learner", key=lambda names: names.map(order.index), kind="stable")


def _by_learner(tables: Tables, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    if name in tables:
        for learner, part in tables[name].groupby("learner", sort=False):
            yield str(learner), part.drop(columns="learner").reset_index(drop=True)


def _entropy(cells: pd.DataFrame) -> "Figure":
    named = cells["true"].where(cells["true"].notna(), cells["label"])
    table = pd.DataFrame({"class": named, "entropy": cells["entropy"]})
    return entropy(table.sort_values("class", kind="stable"))


def _similarity(tables: Tables) -> "Figure":
    long = tables["why_similarity"]
    both = (long["row_side"] == "source") & (long["column_side"] == "target")
    wide = long[both].pivot_table(index="row_class", columns="column_class", values="cosine", sort=False)
    return similarity(wide)


def _tree(tables: Tables) -> "Figure":
    """Draw all classes of both species with themselves, in the order of their tree."""
    long, names = tables["why_similarity"], tables["why_leaves"]["name"].astype(str).tolist()
    rows = long["row_side"] + ": " + long["row_class"]
    columns = long["column_side"] + ": " + long["column_class"]
    wide = long.assign(row=rows, column=columns).pivot_table(index="row", columns="column", values="cosine")
    linkage = tables["why_tree"][["left", "right", "height", "leaves"]].to_numpy(dtype=float)
    return similarity(wide.loc[names, names], tree=linkage, row_title="both species", column_title="")
