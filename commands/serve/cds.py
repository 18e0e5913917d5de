"""CDS Hooks 2.0: what the service offers, what a client's FHIR resources say, the card, and what comes back of it.

Of a request only the prefetched resources are read: no server that it names is ever asked. A card's suggestions are the
diagnoses that the report shows, so that accepting one says whether the first was right; the feedback endpoint keeps
that in the home's feedback store (`records.feedback`).
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from records.feedback import Feedback, of

if TYPE_CHECKING:
    from fusion.diagnosis import DiagnosticReport
    from kg.graph import KnowledgeGraph

ID = "whydx"
HOOK = "patient-view"
LONGEST_SUMMARY = 139  # the specification: fewer than 140 characters
LONGEST_NOTE = 20_000
MOST_RESOURCES = 500
_MOST_CARDS = 4096
_REASONS = {
    "other-diagnosis": "The diagnosis is none of those shown",
    "wrong-findings": "The findings that it rests on are wrong",
    "known": "It was known already",
    "not-now": "It does not matter for this patient now",
}
_SYSTEM = "urn:whydx:override-reasons"
_SHOWN_EVIDENCE = 5
SERVICES: dict[str, Any] = {
    "services": [
        {
            "hook": HOOK,
            "id": ID,
            "title": "whydx: differential diagnosis of chest disease",
            "description": "Ranks the chest diseases that problems, reports and results point to, each with the "
            "evidence that moved it. Decision support, not a medical device: a physician decides.",
            "prefetch": {
                "patient": "Patient/{{context.patientId}}",
                "conditions": "Condition?patient={{context.patientId}}&_count=50",
                "reports": "DiagnosticReport?patient={{context.patientId}}&category=RAD&_sort=-date&_count=1",
                "observations": "Observation?patient={{context.patientId}}&category=laboratory,vital-signs"
                "&_sort=-date&_count=50",
                "notes": "DocumentReference?patient={{context.patientId}}&_sort=-date&_count=1",
                "allergies": "AllergyIntolerance?patient={{context.patientId}}&_count=20",
            },
        }
    ]
}


class _Open(BaseModel):
    """Clients may add extensions, which are left unread."""

    model_config = ConfigDict(extra="ignore")


class Context(_Open):
    """Of the hook patient-view."""

    userId: str = Field(min_length=1)
    patientId: str = Field(min_length=1)
    encounterId: str | None = None


class Request(_Open):
    """A call of the service. ``fhirServer`` and ``fhirAuthorization`` are not used."""

    hook: Literal["patient-view"]
    hookInstance: uuid.UUID
    context: Context
    prefetch: dict[str, dict[str, Any] | None] | None = None


class Coding(_Open):
    code: str = Field(min_length=1)
    system: str | None = None
    display: str | None = None


class AcceptedSuggestion(_Open):
    id: uuid.UUID


class OverrideReason(_Open):
    """``userComment`` may name a patient; it is not kept."""

    reason: Coding | None = None
    userComment: str | None = None


class Outcome(_Open):
    card: uuid.UUID
    outcome: Literal["accepted", "overridden"]
    acceptedSuggestions: list[AcceptedSuggestion] | None = None
    overrideReason: OverrideReason | None = None
    outcomeTimestamp: datetime


class Outcomes(_Open):
    """What the feedback endpoint takes."""

    feedback: Annotated[list[Outcome], Field(min_length=1, max_length=100)]


# --- what the resources say


def patient(prefetch: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """What `whydx.Whydx.diagnose` is given of the resources: ``note`` (a line a statement; absent where nothing is
    said), ``age`` in years and ``sex``. Resources of other types, or without words, are passed over."""
    found: dict[str, Any] = {}
    lines: list[str] = []
    for number, resource in enumerate(_resources(prefetch.values())):
        if number >= MOST_RESOURCES:
            break
        kind = resource.get("resourceType")
        if kind == "Patient":
            found |= _person(resource)
        elif isinstance(kind, str) and kind in _READERS:
            lines += [text for line in _READERS[kind](resource) if (text := _one_line(line))]
    note = "\n".join(dict.fromkeys(lines))[:LONGEST_NOTE]
    return found | ({"note": note} if note.strip() else {})


def _resources(given: Any) -> Iterator[dict[str, Any]]:
    for item in given:
        if not isinstance(item, Mapping):
            continue
        if item.get("resourceType") == "Bundle":
            entries = item.get("entry")
            inside = [e.get("resource") for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []
            yield from (r for r in inside if isinstance(r, dict) and r.get("resourceType") != "Bundle")
        else:
            yield dict(item)


def _person(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Age in years, to birthday, and sex, as far as they are told."""
    found: dict[str, Any] = {}
    if (sex := {"female": "F", "male": "M"}.get(str(resource.get("gender")))) is not None:
        found["sex"] = sex
    born = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", str(resource.get("birthDate")))
    if born:
        today = datetime.now(UTC).date()
        try:
            day = date(int(born[1]), int(born[2] or 7), int(born[3] or 1))
        except ValueError:
            return found
        years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        if 0 <= years <= 130:
            found["age"] = years
    return found


