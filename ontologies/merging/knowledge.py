"""Merged knowledge, read in ordered batches: from the staging file just after the merge, or from a graph's Parquet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from errors import ArtifactError
from ontologies.concept import Concept, Relation, Term
from ontologies.staging import Staging

if TYPE_CHECKING:
    import pyarrow

KINDS = ("preferred", "exact", "abbreviation", "layperson", "narrow", "broad", "related")
# Predicates that reasoning knows; a source may bring others, which come after these, in alphabetical order.
PREDICATES = ("is_a", "has_phenotype", "excludes_phenotype", "xref", "related_to")

Table = Literal["concepts", "terms", "relations", "conflicts"]
_ROWS = 100_000
_KIND_NAMES = ", ".join(f"'{kind}'" for kind in KINDS)
_QUERIES: dict[Table, str] = {
    "concepts": "SELECT * EXCLUDE node FROM merged_concept ORDER BY node",
    "terms": f"""
        SELECT c.curie, t.text, [{_KIND_NAMES}][t.kind + 1] AS kind, t.source
        FROM merged_term t JOIN merged_concept c USING (node) ORDER BY t.node, t.kind, t.text, t.source""",
    "relations": """
        SELECT s.curie AS subject, p.name AS predicate, o.curie AS object, k.name AS source,
               r.frequency, r.reference, r.shown, r.examined
        FROM merged_relation r JOIN merged_concept s ON r.subject = s.node JOIN merged_concept o ON r.object = o.node
        JOIN predicate p ON r.predicate = p.number JOIN relation_source k ON r.source = k.number
        ORDER BY r.subject, p.name, r.object, r.source""",
    "conflicts": "SELECT kind, curies, detail FROM conflict ORDER BY ALL",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Conflict:
    """Something the sources disagree about, and what was done.

    ``kind``: "same system" (an identity would join two CURIEs of one code system; demoted to an edge), "shared code"
    (a code without a Concept that several concepts claim; on none of them), "name" (one CURIE, several names; the first
    in order is kept), "alias" (an alternative id that is itself alive, or stands for several; ignored), "unknown
    concept" (terms or relations of a CURIE that no source describes; dropped), "contradiction" (present and excluded in
    one disease; both kept), "cycle" (an is_a edge that would close a circle; dropped).
    """

    kind: str
    curies: tuple[str, ...]
    detail: str


class Knowledge(ABC):
    """Four tables, each in one order, read a batch at a time:

    - concepts: curie, name, definition, types, codes (lists; codes as CURIEs by system and code); by CURIE
    - terms: curie, text, kind, source; without repeats; by CURIE, kind (in the order of KINDS), text, source
    - relations: subject, predicate, object, source, frequency, reference, shown, examined; by the first four, at most
      one for each, both ends among the concepts
    - conflicts: kind, curies, detail; sorted
    """

    @abstractmethod
    def batches(self, table: Table) -> Iterator[Any]:
        """The rows of a table as Arrow record batches."""

    def concepts(self) -> Iterator[Concept]:
        for row in self._rows("concepts"):
            codes: dict[str, tuple[str, ...]] = {}
            for curie in row["codes"]:
                system, _, code = curie.partition(":")
                codes[system] = (*codes.get(system, ()), code)
            yield Concept(
                curie=row["curie"],
                name=row["name"],
                semantic_types=tuple(row["types"]),
                codes=codes,
                definition=row["definition"],
            )

    def terms(self) -> Iterator[Term]:
        return (Term(**row) for row in self._rows("terms"))

    def relations(self, predicate: str | None = None) -> Iterator[Relation]:
        """The relations, or those of one predicate."""
        for row in self._rows("relations", predicate):
            shown, examined = row.pop("shown"), row.pop("examined")
            yield Relation(**row, count=None if shown is None else (shown, examined))

    def conflicts(self) -> Iterator[Conflict]:
        for row in self._rows("conflicts"):
            yield Conflict(kind=row["kind"], curies=tuple(row["curies"]), detail=row["detail"])

    def _rows(self, table: Table, predicate: str | None = None) -> Iterator[dict[str, Any]]:
        for batch in self.batches(table):
            columns = batch.to_pydict()
            rows: Iterable[tuple[Any, ...]] = zip(*columns.values(), strict=True)
            if predicate is not None:
                rows = compress(rows, (name == predicate for name in columns["predicate"]))
            yield from (dict(zip(columns, row, strict=True)) for row in rows)


@dataclass(frozen=True, slots=True)
class Merged(Knowledge):
    """What ``merge`` made, in tables of the staging file.

    - ``merged_concept``: node (int, by sorted canonical CURIE, from 0), curie, name, definition, types, codes
    - ``alias``: curie, node, role; every CURIE that stands for a concept, the canonical ones included
    - ``merged_term``: node, kind (place in KINDS), text, source
    - ``merged_relation``: subject, predicate, object, source (numbers), frequency, reference, shown, examined
    - ``predicate`` and ``relation_source``: number, name; ``conflict``: kind, curies, detail
    """

    staging: Staging

    def batches(self, table: Table) -> pyarrow.RecordBatchReader:
        return self.query(_QUERIES[table])

    def query(self, query: str, rows: int = _ROWS) -> pyarrow.RecordBatchReader:
        """The answer to a query over the tables, in its order; it must be read before the next query is asked."""
        return self.staging.connection.sql(query).to_arrow_reader(rows)

    def retired(self) -> dict[str, str]:
        """{obsolete CURIE that stands for nothing: what its source says to consider, joined by "|"}, sorted."""
        query = """
            SELECT subject, string_agg(DISTINCT object, '|' ORDER BY object) FROM relation
            WHERE predicate = 'consider' AND subject NOT IN (SELECT curie FROM alias)
                AND object IN (SELECT curie FROM alias)
            GROUP BY subject ORDER BY subject"""
        return dict(self.staging.connection.execute(query).fetchall())

    def canonical(self) -> dict[str, str]:
        """{any CURIE: canonical CURIE}, sorted; the whole of it in memory."""
        query = "SELECT a.curie, c.curie FROM alias a JOIN merged_concept c USING (node) ORDER BY ALL"
        return dict(self.staging.connection.execute(query).fetchall())


@dataclass(frozen=True, slots=True)
class Saved(Knowledge):
    """The Parquet files of a graph folder. Raises ArtifactError when one is missing or damaged."""

    folder: Path

    def batches(self, table: Table) -> Iterator[Any]:
        import pyarrow
        from pyarrow import parquet

        path = self.folder / f"{table}.parquet"
        try:
            yield from parquet.ParquetFile(path).iter_batches(_ROWS)
        except (OSError, pyarrow.ArrowException) as error:
            raise ArtifactError("cannot read a table of the graph", value=path, run="whydx index build") from error
