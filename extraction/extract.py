"""``whydx ontology extract``: texts in, a layer of edges out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from extraction import frequency, layer
from extraction.layer import Edge, Predicate
from extraction.reading import read
from extraction.relation import KINDS, Counts, Key, Kind, Pair, counted
from extraction.scorer import Scored, asserted, score
from extraction.source import Source
from extraction.statistics import wilson
from extraction.vocabulary import Standing, Vocabulary
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest

if TYPE_CHECKING:
    from ontologies.linking.linker import Linker
    from retrieval.encoder import Encoder

Progress = Callable[[str, int, int], None]
RULES = 2  # goes up when the same texts and curated layers give other edges
_PREDICATES: dict[Kind, Predicate] = {
    "finding-disease": "has_phenotype",
    "treatment": "treated_with",
    "location": "located_in",
}
_LEAST_TEXTS = 3  # about the disease that name a treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What a run made: how many texts were read, and of each kind how many edges stand how beside the curated ones."""

    texts: int
    papers: int
    cases: int
    retracted: int
    edges: dict[str, dict[str, int]]
    withdrawn: tuple[str, ...]


def extract(
    home: Path,
    graph: KnowledgeGraph,
    linker: Linker,
    chosen: Sequence[Source],
    *,
    kinds: Sequence[Kind] = KINDS,
    encoder: Encoder | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Read the sources (what was read before is not read again) and write the layer anew, in place of the one before.

    ``encoder`` reads what sentences mean; None leaves that out. The curated graph, the linker and the indexes are only
    read. Raises InputError when no text mentions anything, or a kind is not one of KINDS.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise InputError("no such kind of relation", value=kind, expected=", ".join(KINDS))
    readings, withdrawn = read(home, chosen, linker, progress=progress)
    if not readings:
        raise InputError("no text mentions anything", value=", ".join(s.name for s in chosen), expected="English texts")
    vocabulary = Vocabulary(graph)
    edges: list[Edge] = []
    cards: dict[str, Any] = {}
    counts = Counts()
    for kind in KINDS:
        if kind not in kinds:
            continue
        if progress:
            progress(f"relate {kind}", KINDS.index(kind), len(KINDS))
        counts = counted(readings, vocabulary, kind)
        scored = scored_pairs(counts, vocabulary, kind, encoder, progress)
        cards[kind] = {"method": scored.method, "model": scored.version, **scored.card}
        edges += made(counts, scored, vocabulary, kind)
    before = _documents(home)
    gone = sorted(withdrawn.retracted & before)
    layer.write(
        home,
        edges,
        (asdict(row) for row in frequency.counted(readings, vocabulary)),
        inputs={source.name: source.fingerprint for source in chosen}
        | {"linker": linker.fingerprint, "graph": graph.manifest.sha256},
        settings={
            "rules": RULES,
            "kinds": list(kinds),
            "texts": counts.texts,
            "papers": counts.papers,
            "cases": counts.cases,
            "retracted": len(withdrawn.retracted),
            "models": cards,
        },
    )
    return Extracted(
        texts=counts.texts,
        papers=counts.papers,
        cases=counts.cases,
        retracted=len(withdrawn.retracted),
        edges=tally(edges),
        withdrawn=tuple(gone),
    )


def scored_pairs(
    counts: Counts, vocabulary: Vocabulary, kind: Kind, encoder: Encoder | None, progress: Progress | None = None
) -> Scored:
    """The pairs that are said to go together, with their scores."""
    known: dict[Key, bool] = {}
    information: dict[str, float] = {}
    for key, pair in counts.pairs.items():
        if is_said(pair, kind):
            known[key] = _curated(vocabulary, kind, *key)
            if kind == "finding-disease":
                information[key[1]] = float(vocabulary.graph.information[_node(vocabulary, key[1])])
    annotated = {disease: vocabulary.annotated(_node(vocabulary, disease)) for disease, _ in known}
    alike = _alike(vocabulary, known) if kind == "finding-disease" else None
    return score(counts, known, information, annotated, encoder, alike=alike, progress=progress)


def _alike(vocabulary: Vocabulary, keys: Collection[Key]) -> dict[Key, float]:
    """Of each pair the cosine of its two names, by the packaged encoder."""
    from retrieval.encoder import Encoder

    curies = sorted({curie for key in keys for curie in key})
    names = [vocabulary.graph.name(_node(vocabulary, curie)) for curie in curies]
    vectors, place = Encoder.load().encode(names), {curie: i for i, curie in enumerate(curies)}
    return {(d, f): float(vectors[place[d]] @ vectors[place[f]]) for d, f in keys}


def is_said(pair: Pair, kind: Kind) -> bool:
    """Whether a sentence says how the two go together. That they stand in one sentence, or that texts about the disease
    name the other, is company; of a treatment also several texts about the disease will do."""
    return asserted(pair) > 0 or (kind == "treatment" and pair.texts >= _LEAST_TEXTS)


def _node(vocabulary: Vocabulary, curie: str) -> int:
    return vocabulary.graph.node(curie)


def _curated(vocabulary: Vocabulary, kind: Kind, disease: str, other: str) -> bool:
    if kind == "finding-disease":
        return vocabulary.frequency(_node(vocabulary, disease), _node(vocabulary, other)) is not None
    if kind == "treatment":
        codes = vocabulary.graph.concept(disease).codes
        curies = [disease, *(f"{system}:{code}" for system, own in codes.items() for code in own)]
        steps = (step.text.lower() for step in chest.next_steps(curies) if step.kind == "treatment")
        return any(other.lower() in text for text in steps)
    return False


def made(counts: Counts, scored: Scored, vocabulary: Vocabulary, kind: Kind) -> Iterator[Edge]:
    """The edges of the scored pairs, and the excluding ones ("A is not seen in B")."""
    for i, key in enumerate(scored.keys):
        numbers = float(scored.score[i]), float(scored.llr[i]), float(scored.ppmi[i])
        yield _edge(counts, key, vocabulary, kind, _PREDICATES[kind], numbers, scored.version)
    for key, pair in sorted(counts.pairs.items()):
        if excluded := pair.said["excluded"]:
            sure = wilson(excluded, excluded + pair.said["shows"])[0]
            yield _edge(counts, key, vocabulary, kind, "excludes_phenotype", (sure, 0.0, 0.0), f"cues {RULES}")


def _edge(
    counts: Counts,
    key: Key,
    vocabulary: Vocabulary,
    kind: Kind,
    predicate: Predicate,
    numbers: tuple[float, float, float],
    model: str,
) -> Edge:
    (disease, other), pair, graph = key, counts.pairs[key], vocabulary.graph
    excluding = predicate == "excludes_phenotype"
    own = [e for e in pair.evidence if (e.said == "excluded") == excluding]
    node, against, curated = _node(vocabulary, disease), "", None
    standing: Standing = "known" if _curated(vocabulary, kind, *key) else "new"
    name = other
    if kind == "finding-disease":
        finding = _node(vocabulary, other)
        name, standing = graph.name(finding), vocabulary.standing(node, finding, excluded=excluding)
        curated = vocabulary.frequency(node, finding)
        if standing == "contradicts":
            against = f"shown by {curated:.0%} of patients" if curated is not None else "not shown"
    examined = counts.diagnosed[disease] if kind == "finding-disease" and not excluding else 0
    return Edge(
        id=layer.edge_id(disease, predicate, other),
        kind=kind,
        subject=disease,
        subject_name=graph.name(node),
        predicate=predicate,
        object=other,
        object_name=name,
        standing=standing,
        against=against,
        score=round(numbers[0], 4),
        llr=round(numbers[1], 2),
        ppmi=round(numbers[2], 2),
        sentences=pair.said["excluded"] if excluding else pair.sentences - pair.said["excluded"],
        texts=0 if excluding else pair.texts,
        cases=0 if excluding else pair.cases,
        model=model,
        earlier=not excluding and pair.said["before"] > pair.said["shows"],
        hedged=pair.hedged,
        denied=pair.denied,
        shown=pair.cases if examined else 0,
        examined=examined,
        curated=None if curated is None else round(curated, 4),
        chest=node in vocabulary.chest,
        said=dict(pair.said),
        quotes=layer.quotes(own),
        documents=() if excluding else tuple(pair.documents),
    )


def tally(edges: Sequence[Edge]) -> dict[str, dict[str, int]]:
    """Kind → standing → how many edges; excluding edges apart."""
    found: dict[str, dict[str, int]] = {}
    for edge in edges:
        kind = "excluded" if edge.predicate == "excludes_phenotype" else edge.kind
        own = found.setdefault(kind, {})
        own[edge.standing] = own.get(edge.standing, 0) + 1
    return found


def _documents(home: Path) -> set[str]:
    """The papers and cases that the layer before rests on; none when there was none."""
    try:
        return {name for edge in layer.Layer.open(home).edges for name in edge.references}
    except ArtifactError:
        return set()
