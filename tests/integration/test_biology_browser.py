"""The sections on alignment and biology in a real browser: whole, readable, within the screen."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import orthotype as ot
from orthotype.report import report_annotation

if TYPE_CHECKING:
    from anndata import AnnData

pytestmark = pytest.mark.browser


def _report_tests() -> Any:
    spec = spec_from_file_location("report_browser", Path(__file__).with_name("test_report_browser.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHARED = _report_tests()
browser, opened = SHARED.browser, SHARED.opened


@pytest.fixture(scope="module")
def page_file(
    tmp_path_factory: pytest.TempPathFactory, small_model: ot.LabelTransfer, small_human: "AnnData"
) -> Path:
    """Give the report of human cells labelled by a mouse model."""
    annotated = small_model.annotate(small_human, alignment="shift", unknown="similarity")
    return report_annotation(tmp_path_factory.mktemp("report") / "report.html", annotated)


def test_both_sections_are_visible_and_linked(opened: Any, page_file: Path) -> None:
    page = opened(page_file)
    for name, heading in (
        ("alignment", "With and without alignment"),
        ("biology", "Which biology transfers"),
    ):
        assert page.locator(f"#{name} h2").inner_text() == heading
        assert page.locator(f"#{name}").is_visible()
        assert page.locator(f"nav a[href='#{name}']").count() == 1


def test_tables_are_full_and_bars_are_drawn(opened: Any, page_file: Path) -> None:
    page = opened(page_file)
    for table in page.locator("#alignment table, #biology table").all():
        assert table.locator("tbody tr").count() > 0
    for section in ("#alignment", "#biology"):
        filled = page.locator(f"{section} svg.bar rect:not(.track)").evaluate_all(
            "nodes => nodes.filter((node) => node.getBoundingClientRect().width > 1).length"
        )
        assert filled > 10
    assert "GCG" in page.locator("#carried").inner_text()


def test_every_class_with_cells_has_a_card_of_markers(opened: Any, page_file: Path) -> None:
    page = opened(page_file)
    cards = page.locator("#biology .card")
    assert cards.locator("h4").all_inner_texts() == sorted(cards.locator("h4").all_inner_texts())
    ductal = cards.filter(has_text="pancreatic ductal cell")
    lost = ductal.locator("div", has=page.locator("dt", has_text="lost")).locator("dd")
    assert "CLU" in lost.last.inner_text()
    assert "mean" in ductal.locator("em").first.get_attribute("title")


def test_a_table_of_classes_sorts_by_its_heading(opened: Any, page_file: Path) -> None:
    page = opened(page_file)
    page.locator("#aligned-classes th button", has_text="support").click()
    told = page.locator("#aligned-classes tbody tr td:nth-child(5)").all_inner_texts()
    numbers = [float(text) for text in told if text != "\u2013"]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("viewport", [SHARED.PHONE, SHARED.DESK], ids=["phone", "desk"])
def test_nothing_leaves_the_screen(opened: Any, page_file: Path, viewport: dict[str, int]) -> None:
    page = opened(page_file, viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    outside = page.evaluate(
        """() => [...document.querySelectorAll("#alignment *, #biology *")]
          .filter((node) => !node.closest(".scroll, svg, .hidden"))
          .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(opened: Any, page_file: Path, scheme: str) -> None:
    found = opened(page_file, scheme=scheme).evaluate(SHARED.LOW_CONTRAST)
    assert found["checked"] > 200
    assert found["low"] == []
