"""Statements of all sources in one DuckDB file, before they are merged; larger than memory if need be.

Tables (CURIEs as text, rows in no order):

- ``concept``: curie, name, definition, types (list of text); one row for each description of a CURIE
- ``code``: curie, code; further codes that a description gives its concept, as CURIEs
- ``term``: curie, text, kind, source
- ``relation``: subject, predicate, object, source, frequency (double or null), reference (text, ""), shown and
  examined (int, the two numbers of Relation.count, or null)
- ``problem``: file, line, reason, value; the malformed rows that were skipped
- ``finished``: name, digest; what ``once`` has done

Readers of small and medium formats stream statements into ``add``; those of bulk formats fill the tables by SQL over
``connection``. Either way inside ``once``, so that a build that was killed goes on after the last whole source.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from errors import ArtifactError, InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.problem import Problem, stop

if TYPE_CHECKING:
    import duckdb
    import pyarrow

OnError = Literal["stop", "skip"]
MEMORY = "4GB"
_BATCH = 100_000
_TABLES = """
    CREATE TABLE IF NOT EXISTS concept (curie VARCHAR, name VARCHAR, definition VARCHAR, types VARCHAR[]);
    CREATE TABLE IF NOT EXISTS code (curie VARCHAR, code VARCHAR);
    CREATE TABLE IF NOT EXISTS term (curie VARCHAR, text VARCHAR, kind VARCHAR, source VARCHAR);
    CREATE TABLE IF NOT EXISTS relation (
        subject VARCHAR, predicate VARCHAR, object VARCHAR, source VARCHAR, frequency DOUBLE, reference VARCHAR,
        shown INTEGER, examined INTEGER);
    CREATE TABLE IF NOT EXISTS problem (file VARCHAR, line BIGINT, reason VARCHAR, value VARCHAR);
    CREATE TABLE IF NOT EXISTS finished (name VARCHAR, digest VARCHAR);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows staged so far."""

    concepts: int
    terms: int
    relations: int
    problems: int


class Staging:
    """The staging tables in the DuckDB file ``path`` (in memory without one), opened or created.

    ``memory`` is DuckDB's limit ("4GB"); beyond it, it spills into a folder beside the file. ``on_error`` says what a
    malformed row does: "stop" raises InputError, "skip" writes it to the table ``problem``. Raises ArtifactError when
    the file is of no use (damaged, of another version, or in use), InputError for a limit that is none.
    """

    def __init__(self, path: Path | None = None, *, memory: str = MEMORY, on_error: OnError = "stop") -> None:
        import duckdb

        self.path, self.on_error = path, on_error
        settings: dict[str, Any] = {
            "memory_limit": memory,
            "threads": os.cpu_count() or 1,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
        if path is not None:
            settings["temp_directory"] = f"{path}.spill"
        try:
            self.connection: duckdb.DuckDBPyConnection = duckdb.connect(str(path or ":memory:"), config=settings)
            self.connection.execute("SET enable_progress_bar = false")  # progress goes through callbacks
            self.connection.execute(_TABLES)
        except (duckdb.ParserException, duckdb.InvalidInputException) as error:
            raise InputError("not a memory limit", value=memory, expected='a size such as "4GB"') from error
        except duckdb.Error as error:
            raise ArtifactError("cannot open the staging file", value=path, expected="to be removed") from error

    @classmethod
    def of(cls, statements: Iterable[Statement]) -> Staging:
        """A staging in memory that holds ``statements``."""
        staging = cls()
        staging.add(statements)
        return staging

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what ``once`` finished stays in it."""
        self.connection.close()

    def once(self, name: str, digest: str, work: Callable[[Staging], None]) -> bool:
        """Do ``work`` in one transaction unless ``name`` was finished with this ``digest``; whether it was done now.

        When ``work`` raises, or the process dies, the file is as it was before.
        """
        if (name, digest) in self.finished():
            return False
        self.connection.begin()
        try:
            work(self)
            self.connection.execute("INSERT INTO finished VALUES (?, ?)", [name, digest])
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()
        return True

    def finished(self) -> frozenset[tuple[str, str]]:
        """(name, digest) of everything that ``once`` has done."""
        return frozenset(self.connection.execute("SELECT name, digest FROM finished").fetchall())

    def add(self, statements: Iterable[Statement]) -> None:
        """Write statements in batches."""
        stream = iter(statements)
        while batch := list(islice(stream, _BATCH)):
            self._insert("concept", _concepts(batch))
            self._insert("code", _codes(batch))
            self._insert("term", _terms(batch))
            self._insert("relation", _relations(batch))

    def insert(self, table: str, rows: pyarrow.Table) -> None:
        """Add rows to a table, with its columns by name."""
        self.connection.register("batch", rows)
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")
        self.connection.unregister("batch")

    def report(self, problem: Problem) -> None:
        """What readers are given to call with a malformed row: raises InputError, or writes the row down when
        ``on_error`` is "skip"."""
        if self.on_error == "stop":
            stop(problem)
        row = [problem.file, problem.line, problem.reason, problem.value]
        self.connection.execute("INSERT INTO problem VALUES (?, ?, ?, ?)", row)

    def problems(self) -> tuple[Problem, ...]:
        """The malformed rows that were skipped, by file and line."""
        rows = self.connection.execute("SELECT file, line, reason, value FROM problem ORDER BY ALL").fetchall()
        return tuple(Problem(file=file, line=line, reason=reason, value=value) for file, line, reason, value in rows)

    def counts(self) -> Counts:
        """How many rows the tables hold."""
        sizes = [self.count(table) for table in ("concept", "term", "relation", "problem")]
        return Counts(concepts=sizes[0], terms=sizes[1], relations=sizes[2], problems=sizes[3])

    def count(self, table: str) -> int:
        """Rows of a table."""
        ((rows,),) = self.connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        return int(rows)

    @contextmanager
    def arrays(self, table: str, **columns: Sequence[Any] | np.ndarray) -> Iterator[None]:
        """Columns of equal length as a table that queries can read while it is open; ``position`` counts from 0."""
        import pyarrow

        arrays = {name: pyarrow.array(values) for name, values in columns.items()}
        rows = len(next(iter(arrays.values())))
        self.connection.register(table, pyarrow.table({**arrays, "position": np.arange(rows, dtype=np.int32)}))
        try:
            yield
        finally:
            self.connection.unregister(table)

    def _insert(self, table: str, columns: dict[str, list[Any]]) -> None:
        import pyarrow

        if next(iter(columns.values())):
            types = {"frequency": pyarrow.float64(), "shown": pyarrow.int32(), "examined": pyarrow.int32()}
            types["types"] = pyarrow.list_(pyarrow.string())
            arrays = {
                name: pyarrow.array(values, types.get(name, pyarrow.string())) for name, values in columns.items()
            }
            self.insert(table, pyarrow.table(arrays))


