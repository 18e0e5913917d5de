"""What differs between two graphs, and what the sources of one disagree about; read from the Parquet beside them.

Concepts of two graphs are the same when they share a code, whatever their canonical CURIE: a concept of OLD is found in
NEW by its own CURIE, else by the first of its codes. Edges are compared after that, by subject, predicate and object,
so that another version of the same source is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError

if TYPE_CHECKING:
    import duckdb

_SETUP = """
    CREATE TABLE {side} AS SELECT curie, name, codes FROM read_parquet('{folder}/concepts.parquet');
    CREATE TABLE {side}_code AS SELECT DISTINCT unnest(list_append(codes, curie)) AS code, curie FROM {side};
    CREATE VIEW {side}_relation AS SELECT * FROM read_parquet('{folder}/relations.parquet');
"""
_COMPARE = """
    CREATE TABLE shared AS SELECT DISTINCT o.curie AS old, n.curie AS new, o.curie = o.code AS own
        FROM old_code o JOIN new_code n USING (code);
    CREATE TABLE same AS SELECT old, arg_min(new, (NOT own, new)) AS new FROM shared GROUP BY old;
    CREATE TABLE old_edge AS
        SELECT s.new AS subject, predicate, o.new AS object, min(source) AS source, max(frequency) AS frequency,
               min(reference) AS reference
        FROM old_relation r JOIN same s ON r.subject = s.old JOIN same o ON r.object = o.old
        WHERE s.new != o.new GROUP BY ALL;
    CREATE TABLE new_edge AS
        SELECT subject, predicate, object, min(source) AS source, max(frequency) AS frequency,
               min(reference) AS reference
        FROM new_relation GROUP BY ALL;
"""
_LISTS = {
    "concepts_added": "SELECT curie, name FROM new ANTI JOIN shared ON curie = shared.new ORDER BY curie",
    "concepts_removed": "SELECT curie, name FROM old ANTI JOIN shared ON curie = shared.old ORDER BY curie",
    "concepts_merged": """
        SELECT n.curie, n.name, m.parts FROM (
            SELECT new, list(old ORDER BY old) AS parts FROM same GROUP BY new HAVING count(*) > 1
        ) m JOIN new n ON n.curie = m.new ORDER BY n.curie""",
    "concepts_split": """
        SELECT o.curie, o.name, s.parts FROM (
            SELECT old, list(DISTINCT new ORDER BY new) AS parts FROM shared GROUP BY old HAVING count(DISTINCT new) > 1
        ) s JOIN old o ON o.curie = s.old ORDER BY o.curie""",
    # An edge of a concept that is gone goes with it, and is not listed again.
    "edges_added": """
        SELECT e.* FROM new_edge e ANTI JOIN old_edge USING (subject, predicate, object)
        WHERE subject IN (SELECT new FROM same) AND object IN (SELECT new FROM same)""",
    "edges_removed": "SELECT e.* FROM old_edge e ANTI JOIN new_edge USING (subject, predicate, object)",
    "edges_changed": """
        SELECT subject, predicate, object, n.source, o.frequency AS old_frequency, n.frequency, n.reference
        FROM old_edge o JOIN new_edge n USING (subject, predicate, object)
        WHERE o.frequency IS DISTINCT FROM n.frequency""",
}


@contextmanager
def _compared(old: Path, new: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect() as connection:
        try:
            for side, folder in (("old", old), ("new", new)):
                connection.execute(_SETUP.format(side=side, folder=str(folder).replace("'", "''")))
            connection.execute(_COMPARE)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise ArtifactError("cannot compare the graphs", value=said, run="whydx index build") from error
        yield connection


def compare(old: Path, new: Path, k: int) -> dict[str, Any]:
    """What became of a graph: {"counts": {list: number}, list: its first ``k`` rows, …} for concepts_added, _removed,
    _merged, _split and edges_added, _removed, _changed; the rows by CURIE. The edges are those between concepts that
    both graphs have. Raises ArtifactError when a folder's tables cannot be read."""
    with _compared(old, new) as connection:
        value: dict[str, Any] = {"counts": {}}
        for name, query in _LISTS.items():
            (count,) = connection.execute(f"SELECT count(*) FROM ({query})").fetchone() or (0,)
            value["counts"][name] = count
            value[name] = _rows(connection, query, name, k)
        return value


def changed_edges(old: Path, new: Path) -> list[dict[str, Any]]:
    """Every edge that was added, removed, or changed its frequency between concepts that both graphs have, in NEW's
    CURIEs: subject, predicate, object, source, old_frequency, frequency, reference, change."""
    with _compared(old, new) as connection:
        return [
            row | {"change": name.removeprefix("edges_")}
            for name in ("edges_added", "edges_removed", "edges_changed")
            for row in _rows(connection, _LISTS[name], name, None)
        ]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, name: str, k: int | None) -> list[dict[str, Any]]:
    if name.startswith("edges"):
        query = f"""
            SELECT subject, s.name AS subject_name, predicate, object, o.name AS object_name, e.* EXCLUDE
                (subject, predicate, object)
            FROM ({query}) e JOIN new s ON subject = s.curie JOIN new o ON object = o.curie
            ORDER BY subject, predicate, object"""
    found = connection.execute(query + ("" if k is None else f" LIMIT {int(k)}"))
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        for key in {"frequency", "old_frequency"} & row.keys():
            row[key] = None if row[key] is None else round(row[key], 4)
    return rows


def conflicts(folder: Path, kind: str | None, k: int) -> dict[str, Any]:
    """{"counts": {kind: number}, "conflicts": the first ``k`` of each kind, by kind and CURIEs}; only of one kind when
    it is given. Raises ArtifactError when the graph's table cannot be read, InputError for an unknown kind."""
    import duckdb

    if not (folder / "conflicts.parquet").is_file():
        raise ArtifactError("no such table", value=folder / "conflicts.parquet", run="whydx index build")
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(folder / "conflicts.parquet"))
        connection.register("conflict", table)
        counts = dict(connection.execute("SELECT kind, count(*) FROM conflict GROUP BY kind ORDER BY kind").fetchall())
        if kind is not None and counts and kind not in counts:
            raise InputError("no conflicts of this kind", value=kind, expected=", ".join(counts))
        rows = connection.execute(
            """SELECT kind, curies, detail FROM conflict WHERE kind = $kind OR $kind IS NULL
            QUALIFY row_number() OVER (PARTITION BY kind ORDER BY curies, detail) <= $k ORDER BY ALL""",
            {"kind": kind, "k": k},
        ).fetchall()
    return {
        "counts": {name: n for name, n in counts.items() if kind in (None, name)},
        "conflicts": [{"kind": name, "curies": list(curies), "detail": detail} for name, curies, detail in rows],
    }
