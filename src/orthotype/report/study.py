"""The report of a study: one self-contained HTML file whose five sections are the five questions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthotype._files import written_whole
from orthotype.report.inputs import what_went_in
from orthotype.report.page import page
from orthotype.report.study_few_shot import few_shot_section
from orthotype.report.study_source import source_section
from orthotype.report.study_transfer import transfer_section
from orthotype.report.study_why import why_section
from orthotype.report.study_zero_shot import zero_shot_section
from orthotype.report.words import count, plain, spaced
from orthotype.study.folder import Study

SIDE = ("species", "cells", "genes", "gene_names", "counts", "labels")


def report_study(path: str | Path, study: Study, *, title: str | None = None, force: bool = False) -> Path:
    """Write the report of a finished study as one HTML file.

    The file needs no network and nothing beside it; it prints, and follows light and dark. The same study
    gives the same bytes.

    Parameters
    ----------
    path
        File to write, whole or not at all.
    study
        What :func:`orthotype.study.run` or :func:`orthotype.study.read_study` returned.
    title
        Heading; by default the two species.
    force
        Overwrite an existing file.

    Raises
    ------
    OutputError
        If the place cannot be written, or holds a file and ``force`` is false.
    """
    tables, record = study.tables, study.record
    text = page(
        "study.html",
        title=title or _title(record),
        lead=_lead(record),
        answers=study.answers,
        by_key={answer.key: answer for answer in study.answers},
        notes=[*record.get("notes", []), *record.get("matches", [])],
        source=source_section(tables, record),
        transfer=transfer_section(tables, record),
        why=why_section(tables, record),
        few_shot=few_shot_section(tables, record),
        zero_shot=zero_shot_section(tables, record),
        went_in=_went_in(record),
        run=_run(record),
    )
    with written_whole(path, force=force) as beside:
        beside.write_text(text, encoding="utf-8")
    return Path(path)


def _title(record: Mapping[str, Any]) -> str:
    return f"{record['source']['species']} teaches, {record['target']['species']} is labelled".capitalize()


def _lead(record: Mapping[str, Any]) -> str:
    source, target = record["source"], record["target"]
    shared = (
        f", {len(record['shared'])} of them among the labels of the target" if record["has_truth"] else ""
    )
    return (
        f"{count(source['cells'])} labelled {source['species']} cells of {len(record['classes'])} classes"
        f"{shared}; {count(target['cells'])} {target['species']} cells; {count(record['n_features'])} "
        f"variable genes with orthologs. Preset {record['recipe']['name']}."
    )


def _went_in(record: Mapping[str, Any]) -> list[dict[str, str]]:
    sides = {side: {key: record[side].get(key) for key in (*SIDE, "groups")} for side in ("source", "target")}
    return what_went_in({**sides, "files": {}}, {})


def _run(record: Mapping[str, Any]) -> dict[str, Any]:
    facts = [(spaced(name), plain(value, most=20)) for name, value in record["recipe"].items()]
    facts += [
        ("orthotype", record["orthotype_version"]),
        ("study key", record["key"]),
        ("data sha256", record["data_sha256"][:16]),
    ]
    return {"facts": facts, "versions": [(name, plain(value)) for name, value in record["versions"].items()]}
