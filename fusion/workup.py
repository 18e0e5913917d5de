"""The workup of a case: everything gathered about it before the reasoner speaks.

One way of laying out a case serves training, evaluation and ``diagnose``: findings become observations for the
likelihood and mentions for the trunk; candidates get their knowledge-graph paths, image regions, papers and similar
cases as branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from fusion.branch import (
    NONE_OF_THESE,
    Branch,
    Candidate,
    Mention,
    Patient,
    order_mentions,
    path_branch,
)
from fusion.calibration import Known
from fusion.local import missing
from fusion.prior import NORMAL, Persons
from kg.graph import KnowledgeGraph
from kg.likelihood import Observation
from kg.paths import PathFinder
from kg.ranker import Ranker
from kg.weight_of_evidence import FEATURES as PATIENT_FEATURES
from kg.weight_of_evidence import Said, Settings, WeightOfEvidence
from ontologies.chest.people import Setting
from ontologies.concept import Presence

# What is known of a candidate before anything is read: what the findings and the person weigh, or in a room with a
# ranker its score alone; and for "no acute disease", once an image was looked at as a whole, ln of how that changed its
# odds, and 1.
FEATURES = (*PATIENT_FEATURES, "ranker", "unremarkable", "looked")
PRIOR, WORDS, RANKER, UNREMARKABLE, LOOKED = map(FEATURES.index, ("prior", "words", "ranker", "unremarkable", "looked"))
# Who writes of a patient chose one worth writing of, so that behind words the prior counts for less; behind an image it
# counts whole.
PRIOR_OF_IMAGES = 1 / Settings().weights[PRIOR]
# A note beside an image says again what the image shows, and little of the patient: its words count for less than those
# of a note alone (`python -m benchmarks.chest.beside`).
WORDS_BESIDE_IMAGES = 0.35
# The odds of a stated "normal radiograph", and of the surest detector.
_SUREST = 1000.0
SHORTLIST = 20  # candidates that are laid out
LEAST_PRIOR = -15.0  # ln; below it are rows that only gather others, and diseases elsewhere
MAX_PRESENT_PATHS, MAX_ABSENT_PATHS, MAX_REGIONS, MAX_PAPERS, MAX_CASES = 6, 2, 3, 2, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A finding of the case. ``odds_ratio`` as in kg.likelihood.Observation; None derives it from ``presence``.

    ``region`` is the detector's embedding of the place where an image shows it (float32 (R,)), ``region_ref`` its name.
    """

    curie: str
    presence: Presence
    odds_ratio: float | None = None
    region: np.ndarray | None = None
    region_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A sentence of the note, as far as its words count (`kg.note_words`): ``words`` holds stems and the words as they
    stand; ``meaning`` is the encoder's vector of these words (float32 (dimension,)); ``reference`` is where it stands,
    "note:START-END" (characters)."""

    reference: str
    words: tuple[tuple[str, str], ...]
    meaning: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a patient, one entry a concept. Curies are canonical.

    ``worded``: whether words say something of the patient, and not images alone. It stays when findings are taken
    away or added to ask what they weigh. ``imaged``: whether images were looked at. ``setting``: the place, which has
    to do with how common diseases are.
    ``passages``: the note's sentences, without what it denies or doubts.
    """

    observed: tuple[Observed, ...]
    note: str = ""
    age: float | None = None
    sex: str | None = None
    worded: bool = True
    imaged: bool = False
    setting: Setting = "neutral"
    passages: tuple[Passage, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """The words of the note that count, each once, in its order."""
        return tuple(dict.fromkeys(stem for passage in self.passages for stem, _ in passage.words))

    @property
    def said(self) -> Said:
        """The words of the note that count, one by one and as a whole."""
        meanings = [passage.meaning for passage in self.passages if passage.meaning is not None]
        heard = WORDS_BESIDE_IMAGES if self.imaged else 1.0
        return Said(self.stems, np.sum(meanings, axis=0) if meanings else None, heard)

    def without(self, piece: str) -> Case:
        """The same case without one finding (a CURIE) and all that hangs on it, or without its "age" or "sex", or
        without the words of a passage (its reference)."""
        if piece == "age":
            return replace(self, age=None)
        if piece == "sex":
            return replace(self, sex=None)
        if any(p.reference == piece for p in self.passages):
            return replace(self, passages=tuple(p for p in self.passages if p.reference != piece))
        return replace(self, observed=tuple(o for o in self.observed if o.curie != piece))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workup:
    """A case laid out: the trunk, and the candidates in the graph's order, "none of these" last. ``ranked``: they are
    scored by the ranker, not by the likelihood's features."""

    case: Case
    patient: Patient
    candidates: tuple[Candidate, ...]
    information: float
    ranked: bool = False


def observations(case: Case) -> tuple[Observation, ...]:
    """The findings as the likelihood takes them; what was not assessed says nothing, nor does an uncertain finding.

    That an image shows nothing (`unremarkable`) is not among them: it is no finding.
    """
    odds = [(o.curie, _odds(o)) for o in case.observed if o.curie != NORMAL]
    return tuple(Observation(curie=c, odds_ratio=x) for c, x in odds if x != 1.0)


def unremarkable(case: Case) -> float | None:
    """ln of how the odds that the image shows nothing acute were changed by looking at it as a whole, within ± ln 1000;
    None when nobody looked."""
    said = [_odds(o) for o in case.observed if o.curie == NORMAL]
    return float(np.log(np.clip(said[0], 1 / _SUREST, _SUREST))) if said else None


def _odds(observed: Observed) -> float:
    stated = {"present": float("inf"), "absent": 0.0}
    return stated.get(observed.presence, 1.0) if observed.odds_ratio is None else observed.odds_ratio


class WorkupRoom:
    """Lays out cases over one graph; holds what is costly to make.

    ``judge`` says what the graph makes of the diseases: the weight of evidence, with what ``persons`` know of age and
    sex, in front of a patient; or a ranker of published patients. ``local`` float64 (D,): by how much (ln) the prior of
    each disease moves in the setting "local"; None where nothing is learnt of it.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        judge: WeightOfEvidence | Ranker,
        persons: Persons | None = None,
        local: np.ndarray | None = None,
    ) -> None:
        self.graph, self.persons, self.paths, self.local = graph, persons, PathFinder(graph), local
        self.evidence = judge if isinstance(judge, WeightOfEvidence) else None
        self.ranker = judge if isinstance(judge, Ranker) else None
        self.disease = judge.annotations.disease
        self._best_path = lru_cache(maxsize=1 << 14)(partial(self.paths.explain, k=1))  # a case is laid out many times
        self._elsewhere = np.array([], np.int64) if self.evidence is None else self.evidence.unlisted
        self._chest = np.zeros(len(self.disease), bool) if self.evidence is None else self.evidence.prior > LEAST_PRIOR

    def patient(self, case: Case) -> Patient:
        graph = self.graph
        nodes = {o.curie: graph.node(o.curie) for o in case.observed if o.curie != NORMAL}
        mentions = [
            Mention(curie=o.curie, name=graph.name(nodes[o.curie]), presence=o.presence)
            for o in case.observed
            if o.curie in nodes
        ]
        information = {c: float(graph.information[n]) for c, n in nodes.items()}
        return Patient(mentions=order_mentions(mentions, information), note=case.note, age=case.age, sex=case.sex)

    def _path_branches(self, patient: Patient, disease: str) -> list[Branch]:
        found = []
        for presence, most in (("present", MAX_PRESENT_PATHS), ("absent", MAX_ABSENT_PATHS)):
            best = []
            for mention in patient.mentions:
                # An absent finding speaks against a disease only where the disease itself is annotated with it.
                # That the candidate itself was seen or named is no path to it.
                if mention.presence != presence or mention.curie == disease:
                    continue
                paths = self._best_path(mention.curie, disease)
                if paths and (presence == "present" or len(paths[0].triples) == 1):
                    best.append((-paths[0].score, mention.curie, paths[0]))
            best.sort(key=lambda b: b[:2])
            found += [path_branch(path, curie, disease) for _, curie, path in best[:most]]
        return found

    def _shared_out(
        self, case: Case, diseases: Sequence[tuple[str, np.ndarray]], paths: Sequence[list[Branch]]
    ) -> list[list[Branch]]:
        """The path branches of each disease with their shares: its features less those it would have without the
        finding that the path explains."""
        names = [curie for curie, _ in diseases]
        without = {a: self.features(case.without(a), names) for a in sorted({b.anchor for own in paths for b in own})}
        return [
            [replace(b, share=features - without[b.anchor][i]) for b in own]
            for i, ((_, features), own) in enumerate(zip(diseases, paths, strict=True))
        ]

    @staticmethod
    def _region_branches(case: Case) -> list[Branch]:
        seen = [o for o in case.observed if o.region is not None and o.presence == "present"]
        seen.sort(key=lambda o: (-(o.odds_ratio or 0.0), o.curie))
        return [
            Branch(
                kind="image_region",
                anchor=o.curie,
                reference=o.region_ref,
                shown=f"{o.region_ref.partition('@')[0]} on the image",
                embedding=o.region,
            )
            for o in seen[:MAX_REGIONS]
        ]

    def information(self, case: Case) -> float:
        """Information content (nats) of the present findings together, weighted by how sure they are."""
        total = 0.0
        for o in observations(case):
            if o.odds_ratio > 1:
                total += self.graph.information_content(o.curie) * (
                    1.0 if np.isinf(o.odds_ratio) else 1 - 1 / o.odds_ratio
                )
        return total

    def known(self, case: Case, listed: Sequence[str]) -> Known:
        """How much is known, beside the candidates ``listed`` (CURIEs); of images alone nothing is said of other
        diseases."""
        elsewhere, rest = 0.0, np.zeros(0)
        if self.evidence is not None and case.worded:
            if len(self._elsewhere):
                features = self.weigh(case, self._elsewhere)
                features[:, PRIOR] = 0.0
                elsewhere = float(self.evidence.scores(features).max())
            rest = self.rest(case, listed)[1]
        present = sum(o.odds_ratio > 1 for o in observations(case))
        return Known(present=present, words=len(case.stems), elsewhere=elsewhere, rest=rest)

    def rest(self, case: Case, listed: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of ``disease`` (int (R,)) and scores (float64 (R,)), best first, of the diseases of the chest that are
        not ``listed`` (CURIEs)."""
        within = self._chest.copy()
        within[np.searchsorted(self.disease, [self.graph.node(curie) for curie in listed])] = False
        return self.order(case, within)

    def named(self, rows: np.ndarray) -> tuple[str, ...]:
        """The CURIEs of some rows of ``disease``, in their order."""
        return tuple(self.graph.curie(int(self.disease[row])) for row in rows)

    def features(self, case: Case, diseases: Sequence[str]) -> np.ndarray:
        """float32 (len(diseases), F): FEATURES of some diseases (canonical CURIEs)."""
        rows = np.searchsorted(self.disease, [self.graph.node(d) for d in diseases])
        out = self._features(case, rows)
        for i, disease in enumerate(diseases):
            self._look(case, disease, out[i])
        return out

    def _features(self, case: Case, rows: np.ndarray) -> np.ndarray:
        """float32 (len(rows), F), before the image as a whole is looked at."""
        out = np.zeros((len(rows), len(FEATURES)), np.float32)
        if self.ranker is not None:
            out[:, RANKER] = self.ranker.scores(observations(case), rows, age=case.age, sex=case.sex)
        elif self.evidence is not None:
            out[:, :RANKER] = self.weigh(case, rows)
        return out

    def weigh(self, case: Case, rows: np.ndarray) -> np.ndarray:
        """float64 (len(rows), 5): what findings, prior, person and words weigh."""
        assert self.evidence is not None
        out = self.evidence.features(observations(case), rows, self._person(case), case.said)
        if case.setting == "local":
            if self.local is None:
                raise missing()
            out[:, PRIOR] += self.local[rows]
        if case.imaged or not case.worded:
            out[:, PRIOR] *= PRIOR_OF_IMAGES
        return out

    def words_for(self, disease: str, passage: Passage) -> list[str]:
        """The words of a passage as they stand, those first that weigh most for a disease, ties in their order."""
        if self.evidence is None:
            return []
        row = int(np.searchsorted(self.disease, self.graph.node(disease)))
        weight = self.evidence.words.weight
        return [word for _, word in sorted(passage.words, key=lambda w: -float(weight(w[0])[row]))]

    def words_of(self, case: Case, diseases: Sequence[str]) -> dict[str, np.ndarray]:
        """Passage → float64 (len(diseases),): the part of the words' feature that goes when the passage is taken
        away."""
        if self.evidence is None:
            return {}
        rows = np.searchsorted(self.disease, [self.graph.node(d) for d in diseases])
        whole = self.evidence.text(case.said, rows)
        return {
            reference: whole - self.evidence.text(case.without(reference).said, rows)
            for reference in (passage.reference for passage in case.passages)
        }

    def _person(self, case: Case) -> np.ndarray | None:
        return None if self.persons is None else self.persons.ratio(case.age, case.sex, case.setting)

    @staticmethod
    def _look(case: Case, disease: str, features: np.ndarray) -> None:
        """Write what the whole image says into the features of "no acute disease"."""
        said = unremarkable(case)
        if disease == NORMAL and said is not None:
            features[[UNREMARKABLE, LOOKED]] = said, 1.0

    def order(self, case: Case, within: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of ``disease`` by falling score, ties by CURIE, and their scores: of all that are annotated (or are
        ``within``, bool (D,)), or of the ranker's pool."""
        if self.ranker is not None:
            rows = self.ranker.pool(observations(case), within)
            scores = self.ranker.scores(observations(case), rows, age=case.age, sex=case.sex)
        elif self.evidence is not None:
            rows = np.arange(len(self.disease)) if within is None else np.flatnonzero(within)
            scores = self.evidence.scores(self.weigh(case, rows))
        best = np.argsort(-scores, kind="stable")
        return rows[best], scores[best]

    def shortlist(self, case: Case, k: int, within: np.ndarray | None = None) -> list[tuple[str, np.ndarray]]:
        """The graph's ``k`` best diseases with their features (float32 (F,)), best first; ``within`` as for `order`.
        Where an image was looked at as a whole, "no acute disease" is always one of them."""
        rows = self.order(case, within)[0][:k]
        listed = list(self.named(rows))
        if self.ranker is None and unremarkable(case) is not None and NORMAL not in listed:
            listed[-1:] = [NORMAL]
        return list(zip(listed, self.features(case, listed), strict=True))

    def bare(self, case: Case, diseases: Sequence[tuple[str, np.ndarray]]) -> Workup:
        """The case with these candidates and "none of these", without any branch: what the graph's score needs."""
        listed = [*diseases, ("", np.zeros(len(FEATURES), np.float32))]
        return Workup(
            case=case,
            patient=self.patient(case),
            candidates=tuple(Candidate(curie=c, name="", features=f) for c, f in listed),
            information=self.information(case),
            ranked=self.ranker is not None,
        )

    def lay_out(
        self,
        case: Case,
        diseases: Sequence[tuple[str, np.ndarray]],
        *,
        papers: Mapping[str, Sequence[Branch]] | None = None,
        cases: Mapping[str, Sequence[Branch]] | None = None,
    ) -> Workup:
        """Hang the branches on the trunk. ``papers`` and ``cases`` map a disease to its literature and case
        branches."""
        patient, regions = self.patient(case), self._region_branches(case)
        paths = self._shared_out(case, diseases, [self._path_branches(patient, curie) for curie, _ in diseases])
        candidates = []
        for (curie, features), own in zip(diseases, paths, strict=True):
            branches = [*own, *regions]
            branches += (
                list((papers or {}).get(curie, ()))[:MAX_PAPERS] + list((cases or {}).get(curie, ()))[:MAX_CASES]
            )
            name = self.graph.name(self.graph.node(curie))
            candidates.append(Candidate(curie=curie, name=name, features=features, branches=tuple(branches)))
        candidates.append(
            Candidate(
                curie="", name=NONE_OF_THESE, features=np.zeros(len(FEATURES), np.float32), branches=tuple(regions)
            )
        )
        return Workup(
            case=case,
            patient=patient,
            candidates=tuple(candidates),
            information=self.information(case),
            ranked=self.ranker is not None,
        )
