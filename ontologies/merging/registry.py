"""The ontologies in use: the fetched sources, the chest layer, and those that the user added.

``home/ontologies/registry.json`` lists the user's by name, kind, absolute path and sha256. They stay where they are;
one that has changed or vanished since it was added is an error, never silently another knowledge.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from errors import ArtifactError, InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.merging import kept
from ontologies.problem import Notice, Omission, Problem, Report, stop, text_lines
from ontologies.readers import hpoa, icd10cm, obo, rdf, snomed, snomed_dicom, sssom, umls
from ontologies.readers.kind import Sniffed, locate, sniff
from ontologies.readers.rrf import COLUMNS
from ontologies.sources.archive import Member, fingerprint, members, stamp
from ontologies.sources.store import member_path, source
from ontologies.staging import OnError, Staging

Progress = Callable[[str, int, int], None]
Part = tuple[str, str, Callable[[Staging], None]]  # name, digest of what is read, what stages it

_READERS: dict[str, Callable[..., Iterator[Statement]]] = {
    "obo": obo.read,
    "rdf": rdf.read,
    "hpoa": hpoa.read,
    "sssom": sssom.read,
    "icd10cm": icd10cm.read,
}
_HEAD = 1000
# Goes up when readers take more out of a user's files than before; graphs that hold such files are then built anew.
READERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An ontology of the user: a unique name (of the file or folder, without suffixes), its kind, where it is, sha256
    (of its files together), ``stamp`` of their sizes and times, how many concepts, terms and relations it holds (None:
    not counted), how many malformed rows were left out (these stop a build unless ``on_error`` is "skip"), and how many
    sound ones."""

    name: str
    kind: str
    path: str
    sha256: str
    concepts: int | None
    terms: int | None
    relations: int | None
    stamp: str = ""
    on_error: OnError = "stop"
    problems: int = 0
    omitted: int = 0


def entries(home: Path) -> tuple[Entry, ...]:
    """The user's ontologies, by name; empty when there are none. Raises ArtifactError when the registry is damaged."""
    path = _registry(home)
    if not path.exists():
        return ()
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["ontologies"]
        found = tuple(Entry(**fields) for fields in listed)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError("the list of ontologies is damaged", value=path, run="whydx ontology add PATH") from error
    return tuple(sorted(found, key=lambda entry: entry.name))


