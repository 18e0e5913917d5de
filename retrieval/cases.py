"""The cases: radiology reports and images, searched by image, text and concepts, and filtered.

Two collections stand in a home: ``indexes/cases`` (Open-i reports, text) and ``indexes/images`` (embeddings of images
with their labels, no pixels). A search asks both and merges the answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.manifest import Verify, file_sha256
from ontologies.sources.store import member_path
from retrieval import openi
from retrieval import where as filters
from retrieval.concept_index import Ancestors, Likely
from retrieval.document import CaseHit, Document, SearchHit
from retrieval.encoder import Encoder
from retrieval.hybrid import VERSION, HybridIndex, Scored
from retrieval.openi import Report
from retrieval.readings import Readings

if TYPE_CHECKING:
    import numpy as np

    from ontologies.linking.linker import ConceptMatch, Linker

__all__ = ["VERSION", "Cases", "build", "build_images"]

REPORTS = "case index"
IMAGES = "image index"

_OF_ONE_PATIENT = 20  # more cases than asked for are ranked, since some are of patients who are there already

Progress = Callable[[str, int, int], None]


def folder(home: Path, kind: str) -> Path:
    """Where a home keeps the collection of that kind (REPORTS or IMAGES)."""
    return home / "indexes" / ("cases" if kind == REPORTS else "images")


def build(
    home: Path,
    linker: Linker,
    *,
    ancestors: Ancestors | None = None,
    encoder: Encoder | None = None,
    path: Path | None = None,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Build ``home/indexes/cases`` from the fetched Open-i archive (or the one at ``path``).

    A report without findings and impression is left out. A case's id is "openi:" and the report's ("openi:CXR1"); its
    text is indication, findings and impression; its concepts are those that findings, impression and the annotators'
    codes assert as present (the indication is a question, not a finding). Metadata: indication, impression, mesh,
    findings (names of the concepts, joined by "; "), licence, collection. ``keep`` is a
    folder of what was linked, so that the next build only links what is new. Raises SourceError when the archive is not
    fetched, InputError when it cannot be read.
    """
    path = member_path(home, "openi", "NLMCXR_reports.tgz") if path is None else path
    reports, read = [], 0
    for report in openi.read(path):
        read += 1
        if report.findings or report.impression:
            reports.append(report)
        if progress and read % 100 == 0:
            progress("read reports", read, 0)
    readings = Readings(linker, keep)
    texts = [_stated(report) for report in reports]
    found = iter(readings.present([text for stated in texts for text in stated], progress=progress))
    documents = [
        _document(report, dict(one for _ in stated for one in next(found)))
        for report, stated in zip(reports, texts, strict=True)
    ]
    if not documents:
        raise InputError("no reports", value=path.name, expected="the Open-i archive NLMCXR_reports.tgz")
    HybridIndex.build(
        documents,
        folder(home, REPORTS),
        kind=REPORTS,
        encoder=encoder,
        ancestors=ancestors,
        inputs={path.name: file_sha256(path), "linker": linker.fingerprint},
        settings={"counts": {"reports": read, "indexed": len(documents)}, "licence": openi.LICENCE},
        progress=progress,
    )
    readings.save()


def build_images(
    home: Path,
    embeddings: np.ndarray,
    documents: Sequence[Document],
    *,
    detector: str = "",
    ancestors: Ancestors | None = None,
    encoder: Encoder | None = None,
    progress: Progress | None = None,
) -> None:
    """Build ``home/indexes/images`` from float32 embeddings (n, d) and the documents of the same images, in the same
    order.

    ``detector`` is the fingerprint of the network that made the embeddings; `Cases.open` compares it. The filter
    reads the metadata age (years), sex (F or M), view, and findings (names joined by "; "). ValueError when lengths
    differ.
    """
    if len(embeddings) != len(documents):
        raise ValueError(f"{len(embeddings)} embeddings for {len(documents)} documents")
    HybridIndex.build(
        documents,
        folder(home, IMAGES),
        kind=IMAGES,
        encoder=encoder,
        ancestors=ancestors,
        images=(embeddings, detector),
        settings={"counts": {"images": len(documents)}},
        progress=progress,
    )


