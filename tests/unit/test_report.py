"""What the page says, without a browser."""

import re

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError, OutputError
from orthotype.metrics import evaluate
from orthotype.report import write_report

TRUE = ["alpha"] * 5 + ["beta"] * 4 + ["acinar"] * 3
LABEL = ["alpha"] * 5 + ["beta", "beta", "alpha", "no agreement"] + ["unknown", "unknown", "beta"]
COVERAGE = {
    "n_genes": 1000,
    "n_recognised": 900,
    "n_mapped": 700,
    "n_no_ortholog": 150,
    "n_ambiguous": 50,
    "n_unrecognised": 100,
    "n_features": 800,
    "n_features_missing": 100,
    "share_mapped": 0.9,
    "share_no_ortholog": 0.05,
    "share_ambiguous": 0.04,
    "share_unrecognised": 0.01,
    "examples": {"no_ortholog": ["Xist"], "ambiguous": ["Ins1"], "unrecognised": []},
}


def predictions(labels=LABEL):
    status = ["assigned" if name in {"alpha", "beta"} else name for name in labels]
    confidence = np.linspace(0.4, 0.99, len(labels))
    return pd.DataFrame({"label": labels, "confidence": confidence, "votes": 5, "status": status})


def written(path, **changes):
    arguments = {
        "title": "Mouse to human",
        "run": {},
        "card": {},
        "predictions": predictions(),
        "coverage": {},
    } | changes
    return write_report(path, **arguments).read_text(encoding="utf-8")


def text_of(page):
    bare = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).split())


def test_the_least_that_can_be_given_is_enough(tmp_path):
    text = text_of(written(tmp_path / "report.html"))
    assert "9 of 12 cells got one of 2 labels, with a mean confidence of 0.63." in text
    assert "2 fit none of them. On 1 the fold models disagree." in text
    assert "Gene coverage" not in text
    assert "Confusion" not in text
    assert "Top genes" not in text


def test_the_lead_names_species_and_the_score(tmp_path):
    found = evaluate(TRUE, LABEL, source_classes=["alpha", "beta", "delta"])
    text = text_of(
        written(
            tmp_path / "report.html",
            run={"target": {"species": "human"}},
            card={"species": "mouse", "classes": ["alpha", "beta", "delta"]},
            evaluation=found,
        )
    )
    assert "9 of 12 human cells got one of 3 labels learned from mouse cells" in text
    assert "Of the 9 cells whose given label the model knows, 77.8 % got it (95 % interval" in text


def test_no_cell_assigned_has_no_confidence(tmp_path):
    text = text_of(written(tmp_path / "report.html", predictions=predictions(["unknown"] * 4)))
    assert "0 of 4 cells got one of 0 labels." in text


def test_labels_stand_in_order_with_empty_classes_and_reserved_words_last(tmp_path):
    page = written(tmp_path / "report.html", card={"classes": ["alpha", "beta", "delta"]})
    table = page[page.index('id="labels"') :]
    places = [table.index(f'row">{name}<') for name in ("alpha", "beta", "delta", "unknown", "no agreement")]
    assert places == sorted(places)


def test_given_labels_are_told_per_label(tmp_path):
    page = written(tmp_path / "report.html", predictions=predictions().assign(true=TRUE))
    assert "beta 2, acinar 1" in text_of(page)


def test_coverage_shows_every_step_and_what_was_lost(tmp_path):
    target = COVERAGE | {"model_genes": {"n": 60, "n_missing": 2, "missing_top": ["GCG", "SST"]}}
    text = text_of(written(tmp_path / "report.html", coverage={"source": COVERAGE, "target": target}))
    assert "recognised 900 99.0 %" in text
    assert "with an ortholog 700 90.0 %" in text
    assert "no ortholog: 150 genes, 5.0 % of counts most expressed Xist" in text
    assert "Of the 60 genes that the model uses, the target has 58." in text
    assert "The most important of them: GCG, SST." in text


