"""diagnose(): from a patient to a report whose evidence is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fusion import checkpoint as checkpoints
from fusion import next_steps
from fusion.calibration import Calibration
from fusion.diagnosis import Diagnosis, DiagnosticReport
from fusion.evidence_search import EvidenceSearch, Retrieved
from fusion.intake import Gathered, Intake, Patient
from fusion.local import LocalPrior, Sureness, open_linker
from fusion.prior import bedside
from fusion.scorer import Scorer, questions
from fusion.weighing import Scales
from fusion.workup import SHORTLIST, Case, Workup, WorkupRoom
from kg.graph import KnowledgeGraph
from kg.overlay import open_in_use
from ontologies.chest.contraindication import Contraindication
from ontologies.linking import local_words
from ontologies.linking.linker import Linker
from retrieval.cases import Cases
from retrieval.literature import Literature
from vision.detector import Detector
from vision.finding import Finding
from vision.local_head import LocalHead

LEAST_HITS = 3
# Of those that take part. On real notes a set that covers 90 % holds 59 to 100 of 525 diseases on average, and the
# first diagnosis is right in a fifth to a third of the patients whose set holds 60 to 250 (docs/reasoning.md).
LARGEST_SET = 0.5
# Of the shortlist alone, where the rest of the diseases takes no part.
LARGEST_SET_LISTED = 0.75
UNLIKELIER_THAN_NOT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the candidates of a workup stand: ``scores`` and ``probabilities`` float64 (C,), and which belong to the
    conformal set, ``members`` bool (C,), "none of these" last; ``others`` the diseases that are no candidates and
    belong to it all the same (CURIEs, likeliest first), of ``rest`` that there are; ``ranked`` the places of the
    diseases, best first, ties by CURIE; ``best`` the probability of the first or any kind of it, 0 without one."""

    scores: np.ndarray
    probabilities: np.ndarray
    members: np.ndarray
    others: tuple[str, ...]
    rest: int
    ranked: tuple[int, ...]
    best: float
    calibration: Calibration

    @property
    def abstention(self) -> str | None:
        """Why no diagnosis is named, or None. Between a disease and its own kinds nobody has to choose."""
        return abstention(float(self.probabilities[-1]), self.best, self.set_size, len(self.scores) + self.rest)

    @property
    def set_size(self) -> int:
        """How many cannot be ruled out, "none of these" among them."""
        return int(self.members.sum()) + len(self.others)


