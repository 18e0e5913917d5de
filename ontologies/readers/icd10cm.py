"""The ICD-10-CM tabular list (XML of the National Center for Health Statistics) → codes, names, hierarchy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import InputError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term
from ontologies.problem import Problem, Report, stop
from ontologies.sources.archive import Member, member
from ontologies.sources.encoding import open_text

_RANGE = re.compile(r"\s*\([A-Z0-9]+-[A-Z0-9]+\)\s*$")
_CODE = re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4}|-[A-Z][0-9A-Z]{2})?")
_INJURY = "Injury or Poisoning"


def read(path: Path | Member, *, report: Report = stop) -> Iterator[Statement]:
    """Stream the blocks ("A00-A09") and codes ("A00.0") of the tabular list, in its order.

    - Concept: code and description. Semantic type by chapter letter: A–Q and U "Disease or Syndrome", R "Finding", S–T
      "Injury or Poisoning", V–Z none (causes and circumstances).
    - Term: the description ("preferred") and each inclusion term ("narrow": a condition that the code covers).
    - Relation: "is_a" to the code or block above.
    The seventh characters (encounter, laterality of some eye codes) are not multiplied out: S27.0 is there, S27.0XXA
    is not.

    Raises InputError when the file is missing, is not XML, or is not a tabular list, and (by default) at what is no
    code; with ``report`` that is reported, with its line, and left out. Entities are not expanded and nothing outside
    the file is read.
    """
    from lxml import etree

    file = member(path)
    try:
        with open_text(file) as stream:
            events = etree.iterparse(
                stream,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
            )
            yield from _walk(events, file, report)
    except etree.XMLSyntaxError as error:
        expected = "the ICD-10-CM tabular list"
        raise Problem(
            file=file.base, line=error.lineno or 0, reason="not valid XML", value=error.msg or "", expected=expected
        ).error() from error


def _walk(events: Any, file: Member, report: Report) -> Iterator[Statement]:
    source, found = "ICD-10-CM", False
    above: list[str] = []  # blocks and codes that are open
    for event, element in events:
        if event == "start":
            if not found and element.getparent() is None and element.tag != "ICD10CM.tabular":
                raise InputError(
                    f"{file.base} is not a tabular list", value=element.tag, expected="root element ICD10CM.tabular"
                )
            found = True
            if element.tag == "section":
                above.append(element.get("id", ""))
                if not _CODE.fullmatch(above[-1]):
                    _misnamed(above, element, file, report)
            elif element.tag == "diag":
                above.append("")  # known when its <name> has been read
        elif element.tag == "version":
            source = f"ICD-10-CM {(element.text or '').strip()}".strip()
        elif element.tag in ("name", "desc"):
            parent = element.getparent()
            text = " ".join("".join(element.itertext()).split())
            if parent is not None and parent.tag == "diag" and element.tag == "name":
                above[-1] = text
                if not _CODE.fullmatch(text):
                    _misnamed(above, element, file, report)
            elif parent is not None and parent.tag == "diag" and above[-1]:
                yield from _entry(above, text, source)
            elif (
                parent is not None and parent.tag == "section" and "-" in above[-1]
            ):  # a block of one code is that code
                yield from _entry(above, _RANGE.sub("", text), source)
        elif element.tag == "inclusionTerm" and above and above[-1]:
            for note in element.iterfind("note"):
                if text := " ".join("".join(note.itertext()).split()):
                    yield Term(curie=f"ICD10CM:{above[-1]}", text=text, kind="narrow", source=source)
        elif element.tag in ("diag", "section"):
            above.pop()
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _misnamed(above: list[str], element: Any, file: Member, report: Report) -> None:
    """Report what is open last as no code; it then has none, and says nothing."""
    line = element.sourceline or 0
    report(
        Problem(file=file.base, line=line, reason="not a code", value=above[-1], expected="such as A00.1 or A00-A09")
    )
    above[-1] = ""


def _entry(above: list[str], name: str, source: str) -> Iterator[Statement]:
    code = above[-1]
    curie = f"ICD10CM:{code}"
    yield Concept(curie=curie, name=name, semantic_types=_semantic_types(code), codes={"ICD10CM": (code,)})
    yield Term(curie=curie, text=name, kind="preferred", source=source)
    if len(above) > 1 and above[-2] and above[-2] != code:
        yield Relation(subject=curie, predicate="is_a", object=f"ICD10CM:{above[-2]}", source=source)


def _semantic_types(code: str) -> tuple[str, ...]:
    letter = code[0]
    if letter == "R":
        return (FINDING,)
    if letter in "ST":
        return (_INJURY,)
    return () if letter in "VWXYZ" else (DISEASE,)
