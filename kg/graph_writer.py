"""Merged knowledge → the files of a graph folder, in batches: nothing grows with the graph but arrays of numbers.

``kg/graph.py`` says what the npy files hold. Beside them stand, for other programs and for compiling the linker,
``concepts.parquet``, ``terms.parquet``, ``relations.parquet`` and ``conflicts.parquet``;
``ontologies/merging/knowledge.py`` says what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from indexes import manifest
from kg.annotations import AnnotationMatrix
from kg.hierarchy import information_content, is_a_closure
from kg.string_table import StringTable, StringTableWriter
from ontologies.merging.knowledge import KINDS, PREDICATES, Merged, Table

if TYPE_CHECKING:
    import pyarrow

KIND, VERSION = "graph", 2
# Goes up when a graph holds more than before and one of before still opens: 2, obsolete ids with what to consider.
CONTENTS = 2
Progress = Callable[[str, int, int], None]

_ROWS = 100_000
_LABELLED = ("preferred", "exact", "abbreviation")
_EDGE_COLUMNS = {
    "subject": np.int32,
    "predicate": np.uint16,
    "object": np.int32,
    "source": np.int32,
    "reference": np.int32,
    "frequency": np.float32,
}


def write(
    merged: Merged, path: Path, *, inputs: Mapping[str, str] | None = None, progress: Progress | None = None
) -> None:
    """Write the graph of ``merged`` to the folder ``path``; an older graph stays until this one is whole.

    ``inputs`` names the sources with their hashes, for the manifest. The same knowledge gives the same bytes.
    """
    report = progress or (lambda stage, done, total: None)
    connection = merged.staging.connection
    n, m = merged.staging.count("merged_concept"), merged.staging.count("merged_relation")
    with manifest.atomic_directory(path) as folder:
        report("graph: concepts", 0, 6)
        _write_concepts(merged, folder)
        report("graph: names", 1, 6)
        labels = _write_names(merged, folder)
        report("graph: relations", 2, 6)
        connection.execute("""
            CREATE OR REPLACE TEMP TABLE reference_number AS
                SELECT (row_number() OVER (ORDER BY reference) - 1)::INTEGER AS number, reference
                FROM (SELECT DISTINCT reference FROM merged_relation)
        """)
        _write_strings(merged, folder, "predicate", "SELECT name FROM predicate ORDER BY number")
        _write_strings(merged, folder, "source", "SELECT name FROM relation_source ORDER BY number")
        _write_strings(merged, folder, "reference", "SELECT reference FROM reference_number ORDER BY number")
        subject = _write_edges(merged, folder, m)
        report("graph: hierarchy", 3, 6)
        write_hierarchy(folder, n, subject)
        report("graph: tables", 4, 6)
        for table in get_args(Table):
            _write_parquet(merged.batches(table), folder / f"{table}.parquet")
        report("graph: checksums", 5, 6)
        counts = {"concepts": n, "relations": m, "names": labels, "conflicts": merged.staging.count("conflict")}
        manifest.write(folder, kind=KIND, version=VERSION, inputs=inputs, settings=counts)
    report("graph", 6, 6)


def _write_strings(merged: Merged, folder: Path, name: str, query: str) -> None:
    with StringTableWriter(folder / name) as table:
        for batch in merged.query(query):
            table.extend(batch.column(0))


def _write_concepts(merged: Merged, folder: Path) -> None:
    query = """
        SELECT curie, name, definition, array_to_string(types, '|') AS types, array_to_string(codes, '|') AS codes
        FROM merged_concept ORDER BY node"""
    with ExitStack() as stack:
        names = ("curie", "name", "definition", "types", "codes")
        tables = [stack.enter_context(StringTableWriter(folder / name)) for name in names]
        for batch in merged.query(query):
            for table, column in zip(tables, batch.columns, strict=True):
                table.extend(column)


def _write_names(merged: Merged, folder: Path) -> int:
    """The tables ``alias`` and ``label``, sorted, each with the node of every string, and ``retired``, obsolete CURIEs,
    with ``consider``; returns the number of labels."""
    retired = merged.retired()
    StringTable.write(folder / "retired", retired)
    StringTable.write(folder / "consider", retired.values())
    _write_numbered(merged, folder, "alias", "SELECT curie, node FROM alias ORDER BY ALL")
    kinds = ", ".join(str(KINDS.index(kind)) for kind in _LABELLED)
    named = f"""
        SELECT text, node FROM merged_term WHERE kind IN ({kinds}) UNION ALL SELECT name, node FROM merged_concept"""
    # Only Python knows how to fold what is not ASCII ("ß" → "ss").
    other = merged.staging.connection.execute(
        f"SELECT DISTINCT text FROM ({named}) WHERE strlen(text) > length(text)"
    ).fetchnumpy()["text"]
    folded = [text.casefold() for text in other]
    with merged.staging.arrays("folded_array", text=list(other) or [""], label=folded or [""]):
        query = f"""
            SELECT DISTINCT coalesce(f.label, lower(n.text)) AS label, node
            FROM ({named}) n LEFT JOIN folded_array f ON strlen(n.text) > length(n.text) AND n.text = f.text
            ORDER BY label, node"""
        return _write_numbered(merged, folder, "label", query)


def _write_numbered(merged: Merged, folder: Path, name: str, query: str) -> int:
    nodes = [np.zeros(0, np.int32)]
    with StringTableWriter(folder / name) as table:
        for batch in merged.query(query):
            table.extend(batch.column(0))
            nodes.append(batch.column(1).to_numpy().astype(np.int32))
    node = np.concatenate(nodes)
    np.save(folder / f"{name}_node.npy", node)
    return len(node)


def _write_edges(merged: Merged, folder: Path, m: int) -> np.ndarray:
    """The ``out_*`` columns, by subject, predicate, object, source; returns each edge's subject."""
    query = """
        SELECT subject, predicate, object, source, number AS reference, frequency FROM merged_relation
        JOIN reference_number USING (reference) ORDER BY subject, predicate, object, source"""
    columns = {name: np.zeros(m, dtype) for name, dtype in _EDGE_COLUMNS.items()}
    start = 0
    for batch in merged.query(query, rows=1_000_000):
        for name, column in columns.items():
            column[start : start + batch.num_rows] = batch.column(name).to_numpy(zero_copy_only=False)
        start += batch.num_rows
    subject = columns.pop("subject")
    for name, column in columns.items():
        np.save(folder / f"out_{name}.npy", column)
    return subject


