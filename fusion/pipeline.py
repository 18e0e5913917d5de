"""diagnose(): from images, a note and stated findings to a report whose evidence is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import InputError
from fusion import checkpoint as checkpoints
from fusion.branch import Branch
from fusion.calibration import Calibration
from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, NextStep, Stance
from fusion.evidence_search import EvidenceSearch, Retrieved
from fusion.placement import placed_opacities
from fusion.prior import NORMAL, chest_prior, finding_odds, odds_ratio
from fusion.scorer import Question, Scorer, questions
from fusion.workup import Case, Observed, Workup, WorkupRoom
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel
from ontologies import chest
from ontologies.concept import Presence
from ontologies.linker import Linker
from retrieval.cases import Cases
from retrieval.literature import Literature
from vision import training_cases
from vision.detector import Detection, Detector
from vision.finding import LABEL_CURIES, Finding
from vision.image import load_image

if TYPE_CHECKING:
    from vision.image import ImageInstance

SHORTLIST = 20
# A change of score below this is within what batching does to the last bits; it is not evidence.
LEAST_WEIGHT = 1e-3
LEAST_HITS = 3
ADULT = 16  # years
# Of the shortlist. On real notes a set that covers 90 % holds 11 of 21 on average, and the first diagnosis is right
# no less often when it holds more.
LARGEST_SET = 0.75
# How many pieces of each kind are shown for a diagnosis: the heaviest ones.
MOST_SHOWN = {"finding": 6, "kg_path": 4, "image_region": 2, "literature": 2, "case": 2}
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A patient's case with the findings it was made of, the first image's embedding (None without an image), and what
    is to be said of the images."""

    case: Case
    findings: tuple[Finding, ...]
    embedding: np.ndarray | None
    warnings: tuple[str, ...]


