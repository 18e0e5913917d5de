"""From images, a note and stated findings to a case: what is known of the patient before anything is concluded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from fusion.placement import placed_opacities
from fusion.prior import NORMAL, finding_odds, odds_ratio
from fusion.workup import Case, Observed, Passage
from kg.graph import KnowledgeGraph
from kg.note_words import NoteWords
from ontologies.chest import contraindication
from ontologies.chest import layer as chest
from ontologies.chest.contraindication import Contraindication
from ontologies.chest.people import SETTINGS, Setting
from ontologies.concept import DISEASE, Concept, Presence
from ontologies.linking.context.assertion import affirmed
from ontologies.linking.context.demographics import demographics
from ontologies.linking.context.language import NAMES, language
from ontologies.linking.context.measurement import holds_for
from ontologies.linking.context.sentences import sentences
from ontologies.linking.linker import ConceptMatch, Linker
from ontologies.linking.unread import Understanding, understanding
from ontologies.linking.values.quantities import ADULT
from retrieval.encoder import Encoder
from vision import training_cases
from vision.anatomy.measures import Measurement
from vision.detector import Detection, Detector
from vision.films.levels import coarse, measures
from vision.finding import LABEL_CURIES, NO_FINDING, Finding
from vision.image import load_image

if TYPE_CHECKING:
    from vision.image import ImageInstance

NEOPLASM = "HP:0002664"
_CERTAINTY = {"not assessed": 0, "uncertain": 1, "absent": 2, "present": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is given of one patient.

    ``images``: files of one study. ``present`` and ``absent``: CURIEs or exact names of findings. ``age`` in years,
    ``sex`` "F" or "M"; the note's own are used where these are None, and then an image's. What the user states
    outweighs the note, the note outweighs an image. ``setting``: the place, which has to do with how common diseases
    are. Raises InputError when nothing is given or the note is empty.
    """

    images: tuple[Path, ...] = ()
    note: str | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    age: float | None = None
    sex: str | None = None
    setting: Setting = "neutral"

    def __post_init__(self) -> None:
        if self.note is not None and not self.note.strip():
            raise InputError(
                "the note is empty",
                value=self.note,
                expected="a sentence about the patient",
                run='whydx diagnose … --note "fever and cough"',
            )
        if not (self.images or self.note is not None or self.present or self.absent):
            raise InputError(
                "nothing to diagnose from", expected="an image, a note or a finding", run="whydx diagnose --help"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A patient's case with the findings it was made of, the first image's embedding (None without an image), what is
    to be said of the images, how much of the note was understood (None without one), what it says the patient once had
    (CURIEs, sorted) and must not be given, what was measured on the first image, and of each image that was used what
    is watched of it (`vision.films.levels`)."""

    case: Case
    findings: tuple[Finding, ...]
    embedding: np.ndarray | None
    warnings: tuple[str, ...]
    understanding: Understanding | None = None
    past: tuple[str, ...] = ()
    refused: tuple[Contraindication, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    looks: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A case out of a saved report, and what can't be had from it.

    A saved report holds its findings, age and sex, but neither the note nor the images, which can identify a patient.
    """

    case: Case
    embedding: np.ndarray | None
    warnings: tuple[str, ...]


class Intake:
    """Looks at images, reads notes and takes stated findings, all as concepts of one graph."""

    def __init__(self, graph: KnowledgeGraph, linker: Linker, detector: Detector, words: NoteWords) -> None:
        self.graph, self.linker, self.detector, self.words = graph, linker, detector, words
        self._read = lru_cache(maxsize=4)(partial(linker.link, note=True))  # a note is asked for its words, too
        self.base_rates = {**training_cases.read().base_rates, **detector.local_rates}
        self.lasting = frozenset(graph.resolve(curie) for curie in chest.lasting() if curie in graph)
        layer = chest.load()
        self.own = frozenset(graph.resolve(row.id) for row in (*layer.findings, *layer.diseases) if row.id in graph)

    def gather(self, patient: Patient) -> Gathered:
        """The patient's case. Raises InputError when a finding is unknown or is both present and absent, or an image
        cannot be read or used."""
        study, unused = self._study(patient.images)
        detections = [seen for _, _, seen in study]
        age, sex = self._person(patient, [image for _, image, _ in study])
        findings = [self.link_label(f) for d in detections for f in (*d.findings, nothing_found(d))]
        findings += self.read_note(patient.note, age) if patient.note else []
        findings += self.stated(patient.present, patient.absent)
        said = (line for _, image, seen in study for line in (*image_warnings(image), *seen.warnings))
        warnings = dict.fromkeys((*unused, *said))
        if patient.note and (other := language(patient.note)):
            warnings[f"the note is not read: it seems to be in {NAMES[other]}, and only English is read"] = None
        passages = self.passages(patient.note) if patient.note and worded(findings) else ()
        return Gathered(
            case=self._case(findings, detections, patient.note, age, sex, patient.setting, passages),
            findings=tuple(findings),
            embedding=detections[0].embedding if detections else None,
            warnings=tuple(warnings),
            understanding=understanding(patient.note, self._read(patient.note)) if patient.note else None,
            past=self.past(patient.note) if patient.note else (),
            refused=contraindication.refused(patient.note) if patient.note else (),
            measurements=detections[0].measurements if detections else (),
            looks=tuple(coarse(measures(image, seen)) for _, image, seen in study),
        )

    def recall(self, report: DiagnosticReport, images: Sequence[Path] = (), note: str | None = None) -> Recalled:
        """The case that ``report`` is about; ``images`` and ``note`` are those it was made from, if at hand. Without
        them it does without the note's words and the image regions, and its warnings say so.

        Raises InputError when the graph no longer knows a finding, or an image is not one of the report's.
        """
        study, _ = self._study(images)
        detections = [seen for _, _, seen in study]
        uids = {f.sop_instance_uid for f in report.findings if f.origin == "image"}
        for path, _, detection in study:
            if not uids & {f.sop_instance_uid for f in detection.findings}:
                raise InputError("not an image of this report", value=path, expected="an image it was made from")
        named = [(f, f.concept) for f in report.findings]
        findings = [replace(f, concept=self.graph.concept(c.curie)) for f, c in named if c is not None]
        warnings = []
        if len(images) < len(uids):
            warnings.append(
                "scored without the image regions, which a report does not hold; give the image with --image"
            )
        if note is None and any(f.origin == "note" for f in findings):
            warnings.append("scored without the words of the note, which a report does not hold; give it with --note")
        return Recalled(
            case=self._case(
                findings,
                detections,
                note,
                report.age,
                report.sex,
                _setting(report),
                self.passages(note) if note and worded(findings) else (),
            ),
            embedding=detections[0].embedding if detections else None,
            warnings=tuple(warnings),
        )

    def _case(
        self,
        findings: Sequence[Finding],
        detections: Sequence[Detection],
        note: str | None,
        age: float | None,
        sex: str | None,
        setting: Setting,
        passages: tuple[Passage, ...],
    ) -> Case:
        return Case(
            observed=self.observed(findings, detections),
            note=" ".join((note or "").split()),
            age=age,
            sex=sex,
            worded=worded(findings),
            imaged=any(finding.origin == "image" for finding in findings),
            setting=setting,
            passages=passages,
        )

    def passages(self, note: str) -> tuple[Passage, ...]:
        """The note's sentences with the words that count. What it denies, doubts or says of others is left out, and a
        sentence of which nothing is left."""
        text = affirmed(note, [(m.start, m.end, m.presence == "present") for m in self._told(note)])
        spans = [(start, end) for start, end, _ in sentences(note) if self.words.stems(text[start:end])]
        meanings = Encoder.load().encode([" ".join(text[start:end].split()) for start, end in spans])
        return tuple(
            Passage(
                reference=f"note:{start}-{end}",
                words=tuple(self.words.stems(text[start:end]).items()),
                meaning=meaning,
            )
            for (start, end), meaning in zip(spans, meanings, strict=True)
        )

    @staticmethod
    def _person(patient: Patient, images: Sequence[ImageInstance]) -> tuple[float | None, str | None]:
        """Age in years and sex, as stated, else by the note, else by an image."""
        said = demographics(patient.note or "")
        ages = (patient.age, said.age, *(image.patient_age_y for image in images))
        sexes = (patient.sex, said.sex, *(image.patient_sex for image in images))
        return next((a for a in ages if a is not None), None), next((s for s in sexes if s in ("F", "M")), None)

    def _study(self, paths: Sequence[Path]) -> tuple[list[tuple[Path, ImageInstance, Detection]], list[str]]:
        """The images of a study that can be used, with what is seen on them, and a line about each of the others: a
        study often has a lateral view beside the frontal one. Raises InputError when none can be used, with the first
        one's reason, and for a file that cannot be read.
        """
        seen, unused = [], []
        refused: InputError | None = None
        for path in paths:
            image = load_image(path)
            try:
                seen.append((path, image, self.look(image, path)))
            except InputError as error:
                refused = refused or error
                unused.append(f"{error.what}: it is not used")
        if refused is not None and not seen:
            raise refused
        return seen, unused

    def look(self, image: ImageInstance, path: Path) -> Detection:
        """What the detector sees. Raises InputError with the reason code when it refuses the image."""
        detection = self.detector.detect(image)
        if detection.refused:
            raise InputError(
                f"{path.name} is refused ({detection.refused})",
                expected="a frontal chest radiograph",
                run=f"whydx detect {path.name}",
            )
        return detection

    def link_label(self, finding: Finding) -> Finding:
        curie = NORMAL if finding.label == NO_FINDING else LABEL_CURIES[finding.label]
        return replace(finding, concept=self.graph.concept(curie))

    def past(self, note: str) -> tuple[str, ...]:
        once = {m.concept.curie for m in self._read(note) if m.context == "history" and m.presence == "not assessed"}
        return tuple(sorted(self.graph.resolve(curie) for curie in once if curie in self.graph))

    def _told(self, note: str) -> Iterator[ConceptMatch]:
        """The note's mentions; what is told of the past is present where it lasts. The rash of an allergy is no finding
        of today: what a reaction to a drug looked like is left out."""
        matches = self._read(note)
        reacted = [m for m in matches if m.method == "reaction"]
        for match in matches:
            if match.method != "reaction" and any(r.start <= match.start and match.end <= r.end for r in reacted):
                continue
            past = match.presence == "not assessed" and match.context == "history"
            lasting = past and match.concept.curie in self.graph and self._lasts(match.concept)
            yield replace(match, presence="present") if lasting else match

    def _lasts(self, concept: Concept) -> bool:
        """Whether what is told of the past is still so: the layer says it of its own rows; of others a disease is, and
        a cancer may come back."""
        curie = self.graph.resolve(concept.curie)
        if curie in self.own:
            return curie in self.lasting
        return DISEASE in concept.semantic_types or NEOPLASM in self.graph.ancestors(curie)

    def read_note(self, note: str, age: float | None = None) -> list[Finding]:
        """The concepts a note mentions, one finding each; a note that names none is no error. What is told of the past
        counts where it lasts: who was a smoker, or has a history of COPD. Of a child's measured values
        those count whose limits are known for the age."""
        found: dict[str, Finding] = {}
        young = demographics(note).age
        told = young is not None and young < ADULT
        for match in self._told(note):
            if match.concept.curie not in self.graph or match.presence == "not assessed":
                continue
            if match.method == "measurement" and age is not None and not holds_for(match.matched_term, age, told):
                continue
            concept = self.graph.concept(match.concept.curie)
            concepts = [concept]
            if match.presence == "present":
                placed = placed_opacities(self.graph, concept.curie, match.laterality, match.locations)
                concepts += [self.graph.concept(c) for c in placed]
            for own in concepts:
                kept = found.get(own.curie)
                # Said twice in one note, a finding is as present as its most certain mention.
                if kept is None or _CERTAINTY[match.presence] > _CERTAINTY[kept.presence]:
                    found[own.curie] = Finding(
                        label=own.name, presence=match.presence, origin="note", laterality=match.laterality, concept=own
                    )
        return list(found.values())

    def stated(self, present: Sequence[str], absent: Sequence[str]) -> list[Finding]:
        given = [(self.graph.find(c), "present") for c in present] + [(self.graph.find(c), "absent") for c in absent]
        if both := {c for c, p in given if p == "present"} & {c for c, p in given if p == "absent"}:
            raise InputError(
                "a finding is given as present and as absent", value=min(both), expected="one of --finding and --absent"
            )
        concepts = [(self.graph.concept(c), p) for c, p in dict.fromkeys(given)]
        return [
            Finding(label=c.name, presence="present" if p == "present" else "absent", origin="user", concept=c)
            for c, p in concepts
        ]

    def observed(self, findings: Sequence[Finding], detections: Sequence[Detection]) -> tuple[Observed, ...]:
        """One observation a concept, by CURIE: the user's word before the note's, the note's before the image's; of
        several images, the one with the highest odds, or for "no acute disease" with the lowest."""
        best: dict[str, tuple[int, float, Observed]] = {}
        regions = {f.sop_instance_uid: d.region_embeddings for d in detections for f in d.findings}
        nothing = {f.sop_instance_uid: f.probability for f in findings if f.label == NO_FINDING}
        for finding in findings:
            if finding.concept is None or finding.presence == "not assessed":
                continue
            if finding.origin == "image":
                odds = self.image_odds(finding, nothing.get(finding.sop_instance_uid))
                seen = regions.get(finding.sop_instance_uid, {}) if finding.presence == "present" else {}
                entry = Observed(
                    curie=finding.concept.curie,
                    presence=finding.presence,
                    odds_ratio=odds,
                    region=seen.get(finding.label),
                    region_ref=f"{finding.label}@{finding.sop_instance_uid}",
                )
            else:
                odds = {"present": float("inf"), "absent": 0.0}.get(finding.presence, 1.0)
                entry = Observed(curie=finding.concept.curie, presence=finding.presence, odds_ratio=odds)
            # One image cannot unsay what another shows: that there is nothing, the least reassuring one says.
            worth = -odds if finding.concept.curie == NORMAL and finding.origin == "image" else odds
            rank = (("image", "note", "user").index(finding.origin), worth, entry)
            if finding.concept.curie not in best or rank[:2] > best[finding.concept.curie][:2]:
                best[finding.concept.curie] = rank
        return tuple(best[c][2] for c in sorted(best))

    def image_odds(self, finding: Finding, nothing: float | None) -> float:
        """Posterior over prior odds of what the detector says of an image; ``nothing`` is its probability that the
        image shows nothing, None where it is not known."""
        p, base = finding.probability or 0.0, self.base_rates
        if nothing is None or finding.label == NO_FINDING:
            return odds_ratio(p, base[finding.label])
        return finding_odds(p, 1 - nothing, base[finding.label], 1 - base[NO_FINDING])


def _setting(report: DiagnosticReport) -> Setting:
    """The place that a report was made for."""
    said = report.provenance.get("setting", "neutral")
    return next((setting for setting in SETTINGS if setting == said), "neutral")


def nothing_found(detection: Detection) -> Finding:
    """That an image shows nothing, as a finding of it."""
    shown = any(f.presence == "present" for f in detection.findings)
    return Finding(
        label=NO_FINDING,
        presence=whole_image(detection.no_finding, shown),
        probability=detection.no_finding,
        sop_instance_uid=next((f.sop_instance_uid for f in detection.findings), None),
    )


def whole_image(probability: float, shown: bool) -> Presence:
    """Whether an image shows nothing, by the detector's probability of it: absent where it says that something is
    ``shown``, else present from a half on, uncertain below."""
    return "absent" if shown else "present" if probability >= 0.5 else "uncertain"


def worded(findings: Iterable[Finding]) -> bool:
    """Whether words say something of the patient: a note of which nothing is understood does not."""
    return any(finding.origin != "image" for finding in findings)


def image_warnings(image: ImageInstance) -> tuple[str, ...]:
    return ("PHANTOM: a computed image, not a patient",) if image.is_phantom else ()


def checked_demographics(age: float | None, sex: str | None) -> tuple[float | None, str | None]:
    """Age in years and sex ("F", "M") as given. Raises InputError for what is neither."""
    if age is not None and not 0 <= age <= 130:
        raise InputError("not an age", value=age, expected="years, from 0 to 130")
    if sex not in (None, "F", "M"):
        raise InputError("not a sex", value=sex, expected="F or M")
    return None if age is None else float(age), sex
