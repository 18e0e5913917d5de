"""What a source says, kept as Parquet once it was read: reading the fetched sources takes eight seconds of every build
of the graph, and they change with a release only.

Folder layout: ``concept.parquet``, ``code.parquet``, ``term.parquet`` and ``relation.parquet``, the tables of
`ontologies.staging`, and ``origin.json``: what was read, by which code, and the sha256 of each table.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from ontologies import readers
from ontologies.concept import Statement
from ontologies.staging import Staging

TABLES = ("concept", "code", "term", "relation")
_ORIGIN = "origin.json"


def stage(folder: Path, source: str, read: Callable[[], Iterable[Statement]], staging: Staging) -> None:
    """Stage what ``read`` says: from ``folder`` when it holds that of ``source`` (a hash), read by the code of today;
    else it is read, and kept there. What is damaged is read anew."""
    origin = {"source": source, "code": _code()}
    if _load(folder, origin, staging):
        return
    with Staging() as alone:
        alone.add(read())
        _save(folder, origin, alone)
        for table in TABLES:
            staging.insert(table, alone.connection.sql(f"SELECT * FROM {table}").to_arrow_table())


@cache
def _code() -> str:
    """A hash of what reads sources: the readers, and the types and tables that they share."""
    digest = hashlib.sha256()
    inside = Path(readers.__file__).parent
    for path in sorted((*inside.parent.glob("*.*"), *inside.rglob("*.*"))):
        if path.suffix in (".py", ".tsv", ".json"):
            digest.update(path.relative_to(inside.parent).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _load(folder: Path, origin: dict[str, str], staging: Staging) -> bool:
    from pyarrow import parquet

    try:
        said = json.loads((folder / _ORIGIN).read_text(encoding="utf-8"))
        if said["origin"] != origin or any(_sha256(folder, table) != said["files"][table] for table in TABLES):
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    for table in TABLES:
        staging.insert(table, parquet.read_table(folder / f"{table}.parquet"))
    return True


def _save(folder: Path, origin: dict[str, str], alone: Staging) -> None:
    from pyarrow import parquet

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        beside = Path(name) / "whole"
        beside.mkdir()
        for table in TABLES:
            rows = alone.connection.sql(f"SELECT * FROM {table}").to_arrow_table()
            parquet.write_table(rows, beside / f"{table}.parquet", compression="zstd")
        said = {"origin": origin, "files": {table: _sha256(beside, table) for table in TABLES}}
        (beside / _ORIGIN).write_text(json.dumps(said), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)


def _sha256(folder: Path, table: str) -> str:
    with (folder / f"{table}.parquet").open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
