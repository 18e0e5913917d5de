"""Where a collection comes from: the files below the paths that the user gave, and what is read out of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from errors import InputError
from retrieval.collection import papers, studies, tables
from retrieval.collection.record import Kind, Record

Progress = Callable[[str, int, int], None]
_PAPERS = "PubMed XML, .nbib, .ris, .pubtator, BEIR's corpus.jsonl, .txt"
_CASES = "a .csv, .tsv, .jsonl or .parquet table, FHIR bundles, or a folder of DICOM files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``roots`` are files and folders, absolute and sorted; ``columns`` say which column of a table plays which part;
    ``drop`` are columns to leave out."""

    kind: Kind
    roots: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


@dataclass(slots=True)
class Notes:
    """What reading has to say: columns that were left out, files that show a name, papers that came again."""

    left_out: set[str] = field(default_factory=set)
    burned_in: set[str] = field(default_factory=set)
    repeated: int = 0


def extended(
    known: Sources | None, roots: Sequence[Path], kind: Kind | None, columns: Mapping[str, str], drop: Sequence[str]
) -> Sources:
    """What a collection is made from when ``roots`` and what is said of their columns come to what is ``known``.

    Raises InputError as `kind_of` does, for a kind other than the known one, and for an unknown part of a case.
    """
    for role in columns:
        if role not in tables.ROLES:
            raise InputError("no part of a case", value=role, expected=", ".join(tables.ROLES))
    found = kind or (kind_of(roots) if roots or known is None else known.kind)
    if known is not None and found != known.kind:
        raise InputError(
            f"the collection holds {known.kind}", value=found, expected=f"more {known.kind}, or a new name"
        )
    return Sources(
        kind=found,
        roots=tuple(sorted({*(known.roots if known else ()), *map(str, roots)})),
        columns=dict(sorted({**(known.columns if known else {}), **columns}.items())),
        drop=tuple(sorted({*(known.drop if known else ()), *drop})),
    )


def kind_of(roots: Sequence[Path]) -> Kind:
    """Whether the paths hold papers or cases; texts alone are papers. Raises InputError for a path that is not there,
    when nothing in them can be read, and when there are both."""
    found: dict[Kind, str] = {}
    texts = False
    for root in roots:
        for path in _files(root):
            kind = _kind(path)
            if kind is not None:
                found.setdefault(kind, path.name)
            texts = texts or path.suffix.lower() == ".txt"
    if len(found) > 1:
        names = ", ".join(found.values())
        raise InputError("papers and cases in one collection", value=names, expected="a collection for each")
    if not found and not texts:
        raise InputError(
            "nothing to index", value=", ".join(r.name for r in roots), expected=f"papers ({_PAPERS}) or {_CASES}"
        )
    return next(iter(found), "papers")


def read(
    sources: Sources, *, salt: bytes, collection: str, progress: Progress | None = None
) -> tuple[list[Record], Notes]:
    """The records, sorted by id, each id once, and what there is to say. The same files give the same.

    Raises InputError for what cannot be read, and when two cases, or two papers without a PMID or DOI, have one id.
    """
    notes = Notes()
    found: dict[str, tuple[str, Record]] = {}
    given = _all(sources, salt, collection, notes)
    for done, (where, record, from_table) in enumerate(given, 1):
        other = found.get(record.doc_id)
        if other is not None:
            same = other[1].key == record.key and not from_table
            if not same and not record.doc_id.startswith(("PMID:", "doi:")):
                raise InputError(
                    f"two {sources.kind} have one id",
                    value=f"{other[0]} and {where}",
                    expected="an id of its own for each",
                    run="whydx index add NAME PATH --column id=COLUMN" if from_table else "",
                )
            notes.repeated += 1
        found[record.doc_id] = (where, record)  # the same PMID again is a newer version
        if progress and done % 100 == 0:
            progress(f"read {sources.kind}", done, 0)
    if not found:
        raise InputError(f"no {sources.kind}", value=", ".join(Path(root).name for root in sources.roots))
    return [found[name][1] for name in sorted(found)], notes


def _all(sources: Sources, salt: bytes, collection: str, notes: Notes) -> Iterator[tuple[str, Record, bool]]:
    """(where it stands, record, whether it is a row of a table), root by root."""
    for root in map(Path, sources.roots):
        files = _files(root)
        if sources.kind == "papers":
            for path in files:
                if path.suffix.lower() == ".txt" or _kind(path) == "papers":
                    name = path.name if path == root else path.relative_to(root).as_posix()
                    stem = name.removesuffix(path.suffix)
                    yield from ((f"{path.name}", record, False) for record in papers.read(path, stem))
            continue
        listed = [path for path in files if path.suffix.lower() in tables.SUFFIXES and _kind(path) == "cases"]
        for path in listed:
            rows = tables.read(
                path,
                salt=salt,
                collection=collection,
                said=sources.columns,
                drop=sources.drop,
                left_out=notes.left_out,
            )
            yield from ((where, record, True) for where, record in rows)
        if not listed:
            some = [path for path in files if path.suffix.lower() == ".txt" or studies.is_case(path)]
            below = root if root.is_dir() else root.parent
            cases = studies.read(some, below, salt=salt, collection=collection, warned=notes.burned_in)
            yield from ((where, record, False) for where, record in cases)


def _files(root: Path) -> list[Path]:
    """The files of a path, sorted; those of a BEIR folder are its corpus. Hidden ones are passed over."""
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise InputError("no such file or folder", value=root, expected=f"papers ({_PAPERS}) or {_CASES}")
    if (root / "corpus.jsonl").is_file():
        return [root / "corpus.jsonl"]
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(root).parts))


def _kind(path: Path) -> Kind | None:
    """What a file holds, by its name and beginning; None for a text, which can be either, and for what is neither."""
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix == "jsonl":
        return "papers" if _is_corpus(path) else "cases"
    if suffix in papers.READERS and suffix != "txt":
        return "papers"
    return "cases" if path.suffix.lower() in tables.SUFFIXES or studies.is_case(path) else None


def _is_corpus(path: Path) -> bool:
    """Whether the first row is one of BEIR's: a paper has _id and text."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            first = json.loads(stream.readline())
        return isinstance(first, dict) and {"_id", "text"} <= first.keys()
    except (OSError, ValueError):
        return False