def _condition(resource: Mapping[str, Any]) -> Iterator[str]:
    name, verified = _name(resource.get("code")), _code(resource.get("verificationStatus"))
    if not name or verified == "entered-in-error":
        return
    if verified == "refuted":
        yield f"No {name}."
    elif verified in ("provisional", "differential", "unconfirmed"):
        yield f"Possible {name}."
    elif _code(resource.get("clinicalStatus")) in ("inactive", "remission", "resolved"):
        yield f"History of {name}."
    else:
        yield f"{name}."


def _report(resource: Mapping[str, Any]) -> Iterator[str]:
    if resource.get("status") not in ("entered-in-error", "cancelled"):
        yield str(resource.get("conclusion") or "")
        yield from _attached(resource.get("presentedForm"))


def _document(resource: Mapping[str, Any]) -> Iterator[str]:
    content = resource.get("content")
    if resource.get("status") != "entered-in-error" and isinstance(content, list):
        yield from _attached([part.get("attachment") for part in content if isinstance(part, Mapping)])


def _observation(resource: Mapping[str, Any]) -> Iterator[str]:
    name, value = _name(resource.get("code")), resource.get("valueQuantity")
    if not name or resource.get("status") in ("entered-in-error", "cancelled"):
        return
    if isinstance(value, Mapping) and isinstance(value.get("value"), int | float):
        yield f"{name} {value['value']:g} {value.get('unit') or value.get('code') or ''}."
    elif said := _name(resource.get("valueCodeableConcept")) or resource.get("valueString"):
        yield f"{name}: {said}."


def _allergy(resource: Mapping[str, Any]) -> Iterator[str]:
    if (name := _name(resource.get("code"))) and _code(resource.get("verificationStatus")) not in (
        "refuted",
        "entered-in-error",
    ):
        yield f"Allergy to {name}."


_READERS = {
    "Condition": _condition,
    "DiagnosticReport": _report,
    "DocumentReference": _document,
    "Observation": _observation,
    "AllergyIntolerance": _allergy,
}


def _attached(attachments: Any) -> Iterator[str]:
    """Plain text that came with the resource; what only has an address is not fetched."""
    for attachment in attachments if isinstance(attachments, list) else ():
        if not isinstance(attachment, Mapping) or not str(attachment.get("contentType")).startswith("text/plain"):
            continue
        data = attachment.get("data")
        if isinstance(data, str):
            try:
                yield base64.b64decode(data, validate=True).decode("utf-8")
            except (binascii.Error, ValueError):
                continue


def _name(concept: Any) -> str:
    """The words of a CodeableConcept: its text, else the first display."""
    if not isinstance(concept, Mapping):
        return ""
    text, codings = concept.get("text"), concept.get("coding")
    if isinstance(text, str) and text.strip():
        return text.strip().rstrip(".")
    shown = [c.get("display") for c in codings if isinstance(c, Mapping)] if isinstance(codings, list) else []
    return next((d.strip() for d in shown if isinstance(d, str) and d.strip()), "")


def _code(concept: Any) -> str:
    codings = concept.get("coding") if isinstance(concept, Mapping) else None
    first = codings[0] if isinstance(codings, list) and codings else None
    return str(first.get("code")) if isinstance(first, Mapping) else ""


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# --- the card


