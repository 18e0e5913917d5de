"""The trunk and the evidence branches that hang on it.

A branch is one piece of evidence: a path of the knowledge graph, an image region, a sentence of a paper, or a similar
case. It hangs on an anchor: the mention of a finding in the trunk, or the candidate disease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kg.paths import frequency_words
from kg.triple import KGPath
from ontologies.concept import Presence

BranchKind = Literal["kg_path", "image_region", "literature", "case"]
BRANCH_KINDS: tuple[BranchKind, ...] = get_args(BranchKind)
# "disease" as an anchor; any other anchor is the canonical CURIE of a finding.
DISEASE_ANCHOR = "disease"
NONE_OF_THESE = "none of these diseases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A finding in the trunk: canonical CURIE, name, and whether it is there. Only what was assessed is mentioned."""

    curie: str
    name: str
    presence: Presence

    @property
    def text(self) -> str:
        return {"absent": f"no {self.name}", "uncertain": f"possible {self.name}"}.get(self.presence, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the trunk says: mentions in order of importance, the note, age in years, sex ("F" or "M")."""

    mentions: tuple[Mention, ...]
    note: str = ""
    age: float | None = None
    sex: str | None = None

    @property
    def description(self) -> str:
        """ "65-year-old woman", "woman", "65-year-old patient", or "" when neither is known."""
        who = {"F": "woman", "M": "man"}.get(self.sex or "", "patient")
        if self.age is not None and self.age < 18:
            who = {"F": "girl", "M": "boy"}.get(self.sex or "", "child")
        if self.age is None:
            return "" if self.sex is None else who
        return f"{int(self.age)}-year-old {who}" if self.age >= 1 else f"infant {who}"

    def without(self, curie: str) -> Patient:
        """The same patient without one finding."""
        kept = tuple(m for m in self.mentions if m.curie != curie)
        return Patient(mentions=kept, note=self.note, age=self.age, sex=self.sex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One piece of evidence for or against one candidate.

    ``reference`` identifies it in the report; ``shown`` is what the reader sees and ``text`` what BERT reads. An
    image region has an ``embedding`` (float32 (R,), the detector's) and no ``text``. ``share`` (float32 (F,)) is the
    part of the candidate's features that rests on the branch and goes with it: on a knowledge-graph path, what its
    finding adds to them. None: nothing rests on it.
    """

    kind: BranchKind
    anchor: str
    reference: str
    shown: str
    text: str = ""
    embedding: np.ndarray | None = None
    path: KGPath | None = None
    share: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A disease to score: its features (float32 (F,), fusion.workup.FEATURES) and the branches that bear on it.

    The candidate "none of these" has an empty ``curie``.
    """

    curie: str
    name: str
    features: np.ndarray
    branches: tuple[Branch, ...] = ()


def path_branch(path: KGPath, anchor: str, disease: str) -> Branch:
    """A knowledge-graph path as a branch on the finding ``anchor``: K-BERT's relation and tail, without the head that
    it hangs on and without the candidate's name, which the branch sees."""
    words = []
    for triple, inverted in zip(path.triples, path.inverted, strict=True):
        if triple.predicate == "is_a":
            name = triple.subject_name if inverted else triple.object_name
            words.append(("more specifically " if inverted else "a kind of ") + name.lower())
        else:
            seen = f"{frequency_words(triple.frequency)} seen".strip()
            words.append(seen if triple.subject == disease else f"{seen} in {triple.subject_name.lower()}")
    reference = " → ".join(
        [anchor, *(t.subject if i else t.object for t, i in zip(path.triples, path.inverted, strict=True))]
    )
    return Branch(kind="kg_path", anchor=anchor, reference=reference, shown=path.text, text=", ".join(words), path=path)


def order_mentions(mentions: Sequence[Mention], information: dict[str, float]) -> tuple[Mention, ...]:
    """Mentions as the trunk has them: present before uncertain before absent, the most informative first, ties by
    CURIE.

    The order in which findings were given never matters.
    """
    rank = {"present": 0, "uncertain": 1, "absent": 2, "not assessed": 3}
    known = [m for m in mentions if m.presence != "not assessed"]
    return tuple(sorted(known, key=lambda m: (rank[m.presence], -information.get(m.curie, 0.0), m.curie)))
