"""The papers: MEDLINE abstracts that are about the chest, searched by words, meaning and concepts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from indexes.lexical_index import Tokenizer
from indexes.manifest import Verify, file_sha256
from ontologies.sources.store import member_path
from retrieval import medline
from retrieval.concept_index import Ancestors
from retrieval.document import Document, SearchHit
from retrieval.encoder import Encoder
from retrieval.hybrid import VERSION, HybridIndex, Scored
from retrieval.medline import Citation
from retrieval.sentence import best_sentence, sentences

if TYPE_CHECKING:
    from ontologies.linking.linker import ConceptMatch, Linker

__all__ = ["VERSION", "Literature", "build"]

KIND = "literature index"
MEMBERS = ("pubmed21n1298.xml.gz", "pubmed20n0014.xml.gz")
MOST = 4000  # documents; what encoding may take on two cores, see docs/retrieval.md
PER_CONCEPT = 300
LONGEST = 160  # tokens of a document that the encoder reads; BM25 reads all

Progress = Callable[[str, int, int], None]


def folder(home: Path) -> Path:
    """Where the literature index of a home is."""
    return home / "indexes" / "literature"


def build(
    home: Path,
    linker: Linker,
    chest_concepts: frozenset[str],
    *,
    ancestors: Ancestors | None = None,
    encoder: Encoder | None = None,
    paths: Sequence[Path] | None = None,
    most: int = MOST,
    progress: Progress | None = None,
) -> Literature:
    """Build ``home/indexes/literature`` from the fetched MEDLINE files (or ``paths``) and open it.

    A citation is kept when it has an abstract and asserts a concept of ``chest_concepts`` (canonical CURIEs) in its
    title, or twice in its abstract. Of these, the ``most`` that assert the most distinct chest concepts, then the
    most often, then the newest, stay; one that only speaks of concepts that PER_CONCEPT better papers speak of
    already is passed over, so that a pandemic does not crowd out the rest. The manifest records every count. The
    concepts of a document are all that its title and abstract assert as present, inside the chest or not.
    ``ancestors`` gives a concept's strict ancestors in the graph, for the concept overlap.

    Raises SourceError when a file is not fetched, InputError when one cannot be read or no citation is about the chest.
    """
    paths = [member_path(home, "medline", member) for member in MEMBERS] if paths is None else list(paths)
    counts = {"citations": 0, "with_abstract": 0, "title_in_chest": 0, "abstract_in_chest": 0}
    kept: dict[str, Document] = {}
    spoken: dict[str, list[str]] = {}  # the chest concepts that a kept paper asserts, once for each mention
    worth_reading = _prefilter(linker, chest_concepts)
    for done, path in enumerate(paths):
        if progress:
            progress("read MEDLINE", done, len(paths))
        for citation in medline.read(path):
            counts["citations"] += 1
            if not citation.abstract or not citation.title:
                continue
            counts["with_abstract"] += 1
            in_title = bool(_asserted(linker.link(citation.title)) & chest_concepts)
            if not in_title and not worth_reading(citation.abstract):
                continue
            matches = linker.link(f"{citation.title} {citation.abstract}")
            present = [match.concept.curie for match in matches if match.presence == "present"]
            mentions = [curie for curie in present if curie in chest_concepts]
            if not mentions or (len(mentions) < 2 and not in_title):
                continue
            counts["title_in_chest" if in_title else "abstract_in_chest"] += 1
            document = _document(citation, matches)
            kept[document.doc_id], spoken[document.doc_id] = (
                document,
                mentions,
            )  # the same PMID again is a newer version
    if progress:
        progress("read MEDLINE", len(paths), len(paths))
    if not kept:
        raise InputError("no citation is about the chest", value=[path.name for path in paths])
    chosen = _choose(spoken, most)
    counts["indexed"] = len(chosen)
    chest = "\n".join(sorted(chest_concepts))
    index = HybridIndex.build(
        [kept[name] for name in chosen],
        folder(home),
        kind=KIND,
        encoder=encoder,
        longest=LONGEST,
        ancestors=ancestors,
        known=chest_concepts,
        inputs={path.name: file_sha256(path) for path in paths}
        | {"linker": linker.fingerprint, "chest concepts": hashlib.sha256(chest.encode()).hexdigest()},
        settings={"counts": counts, "most": most, "per_concept": PER_CONCEPT},
        progress=progress,
    )
    return Literature(index)


class Literature:
    """Search over the papers. A hit's document has the PMID as ``source_curie`` and title, journal and year in its
    metadata.

    A hit's ``score`` is in [0, 1]: the weighted mean of its parts, each scaled between the worst and the best
    candidate of this search. It orders the hits of one search and means nothing between searches. ``explanation`` has
    the raw parts: "bm25" (no upper bound), "dense" (cosine) and "concepts" (simGIC in [0, 1]).
    """

    def __init__(self, index: HybridIndex) -> None:
        self.index = index

    @classmethod
    def open(cls, home: Path, *, encoder: Encoder | None = None, verify: Verify = "open") -> Literature:
        """Open. Raises ArtifactError when the index is missing, damaged, or built with another encoder."""
        return cls(HybridIndex.open(folder(home), kind=KIND, encoder=encoder, verify=verify))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any file of the index."""
        return self.index.manifest.sha256

    def mentions(self, curie: str) -> bool:
        """Whether any paper asserts the concept (or, when the index was built with a graph, a kind of it) as
        present."""
        return self.index.concepts.mentions(curie)

    def search(
        self,
        query: str,
        k: int = 10,
        concepts: Iterable[str] = (),
        *,
        about: str | None = None,
        exclude: Collection[str] = (),
    ) -> tuple[SearchHit, ...]:
        """The ``k`` papers that answer best, best first, ties by id. ``concepts`` are canonical CURIEs.

        ``about`` (a canonical CURIE) leaves only the papers that assert the concept or a kind of it, before anything is
        ranked; none is an empty answer. Raises InputError when the query is blank and there are no concepts, or k < 1.
        """
        wanted = tuple(concepts)
        if not query.strip() and not wanted:
            raise InputError("nothing to search for", value=query, expected="words or concepts")
        among = None if about is None else self.index.concepts.rows(about)
        found = self.index.search(k=k, text=query, concepts=wanted, among=among, exclude=exclude)
        return tuple(_hit(self.index, scored, rank) for rank, scored in enumerate(found, 1))

    def best_sentence(self, document: Document, query: str) -> str:
        """The sentence of the paper's abstract that says most about the query (a finding and a disease); the title
        when no sentence shares a word with it."""
        return best_sentence(sentences(document.text), query, self.index.lexical) or document.title


