"""What the reasoner learns from: simulated patients, published patients and imaged cases, as examples without end.

An example is a case with the true disease, a few wrong ones and "none of these". The wrong ones come from the
graph's shortlist: its mistakes are the hard negatives. In one case of eight the true disease is left out, and
"none of these" is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fusion.evidence_search import EvidenceSearch
from fusion.patients import in_validation, read_cases, to_case
from fusion.prior import NORMAL
from fusion.training.simulator import PatientSimulator
from fusion.workup import Case, Observed, Workup, WorkupRoom
from kg.graph import KnowledgeGraph

SHORTLIST = 20
NEGATIVES = 7
LEFT_OUT = 1 / 8
NOTED = 0.4
# The share of simulated chest patients who have no acute disease.
NORMAL_DRAWN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A laid-out case and the position of the right candidate in ``workup.candidates`` (the last is "none of
    these")."""

    workup: Workup
    truth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagedCase:
    """A training image of the detector, without its pixels: region embeddings by node of its labels, and what networks
    that did not see its patient say of every node. ``leave_out``: the images of its fold, its patient's among them,
    which must not be found as similar cases."""

    leave_out: tuple[str, ...]
    disease: str
    positive: dict[int, np.ndarray]
    age: float | None
    sex: str | None
    detected: dict[int, Observed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A case drawn for training: candidates come from ``within`` (bool (D,); None: every disease), and documents
    named in ``leave_out`` must not be found. ``rng`` goes on where the draw stopped."""

    case: Case
    truth: str
    within: np.ndarray | None
    leave_out: tuple[str, ...]
    rng: np.random.Generator


class Curriculum:
    """Examples without end, example ``i`` always the same for the same seed: a killed training resumes where it was.

    ``room`` knows how common chest diseases are; ``flat``, for patients of rare diseases, holds all diseases equally
    likely. ``sources`` maps a name ("published", "rare", "chest", "imaged") to its share of the examples.
    """

    def __init__(
        self,
        room: WorkupRoom,
        flat: WorkupRoom,
        *,
        cases: Path | None,
        chest: Sequence[str] = (),
        imaged: Sequence[ImagedCase] = (),
        imaging: dict[int, np.ndarray] | None = None,
        separation: dict[int, float] | None = None,
        search: EvidenceSearch | None = None,
        validation: bool = False,
        seed: int = 0,
    ) -> None:
        self.room, self.flat, self.search, self.imaged = room, flat, search, list(imaged)
        self.validation, self.seed = validation, seed
        evidence, graph = room.evidence, room.graph
        if evidence is None:
            raise ValueError("a curriculum draws chest patients, by the weight of evidence")
        self.disease = room.disease
        self.rare_within = evidence.rows_with_code("OMIM")
        held_out = {c: in_validation(c) for c in graph.codes_in("OMIM")}
        node_held_out = {graph.node(c): out for c, out in held_out.items()}
        self.rare = np.array(
            [r for r in np.flatnonzero(self.rare_within) if node_held_out[int(self.disease[r])] == validation]
        )
        self.chest = np.searchsorted(self.disease, [graph.node(c) for c in chest]) if len(chest) else np.zeros(0, int)
        # As often as in a clinic, or what is common would be worth less than it is. The normal film has its images.
        share = np.exp(evidence.prior[self.chest])
        normal = self.disease[self.chest] == (graph.node(NORMAL) if NORMAL in graph else -1)
        share[normal] = NORMAL_DRAWN / (1 - NORMAL_DRAWN) * share[~normal].sum()
        self.chest_share = share / share.sum()
        self.published: dict[str, list[Case]] = {}
        for row in read_cases(cases) if cases else ():
            if in_validation(row.disease) == validation and row.disease in graph:
                case, _ = to_case(row, graph)
                if any(o.presence == "present" for o in case.observed):
                    self.published.setdefault(graph.resolve(row.disease), []).append(case)
        # Between the mix of the image sets, which is no clinic's, and every diagnosis alike.
        of_disease = Counter(image.disease for image in self.imaged)
        drawn = np.array([of_disease[image.disease] ** -0.5 for image in self.imaged])
        self.imaged_share = drawn / drawn.sum() if self.imaged else drawn
        self.simulator = PatientSimulator(graph, evidence.annotations, imaging, separation)
        shares = {
            "published": 0.25 * bool(self.published),
            "rare": 0.1,
            "chest": 0.45 * bool(len(self.chest)),
            "imaged": 0.2 * bool(self.imaged),
        }
        total = sum(shares.values())
        self.sources = {name: share / total for name, share in shares.items() if share}

    def draw(self, i: int, source: str | None = None) -> Drawn | None:
        """Case ``i`` (of one source, if named); None when it has nothing to reason from."""
        rng = np.random.default_rng([self.seed, i])
        drawn = str(rng.choice(list(self.sources), p=list(self.sources.values())))
        source = source or drawn
        graph, within = self.room.graph, None
        leave_out: tuple[str, ...] = ()
        if source == "published":
            truth = str(rng.choice(sorted(self.published)))
            case, within = self.published[truth][int(rng.integers(len(self.published[truth])))], self.rare_within
        elif source == "rare":
            row = int(rng.choice(self.rare))
            truth, case, within = graph.curie(int(self.disease[row])), self.simulator.draw(row, rng), self.rare_within
        elif source == "chest":
            row = int(rng.choice(self.chest, p=self.chest_share))
            truth = graph.curie(int(self.disease[row]))
            imaged = bool(self.simulator.imaging) and rng.random() < 0.7
            case = self.simulator.draw(row, rng, imaged=imaged, others=self.chest)
            if rng.random() < NOTED:
                case = replace(case, note=self.note(case))
        else:
            # Validation meets each image once before it meets one again.
            at = i % len(self.imaged) if self.validation else int(rng.choice(len(self.imaged), p=self.imaged_share))
            image = self.imaged[at]
            truth, case, leave_out = image.disease, self._image_case(image), image.leave_out
        return Drawn(case=case, truth=truth, within=within, leave_out=leave_out, rng=rng) if case.observed else None

    def example(self, i: int, source: str | None = None) -> Example | None:
        """Case ``i`` as a training example: the true disease, a few wrong ones from the shortlist, and "none of
        these"."""
        if (drawn := self.draw(i, source)) is None:
            return None
        chosen, truth = self.choose(drawn, NEGATIVES)
        return Example(workup=self.lay_out(drawn, chosen), truth=truth)

    def choose(self, drawn: Drawn, most: int) -> tuple[list[tuple[str, np.ndarray]], int]:
        """At most ``most`` wrong diseases of the shortlist and the true one, with their features, and the position of
        the right answer: the last of these, or one further, "none of these", when the true disease was left out."""
        wrong = [entry for entry in self.shortlist(drawn) if entry[0] not in related(self.room.graph, drawn.truth)]
        chosen = []
        if wrong:
            # The graph's best mistakes are met most often.
            weights = 1 / np.arange(2, len(wrong) + 2)
            picked = drawn.rng.choice(len(wrong), min(most, len(wrong)), replace=False, p=weights / weights.sum())
            chosen = [wrong[i] for i in sorted(picked)]
        if drawn.rng.random() < LEFT_OUT:
            return chosen, len(chosen)
        chosen.append((drawn.truth, self.room_of(drawn).features(drawn.case, [drawn.truth])[0]))
        return chosen, len(chosen) - 1

    def room_of(self, drawn: Drawn) -> WorkupRoom:
        return self.room if drawn.within is None else self.flat

    def shortlist(self, drawn: Drawn) -> list[tuple[str, np.ndarray]]:
        return self.room_of(drawn).shortlist(drawn.case, SHORTLIST, drawn.within)

    def lay_out(self, drawn: Drawn, chosen: Sequence[tuple[str, np.ndarray]]) -> Workup:
        """The case with these candidates; only chest cases are searched for in the chest literature."""
        search = self.search if drawn.within is None else None
        found = search.search(drawn.case, [c for c, _ in chosen], leave_out=drawn.leave_out) if search else None
        papers, cases = (found.paper_branches, found.case_branches) if found else (None, None)
        return self.room_of(drawn).lay_out(drawn.case, chosen, papers=papers, cases=cases)

    def note(self, case: Case) -> str:
        """What was stated of the patient, as a note would say it: a detector's findings are not in it."""
        said = {
            presence: [
                self.room.graph.name(self.room.graph.node(o.curie)).lower()
                for o in case.observed
                if o.presence == presence and o.odds_ratio is None
            ]
            for presence in ("present", "absent")
        }
        sentences = [", ".join(said["present"]), "no " + " or ".join(said["absent"]) if said["absent"] else ""]
        return ". ".join(filter(None, sentences))

    def _image_case(self, image: ImagedCase) -> Case:
        observed = []
        for node in sorted(self.simulator.imaging.keys() & image.detected.keys()):  # the others are not assessed
            seen, own = image.detected[node], image.positive.get(node)
            observed.append(replace(seen, region=own) if seen.presence == "present" and own is not None else seen)
        return Case(observed=tuple(observed), age=image.age, sex=image.sex, worded=False)


def related(graph: KnowledgeGraph, disease: str) -> frozenset[str]:
    """The disease, what it is a kind of, and all its kinds: not wrong answers. An image labelled "pneumonia" may
    show a pneumonia of any cause."""
    kinds: set[int] = set()
    above = [graph.node(disease)]
    while above:
        below = {int(n) for n in graph.neighbours(above.pop(), "is_a", inverse=True)} - kinds
        kinds |= below
        above += below
    return frozenset({disease, *graph.ancestors(disease), *(graph.curie(n) for n in kinds)})
