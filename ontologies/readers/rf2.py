"""Rows of SNOMED CT Release Format 2 (RF2) snapshot files: tab-separated, UTF-8, a header line, no quoting.

Names and columns: SNOMED CT Release File Specifications, chapters 4 (components) and 5 (reference sets).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from errors import InputError
from ontologies.problem import Problem, Report, text_lines
from ontologies.sources.archive import Member

_COMPONENT = ("id", "effectiveTime", "active", "moduleId")
_REFSET = (*_COMPONENT, "refsetId", "referencedComponentId")
_MAP = ("mapGroup", "mapPriority", "mapRule", "mapAdvice", "mapTarget", "correlationId", "mapCategoryId")
_ROLE = ("relationshipGroup", "typeId", "characteristicTypeId", "modifierId")
# What the file's name begins with (after the x of a preview release), and the columns.
_FILES = {
    "concept": (r"sct2_Concept_Snapshot", (*_COMPONENT, "definitionStatusId")),
    "description": (
        r"sct2_(Description|TextDefinition)_Snapshot",
        (*_COMPONENT, "conceptId", "languageCode", "typeId", "term", "caseSignificanceId"),
    ),
    "relationship": (r"sct2_Relationship_Snapshot", (*_COMPONENT, "sourceId", "destinationId", *_ROLE)),
    "axiom": (r"sct2_sRefset_OWLExpression\w*Snapshot", (*_REFSET, "owlExpression")),
    "language": (r"der2_cRefset_Language\w*Snapshot", (*_REFSET, "acceptabilityId")),
    "association": (r"der2_cRefset_Association\w*Snapshot", (*_REFSET, "targetComponentId")),
    "map": (r"der2_iisssccRefset_ExtendedMap\w*Snapshot", (*_REFSET, *_MAP)),
}
COLUMNS = {kind: columns for kind, (_, columns) in _FILES.items()}
_NAMES = {kind: re.compile(f"x?{pattern}.*\\.txt") for kind, (pattern, _) in _FILES.items()}
_OTHER = re.compile(r"x?sct2_Concept_(Full|Delta)\w*")
_RELEASE = re.compile(r"_([A-Z]{2,3}\d*)_(\d{4})(\d\d)(\d\d)\.txt$")
_SCTID = re.compile(r"[1-9]\d{5,17}")

Row = dict[str, str]


def snapshot_files(found: tuple[Member, ...]) -> tuple[Member, ...]:
    """Those of ``found`` that are snapshot files read here, in their order; () when there is no concept file."""
    used = tuple(file for file in found if any(name.fullmatch(file.base) for name in _NAMES.values()))
    return used if any(_NAMES["concept"].fullmatch(file.base) for file in used) else ()


def other_type(found: tuple[Member, ...]) -> str | None:
    """The first of ``found`` that is a concept file of the Full or Delta type, which is not read."""
    return next((file.base for file in found if _OTHER.match(file.base)), None)


def release_name(files: tuple[Member, ...]) -> str:
    """Namespace and date of the first concept file, for example "SNOMED CT INT 2024-01-01"; "SNOMED CT" if unsaid."""
    concept = next(file for file in files if _NAMES["concept"].fullmatch(file.base))
    release = _RELEASE.search(concept.base)
    return f"SNOMED CT {release[1]} {release[2]}-{release[3]}-{release[4]}" if release else "SNOMED CT"


def active_rows(files: tuple[Member, ...], kind: str, report: Report) -> Iterator[tuple[Member, int, Row]]:
    """The active ones of ``all_rows``."""
    return (found for found in all_rows(files, kind, report) if found[2]["active"] == "1")


def all_rows(files: tuple[Member, ...], kind: str, report: Report) -> Iterator[tuple[Member, int, Row]]:
    """The rows of the files of one kind ("concept", "description", …), each with its file and line.

    Reported and left out: another number of columns, ids that are no SCTID (UUID in reference sets), active not 0 or 1.
    Raises InputError when a file does not begin with its columns.
    """
    columns = COLUMNS[kind]
    ids = [columns.index(name) for name in columns if name.endswith("Id") and (name != "id")]
    if "refsetId" not in columns:
        ids.insert(0, 0)
    for file in files:
        if _NAMES[kind].fullmatch(file.base):
            for number, line in text_lines(file, report):
                cells = line.split("\t")
                if number == 1:
                    if tuple(cells) != columns:
                        expected = ", ".join(columns)
                        raise InputError(f"{file.base}, line 1: not an RF2 header", value=line, expected=expected)
                elif (problem := _problem(cells, columns, ids)) is not None:
                    reason, value, expected = problem
                    report(Problem(file=file.base, line=number, reason=reason, value=value, expected=expected))
                else:
                    yield file, number, dict(zip(columns, cells, strict=True))


def _problem(cells: list[str], columns: tuple[str, ...], ids: list[int]) -> tuple[str, str, str] | None:
    if len(cells) != len(columns):
        return f"{len(cells)} columns", "\t".join(cells), f"{len(columns)} columns"
    if cells[2] not in ("0", "1"):
        return "not a state", cells[2], "active 0 or 1"
    for index in ids:
        if _SCTID.fullmatch(cells[index]) is None:
            return f"{columns[index]} is not a SNOMED CT identifier", cells[index], "6 to 18 digits"
    return None
