"""The report and the figures of a study: every section answers, in a real browser too."""

import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from orthotype.pl.study import study_figures, write_figures
from orthotype.report.study import report_study
from orthotype.study import Columns, preset, run

LABELS = "cell_ontology_class"
QUESTIONS = [
    "1. Is a linear model as good as a neural network?",
    "2. How well does it transfer, and where does it fail?",
    "3. Which genes carry it?",
    "4. How few labelled target cells are enough?",
    "5. Which types can be found that nobody labelled?",
    "How it was made",
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def study(tmp_path_factory, small_mouse, small_human):
    """Give a finished small study, with both learners where torch is installed."""
    recipe = replace(
        preset("quick"),
        networks="stumpf2020",
        n_top_genes=120,
        n_folds=2,
        shots=(0, 2),
        repeats=2,
        train_cells=4,
        validate_cells=1,
        n_important=20,
        n_components=4,
        zero_shot_cells=2,
    )
    columns = Columns(LABELS, LABELS, target_groups="donor")
    return run(
        small_mouse,
        target=small_human,
        columns=columns,
        recipe=recipe,
        output=tmp_path_factory.mktemp("study") / "it",
    )


@pytest.fixture(scope="module")
def page(study):
    return report_study(study.folder / "report.html", study)


def test_the_report_is_one_file_that_says_the_answers(study, page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)
    for answer in study.answers:
        assert re.sub(r"[<>&'\"].*", "", answer.text) in text
        assert f'id="{answer.key}"' in text


def test_the_same_study_gives_the_same_report(study, page, tmp_path):
    again = report_study(tmp_path / "again.html", study)
    assert again.read_bytes() == page.read_bytes()


def test_without_target_labels_the_report_stands(tmp_path, small_mouse, small_human):
    blind = small_human[:100].copy()
    del blind.obs[LABELS]
    recipe = replace(preset("quick"), learners=("mlr",), n_top_genes=80, n_folds=2, n_components=3)
    found = run(small_mouse, target=blind, columns=Columns(LABELS), recipe=recipe, output=tmp_path / "blind")
    text = report_study(tmp_path / "report.html", found).read_text(encoding="utf-8")
    assert "Labels given, linear model" in text
    assert "Not measured: no target label was given." in text
    names = [name for name, _ in study_figures(found.tables)]
    assert "top_genes_mlr" in names
    assert not [name for name in names if name.startswith(("few_shot", "transfer_map"))]


def test_figures_are_svg_and_png_and_alike_every_time(study, tmp_path):
    one = write_figures(study.tables, tmp_path / "one")
    assert {path.suffix for path in one} == {".svg", ".png"}
    names = ("few_shot_curve", "transfer_calls", "why_similarity", "transfer_errors")
    few = {name: study.tables[name] for name in names}
    for path in write_figures(few, tmp_path / "two"):
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
    names = {path.stem for path in one}
    wanted = {"few_shot_curves_all", "few_shot_curves_by_class", "class_similarity", "transfer_map_mlr"}
    assert wanted | {"top_genes_mlr", "weight_tails_mlr", "transfer_errors_mlr"} <= names


# ---- in a browser


@pytest.fixture(scope="module")
def browser():
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    path = os.environ.get("ORTHOTYPE_CHROMIUM") or next((path for path in found if path), None)
    if path is None:
        pytest.skip("NO CHROMIUM: the study's report was not opened in a browser; set ORTHOTYPE_CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="NO PLAYWRIGHT: pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, page):
    """Open the report; at the end fail on any message, error or request but the file itself."""
    contexts, complaints = [], []

    def open_page(*, viewport=DESK, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        tab.on(
            "request",
            lambda request: complaints.append(request.url) if request.url != page.as_uri() else None,
        )
        tab.goto(page.as_uri(), wait_until="load")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.mark.browser
def test_every_question_has_its_section(opened):
    tab = opened()
    assert tab.locator("h2").all_inner_texts() == QUESTIONS
    assert all(heading.is_visible() for heading in tab.locator("h2").all())
    assert tab.locator(".answer").count() == 5
    for link in tab.locator(".five a").all():
        assert tab.locator(link.get_attribute("href")).is_visible()


@pytest.mark.browser
def test_drawings_have_a_size_and_every_table_rows(opened):
    tab = opened()
    tab.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    plots = tab.locator("svg.plot").all()
    assert len(plots) >= 12
    for plot in plots:
        box = plot.bounding_box()
        assert box["width"] > 180, plot.get_attribute("aria-label")
        assert box["height"] > 60
    for table in tab.locator("section table").all():
        assert table.locator("tbody tr").count() > 0
    dots = tab.locator(".maps path.dots").evaluate_all(
        "nodes => nodes.map((node) => node.getBBox().width).filter((width) => width > 20).length"
    )
    assert dots >= 3
    colour = "node => getComputedStyle(node).backgroundImage"
    assert tab.locator(".heat.genes td.above").first.evaluate(colour) != tab.locator(
        ".heat.genes td.below"
    ).first.evaluate(colour)


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_is_never_wider_than_the_screen(opened, viewport):
    tab = opened(viewport=viewport)
    tab.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.browser
def test_dark_and_print(opened, tmp_path):
    tab = opened(scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)"
    light = opened().evaluate("getComputedStyle(document.body).backgroundColor")
    assert light == "rgb(253, 253, 251)"
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000


def test_the_confusion_on_the_page_is_that_of_the_cells(study, page):
    text = page.read_text(encoding="utf-8")
    cells = study.tables["transfer_cells"]
    mine = cells[cells["learner"] == "mlr"]
    for (true, called), number in mine.groupby(["true", "label"]).size().items():
        assert f"{true} called {called}: {number:,} of {(mine['true'] == true).sum():,}" in text
    assert np.isfinite(study.tables["transfer_map"][["x", "y"]].to_numpy()).all()
