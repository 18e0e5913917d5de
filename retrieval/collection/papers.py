"""A researcher's papers: MEDLINE/PubMed XML, NBIB, RIS, PubTator, BEIR's corpus.jsonl, plain text; a reader a format.

A paper with an abstract or a title becomes a record; the rest are left out. Its id is its PMID, else its DOI, else its
number in its file or the name of its file. MEDLINE and NBIB say when one was retracted or corrected; the notices
themselves are no papers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from errors import InputError
from ontologies.linking import pubtator
from retrieval import medline
from retrieval.collection.record import LARGEST_FILE, LARGEST_TEXT, Record
from retrieval.literature import RETRACTED
from retrieval.sentence import sentences

_YEAR = re.compile(r"(?:18|19|20)\d\d")
_NBIB = re.compile(r"([A-Z]{2,4}) *- (.*)")
_LONGEST_TITLE = 200
_RETRACTED = "Retracted Publication"
# what was published about a paper, by its tag in NBIB
_CORRECTED = {
    "RIN": "RetractionIn",
    "ECI": "ExpressionOfConcernIn",
    "RRI": "RetractedandRepublishedIn",
    "CRI": "CorrectedandRepublishedIn",
    "EIN": "ErratumIn",
    "UIN": "UpdateIn",
}
Paper = tuple[str, str, str, Mapping[str, str]]  # id, title, abstract, journal and year


def read(path: Path, name: str) -> Iterator[Record]:
    """The papers of a file, in its order; ``name`` stands for it in ids. Raises InputError when it cannot be read or is
    in no format known."""
    suffixes = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    reader = READERS.get(suffixes)
    if reader is None:
        raise InputError("no papers in this format", value=path, expected=", ".join(f".{s}" for s in READERS))
    for paper_id, title, abstract, known in reader(path, name):
        title, abstract = " ".join(title.split()), abstract.strip()
        if title or abstract:
            text = f"{title} {abstract}".strip()
            details = {"title": title} | {key: value for key, value in known.items() if value}
            yield Record(doc_id=paper_id, title=title, text=abstract, stated=text, metadata=details)


def text_of(path: Path, most: int = LARGEST_FILE) -> str:
    """A file's text of at most so many bytes. Raises InputError when it cannot be read, is too large, or is not UTF-8,
    with the line."""
    try:
        size = path.stat().st_size
        if size > most:
            limit = f"at most {most // 10**6} MB in one file"
            raise InputError("the text is too large", value=f"{path.name}, {size / 1e6:,.0f} MB", expected=limit)
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read ({error.strerror})", value=path, expected="a text file") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line} is not UTF-8 text", value=path, expected="one encoding, UTF-8") from error
    if "\0" in text:
        raise InputError("not a text: it holds NUL bytes", value=path, expected="UTF-8 text")
    return text


def _medline(path: Path, name: str) -> Iterator[Paper]:
    """Notices are no papers: what they say of a paper of the same file becomes its status."""
    deleted: set[str] = set()
    citations = list(medline.read(path, deleted=deleted))
    told: dict[str, list[medline.Correction]] = {}
    for citation in citations:
        for pmid, correction in citation.corrects.items():
            told.setdefault(pmid, []).append(correction)
    for citation in citations:
        if citation.is_notice or citation.pmid in deleted:
            continue
        fate = medline.fate([*citation.corrections, *told.get(citation.pmid, ())])
        known = {
            "journal": citation.journal,
            "year": citation.year,
            "status": RETRACTED if citation.is_retracted else fate,
        }
        yield f"PMID:{citation.pmid}", citation.title, citation.abstract, known


def _nbib(path: Path, name: str) -> Iterator[Paper]:
    """PubMed's tagged format: a tag of up to four letters, "- ", a value that goes on in lines that begin with blanks;
    a blank line between records. https://www.nlm.nih.gov/bsd/mms/medlineelements.html"""
    record: dict[str, str] = {}
    tag = ""
    number = 0
    for line, written in enumerate([*text_of(path).splitlines(), ""], 1):
        if field := _NBIB.match(written):
            tag, value = field.groups()
            if tag in record and tag != "PMID":  # authors, identifiers: one a line
                value = f"{record[tag]}\n{value}"
            elif tag in record:
                raise InputError(
                    f"line {line}: a second PMID in one record", value=path, expected="a blank line before"
                )
            record[tag] = value
        elif written.strip() and written[0].isspace() and tag:
            record[tag] += f" {written.strip()}"
        elif written.strip():
            raise InputError(f"line {line} is not NBIB", value=path, expected='"PMID- 12345678"')
        elif record:
            number += 1
            types = set(record.get("PT", "").split("\n"))
            doi = next((i.split()[0] for i in record.get("LID", "").split("\n") if i.endswith("[doi]")), "")
            status = (
                RETRACTED if _RETRACTED in types else medline.fate_of(_CORRECTED[t] for t in record if t in _CORRECTED)
            )
            journal = record.get("JT", record.get("TA", ""))
            known = {"journal": journal, "year": _year(record.get("DP", "")), "status": status}
            if not types & medline.NOTICES:
                yield _id(record.get("PMID", ""), doi, name, number), record.get("TI", ""), record.get("AB", ""), known
            record, tag = {}, ""


