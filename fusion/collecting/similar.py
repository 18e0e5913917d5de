"""What is asked of the cases: by an image with how sure is what is seen on it, by a text, by another case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from errors import InputError
from fusion.collecting import alike
from fusion.prior import NORMAL
from retrieval.concept_index import Likely
from retrieval.sentence import sentences

if TYPE_CHECKING:
    import numpy as np

    from kg.graph import KnowledgeGraph
    from ontologies.linking.linker import Linker
    from retrieval.cases import Cases
    from retrieval.document import SearchHit
    from vision.detector import Detection
    from vision.image import ImageInstance


def similar(
    cases: Cases,
    *,
    graph: Callable[[], KnowledgeGraph],
    linker: Callable[[], Linker],
    seen: Detection | None = None,
    film: ImageInstance | None = None,
    text: str | None = None,
    like: str | None = None,
    but_not: str | None = None,
    where: str | None = None,
    k: int = 10,
) -> tuple[SearchHit, ...]:
    """The cases most like what is ``seen`` on an image, a ``text``, and the case with the id ``like``, together.

    Of an image its embedding and the probability of each finding count, and of a ``film`` that asks alone the
    probability of each set of them, too (`fusion.collecting.alike`); of a text and of a case the concepts that they
    state as present. ``but_not`` is what the cases found must not state, nor a kind of it; of a case that is like it,
    what it says of that is not asked for. The case itself, and others of its patient, are not found. Raises InputError
    when ``but_not`` names no concept, when there is no case ``like``, and as `Cases.search` does.
    """
    sure: dict[str, float] = {}
    otherwise: tuple[str, ...] = ()
    names: dict[str, str] = {}
    patterns: dict[frozenset[str], float] = {}
    gone = _unwanted(but_not, linker) if but_not is not None else frozenset()
    embedding: np.ndarray | None = None
    exclude: frozenset[str] = frozenset()
    said = [text] if text is not None and text.strip() else []
    if like is not None:
        case, embedding = cases.find(like)
        exclude = frozenset({like, *_of_patient(cases, case.metadata.get("patient", ""))})
        sure |= dict.fromkeys(case.concepts, 1.0)
        names |= {curie: graph().concept(curie).name for curie in case.concepts if curie in graph()}
        said.append(_leaving_out(case.text, gone, linker) if gone else case.text)
    if said and text is not None:
        for match in linker().link(text, note=True):
            if match.presence == "present":
                sure[match.concept.curie], names[match.concept.curie] = 1.0, match.concept.name
    if seen is not None:
        embedding = seen.embedding
        known = [(f, f.concept) for f in seen.findings if f.concept is not None]
        for finding, concept in known:
            sure[concept.curie] = max(sure.get(concept.curie, 0.0), finding.probability or 0.0)
            if finding.presence == "present":
                names[concept.curie] = concept.name
        if known:
            normal = graph().concept(NORMAL)
            otherwise = (normal.curie,)
            if not names:
                names[normal.curie] = normal.name
        if film is not None and len(known) == len(seen.findings) and not said and not gone:
            of = {finding.label: concept.curie for finding, concept in known}
            found = alike.shipped().of(seen, film)
            patterns = {frozenset(map(of.__getitem__, pattern)): share for pattern, share in found.items()}
    if gone:
        kept = {curie for curie in sure if curie not in graph() or gone.isdisjoint(graph().ancestors(curie) | {curie})}
        sure = {curie: weight for curie, weight in sure.items() if curie in kept}
        names = {curie: name for curie, name in names.items() if curie in kept}
    return cases.search(
        text=" ".join(said) or None,
        image_embedding=embedding if cases.images is not None else None,
        concepts=Likely(probability=sure, otherwise=otherwise, patterns=patterns),
        k=k,
        where=where,
        exclude=exclude,
        without=gone,
        names=names,
    )


def _unwanted(words: str, linker: Callable[[], Linker]) -> frozenset[str]:
    found = frozenset(match.concept.curie for match in linker().link(words, note=True))
    if not found:
        raise InputError("no finding that is known", value=words, expected='a finding, such as "effusion"')
    return found


def _of_patient(cases: Cases, patient: str) -> list[str]:
    return [case.doc_id for case in cases.matching() if case.metadata.get("patient") == patient] if patient else []


def _leaving_out(text: str, gone: frozenset[str], linker: Callable[[], Linker]) -> str:
    """The sentences of a text that do not speak of the concepts."""
    parts = sentences(text)
    found = linker().link_all(parts, note=True)
    kept = [
        part for part, matches in zip(parts, found, strict=True) if gone.isdisjoint(m.concept.curie for m in matches)
    ]
    return " ".join(part.strip() for part in kept)
