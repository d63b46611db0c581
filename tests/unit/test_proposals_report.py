"""The section of the report on proposed types and rolled-up labels."""

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import orthotype as ot
from orthotype.report.page import page
from orthotype.report.proposals import proposals, rolled_up
from orthotype.transfer.annotated import read_annotation

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture(scope="module")
def annotated(small_model: ot.LabelTransfer, small_human: "AnnData") -> "AnnData":
    return small_model.annotate(small_human)


def test_groups_and_parents_are_on_the_page(annotated: "AnnData") -> None:
    found = read_annotation(annotated)
    details = found.details | {"proposals": ot.propose_types(annotated).to_records()}
    section = proposals(json.loads(json.dumps(details)), found.predictions, ot.roll_up(annotated, level=0.99))
    assert section is not None
    html = page("proposals.html", proposals=section)
    for words in ("unknown 1", "CTRB1", "pancreatic endocrine cell", "lie together in groups"):
        assert words in html
    assert "does. For" in html or section["parents"]["undecided"] == "0"
    rows = section["parents"]["rows"]
    shown = sum(int(row["cells"].replace(",", "")) for row in rows)
    assert shown == int(section["parents"]["cells"].replace(",", ""))


def test_cells_in_no_group_are_counted(annotated: "AnnData") -> None:
    found = read_annotation(annotated)
    records = ot.propose_types(annotated).to_records()[:1]
    section = proposals({"proposals": records}, found.predictions, None)
    assert section is not None
    unknown = int((found.predictions["status"] == "unknown").sum())
    assert section["left"] == str(unknown - records[0]["cells"])
    assert section["parents"] is None


def test_there_is_no_section_without_anything_to_say(annotated: "AnnData") -> None:
    predictions = pd.DataFrame({"status": ["assigned"]})
    assert proposals({}, predictions, None) is None
    table = ot.roll_up(annotated)
    assert proposals({}, predictions, table[table["status"] == "assigned"]) is None


def test_markup_in_names_is_escaped() -> None:
    group = {
        "group": "unknown 1",
        "cells": 7,
        "nearest": "<b>beta</b>",
        "share_nearest": 0.5,
        "likeness": None,
        "likeness_own": None,
        "likeness_next": None,
        "probably": "",
        "coherence": 0.9,
        "markers": "",
    }
    section = proposals({"proposals": [group]}, pd.DataFrame({"status": ["unknown"] * 7}), None)
    html = page("proposals.html", proposals=section)
    assert "&lt;b&gt;beta" in html
    assert "<b>beta" not in html


def test_without_ontology_ids_nothing_is_rolled_up(annotated: "AnnData") -> None:
    bare = annotated.copy()
    details = json.loads(bare.uns["orthotype"]["details"])
    details["card"]["class_ontology_term_ids"] = {}
    bare.uns["orthotype"] = {**bare.uns["orthotype"], "details": json.dumps(details)}
    assert rolled_up(bare) is None
    assert rolled_up(annotated) is not None
