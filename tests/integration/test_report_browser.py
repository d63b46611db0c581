"""The report in a real browser: no error, no request but the file itself, everything visible and readable."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype.metrics import evaluate
from orthotype.report import report_annotation, write_report

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
SECTIONS = [
    "What went in",
    "Gene coverage",
    "What came out",
    "Confidence",
    "With and without alignment",
    "Beyond the classes",
    "Against the given labels",
    "Confusion",
    "Class by class",
    "Top genes of each class",
    "Which biology transfers",
    "How it was run",
]

# For every element with text of its own: contrast of the text with what lies behind it (WCAG 2).
LOW_CONTRAST = """() => {
  const parse = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const layers = (style) => {
    const found = [parse(style.backgroundColor)];
    const gradient = style.backgroundImage.match(/(?:rgba?|color)\\([^)]*\\)/);
    if (gradient) found.push(parse(gradient[0]));
    return found;
  };
  const behind = (element) => {
    const chain = [];
    for (let node = element; node; node = node.parentElement) chain.unshift(node);
    let colour = [255, 255, 255];
    for (const node of chain) {
      for (const layer of layers(getComputedStyle(node))) colour = over(layer, colour);
    }
    return colour;
  };
  const low = [];
  let checked = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("script, style, title, .hidden")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const below = behind(element);
    const text = over(parse(element instanceof SVGElement ? style.fill : style.color), below);
    const [light, dark] = [luminance(text), luminance(below)].sort((a, b) => b - a);
    checked += 1;
    const ratio = (light + 0.05) / (dark + 0.05);
    const words = element.textContent.trim().slice(0, 30);
    if (ratio < 4.5) low.push(`${element.tagName} ${words} ${ratio.toFixed(2)}`);
  }
  return {checked, low};
}"""


def chromium():
    """Return the Chromium to use, or None."""
    named = os.environ.get("ORTHOTYPE_CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return named or next((path for path in found if path), None)


@pytest.fixture(scope="module")
def browser():
    if chromium() is None:
        pytest.skip(
            "NO CHROMIUM: the report was not opened in a browser; install one or set ORTHOTYPE_CHROMIUM"
        )
    playwright = pytest.importorskip("playwright.sync_api", reason="NO PLAYWRIGHT: pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def bundled(tmp_path_factory) -> Path:
    """The report of the bundled human pancreas, labelled by a model of the bundled mouse pancreas."""
    mouse, human = ot.datasets.get("baron2016-mouse"), ot.datasets.get("baron2016-human")
    column = "cell_ontology_class"
    model = ot.LabelTransfer(alpha=0.01, n_splits=3).fit(mouse, labels=column, species="mouse")
    annotated = model.annotate(human, species="human")
    path = tmp_path_factory.mktemp("report") / "report.html"
    return report_annotation(path, annotated, labels=column, groups="donor")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A report of names that no one would choose: markup, very long ones, very many (simulated labels)."""
    rng = np.random.default_rng(0)
    classes = [f"<b onclick=alert(1)>class & {'very ' * 12}long {i}</b>" for i in range(30)]
    true, labels = (
        rng.choice([*classes, "x" * 90], size=400),
        rng.choice([*classes[:-2], "unknown"], size=400),
    )
    table = pd.DataFrame(
        {
            "label": labels,
            "confidence": rng.random(400),
            "votes": rng.integers(1, 6, 400),
            "status": np.where(labels == "unknown", "unknown", "assigned"),
            "true": true,
        }
    )
    return write_report(
        tmp_path_factory.mktemp("report") / "hostile.html",
        title="</title><script>alert(1)</script>",
        run={"command": "orthotype " + "x" * 400, "source": {"file": "f" * 200}},
        card={"classes": classes, "note": "y" * 300},
        predictions=table,
        coverage={},
        evaluation=evaluate(true, labels, source_classes=classes, n_boot=50),
        genes=pd.DataFrame({"class": classes[0], "gene": ["g" * 80, "h"], "weight": [1.0, 0.5]}),
    )


