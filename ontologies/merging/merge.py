"""Statements of many sources → one concept for each meaning, by SQL over the staging tables.

Identity. An exact cross-reference makes two CURIEs one concept when it is one to one: in the whole input, each of
the two has no other cross-reference into the other's code system. Identities chain (HP:1 = UMLS:2 = DOID:3), but
never so far that two CURIEs of one code system become one; the link that would do so is demoted. Everything else
stays an "xref" edge.

Codes. All codes of a concept's own CURIEs are on it. A code that no source describes (no Concept has that CURIE),
that only one concept cross-refers to, and that is not the only such code (so it is no identity) is also listed and
found by its alias, unless the concept already has an identity in that system: it is a narrower or wider code of this
one concept and of no other. Codes that a reader puts on a Concept itself always stay on it.

Relations. Rows that repeat (subject, predicate, object, source) become one: counted patients are added up and the
frequency is their ratio; without counts it is the mean of the stated frequencies; none if there are none. References
are joined by ";", sorted. A "has_phenotype" whose pooled frequency is 0 (looked for, never found) becomes
"excludes_phenotype". An is_a that closes a circle is dropped.

Of a merged concept the name is the one of the most specific source (the chest layer, HP, Mondo, …), the definition the
longest, the semantic types all of them, sorted. The result does not depend on the order of the statements.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable

import numpy as np

from ontologies.merging.aliases import identify, ranks, replace_old_ids
from ontologies.merging.identity import circular
from ontologies.merging.knowledge import KINDS, PREDICATES, Merged
from ontologies.staging import Staging

# Whose name a concept has; systems not listed come after, in alphabetical order.
_NAME_RANK = (
    "CHEST",
    "HP",
    "MONDO",
    "DOID",
    "OMIM",
    "ORPHA",
    "DECIPHER",
    "UMLS",
    "SNOMEDCT",
    "MESH",
    "ICD10CM",
    "NCIT",
)
_IS_A, _HAS, _EXCLUDES = (PREDICATES.index(name) for name in ("is_a", "has_phenotype", "excludes_phenotype"))

Progress = Callable[[str, int, int], None]


def merge(staging: Staging, *, progress: Progress | None = None) -> Merged:
    """Merge what is staged (see the module for what becomes one concept); nothing in, nothing out.

    Each step is one transaction; those that were finished over the same sources are not done again.
    """
    sources = sorted(pair for pair in staging.finished() if not pair[0].startswith("merge "))
    digest = hashlib.sha256(json.dumps(sources).encode()).hexdigest()
    for number, (name, step) in enumerate(_STEPS.items()):
        if progress:
            progress(f"merge: {name}", number, len(_STEPS))
        staging.once(f"merge {name}", digest, step)
    if progress:
        progress("merge", len(_STEPS), len(_STEPS))
    return Merged(staging)


def _describe(staging: Staging) -> None:
    """``described``: one row for each CURIE of a Concept, of all that sources say about it."""
    staging.connection.execute("""
        CREATE OR REPLACE TABLE conflict (kind VARCHAR, curies VARCHAR[], detail VARCHAR);
        CREATE OR REPLACE TEMP TABLE repeated AS SELECT curie FROM concept GROUP BY curie HAVING count(*) > 1;
        CREATE OR REPLACE TABLE described AS
            SELECT curie, name, definition, types FROM concept ANTI JOIN repeated USING (curie)
            UNION ALL
            SELECT curie, min(name), min((-length(definition), definition))[2],
                   list_sort(list_distinct(flatten(list(types))))
            FROM concept SEMI JOIN repeated USING (curie) GROUP BY curie;
    """)
    several = staging.connection.execute("""
        SELECT curie, list_sort(list(DISTINCT name)) FROM concept SEMI JOIN repeated USING (curie)
        GROUP BY curie HAVING count(DISTINCT name) > 1
    """).fetchall()
    differing = [(curie, names) for curie, names in several if len({name.casefold() for name in names}) > 1]
    with staging.arrays("differing", curie=[c for c, _ in differing], detail=[" | ".join(n) for _, n in differing]):
        staging.connection.execute("INSERT INTO conflict SELECT 'name', [curie::VARCHAR], detail FROM differing")


def _collect_concepts(staging: Staging) -> None:
    """``merged_concept`` from the descriptions and codes of each node's CURIEs."""
    connection = staging.connection
    systems = connection.execute("SELECT DISTINCT split_part(curie, ':', 1) FROM described ORDER BY ALL").fetchall()
    names = [name for (name,) in systems]
    with staging.arrays("name_rank", system=names, rank=ranks(names, _NAME_RANK)):
        connection.execute("""
            CREATE OR REPLACE TABLE merged_concept AS
                WITH member AS (
                    SELECT node, name, definition, types, (rank, d.curie) AS place
                    FROM described d JOIN alias USING (curie)
                    JOIN name_rank r ON split_part(d.curie, ':', 1) = r.system),
                together AS (
                    SELECT node, arg_min(name, place) AS name, min((-length(definition), definition))[2] AS definition,
                           list_sort(list_distinct(flatten(list(types)))) AS types
                    FROM member GROUP BY node),
                code_of AS (
                    SELECT node, curie FROM alias WHERE role <> 'old'
                    UNION SELECT node, code FROM code JOIN alias USING (curie)),
                coded AS (
                    SELECT node, list(curie ORDER BY split_part(curie, ':', 1), curie) AS codes
                    FROM code_of GROUP BY node)
                SELECT node, curie, name, definition, types, codes
                FROM together JOIN coded USING (node) JOIN alias USING (node) WHERE role = 'canonical';
        """)