class Pipeline:
    """Everything ``diagnose`` needs, opened once. Images are looked at only when there are any."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        linker: Linker,
        search: EvidenceSearch,
        detector: Detector,
        checkpoint: checkpoints.Checkpoint,
        prior: LocalPrior | None = None,
        sureness: Sureness | None = None,
    ) -> None:
        self.graph, self.search, self.checkpoint, self.prior = graph, search, checkpoint, prior
        self.sureness = sureness
        evidence, persons = bedside(graph)
        moved = None if prior is None else prior.ratio(graph, evidence.annotations.disease)
        self.room = WorkupRoom(graph, evidence, persons, moved)
        self.intake = Intake(graph, linker, detector, evidence.words)
        shipped = checkpoint.calibration["chest"]
        self.calibrations = shipped if sureness is None else replace(shipped, words=sureness.of(shipped.words))
        self.scorer = Scorer(checkpoint.network, checkpoint.tokenize, calibrations=self.calibrations)
        self.scales = Scales(self.room, self.scorer)

    @classmethod
    def open(cls, home: Path, *, device: str = "cpu") -> Pipeline:
        """Open the graph, the indexes and the models under ``home``; the detector runs on ``device``.

        Raises ArtifactError when one is missing, damaged, or was made for another version of the others, and
        InputError for a device that is not there.
        """
        graph = open_in_use(home)
        detector = Detector.open(device=device, local=home / "local")
        checkpoint = checkpoints.load(detector=detector.manifest["sha256"])
        search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
        prior = LocalPrior.open(home / "local")
        sureness = Sureness.open(home / "local", checkpoint.fingerprint)
        return cls(graph, open_linker(home), search, detector, checkpoint, prior, sureness)

    def diagnose(self, patient: Patient, k: int = 5) -> DiagnosticReport:
        """A report on one patient; ``k`` diagnoses are shown, with their evidence.

        Raises InputError when a finding is unknown or is both present and absent, or an image cannot be read or used.
        """
        return self.conclude(self.intake.gather(patient), k)

    def conclude(self, gathered: Gathered, k: int = 5) -> DiagnosticReport:
        """As ``diagnose``, of a patient whose images and note were read before."""
        workup, found = self.lay_out(gathered.case, gathered.embedding)
        report = self.report(workup, found, gathered.findings, k, gathered.warnings, gathered.past, gathered.refused)
        report = replace(report, measurements=gathered.measurements)
        if (read := gathered.understanding) is None:
            return report
        return replace(report, understood=read.share, unread=read.unread)

    def lay_out(
        self, case: Case, embedding: np.ndarray | None = None, *, leave_out: Sequence[str] = ()
    ) -> tuple[Workup, Retrieved]:
        """Shortlist, search (for all documents but those with the ids ``leave_out``), and hang the branches."""
        shortlist = self.room.shortlist(case, SHORTLIST)
        found = self.search.search(case, [c for c, _ in shortlist], embedding=embedding, leave_out=leave_out)
        return self.room.lay_out(case, shortlist, papers=found.paper_branches, cases=found.case_branches), found

    def standing(self, workup: Workup) -> Standing:
        """The candidates of a workup, scored and ranked."""
        scores = self.scorer.scores(questions(workup))
        calibration = self.calibrations.of(workup.case.worded, workup.case.imaged)
        names = [c.curie for c in workup.candidates[:-1]]
        known = self.room.known(workup.case, names)
        everyone, listed = calibration.with_rest(scores, known), len(names)
        probabilities = np.append(everyone[:listed], everyone[-1])
        beyond = int((everyone[listed:-1] >= calibration.conformal_threshold).sum())  # the rest falls
        ranked = sorted(range(len(scores) - 1), key=lambda i: (-scores[i], workup.candidates[i].curie))
        first = ranked[0] if ranked else None
        best = 0.0 if first is None else self.with_kinds(workup, probabilities, first) or float(probabilities[first])
        return Standing(
            scores=scores,
            probabilities=probabilities,
            best=best,
            members=probabilities >= calibration.conformal_threshold,
            others=self.room.named(self.room.rest(workup.case, names)[0][:beyond]) if beyond else (),
            rest=len(known.rest),
            ranked=tuple(ranked),
            calibration=calibration,
        )

    def report(
        self,
        workup: Workup,
        found: Retrieved,
        findings: Sequence[Finding],
        k: int,
        warnings: tuple[str, ...] = (),
        past: Sequence[str] = (),
        refused: Sequence[Contraindication] = (),
    ) -> DiagnosticReport:
        now = self.standing(workup)
        scores, probabilities, members, ranked = now.scores, now.probabilities, now.members, now.ranked
        diagnoses = []
        evidence = self.scales.weigh(workup, found, ranked[:k], scores)
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
        steps, left_out = next_steps.fitted(diagnoses, findings, past, workup.case.age, self.graph, refused)
        return DiagnosticReport(
            findings=tuple(findings),
            diagnoses=tuple(diagnoses),
            none_of_these=none,
            set_size=now.set_size,
            age=workup.case.age,
            sex=workup.case.sex,
            literature=self.search.papers(workup.case, [d.concept.curie for d in diagnoses[:3]], max(k, LEAST_HITS)),
            cases=found.cases[: max(k, LEAST_HITS)],
            next_steps=steps,
            left_out=left_out,
            abstention=now.abstention,
            warnings=warnings,
            provenance=self.provenance(now.calibration, workup.case),
        )

    def with_kinds(self, workup: Workup, probabilities: np.ndarray, place: int) -> float | None:
        """Probability of the candidate at ``place`` or any kind of it; None when no other candidate is a kind of it."""
        disease, names = workup.candidates[place].curie, [c.curie for c in workup.candidates[:-1]]
        kinds = [i for i, name in enumerate(names) if disease in self.graph.ancestors(name)]
        return float(probabilities[kinds].sum()) if len(kinds) > 1 else None

    @property
    def fingerprints(self) -> dict[str, str]:
        """What the answers depend on: hashes of the graph, the models and the indexes."""
        fitted = (self.intake.detector.local, self.prior, self.sureness)
        local = local_fingerprint(fitted, self.intake.linker.local)
        return local | {
            "graph": self.graph.manifest.sha256,
            "detector": self.intake.detector.fingerprint,
            "anatomy": self.intake.detector.anatomy_fingerprint,
            "reasoner": self.checkpoint.fingerprint,
            "literature": self.search.literature.fingerprint,
            "cases": self.search.cases.fingerprint,
        }

    def provenance(self, calibration: Calibration, case: Case) -> dict[str, str]:
        said = {"calibration": f"{calibration.on} (n = {calibration.n})", "setting": case.setting}
        return self.fingerprints | said


def local_fingerprint(
    fitted: Sequence[LocalHead | LocalPrior | Sureness | None], words: Mapping[str, str]
) -> dict[str, str]:
    """{"local": a hash of what was fitted to this place}; {} where nothing was."""
    texts = [part.text() for part in fitted if part is not None]
    texts += [local_words.text(words)] if words else []
    return {"local": hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]} if texts else {}


def abstention(none: float, best: float, members: int, candidates: int) -> str | None:
    """Why no diagnosis is named, or None: it is more likely than not none of the candidates, or the conformal set is
    empty or of more than LARGEST_SET of those that take part (LARGEST_SET_LISTED of a shortlist alone), which rules out
    too little to be of use."""
    if none > max(best, UNLIKELIER_THAN_NOT):
        return f"none of the candidates fits: {none:.0%} for none of these, {best:.0%} for the first"
    if members == 0:
        return "no diagnosis is likely enough to be named at 90 % coverage"
    if members > (LARGEST_SET if candidates > SHORTLIST + 1 else LARGEST_SET_LISTED) * candidates:
        return f"{members} of {candidates} diagnoses cannot be ruled out at 90 % coverage"
    return None