def add(
    home: Path,
    path: Path,
    kind: str | None = None,
    *,
    report: Report = stop,
    notice: Notice = lambda omission: None,
    progress: Progress | None = None,
) -> Entry:
    """Read the whole of ``path`` once, to be sure that it reads, and list it; a name already listed is replaced. Of a
    UMLS release, which takes minutes, only the first rows of each file are read.

    ``path`` is a file, an archive of one, or the folder or archive of a UMLS or SNOMED CT release; ``kind`` is sniffed
    by default. At a malformed row InputError is raised, or ``report`` is called, and then builds leave such rows out
    too. ``notice`` is told of sound rows that are left out. Raises InputError also when the path is missing, of no
    known kind, or says nothing.
    """
    path = Path(path).expanduser().resolve()
    located = locate(path, kind) if kind else sniff(path)
    counts: dict[type, int] = {} if located.kind == "umls" else {Concept: 0, Term: 0, Relation: 0}
    problems, omitted = 0, 0

    def told(omission: Omission) -> None:
        nonlocal omitted
        omitted += omission.rows
        notice(omission)

    def counted(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        report(problem)

    if located.kind == "umls":
        _check_heads(located.files, counted)
    else:
        for number, statement in enumerate(_read(path, located, counted, told), 1):
            counts[type(statement)] += 1
            if progress and number % 10_000 == 0:
                progress(path.name, number, 0)
        if not any(counts.values()):
            raise InputError("the ontology says nothing", value=path.name, expected="terms, annotations or mappings")
    entry = Entry(
        name=path.name.split(".")[0] or path.name,
        kind=located.kind,
        path=str(path),
        sha256=fingerprint(located.files),
        stamp=stamp(located.files),
        concepts=counts.get(Concept),
        terms=counts.get(Term),
        relations=counts.get(Relation),
        on_error="stop" if report is stop else "skip",
        problems=problems,
        omitted=omitted,
    )
    with _alone(home):
        _write(home, [*(other for other in entries(home) if other.name != entry.name), entry])
    return entry


def remove(home: Path, name: str) -> Entry:
    """Take ``name`` off the list (the files stay) and return what was listed. InputError when it is not there."""
    listed = entries(home)
    for entry in listed:
        if entry.name == name:
            with _alone(home):
                _write(home, [other for other in entries(home) if other.name != name])
            return entry
    raise InputError(
        "no such ontology", value=name, expected=", ".join(e.name for e in listed) or "a name from: whydx ontology list"
    )


def stage(home: Path, staging: Staging, *, progress: Progress | None = None) -> None:
    """Stage everything that is known and is not staged yet: HPO, its annotations, ICD-10-CM, DICOM's SNOMED CT,
    Biomappings, the chest layer, then the user's ontologies by name. ``progress`` is called as progress(name, sources
    done, sources in all).

    Malformed rows of an ontology that was added with leave to skip them are recorded in ``staging``. Raises SourceError
    when a source is not fetched, InputError when an ontology of the user has changed or vanished.
    """
    parts = [*_open_parts(home), *(_user_part(entry) for entry in entries(home))]
    for number, (name, digest, work) in enumerate(parts):
        if progress:
            progress(name, number, len(parts))
        staging.once(name, digest, work)
    if progress:
        progress("done", len(parts), len(parts))


def _open_parts(home: Path) -> Iterator[Part]:
    from ontologies.chest import layer as chest

    def part(name: str, of: str, read: Callable[[Path], Iterator[Statement]]) -> Part:
        pinned = source(of)
        (inside,) = (m for m in pinned.members if m.name == name or len(pinned.members) == 1)
        path = member_path(home, of, inside.name)
        folder, whole = home / "readings" / "sources" / inside.name, f"{pinned.version} {inside.sha256}"
        return f"{of} {inside.name}", inside.sha256, partial(kept.stage, folder, whole, lambda: read(path))

    mappings = f"Biomappings {source('biomappings').version}"
    yield part("hp.obo", "hpo", obo.read)
    yield part("phenotype.hpoa", "hpo", hpoa.read)
    yield part("", "icd10cm", icd10cm.read)
    yield part("", "snomed-dicom", snomed_dicom.read)
    yield part("", "biomappings", lambda path: sssom.read(path, source=mappings))
    yield "chest", fingerprint(members(chest.DATA)), lambda staging: staging.add(chest.read())


def _user_part(entry: Entry) -> Part:
    located = _check(entry)

    def work(staging: Staging) -> None:
        staging.on_error = entry.on_error
        if located.kind == "umls":
            umls.stage(located.files, staging)
        else:
            staging.add(_read(Path(entry.path), located, staging.report))

    return f"user:{entry.name}", entry.sha256, work


def _read(path: Path, located: Sniffed, report: Report, notice: Notice = lambda omission: None) -> Iterator[Statement]:
    if located.kind == "snomed":
        return snomed.read(path, report=report, notice=notice)
    return _READERS[located.kind](located.files[0], report=report)


def _check_heads(files: tuple[Member, ...], report: Report) -> None:
    """Report the malformed ones among the first rows of each RRF file."""
    for file in files:
        expected = len(COLUMNS[file.base].split())
        for number, line in islice(text_lines(file, report), _HEAD):
            if (found := line.count("|")) != expected:
                reason = f"{found} columns, not {expected}"
                report(Problem(file=file.base, line=number, reason=reason, value=line))


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The list for one process alone, so that of two that add at the same time both stay."""
    from filelock import FileLock

    path = _registry(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".registry.lock")):
        yield


def _registry(home: Path) -> Path:
    return Path(home) / "ontologies" / "registry.json"


def _check(entry: Entry) -> Sniffed:
    """The files of an entry. Raises InputError when they are not what was added."""
    again = f"whydx ontology add {entry.path}"
    if not Path(entry.path).exists():
        raise InputError(f"ontology {entry.name} has vanished", value=entry.path, run=again)
    located = locate(Path(entry.path), entry.kind)
    if stamp(located.files) != entry.stamp and fingerprint(located.files) != entry.sha256:
        raise InputError(f"ontology {entry.name} has changed since it was added", value=entry.path, run=again)
    return located


def _write(home: Path, listed: list[Entry]) -> None:
    path = _registry(home)
    text = json.dumps({"ontologies": [asdict(e) for e in sorted(listed, key=lambda e: e.name)]}, indent=1)
    descriptor, beside = tempfile.mkstemp(prefix=".registry-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