def write_hierarchy(folder: Path, n: int, subject: np.ndarray) -> None:
    """What follows from the edges: where each node's begin, the closure of is_a, information content, annotations."""
    from scipy.sparse import csr_array

    obj, predicate = np.load(folder / "out_object.npy"), np.load(folder / "out_predicate.npy")
    indptr = _indptr(subject, n)
    np.save(folder / "out_indptr.npy", indptr)
    # Transposing compressed rows sorts the edges by object in linear time, and keeps their order within one.
    inverse = csr_array((np.arange(len(obj)), obj, indptr), shape=(n, n)).tocsc()
    np.save(folder / "in_indptr.npy", inverse.indptr.astype(np.int64))
    np.save(folder / "in_edge.npy", inverse.data.astype(np.int64))
    del inverse
    is_a, shows, excludes = (predicate == PREDICATES.index(name) for name in PREDICATES[:3])
    ancestor_indptr, ancestor = is_a_closure(n, subject[is_a], obj[is_a])
    information = information_content(n, subject[shows], obj[shows], ancestor_indptr, ancestor)
    arrays = {"ancestor_indptr": ancestor_indptr, "ancestor": ancestor, "information": information}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    frequency = np.load(folder / "out_frequency.npy")[shows]
    AnnotationMatrix.write(folder, n, subject[shows], obj[shows], frequency, subject[excludes], arrays)


def _indptr(sorted_rows: np.ndarray, n: int) -> np.ndarray:
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sorted_rows, minlength=n), out=indptr[1:])
    return indptr


def _write_parquet(reader: pyarrow.RecordBatchReader, path: Path) -> None:
    """Write the batches in row groups of one size, so that the bytes do not depend on how the rows arrived."""
    import pyarrow
    from pyarrow import parquet

    waiting: list[pyarrow.RecordBatch] = []
    rows = 0
    with parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= _ROWS:
                table = pyarrow.Table.from_batches(waiting)
                whole = rows - rows % _ROWS
                writer.write_table(table.slice(0, whole), row_group_size=_ROWS)
                waiting, rows = table.slice(whole).to_batches(), rows - whole
        if rows:
            writer.write_table(pyarrow.Table.from_batches(waiting))
