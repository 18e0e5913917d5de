"""A judged collection in BEIR layout: corpus.jsonl (``_id``, ``title``, ``text``), queries.jsonl (``_id``, ``text``)
and qrels/test.tsv (query, document, grade; one header line)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCollection:
    """Documents as the search reads them (title, then text), ids beside them; ``queries`` are those that are judged,
    by id in order; ``judged`` are the grades above zero."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    queries: Mapping[str, str]
    judged: Mapping[str, Mapping[str, int]]


def read(folder: Path) -> JudgedCollection:
    """Raises InputError when a file is missing or malformed, an id repeats, or there is nothing to evaluate."""
    documents = _rows(folder / "corpus.jsonl")
    judged = _judgements(folder / "qrels" / "test.tsv")
    queries = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl") if row["_id"] in judged}
    if not documents or not queries:
        raise InputError("nothing to evaluate", value=folder, expected="documents and judged queries")
    ids = tuple(row["_id"] for row in documents)
    if len(set(ids)) != len(ids):
        raise InputError("a document id repeats", value=folder / "corpus.jsonl")
    return JudgedCollection(
        ids=ids,
        texts=tuple(f"{row.get('title') or ''} {row['text']}".strip() for row in documents),
        queries=dict(sorted(queries.items())),
        judged=judged,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file, each with a text ``_id`` and ``text``; blank lines are passed over."""
    rows = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            whole = isinstance(row["_id"], str) and isinstance(row["text"], str) and not set(row["_id"]) & set(" \t\n")
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise InputError(f"line {number} is not a row", value=path, expected='{"_id": "…", "text": "…"}')
        rows.append(row)
    return rows


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path)[1:], 2):
        fields = line.split("\t")
        if len(fields) != 3 or not fields[2].strip().lstrip("-").isdigit():
            raise InputError(f"line {number} is not a judgement", value=path, expected="query, document and grade")
        if int(fields[2]) > 0:
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    if not judged:
        raise InputError("no relevant document", value=path)
    return judged


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[: None if path.suffix == ".jsonl" else -1]
    except FileNotFoundError:
        raise InputError(
            "no such file", value=path, expected="a BEIR folder: corpus, queries, qrels/test.tsv"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read", value=path, expected="UTF-8 text") from error
