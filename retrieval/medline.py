"""MEDLINE/PubMed XML (the baseline's format) to citations, streamed.

`lxml` rather than `pubmed_parser.parse_medline_xml`: the same fields in a third of the time, without holding a file's
30,000 citations at once. Format: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element

_YEAR = re.compile(r"(?:19|20)\d\d")
# publication types of citations that are about another paper and say nothing of their own about the disease
NOTICES = frozenset({"Retraction of Publication", "Retraction Notice", "Expression of Concern", "Published Erratum"})
# what became of a paper, by the reference type of its CommentsCorrections; the worst first
FATES = {
    "RetractionIn": "retracted",
    "PartialRetractionIn": "partly retracted",
    "ExpressionOfConcernIn": "expression of concern",
    "RetractedandRepublishedIn": "retracted",
    "CorrectedandRepublishedIn": "corrected",
    "ErratumIn": "corrected",
    "UpdateIn": "updated",
}
# the same from the notice's side; some databases learn of a retraction by its notice alone
_OF = {
    "RetractionOf": "RetractionIn",
    "PartialRetractionOf": "PartialRetractionIn",
    "ExpressionOfConcernFor": "ExpressionOfConcernIn",
    "RetractedandRepublishedFrom": "RetractedandRepublishedIn",
    "CorrectedandRepublishedFrom": "CorrectedandRepublishedIn",
    "ErratumFor": "ErratumIn",
    "UpdateOf": "UpdateIn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was published about a paper. ``kind`` is a key of FATES; ``pmid`` and ``source`` (journal, year, pages) say
    where, and either may be empty."""

    kind: str
    pmid: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """``abstract`` is empty when there is none; the labels of a structured abstract stand before their parts.
    ``year`` is that of the journal issue, as text, or empty. ``types`` are the publication types by name.
    ``corrections`` are those of this paper, and ``corrects`` says of which paper (a PMID) this citation is one."""

    pmid: str
    title: str
    abstract: str
    journal: str
    year: str
    types: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    corrects: Mapping[str, Correction] = field(default_factory=dict)

    @property
    def is_notice(self) -> bool:
        """Whether this is a notice about another paper (a retraction, a concern, an erratum), not a paper."""
        return bool(NOTICES.intersection(self.types))

    @property
    def is_retracted(self) -> bool:
        """Whether the paper is marked as retracted, by its type or by a correction."""
        return "Retracted Publication" in self.types or fate(self.corrections) == "retracted"


def fate(corrections: Iterable[Correction]) -> str:
    """What became of a paper, the worst of its corrections in the order of FATES; empty when there are none."""
    return fate_of(correction.kind for correction in corrections)


def fate_of(kinds: Iterable[str]) -> str:
    """The worst of corrections, given by their kinds; empty when there are none."""
    kinds = set(kinds)
    return next((name for kind, name in FATES.items() if kind in kinds), "")


def read(path: Path, *, deleted: set[str] | None = None) -> Iterator[Citation]:
    """The citations of a file (gzip or plain), in its order; a citation without a PMID is left out.

    The PMIDs that the file takes back (DeleteCitation, at its end) are added to ``deleted``.

    Raises InputError when the file is missing, truncated or not MEDLINE XML.
    """
    from lxml import etree

    try:
        with cast("IO[bytes]", gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as stream:
            parser = etree.iterparse(
                stream, tag=("PubmedArticle", "DeleteCitation"), resolve_entities=False, no_network=True
            )
            for _, article in parser:
                if article.tag == "DeleteCitation":
                    if deleted is not None:
                        deleted.update(_text(number) for number in article.iterfind("PMID"))
                    continue
                citation = _citation(article)
                if citation:
                    yield citation
                article.clear()
                while article.getprevious() is not None:
                    del article.getparent()[0]
    except (etree.XMLSyntaxError, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot read MEDLINE XML ({reason})", value=path) from error


def _citation(article: Any) -> Citation | None:
    medline = article.find("MedlineCitation")
    pmid = _text(medline.find("PMID")) if medline is not None else ""
    if not pmid:
        return None
    parts = []
    for part in medline.iterfind("Article/Abstract/AbstractText"):
        label, text = part.get("Label", ""), _text(part)
        if text:
            parts.append(f"{label}: {text}" if label and label.upper() != "UNLABELLED" else text)
    date = medline.find("Article/Journal/JournalIssue/PubDate")
    year = _YEAR.search(_text(date)) if date is not None else None
    title = _text(medline.find("Article/ArticleTitle")) or _text(medline.find("Article/VernacularTitle"))
    types = tuple(_text(kind) for kind in medline.iterfind("Article/PublicationTypeList/PublicationType"))
    corrections, corrects = _corrections(medline, pmid)
    return Citation(
        pmid=pmid,
        title=title,
        abstract=" ".join(parts),
        journal=_text(medline.find("Article/Journal/Title")),
        year=year.group() if year else "",
        types=types,
        corrections=corrections,
        corrects=corrects,
    )


def _corrections(medline: Any, pmid: str) -> tuple[tuple[Correction, ...], dict[str, Correction]]:
    """The corrections of this paper, and those that this citation is of others, by their PMID."""
    made, corrects = [], {}
    for part in medline.iterfind("CommentsCorrectionsList/CommentsCorrections"):
        kind, other, source = part.get("RefType", ""), _text(part.find("PMID")), _text(part.find("RefSource"))
        if kind in FATES:
            made.append(Correction(kind=kind, pmid=other, source=source))
        elif kind in _OF and other:
            corrects[other] = Correction(kind=_OF[kind], pmid=pmid, source=_text(medline.find("Article/Journal/Title")))
    return tuple(made), corrects


def _text(element: _Element | None) -> str:
    """All text below an element (titles hold markup), spaces collapsed."""
    return " ".join("".join(cast("Iterator[str]", element.itertext())).split()) if element is not None else ""
