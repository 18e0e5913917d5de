"""The curated chest layer: common chest diseases, what they look like, and what to do next.

Seven tables (TSV, UTF-8, one header line) in ``ontologies/chest/data``; docs/knowledge-card.md says how they were made.

- findings.tsv: id, name, synonyms, narrower, kind, parent, codes, chestxray14_label, other_labels, reference
- diseases.tsv: id, name, synonyms, narrower, parent, codes, commonness, course, other_labels, reference
- disease_findings.tsv: the twelve columns of HPOA, and ``finding_name`` for the human reader
- next_steps.tsv: disease_id, disease_name, kind, text, reference
- patient_findings.tsv: see `ontologies.chest.patients`
- portraits.tsv: disease_id, disease_name, text, biocuration
- references.tsv: reference, title, body, year, kind

Several values in one cell are separated by ``|``. A reference is the first column of references.tsv or a PMID CURIE.
A row that is both a disease and a finding (pneumonia) has the same id and name in both tables and is one concept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import get_args

from ontologies.chest import alternatives, patients
from ontologies.chest.table import Commonness, Course, FindingKind, Row, StepKind, read_table
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term, TermKind
from ontologies.readers.hpoa import COLUMNS, FREQUENCY_TERMS, parse_frequency

VERSION = "2026.11"
SOURCE = f"chest:{VERSION}"
DATA = Path(__file__).parent / "data"
# What the graph is made from; the other tables are read where they are used.
TABLES = ("disease_findings.tsv", "diseases.tsv", "findings.tsv", patients.TABLE, "references.tsv")

_FINDING_COLUMNS = [
    "id",
    "name",
    "synonyms",
    "narrower",
    "kind",
    "parent",
    "codes",
    "chestxray14_label",
    "other_labels",
    "reference",
]
_DISEASE_COLUMNS = [
    "id",
    "name",
    "synonyms",
    "narrower",
    "parent",
    "codes",
    "commonness",
    "course",
    "other_labels",
    "reference",
]
_ANNOTATION_COLUMNS = [*COLUMNS[:4], "finding_name", *COLUMNS[4:]]
_STEP_COLUMNS = ["disease_id", "disease_name", "kind", "text", "reference"]
_PORTRAIT_COLUMNS = ["disease_id", "disease_name", "text", "biocuration"]
_REFERENCE_COLUMNS = ["reference", "title", "body", "year", "kind"]
_PMID = re.compile(r"PMID:[1-9]\d*")
_ABBREVIATION = re.compile(r"[A-Z][A-Z0-9/-]{1,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestConcept:
    """A row of findings.tsv or diseases.tsv.

    ``codes`` are CURIEs for the same meaning; ``narrower`` are names of special cases. ``other_labels`` are
    "data set:label". Of a finding, ``kind`` says how it is known, "context" of what the patient brings and "course" of
    how the illness runs; of a disease, ``commonness`` says how often it is
    behind an adult's chest radiograph (editorial), "group" for rows that only gather others.
    """

    id: str
    name: str
    reference: str
    synonyms: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()
    parent: str = ""
    codes: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()
    kind: FindingKind | None = None
    chestxray14_label: str = ""
    commonness: Commonness | None = None
    course: Course | None = None

    @property
    def slug(self) -> str:
        """The row's CURIE in this layer's own system: its id when that is one, else CHEST: and the name."""
        return self.id if self.id.startswith("CHEST:") else f"CHEST:{_slug(self.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A row of disease_findings.tsv: ``frequency`` in [0, 1] (None in a row that says NOT); ``count`` is (n, m) of n/m.
    ``context`` is True for the patient's history and exposures (aspect H)."""

    disease: str
    finding: str
    excluded: bool
    frequency: float | None
    count: tuple[int, int] | None
    reference: str
    context: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A row of next_steps.tsv: an investigation or a first treatment, as its guideline has it. ``written`` marks the
    alternatives in the text (`ontologies.chest.alternatives`)."""

    disease: str
    kind: StepKind
    text: str
    written: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """A row of portraits.tsv: patients of a disease as a note might have them, made up by the editor, without its
    name."""

    disease: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestLayer:
    """All tables, checked against each other, in the order of the files."""

    findings: tuple[ChestConcept, ...]
    diseases: tuple[ChestConcept, ...]
    annotations: tuple[Annotation, ...]
    steps: tuple[Step, ...]
    portraits: tuple[Portrait, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)


def read(folder: Path | None = None) -> Iterator[Statement]:
    """The chest layer as statements: for each row a Concept in the CHEST system, an "xref" to its id and to each of its
    codes, its Terms ("preferred", "exact", "abbreviation", "narrow") and its "is_a"; then "has_phenotype" with a
    frequency or "excludes_phenotype" for each annotation, and for what only made-up patients show. Terms and relations
    stand on the row's id, which merging makes one with the CHEST CURIE. History and exposures (smoking, trauma) are
    "has_phenotype" too, since they bear on a diagnosis as findings do.

    ``folder`` defaults to the packaged tables. Raises InputError naming file, line and column.
    """
    layer = load(folder)
    rows: dict[str, list[ChestConcept]] = {}
    for row in (*layer.findings, *layer.diseases):
        rows.setdefault(row.id, []).append(row)
    for same in rows.values():
        yield from _statements(same)
    for annotation in layer.annotations:
        yield Relation(
            subject=annotation.disease,
            predicate="excludes_phenotype" if annotation.excluded else "has_phenotype",
            object=annotation.finding,
            source=SOURCE,
            frequency=annotation.frequency,
            count=annotation.count,
            reference=annotation.reference,
        )
    yield from patients.relations(DATA if folder is None else Path(folder), SOURCE)


def load(folder: Path | None = None) -> ChestLayer:
    """Read and check the tables of ``folder`` (default: the packaged ones, read once). Raises InputError."""
    return _packaged() if folder is None else _load(Path(folder))


def commonness(folder: Path | None = None) -> dict[str, Commonness]:
    """Disease id → how common it is behind an adult's chest radiograph: "very common", "common", "uncommon", "rare", or
    "group" for a row that only gathers others. Every name of the disease (id, codes, CHEST CURIE) is a key."""
    return {
        curie: row.commonness
        for row in load(folder).diseases
        for curie in (row.id, row.slug, *row.codes)
        if row.commonness
    }


def lasting(folder: Path | None = None) -> frozenset[str]:
    """Ids, codes and CHEST CURIEs of what stays true of a patient once it was: exposures, habits, treatments and
    earlier illness (findings of kind "context"), and diseases with a chronic course."""
    layer = load(folder)
    rows = [row for row in layer.findings if row.kind == "context"]
    rows += [row for row in layer.diseases if row.course == "chronic"]
    return frozenset(curie for row in rows for curie in (row.id, row.slug, *row.codes))


def next_steps(curies: Iterable[str], folder: Path | None = None) -> tuple[Step, ...]:
    """The steps of the diseases that ``curies`` name (by id, code or CHEST CURIE), in the order of ``curies``, each
    disease once; investigations before treatments. Empty when the layer has none of them."""
    layer = load(folder)
    named = {curie: row.id for row in layer.diseases for curie in (row.id, row.slug, *row.codes)}
    wanted = dict.fromkeys(named[curie] for curie in curies if curie in named)
    by_disease: dict[str, list[Step]] = {}
    for step in layer.steps:
        by_disease.setdefault(step.disease, []).append(step)
    return tuple(step for disease in wanted for step in sorted(by_disease.get(disease, ()), key=lambda step: step.kind))


def label_concepts(folder: Path | None = None) -> dict[str, str]:
    """ChestX-ray14 label → the id of its concept, in the alphabetical order of the labels."""
    found = {row.chestxray14_label: row.id for row in load(folder).findings if row.chestxray14_label}
    return dict(sorted(found.items()))


def citation(reference: str, folder: Path | None = None) -> str:
    """What to print for a reference: title, body and year of a named one; a PMID CURIE as it is."""
    return load(folder).references.get(reference, reference)


@cache
def _packaged() -> ChestLayer:
    return _load(DATA)


def _statements(same: list[ChestConcept]) -> Iterator[Statement]:
    """What the one or two rows of one id say."""
    row = same[-1]
    codes: dict[str, list[str]] = {}
    curies = sorted({row.slug, row.id, *(code for one in same for code in one.codes)})
    for curie in curies:
        system, _, code = curie.partition(":")
        codes.setdefault(system, []).append(code)
    kinds = {DISEASE if one.commonness else FINDING for one in same}
    yield Concept(
        curie=row.slug,
        name=row.name,
        semantic_types=tuple(sorted(kinds)),
        codes={system: tuple(some) for system, some in codes.items()},
    )
    for curie in curies:
        if curie != row.slug:
            yield Relation(subject=row.slug, predicate="xref", object=curie, source=SOURCE, reference=row.reference)
    names: dict[str, TermKind] = {row.name: "preferred"}
    for one in same:
        for name in one.synonyms:
            names.setdefault(name, "abbreviation" if _ABBREVIATION.fullmatch(name) else "exact")
        for name in one.narrower:
            names.setdefault(name, "narrow")
    for name, kind in names.items():
        yield Term(curie=row.id, text=name, kind=kind, source=SOURCE)
    for parent in sorted({one.parent for one in same} - {""}):
        yield Relation(subject=row.id, predicate="is_a", object=parent, source=SOURCE, reference=row.reference)


def _load(folder: Path) -> ChestLayer:
    references = _references(folder)
    findings, diseases = (
        [(row, _concept(row, references)) for row in read_table(folder / file, columns)]
        for file, columns in (("findings.tsv", _FINDING_COLUMNS), ("diseases.tsv", _DISEASE_COLUMNS))
    )
    _check_concepts(findings, diseases)
    finding_names = {concept.id: concept.name for _, concept in findings}
    disease_names = {concept.id: concept.name for _, concept in diseases}
    annotations: dict[tuple[str, str], Annotation] = {}
    for row in read_table(folder / "disease_findings.tsv", _ANNOTATION_COLUMNS):
        annotation = _annotation(row, references, disease_names, finding_names)
        if (annotation.disease, annotation.finding) in annotations:
            raise row.error("hpo_id", "a finding of this disease that is not given twice")
        annotations[annotation.disease, annotation.finding] = annotation
    steps = tuple(
        Step(
            disease=row.known("disease_id", disease_names, name="disease_name"),
            kind=row.one_of("kind", get_args(StepKind)),
            text=alternatives.plain(row.text("text")),
            written=row.text("text"),
            reference=_reference(row, references),
        )
        for row in read_table(folder / "next_steps.tsv", _STEP_COLUMNS)
    )
    portraits = tuple(
        Portrait(disease=row.known("disease_id", disease_names, name="disease_name"), text=row.text("text"))
        for row in read_table(folder / "portraits.tsv", _PORTRAIT_COLUMNS)
    )
    return ChestLayer(
        findings=tuple(concept for _, concept in findings),
        diseases=tuple(concept for _, concept in diseases),
        annotations=tuple(annotations.values()),
        steps=steps,
        portraits=portraits,
        references=references,
    )


def _references(folder: Path) -> dict[str, str]:
    references: dict[str, str] = {}
    for row in read_table(folder / "references.tsv", _REFERENCE_COLUMNS):
        name, year = row.text("reference"), row.text("year")
        if name in references or ";" in name:
            raise row.error("reference", "a name that is not used twice and has no semicolon")
        if not re.fullmatch(r"(19|20)\d\d", year):
            raise row.error("year", "a year")
        references[name] = f"{row.text('title')}. {row.text('body')}, {year}"
    return references


def _concept(row: Row, references: Mapping[str, str]) -> ChestConcept:
    finding = "kind" in row.cells
    return ChestConcept(
        id=row.curie("id"),
        name=row.text("name"),
        synonyms=row.several("synonyms"),
        narrower=row.several("narrower"),
        parent=row.curie("parent") if row.cells["parent"] else "",
        codes=row.curies("codes"),
        other_labels=row.several("other_labels"),
        reference=_reference(row, references),
        kind=row.one_of("kind", get_args(FindingKind)) if finding else None,
        chestxray14_label=row.cells["chestxray14_label"] if finding else "",
        commonness=None if finding else row.one_of("commonness", get_args(Commonness)),
        course=None if finding else row.one_of("course", get_args(Course)),
    )


def _annotation(
    row: Row, references: Mapping[str, str], diseases: Mapping[str, str], findings: Mapping[str, str]
) -> Annotation:
    disease = row.known("database_id", diseases, name="disease_name")
    finding = row.known("hpo_id", findings, name="finding_name")
    if disease == finding:
        raise row.error("hpo_id", "another concept than the disease itself")
    excluded = row.one_of("qualifier", ("", "NOT")) == "NOT"
    row.one_of("evidence", ("TAS", "PCS"))
    try:
        frequency, count = parse_frequency(row.cells["frequency"])
    except ValueError:
        raise row.error("frequency", "an HPO frequency term, n/m or a percentage") from None
    if (frequency is None) is not excluded or frequency == FREQUENCY_TERMS["HP:0040285"]:
        raise row.error("frequency", "a frequency above 0, or an empty cell in a row that says NOT")
    return Annotation(
        disease=disease,
        finding=finding,
        excluded=excluded,
        frequency=frequency,
        count=count,
        reference=_reference(row, references),
        context=row.one_of("aspect", ("P", "H")) == "H",
    )


def _reference(row: Row, references: Mapping[str, str]) -> str:
    reference = row.text("reference")
    if reference not in references and not _PMID.fullmatch(reference):
        raise row.error("reference", "a reference of references.tsv, or PMID:number")
    return reference


def _check_concepts(*tables: list[tuple[Row, ChestConcept]]) -> None:
    """Ids are unique in each table, one id has one name, one code or slug one id; parents exist and never go round."""
    rows: dict[str, ChestConcept] = {}
    owner: dict[str, str] = {}
    for table in tables:
        seen: set[str] = set()
        for row, concept in table:
            if concept.id in seen:
                raise row.error("id", "an id that is not used twice")
            seen.add(concept.id)
            if concept.name != rows.setdefault(concept.id, concept).name:
                raise row.error("name", f"the name {concept.id} has in the other table: {rows[concept.id].name!r}")
            for curie in (concept.id, concept.slug, *concept.codes):
                if owner.setdefault(curie, concept.id) != concept.id:
                    column = "codes" if curie in concept.codes else "name" if curie == concept.slug else "id"
                    raise row.error(column, f"each code on one row ({curie} is also of {owner[curie]})")
    above: dict[str, set[str]] = {}
    for row, concept in (pair for table in tables for pair in table):
        if concept.parent:
            if concept.parent not in rows:
                raise row.error("parent", "an id of findings.tsv or diseases.tsv")
            above.setdefault(concept.id, set()).add(concept.parent)
    for row, concept in (pair for table in tables for pair in table):
        reached: set[str] = set()
        frontier = {concept.parent} - {""}
        while frontier:
            reached |= frontier
            frontier = {parent for curie in frontier for parent in above.get(curie, ())} - reached
        if concept.id in reached:
            raise row.error("parent", "a hierarchy without circles")


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