def _concepts(batch: list[Statement]) -> dict[str, list[Any]]:
    rows = [s for s in batch if isinstance(s, Concept)]
    return {
        "curie": [c.curie for c in rows],
        "name": [c.name for c in rows],
        "definition": [c.definition for c in rows],
        "types": [list(c.semantic_types) for c in rows],
    }


def _codes(batch: list[Statement]) -> dict[str, list[Any]]:
    rows = list(_codes_of(batch))
    return {"curie": [curie for curie, _ in rows], "code": [code for _, code in rows]}


def _codes_of(batch: list[Statement]) -> Iterator[tuple[str, str]]:
    for statement in batch:
        if isinstance(statement, Concept):
            for system, codes in statement.codes.items():
                for code in codes:
                    if (other := f"{system}:{code}") != statement.curie:
                        yield statement.curie, other


def _terms(batch: list[Statement]) -> dict[str, list[Any]]:
    rows = [s for s in batch if isinstance(s, Term)]
    return {
        "curie": [t.curie for t in rows],
        "text": [t.text for t in rows],
        "kind": [t.kind for t in rows],
        "source": [t.source for t in rows],
    }


def _relations(batch: list[Statement]) -> dict[str, list[Any]]:
    rows = [s for s in batch if isinstance(s, Relation)]
    return {
        "subject": [r.subject for r in rows],
        "predicate": [r.predicate for r in rows],
        "object": [r.object for r in rows],
        "source": [r.source for r in rows],
        "frequency": [r.frequency for r in rows],
        "reference": [r.reference for r in rows],
        "shown": [r.count[0] if r.count else None for r in rows],
        "examined": [r.count[1] if r.count else None for r in rows],
    }
