"""Mappings between terminologies in SSSOM (tab-separated; https://mapping-commons.github.io/sssom), as Biomappings
writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from errors import InputError
from ontologies.concept import Relation, Statement
from ontologies.prefix import canonical_curie

_EXACT = frozenset({"skos:exactMatch", "owl:equivalentClass"})
_NEEDED = ("subject_id", "predicate_id", "object_id")


def read(path: Path, *, source: str = "") -> Iterator[Statement]:
    """Stream the exact matches between two known code systems as "xref" relations, in the order of the file.

    Negated rows (predicate_modifier "Not"), other predicates and other prefixes are left out. ``source`` names the set;
    by default it is taken from the file's metadata (mapping_set_title, mapping_set_version) or its name.
    Raises InputError when the file is missing, has no SSSOM header, or a row is too short; the message gives the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such SSSOM file", value=path)
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            yield from _rows(lines, path, source)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path.name}", value=error, expected="UTF-8 text") from error


def _rows(lines: Iterator[str], path: Path, source: str) -> Iterator[Statement]:
    metadata: dict[str, str] = {}
    columns: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not columns:
            if line.startswith("#"):
                key, _, value = line.lstrip("#").partition(":")
                metadata[key.strip()] = value.strip().strip("\"'")
                continue
            if not line:
                continue
            columns = {name: index for index, name in enumerate(line.split("\t"))}
            if missing := [name for name in _NEEDED if name not in columns]:
                raise InputError(
                    f"{path.name}, line {number}: no SSSOM header", value=line, expected="column " + ", ".join(missing)
                )
            where = [columns[name] for name in _NEEDED]
            negated = columns.get("predicate_modifier")
            source = source or " ".join(
                filter(None, (metadata.get("mapping_set_title", path.name), metadata.get("mapping_set_version", "")))
            )
            continue
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) <= max(where):
            raise InputError(f"{path.name}, line {number}: too few columns", value=line, expected=str(len(columns)))
        subject, predicate, object_ = (cells[index] for index in where)
        if predicate not in _EXACT or (negated is not None and negated < len(cells) and cells[negated] == "Not"):
            continue
        left, right = canonical_curie(subject), canonical_curie(object_)
        if left and right and left != right:
            yield Relation(subject=left, predicate="xref", object=right, source=source)
    if not columns:
        raise InputError(f"{path.name} has no SSSOM header", value=path, expected=", ".join(_NEEDED))