def test_coverage_without_counts_has_no_shares(tmp_path):
    bare = {name: None if name.startswith("share") else value for name, value in COVERAGE.items()}
    assert "with an ortholog 700 \u2013" in text_of(
        written(tmp_path / "report.html", coverage={"target": bare})
    )


def test_the_confusion_table_is_turned_the_right_way(tmp_path):
    found = evaluate(TRUE, LABEL, source_classes=["alpha", "beta", "delta"], n_boot=0)
    page = written(tmp_path / "report.html", evaluation=found)
    assert 'title="beta called alpha: 1 of 4"' in page
    assert 'title="alpha called beta: 0 of 5"' in page
    assert 'title="acinar called unknown: 2 of 3"' in page
    share = re.search(r'style="--share:([\d.]+)" title="acinar called unknown', page)
    assert float(share.group(1)) == pytest.approx(2 / 3, abs=1e-3)
    assert page.index("only in the target") < page.index('title="acinar called')


def test_target_only_classes_are_apart(tmp_path):
    found = evaluate(TRUE, LABEL, source_classes=["alpha", "beta", "delta"], n_boot=0)
    text = text_of(written(tmp_path / "report.html", evaluation=found))
    assert "acinar 3 66.7 % 0 % 33.3 % beta (1)" in text
    assert "Classes of the model that no given label names: delta." in text


def test_top_genes_come_by_weight_and_at_most_ten(tmp_path):
    genes = pd.DataFrame(
        {"class": "alpha", "gene": [f"G{i}" for i in range(12)], "weight": np.arange(12) / 10}
    )
    text = text_of(written(tmp_path / "report.html", genes=genes))
    assert "alpha gene weight G11 1.100 G10 1.000" in text
    assert "G1 0.100" not in text
    means = genes.assign(source_mean=1.0, target_mean=[None, *np.ones(11)])
    assert "source target" in text_of(written(tmp_path / "report.html", genes=means, force=True))


def test_how_it_was_run_repeats_the_command_and_the_card(tmp_path):
    run = {
        "command": "orthotype annotate human.h5ad --model m.safetensors",
        "created": "2026-11-01",
        "seed": 7,
        "model_hash": "abc123",
        "versions": {"numpy": "2.4.6"},
        "parameters": {"alignment": "shift"},
    }
    text = text_of(written(tmp_path / "report.html", run=run, card={"encoder": {"kind": "log_normalize"}}))
    for words in (run["command"], "seed 7", "model hash abc123", "numpy 2.4.6", "alignment shift"):
        assert words in text
    assert "encoder: kind log_normalize" in text


def test_hostile_names_stay_text(tmp_path):
    hostile = '<img src=x onerror="alert(1)">'
    table = predictions().replace({"label": {"alpha": hostile}})
    found = evaluate(TRUE, LABEL, source_classes=["alpha", "beta"], n_boot=0)
    page = written(
        tmp_path / "report.html",
        title=hostile,
        predictions=table,
        run={"command": hostile},
        card={"classes": [hostile], "note": hostile},
        evaluation=found,
        genes=pd.DataFrame({"class": [hostile], "gene": [hostile], "weight": [1.0]}),
        coverage={"source": COVERAGE | {"examples": {"no_ortholog": [hostile]}}},
    )
    assert "<img" not in page
    assert "&lt;img" in page


def test_the_file_refers_to_nothing_outside(tmp_path):
    found = evaluate(TRUE, LABEL, source_classes=["alpha", "beta"])
    page = written(tmp_path / "report.html", evaluation=found, coverage={"source": COVERAGE})
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link (?!rel=\"icon\" href=\"data:,\")", page)
    assert not re.search(r"<script [^>]*src", page)


def test_all_problems_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError) as caught:
        written(
            tmp_path / "report.html",
            predictions=pd.DataFrame({"label": []}),
            genes=pd.DataFrame({"gene": ["G"]}),
        )
    assert len(caught.value.problems) == 3
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        written(path)
    assert path.read_text() == "mine"
    assert "<html" in written(path, force=True)
