"""Published cases are read as written; simulated patients are like their disease."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from errors import InputError
from fusion.patients import PatientSimulator, in_validation, read_cases, to_case
from fusion.workup import WorkupRoom

ROW = {
    "id": "A",
    "disease_id": "OMIM:1",
    "observed": ["HP:1", "HP:404"],
    "excluded": ["HP:2"],
    "sex": "FEMALE",
    "age": "P3Y6M",
    "pmid": "PMID:1",
}


def test_a_row_becomes_a_case(tmp_path: Path, room: WorkupRoom) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n")
    (published,) = read_cases(path)
    assert (published.age, published.sex, published.pmid) == (3.5, "F", "PMID:1")
    case, unknown = to_case(published, room.graph)
    assert [(o.curie, o.presence) for o in case.observed] == [("HP:1", "present"), ("HP:2", "absent")]
    assert unknown == ("HP:404",)


def test_a_phenopacket_says_the_same_as_its_row(tmp_path: Path) -> None:
    packet = {
        "id": "A",
        "subject": {"sex": "FEMALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P3Y6M"}}},
        "phenotypicFeatures": [
            {"type": {"id": "HP:1"}},
            {"type": {"id": "HP:404"}},
            {"type": {"id": "HP:2"}, "excluded": True},
        ],
        "interpretations": [{"diagnosis": {"disease": {"id": "OMIM:1"}}}],
        "metaData": {"externalReferences": [{"id": "PMID:1"}]},
    }
    (tmp_path / "packets").mkdir()
    (tmp_path / "packets" / "a.json").write_text(json.dumps(packet))
    (tmp_path / "cases.jsonl").write_text(json.dumps(ROW))
    assert list(read_cases(tmp_path / "packets")) == list(read_cases(tmp_path / "cases.jsonl"))


def test_the_samples_of_ga4gh_can_be_read(shared_data: Path) -> None:
    cases = list(read_cases(shared_data / "phenopackets" / "ga4gh_samples"))
    assert cases
    assert all(c.observed and c.disease for c in cases)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no cases"), ("{not json}", r"cases\.jsonl:1"), ('{"id": "A"}', r"cases\.jsonl:1")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_cases(path))
    with pytest.raises(InputError, match="no such cases file"):
        list(read_cases(tmp_path / "nowhere"))


def test_one_disease_in_five_validates() -> None:
    share = np.mean([in_validation(f"OMIM:{i}") for i in range(5000)])
    assert 0.18 < share < 0.22


def test_simulated_patients_show_findings_as_often_as_annotated(room: WorkupRoom) -> None:
    simulator = PatientSimulator(room.likelihood)
    row = int(np.flatnonzero(room.likelihood.annotations.disease == room.graph.node("OMIM:2"))[0])
    drawn = [simulator.draw(row, np.random.default_rng(i), others=np.array([row])) for i in range(400)]
    share = np.mean([any(o.curie == "HP:4" and o.presence == "present" for o in c.observed) for c in drawn])
    # .6 by annotation; more by noise (from this disease only, here) and because a patient shows something
    assert 0.6 < share < 0.85


def test_the_same_seed_draws_the_same_patient(room: WorkupRoom) -> None:
    simulator = PatientSimulator(room.likelihood)
    one, other = (simulator.draw(0, np.random.default_rng(5)) for _ in range(2))
    assert one == other


def test_a_detectors_words_follow_its_odds(room: WorkupRoom) -> None:
    node = room.graph.node("HP:3")
    regions = np.ones((2, 8), np.float32)
    simulator = PatientSimulator(room.likelihood, {node: regions})
    shown = [simulator.detect(node, True, np.random.default_rng(i)) for i in range(300)]
    hidden = [simulator.detect(node, False, np.random.default_rng(i)) for i in range(300)]
    pairs = [(a.odds_ratio or 0) > (b.odds_ratio or 0) for a in shown for b in hidden]
    assert 0.75 < np.mean(pairs) < 0.85, "AUROC of the simulated detector"
    for o in shown + hidden:
        assert (o.presence == "present") == ((o.odds_ratio or 0) > np.e)
        assert (o.region is not None) == (o.presence == "present")