@pytest.fixture
def opened(browser):
    """Open a report; at the end fail on any message, page error or request but the file itself."""
    contexts, complaints = [], []

    def open_page(path, *, viewport=DESK, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append("a dialog opened"), dialog.dismiss()))
        page.on("requestfailed", lambda request: complaints.append(f"failed request: {request.url}"))
        page.on(
            "request",
            lambda request: (
                complaints.append(f"outside request: {request.url}") if request.url != path.as_uri() else None
            ),
        )
        page.goto(path.as_uri(), wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def test_every_section_is_visible(opened, bundled):
    page = opened(bundled)
    headings = page.locator("h2")
    assert headings.all_inner_texts() == SECTIONS
    for heading in headings.all():
        assert heading.is_visible()
    assert "human cells got one of 12 labels learned from mouse cells" in page.locator(".lead").inner_text()
    for link in page.locator("nav a").all():
        target = page.locator(link.get_attribute("href"))
        assert target.is_visible(), link.inner_text()


def test_tables_are_full_and_drawings_have_a_size(opened, bundled):
    page = opened(bundled)
    tables = page.locator("section table").all()
    assert len(tables) > 15
    for table in tables:
        assert table.locator("tbody tr").count() > 0
        box = table.bounding_box()
        assert box["width"] > 100
        assert box["height"] > 30
    plots = page.locator("svg.plot").all()
    assert len(plots) == 2
    for plot in plots:
        box = plot.bounding_box()
        assert box["width"] > 250
        assert box["height"] > 120
    filled = page.locator("svg.bar rect:not(.track)").evaluate_all(
        "nodes => nodes.filter((node) => node.getBoundingClientRect().width > 1).length"
    )
    assert filled > 100


def test_the_heat_map_colours_what_is_large(opened, bundled):
    page = opened(bundled)
    colour = "node => getComputedStyle(node).backgroundImage"
    full = page.locator(".heat td.hit").last
    empty = page.locator(".heat td.empty").first
    assert full.evaluate(colour) != empty.evaluate(colour)
    assert int(full.inner_text().replace(",", "")) > 100
    assert page.get_by_text("only in the target").is_visible()


def test_a_table_sorts_by_its_heading(opened, bundled):
    page = opened(bundled)
    button = page.locator("#labels th button", has_text="cells").first
    cells = page.locator("#labels tbody tr td:nth-child(2)")

    def numbers():
        return [int(text.replace(",", "")) for text in cells.all_inner_texts()]

    button.click()
    assert numbers() == sorted(numbers(), reverse=True)
    button.focus()
    page.keyboard.press("Enter")
    assert numbers() == sorted(numbers())
    assert page.locator("#labels th[aria-sort='ascending']").count() == 1


@pytest.mark.parametrize("report", ["bundled", "hostile"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_is_never_wider_than_the_screen(opened, request, report, viewport):
    page = opened(request.getfixturevalue(report), viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    overflowing = page.evaluate(
        """() => [...document.querySelectorAll("h1, h2, h3, p, li, dd, figure, .scroll, pre, svg.plot")]
          .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert overflowing == []


def test_wide_tables_scroll_inside_their_frame_on_a_phone(opened, bundled):
    page = opened(bundled, viewport=PHONE)
    frame = page.get_by_role("region", name="Confusion table")
    frame.scroll_into_view_if_needed()
    assert frame.evaluate("node => node.scrollWidth > node.clientWidth")
    assert frame.evaluate("node => { node.scrollLeft = 100; return node.scrollLeft; }") == 100
    name = page.locator(".heat tbody th[scope=row]").first.bounding_box()
    assert name["x"] >= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened, bundled, scheme):
    page = opened(bundled, scheme=scheme)
    found = page.evaluate(LOW_CONTRAST)
    assert found["checked"] > 300
    assert found["low"] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)"
    assert dark == (scheme == "dark")


def test_names_with_markup_are_shown_as_text(opened, hostile):
    page = opened(hostile)
    assert page.locator("h1").inner_text() == "</title><script>alert(1)</script>"
    assert page.locator("section b[onclick]").count() == 0
    page.locator("#labels tbody th").first.click()


def test_print_shows_everything_on_white(opened, bundled, tmp_path):
    page = opened(bundled, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
