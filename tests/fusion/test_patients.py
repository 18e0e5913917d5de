"""Published cases are read as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errors import InputError
from fusion.patients import in_validation, read_cases, to_case
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


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, codec: str) -> None:
    packet = {"id": "Ä", "phenotypicFeatures": [{"type": {"id": "HP:1"}}], "diseases": [{"term": {"id": "OMIM:1"}}]}
    (tmp_path / "packets").mkdir()
    (tmp_path / "packets" / "a.json").write_bytes(json.dumps(packet, ensure_ascii=False).encode(codec))
    (found,) = read_cases(tmp_path / "packets")
    assert (found.case_id, found.observed) == ("Ä", ("HP:1",))
    if codec == "utf-8-sig":
        (tmp_path / "cases.jsonl").write_bytes(json.dumps(ROW).encode(codec) + b"\n")
        assert [case.case_id for case in read_cases(tmp_path / "cases.jsonl")] == ["A"]


def test_what_is_not_utf_8_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "packets").mkdir()
    (tmp_path / "packets" / "a.json").write_bytes('{"id": "Ä"}'.encode("latin-1"))
    (tmp_path / "cases.jsonl").write_bytes('{"id": "Ä"}'.encode("latin-1"))
    for path, message in (("packets", "not a phenopacket"), ("cases.jsonl", "not a JSON line: 'cases.jsonl:1'")):
        with pytest.raises(InputError, match=message):
            list(read_cases(tmp_path / path))


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
    share = sum(in_validation(f"OMIM:{i}") for i in range(5000)) / 5000
    assert 0.18 < share < 0.22


def test_a_phenopacket_of_schema_1_and_in_snake_case(tmp_path: Path) -> None:
    old = {
        "id": "A",
        "subject": {"sex": "FEMALE", "ageAtCollection": {"age": "P3Y6M"}},
        "phenotypicFeatures": [
            {"type": {"id": "HP:1"}},
            {"type": {"id": "HP:404"}},
            {"type": {"id": "HP:2"}, "negated": True},
        ],
        "diseases": [{"term": {"id": "OMIM:1"}}],
        "metaData": {"externalReferences": [{"id": "PMID:1"}]},
    }
    snake = json.loads(
        json.dumps(old)
        .replace("phenotypicFeatures", "phenotypic_features")
        .replace("ageAtCollection", "age_at_collection")
        .replace("metaData", "meta_data")
        .replace("externalReferences", "external_references")
    )
    (tmp_path / "cases.jsonl").write_text(json.dumps(ROW))
    for name, packet in (("old", old), ("snake", snake)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text(json.dumps(packet))
        assert list(read_cases(tmp_path / name)) == list(read_cases(tmp_path / "cases.jsonl"))


def test_ids_of_a_case_in_other_spellings(tmp_path: Path, room: WorkupRoom) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(ROW | {"observed": ["hp:1", "HP_404", "fever"], "excluded": ["HP_2 a name"]}))
    case, unknown = to_case(next(read_cases(path)), room.graph)
    assert [(o.curie, o.presence) for o in case.observed] == [("HP:1", "present"), ("HP:2", "absent")]
    assert unknown == ("HP_404", "fever")
