"""The PubTator format: ``id|t|title`` and ``id|a|abstract``, tab-separated mentions, a blank line between documents.

A document's text is its title and abstract, joined by a space when both are given; offsets count its characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from errors import InputError
from ontologies.linking.linker import ConceptMatch

_HEAD = re.compile(r"([^|\s]+)\|([ta])\|(.*)", re.DOTALL)


def is_pubtator(line: str) -> bool:
    """Whether ``line`` begins a document: ``id|t|…``."""
    match = _HEAD.match(line)
    return match is not None and match[2] == "t"


def texts(lines: Iterable[str], *, name: str = "the input") -> Iterator[tuple[str, str]]:
    """(id, text) of each document, as it is read; mentions are passed over. InputError, with the line, for what is
    not PubTator."""
    document = text = None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        head = _HEAD.match(line)
        if head and head[2] == "t":
            if document is not None:
                yield document, text or ""
            document, text = head[1], head[3]
        elif head and head[1] == document:
            text = f"{text} {head[3]}" if text and head[3] else text or head[3]
        elif line.strip() and (document is None or "\t" not in line):
            raise InputError(f"{name}, line {number}: not PubTator", value=line, expected="id|t|text")
    if document is not None:
        yield document, text or ""


def render(identifier: str, text: str, matches: Iterable[ConceptMatch], vocab: str | None = None) -> str:
    """A document with its mentions: id, start, end, mention, semantic type, identifier, presence.

    The identifier is the first code in ``vocab`` ("HP:0002202"), else the concept's CURIE; mentions without a code in
    ``vocab`` are left out. Line breaks and tabs of the text become spaces, so that offsets stay right.
    """
    lines = [f"{identifier}|t|{_flat(text)}", f"{identifier}|a|"]
    for match in matches:
        concept = match.concept
        code = concept.code(vocab) if vocab else None
        if vocab and code is None:
            continue
        kind = concept.semantic_types[0] if concept.semantic_types else "Concept"
        curie = f"{vocab}:{code}" if vocab else concept.curie
        cells = (identifier, str(match.start), str(match.end), _flat(match.mention), kind, curie, match.presence)
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n\n"


def _flat(text: str) -> str:
    return re.sub(r"[\t\r\n]", " ", text)
