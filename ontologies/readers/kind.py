"""What kind of ontology is at a path: told by its content and its layout, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from errors import InputError
from ontologies.readers.rdf_syntax import syntax
from ontologies.readers.rf2 import other_type, snapshot_files
from ontologies.readers.rrf import COLUMNS
from ontologies.sources.archive import Member, members
from ontologies.sources.encoding import text_head

Kind = Literal["obo", "hpoa", "sssom", "icd10cm", "rdf", "snomed", "umls"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_EXPECTED = "OBO, RDF, HPOA, SSSOM or ICD-10-CM, a UMLS or a SNOMED CT release"
_HEAD = 1 << 16
# Beside a release or an ontology there may be readmes and licences, but hardly more than this.
_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """A kind, and the files of the path that its reader reads."""

    kind: str
    files: tuple[Member, ...]


def sniff(path: Path) -> Sniffed:
    """The kind of the ontology at ``path``: a file, an archive of one, or a UMLS or SNOMED CT release (folder or
    archive). Raises InputError when it is none we read, or several.
    """
    found = members(path)
    if files := umls_files(found):
        return Sniffed(kind="umls", files=files)
    if files := snapshot_files(found):
        return Sniffed(kind="snomed", files=files)
    known = list(_single(found[:_MOST]))
    if not known and (other := other_type(found)):
        raise _no_snapshot(path, other)
    if not known:
        raise InputError("not an ontology", value=Path(path).name, expected=_EXPECTED)
    if len(known) > 1:
        names = ", ".join(sniffed.files[0].name for sniffed in known[:3])
        raise InputError(f"{Path(path).name} holds several ontologies", value=names, expected="one; add them singly")
    return known[0]


def locate(path: Path, kind: str) -> Sniffed:
    """The files of ``path`` for a reader of ``kind``, whatever they look like; of an archive of several, the one
    that is sniffed to be of that kind. Raises InputError for an unknown kind, or when there is not one such file."""
    if kind not in KINDS:
        raise InputError("unknown kind of ontology", value=kind, expected=", ".join(KINDS))
    found = members(path)
    if kind in ("umls", "snomed"):
        files = umls_files(found) if kind == "umls" else snapshot_files(found)
        if not files and kind == "snomed" and (other := other_type(found)):
            raise _no_snapshot(path, other)
        if not files:
            raise InputError(
                f"no {kind} release", value=path, expected="MRCONSO.RRF" if kind == "umls" else "RF2 files"
            )
        return Sniffed(kind=kind, files=files)
    if len(found) > 1:
        found = tuple(s.files[0] for s in _single(found[:_MOST]) if s.kind == kind)
    if len(found) != 1:
        raise InputError(f"{Path(path).name} is not one file", expected=f"one {kind} file")
    return Sniffed(kind=kind, files=found)


def _no_snapshot(path: Path, other: str) -> InputError:
    expected = "the release's Snapshot folder, with sct2_Concept_Snapshot_….txt; Full and Delta are not read"
    return InputError(f"no Snapshot in {Path(path).name}", value=other, expected=expected)


def umls_files(found: tuple[Member, ...]) -> tuple[Member, ...]:
    """The RRF files read here, of a folder or archive that holds MRCONSO.RRF beside them; else ()."""
    consolidated = [file.name for file in found if file.base == "MRCONSO.RRF"]
    folder = consolidated[0].removesuffix("MRCONSO.RRF") if consolidated else ""
    return tuple(f for f in found if consolidated and f.name == folder + f.base and f.base in COLUMNS)


def _single(found: tuple[Member, ...]) -> Iterator[Sniffed]:
    for file in found:
        if (kind := _text_kind(text_head(file, _HEAD))) is not None:
            yield Sniffed(kind=kind, files=(file,))


def _text_kind(head: bytes) -> Kind | None:
    if syntax(head) is not None:
        return "rdf"
    if b"<ICD10CM.tabular" in head:
        return "icd10cm"
    for line in head.decode(errors="replace").splitlines():
        if line.startswith("format-version:") or line.rstrip() in ("[Term]", "[Typedef]"):
            return "obo"
        columns = line.lstrip("#").lower().replace("_", "").split("\t")
        if columns[0] == "databaseid" and "aspect" in columns:
            return "hpoa"
        if "subjectid" in columns and "objectid" in columns:
            return "sssom"
    return None
