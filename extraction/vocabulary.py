"""What of the graph may stand at the ends of a relation, and what the graph already says of a pair."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import numpy as np

from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest

PHENOTYPE = "HP:0000118"  # what lies below it in HPO is a finding; beside it stand modifiers, onset, inheritance
# "new": the graph does not say it; "narrower": it says a wider finding of the disease; "known": it says the finding or
# something below it; "contradicts": it says the opposite.
Standing = Literal["new", "narrower", "known", "contradicts"]
LEAST_INFORMATION = 2.0  # nats; what more than an eighth of the diseases show says little
# HPO's groups ("Abnormality of the skin") gather findings and are seldom one; only narrow ones are.
_GROUP, _LEAST_OF_GROUP = re.compile(r"(?:Functional )?abnormal(?:ity|ities)?\b", re.IGNORECASE), 5.0
# What was done to a patient is a treatment; the chest layer has some among what a patient may have had.
_BY_TREATMENT = ("CHEST:support-device", "HP:0020174")  # HP:0020174: refractory drug response
_WORD = re.compile(r"[^\W_]+")
_HAD = ("context", "normal")  # kinds of findings of the chest layer
_OF_A_PERSON = ("context", "course")
# What a name of the chest layer says beside the thing itself: what it goes with, and where it is.
_BESIDE = re.compile(r"\b(?:with|of|after|from|in|at|during|without|on)\b(.*)", re.IGNORECASE)
_HOW_SEEN = frozenset(("imaging", "radiograph", "radiography", "film", "scan"))
_IN_CHEST = re.compile(r"\b(?:pulmon|lung|thora|pleur|chest)\w*", re.IGNORECASE)
_CHEST_WORDS = re.compile(
    r"pulmon|lung|thora|pleur|chest|bronch|respirat|mediastin|alveol|hilar|intercost|cardi|heart|trache|aspirat",
    re.IGNORECASE,
)
_ROOT = 5  # letters by which words are compared
_DONE = re.compile(
    r"\b(?:treatment|therapy|use|device|surgery|radiotherapy|chemotherapy|transplant\w*|drugs?|ventilation|transfusion|"
    r"vaccin\w+|catheter|intubation|resection|operation|prosthe\w+|pacemaker|line|tube|injection|anticoagulant|"
    r"immunosuppression|\w+(?:ectomy|otomy|plasty))\b",
    re.IGNORECASE,
)


class Vocabulary:
    """Over the curated graph. Diseases are those that are annotated, without groups of the chest layer."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.annotations = AnnotationMatrix.open(graph.path)
        self._row = {int(node): row for row, node in enumerate(self.annotations.disease)}
        layer = chest.load()
        groups = {graph.node(d.id) for d in layer.diseases if d.commonness == "group" and d.id in graph}
        self.chest = {graph.node(d.id) for d in layer.diseases if d.id in graph} - groups
        self._groups = groups
        indptr, above = graph.closure
        below = np.flatnonzero(np.isin(above, [graph.node(PHENOTYPE)])) if PHENOTYPE in graph else np.zeros(0, int)
        shown = np.unique(self.annotations.direct_term)
        self._findings = frozenset((np.searchsorted(indptr, below, side="right") - 1).tolist()) | frozenset(
            shown.tolist()
        )
        done = [f.id for f in layer.findings if f.kind in _HAD and _DONE.search(f.name)] + list(_BY_TREATMENT)
        self._findings -= {graph.node(curie) for curie in done if curie in graph}
        self._layer = {graph.node(f.id) for f in layer.findings if f.id in graph}
        self._personal = {graph.node(f.id) for f in layer.findings if f.kind in _OF_A_PERSON and f.id in graph}
        subject, excluded, _ = graph.all_edges("excludes_phenotype")
        self._excluded: dict[int, set[int]] = {}
        for s, o in zip(subject.tolist(), excluded.tolist(), strict=True):
            self._excluded.setdefault(s, set()).add(o)
        self.is_finding = lru_cache(maxsize=1 << 16)(self._finds)
        self.node = lru_cache(maxsize=1 << 16)(self._node)
        self._words = lru_cache(maxsize=1 << 16)(lambda node: frozenset(_WORD.findall(graph.name(node).lower())))
        self._above = lru_cache(maxsize=1 << 16)(lambda node: frozenset(graph.ancestor_nodes(node).tolist()))

    def _node(self, curie: str) -> int | None:
        return self.graph.node(curie) if curie in self.graph else None

    def is_disease(self, node: int) -> bool:
        return node in self._row and node not in self._groups

    def is_personal(self, node: int) -> bool:
        """Whether it is what the chest layer asks of a person (exposures, origins, a history, the course): its words
        are those of notes, and in a paper they mean something else."""
        return node in self._personal

    def says_more(self, node: int, written: str, sentence: str) -> bool:
        """Whether a concept of the chest layer says more than ``written`` and ``sentence`` do: the layer reads
        "zoster" as that of the thorax, which is right in a note on a chest and not in any paper."""
        if node not in self._layer and node not in self.chest:
            return False
        name = self.graph.name(node)
        words = sentence.lower()
        beside = _BESIDE.search(name)
        if beside and not _BESIDE.search(written):
            own = [w for w in _WORD.findall(beside[1].lower()) if len(w) > 3 and w not in _HOW_SEEN]
            if own and not any(w[:_ROOT] in words for w in own):
                return True
        place = _IN_CHEST.search(name)
        return bool(place and not _IN_CHEST.search(written) and not _CHEST_WORDS.search(words))

    def _finds(self, node: int) -> bool:
        """Whether a node may be the finding of a relation."""
        if node not in self._findings:
            return False
        group = node not in self._layer and _GROUP.match(self.graph.name(node))
        return float(self.graph.information[node]) >= (_LEAST_OF_GROUP if group else LEAST_INFORMATION)

    def related(self, one: int, other: int) -> bool:
        """Whether one of two nodes is the other or above it."""
        return one in self._above(other) or other in self._above(one)

    def restates(self, one: int, other: int) -> bool:
        """Whether the name of one of two nodes holds all words of the other's ("history of lung cancer")."""
        first, second = self._words(one), self._words(other)
        return first <= second or second <= first

    def annotated(self, disease: int) -> int:
        """How many findings are curated for a disease."""
        row, indptr = self._row[disease], self.annotations.direct_indptr
        return int(indptr[row + 1] - indptr[row])

    def above(self, node: int) -> frozenset[int]:
        """The node and all above it."""
        return self._above(node)

    def frequency(self, disease: int, finding: int) -> float | None:
        """The curated share of patients with the finding or anything below it; None when it is not annotated."""
        row = self._row.get(disease)
        known = 0.0 if row is None else self.annotations.frequency_of(row, finding)
        return known or None

    def excludes(self, disease: int, finding: int) -> bool:
        """Whether the graph says that the disease does not show the finding or something above it."""
        return not self._excluded.get(disease, set()).isdisjoint(self._above(finding))

    def standing(self, disease: int, finding: int, *, excluded: bool = False) -> Standing:
        """Where a mined pair stands beside what is curated; ``excluded``: it was read as not shown."""
        shown = self.frequency(disease, finding) is not None
        denied = self.excludes(disease, finding)
        if excluded:
            return "contradicts" if shown else "known" if denied else "new"
        if denied and not shown:
            return "contradicts"
        if shown:
            return "known"
        row = self._row[disease]
        own = self.annotations.direct_term[
            self.annotations.direct_indptr[row] : self.annotations.direct_indptr[row + 1]
        ]
        return "narrower" if not self._above(finding).isdisjoint(own.tolist()) else "new"
