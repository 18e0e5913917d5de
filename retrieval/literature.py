"""The papers: MEDLINE abstracts that are about the chest, searched by words, meaning and concepts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError, InputError
from indexes.lexical_index import Tokenizer
from indexes.manifest import REBUILD, Verify, file_sha256
from ontologies.sources.store import member_path
from retrieval import citations, medline, relevance
from retrieval.concept_index import Ancestors
from retrieval.document import Document, SearchHit
from retrieval.encoder import Encoder
from retrieval.hybrid import VERSION, HybridIndex, Scored
from retrieval.medline import Citation, Correction
from retrieval.readings import Readings, curies
from retrieval.sentence import best_sentence, sentences

if TYPE_CHECKING:
    from ontologies.linking.linker import Linker

__all__ = ["VERSION", "Literature", "build"]

KIND = "literature index"
CONTENTS = 2  # of what is built, beside the layout: higher builds anew (2: pieces of words, corrections)
# chosen on collections of questions, the others left out in turn (docs/retrieval.md); concepts: set by hand
WEIGHTS: Mapping[str, float] = {"bm25": 0.1, "grams": 0.3, "dense": 0.6, "concepts": 0.5}
RETRACTED = "retracted"  # the status of a paper that nobody should rely on
MEMBERS = ("pubmed21n1298.xml.gz", "pubmed20n0014.xml.gz")
MOST = 4000  # documents; what encoding may take on two cores, see docs/retrieval.md
PER_CONCEPT = 300
LONGEST = 160  # tokens of a document that the encoder reads; BM25 reads all

_NAMED = re.compile(
    r"(?:\bpmid\s*[:#]?\s*|\bpubmed\s*(?:id)?\s*[:#]?\s*|(?:https?://)?\S*pubmed[\w.]*/(?:pubmed/)?)"
    r"(?P<number>[1-9]\d{0,7}|0+[1-9]\d{0,7})\b/?",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\W*\d{5,8}(?:\W+\d{5,8})*\W*")

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
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Literature:
    """Build ``home/indexes/literature`` from the fetched MEDLINE files (or ``paths``) and open it.

    A citation is kept when it has an abstract and asserts a concept of ``chest_concepts`` (canonical CURIEs) in its
    title, or twice in its abstract. Of these, the ``most`` that assert the most distinct chest concepts, then the
    most often, then the newest, stay; one that only speaks of concepts that PER_CONCEPT better papers speak of
    already is passed over, so that a pandemic does not crowd out the rest. The manifest records every count. The
    concepts of a document are all that its title and abstract assert as present, inside the chest or not.

    Notices about other papers (retractions, expressions of concern, errata) are not indexed; what they say of a paper
    of any of the files becomes its metadata ("status", and "notices": their PMIDs or sources). What a later file
    deletes is left out.
    ``ancestors`` gives a concept's strict ancestors in the graph, for the concept overlap. ``keep`` is a folder of what
    was read and linked, so that the next build only does what is new; the result is the same.

    Raises SourceError when a file is not fetched, InputError when one cannot be read or no citation is about the chest.
    """
    paths = [member_path(home, "medline", member) for member in MEMBERS] if paths is None else list(paths)
    counts = {"citations": 0, "with_abstract": 0, "title_in_chest": 0, "abstract_in_chest": 0}
    kept: dict[str, Document] = {}
    corrections: dict[str, list[Correction]] = {}  # by the document's id, from the paper and from its notices
    spoken: dict[str, list[str]] = {}  # the chest concepts that a kept paper asserts, once for each mention
    readings, names = Readings(linker, keep / "linked" if keep else None), _names(linker, chest_concepts)
    for done, path in enumerate(paths):
        if progress:
            progress("read MEDLINE", done, len(paths))
        deleted: set[str] = set()
        read = citations.read(path, keep, deleted=deleted)
        for citation in read:
            for pmid, correction in citation.corrects.items():
                corrections.setdefault(f"PMID:{pmid}", []).append(correction)
        whole = [citation for citation in read if citation.abstract and citation.title]
        counts["citations"] += len(read)
        counts["with_abstract"] += len(whole)
        whole = [citation for citation in whole if not citation.is_notice]
        titles = readings.present([citation.title for citation in whole], progress=progress)
        about = [bool(curies(present) & chest_concepts) for present in titles]
        worth = _worth_reading(names, whole, keep and keep / f"{path.name}.json")
        chosen = [(c, in_title) for c, in_title, named in zip(whole, about, worth, strict=True) if in_title or named]
        found = readings.present([f"{c.title} {c.abstract}" for c, _ in chosen], progress=progress)
        for (citation, in_title), present in zip(chosen, found, strict=True):
            mentions = [curie for curie, _ in present if curie in chest_concepts]
            if not mentions or (len(mentions) < 2 and not in_title):
                continue
            counts["title_in_chest" if in_title else "abstract_in_chest"] += 1
            document = _document(citation, curies(present))
            corrections.setdefault(document.doc_id, []).extend(citation.corrections)
            # the same PMID again is a newer version
            kept[document.doc_id], spoken[document.doc_id] = document, mentions
        for pmid in deleted:
            kept.pop(f"PMID:{pmid}", None)
            spoken.pop(f"PMID:{pmid}", None)
    if progress:
        progress("read MEDLINE", len(paths), len(paths))
    if not kept:
        raise InputError("no citation is about the chest", value=[path.name for path in paths])
    indexed = _choose(spoken, most)
    counts["indexed"] = len(indexed)
    documents = [_marked(kept[name], corrections[name]) for name in indexed]
    retracted = sorted(d.doc_id for d in documents if d.metadata.get("status") == RETRACTED)
    chest = "\n".join(sorted(chest_concepts))
    index = HybridIndex.build(
        documents,
        folder(home),
        kind=KIND,
        encoder=encoder,
        longest=LONGEST,
        grams=True,
        ancestors=ancestors,
        known=chest_concepts,
        inputs={path.name: file_sha256(path) for path in paths}
        | {"linker": linker.fingerprint, "chest concepts": hashlib.sha256(chest.encode()).hexdigest()},
        settings={"counts": counts, "most": most, "per_concept": PER_CONCEPT, "retracted": retracted},
        progress=progress,
    )
    readings.save()
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
        self.retracted = frozenset(index.manifest.settings.get("retracted", ()))
        self._row = {name: row for row, name in enumerate(index.lexical.ids)}

    @classmethod
    def open(cls, home: Path, *, encoder: Encoder | None = None, verify: Verify = "open") -> Literature:
        """Open. Raises ArtifactError when the index is missing, damaged, of an earlier version, or built with another
        encoder."""
        index = HybridIndex.open(folder(home), kind=KIND, encoder=encoder, verify=verify)
        if index.grams is None:
            raise ArtifactError("the literature index is of an earlier version", value=folder(home), run=REBUILD)
        return cls(index)

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
        retracted: bool = True,
    ) -> tuple[SearchHit, ...]:
        """The ``k`` papers that answer best, best first, ties by id. ``concepts`` are canonical CURIEs.

        A PMID in the query ("PMID:420433", or a number that is the whole query) puts its paper first, with the part
        "id"; when the query is nothing else, that is the answer, empty when the paper is not among these. A text that
        the papers say nothing about finds nothing (`retrieval.relevance`), unless ``about`` or a shared concept says
        what is meant.

        ``about`` (a canonical CURIE) leaves only the papers that assert the concept or a kind of it, before anything is
        ranked; none is an empty answer. Retracted papers come last, with score zero; with ``retracted`` false they are
        not found. Raises InputError when the query is blank and there are no concepts, or k < 1.
        """
        wanted = tuple(concepts)
        if not query.strip() and not wanted:
            raise InputError("nothing to search for", value=query, expected="words or concepts")
        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        among = None if about is None else self.index.concepts.rows(about)
        left_out = {*exclude, *(() if retracted else self.retracted)}
        named, rest = pubmed_ids(query)
        allowed = None if among is None else set(among.tolist())
        rows = [self._row[name] for name in named if name in self._row and name not in left_out]
        found = [Scored(row=row, score=1.0, parts={"id": 1.0}) for row in rows if allowed is None or row in allowed]
        if rest or not named:
            left_out |= set(named)
            found += self.index.search(
                k=k,
                text=rest,
                concepts=wanted,
                among=among,
                exclude=left_out,
                weights=WEIGHTS,
                floor=about is None,
                feedback=True,
            )
        found = found[:k]
        doubtful = [replace(s, score=0.0) for s in found if self.index.lexical.ids[s.row] in self.retracted]
        found = [s for s in found if self.index.lexical.ids[s.row] not in self.retracted] + doubtful
        return tuple(_hit(self.index, scored, rank) for rank, scored in enumerate(found, 1))

    def unknown(self, query: str) -> tuple[str, ...]:
        """What of a query no paper has: PMIDs of other papers, then words."""
        named, rest = pubmed_ids(query)
        return (
            *(name for name in named if name not in self._row),
            *relevance.unknown_words(rest, self.index.lexical),
        )

    def best_sentence(self, document: Document, query: str) -> str:
        """The sentence of the paper's abstract that says most about the query (a finding and a disease); the title
        when no sentence shares a word with it."""
        return best_sentence(sentences(document.text), query, self.index.lexical) or document.title


def pubmed_ids(query: str) -> tuple[tuple[str, ...], str]:
    """The papers that a query names, as "PMID:…" in order and once each, and the rest of its text.

    Read are "PMID 420433" in any spelling, PubMed's addresses, and numbers of five to eight digits that are all there
    is of the query: a year or a dose among words is none.
    """
    named = [f"PMID:{int(match['number'])}" for match in _NAMED.finditer(query)]
    rest = _NAMED.sub(" ", query)
    if _NUMBERS.fullmatch(rest):
        named += [f"PMID:{int(number)}" for number in re.findall(r"\d+", rest)]
        rest = ""
    return tuple(dict.fromkeys(named)), rest.strip() if re.search(r"\w", rest) or not named else ""


def _hit(index: HybridIndex, scored: Scored, rank: int) -> SearchHit:
    document = index.documents[scored.row]
    return SearchHit(document=document, score=scored.score, rank=rank, explanation=scored.parts)


def _names(linker: Linker, chest_concepts: frozenset[str]) -> list[tuple[str, ...]]:
    """The words of the preferred name of each chest concept, sorted, without repeats."""
    stems = Tokenizer()
    return sorted({tuple(sorted(set(stems(c.name)))) for c in linker.concepts if c.curie in chest_concepts} - {()})


def _worth_reading(names: Sequence[tuple[str, ...]], papers: Sequence[Citation], kept: Path | None) -> list[bool]:
    """Of each abstract whether it has all the words of one of ``names``: a tenth have, and telling so takes a tenth
    of the time that linking takes. A concept that a text names by synonyms only is missed. What the file ``kept``
    says of the same names and papers is taken over."""
    stems = Tokenizer()
    digest = hashlib.sha256(json.dumps([names, [c.pmid for c in papers], [len(c.abstract) for c in papers]]).encode())
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(kept.read_text(encoding="utf-8")) if kept else {}
        if said["of"] == digest.hexdigest():
            worth = frozenset(said["worth"])
            return [row in worth for row in range(len(papers))]
    by_longest: dict[str, list[frozenset[str]]] = {}
    for name in names:
        by_longest.setdefault(max(name, key=len), []).append(frozenset(name))
    found = []
    for paper in papers:
        words = set(stems(paper.abstract))
        found.append(any(name <= words for word in words & by_longest.keys() for name in by_longest[word]))
    if kept:
        said = {"of": digest.hexdigest(), "worth": [row for row, worth in enumerate(found) if worth]}
        part = kept.with_name(f"{kept.name}.part")
        part.write_text(json.dumps(said), encoding="utf-8")
        part.replace(kept)
    return found


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


def _document(citation: Citation, present: Iterable[str]) -> Document:
    return Document(
        doc_id=f"PMID:{citation.pmid}",
        kind="literature",
        title=citation.title,
        text=citation.abstract,
        source_curie=f"PMID:{citation.pmid}",
        concepts=tuple(sorted(present)),
        metadata={"title": citation.title, "journal": citation.journal, "year": citation.year}
        | ({"status": RETRACTED} if citation.is_retracted else {}),
    )


def _marked(document: Document, corrections: Sequence[Correction]) -> Document:
    """The document with what became of it, when anything did."""
    status = medline.fate(corrections)
    notices = sorted({f"PMID:{c.pmid}" if c.pmid else c.source for c in corrections} - {""})
    added = {"status": document.metadata.get("status") or status, "notices": "; ".join(notices)}
    return replace(document, metadata={**document.metadata, **{name: text for name, text in added.items() if text}})