def _ris(path: Path, name: str) -> Iterator[Paper]:
    import rispy

    text = text_of(path)
    try:
        records = rispy.loads(text, skip_unknown_tags=True)
    except (rispy.parser.ParseError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise InputError("not RIS", value=path, expected="records from TY to ER") from error
    begun = sum(line.startswith("TY  -") for line in text.splitlines())
    if len(records) != begun or (not begun and text.strip()):  # a record that is cut short is silently passed over
        raise InputError("not RIS", value=f"{path.name}, {begun} begun, {len(records)} whole", expected="TY to ER")
    for number, row in enumerate(records, 1):
        title = str(row.get("title") or row.get("primary_title") or row.get("translated_title") or "")
        journal = str(row.get("secondary_title") or row.get("journal_name") or row.get("alternate_title3") or "")
        year = _year(str(row.get("year") or row.get("publication_year") or row.get("date") or ""))
        pmid = str(row.get("accession_number") or "") if "pubmed" in str(row.get("name_of_database")).lower() else ""
        abstract = str(row.get("abstract") or row.get("notes_abstract") or "")
        yield _id(pmid, str(row.get("doi") or ""), name, number), title, abstract, {"journal": journal, "year": year}


def _pubtator(path: Path, name: str) -> Iterator[Paper]:
    for identifier, text in pubtator.texts(text_of(path).splitlines(keepends=True), name=path.name):
        title = next(iter(sentences(text)), "")
        known: dict[str, str] = {}
        yield _id(identifier if identifier.isdigit() else "", "", identifier, 0), title, text[len(title) :], known


def _beir(path: Path, name: str) -> Iterator[Paper]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            paper, title, text = row["_id"], row.get("title") or "", row["text"]
            whole = all(isinstance(value, str) for value in (paper, title, text))
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise InputError(f"line {number} is not a paper", value=path, expected='{"_id": "…", "text": "…"}')
        yield paper, title, text, {}


def _text(path: Path, name: str) -> Iterator[Paper]:
    """A paper a file; its first line is its title. PubMed saves its tagged format under this name, too."""
    text = text_of(path, LARGEST_TEXT)
    if text.lstrip().startswith("PMID- "):
        yield from _nbib(path, name)
        return
    title, _, body = text.strip().partition("\n")
    if len(title) > _LONGEST_TITLE:
        title, body = f"{title[:_LONGEST_TITLE]}…", f"{title}\n{body}"
    yield name, title, " ".join(body.split()), {}


def _id(pmid: str, doi: str, name: str, number: int) -> str:
    if pmid.strip():
        return f"PMID:{pmid.strip()}"
    if doi.strip():
        return f"doi:{doi.strip().lower().removeprefix('https://doi.org/')}"
    return f"{name}:{number}" if number else name


def _year(text: str) -> str:
    found = _YEAR.search(text)
    return found.group() if found else ""


READERS: Mapping[str, Callable[[Path, str], Iterator[Paper]]] = {
    "xml": _medline,
    "nbib": _nbib,
    "ris": _ris,
    "pubtator": _pubtator,
    "jsonl": _beir,
    "txt": _text,
}