class Pipeline:
    """Everything ``diagnose`` needs, opened once. Images are looked at only when there are any."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        linker: Linker,
        search: EvidenceSearch,
        detector: Detector,
        checkpoint: checkpoints.Checkpoint,
    ) -> None:
        self.graph, self.linker, self.search, self.detector, self.checkpoint = (
            graph,
            linker,
            search,
            detector,
            checkpoint,
        )
        self.room = WorkupRoom(
            graph, LikelihoodModel(graph, prior=(prior := chest_prior(graph)).by_node, default_prior=prior.default)
        )
        self.calibrations = checkpoint.calibration["chest"]
        self.scorer = Scorer(checkpoint.network, checkpoint.tokenize, calibrations=self.calibrations)
        self.base_rates = training_cases.read().base_rates

    @classmethod
    def open(cls, home: Path, *, device: str = "cpu") -> Pipeline:
        """Open the graph, the indexes and the models under ``home``; the detector runs on ``device``.

        Raises ArtifactError when one is missing, damaged, or was made for another version of the others, and
        InputError for a device that is not there.
        """
        graph = KnowledgeGraph.open(home / "graph")
        detector = Detector.open(device=device)
        checkpoint = checkpoints.load(detector=detector.manifest["sha256"])
        search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
        return cls(graph, Linker.open(home / "linker"), search, detector, checkpoint)

    def diagnose(
        self,
        images: Sequence[Path] = (),
        note: str | None = None,
        present: Sequence[str] = (),
        absent: Sequence[str] = (),
        age: float | None = None,
        sex: str | None = None,
        k: int = 5,
    ) -> DiagnosticReport:
        """A report on one patient.

        ``images``: files of one study. ``present`` and ``absent``: CURIEs or exact names of findings. ``age`` in
        years, ``sex`` "F" or "M" (an image's own are used when these are None). ``k``: how many diagnoses to show
        with their evidence. What the user states outweighs the note, the note outweighs an image. Raises InputError
        when nothing is given, the note is empty, a finding is unknown or is both present and absent, or an image
        cannot be read or used.
        """
        if note is not None and not note.strip():
            raise InputError(
                "the note is empty",
                value=note,
                expected="a sentence about the patient",
                run='whydx diagnose … --note "fever and cough"',
            )
        if not images and note is None and not present and not absent:
            raise InputError(
                "nothing to diagnose from", expected="an image, a note or a finding", run="whydx diagnose --help"
            )
        gathered = self.gather(images, note, present, absent, age, sex)
        workup, found = self.lay_out(gathered.case, gathered.embedding)
        return self.report(workup, found, gathered.findings, k, gathered.warnings)

    def gather(
        self,
        images: Sequence[Path] = (),
        note: str | None = None,
        present: Sequence[str] = (),
        absent: Sequence[str] = (),
        age: float | None = None,
        sex: str | None = None,
    ) -> Gathered:
        """What is known of the patient before anything is concluded; arguments and errors as for `diagnose`."""
        loaded = [load_image(path) for path in images]
        detections = [self.look(image, path) for image, path in zip(loaded, images, strict=True)]
        findings = [self.link_label(f) for d in detections for f in (*d.findings, nothing_found(d))]
        age = next((i.patient_age_y for i in loaded if i.patient_age_y is not None), None) if age is None else age
        findings += self.read_note(note, age) if note else []
        findings += self.stated(present, absent)
        sex = next((i.patient_sex for i in loaded if i.patient_sex in ("F", "M")), None) if sex is None else sex
        warnings = dict.fromkeys(
            w for i, d in zip(loaded, detections, strict=True) for w in (*image_warnings(i), *d.warnings)
        )
        return Gathered(
            case=Case(
                observed=self.observed(findings, detections),
                note=" ".join((note or "").split()),
                age=age,
                sex=sex,
                worded=worded(findings),
            ),
            findings=tuple(findings),
            embedding=detections[0].embedding if detections else None,
            warnings=tuple(warnings),
        )

    # --- from input to a case

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
        curie = NORMAL if finding.label == training_cases.NO_FINDING else LABEL_CURIES[finding.label]
        return replace(finding, concept=self.graph.concept(curie))

    def read_note(self, note: str, age: float | None = None) -> list[Finding]:
        """The concepts a note mentions, one finding each; a note that names none is no error. Measured values of
        a child are left out: the limits are an adult's."""
        found: dict[str, Finding] = {}
        for match in self.linker.link(note, note=True):
            if match.concept.curie not in self.graph or match.presence == "not assessed":
                continue
            if match.method == "measurement" and age is not None and age < ADULT:
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
        nothing = {f.sop_instance_uid: f.probability for f in findings if f.label == training_cases.NO_FINDING}
        for finding in findings:
            if finding.concept is None:
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
        if nothing is None or finding.label == training_cases.NO_FINDING:
            return odds_ratio(p, base[finding.label])
        return finding_odds(p, 1 - nothing, base[finding.label], 1 - base[training_cases.NO_FINDING])

    # --- from a case to a report

    def lay_out(
        self, case: Case, embedding: np.ndarray | None = None, *, leave_out: Sequence[str] = ()
    ) -> tuple[Workup, Retrieved]:
        """Shortlist, search (for all documents but those with the ids ``leave_out``), and hang the branches."""
        shortlist = self.room.shortlist(case, SHORTLIST)
        found = self.search.search(case, [c for c, _ in shortlist], embedding=embedding, leave_out=leave_out)
        return self.room.lay_out(case, shortlist, papers=found.paper_branches, cases=found.case_branches), found

    def report(
        self, workup: Workup, found: Retrieved, findings: Sequence[Finding], k: int, warnings: tuple[str, ...] = ()
    ) -> DiagnosticReport:
        scores = self.scorer.scores(questions(workup))
        calibration = self.calibrations.of(workup.case.worded)
        probabilities = calibration.probabilities(scores)
        members = probabilities >= calibration.conformal_threshold
        ranked = sorted(range(len(scores) - 1), key=lambda i: (-scores[i], workup.candidates[i].curie))
        diagnoses = []
        evidence = self.evidence(workup, found, ranked[:k], scores)
        for rank, i in enumerate(ranked[:k], 1):
            concept = self.graph.concept(workup.candidates[i].curie)
            diagnoses.append(
                Diagnosis(
                    concept=concept,
                    probability=float(probabilities[i]),
                    rank=rank,
                    score=float(scores[i]),
                    evidence=evidence[i],
                    conformal_member=bool(members[i]),
                    with_kinds=self.with_kinds(workup, probabilities, i),
                )
            )
        none = float(probabilities[-1])
        steps = tuple(
            NextStep(disease=d.concept.name, text=s.text, reference=chest.citation(s.reference))
            for d in diagnoses[:3]
            if d.conformal_member
            for s in chest.next_steps(
                [f"{system}:{code}" for system, codes in d.concept.codes.items() for code in codes]
            )
        )
        return DiagnosticReport(
            findings=tuple(findings),
            diagnoses=tuple(diagnoses),
            none_of_these=none,
            set_size=int(members.sum()),
            age=workup.case.age,
            sex=workup.case.sex,
            literature=self.search.papers(workup.case, [d.concept.curie for d in diagnoses[:3]], max(k, LEAST_HITS)),
            cases=found.cases[: max(k, LEAST_HITS)],
            next_steps=steps,
            abstention=abstention(none, probabilities[ranked[0]] if ranked else 0.0, int(members.sum()), len(scores)),
            warnings=warnings,
            provenance=self.provenance(calibration),
        )

    def evidence(
        self, workup: Workup, found: Retrieved, chosen: Sequence[int], scores: np.ndarray
    ) -> dict[int, tuple[Evidence, ...]]:
        """For each chosen candidate, its pieces of evidence by falling absolute weight, ties by reference.

        A branch is masked; a finding is taken out of the case altogether, with its mention, its share of the
        likelihood and all branches that hang on it.
        """
        asked: list[Question] = []
        pieces: list[tuple[int, Branch | Observed]] = []
        for i in chosen:
            candidate = workup.candidates[i]
            for number, branch in enumerate(candidate.branches):
                asked.append(Question(workup=workup, candidate=candidate, removed=(number,)))
                pieces.append((i, branch))
        for observed in workup.case.observed:
            if observed.presence == "uncertain" and observed.odds_ratio in (None, 1.0):
                continue
            case = workup.case.without(observed.curie)
            diseases = [workup.candidates[i].curie for i in chosen]
            features = self.room.features(case, diseases)
            without = self.room.lay_out(
                case, list(zip(diseases, features, strict=True)), papers=found.paper_branches, cases=found.case_branches
            )
            asked += [Question(workup=without, candidate=c) for c in without.candidates[:-1]]
            pieces += [(i, observed) for i in chosen]
        changed = self.scorer.scores(asked)
        out: dict[int, list[Evidence]] = {i: [] for i in chosen}
        for (i, piece), score in zip(pieces, changed, strict=True):
            weight = float(scores[i] - score)
            if abs(weight) < LEAST_WEIGHT:
                continue
            stance: Stance = "supports" if weight > 0 else "contradicts"
            if isinstance(piece, Observed):
                name = self.graph.name(self.graph.node(piece.curie))
                out[i].append(
                    Evidence(
                        kind="finding",
                        reference=piece.curie,
                        text=f"{name}: {piece.presence}",
                        stance=stance,
                        weight=weight,
                    )
                )
            else:
                out[i].append(
                    Evidence(
                        kind=piece.kind,
                        reference=piece.reference,
                        text=piece.shown,
                        stance=stance,
                        weight=weight,
                        path=piece.path,
                    )
                )
        return {i: heaviest(e) for i, e in out.items()}

    def with_kinds(self, workup: Workup, probabilities: np.ndarray, place: int) -> float | None:
        """Probability of the candidate at ``place`` or any kind of it; None when no other candidate is a kind of it."""
        disease, names = workup.candidates[place].curie, [c.curie for c in workup.candidates[:-1]]
        kinds = [i for i, name in enumerate(names) if disease in self.graph.ancestors(name)]
        return float(probabilities[kinds].sum()) if len(kinds) > 1 else None

    def provenance(self, calibration: Calibration) -> dict[str, str]:
        return {
            "graph": self.graph.manifest.sha256,
            "detector": self.detector.fingerprint,
            "reasoner": self.checkpoint.fingerprint,
            "literature": self.search.literature.fingerprint,
            "cases": self.search.cases.fingerprint,
            "calibration": f"{calibration.on} (n = {calibration.n})",
        }


_CERTAINTY = {"not assessed": 0, "uncertain": 1, "absent": 2, "present": 3}


def heaviest(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The pieces to show, by falling absolute weight, ties by kind and reference."""
    ordered = sorted(evidence, key=lambda e: (-abs(e.weight), e.kind, e.reference))
    kept = [e for kind, most in MOST_SHOWN.items() for e in [x for x in ordered if x.kind == kind][:most]]
    return tuple(e for e in ordered if e in kept)


def nothing_found(detection: Detection) -> Finding:
    """That an image shows nothing, as a finding of it."""
    shown = any(f.presence == "present" for f in detection.findings)
    return Finding(
        label=training_cases.NO_FINDING,
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


def abstention(none: float, best: float, members: int, candidates: int) -> str | None:
    """Why no diagnosis is named, or None. A conformal set of more than LARGEST_SET of the shortlist rules out too
    little to be of use."""
    if none > best:
        return f"none of the candidates fits: {none:.0%} for none of these, {best:.0%} for the first"
    if members == 0:
        return "no diagnosis is likely enough to be named at 90 % coverage"
    if members > LARGEST_SET * candidates:
        return f"{members} of {candidates} diagnoses cannot be ruled out at 90 % coverage"
    return None
