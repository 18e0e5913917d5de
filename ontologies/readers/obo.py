"""OBO 1.4 files (HPO, Disease Ontology, Mondo, …) → concepts, terms and relations.

Format: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html. Tags that are not read are not checked
further than being "tag: value".
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term, TermKind
from ontologies.prefix import canonical_curie, curie_of_iri, written_curie
from ontologies.problem import Problem, Report, stop, text_lines
from ontologies.sources.archive import Member, member

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STANZA = re.compile(r"\[(\w+)\]\s*(!.*)?$")
_TAG = re.compile(r"[A-Za-z][\w.-]*")
_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_UNDERSCORED = re.compile(r"[A-Za-z][A-Za-z0-9.-]*_\w*\d[\w.-]*")
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"')
_TRAILER = re.compile(r'(?:\s*\{[^{}]*=\s*"[^{}]*\})?(?:\s+!\s.*)?$')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_SCOPES: dict[str, TermKind] = {"EXACT": "exact", "BROAD": "broad", "NARROW": "narrow", "RELATED": "related"}
# Synonym types by the ids of HPO and of the OBO Metadata Ontology (acronym, abbreviation, layperson synonym).
SYNONYM_TYPES: dict[str, TermKind] = {
    "layperson": "layperson",
    "abbreviation": "abbreviation",
    "OMO:0003012": "abbreviation",
    "OMO:0003000": "abbreviation",
    "OMO:0003003": "layperson",
}
_TITLES = {"hp": "HPO", "doid": "DO", "mondo": "Mondo"}

# Only these branches of HP are things a patient can have; the rest (inheritance, frequency, onset, modifier) qualify
# them.
FINDING_ROOTS = ("HP:0000118", "HP:0032443")
_QUALIFIER = "Qualitative Concept"
_DISEASE_SYSTEMS = frozenset({"DOID", "MONDO", "OMIM", "ORPHA"})


def read(path: Path | Member, *, report: Report = stop) -> Iterator[Statement]:
    """Stream the live terms of an OBO file, in the order of the file, each as a Concept, its Terms and its Relations.

    - Concept: id, name, definition; semantic type "Finding" for HP below "Phenotypic abnormality" or "Past medical
      history", "Qualitative Concept" for other HP, "Disease or Syndrome" for DOID, MONDO, OMIM, ORPHA; else none.
    - Term: the name ("preferred") and the synonyms. Of exact synonyms, the kind is "layperson" or "abbreviation"
      when the file types them so; plural and British forms are "exact". Synonyms typed as obsolete are left out.
    - Relation: "is_a" (not to or from an obsolete term), "xref" when the prefix is a known code system, "alias" from
      each alt_id, and from each obsolete term to the term that replaces it; "consider" from one to each that may.

    Prefixes are made canonical (``ontologies.prefix``), ids with an unknown prefix stay as they are. An id may also be
    an IRI, or have "_" for ":" ("HP_0002202") where its prefix is known or the term is in the file.
    Raises InputError when the file is missing or (by default) at a line that is not valid OBO. With ``report`` such a
    line is reported and left out: one clause of a term, or the whole stanza when it is the stanza's head or id.
    """
    file = member(path)
    parents, obsolete, known = _skeleton(file)
    findings = below(parents, FINDING_ROOTS)
    source = ""
    for frame in _frames(file, report):
        if not frame.kind:
            source = _source(frame, file)
        elif frame.kind == "Term":
            yield from _term(frame, source, findings, obsolete, known)


@dataclass(slots=True)
class _Frame:
    """A stanza, or the header (``kind`` ""): its clauses as (line number, tag, value without line end). A stanza whose
    head or first clause is malformed has the kind "malformed"."""

    file: str
    kind: str
    line: int
    report: Report
    clauses: list[tuple[int, str, str]] = field(default_factory=list)

    def malformed(self, line: int, why: str, value: str) -> None:
        self.report(Problem(file=self.file, line=line, reason=f"not valid OBO ({why})", value=value))


def _frames(file: Member, report: Report) -> Iterator[_Frame]:
    frame = _Frame(file=file.base, kind="", line=1, report=report)
    for number, line in text_lines(file, report):
        line = line.strip()
        if not line or line.startswith("!"):
            continue
        if line.startswith("["):
            yield frame
            header = _STANZA.match(line)
            kind = header[1] if header else "malformed"
            frame = _Frame(file=file.base, kind=kind, line=number, report=report)
            if header is None:
                frame.malformed(number, "a stanza is [Term], [Typedef] or [Instance]", line)
            continue
        tag, colon, value = line.partition(":")
        value = value.strip()
        if not colon or not value or not _TAG.fullmatch(tag):
            frame.malformed(number, "a line is tag: value", line)
        elif frame.kind and not frame.clauses and tag != "id" and frame.kind != "malformed":
            frame.malformed(number, "a stanza begins with its id", line)
            frame.kind = "malformed"
        else:
            frame.clauses.append((number, tag, value))
    yield frame


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text)


def _identifier(value: str) -> str:
    """The first word of a value: what follows it are qualifiers, a description, or a comment."""
    word = _WORD.match(value)
    return _unescape(word[0]) if word else ""


def _plain(value: str) -> str:
    """A value without its comment and trailing qualifiers."""
    return _unescape(_TRAILER.sub("", value).rstrip()) if "!" in value or value.endswith("}") else _unescape(value)


def _skeleton(file: Member) -> tuple[dict[str, list[str]], frozenset[str], frozenset[str]]:
    """(CURIE → its is_a parents, obsolete CURIEs, all CURIEs) by a quick look at the lines; the grammar is checked by
    the real parse."""
    above: dict[str, list[str]] = {}
    obsolete: set[str] = set()
    known: set[str] = set()
    current = ""
    for _, line in text_lines(file, lambda problem: None):
        if line.startswith("id:"):
            current = curie_of_id(_identifier(line[3:].strip()))
            known.add(current)
        elif line.startswith("is_a:"):
            above.setdefault(current, []).append(_identifier(line[5:].strip()))
        elif line.startswith("is_obsolete:") and line[12:].split("!")[0].strip() == "true":
            obsolete.add(current)
    parents = {child: [curie_of_id(parent, known) for parent in some] for child, some in above.items()}
    return parents, frozenset(obsolete), frozenset(known)


def below(parents: dict[str, list[str]], roots: tuple[str, ...]) -> frozenset[str]:
    """``roots`` and everything under them; a root that nothing is under is not counted."""
    children: dict[str, list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    found: set[str] = set()
    stack = [root for root in roots if root in children]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(children.get(node, ()))
    return frozenset(found)


def _source(header: _Frame, file: Member) -> str:
    fields = {tag: _plain(value) for _, tag, value in header.clauses}
    return ontology_name(fields.get("ontology", Path(file.base).stem), fields.get("data-version", ""))


def ontology_name(ontology: str, version: str) -> str:
    """Name and version of an ontology, for example "HPO 2025-01-16" of "hp.obo" and "hp/releases/2025-01-16"; of a
    version with a date, the date."""
    stem = Path(ontology).name.removesuffix(".obo").removesuffix(".owl")
    dated = _DATE.search(version)
    return f"{_TITLES.get(stem, stem)} {dated.group() if dated else version}".strip()


def semantic_types(curie: str, is_finding: bool) -> tuple[str, ...]:
    """The types of a term by its code system; ``is_finding`` says whether it is below one of FINDING_ROOTS."""
    system = curie.partition(":")[0]
    if system == "HP":
        return (FINDING,) if is_finding else (_QUALIFIER,)
    return (DISEASE,) if system in _DISEASE_SYSTEMS else ()


def curie_of_id(identifier: str, known: Container[str] = (), beside: str = "") -> str:
    """The CURIE of an id as it is written: a CURIE with any prefix, an IRI, or with "_" for ":" when its prefix is that
    of a known code system or of the CURIE ``beside``, or the CURIE is one of ``known``; anything else as it is."""
    if identifier.startswith(("http://", "https://")):
        return curie_of_iri(identifier)
    if ":" not in identifier and _UNDERSCORED.fullmatch(identifier):
        prefix, _, local = identifier.partition("_")
        other = f"{prefix}:{local}"
        return written_curie(identifier) or (other if other in known or beside.startswith(f"{prefix}:") else identifier)
    return canonical_curie(identifier) or identifier


def _term(
    frame: _Frame, source: str, findings: frozenset[str], obsolete: frozenset[str], known: frozenset[str]
) -> Iterator[Statement]:
    if not frame.clauses:
        frame.malformed(frame.line, "a stanza begins with its id", f"[{frame.kind}]")
        return
    identifier = _identifier(frame.clauses[0][2])
    curie = curie_of_id(identifier)
    if any(c.isspace() for c in identifier):
        frame.malformed(frame.clauses[0][0], "an id has no white space", identifier)
        return
    name, definition = "", ""
    terms: list[Term] = []
    relations: list[Relation] = []

    def relate(predicate: str, value: str, inverse: bool = False) -> None:
        other = curie_of_id(_identifier(value), known, curie)
        subject, object_ = (other, curie) if inverse else (curie, other)
        if other and subject != object_:
            relations.append(Relation(subject=subject, predicate=predicate, object=object_, source=source))

    if curie in obsolete:
        for _, tag, value in frame.clauses:
            if tag == "replaced_by":
                relate("alias", value)
            elif tag == "consider":
                relate("consider", value)
        yield from relations
        return
    for number, tag, value in frame.clauses:
        match tag:
            case "name":
                name = name or _plain(value)
            case "def":
                quoted = _QUOTED.match(value)
                if quoted is None:
                    frame.malformed(number, "a definition is in quotes", value)
                else:
                    definition = _unescape(quoted[1])
            case "synonym":
                if (term := _synonym(value, curie, source, frame, number)) is not None:
                    terms.append(term)
            case "is_a":
                if curie_of_id(_identifier(value), known) not in obsolete:
                    relate("is_a", value)
            case "xref":
                if canonical_curie(curie_of_id(_identifier(value))):
                    relate("xref", value)
            case "alt_id":
                relate("alias", value, inverse=True)
    if not name or ":" not in curie:
        return  # only referred to and defined elsewhere, or a bare local name, which cannot be cited
    system, _, code = curie.partition(":")
    if not system or not code:
        frame.malformed(frame.clauses[0][0], "an id is PREFIX:code", identifier)
        return
    yield Concept(
        curie=curie,
        name=name,
        semantic_types=semantic_types(curie, curie in findings),
        codes={system: (code,)},
        definition=definition,
    )
    yield Term(curie=curie, text=name, kind="preferred", source=source)
    yield from terms
    yield from relations


def _synonym(value: str, curie: str, source: str, frame: _Frame, number: int) -> Term | None:
    """The Term of ``"text" SCOPE TYPE [xrefs]`` (scope and type may be missing); None for obsolete and malformed
    ones."""
    quoted = _QUOTED.match(value)
    if quoted is None:
        frame.malformed(number, "a synonym is in quotes", value)
        return None
    words = value[quoted.end() :].partition("[")[0].split()
    scope = words[0] if words else "RELATED"
    if scope not in _SCOPES or len(words) > 2:
        frame.malformed(number, "a synonym is EXACT, BROAD, NARROW or RELATED", value)
        return None
    typed = words[1] if len(words) > 1 else ""
    text = _unescape(quoted[1]).strip()
    if typed == "obsolete_synonym" or not text:
        return None
    kind = _SCOPES[scope]
    return Term(curie=curie, text=text, kind=SYNONYM_TYPES.get(typed, kind) if kind == "exact" else kind, source=source)
