"""CDS Hooks 2.0: the card is what the specification says, resources are read, and what came of cards is feedback."""

from __future__ import annotations

import base64
import json
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, StringConstraints, model_validator

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from starlette.testclient import TestClient

from commands.serve import cds
from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence
from ontologies.concept import Concept
from records.feedback import kept
from reports.json import dumps

PATH = "/cds-services/whydx"
HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://evil.example) www.evil.example"


class Strict(BaseModel):
    """An object of the specification: nothing that it does not name."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Coding(Strict):
    code: Annotated[str, StringConstraints(min_length=1)]
    system: str | None = None
    display: str | None = None


class Source(Strict):
    label: Annotated[str, StringConstraints(min_length=1)]
    url: AnyUrl | None = None
    icon: AnyUrl | None = None
    topic: Coding | None = None


class Action(Strict):
    type: Literal["create", "update", "delete"]
    description: str
    resource: dict[str, Any] | None = None
    resourceId: str | None = None


class Suggestion(Strict):
    label: Annotated[str, StringConstraints(min_length=1)]
    uuid: UUID | None = None
    isRecommended: bool | None = None
    actions: list[Action] | None = None


class Link(Strict):
    label: str
    url: AnyUrl
    type: Literal["absolute", "smart"]
    appContext: str | None = None


class Card(Strict):
    uuid: UUID | None = None
    summary: Annotated[str, StringConstraints(min_length=1, max_length=139)]
    detail: str | None = None
    indicator: Literal["info", "warning", "critical"]
    source: Source
    suggestions: list[Suggestion] | None = None
    selectionBehavior: Literal["at-most-one", "any"] | None = None
    overrideReasons: list[Coding] | None = None
    links: list[Link] | None = None

    @model_validator(mode="after")
    def rules(self) -> Card:
        assert not self.suggestions or self.selectionBehavior, "suggestions need selectionBehavior"
        assert all(reason.display for reason in self.overrideReasons or ()), "each reason needs a display"
        recommended = [s for s in self.suggestions or () if s.isRecommended]
        assert len(recommended) <= 1 or self.selectionBehavior == "any", "at most one is recommended"
        return self


class Response(Strict):
    cards: list[Card]
    systemActions: list[Action] | None = None


class Service(Strict):
    hook: str
    title: str | None = None
    description: str
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$")]
    prefetch: dict[str, str] | None = None
    usageRequirements: str | None = None


class Services(Strict):
    services: Annotated[list[Service], Field(min_length=1)]


class Flat:
    """A graph in which nothing is a kind of another."""

    def ancestors(self, curie: str) -> frozenset[str]:
        return frozenset({curie})


def report(*names: str, abstention: str | None = None) -> DiagnosticReport:
    evidence = (Evidence(kind="finding", reference="X:9", text=HOSTILE, stance="supports", weight=1.0),)
    return DiagnosticReport(
        findings=(),
        diagnoses=tuple(
            Diagnosis(
                concept=Concept(curie=f"X:{n}", name=name), probability=0.5 / n, rank=n, score=1.0, evidence=evidence
            )
            for n, name in enumerate(names, 1)
        ),
        none_of_these=0.1,
        abstention=abstention,
        warnings=(HOSTILE,),
    )


def called(**prefetch: Any) -> dict[str, Any]:
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": "http://169.254.169.254/fhir",
        "fhirAuthorization": {"access_token": "secret", "token_type": "Bearer"},
        "context": {"userId": "Practitioner/1", "patientId": "77441"},
        "prefetch": prefetch,
    }


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources]}


FEVER = {"resourceType": "Condition", "code": {"text": "Fever"}}
COUGH = {"resourceType": "Condition", "code": {"coding": [{"display": "Productive cough"}]}}


@pytest.mark.parametrize(
    "case",
    [
        report("Pneumonia"),
        report(*(f"Disease {n} of a name that is rather long, in both lungs" for n in range(9))),
        report("A disease " + "of a name without end " * 20),
        report("Pneumonia", abstention="14 of 21 diagnoses cannot be ruled out at 90 % coverage " * 9),
        report(HOSTILE),
        report(),
    ],
)
def test_a_card_is_what_the_specification_says(case: DiagnosticReport) -> None:
    response, entries = cds.card(case, dumps(case), Flat())  # type: ignore[arg-type]
    found = Response.model_validate_json(json.dumps(response))
    assert len(found.cards) == (1 if case.diagnoses else 0)
    for one in found.cards:
        assert one.detail is not None
        assert "<img" not in one.detail
        assert not re.search(r"(?<!\\)[\[\]<>!]|\]\(|[a-z]://|www\.e", one.detail)
        assert {str(s.uuid) for s in one.suggestions or ()} <= entries.keys()


def test_the_specification_is_held_against_cards() -> None:
    good = {"summary": "x", "indicator": "info", "source": {"label": "y"}}
    Response.model_validate({"cards": [good]})
    for wrong in (
        {"summary": "x" * 140},
        {"indicator": "hard-stop"},
        {"source": {}},
        {"suggestions": [{"label": "z"}]},
        {"overrideReasons": [{"code": "z"}]},
        {"uuid": "1"},
        {"other": 1},
    ):
        with pytest.raises(ValueError):
            Response.model_validate({"cards": [good | wrong]})


def test_discovery_is_what_the_specification_says(client: TestClient) -> None:
    (service,) = Services.model_validate(client.get("/cds-services").json()).services
    assert (service.id, service.hook) == ("whydx", "patient-view")
    assert all("{{context.patientId}}" in template for template in (service.prefetch or {}).values())


@pytest.mark.parametrize(
    ("resource", "note"),
    [
        (FEVER, "Fever."),
        (COUGH, "Productive cough."),
        (FEVER | {"verificationStatus": {"coding": [{"code": "refuted"}]}}, "No Fever."),
        (FEVER | {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}, None),
        (FEVER | {"verificationStatus": {"coding": [{"code": "provisional"}]}}, "Possible Fever."),
        (FEVER | {"clinicalStatus": {"coding": [{"code": "resolved"}]}}, "History of Fever."),
        ({"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}}, "Allergy to Penicillin."),
        ({"resourceType": "DiagnosticReport", "status": "final", "conclusion": "Right\neffusion"}, "Right effusion"),
        ({"resourceType": "DiagnosticReport", "status": "cancelled", "conclusion": "Right effusion"}, None),
        (
            {"resourceType": "Observation", "code": {"text": "CRP"}, "valueQuantity": {"value": 106.0, "unit": "mg/L"}},
            "CRP 106 mg/L.",
        ),
        (
            {"resourceType": "Observation", "code": {"text": "HIV"}, "valueCodeableConcept": {"text": "positive"}},
            "HIV: positive.",
        ),
        (
            {
                "resourceType": "DocumentReference",
                "content": [
                    {"attachment": {"contentType": "text/plain", "data": base64.b64encode(b"He coughs.").decode()}},
                    {"attachment": {"contentType": "text/plain", "url": "http://169.254.169.254/"}},
                    {"attachment": {"contentType": "text/html", "data": "PHA+"}},
                    {"attachment": {"contentType": "text/plain", "data": "no base64"}},
                ],
            },
            "He coughs.",
        ),
        ({"resourceType": "OperationOutcome"}, None),
        ({"resourceType": "Condition", "code": []}, None),
        ({"resourceType": ["Condition"]}, None),
        ({"resourceType": "Bundle", "entry": "x"}, None),
    ],
)
def test_resources_become_words(resource: dict[str, Any], note: str | None) -> None:
    assert cds.patient({"any": bundle(resource), "none": None}).get("note") == note


def test_age_and_sex_are_read_and_the_name_is_not() -> None:
    born = {"resourceType": "Patient", "gender": "female", "birthDate": "1950-02-03", "name": [{"family": "Zweifel"}]}
    found = cds.patient({"patient": born})
    assert (found["sex"], found["age"] >= 76, set(found)) == ("F", True, {"sex", "age"})
    for day in ("1850-01-01", "2999", "1950-13-01", "yesterday", 5):
        assert "age" not in cds.patient({"patient": born | {"birthDate": day}})


def test_a_call_gives_a_card_and_asks_no_server(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: reached.append(address))
    monkeypatch.setattr(socket.socket, "connect_ex", lambda self, address: reached.append(address))
    answer = client.post(PATH, json=called(conditions=bundle(FEVER, COUGH), gone=None))
    assert answer.status_code == 200
    (one,) = Response.model_validate(answer.json()).cards
    assert "pneumonia" in one.summary.lower() or one.summary.startswith("No diagnosis is named")
    assert reached == []
    assert "77441" not in answer.text


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (called(), 412),
        (called(patient=None), 412),
        (called(patient={"resourceType": "Patient"}), 200),
        (called(x={"resourceType": "Condition"}) | {"hook": "order-sign"}, 422),
        (called(x={"resourceType": "Condition"}) | {"context": {}}, 422),
        (called(x={"resourceType": "Condition"}) | {"hookInstance": "1"}, 422),
        ([], 422),
    ],
)
def test_other_calls(client: TestClient, call: Any, status: int) -> None:
    answer = client.post(PATH, json=call)
    assert answer.status_code == status
    assert answer.json() == {"cards": []} if status == 200 else "\n" not in answer.json()["detail"]


def test_deep_json_is_refused(client: TestClient) -> None:
    for text in ("[" * 100_000, '{"a":' * 100_000, "1" * 10_000, "NaN", "\xff"):
        answer = client.post(PATH, content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)


def test_what_came_of_a_card_is_feedback(client: TestClient, own: Path) -> None:
    (one,) = client.post(PATH, json=called(conditions=bundle(FEVER, COUGH))).json()["cards"]
    first, second, *_ = one["suggestions"]
    before = len(kept(own))

    def said(outcome: str, **more: Any) -> dict[str, Any]:
        return {"card": one["uuid"], "outcome": outcome, "outcomeTimestamp": "2026-11-28T00:00:00Z"} | more

    reason = {"reason": {"code": "known", "system": "urn:whydx:override-reasons"}, "userComment": "Zweifel, room 3"}
    foreign = {"reason": {"code": "Zweifel", "system": "http://ehr.example", "display": "Zweifel"}}
    outcomes = [
        said("accepted", acceptedSuggestions=[{"id": first["uuid"]}]),
        said("accepted", acceptedSuggestions=[{"id": second["uuid"]}]),
        said("overridden"),
        said("overridden", overrideReason=reason),
        said("overridden", overrideReason=foreign),
    ]
    answer = client.post(f"{PATH}/feedback", json={"feedback": outcomes})
    assert answer.status_code == 200, answer.text
    entries = kept(own)[before:]
    assert [e.verdict for e in entries] == ["accepted", "corrected", "none", "none", "none"]
    accepted, corrected, *_ = entries
    assert f"The diagnosis is: {accepted.first.name}" == first["label"]  # type: ignore[union-attr]
    assert f"The diagnosis is: {corrected.correct.name}" == second["label"]  # type: ignore[union-attr]
    assert corrected.correct_rank == 2
    assert [e.note for e in entries[2:]] == [
        "overridden: without a reason",
        "overridden: It was known already",
        "overridden: for a reason of the clinic's own",
    ]
    assert "Zweifel" not in (own / "feedback.jsonl").read_text(encoding="utf-8")
    assert client.post(f"{PATH}/feedback", json={"feedback": outcomes}).status_code == 200  # the same again
    assert len(kept(own)) == before + 5


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 404),  # no such card
        ({"outcome": "ignored"}, 422),
        ({"card": "x"}, 422),
        ({"outcomeTimestamp": "yesterday"}, 422),
    ],
)
def test_feedback_on_what_is_not_known(client: TestClient, change: dict[str, Any], status: int) -> None:
    one = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-11-28T00:00:00Z"}
    assert client.post(f"{PATH}/feedback", json={"feedback": [one | change]}).status_code == status
    assert client.post(f"{PATH}/feedback", json={"feedback": []}).status_code == 422


def test_the_oldest_cards_are_forgotten() -> None:
    book = cds.Book(most=2)
    for name in "abc":
        book.add({"cards": [{"uuid": f"00000000-0000-4000-8000-00000000000{name}"}]}, {"overridden:": {}})
    said = {"outcome": "overridden", "outcomeTimestamp": "2026-11-28T00:00:00Z"}
    outcome = cds.Outcome.model_validate({"card": "00000000-0000-4000-8000-00000000000a"} | said)
    assert book.answers([outcome]) == ([], ["00000000-0000-4000-8000-00000000000a"])
