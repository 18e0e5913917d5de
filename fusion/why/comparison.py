"""What changed between two reports: findings, diagnoses, and the evidence that moved them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, EvidenceKind
from ontologies.concept import Concept, Presence
from vision.finding import Finding, in_words

Kind = Literal["new", "gone", "changed"]
_LEAST_PROBABILITY = 0.005
_LEAST_WEIGHT = 0.005
_NOT_TOLD = "not told"


class _Key(NamedTuple):
    curie: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """A finding of one origin before and after; the values are None where a report does not have it."""

    kind: Kind
    name: str
    concept: Concept | None
    origin: str
    before: Presence | None
    after: Presence | None
    probability_before: float | None = None
    probability_after: float | None = None
    side_before: str | None = None
    side_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceChange:
    """A piece of evidence of a diagnosis, with its weight in each report; None where it was not there."""

    evidence: EvidenceKind
    reference: str
    text: str
    weight_before: float | None
    weight_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisChange:
    """A diagnosis in each report: rank, probability and whether it could be ruled out; None where a report does not
    show it (which does not say that its probability was 0). ``evidence`` by falling change of weight; empty where only
    one report shows the diagnosis."""

    kind: Literal["new", "gone", "changed", "same"]
    disease: Concept
    rank_before: int | None
    rank_after: int | None
    probability_before: float | None
    probability_after: float | None
    member_before: bool | None
    member_after: bool | None
    evidence: tuple[EvidenceChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportComparison:
    """What differs from one report to another. ``findings``: new, gone, changed, each by name. ``diagnoses``: all that
    either shows, by rank after, then before. ``versions``: name → (before, after) of what the answers depend on, where
    it differs: then not only the patient has changed. ``steps_new``, ``steps_gone``: next steps in words. ``person``:
    "age", "sex" or "setting" → (before, after) in words. Nothing differs where ``same`` is true."""

    findings: tuple[FindingChange, ...]
    diagnoses: tuple[DiagnosisChange, ...]
    none_before: float
    none_after: float
    abstention_before: str | None
    abstention_after: str | None
    steps_new: tuple[str, ...]
    steps_gone: tuple[str, ...]
    person: Mapping[str, tuple[str, str]]
    versions: Mapping[str, tuple[str, str]]

    @property
    def same(self) -> bool:
        still = all(d.kind == "same" for d in self.diagnoses) and self.none_before == self.none_after
        said = self.abstention_before == self.abstention_after
        return still and said and not (
            self.findings or self.steps_new or self.steps_gone or self.person or self.versions
        )  # fmt: skip


def compare(before: DiagnosticReport, after: DiagnosticReport) -> ReportComparison:
    """What changed from ``before`` to ``after``, by the concepts' CURIEs. A probability that moved by less than half a
    percent, and a weight that moved by less than .005, count as unchanged."""
    steps = [[f"{s.disease}: {s.text}" for s in report.next_steps] for report in (before, after)]
    versions = _differing(before.provenance, after.provenance)
    person = {"setting": versions.pop("setting")} if "setting" in versions else {}
    told = [{"age": "" if r.age is None else f"{r.age:g} years", "sex": r.sex or ""} for r in (before, after)]
    return ReportComparison(
        findings=tuple(_findings(before.findings, after.findings)),
        diagnoses=tuple(_diagnoses(before.diagnoses, after.diagnoses)),
        none_before=before.none_of_these,
        none_after=after.none_of_these,
        abstention_before=before.abstention,
        abstention_after=after.abstention,
        steps_new=tuple(step for step in steps[1] if step not in steps[0]),
        steps_gone=tuple(step for step in steps[0] if step not in steps[1]),
        person=_differing(*told) | person,
        versions=versions,
    )


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted({*before, *after})
    both = {name: (before.get(name, "") or _NOT_TOLD, after.get(name, "") or _NOT_TOLD) for name in names}
    return {name: (then, now) for name, (then, now) in both.items() if then != now}


def _findings(before: Iterable[Finding], after: Iterable[Finding]) -> list[FindingChange]:
    then, now = _by_concept(before), _by_concept(after)
    found = []
    for key in sorted({*then, *now}):
        old, new = then.get(key), now.get(key)
        known = new or old
        if known is None or (old is not None and new is not None and not _moved(old, new)):
            continue
        if key.origin == "image" and all(f is None or f.presence == "absent" for f in (old, new)):
            continue  # looked for and not seen, both times, or in the only image there is
        found.append(
            FindingChange(
                kind="new" if old is None else "gone" if new is None else "changed",
                name=in_words(known.label),
                concept=known.concept,
                origin=key.origin,
                before=None if old is None else old.presence,
                after=None if new is None else new.presence,
                probability_before=None if old is None else old.probability,
                probability_after=None if new is None else new.probability,
                side_before=None if old is None else old.laterality,
                side_after=None if new is None else new.laterality,
            )
        )
    order = ("new", "gone", "changed")
    return sorted(found, key=lambda f: (order.index(f.kind), f.name.casefold(), f.origin))


def _by_concept(findings: Iterable[Finding]) -> dict[_Key, Finding]:
    """Of several images, the likeliest finding of each concept."""
    best: dict[_Key, Finding] = {}
    for finding in findings:
        key = _Key(finding.concept.curie if finding.concept else finding.label, finding.origin)
        if key not in best or (finding.probability or 0.0) > (best[key].probability or 0.0):
            best[key] = finding
    return best


def _moved(old: Finding, new: Finding) -> bool:
    if old.presence != new.presence or old.laterality != new.laterality:
        return True
    chances = (old.probability or 0.0) - (new.probability or 0.0)
    return old.presence != "absent" and abs(chances) >= _LEAST_PROBABILITY


def _diagnoses(before: Iterable[Diagnosis], after: Iterable[Diagnosis]) -> list[DiagnosisChange]:
    then, now = {d.concept.curie: d for d in before}, {d.concept.curie: d for d in after}
    found = []
    for curie in {**now, **then}:
        old, new = then.get(curie), now.get(curie)
        known = new or old
        if known is None:
            continue
        evidence = () if old is None or new is None else tuple(_evidence(old.evidence, new.evidence))
        found.append(
            DiagnosisChange(
                kind="new" if old is None else "gone" if new is None else _kind(old, new, evidence),
                disease=known.concept,
                rank_before=None if old is None else old.rank,
                rank_after=None if new is None else new.rank,
                probability_before=None if old is None else old.probability,
                probability_after=None if new is None else new.probability,
                member_before=None if old is None else old.conformal_member,
                member_after=None if new is None else new.conformal_member,
                evidence=evidence,
            )
        )
    far = len(found) + 1
    return sorted(found, key=lambda d: (d.rank_after or far, d.rank_before or far, d.disease.curie))


def _kind(old: Diagnosis, new: Diagnosis, evidence: tuple[EvidenceChange, ...]) -> Literal["changed", "same"]:
    moved = abs(old.probability - new.probability) >= _LEAST_PROBABILITY or old.rank != new.rank
    return "changed" if moved or evidence or old.conformal_member != new.conformal_member else "same"


def _evidence(before: Iterable[Evidence], after: Iterable[Evidence]) -> list[EvidenceChange]:
    then, now = ({(e.kind, _what(e)): e for e in pieces} for pieces in (before, after))
    found = []
    for key in {**now, **then}:
        old, new = then.get(key), now.get(key)
        known = new or old
        if known is None or abs((new.weight if new else 0.0) - (old.weight if old else 0.0)) < _LEAST_WEIGHT:
            continue
        found.append(
            EvidenceChange(
                evidence=known.kind,
                reference=known.reference,
                text=known.text,
                weight_before=None if old is None else old.weight,
                weight_after=None if new is None else new.weight,
            )
        )
    return sorted(
        found, key=lambda e: (-abs((e.weight_after or 0.0) - (e.weight_before or 0.0)), e.evidence, e.reference)
    )


def _what(piece: Evidence) -> str:
    """What a piece is known by in another report: not where its words stand in the note, nor on which image it is."""
    if piece.kind == "words":
        return piece.text
    return piece.reference.partition("@")[0] if piece.kind == "image_region" else piece.reference
