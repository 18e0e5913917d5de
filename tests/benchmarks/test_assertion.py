"""What the benchmark of assertion counts, and the figures that it must reach on Open-i."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.assertion import confusion, measure, mesh_row, mesh_rows, negex, sentences
from errors import InputError
from kg.graph import KnowledgeGraph
from ontologies.sources.store import member_path
from retrieval import openi


def test_a_code_is_decided_by_the_row_that_fits_best() -> None:
    rows = mesh_rows()
    tortuous, prominent = mesh_row("Aorta/tortuous/mild", rows), mesh_row("Aorta/prominent", rows)
    assert tortuous is not None
    assert "HP:0006687" in tortuous.concepts
    assert prominent is not None
    assert prominent.concepts == ("CHEST:aortic-enlargement",)
    assert mesh_row("Aorta/obscured", rows).concepts == ()  # type: ignore[union-attr]
    assert mesh_row("Nonsense/left", rows) is None


def test_a_sentence_needs_a_letter_for_each_mention(tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("pa\tNo [effusion].\n")
    with pytest.raises(InputError, match="as many letters"):
        sentences(table)


def test_negex_is_denied_or_not(tmp_path: Path, shared_data: Path) -> None:
    rows = [("No fever.", "fever", "Negated"), ("Fever.", "fever", "Negated"), ("Cough.", "fever", "Affirmed")]
    file = tmp_path / "sentences.jsonl"
    file.write_text(
        "\n".join(
            json.dumps({"id": str(i), "text": t, "concept": c, "negation": n}) for i, (t, c, n) in enumerate(rows)
        )
    )
    halves = negex(file)["halves"]
    assert sum(half.get("mentions", 0) for half in halves) == 3
    assert sum(half.get("right", 0) for half in halves) == 1
    assert sum(half.get("not in the sentence", 0) for half in halves) == 1
    with pytest.raises(InputError, match="cannot read"):
        negex(tmp_path / "none")
    for half in negex(shared_data / "notes" / "negex_dev.jsonl")["halves"]:
        assert half["right"] / half["mentions"] >= 0.97


def test_confusion_counts_every_mention() -> None:
    table = confusion(sentences())
    assert sum(n for row in table.values() for n in row.values()) == sum(len(s.spans) for s in sentences())
    assert all(sum(row.values()) > 10 for row in table.values())


def test_the_table_knows_every_code_and_its_concepts_exist(home: Path) -> None:
    rows = mesh_rows()
    graph = KnowledgeGraph.open(home / "graph")
    assert [c for listed in rows.values() for row in listed for c in row.concepts if c not in graph] == []
    reports = openi.read(member_path(home, "openi", "NLMCXR_reports.tgz"))
    codes = {code for report in reports for code in report.abnormal}
    assert len(codes) > 1000
    assert {code for code in codes if mesh_row(code, rows) is None} == set()


def test_openi(home: Path) -> None:
    figures = measure(home)
    assert figures["openi_normal"]["reports"] > 1300
    assert figures["openi_normal"]["asserted_present"] <= 0.03
    assert figures["openi_findings"]["codes"] > 6000
    assert figures["openi_findings"]["present"] >= 0.85
