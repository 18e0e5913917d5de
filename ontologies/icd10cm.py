"""The ICD-10-CM tabular list (XML of the National Center for Health Statistics) → codes, names, hierarchy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import InputError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term

_RANGE = re.compile(r"\s*\([A-Z0-9]+-[A-Z0-9]+\)\s*$")
_INJURY = "Injury or Poisoning"


def read(path: Path) -> Iterator[Statement]:
    """Stream the blocks ("A00-A09") and codes ("A00.0") of the tabular list, in its order.

    - Concept: code and description. Semantic type by chapter letter: A–Q and U "Disease or Syndrome", R "Finding", S–T
      "Injury or Poisoning", V–Z none (causes and circumstances).
    - Term: the description ("preferred") and each inclusion term ("narrow": a condition that the code covers).
    - Relation: "is_a" to the code or block above.
    The seventh characters (encounter, laterality of some eye codes) are not multiplied out: S27.0 is there, S27.0XXA
    is not.

    Raises InputError when the file is missing, is not XML, or is not a tabular list. Entities are not expanded and
    nothing
    outside the file is read.
    """
    from lxml import etree

    path = Path(path)
    if not path.is_file():
        raise InputError("no such ICD-10-CM file", value=path)
    try:
        with open(path, "rb") as stream:
            events = etree.iterparse(
                stream,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
            )
            yield from _walk(events, path)
    except etree.XMLSyntaxError as error:
        raise InputError(
            f"{path.name}, line {error.lineno}: not valid XML", value=error.msg, expected="the ICD-10-CM tabular list"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path.name}", value=error, expected="the ICD-10-CM tabular list") from error


def _walk(events: Any, path: Path) -> Iterator[Statement]:
    source, found = "ICD-10-CM", False
    above: list[str] = []  # blocks and codes that are open
    for event, element in events:
        if event == "start":
            if not found and element.getparent() is None and element.tag != "ICD10CM.tabular":
                raise InputError(
                    f"{path.name} is not a tabular list", value=element.tag, expected="root element ICD10CM.tabular"
                )
            found = True
            if element.tag == "section":
                above.append(element.get("id", ""))
            elif element.tag == "diag":
                above.append("")  # known when its <name> has been read
        elif element.tag == "version":
            source = f"ICD-10-CM {(element.text or '').strip()}".strip()
        elif element.tag in ("name", "desc"):
            parent = element.getparent()
            text = " ".join("".join(element.itertext()).split())
            if parent is not None and parent.tag == "diag" and element.tag == "name":
                above[-1] = text
            elif parent is not None and parent.tag == "diag" and above[-1]:
                yield from _entry(above, text, source)
            elif (
                parent is not None and parent.tag == "section" and "-" in above[-1]
            ):  # a block of one code is that code
                yield from _entry(above, _RANGE.sub("", text), source)
        elif element.tag == "inclusionTerm" and above:
            for note in element.iterfind("note"):
                if text := " ".join("".join(note.itertext()).split()):
                    yield Term(curie=f"ICD10CM:{above[-1]}", text=text, kind="narrow", source=source)
        elif element.tag in ("diag", "section"):
            above.pop()
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


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
