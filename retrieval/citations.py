"""MEDLINE files as they were read, kept as Parquet: reading the XML of 30,000 citations takes six seconds."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexes.manifest import file_sha256
from retrieval import medline
from retrieval.medline import Citation, Correction

_COLUMNS = ("pmid", "title", "abstract", "journal", "year")
_PARTS = ("types", "corrections", "corrects")  # as JSON


@functools.cache
def _reader() -> str:
    return file_sha256(Path(medline.__file__))


def read(path: Path, folder: Path | None, *, deleted: set[str]) -> list[Citation]:
    """`medline.read`, or what it gave the last time for a file of this content, if ``folder`` has that."""
    if folder is None:
        return list(medline.read(path, deleted=deleted))
    kept = folder / f"{path.name}.parquet"
    origin = {"file": file_sha256(path), "reader": _reader()}
    found = _kept(kept, origin)
    if found is None:
        gone: set[str] = set()
        found = list(medline.read(path, deleted=gone)), gone
        _keep(kept, origin, *found)
    deleted |= found[1]
    return found[0]


def _kept(path: Path, origin: dict[str, str]) -> tuple[list[Citation], set[str]] | None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        said = json.loads(table.schema.metadata[b"whydx"])
        if said["origin"] != origin:
            return None
        columns = [table[name].to_pylist() for name in (*_COLUMNS, *_PARTS)]
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        return None
    found = [
        Citation(**dict(zip(_COLUMNS, row, strict=False)), **_parts(*row[len(_COLUMNS) :]))
        for row in zip(*columns, strict=True)
    ]
    return found, set(said["deleted"])


def _parts(types: str, corrections: str, corrects: str) -> dict[str, Any]:
    return {
        "types": _types(types),
        "corrections": tuple(Correction(**one) for one in json.loads(corrections)) if corrections != "[]" else (),
        "corrects": {pmid: Correction(**one) for pmid, one in json.loads(corrects).items()} if corrects != "{}" else {},
    }


@functools.cache
def _types(said: str) -> tuple[str, ...]:
    """Publication types; few ways of them are in a file."""
    return tuple(json.loads(said))


def _keep(path: Path, origin: dict[str, str], citations: list[Citation], deleted: set[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, list[str]] = {name: [getattr(c, name) for c in citations] for name in _COLUMNS}
    columns["types"] = [json.dumps(c.types) for c in citations]
    columns["corrections"] = [json.dumps([asdict(one) for one in c.corrections]) for c in citations]
    columns["corrects"] = [json.dumps({p: asdict(one) for p, one in c.corrects.items()}) for c in citations]
    table = pa.table(columns).replace_schema_metadata(
        {"whydx": json.dumps({"origin": origin, "deleted": sorted(deleted)})}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    parquet.write_table(table, part, compression="zstd")
    part.replace(path)
