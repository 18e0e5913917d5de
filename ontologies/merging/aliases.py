"""Which concept each CURIE stands for: the tables ``alias`` and ``cross_reference`` from what is staged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ontologies.merging.identity import canonical, claim, identities
from ontologies.staging import Staging

# Whose CURIE a concept goes by; systems not listed come after, in alphabetical order.
CURIE_RANK = ("UMLS", "HP", "MONDO", "DOID", "OMIM", "ORPHA", "DECIPHER", "SNOMEDCT", "ICD10CM", "MESH", "NCIT")


def ranks(systems: Sequence[str], order: Sequence[str]) -> np.ndarray:
    """int64: each system's place in ``order``; those not in it after them, alike, and the chest layer last of all."""
    return np.array(
        [order.index(name) if name in order else len(order) + (name == "CHEST") for name in systems], np.int64
    )


def replace_old_ids(staging: Staging) -> None:
    """Table ``old`` (curie, target): an old or alternative id and the described CURIE it stands for, through any number
    of steps. An id that is itself alive, or stands for several, is a conflict."""
    connection = staging.connection
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE stands AS
            SELECT subject AS curie, list_sort(list(DISTINCT object)) AS targets,
                   subject IN (SELECT curie FROM described) AS alive
            FROM relation WHERE predicate = 'alias' GROUP BY subject;
        INSERT INTO conflict
            SELECT 'alias', list_prepend(curie, targets), if(alive, 'the id is itself alive', 'stands for several')
            FROM stands WHERE alive OR len(targets) > 1;
        CREATE OR REPLACE TABLE old AS
            SELECT curie, targets[1] AS target FROM stands WHERE NOT alive AND len(targets) = 1;
    """)
    # Each round doubles the steps that are taken; ids that stand for each other in a circle never arrive.
    for _ in range(staging.count("old").bit_length()):
        connection.execute("UPDATE old SET target = onward.target FROM old onward WHERE old.target = onward.curie")
    connection.execute("DELETE FROM old WHERE target NOT IN (SELECT curie FROM described)")


def identify(staging: Staging) -> None:
    """Tables ``alias`` (curie, node, role) and ``cross_reference`` (subject, object, source), over nodes.

    Nodes number the concepts by sorted canonical CURIE. The role is "canonical", "member" (the same by identity),
    "code" (claimed by this concept alone) or "old". Cross-references are what is no identity, subject < object.
    """
    connection = staging.connection
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE link_text AS
            WITH claimed AS (
                SELECT subject AS one, object AS two, source FROM relation WHERE predicate = 'xref'
                UNION ALL
                -- A Concept does not say which source it is of; its code system does.
                SELECT curie, code, split_part(curie, ':', 1) FROM code),
            current AS (
                SELECT coalesce(a.target, one) AS one, coalesce(b.target, two) AS two, source
                FROM claimed LEFT JOIN old a ON one = a.curie LEFT JOIN old b ON two = b.curie)
            SELECT DISTINCT least(one, two) AS one, greatest(one, two) AS two, source FROM current WHERE one <> two;
        CREATE OR REPLACE TEMP TABLE numbered AS
            WITH known AS (SELECT curie FROM described UNION SELECT one FROM link_text UNION SELECT two FROM link_text)
            SELECT (row_number() OVER (ORDER BY curie) - 1)::INTEGER AS id, curie, split_part(curie, ':', 1) AS system,
                   curie IN (SELECT curie FROM described) AS described
            FROM known;
    """)
    systems = _names(staging, "SELECT DISTINCT system FROM numbered ORDER BY ALL")
    sources = _names(staging, "SELECT DISTINCT source FROM link_text ORDER BY ALL")
    with staging.arrays("system_number", name=systems), staging.arrays("source_number", name=sources):
        curies = connection.execute("""
            SELECT s.position AS system, described FROM numbered n JOIN system_number s ON n.system = s.name ORDER BY id
        """).fetchnumpy()
        links = connection.execute("""
            SELECT a.id AS one, b.id AS two, s.position AS source FROM link_text l
            JOIN numbered a ON l.one = a.curie JOIN numbered b ON l.two = b.curie
            JOIN source_number s ON l.source = s.name
            ORDER BY ALL
        """).fetchnumpy()
    system, described = np.asarray(curies["system"], np.int64), np.asarray(curies["described"], bool)
    one, two, source = (np.asarray(links[name]) for name in ("one", "two", "source"))
    new = np.ones(len(one), bool)
    new[1:] = (np.diff(one) != 0) | (np.diff(two) != 0)
    pair = np.cumsum(new) - 1  # of each link, the pair of CURIEs it is about
    left, right = one[new], two[new]
    found = identities(left, right, system, systems)
    members = canonical(found.label, system, described, ranks(systems, CURIE_RANK))
    best, code, claimant = claim(left, right, system, members)

    ids = np.flatnonzero(best >= 0)
    concepts = np.unique(best[ids])
    node = np.full(len(best), -1, np.int32)
    node[ids] = np.searchsorted(concepts, best[ids])
    role = np.where(best == np.arange(len(best)), 0, np.where(members >= 0, 1, 2))[ids]
    edge = (best[one] >= 0) & (best[two] >= 0) & (best[one] != best[two]) & ~found.accepted[pair]
    ends = node[one[edge]], node[two[edge]]
    link, this, that = np.array(found.refused, np.int64).reshape(-1, 3).T
    with (
        staging.arrays("alias_array", id=ids, node=node[ids], role=role),
        staging.arrays("edge_array", subject=np.minimum(*ends), object=np.maximum(*ends), source=source[edge]),
        staging.arrays("source_number", name=sources),
        staging.arrays("shared_array", code=code, claimant=claimant),
        staging.arrays("refused_array", one=left[link], two=right[link], this=this, that=that),
    ):
        connection.execute("""
            CREATE OR REPLACE TABLE alias AS
                SELECT curie, node, ['canonical', 'member', 'code'][role + 1] AS role
                FROM alias_array JOIN numbered USING (id);
            INSERT INTO alias SELECT old.curie, node, 'old' FROM old JOIN alias ON target = alias.curie;
            CREATE OR REPLACE TABLE cross_reference AS
                SELECT DISTINCT subject, object, name AS source
                FROM edge_array e JOIN source_number s ON e.source = s.position;
            INSERT INTO conflict
                SELECT 'shared code', list_prepend(c.curie, list(k.curie ORDER BY k.curie)),
                       'claimed by several concepts'
                FROM shared_array s JOIN numbered c ON s.code = c.id JOIN numbered k ON s.claimant = k.id
                GROUP BY c.curie;
            INSERT INTO conflict
                SELECT 'same system', [l.curie, r.curie],
                       format('would also make {} and {} the same', a.curie, b.curie)
                FROM refused_array x JOIN numbered l ON x.one = l.id JOIN numbered r ON x.two = r.id
                JOIN numbered a ON x.this = a.id JOIN numbered b ON x.that = b.id;
        """)
    connection.execute("DROP TABLE link_text; DROP TABLE numbered")


def _names(staging: Staging, query: str) -> list[str]:
    return [name for (name,) in staging.connection.execute(query).fetchall()]
