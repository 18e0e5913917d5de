"""Golden files: what a reader says about a fixture, a statement a line, for a person to review."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ontologies.concept import Concept, Statement, Term


def _line(statement: Statement) -> str:
    if isinstance(statement, Concept):
        codes = ",".join(f"{s}:{c}" for s, some in sorted(statement.codes.items()) for c in some)
        types = "|".join(statement.semantic_types)
        cells = ["concept", statement.curie, statement.name, types, codes, statement.definition]
    elif isinstance(statement, Term):
        cells = ["term", statement.curie, statement.kind, statement.text, statement.source]
    else:
        frequency = "" if statement.frequency is None else f"{statement.frequency:g}"
        count = "/".join(map(str, statement.count or ()))
        cells = ["relation", statement.subject, statement.predicate, statement.object, statement.source]
        cells += [frequency, statement.reference, count]
    return "\t".join(cells).rstrip("\t")


@pytest.fixture
def agrees() -> Callable[[Iterable[Statement], Path], None]:
    """Compare statements, in their order, with the lines of a golden file."""

    def compare(statements: Iterable[Statement], golden: Path) -> None:
        assert [_line(statement) for statement in statements] == golden.read_text(encoding="utf-8").splitlines()

    return compare
