"""The ontologies in use: the fetched sources, the chest layer, and the files that the user added.

``home/ontologies/registry.json`` lists the user's files by name, kind, absolute path and sha256. The files stay
where they are; one that has changed or vanished since it was added is an error, never silently another knowledge.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from errors import ArtifactError, InputError
from ontologies import biomappings, hpoa, icd10cm, obo, snomed_dicom
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.sources import member_path, source

Progress = Callable[[str, int, int], None]

_READERS: dict[str, Callable[[Path], Iterator[Statement]]] = {
    "obo": obo.read,
    "hpoa": hpoa.read,
    "sssom": biomappings.read,
}
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An ontology of the user: a unique name (the file's stem), its kind ("obo", "hpoa", "sssom"), where it is, its
    sha256,
    and how many concepts, terms and relations it holds."""

    name: str
    kind: str
    path: str
    sha256: str
    concepts: int
    terms: int
    relations: int


def sniff(path: Path) -> str:
    """The kind of an ontology file by its first 64 KiB, whatever it is called. Raises InputError when it is none we
    read."""
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", value=path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise InputError("cannot read the file", value=path, expected=error.strerror or "") from error
    try:
        text = head.decode("utf-8-sig") if len(head) < _HEAD else head.decode("utf-8-sig", errors="ignore")
    except UnicodeDecodeError as error:
        raise InputError("not an ontology file", value=path.name, expected="OBO, HPOA or SSSOM text") from error
    for line in text.splitlines():
        if line.startswith("format-version:") or line.rstrip() in ("[Term]", "[Typedef]"):
            return "obo"
        columns = line.lstrip("#").lower().replace("_", "").split("\t")
        if columns[0] == "databaseid" and "aspect" in columns:
            return "hpoa"
        if "subjectid" in columns and "objectid" in columns:
            return "sssom"
    raise InputError("not an ontology file", value=path.name, expected="OBO, HPOA or SSSOM text")


def entries(home: Path) -> tuple[Entry, ...]:
    """The user's ontologies, by name; empty when there are none. Raises ArtifactError when the registry is damaged."""
    path = _registry(home)
    if not path.is_file():
        return ()
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["ontologies"]
        found = tuple(Entry(**fields) for fields in listed)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError("the list of ontologies is damaged", value=path, run="whydx ontology add FILE") from error
    return tuple(sorted(found, key=lambda entry: entry.name))


def add(home: Path, path: Path, kind: str | None = None, *, progress: Progress | None = None) -> Entry:
    """Read the whole of ``path`` once, to be sure that it reads, and list it; a name already listed is replaced.

    ``kind`` is sniffed from the content by default. Raises InputError when the file is missing, of no known kind,
    malformed,
    or empty of statements.
    """
    path = Path(path).expanduser().resolve()
    kind = kind or sniff(path)
    if kind not in _READERS:
        raise InputError("unknown kind of ontology", value=kind, expected=", ".join(sorted(_READERS)))
    concepts = terms = relations = 0
    for number, statement in enumerate(_READERS[kind](path), 1):
        concepts += isinstance(statement, Concept)
        terms += isinstance(statement, Term)
        relations += isinstance(statement, Relation)
        if progress and number % 10_000 == 0:
            progress(path.name, number, 0)
    if not concepts + terms + relations:
        raise InputError("the ontology says nothing", value=path.name, expected="terms, annotations or mappings")
    entry = Entry(
        name=path.name.split(".")[0] or path.name,
        kind=kind,
        path=str(path),
        sha256=_sha256(path),
        concepts=concepts,
        terms=terms,
        relations=relations,
    )
    _write(home, [*(other for other in entries(home) if other.name != entry.name), entry])
    return entry


def remove(home: Path, name: str) -> Entry:
    """Take ``name`` off the list (the file itself stays) and return what was listed. Raises InputError when it is
    not there."""
    listed = entries(home)
    for entry in listed:
        if entry.name == name:
            _write(home, [other for other in listed if other.name != name])
            return entry
    raise InputError(
        "no such ontology", value=name, expected=", ".join(e.name for e in listed) or "a name from: whydx ontology list"
    )


def statements(home: Path, *, progress: Progress | None = None) -> Iterator[Statement]:
    """Everything that is known: HPO, its annotations, ICD-10-CM, DICOM's SNOMED CT, Biomappings, the chest layer,
    then the
    user's files by name. ``progress`` is called as progress(name, sources done, sources in all).

    Raises SourceError when a source is not fetched, InputError when a file of the user has changed or vanished.
    """
    from ontologies import chest

    listed = entries(home)
    for entry in listed:
        _check(entry)
    mappings = source("biomappings")
    parts: list[tuple[str, Callable[[], Iterator[Statement]]]] = [
        ("hpo", lambda: obo.read(member_path(home, "hpo", "hp.obo"))),
        ("hpoa", lambda: hpoa.read(member_path(home, "hpo", "phenotype.hpoa"))),
        ("icd10cm", lambda: icd10cm.read(member_path(home, "icd10cm", "icd10c-tabular-April-1-2026.xml"))),
        ("snomed-dicom", lambda: snomed_dicom.read(member_path(home, "snomed-dicom", "concepts.py.txt"))),
        (
            "biomappings",
            lambda: biomappings.read(
                member_path(home, "biomappings", "positive.sssom.tsv"), source=f"Biomappings {mappings.version}"
            ),
        ),
        ("chest", chest.read),
    ]
    for entry in listed:
        parts.append((entry.name, lambda entry=entry: _READERS[entry.kind](Path(entry.path))))  # type: ignore[misc]
    for number, (name, read) in enumerate(parts):
        if progress:
            progress(name, number, len(parts))
        yield from read()
    if progress:
        progress("done", len(parts), len(parts))


def _registry(home: Path) -> Path:
    return Path(home) / "ontologies" / "registry.json"


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(entry: Entry) -> None:
    path = Path(entry.path)
    again = f"whydx ontology add {entry.path}"
    if entry.kind not in _READERS:
        raise InputError(f"ontology {entry.name} is of an unknown kind", value=entry.kind, run=again)
    if not path.is_file():
        raise InputError(f"ontology {entry.name} has vanished", value=entry.path, run=again)
    if _sha256(path) != entry.sha256:
        raise InputError(f"ontology {entry.name} has changed since it was added", value=entry.path, run=again)


def _write(home: Path, listed: list[Entry]) -> None:
    path = _registry(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"ontologies": [asdict(e) for e in sorted(listed, key=lambda e: e.name)]}, indent=1)
    descriptor, beside = tempfile.mkstemp(prefix=".registry-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
