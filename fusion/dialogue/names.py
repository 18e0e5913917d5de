"""The diseases and findings that a question names: by place ("the second"), pronoun, name, or what the linker reads."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from Stemmer import Stemmer

from errors import InputError
from fusion.why.explainer import Explainer
from ontologies.concept import Presence
from ontologies.linking.linker import ConceptMatch, Linker
from ontologies.linking.unread import understanding

_ARTICLE = re.compile(
    r"^(?:(?:an?|the|any|some|his|her|their|this|that|your|possibly|maybe|perhaps|really|of|rather)\s+)+", re.I
)
_CASE_OF = re.compile(r"^(?:(?:case|diagnosis|kind|form|possibility|evidence) of\s+)", re.I)
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PLACE = re.compile(
    rf"(?:({'|'.join(_PLACES)})|(?:number|no\.?|rank|#)\s*(\d+))(?: (?:one|diagnosis|place|candidate|disease))?", re.I
)
_SECOND = re.compile(
    r"runner-?up|second[- ]best|second most likely|next (?:best|likeliest)(?: (?:one|diagnosis))?", re.I
)
_LAST = re.compile(
    r"(?:last|least likely|lowest)(?: (?:one|diagnosis|candidate|disease))?(?: on (?:the|your) list)?", re.I
)
_FIRST = re.compile(r"(?:most likely|likeliest|leading|top|main)(?: (?:one|diagnosis|candidate|disease))?", re.I)
_IT = re.compile(r"|it|this|that|so|one|him|her|diagnosis|disease|disease you name|ones?", re.I)
_GONE = re.compile(
    r"\b(?:no|not|without|never|neither|nor|absent|gone|missing|negative|lacking|denied|denies|normal|resolved"
    r"|free of)\b",
    re.I,
)
_AFTER = re.compile(
    r"\b(?:absent|gone|missing|negative|not (?:there|present|seen|found|so)|no longer (?:there|present))$", re.I
)
_UNKNOWN = re.compile(
    r"\b(?:not (?:know|known|assess(?:ed)?|look(?:ed)?|ask(?:ed)?|mention(?:ed)?|test(?:ed)?"
    r"|been (?:looked|asked|assessed))"
    r"|unknown|unclear|uncertain|ignor\w*|disregard\w*|le(?:ft|ave|aving) out|forg[eo]t\w*|tak\w+ away|remov\w+)\b",
    re.I,
)
_AGE = re.compile(
    r"(?:were|was|is|be|had been|been|aged?|only)\s+(?:a\s+|an\s+)?(?:aged?\s+)?(\d{1,3})"
    r"(?:[\s-]*(years?|y|yrs?|months?)(?:[\s-]*(?:old|of age))?)?\b",
    re.I,
)
_SEX = re.compile(r"\b(?:(woman|female|girl|lady)|(man|male|boy|gentleman))\b", re.I)
_STOP = (
    "a an the of in on at to and or but if it he she they we you i is was were be been had has have did do does not no "
    "with without also only there patient would could his her their this that any some being really absent present gone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """What a clause supposes: findings (canonical CURIE → presence), age in years, sex."""

    changes: Mapping[str, Presence] = field(default_factory=dict)
    age: float | None = None
    sex: str | None = None

    def __bool__(self) -> bool:
        return bool(self.changes) or self.age is not None or self.sex is not None


class Names:
    """Reads names over the case of one explainer. ``last`` is the disease spoken of last (canonical CURIE);
    ``read_as``: the one that was named and its kind that was taken for it, where it is no candidate itself."""

    def __init__(self, explainer: Explainer, linker: Linker, listed: Sequence[str]) -> None:
        self.explainer, self.graph, self.linker, self.listed = explainer, explainer.graph, linker, tuple(listed)
        self.last: str | None = None
        self.read_as: tuple[str, str] | None = None

    @cached_property
    def _stem(self) -> Stemmer:
        return Stemmer("english")

    def disease(self, words: str | None, *, kinds: bool = False) -> str | None:
        """The canonical CURIE of the disease that is meant, or None. No words, or "it": the one spoken of last, else
        the first. ``kinds``: of a disease that is not on the shortlist, the best kind of it that is."""
        found = self._named_disease(words)
        if found is None:
            return None
        ranked, asked = self.explainer.standings, found
        if found not in ranked and (kinds or not self.explainer.annotated(found)):
            below = [c for c in ranked if found in self.graph.ancestors(c)]
            found = min(below, key=lambda c: ranked[c][0] or 0, default=found)
        if not self.explainer.annotated(found):
            found = self._likeliest_kind(found) or found
        self.read_as = (asked, found) if asked != found else None
        self.last = found
        return found

    def _likeliest_kind(self, disease: str) -> str | None:
        """The kind of a disease, itself no candidate, that fits the case best."""
        room, node = self.explainer.pipeline.room, self.graph.node(disease)
        ordered = room.disease[room.order(self.explainer.case)[0]]
        return next((self.graph.curie(int(d)) for d in ordered if node in self.graph.ancestor_nodes(int(d))), None)

    def _named_disease(self, words: str | None) -> str | None:
        said = bare(words or "")
        if _IT.fullmatch(said):
            return self.last or self._place(1)
        if _FIRST.fullmatch(said):
            return self._place(1)
        if _SECOND.fullmatch(said):
            return self._place(2)
        if _LAST.fullmatch(said):
            return self._place(len(self.listed))
        if place := _PLACE.fullmatch(said):
            return self._place(_PLACES.index(place[1].lower()) + 1 if place[1] else int(place[2]))
        for curie in self.listed:
            if self.graph.name(self.graph.node(curie)).casefold() == said.casefold():
                return curie
        found = list(self._concepts(said))
        named = next((c for c in found if self.is_disease(c)), None)
        return named or next((c for c in found if c not in self._case and self._likeliest_kind(c)), None)

    def known(self, words: str) -> bool:
        """Whether the graph has anything of this name."""
        return any(True for _ in self._concepts(bare(words)))

    def named(self, words: str) -> str | None:
        """The canonical CURIE of what the words name as they stand, or None."""
        return next(self._concepts(bare(words)), None)

    def mentioned(self, question: str) -> tuple[list[str], list[str]]:
        """The diseases and the findings that a question names, in its words and order; a finding of the case is one."""
        diseases: list[str] = []
        findings: list[str] = []
        for match in self.linked(question):
            curie = self.graph.resolve(match.concept.curie)
            (findings if curie in self._case or not self.is_disease(curie) else diseases).append(match.mention)
        return diseases, findings

    def _place(self, rank: int) -> str | None:
        return self.listed[rank - 1] if 0 < rank <= len(self.listed) else None

    def is_disease(self, curie: str) -> bool:
        """Whether a concept is a disease: annotated, above a candidate, or of that type."""
        below = any(curie in self.graph.ancestors(c) for c in self.explainer.standings)
        return (
            self.explainer.annotated(curie)
            or below
            or "Disease or Syndrome" in self.graph.concept(curie).semantic_types
        )

    def _concepts(self, said: str) -> Iterator[str]:
        """What the words may mean as a whole: by name, then as the linker reads them."""
        with contextlib.suppress(InputError):
            yield self.graph.find(said)
        found = self.linked(said)
        if found and (understanding(said, found).share or 0.0) > 0.5:
            for match in sorted(found, key=lambda m: (m.start - m.end, m.start)):
                yield self.graph.resolve(match.concept.curie)

    def linked(self, text: str) -> list[ConceptMatch]:
        """The concepts of the graph that a text names, by start; empty when it names none."""
        if not text.strip():
            return []
        return [m for m in self.linker.link(text, note=True) if m.concept.curie in self.graph]

    def finding(self, words: str) -> str | None:
        """The canonical CURIE of a finding: one of the case before any other, or None."""
        said = bare(words)
        found = list(self._concepts(said))
        for curie in found:
            if curie in self._case:
                return curie
            if below := [c for c in sorted(self._case) if curie in self.graph.ancestors(c)]:
                return below[0]
        return self._alike(said, self._case) or next(iter(found), None) or self._alike(said, self.shown)

    def _alike(self, said: str, pool: Iterable[str]) -> str | None:
        """The one finding of a pool (CURIEs) that shares most word stems with ``said``, at least half of these, of
        several the one with the shortest name."""
        wanted = self._stems(said)
        shared = {curie: wanted & self._stems(self._name(curie)) for curie in pool}
        best = max((len(s) for s in shared.values()), default=0)
        if not best or 2 * best < len(wanted):
            return None
        length = {c: len(self._stems(self._name(c))) for c, s in shared.items() if len(s) == best}
        fit = [c for c in length if length[c] == min(length.values())]
        return fit[0] if len(fit) == 1 else None

    @cached_property
    def _case(self) -> dict[str, Presence]:
        return {o.curie: o.presence for o in self.explainer.case.observed}

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """What the diseases of the shortlist are annotated with."""
        graph = self.graph
        return tuple(sorted({t.object for d in self.explainer.standings for t in graph.triples(d, "has_phenotype")}))

    def _stems(self, text: str) -> set[str]:
        words = [w for w in re.findall(r"[^\W\d_]+", text.lower()) if w not in _STOP.split()]
        return set(self._stem.stemWords(words))

    def _name(self, curie: str) -> str:
        return self.graph.name(self.graph.node(curie))

    def supposed(self, clause: str, gone: Presence | None = None) -> Supposed:
        """What a clause such as "he had fever but no cough" or "she were 30" supposes; ``gone`` when the words before
        it say so already."""
        age, sex = _AGE.search(clause), _SEX.search(clause)
        if gone is None and age and int(age[1]) <= 130:
            years = int(age[1]) / (12 if (age[2] or "").startswith("month") else 1)
            return Supposed(age=years, sex=("F" if sex[1] else "M") if sex else None)
        found = self.linked(clause)
        if gone is None and sex and not [m for m in found if not _SEX.fullmatch(m.mention)]:
            return Supposed(sex="F" if sex[1] else "M")
        presence: Presence | None = gone or ("not assessed" if _UNKNOWN.search(clause) else None)
        if presence is None and _AFTER.search(clause):
            presence = "absent"
        stated: dict[str, Presence] = {}
        for match in found:
            own: Presence = "absent" if match.presence == "absent" else "present"
            stated[self.graph.resolve(match.concept.curie)] = presence or own
        if _GONE.search(clause) and not stated.keys() & self._case.keys():
            # "The heart were not enlarged" is a normal heart; of a case with a large one it takes that away.
            denied = {self.graph.resolve(m.concept.curie) for m in self.linked(_GONE.sub(" ", clause))}
            if taken := denied & self._case.keys():
                stated = dict.fromkeys(sorted(taken), presence or "absent")
        if not stated:  # "he were exposed to silica", "we did not know about the tachycardia"
            words = " ".join(w for w in clause.split() if w.lower() not in _STOP.split())
            curie = self.finding(_UNKNOWN.sub(" ", words)) if words else None
            stated = {} if curie is None else {curie: presence or ("absent" if _GONE.search(clause) else "present")}
        return Supposed(changes=self._as_the_case_says(stated))

    def _as_the_case_says(self, stated: Mapping[str, Presence]) -> dict[str, Presence]:
        """What is taken away is taken away as the case has it: the narrower findings that it holds, too."""
        out: dict[str, Presence] = {}
        now = self._case
        for curie, presence in stated.items():
            below = [c for c, p in now.items() if p == "present" and c != curie and curie in self.graph.ancestors(c)]
            if presence != "present" and curie not in now:
                similar = below or [c for c in [self._alike(self._name(curie), now)] if c and now[c] == "present"]
                out |= dict.fromkeys(similar or [curie], presence)
            else:
                out[curie] = presence
                if presence != "present":
                    out |= dict.fromkeys(below, presence)
        return out


def bare(words: str) -> str:
    """A name without article, quotation marks and "a case of"."""
    said = words.strip(" \"'“”‘’.,;:?!")
    before = ""
    while before != said:
        before, said = said, _CASE_OF.sub("", _ARTICLE.sub("", said))
    return said