def _collect_terms(staging: Staging) -> None:
    """``merged_term``, and ``lost`` (curie, statements): what is said of CURIEs that stand for no concept."""
    with staging.arrays("term_kind", name=KINDS):
        staging.connection.execute("""
            CREATE OR REPLACE TABLE merged_term AS
                SELECT DISTINCT node, k.position::TINYINT AS kind, text, source
                FROM term t JOIN alias USING (curie) JOIN term_kind k ON t.kind = k.name;
            CREATE OR REPLACE TABLE lost AS
                SELECT curie, count(*) AS statements
                FROM (SELECT DISTINCT * FROM term ANTI JOIN alias USING (curie)) GROUP BY curie;
        """)


def _collect_relations(staging: Staging) -> None:
    """``edge``: every row of ``relation`` and ``cross_reference`` over nodes, with numbers for predicate and source."""
    connection = staging.connection
    known = ", ".join(f"'{name}'" for name in PREDICATES)
    further = connection.execute(
        f"SELECT DISTINCT predicate FROM relation WHERE predicate NOT IN ({known}, 'alias', 'consider') ORDER BY ALL"
    ).fetchall()
    names = [*PREDICATES, *(name for (name,) in further)]
    with staging.arrays("predicate_array", name=names):
        connection.execute("""
            CREATE OR REPLACE TABLE predicate AS SELECT position::SMALLINT AS number, name FROM predicate_array;
            CREATE OR REPLACE TABLE relation_source AS
                SELECT (row_number() OVER (ORDER BY name) - 1)::INTEGER AS number, name
                FROM (SELECT source AS name FROM relation WHERE predicate NOT IN ('alias', 'consider', 'xref')
                      UNION SELECT source FROM cross_reference);
            CREATE OR REPLACE TEMP TABLE found AS
                SELECT s.node AS subject, p.number AS predicate, o.node AS object, k.number AS source,
                       frequency, reference, shown, examined,
                       if(s.node IS NULL OR o.node IS NULL, r.subject, NULL) AS subject_curie,
                       if(s.node IS NULL OR o.node IS NULL, r.object, NULL) AS object_curie
                FROM relation r LEFT JOIN alias s ON r.subject = s.curie LEFT JOIN alias o ON r.object = o.curie
                JOIN predicate p ON r.predicate = p.name JOIN relation_source k ON r.source = k.name
                WHERE r.predicate <> 'xref';
            INSERT INTO lost
                WITH gone AS (
                    SELECT DISTINCT subject_curie, predicate, object_curie, source, subject, object
                    FROM found WHERE subject_curie IS NOT NULL)
                SELECT subject_curie, count(*) FROM gone WHERE subject IS NULL GROUP BY ALL
                UNION ALL SELECT object_curie, count(*) FROM gone WHERE object IS NULL GROUP BY ALL;
            INSERT INTO conflict
                SELECT 'unknown concept', [curie], format('{} statements dropped', sum(statements)::BIGINT)
                FROM lost GROUP BY curie;
            CREATE OR REPLACE TABLE edge AS
                SELECT subject, predicate, object, source, frequency, reference, shown, examined
                FROM found WHERE subject_curie IS NULL AND subject <> object;
            INSERT INTO edge
                SELECT subject, p.number, object, k.number, NULL, '', NULL, NULL FROM cross_reference
                JOIN relation_source k ON source = k.name JOIN predicate p ON p.name = 'xref';
            DROP TABLE found;
            DROP TABLE lost;
        """)