def card(report: DiagnosticReport, report_json: str, graph: KnowledgeGraph) -> tuple[dict[str, Any], dict[str, Any]]:
    """The response with one card, or none where no diagnosis is shown; and what to keep of each answer to it:
    a suggestion's id, or "overridden:" and the reason's code → a row of the feedback store."""
    from reports.cleaning import without_controls

    report = without_controls(report)
    if not report.diagnoses:
        return {"cards": []}, {}
    entries: dict[str, Any] = {}
    suggestions = []
    first = report.diagnoses[0].concept
    for diagnosis in report.diagnoses:
        this, chosen = diagnosis.concept, str(uuid.uuid4())
        kin = this.curie in graph.ancestors(first.curie) or first.curie in graph.ancestors(this.curie)
        entry = (
            of(report, report_json, accept=True)
            if this == first
            else of(report, report_json, correct=this, related=kin)
        )
        entries[chosen] = entry.row()
        suggestions.append({"label": f"The diagnosis is: {this.name}", "uuid": chosen})
    for code, said in {**_REASONS, "": "without a reason", "unknown": "for a reason of the clinic's own"}.items():
        entries[f"overridden:{code}"] = of(report, report_json, note=f"overridden: {said}").row()
    one = {
        "uuid": str(uuid.uuid4()),
        "summary": summary(report),
        "detail": detail(report),
        "indicator": "info",
        "source": {"label": "whydx"},
        "suggestions": suggestions,
        "selectionBehavior": "at-most-one",
        "overrideReasons": [
            {"code": code, "system": _SYSTEM, "display": display} for code, display in _REASONS.items()
        ],
    }
    return {"cards": [one]}, entries


def summary(report: DiagnosticReport) -> str:
    """The first diagnoses with their probabilities, as many as fit in fewer than 140 characters; of a report that
    abstains, why."""
    from fusion.why.figures import percent

    if report.abstention:
        return _shortened(f"No diagnosis is named: {report.abstention}")
    ranked = [f"{d.concept.name} ({percent(d.probability)})" for d in report.diagnoses]
    text = _shortened(ranked[0])
    for more in ranked[1:]:
        if len(text) + 2 + len(more) > LONGEST_SUMMARY:
            break
        text += f", {more}"
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 1] + "…"


def detail(report: DiagnosticReport) -> str:
    """GitHub-flavoured Markdown: the conclusion that the FHIR document has, and the first diagnosis's heaviest pieces
    of evidence. Whatever the report holds is text, never mark-up or a link."""
    from fusion.why.figures import weight
    from reports.fhir import conclusion
    from reports.table import KINDS

    lines = [f"- {escaped(line)}" for line in conclusion(report).splitlines() if line.strip()]
    first = report.diagnoses[0]
    pieces = sorted(first.why, key=lambda e: (-abs(e.weight), e.reference))[:_SHOWN_EVIDENCE]
    if pieces:
        lines += ["", f"**{escaped(first.concept.name)}**", ""]
        lines += [f"- {weight(e.weight)} {KINDS[e.kind]}: {escaped(_one_line(e.text))}" for e in pieces]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """``text`` as Markdown that shows it: no tag, link, image, emphasis or address comes of it."""
    marked = re.sub(r"([\\`*_{}\[\]()#!|~^])", r"\\\1", html.escape(text, quote=False))
    marked = re.sub(r"(?<=[A-Za-z0-9])(:)(?=//)|(?<=www)(\.)", lambda m: "\\" + m[0], marked, flags=re.IGNORECASE)
    return re.sub(r"(?<=\S)@(?=\S)", r"\\@", re.sub(r"^(\s*)(\d*)([-+.])", r"\1\2\\\3", marked))


class Book:
    """The cards of this process that may be answered, the newest 4,096; ``Book`` forgets the oldest first."""

    def __init__(self, most: int = _MOST_CARDS) -> None:
        self._most = most
        self._entries: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def add(self, response: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
        for one in response["cards"]:
            self._entries[one["uuid"]] = dict(entries)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def answers(self, outcomes: Sequence[Outcome]) -> tuple[list[Feedback], list[str]]:
        """The entries that the outcomes come to, of today, and the cards that are not known (or whose suggestion is
        not)."""
        adapter, found, unknown = TypeAdapter(Feedback), [], []
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        for outcome in outcomes:
            row = self._entries.get(str(outcome.card), {}).get(self._key(outcome))
            if row is None:
                unknown.append(str(outcome.card))
            else:
                found.append(replace(adapter.validate_python(row), day=today).identified())
        return found, unknown

    @staticmethod
    def _key(outcome: Outcome) -> str:
        if outcome.outcome == "accepted":
            chosen = outcome.acceptedSuggestions or []
            return str(chosen[0].id) if len(chosen) == 1 else "several or none"
        reason = outcome.overrideReason.reason if outcome.overrideReason else None
        if reason is None:
            return "overridden:"
        ours = reason.code in _REASONS and reason.system in (None, _SYSTEM)
        return f"overridden:{reason.code if ours else 'unknown'}"
