"""Concept linkers made ready to be measured side by side over the same names: whydx's dictionary, FastHPOCR, gilda's
annotator, scispaCy's candidate generator.

scispaCy's generator needs mentions: every run of up to five words that neither starts nor ends with a stop word,
longest and nearest first, from a cosine of 0.9. Its approximate index of nearest names, which takes minutes to build,
is replaced by the exact cosines of the same vectors.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

from ontologies.concept import Concept, Relation, Term
from ontologies.linking.evaluate import Mention
from ontologies.readers import obo

FASTHPOCR_INDEX = "peers/fasthpocr_0.1.4_hpo_2025-01-16.index.gz"
_SCISPACY_SIMILARITY = 0.9
_ALIKE = frozenset(["preferred", "exact", "layperson", "abbreviation"])

Annotate = Callable[[Sequence[str]], Iterator[list[Mention]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Concepts and their names; identifiers are the concepts' CURIEs. ``primary`` maps retired ones to those in use;
    given a ``root``, a text can mention only what lies below it."""

    concepts: list[Concept]
    terms: list[Term]
    relations: list[Relation] = field(default_factory=list)
    primary: dict[str, str] = field(default_factory=dict)
    root: str | None = None

    def names(self) -> Iterator[Term]:
        """Names that mean what the concept's own does, of what a text can mention."""
        parents: dict[str, list[str]] = {}
        for relation in self.relations:
            if relation.predicate == "is_a":
                parents.setdefault(relation.subject, []).append(relation.object)
        inside = frozenset(c.curie for c in self.concepts)
        if self.root is not None:
            inside = obo.below(parents, (self.root,)) - {self.root}
        return (term for term in self.terms if term.curie in inside and term.kind in _ALIKE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An opened tool: ``annotate`` gives (start, end, identifier) for each text; ``note`` says what is special."""

    annotate: Annotate
    build_s: float | None
    load_s: float
    note: str = ""


def hpo(path: Path) -> Vocabulary:
    """All of hp.obo."""
    concepts, terms, relations = [], [], []
    primary: dict[str, str] = {}
    for statement in obo.read(path):
        if isinstance(statement, Concept):
            concepts.append(statement)
        elif isinstance(statement, Term):
            terms.append(statement)
        elif statement.predicate == "alias":
            primary[statement.subject] = statement.object
        else:
            relations.append(statement)
    return Vocabulary(concepts=concepts, terms=terms, relations=relations, primary=primary, root="HP:0000118")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """(what ``work`` gives, seconds of processor time)."""
    started = process_time()
    return work(), round(process_time() - started, 2)


def whydx(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """The linker, compiled from the names."""
    from ontologies.linking.linker import Linker

    path = scratch / "linker"
    _, build_s = timed(lambda: Linker.build(known.concepts, known.terms, path, relations=known.relations))
    linker, load_s = timed(lambda: Linker.open(path))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for matches in linker.link_all(texts, assess=False):
            yield [(m.start, m.end, m.concept.curie) for m in matches]

    return Tool(annotate=annotate, build_s=build_s, load_s=load_s)


def fasthpocr(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """FastHPOCR 0.1.4 with its index of HPO, which takes its authors' code 34 minutes to build."""
    from FastHPOCR.HPOAnnotator import HPOAnnotator

    index = scratch / "fasthpocr.index"
    index.write_bytes(gzip.decompress((data / FASTHPOCR_INDEX).read_bytes()))
    annotator, load_s = timed(lambda: HPOAnnotator(str(index)))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            yield [(a.getStartOffset(), a.getEndOffset(), a.getHPOUri()) for a in annotator.annotate(text)]

    return Tool(annotate=annotate, build_s=None, load_s=load_s, note="own index of HPO 2025-01-16, not built here")


def gilda(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """gilda's annotator with a grounder over the same names; sentences end at a full stop before a space."""
    from gilda.grounder import Grounder
    from gilda.ner import annotate as gilda_annotate
    from gilda.process import normalize
    from gilda.term import Term as GildaTerm

    def build() -> Any:
        name_of = {c.curie: c.name for c in known.concepts}
        terms = []
        for term in known.names():
            text = normalize(term.text)
            if text.strip():
                status = "name" if term.kind == "preferred" else "synonym"
                system = term.curie.partition(":")[0]
                terms.append(GildaTerm(text, term.text, system, term.curie, name_of[term.curie], status, system))
        grounder = Grounder(terms)
        # its models for ambiguous genes and short forms are downloads
        grounder.gilda_disambiguators, grounder.adeft_disambiguators = {}, {}
        return grounder

    grounder, build_s = timed(build)

    def sentences(text: str) -> Iterable[tuple[int, int]]:
        ends = [match.end() for match in re.finditer(r"[.!?](?=\s|$)", text)]
        bounds = [0, *(end for end in ends if end < len(text)), len(text)]
        return list(pairwise(bounds))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            found = gilda_annotate(text, grounder=grounder, sent_split_fun=sentences)
            yield [(a.start, a.end, a.matches[0].term.id) for a in found]

    return Tool(annotate=annotate, build_s=build_s, load_s=build_s, note="kept in memory, built at each start")


class _Exact:
    """The nearest of some vectors by cosine, asked as scispaCy asks its index."""

    def __init__(self, vectors: Any) -> None:
        self._transposed = vectors.T.tocsc()

    def knnQueryBatch(self, asked: Any, k: int) -> list[tuple[Any, Any]]:
        """For each row of ``asked`` the nearest ``k`` or fewer: their numbers, 1 minus their cosines."""
        import numpy as np

        product = (asked @ self._transposed).tocsr()
        found = []
        for first, last in pairwise(product.indptr.tolist()):
            columns, cosines = product.indices[first:last], product.data[first:last]
            best = np.lexsort((columns, -cosines))[:k]
            found.append((columns[best], 1 - cosines[best]))
        return found


def scispacy(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """scispaCy's candidate generator over the same names, with exact cosines."""
    import logging

    logging.disable(logging.INFO)  # its index library registers itself aloud
    import numpy as np
    from scispacy.candidate_generation import CandidateGenerator
    from scispacy.linking_utils import KnowledgeBase
    from sklearn.feature_extraction.text import TfidfVectorizer

    from ontologies.linking.normalize import STOP_WORDS

    names: dict[str, list[str]] = {}
    for term in known.names():
        names.setdefault(term.curie, []).append(term.text)
    rows = [
        json.dumps({"concept_id": curie, "canonical_name": texts[0], "aliases": texts, "types": []}) + "\n"
        for curie, texts in sorted(names.items())
    ]
    listed = scratch / "names.jsonl"
    listed.write_text("".join(rows), encoding="utf-8")

    def build() -> CandidateGenerator:
        kb = KnowledgeBase(str(listed))
        aliases = list(kb.alias_to_cuis)
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), min_df=10, dtype=np.float32)
        vectors = vectorizer.fit_transform(aliases)
        filled = np.flatnonzero(np.asarray(vectors.sum(axis=1)).ravel())
        return CandidateGenerator(_Exact(vectors[filled]), vectorizer, [aliases[i] for i in filled], kb)

    generator, build_s = timed(build)
    word = re.compile(r"\w+(?:[-'/]\w+)*")

    def spans(text: str) -> list[tuple[int, int]]:
        tokens = [match.span() for match in word.finditer(text)]
        found = []
        for i, (start, first_end) in enumerate(tokens):
            if text[start:first_end].lower() in STOP_WORDS:
                continue
            for j in range(i, min(i + 5, len(tokens))):
                if j > i and not text[tokens[j - 1][1] : tokens[j][0]].isspace():
                    break
                if text[slice(*tokens[j])].lower() not in STOP_WORDS:
                    found.append((start, tokens[j][1]))
        return found

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            asked = spans(text)
            ranked = []
            for (start, end), candidates in zip(asked, generator([text[a:b] for a, b in asked], 5), strict=True):
                best = max(candidates, key=lambda c: max(c.similarities), default=None)
                if best is not None and max(best.similarities) >= _SCISPACY_SIMILARITY:
                    ranked.append((start, end, best.concept_id, max(best.similarities)))
            kept: list[Mention] = []
            for start, end, curie, _ in sorted(ranked, key=lambda r: (-(r[1] - r[0]) * r[3], r)):
                if all(end <= a or b <= start for a, b, _ in kept):
                    kept.append((start, end, curie))
            yield kept

    note = "mentions: all runs of up to five words; exact cosines in place of its approximate index"
    return Tool(annotate=annotate, build_s=build_s, load_s=build_s, note=note)


TOOLS: dict[str, tuple[str, Callable[[Vocabulary, Path, Path], Tool]]] = {
    "whydx": ("ontologies", whydx),
    "fasthpocr": ("FastHPOCR", fasthpocr),
    "gilda": ("gilda", gilda),
    "scispacy": ("scispacy", scispacy),
}