def _hit(index: HybridIndex, scored: Scored, rank: int) -> SearchHit:
    document = index.documents[scored.row]
    return SearchHit(document=document, score=scored.score, rank=rank, explanation=scored.parts)


def _prefilter(linker: Linker, chest_concepts: frozenset[str]) -> Callable[[str], bool]:
    """Whether a text has all the words of the preferred name of a chest concept: a tenth of the texts have, and
    telling so takes a tenth of the time that linking takes. A concept that a text names by synonyms only is missed."""
    stems = Tokenizer()
    names = sorted({tuple(sorted(set(stems(c.name)))) for c in linker.concepts if c.curie in chest_concepts} - {()})
    by_longest: dict[str, list[frozenset[str]]] = {}
    for name in names:
        by_longest.setdefault(max(name, key=len), []).append(frozenset(name))

    def worth_reading(text: str) -> bool:
        words = set(stems(text))
        return any(name <= words for word in words & by_longest.keys() for name in by_longest[word])

    return worth_reading


def _choose(spoken: Mapping[str, Sequence[str]], most: int) -> list[str]:
    """The ids to index: see `build`."""
    order = sorted(spoken, key=lambda name: (len(set(spoken[name])), len(spoken[name]), _number(name)), reverse=True)
    papers: Counter[str] = Counter()
    chosen: list[str] = []
    for name in order:
        concepts = set(spoken[name])
        if len(chosen) < most and any(papers[curie] < PER_CONCEPT for curie in concepts):
            chosen.append(name)
            papers.update(concepts)
    return chosen


def _number(name: str) -> int:
    digits = name.rpartition(":")[2]
    return int(digits) if digits.isdigit() else 0


def _asserted(matches: Iterable[ConceptMatch]) -> set[str]:
    return {match.concept.curie for match in matches if match.presence == "present"}


def _document(citation: Citation, matches: Iterable[ConceptMatch]) -> Document:
    return Document(
        doc_id=f"PMID:{citation.pmid}",
        kind="literature",
        title=citation.title,
        text=citation.abstract,
        source_curie=f"PMID:{citation.pmid}",
        concepts=tuple(sorted(_asserted(matches))),
        metadata={"title": citation.title, "journal": citation.journal, "year": citation.year},
    )
