"""Draw the picture of the README from the bundled data: ``python tools/make_pictures.py``.

The figure is what ``orthotype demo`` measures; run this again when the demo's figures change.
"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

import orthotype as ot
from orthotype.cli.demo import LABELS, SOURCE, TARGET
from orthotype.transfer.annotated import evaluate_annotation

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def main() -> None:
    mouse, human = ot.datasets.get(SOURCE), ot.datasets.get(TARGET)
    model = ot.LabelTransfer().fit(mouse, labels=LABELS, target=human)
    found = evaluate_annotation(model.annotate(human), labels=LABELS, groups="donor")
    mpl.rcParams.update({"svg.hashsalt": "orthotype", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    ot.pl.recall(found, ax=left)
    ot.pl.confusion(found, ax=right)
    figure.savefig(PICTURES / "demo.svg", metadata={"Date": None})
    print(PICTURES / "demo.svg")


if __name__ == "__main__":
    main()
