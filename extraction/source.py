"""The texts that relations are read from: the home's MEDLINE files, a collection of the user's, or files of papers or
of cases.

A source gives texts in its order, and says which papers nobody should rely on: those retracted by their own record or
by a notice in any file, and those that a file deletes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from errors import InputError
from indexes.manifest import file_sha256
from ontologies.sources.store import member_path
from retrieval import medline
from retrieval.collection import catalogue, papers
from retrieval.literature import MEMBERS, RETRACTED

MEDLINE = "medline"  # the name of the home's own files
TextKind = Literal["paper", "case"]
# Some journals say it in the title alone.
_RETRACTED = re.compile(
    r"\W*(?:retracted|retraction|withdrawn|withdrawal)\b\s*(?:article|notice|paper)?\s*[:\]-]", re.IGNORECASE
)
_CASE_TEXTS = ("text", "note", "report")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paper (its title, then its abstract) or a case. ``doc_id`` is "PMID:…", or the id in its file."""

    doc_id: str
    kind: TextKind
    title: str
    text: str


@dataclass(slots=True)
class Withdrawn:
    """Ids of papers that were retracted, or deleted by a file, as far as was read."""

    retracted: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Source:
    """One file, or one collection of the home; ``name`` is what edges and messages call it."""

    name: str
    path: Path
    home: Path
    collection: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of what is read."""
        if self.collection:
            return catalogue.stored(self.home, self.collection).sha256
        return file_sha256(self.path)

    def texts(self, withdrawn: Withdrawn) -> Iterator[Text]:
        """The texts in their order; ``withdrawn`` is complete when they are at an end. Raises InputError when the file
        cannot be read."""
        if self.collection:
            return _of_collection(self.home, self.collection, withdrawn)
        if self.path.name.lower().removesuffix(".gz").endswith(".xml"):
            return _of_medline(self.path, withdrawn)
        if self.path.suffix == ".jsonl" and _holds_cases(self.path):
            return _of_cases(self.path)
        return _of_papers(self.path, withdrawn)


def sources(home: Path, named: Sequence[str]) -> tuple[Source, ...]:
    """What the names stand for: "medline" for the home's files, the name of a collection, a file, or a folder of
    files; each file once, in the order given.

    Raises SourceError when MEDLINE is not fetched, InputError for what is none of these or a folder without texts.
    """
    found: dict[Path, Source] = {}
    for name in named:
        path = Path(name).expanduser()
        if name == MEDLINE:
            own = [Source(member, member_path(home, MEDLINE, member), home) for member in MEMBERS]
        elif name in catalogue.names(home):
            own = [Source(name, catalogue.folder(home, name), home, collection=name)]
        elif path.is_dir():
            own = [Source(file.name, file, home) for file in sorted(path.rglob("*")) if file.is_file() and _reads(file)]
            if not own:
                raise InputError("no texts in the folder", value=path, expected=_expected())
        elif path.is_file() and _reads(path):
            own = [Source(path.name, path, home)]
        else:
            known = ", ".join((MEDLINE, *catalogue.names(home)))
            raise InputError("no texts to read", value=name, expected=f"{known}, or a file or folder: {_expected()}")
        for source in own:
            found.setdefault(source.path.resolve(), source)
    if not found:
        raise InputError("nothing to read from", expected="a collection", run="whydx ontology extract --from medline")
    return tuple(found.values())


def _expected() -> str:
    return ", ".join(f".{suffix}" for suffix in papers.READERS)


def _reads(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").rpartition(".")[2] in papers.READERS


def _of_medline(path: Path, withdrawn: Withdrawn) -> Iterator[Text]:
    deleted: set[str] = set()
    for citation in medline.read(path, deleted=deleted):
        for pmid, correction in citation.corrects.items():
            if medline.fate([correction]) == RETRACTED:
                withdrawn.retracted.add(f"PMID:{pmid}")
        if citation.is_retracted or _RETRACTED.match(citation.title):
            withdrawn.retracted.add(f"PMID:{citation.pmid}")
        elif not citation.is_notice and citation.title:
            yield Text(doc_id=f"PMID:{citation.pmid}", kind="paper", title=citation.title, text=citation.abstract)
    withdrawn.deleted.update(f"PMID:{pmid}" for pmid in deleted)


def _of_papers(path: Path, withdrawn: Withdrawn) -> Iterator[Text]:
    for record in papers.read(path, path.stem):
        if record.metadata.get("status") == RETRACTED:
            withdrawn.retracted.add(record.doc_id)
        else:
            yield Text(doc_id=record.doc_id, kind="paper", title=record.title, text=record.text)


def _of_collection(home: Path, name: str, withdrawn: Withdrawn) -> Iterator[Text]:
    if catalogue.sources(home, name).kind == "cases":
        for case in catalogue.cases(home, name).matching():
            yield Text(doc_id=case.doc_id, kind="case", title="", text=case.text)
        return
    for paper in catalogue.papers(home, name).index.documents:
        if paper.metadata.get("status") == RETRACTED:
            withdrawn.retracted.add(paper.doc_id)
        else:
            yield Text(doc_id=paper.doc_id, kind="paper", title=paper.title, text=paper.text)


def _holds_cases(path: Path) -> bool:
    """Whether the first row of a JSON lines file is a case, and not a paper of BEIR."""
    for line in papers.text_of(path).split("\n"):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                return False
            return isinstance(row, dict) and "_id" not in row and any(name in row for name in _CASE_TEXTS)
    return False


def _of_cases(path: Path) -> Iterator[Text]:
    """Rows of {id?, text | note | report}; a row without an id goes by a hash of its text."""
    for number, line in enumerate(papers.text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text = next(row[name] for name in _CASE_TEXTS if row.get(name))
            whole = isinstance(text, str)
        except (ValueError, AttributeError, StopIteration, TypeError):
            whole = False
        if not whole:
            raise InputError(f"line {number} is not a case", value=path.name, expected='{"id": "…", "text": "…"}')
        given = row.get("id") or f"case:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
        yield Text(doc_id=str(given), kind="case", title="", text=text)
