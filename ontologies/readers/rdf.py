"""OWL, RDFS and SKOS in RDF (Turtle, N-Triples, RDF/XML, JSON-LD) → concepts, terms and relations.

The file is read twice as a stream (``rdf_syntax``), so memory goes with the number of names, not of triples. Imports
are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ontologies.concept import Concept, Relation, Statement, Term, TermKind
from ontologies.prefix import canonical_curie, curie_of_iri
from ontologies.problem import Report, stop
from ontologies.readers.obo import FINDING_ROOTS, SYNONYM_TYPES, below, curie_of_id, ontology_name, semantic_types
from ontologies.readers.owl_expression import IS_A, Expressions
from ontologies.readers.rdf_syntax import Value, check, triples
from ontologies.sources.archive import Member, member

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_OBO = "http://purl.obolibrary.org/obo/"
_OIO = "http://www.geneontology.org/formats/oboInOwl#"
_EFO = "http://www.ebi.ac.uk/efo/"
_DC = ("http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/")

_TYPE = _RDF + "type"
_LABELS = {_SKOS + "prefLabel": 0, _RDFS + "label": 1}
_DEFINITIONS = frozenset({_OBO + "IAO_0000115", _SKOS + "definition", _EFO + "definition"})
_SYNONYMS: dict[str, TermKind] = {
    _OIO + "hasExactSynonym": "exact",
    _OIO + "hasBroadSynonym": "broad",
    _OIO + "hasNarrowSynonym": "narrow",
    _OIO + "hasRelatedSynonym": "related",
    _SKOS + "altLabel": "exact",
    _SKOS + "hiddenLabel": "related",
    _OBO + "IAO_0000118": "exact",
    _EFO + "alternative_term": "exact",
}
_ABOVE = frozenset({_RDFS + "subClassOf", _SKOS + "broader"})
_SAME = frozenset({_SKOS + "exactMatch", _OWL + "sameAs", _OWL + "equivalentClass"})
_NEAR = frozenset(_SKOS + name for name in ("closeMatch", "broadMatch", "narrowMatch", "relatedMatch", "related"))
_XREF, _ALTERNATIVE = _OIO + "hasDbXref", _OIO + "hasAlternativeId"
_CUI = "http://bioportal.bioontology.org/ontologies/umls/cui"
_REPLACED = frozenset({_OBO + "IAO_0100001", "http://purl.org/dc/terms/isReplacedBy"})
_CONSIDER = _OIO + "consider"
_OWN = "urn:whydx:"
_SEMANTIC_TYPE = _OWN + "semantic_type"
# What is read of an axiom that annotates a synonym or an edge; the last three as whydx exports them.
_AXIOM = {
    _OWL + "annotatedSource": "source",
    _OWL + "annotatedProperty": "property",
    _OWL + "annotatedTarget": "target",
    _OIO + "hasSynonymType": "synonym_type",
    "http://purl.org/dc/terms/source": "origin",
    "http://purl.org/dc/terms/bibliographicCitation": "reference",
    _OWN + "frequency": "frequency",
}
_DEPRECATED, _DEPRECATED_CLASS = _OWL + "deprecated", _OWL + "DeprecatedClass"
# What is a concept whatever else it is said to be; things with a label that are not concepts; and vocabularies whose
# properties say nothing of medicine.
_CLASSES = frozenset({_OWL + "Class", _RDFS + "Class", _SKOS + "Concept"})
_NO_CONCEPT = frozenset(
    {
        *(
            _OWL + n
            for n in ("Ontology", "ObjectProperty", "DatatypeProperty", "AnnotationProperty", "NamedIndividual")
        ),
        *(_OWL + n for n in ("TransitiveProperty", "SymmetricProperty", "FunctionalProperty", "Axiom", "Restriction")),
        _RDF + "Property",
        _RDF + "Statement",
        _SKOS + "ConceptScheme",
        _SKOS + "Collection",
    }
)
_GENERAL = (_RDF, _RDFS, _OWL, _SKOS, _OIO, *_DC)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def read(path: Path | Member, *, language: str = "en", report: Report = stop) -> Iterator[Statement]:
    """Stream what has a label and is not deprecated, nor a property, an individual or an ontology only (a class or a
    SKOS concept may be one as well): first all Concepts, by CURIE, then Terms and Relations in the order of the file.

    - CURIEs: ``prefix.curie_of_iri``. Semantic types as in ``obo.read``.
    - Concept: skos:prefLabel, else rdfs:label, in ``language`` or without one, else in the first other; IAO:0000115 or
      skos:definition.
    - Term: that name ("preferred"), other labels, skos:altLabel and oboInOwl synonyms in the language, their kind from
      the property or from the synonym type that an axiom annotates.
    - Relation: "is_a" (rdfs:subClassOf, skos:broader, skos:narrower turned round), "xref" (skos:exactMatch, owl:sameAs,
      owl:equivalentClass, oboInOwl:hasDbXref, BioPortal's umls:cui; only to known code systems and concepts of the
      file), "related_to" (the other SKOS matches, skos:related), "alias" (alternative ids, deprecated classes with a
      replacement), "consider" (oboInOwl:consider, from a deprecated class to each that may stand for it); these ids may
      be IRIs, CURIEs, or written with "_". Any other property between two concepts of the file is a relation by the
      property's label ("finding site" → "finding_site").
    - Class expressions (``owl_expression``): "is_a" to the named operands of an intersection, and from those of a union
      that a class is equal to; restrictions as relations by the property's label, after "possibly_" where a union
      leaves open to which ("possibly_caused_by").

    Raises InputError when the file is missing or not RDF, refers outside itself, or (by default) is malformed; with
    ``report`` what is malformed in Turtle or N-Triples is reported and left out. XML and JSON-LD cannot be read on
    after an error.
    """
    document = _Document(member(path), language, report)
    yield from document.statements()


@dataclass(slots=True)
class _Axiom:
    """What an owl:Axiom annotates, and how."""

    source: str = ""
    property: str = ""
    target: str = ""
    synonym_type: str = ""
    origin: str = ""
    reference: str = ""
    frequency: float | None = None


@dataclass(slots=True)
class _Document:
    file: Member
    language: str
    report: Report
    source: str = ""
    names: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # IRI → (language, property, label)
    labels: dict[str, str] = field(default_factory=dict)  # of what is left out; properties name relations
    definitions: dict[str, str] = field(default_factory=dict)
    types: dict[str, list[str]] = field(default_factory=dict)  # semantic types, where the file states them
    left_out: set[str] = field(default_factory=set)  # deprecated, or no concept
    above: dict[str, list[str]] = field(default_factory=dict)  # of HP, whose branches have different types
    deprecated: set[str] = field(default_factory=set)
    stated: dict[tuple[str, str, str], None] = field(default_factory=dict)  # IRI, predicate, IRI, by expressions
    curies: frozenset[str] = frozenset()  # of the concepts
    axioms: dict[tuple[str, str, str], list[_Axiom]] = field(default_factory=dict)

    def statements(self) -> Iterator[Statement]:
        check(self.file)
        self._learn()
        yield from self._concepts()
        for subject, predicate, other in self.stated:
            yield from self._relate(curie_of_iri(subject), predicate, curie_of_iri(other))
        for subject, predicate, value in triples(self.file, lambda problem: None):
            if subject in self.names or predicate in _REPLACED or subject in self.deprecated:
                yield from self._say(subject, predicate, value)

    # --- first reading

    def _learn(self) -> None:
        """Read the names, and what must be known before anything can be said."""
        ontology, version = "", ""
        axioms: dict[str, _Axiom] = {}
        expressions = Expressions()
        classes: set[str] = set()
        for subject, predicate, value in triples(self.file, self.report):
            text = value.text
            if predicate in _LABELS:
                self._label(subject, _LABELS[predicate], value)
            elif predicate in _DEFINITIONS and self._rank(value) < 2:
                self.definitions[subject] = max(self.definitions.get(subject, ""), text, key=lambda t: (len(t), t))
            elif predicate == _TYPE:
                if text in _CLASSES:
                    classes.add(subject)
                elif text in _NO_CONCEPT:
                    self.left_out.add(subject)
                    ontology = subject if text == _OWL + "Ontology" else ontology
                elif text == _DEPRECATED_CLASS:
                    self.deprecated.add(subject)
            elif predicate == _DEPRECATED and text.lower() in ("true", "1"):
                self.deprecated.add(subject)
            elif predicate == _OWL + "versionIRI" or (predicate == _OWL + "versionInfo" and not version):
                version = text
            elif expressions.take(subject, predicate, value):
                pass
            elif predicate in _ABOVE and subject.startswith(_OBO + "HP_"):
                self.above.setdefault(subject, []).append(text)
            elif predicate == _SEMANTIC_TYPE:
                self.types.setdefault(subject, []).append(text)
            elif (name := _AXIOM.get(predicate)) is not None:
                axiom = axioms.setdefault(subject, _Axiom())
                setattr(axiom, name, _number(text) if name == "frequency" else text)
        for axiom in axioms.values():
            if axiom.synonym_type or axiom.origin:
                self.axioms.setdefault((axiom.source, axiom.property, axiom.target), []).append(axiom)
        stem = Path(self.file.base).stem
        self.source = ontology_name(ontology.rstrip("/#") or stem, version) if ontology else stem
        self.left_out = (self.left_out - classes) | self.deprecated
        for subject in self.left_out & self.names.keys():
            self.labels[subject] = self.names.pop(subject)[2]
        self.curies = frozenset(map(curie_of_iri, self.names))
        self._state(expressions)

    def _state(self, expressions: Expressions) -> None:
        """Keep what expressions assert of concepts of the file, by the predicate's name."""
        for one in expressions.asserted():
            if one.subject not in self.names:
                continue
            if one.role == IS_A:
                if one.object != _OWL + "Thing" and one.object not in self.left_out:
                    self.stated[one.subject, IS_A, one.object] = None
                    if one.subject.startswith(_OBO + "HP_"):
                        self.above.setdefault(one.subject, []).append(one.object)
            elif one.object in self.names:
                predicate = ("" if one.certain else "possibly_") + self._predicate(one.role)
                self.stated[one.subject, predicate, one.object] = None

    def _rank(self, value: Value) -> int:
        """0 for a literal in the language, 1 for one without, 2 for others."""
        if value.language is None:
            return 1
        return 0 if value.language.split("-")[0].lower() == self.language else 2

    def _label(self, subject: str, order: int, value: Value) -> None:
        label = (self._rank(value), order, " ".join(value.text.split()))
        if label[2] and not subject.startswith("_:"):
            self.names[subject] = min(self.names.get(subject, label), label)

    # --- second reading

    def _concepts(self) -> Iterator[Statement]:
        findings = below(self.above, tuple(_OBO + root.replace(":", "_") for root in FINDING_ROOTS))
        self.above.clear()
        for curie, subject in sorted((curie_of_iri(iri), iri) for iri in self.names):
            name = self.names[subject][2]
            system, _, code = curie.partition(":")
            yield Concept(
                curie=curie,
                name=name,
                semantic_types=tuple(sorted(self.types.get(subject, semantic_types(curie, subject in findings)))),
                codes={system: (code,)},
                definition=self.definitions.get(subject, ""),
            )
            yield Term(curie=curie, text=name, kind="preferred", source=self.source)

    def _say(self, subject: str, predicate: str, value: Value) -> Iterator[Statement]:
        curie = curie_of_iri(subject)
        text = value.text
        if subject not in self.names:
            if predicate in _REPLACED or predicate == _CONSIDER:
                yield from self._refer(curie, predicate, value)
        elif predicate in _LABELS or predicate in _SYNONYMS:
            if (term := self._term(subject, predicate, value)) is not None:
                yield term
        elif predicate in (_XREF, _CUI, _ALTERNATIVE) or predicate in _REPLACED:
            yield from self._refer(curie, predicate, value)
        elif value.is_iri and predicate != _TYPE and text not in self.left_out:
            other = curie_of_iri(text)
            if predicate in _ABOVE:
                if text != _OWL + "Thing":
                    yield from self._relate(curie, "is_a", other, (subject, predicate, text))
            elif predicate == _SKOS + "narrower":
                yield from self._relate(other, "is_a", curie)
            elif predicate in _SAME or predicate in _NEAR:
                if text in self.names or canonical_curie(other):
                    yield from self._relate(curie, "xref" if predicate in _SAME else "related_to", other)
            elif text in self.names and not predicate.startswith(_GENERAL):
                yield from self._relate(curie, self._predicate(predicate), other, (subject, predicate, text))

    def _term(self, subject: str, predicate: str, value: Value) -> Term | None:
        text = " ".join(value.text.split())
        if not text or self._rank(value) == 2 or (predicate in _LABELS and text == self.names[subject][2]):
            return None
        kind = _SYNONYMS.get(predicate, "exact")
        typed = {
            _local(axiom.synonym_type).replace("OMO_", "OMO:")
            for axiom in self.axioms.get((subject, predicate, value.text), ())
        }
        if "obsolete_synonym" in typed:
            return None
        if kind == "exact":
            kind = next((SYNONYM_TYPES[name] for name in sorted(typed) if name in SYNONYM_TYPES), kind)
        return Term(curie=curie_of_iri(subject), text=text, kind=kind, source=self.source)

    def _refer(self, curie: str, predicate: str, value: Value) -> Iterator[Relation]:
        """Cross-references and other ids, which are written as IRIs or as CURIEs."""
        text = value.text.strip()
        own = predicate not in (_XREF, _CUI)  # an id of this ontology or of a part of it, whatever its prefix
        other: str | None
        if text.startswith("_:"):
            return
        if predicate == _CUI and not value.is_iri:
            other = f"UMLS:{text}"
        elif value.is_iri:
            other = curie_of_iri(text)
        else:
            other = self._written(curie, text)
        if not own and text not in self.names:
            other = canonical_curie(other)
        if not other:
            return
        if predicate == _ALTERNATIVE:
            yield from self._relate(other, "alias", curie)
        elif predicate == _CONSIDER:
            yield from self._relate(curie, "consider", other)
        else:
            yield from self._relate(curie, "alias" if predicate in _REPLACED else "xref", other)

    def _written(self, curie: str, text: str) -> str:
        """The CURIE that a text stands for in what is said of ``curie``, "" when it is none: as ``obo.curie_of_id``, or
        without its prefix."""
        word = next(iter(text.split()), "")
        local = f"{curie.partition(':')[0]}:{word}"
        other = local if local in self.curies else curie_of_id(word, self.curies, curie)
        return other if ":" in other.strip(":") else ""

    def _relate(
        self, subject: str, predicate: str, other: str, triple: tuple[str, str, str] | None = None
    ) -> Iterator[Relation]:
        """The relation, once for each origin that an axiom states of the triple."""
        if subject != other:
            for axiom in self.axioms.get(triple, []) if triple else []:
                if axiom.origin:
                    yield Relation(
                        subject=subject,
                        predicate=predicate,
                        object=other,
                        source=axiom.origin,
                        frequency=axiom.frequency,
                        reference=axiom.reference,
                    )
            said = triple is not None and any(axiom.origin for axiom in self.axioms.get(triple, []))
            if not said and (triple is None or (triple[0], predicate, triple[2]) not in self.stated):
                yield Relation(subject=subject, predicate=predicate, object=other, source=self.source)

    def _predicate(self, property_: str) -> str:
        if property_.startswith(_OWN):  # as ``kg.export.views`` writes them
            return unquote(property_.removeprefix(_OWN))
        name = self.labels.get(property_) or self.names.get(property_, ("",))[-1] or _CAMEL.sub("_", _local(property_))
        return re.sub(r"\W+", "_", name.lower()).strip("_") or "related_to"


def _local(iri: str) -> str:
    return unquote(re.split(r"[/#:]", iri.rstrip("/#"))[-1])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
