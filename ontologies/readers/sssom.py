"""Mappings between terminologies in SSSOM (tab-separated; https://mapping-commons.github.io/sssom), as Biomappings
writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from errors import InputError
from ontologies.concept import Relation, Statement
from ontologies.prefix import canonical_curie
from ontologies.problem import Problem, Report, stop, text_lines
from ontologies.sources.archive import Member, member

_EXACT = frozenset({"skos:exactMatch", "owl:equivalentClass"})
_NEEDED = ("subject_id", "predicate_id", "object_id")


def read(path: Path | Member, *, source: str = "", report: Report = stop) -> Iterator[Statement]:
    """Stream the exact matches between two known code systems as "xref" relations, in the order of the file.

    Negated rows (predicate_modifier "Not"), other predicates and other prefixes are left out. ``source`` names the set;
    by default it is taken from the file's metadata (mapping_set_title, mapping_set_version) or its name.
    Raises InputError when the file is missing, has no SSSOM header, or (by default) at a row that is too short or too
    long; with ``report`` such a row is reported, with its line, and left out.
    """
    file = member(path)
    metadata: dict[str, str] = {}
    columns: dict[str, int] = {}
    for number, line in text_lines(file, report):
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
                    f"{file.base}, line {number}: no SSSOM header", value=line, expected="column " + ", ".join(missing)
                )
            where = [columns[name] for name in _NEEDED]
            negated = columns.get("predicate_modifier")
            source = source or " ".join(
                filter(None, (metadata.get("mapping_set_title", file.base), metadata.get("mapping_set_version", "")))
            )
            continue
        if not line:
            continue
        cells = line.split("\t")
        if not max(where) < len(cells) <= len(columns):
            reason, expected = f"{len(cells)} columns", f"{len(columns)} columns"
            report(Problem(file=file.base, line=number, reason=reason, value=line, expected=expected))
            continue
        subject, predicate, object_ = (cells[index] for index in where)
        if predicate not in _EXACT or (negated is not None and negated < len(cells) and cells[negated] == "Not"):
            continue
        left, right = canonical_curie(subject), canonical_curie(object_)
        if left and right and left != right:
            yield Relation(subject=left, predicate="xref", object=right, source=source)
    if not columns:
        raise InputError(f"{file.base} has no SSSOM header", expected=", ".join(_NEEDED))