def _pool(staging: Staging) -> None:
    """``merged_relation``: one row for each (subject, predicate, object, source) of ``edge``.

    Most rows of a large source say nothing beyond these four; only the others are grouped with what they say.
    """
    connection = staging.connection
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE never AS
            SELECT subject, object, source FROM edge WHERE predicate = {_HAS} GROUP BY ALL
            HAVING if(count(shown) > 0, sum(shown) = 0, max(frequency) = 0);
        CREATE OR REPLACE TEMP VIEW judged AS
            SELECT e.* REPLACE (if(n.subject IS NULL, predicate, {_EXCLUDES})::SMALLINT AS predicate)
            FROM edge e LEFT JOIN never n
            ON e.predicate = {_HAS} AND e.subject = n.subject AND e.object = n.object AND e.source = n.source;
        CREATE OR REPLACE TEMP TABLE telling AS
            SELECT DISTINCT subject, predicate, object, source FROM judged
            WHERE frequency IS NOT NULL OR shown IS NOT NULL OR reference <> '';
        CREATE OR REPLACE TEMP TABLE pooled AS
            SELECT subject, predicate, object, source, sum(shown)::INTEGER AS shown, sum(examined)::INTEGER AS examined,
                   list_sort(list(frequency) FILTER (frequency IS NOT NULL)) AS shares,
                   list(reference) FILTER (reference <> '') AS reports
            FROM judged SEMI JOIN telling USING (subject, predicate, object, source)
            GROUP BY subject, predicate, object, source;
    """)
    several = connection.execute(
        "SELECT DISTINCT shares FROM pooled WHERE shown IS NULL AND len(shares) > 1"
    ).fetchall()
    # fsum: the mean does not depend on the order, to the last digit.
    means = [math.fsum(shares) / len(shares) for (shares,) in several]
    with staging.arrays("mean", shares=[shares for (shares,) in several] or [[0.0]], value=means or [0.0]):
        connection.execute(f"""
            CREATE OR REPLACE TABLE merged_relation AS
                SELECT p.subject, p.predicate, p.object, p.source,
                       CASE WHEN shown IS NOT NULL THEN shown / examined WHEN len(p.shares) = 1 THEN p.shares[1]
                            ELSE m.value END AS frequency,
                       coalesce(list_aggregate(list_sort(list_distinct(flatten(list_transform(reports,
                           lambda report: string_split(report, ';'))))), 'string_agg', ';'), '') AS reference,
                       shown, examined
                FROM pooled p LEFT JOIN mean m ON p.shown IS NULL AND len(p.shares) > 1 AND p.shares = m.shares
                UNION ALL
                SELECT DISTINCT subject, predicate, object, source, NULL, '', NULL, NULL
                FROM judged ANTI JOIN telling USING (subject, predicate, object, source);
            INSERT INTO conflict
                SELECT 'contradiction', [s.curie, o.curie], 'both has_phenotype and excludes_phenotype'
                FROM (SELECT subject, object FROM merged_relation WHERE predicate = {_HAS}
                      INTERSECT SELECT subject, object FROM merged_relation WHERE predicate = {_EXCLUDES}) r
                JOIN merged_concept s ON r.subject = s.node JOIN merged_concept o ON r.object = o.node;
            DROP VIEW judged;
            DROP TABLE never;
            DROP TABLE telling;
            DROP TABLE pooled;
            DROP TABLE edge;
        """)


def _uncircle(staging: Staging) -> None:
    """Drop the is_a edges of ``merged_relation`` that close a circle."""
    is_a = staging.connection.execute(
        f"SELECT subject, object, source FROM merged_relation WHERE predicate = {_IS_A} ORDER BY ALL"
    ).fetchnumpy()
    child, parent, source = (np.asarray(is_a[name]) for name in ("subject", "object", "source"))
    dropped = circular(child, parent)
    with staging.arrays("dropped", subject=child[dropped], object=parent[dropped], source=source[dropped]):
        staging.connection.execute(f"""
            INSERT INTO conflict
                SELECT 'cycle', [s.curie, o.curie], format('is_a of {{}} dropped', k.name)
                FROM dropped d JOIN merged_concept s ON d.subject = s.node JOIN merged_concept o ON d.object = o.node
                JOIN relation_source k ON d.source = k.number;
            DELETE FROM merged_relation m USING dropped d
            WHERE m.predicate = {_IS_A} AND m.subject = d.subject AND m.object = d.object AND m.source = d.source;
        """)


_STEPS: dict[str, Callable[[Staging], None]] = {
    "descriptions": _describe,
    "old ids": replace_old_ids,
    "identities": identify,
    "concepts": _collect_concepts,
    "terms": _collect_terms,
    "relations": _collect_relations,
    "pooling": _pool,
    "circles": _uncircle,
}
