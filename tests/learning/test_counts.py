"""The local setting makes what is common here likelier, and is learnt from a table or from feedback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from fusion.local import LocalPrior
from home import open_graph
from indexes import versions
from kg.graph import KnowledgeGraph
from learning import counts
from records.feedback import Feedback, Named

Whydx = Callable[..., Any]
SARCOIDOSIS, PNEUMONIA, TUBERCULOSIS = "sarcoidosis", "pneumonia", "pulmonary tuberculosis"


@pytest.fixture(scope="module")
def graph(home: Path) -> KnowledgeGraph:
    return open_graph(home)


def entry(graph: KnowledgeGraph, number: int, first: str, right: str, p: float, p_right: float) -> Feedback:
    named = [Named(curie=graph.find(name), name=name) for name in (first, right)]
    accepted = first == right
    return Feedback(
        day="2026-11-01",
        report=str(number),
        verdict="accepted" if accepted else "corrected",
        first=named[0],
        probability=p,
        correct=None if accepted else named[1],
        correct_rank=None if accepted else 2,
        correct_probability=None if accepted else p_right,
    ).identified()


def test_what_is_counted_moves_and_a_kind_counts_for_what_it_is_a_kind_of(graph: KnowledgeGraph) -> None:
    curies = [graph.find(name) for name in (SARCOIDOSIS, PNEUMONIA, "bacterial pneumonia")]
    nodes = np.array([graph.node(c) for c in curies])
    rare = LocalPrior(counts={curies[0]: 50, curies[2]: 50}).ratio(graph, nodes)
    assert rare[0] > 1  # far commoner here than elsewhere
    assert rare[2] > 0
    none = LocalPrior(counts={}).ratio(graph, nodes)
    assert none == pytest.approx([0, 0, 0])
    only = LocalPrior(counts={curies[0]: 400}).ratio(graph, nodes)
    assert only[1] < 0 < only[0]
    assert LocalPrior(counts={curies[0]: 50, "NO:1": 9}).ratio(graph, nodes)[0] > 1  # an unknown one is left out


def test_feedback_that_says_the_same_helps_and_the_opposite_is_refused(graph: KnowledgeGraph, tmp_path: Path) -> None:
    says = [entry(graph, i, PNEUMONIA, SARCOIDOSIS, 0.5, 0.1) for i in range(30)]
    found = counts.of_feedback(says, graph)
    assert found.n == 30
    assert found.likelihood is not None
    assert found.likelihood[1] > found.likelihood[0] + 0.1
    assert counts.keep(tmp_path, found) == 1
    worse = replace(found, likelihood=(-1.0, -1.2))
    with pytest.raises(ArtifactError, match="worse and is not kept"):
        counts.keep(tmp_path, worse)
    assert versions.used(tmp_path / "local")[-1] == 1


def test_an_entry_is_not_judged_by_itself(graph: KnowledgeGraph) -> None:
    """Each disease once: what is learnt of one entry says nothing of the others."""
    names = [SARCOIDOSIS, TUBERCULOSIS, "asthma", "pulmonary embolism", "lung abscess"] * 4
    alone = [entry(graph, i, PNEUMONIA, names[i], 0.4, 0.2) for i in range(20)]
    whole = counts.of_feedback(alone, graph)
    once = [replace(e, id=str(i)) for i, e in enumerate(alone[:5])]
    with pytest.raises(InputError, match="too few confirmed"):
        counts.of_feedback(once, graph)
    assert whole.likelihood is not None
    prior = LocalPrior(counts={graph.find(SARCOIDOSIS): 1, graph.find(PNEUMONIA): 19})
    before, after = counts._likelihood(alone[0], graph.find(SARCOIDOSIS), prior, graph)
    assert after < before  # left out, nothing speaks for it


def test_a_table_of_counts_is_read_and_a_wrong_one_named(graph: KnowledgeGraph, tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    table.write_text(f"disease,count\n{SARCOIDOSIS},30\n{PNEUMONIA},60\nno such disease,5\n", encoding="utf-8")
    found = counts.of_table(table, graph)
    assert found.prior.total == 90
    assert found.left_out == ("no such disease",)
    table.write_text(f"disease,count\n{SARCOIDOSIS},many\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"counts.csv, line 2: not a count"):
        counts.of_table(table, graph)
    table.write_text("name,n\n", encoding="utf-8")
    with pytest.raises(InputError, match="no table of counts"):
        counts.of_table(table, graph)


def test_diagnose_in_a_setting_that_is_not_learnt_is_refused(whydx: Whydx, home: Path) -> None:
    ran = whydx("diagnose", "--note", "fever and cough", "--setting", "local", "--home", home)
    assert (ran.status, ran.out) == (1, "")
    assert "this home has learnt no setting" in ran.err
    assert "whydx adapt --counts FILE" in ran.err


def test_the_local_setting_changes_a_diagnosis(home: Path, graph: KnowledgeGraph) -> None:
    """The room alone: what ``--setting local`` does to the scores."""
    from fusion.prior import bedside
    from fusion.workup import Case, Observed, WorkupRoom

    evidence, persons = bedside(graph)
    curie = graph.find(SARCOIDOSIS)
    moved = LocalPrior(counts={curie: 200}).ratio(graph, evidence.annotations.disease)
    room = WorkupRoom(graph, evidence, persons, moved)
    case = Case(observed=(Observed(curie=graph.find("cough"), presence="present"),))
    ranks = [
        [graph.curie(int(room.disease[row])) for row in room.order(replace(case, setting=setting))[0]].index(curie)
        for setting in ("neutral", "local")
    ]
    assert ranks[1] < ranks[0]
