"""The Snapshot of a SNOMED CT release (RF2) → concepts, terms and relations. Full and Delta files are not read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from errors import InputError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term
from ontologies.problem import Notice, Omission, Problem, Report, stop
from ontologies.readers.rf2 import Row, active_rows, all_rows, release_name, snapshot_files
from ontologies.readers.snomed_owl import IS_A, axiom_relations
from ontologies.sources.archive import Member, members

_FULLY_SPECIFIED, _SYNONYM, _DEFINITION = "900000000000003001", "900000000000013009", "900000000000550004"
_PREFERRED, _ACCEPTABLE = "900000000000548007", "900000000000549004"
_DIALECTS: dict[str, tuple[str, ...]] = {"en": ("900000000000509007", "900000000000508004")}  # US, then GB
_INFERRED = "900000000000011006"
_REPLACED = frozenset({"900000000000526001", "900000000000527005"})  # REPLACED BY, SAME AS
# POSSIBLY EQUIVALENT TO, ALTERNATIVE, POSSIBLY REPLACED BY, PARTIALLY EQUIVALENT TO
_CONSIDER = frozenset({"900000000000523009", "900000000000530003", "1186921001", "1186924009"})
_MAPS = {"447562003": "ICD10", "6011000124106": "ICD10CM"}
_EXACT = "447557004"  # exact match map from SNOMED CT source code to target code
_MAP_TARGET = re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?")

_TAG = re.compile(r"(.+) \(([^()]+)\)")
# Semantic tags of fully specified names, as the UMLS semantic types that other sources use.
_TYPES = {
    "disorder": DISEASE,
    "finding": FINDING,
    "situation": FINDING,
    "event": "Event",
    "body structure": "Body Part, Organ, or Organ Component",
    "cell structure": "Cell Component",
    "cell": "Cell",
    "morphologic abnormality": "Anatomical Abnormality",
    "procedure": "Health Care Activity",
    "regime/therapy": "Therapeutic or Preventive Procedure",
    "observable entity": "Clinical Attribute",
    "organism": "Organism",
    "substance": "Substance",
    "product": "Clinical Drug",
    "medicinal product": "Clinical Drug",
    "clinical drug": "Clinical Drug",
    "physical object": "Manufactured Object",
    "qualifier value": "Qualitative Concept",
    "occupation": "Occupation or Discipline",
    "person": "Population Group",
    "environment": "Spatial Concept",
}
# Tags of what describes the terminology, not patients; attributes among them, which name relations.
_METADATA = frozenset({"attribute", "link assertion", "linkage concept", "metadata", "namespace concept"})
_METADATA |= {f"{kind} metadata concept" for kind in ("core", "foundation", "OWL")}


def read(
    path: Path, *, language: str = "en", report: Report = stop, notice: Notice = lambda omission: None
) -> Iterator[Statement]:
    """Stream the active part of a release: concepts with their codes, then terms, relations, maps and old ids.

    - Concept: "SNOMEDCT:id", named by the preferred term of the first dialect that has one (for English: US, then GB;
      for other languages the language reference sets in the order of their ids), else by the English fully
      specified name without its tag. The tag gives the semantic type, the text definition the definition. Concepts that
      describe the terminology itself are left out.
    - Term: descriptions in ``language`` that a dialect prefers or accepts (all, when the release has no language
      reference set): the name "preferred", others "exact", the fully specified name without its tag too.
    - Relation: inferred relationships between active concepts: "is_a", and attributes by their name ("Finding site" →
      "finding_site"). What OWL axioms state beyond these, where simple (``snomed_owl``), with "stated" in the source.
      ICD-10 and ICD-10-CM maps: "xref" when the map says exact, unconditionally, and one to one, else "related_to".
      "alias" from an inactive concept to the one that replaced it or is the same as it, "consider" to each that may.

    Rows of concepts that are not in the release at all, as in an extension without its edition, are left out;
    ``notice`` is called with their number, for each file, after the last statement.

    Takes about 1 GB for an international release. Raises InputError when there is no snapshot, a file has other
    columns, or (by default) at a malformed row; with ``report`` such a row is reported and left out.
    """
    files = snapshot_files(members(path))
    if not files:
        raise InputError("not a SNOMED CT release", value=path, expected="a folder or archive with an RF2 Snapshot")
    yield from _Release(files, language, report, notice).statements()


@dataclass(slots=True)
class _Names:
    """What is known of a concept's names: the fully specified one, and the preferred one with its dialect's rank."""

    full: str = ""
    preferred: str = ""
    description: str = ""
    rank: int = 1 << 10
    definition: str = ""


@dataclass(slots=True)
class _Release:
    files: tuple[Member, ...]
    language: str
    report: Report
    notice: Notice
    source: str = ""
    names: dict[str, _Names] = field(default_factory=dict)  # of the concepts
    metadata: dict[str, _Names] = field(default_factory=dict)
    inactive: set[str] = field(default_factory=set)
    ranks: dict[str, int] = field(default_factory=dict)
    omitted: dict[str, tuple[int, str]] = field(default_factory=dict)  # file → rows of absent concepts, the first

    def statements(self) -> Iterator[Statement]:
        """Everything, file by file; descriptions are read twice, because a concept is named before its terms."""
        self.source = release_name(self.files)
        for _, _, row in all_rows(self.files, "concept", self.report):
            if row["active"] == "1":
                self.names[row["id"]] = _Names()
            else:
                self.inactive.add(row["id"])
        self._accept()
        self._name()
        for code in [code for code, names in self.names.items() if _split(names.full)[1] in _METADATA]:
            self.metadata[code] = self.names.pop(code)
        yield from self._concepts()
        yield from self._terms()
        yield from self._relations()
        yield from self._maps()
        yield from self._old_ids()
        for file, (rows, first) in self.omitted.items():
            reason = "their concept is not in the release"
            expected = "the edition that the release depends on, in one folder with it"
            self.notice(Omission(file=file, rows=rows, reason=reason, value=first, expected=expected))

    def _lacks(self, file: Member, *codes: str) -> bool:
        """Whether one of these concepts is not in the release at all, active or not. The row is then counted."""
        for code in codes:
            if code not in self.names and code not in self.metadata and code not in self.inactive:
                rows, first = self.omitted.get(file.base, (0, code))
                self.omitted[file.base] = (rows + 1, first)
                return True
        return False

    def _active(self, kind: str, report: Report) -> Iterator[Row]:
        return (row for _, _, row in active_rows(self.files, kind, report))

    def _accept(self) -> None:
        """description id → twice the rank of the best dialect that prefers it (even) or accepts it (odd)."""
        dialects = _DIALECTS.get(self.language)
        if dialects is None:
            dialects = tuple(sorted({row["refsetId"] for row in self._active("language", _reported)}))
        order = {refset: rank for rank, refset in enumerate(dialects)}
        for row in self._active("language", self.report):
            rank = order.get(row["refsetId"])
            if rank is not None and row["acceptabilityId"] in (_PREFERRED, _ACCEPTABLE):
                value = 2 * rank + (row["acceptabilityId"] == _ACCEPTABLE)
                known = self.ranks.get(row["referencedComponentId"])
                # preferred anywhere comes before accepted anywhere
                if known is None or (value % 2, value) < (known % 2, known):
                    self.ranks[row["referencedComponentId"]] = value

    def _described(self, report: Report) -> Iterator[Row]:
        """Active descriptions of active concepts: fully specified names, in English, which every release has; others in
        the language, unless no dialect accepts them."""
        for file, _, row in active_rows(self.files, "description", report):
            spoken = row["languageCode"].split("-")[0]
            if row["conceptId"] not in self.names:
                if report is not _reported:
                    self._lacks(file, row["conceptId"])
                continue
            if not row["term"].strip():
                continue
            if row["typeId"] == _FULLY_SPECIFIED:
                wanted = spoken == "en"
            else:
                accepted = row["typeId"] != _SYNONYM or not self.ranks or row["id"] in self.ranks
                wanted = spoken == self.language and accepted
            if wanted:
                yield row

    def _name(self) -> None:
        for row in self._described(self.report):
            names, text = self.names[row["conceptId"]], row["term"].strip()
            if row["typeId"] == _FULLY_SPECIFIED:
                names.full = min(names.full or text, text)
            elif row["typeId"] == _DEFINITION:
                names.definition = max(names.definition, text, key=lambda t: (len(t), t))
            elif row["typeId"] == _SYNONYM:
                rank = self.ranks.get(row["id"], 1)
                if rank % 2 == 0 and (rank, row["id"]) < (names.rank, names.description):
                    names.preferred, names.description, names.rank = text, row["id"], rank

    def _concepts(self) -> Iterator[Statement]:
        for code, names in self.names.items():
            full, tag = _split(names.full)
            yield Concept(
                curie=f"SNOMEDCT:{code}",
                name=names.preferred or full or code,
                semantic_types=(_TYPES[tag],) if tag in _TYPES else (),
                codes={"SNOMEDCT": (code,)},
                definition=names.definition,
            )

    def _terms(self) -> Iterator[Statement]:
        for row in self._described(_reported):
            code, text = row["conceptId"], row["term"].strip()
            names = self.names[code]
            if row["typeId"] == _FULLY_SPECIFIED:
                text = _split(text)[0]
                if self.language != "en" or text == names.preferred:
                    continue
                first = not names.preferred and text == _split(names.full)[0]
            elif row["typeId"] == _SYNONYM:
                first = row["id"] == names.description
            else:
                continue
            yield Term(curie=f"SNOMEDCT:{code}", text=text, kind="preferred" if first else "exact", source=self.source)

    def _predicate(self, attribute: str) -> str:
        if attribute == IS_A:
            return "is_a"
        names = self.metadata.get(attribute) or self.names.get(attribute, _Names())
        name = names.preferred or _split(names.full)[0]
        return re.sub(r"\W+", "_", name.lower()).strip("_") or "related_to"

    def _relations(self) -> Iterator[Statement]:
        predicates: dict[str, str] = {}

        def relation(subject: str, attribute: str, object_: str, source: str) -> Iterator[Relation]:
            if subject in self.names and object_ in self.names and subject != object_:
                if attribute not in predicates:
                    predicates[attribute] = self._predicate(attribute)
                yield Relation(
                    subject=f"SNOMEDCT:{subject}",
                    predicate=predicates[attribute],
                    object=f"SNOMEDCT:{object_}",
                    source=source,
                )

        stated: dict[tuple[str, str, str], None] = {}  # in the order of the file
        for file, line, row in active_rows(self.files, "axiom", self.report):
            try:
                found = list(axiom_relations(row["owlExpression"]))
            except ValueError as error:
                reason = f"not an OWL axiom ({error})"
                self.report(Problem(file=file.base, line=line, reason=reason, value=row["owlExpression"]))
                continue
            self._lacks(file, *(code for subject, _, other in found for code in (subject, other)))
            stated.update(dict.fromkeys(found))
        for file, _, row in active_rows(self.files, "relationship", self.report):
            if row["characteristicTypeId"] == _INFERRED:
                triple = (row["sourceId"], row["typeId"], row["destinationId"])
                stated.pop(triple, None)
                self._lacks(file, row["sourceId"], row["destinationId"])
                yield from relation(*triple, self.source)
        for triple in stated:
            yield from relation(*triple, f"{self.source} stated")

    def _maps(self) -> Iterator[Statement]:
        """One relation for each (concept, target) that the map lists for any group, priority and rule."""
        rows: dict[tuple[str, str], bool] = {}  # (concept, target curie) → the map calls it exact and asks nothing
        groups: dict[tuple[str, str], set[str]] = defaultdict(set)  # (concept, system) → targets
        sources: dict[tuple[str, str], set[str]] = defaultdict(set)  # (system, target) → concepts
        for file, _, row in active_rows(self.files, "map", self.report):
            system = _MAPS.get(row["refsetId"])
            code, target = row["referencedComponentId"], row["mapTarget"].strip().rstrip("?")
            if system is None or self._lacks(file, code):
                continue
            if code not in self.names or not _MAP_TARGET.fullmatch(target):
                continue
            curie = f"{system}:{target}"
            exact = row["correlationId"] == _EXACT and row["mapRule"].strip() in ("TRUE", "")
            rows[code, curie] = rows.get((code, curie), True) and exact
            groups[code, system].add(curie)
            sources[system, curie].add(code)
        for (code, curie), exact in rows.items():
            system = curie.partition(":")[0]
            alone = len(groups[code, system]) == 1 and len(sources[system, curie]) == 1
            yield Relation(
                subject=f"SNOMEDCT:{code}",
                predicate="xref" if exact and alone else "related_to",
                object=curie,
                source=f"{self.source} map",
            )

    def _old_ids(self) -> Iterator[Statement]:
        """An inactive concept may have been replaced by one that is inactive, too, and was replaced in its turn."""
        for file, _, row in active_rows(self.files, "association", self.report):
            old, new, of = row["referencedComponentId"], row["targetComponentId"], row["refsetId"]
            if of not in _REPLACED | _CONSIDER or old in self.names or self._lacks(file, new):
                continue
            if new in self.names or (new in self.inactive and of in _REPLACED):
                predicate = "alias" if of in _REPLACED else "consider"
                yield Relation(
                    subject=f"SNOMEDCT:{old}", predicate=predicate, object=f"SNOMEDCT:{new}", source=self.source
                )


def _reported(problem: Problem) -> None:
    """Of a row that is read again: it was reported the first time."""


def _split(full: str) -> tuple[str, str]:
    """("Pneumonia", "disorder") of "Pneumonia (disorder)"; the tag is "" when there is none."""
    tagged = _TAG.fullmatch(full)
    return (tagged[1], tagged[2]) if tagged else (full, "")