class Cases:
    """Search over the cases.

    A hit's ``score``, in [0, 1], is the weighted mean of the parts that the query and the case's collection both
    have, each divided by the best of that collection in this search (an image's cosine is first measured from the
    least alike candidate): 1 is a case that is the best of its collection in everything that can be compared. It
    orders one search and means nothing between searches. ``explanation`` has the raw parts: "image" and "dense"
    (cosines), "bm25" (no upper bound) and "concepts" (simGIC in [0, 1]).
    """

    def __init__(
        self, reports: HybridIndex | None, images: HybridIndex | None, *, columns: Mapping[str, str] | None = None
    ) -> None:
        """``columns`` are the filter's own fields (`retrieval.where.parse`)."""
        self.reports, self.images, self.columns = reports, images, columns or {}

    @classmethod
    def open(
        cls, home: Path, *, encoder: Encoder | None = None, detector: str | None = None, verify: Verify = "open"
    ) -> Cases:
        """Open the reports, and the images if they were built.

        Raises ArtifactError when the reports are missing, or either is damaged or built with another sentence
        encoder, or, when ``detector`` (a fingerprint) is given, the images with another network.
        """
        reports = HybridIndex.open(folder(home, REPORTS), kind=REPORTS, encoder=encoder, verify=verify)
        images = None
        if folder(home, IMAGES).is_dir():
            images = HybridIndex.open(
                folder(home, IMAGES), kind=IMAGES, encoder=encoder, images=detector, verify=verify
            )
        return cls(reports, images)

    def __len__(self) -> int:
        return sum(len(collection) for collection in self._collections())

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any file of the collections."""
        hashes = "".join(collection.manifest.sha256 for collection in self._collections())
        return hashlib.sha256(hashes.encode()).hexdigest()

    def search(
        self,
        text: str | None = None,
        image_embedding: np.ndarray | None = None,
        concepts: Iterable[str] | Likely = (),
        k: int = 10,
        where: str | None = None,
        *,
        exclude: Collection[str] = (),
        without: Collection[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> tuple[SearchHit, ...]:
        """The ``k`` cases most like what is given, best first, ties by id, one of each patient where a case says whose
        it is; empty when nothing matches.

        Any of ``text``, ``image_embedding`` (float32 (d,)) and ``concepts`` (canonical CURIEs, certain or
        `Likely`) is enough. ``where`` is a filter (`retrieval.where`), applied before anything is ranked and then
        searched exactly, so no match is lost; alone, it gives the first ``k`` matches by id, with score zero, of the
        same patient, too. ``exclude`` are ids that must not be found, ``without`` concepts that a case found must not
        state, nor a kind of them. With ``names`` (CURIE → name of what is asked for) the hits are `CaseHit`, which say
        what each shares and lacks. With an image and no text only collections with images answer.

        Raises InputError when nothing is given, k < 1, the filter cannot be read, or the embedding has another
        dimension; ArtifactError when an image is given and no images were indexed.
        """
        wanted = concepts if isinstance(concepts, Likely) else tuple(concepts)
        text = text if text is not None and text.strip() else None
        if text is None and image_embedding is None and not wanted and where is None:
            raise InputError("nothing to search for", expected="a text, an image, concepts or a filter")
        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        if image_embedding is not None and self.images is None:
            raise ArtifactError("no images are indexed", run=manifest.REBUILD)
        matches = None if where is None else filters.parse(where, self.columns)
        alone = text is None and image_embedding is None and not wanted
        most = k if alone else k + _OF_ONE_PATIENT
        while True:
            found: list[tuple[float, str, HybridIndex, Scored]] = []
            more = False  # whether another answer may be among those that were not asked for
            for collection in self._collections():
                if image_embedding is not None and text is None and collection.images is None:
                    continue
                among = collection.documents.rows(matches) if matches else None
                among = _without(collection, among, without)
                if alone:
                    answers = collection.first(most, among if among is not None else collection.every, exclude)
                else:
                    answers = collection.search(
                        k=most, text=text, concepts=wanted, image=image_embedding, among=among, exclude=exclude
                    )
                more = more or len(answers) == most
                found += [(-a.score, collection.lexical.ids[a.row], collection, a) for a in answers]
            found.sort(key=lambda item: item[:2])
            hits = [(c, c.documents[scored.row], scored) for _, _, c, scored in found[:most]]
            if not alone:
                hits = _one_of_each(hits)
            if alone or len(hits) >= k or not more:
                break
            most *= 4
        return tuple(_hit(c, document, scored, rank, names) for rank, (c, document, scored) in enumerate(hits[:k], 1))

    def find(self, doc_id: str) -> tuple[Document, np.ndarray | None]:
        """The case of that id, and the embedding of its image, float32 (d,), if it has one. Raises InputError when
        there is none."""
        import numpy as np

        for collection in self._collections():
            if doc_id in collection.lexical.ids:
                row = collection.lexical.ids.index(doc_id)
                place = np.flatnonzero(collection.pictured == row)
                vectors = collection.images.vectors[place] if collection.images is not None and len(place) else None
                return collection.documents[row], None if vectors is None else np.array(vectors[0])
        raise InputError("no such case", value=doc_id, expected="the id of a case, as a search shows it")

    def matching(self, where: str | None = None) -> Iterator[Document]:
        """All the cases that a filter lets through (None: all there are), unranked; none is an empty answer. Raises
        InputError when the filter cannot be read."""
        matches = None if where is None else filters.parse(where, self.columns)
        for collection in self._collections():
            yield from (document for document in collection.documents if matches is None or matches(document))

    def _collections(self) -> list[HybridIndex]:
        return [collection for collection in (self.reports, self.images) if collection is not None]


def _without(collection: HybridIndex, among: np.ndarray | None, without: Collection[str]) -> np.ndarray | None:
    """The rows that may be found: of those ``among`` (None: all) the ones that state none of the concepts."""
    import numpy as np

    if not without:
        return among
    gone = np.concatenate([collection.concepts.rows(curie) for curie in without])
    return np.setdiff1d(collection.every if among is None else among, gone)


Found = tuple[HybridIndex, Document, Scored]


def _one_of_each(found: Sequence[Found]) -> list[Found]:
    """The best case of each patient; of a case that does not say whose it is, the case."""
    seen: set[str] = set()
    kept = []
    for one in found:
        patient = one[1].metadata.get("patient", "")
        if not patient or patient not in seen:
            kept.append(one)
            seen.add(patient)
    return kept


def _hit(
    collection: HybridIndex, document: Document, scored: Scored, rank: int, names: Mapping[str, str] | None
) -> SearchHit:
    if names is None:
        return SearchHit(document=document, score=scored.score, rank=rank, explanation=scored.parts)
    has = {curie: collection.concepts.has(document.concepts, curie) for curie in names}
    return CaseHit(
        document=document,
        score=scored.score,
        rank=rank,
        explanation=scored.parts,
        shares=tuple(sorted(name for curie, name in names.items() if has[curie])),
        lacks=tuple(sorted(name for curie, name in names.items() if not has[curie])),
    )


def _stated(report: Report) -> list[str]:
    """The texts whose concepts a report has; each of the annotators' codes is one of its own, and
    "Opacity/lung/base/left" reads as "Opacity, lung, base, left"."""
    said = " ".join(part for part in (report.findings, report.impression) if part)
    return [said, *(code.replace("/", ", ") for code in report.abnormal)]


def _document(report: Report, present: Mapping[str, str]) -> Document:
    parts = [
        f"Indication: {report.indication}" if report.indication else "",
        f"Findings: {report.findings}" if report.findings else "",
        f"Impression: {report.impression}" if report.impression else "",
    ]
    codes = "; ".join(report.abnormal)
    return Document(
        doc_id=f"openi:{report.report_id}",
        kind="case",
        title="Chest radiograph: " + (codes.replace("/", " ") if codes else "no abnormality coded"),
        text=" ".join(filter(None, parts)),
        source_curie=f"openi:{report.report_id}",
        concepts=tuple(sorted(present)),
        metadata={
            "collection": "Open-i",
            "indication": report.indication,
            "impression": report.impression,
            "mesh": "; ".join(report.mesh),
            "findings": filters.FINDINGS_SEPARATOR.join(sorted(set(present.values()))),
            "licence": openi.LICENCE,
        },
    )


def asserted(matches: Iterable[ConceptMatch]) -> dict[str, str]:
    """CURIE → name of the concepts asserted as present."""
    return {match.concept.curie: match.concept.name for match in matches if match.presence == "present"}
