"""The merge in plain Python, statement by statement: what ``ontologies/merging/merge.py`` must agree with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.merging.knowledge import KINDS as _KINDS
from ontologies.merging.knowledge import Conflict

from .identity_oracle import Identities, circular, system_of_curie

# Whose CURIE a concept goes by, and whose name; systems not listed come after, in alphabetical order.
_CURIE_RANK = ("UMLS", "HP", "MONDO", "DOID", "OMIM", "ORPHA", "DECIPHER", "SNOMEDCT", "ICD10CM", "MESH", "NCIT")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The merged knowledge. ``concepts`` by CURIE; ``terms`` by (CURIE, kind, text, source); ``relations`` by (subject,
    predicate, object, source), both ends among the concepts, at most one for each such key. ``alias`` maps every
    CURIE that
    stands for a concept, the canonical ones included, to the canonical one. ``conflicts`` sorted.
    """

    concepts: tuple[Concept, ...]
    terms: tuple[Term, ...]
    relations: tuple[Relation, ...]
    alias: dict[str, str]
    conflicts: tuple[Conflict, ...] = ()


Key = tuple[str, str, str, str]  # subject, predicate, object, source


def merge(statements: Iterable[Statement]) -> Merged:
    """Merge the statements of all sources (see the module for what becomes one concept).

    Rows that repeat (subject, predicate, object, source) become one relation: counted patients are added up and the
    frequency is their ratio; without counts it is the mean of the stated frequencies; None if there are none.
    References are
    joined by ";", sorted. A "has_phenotype" whose pooled frequency is 0 (looked for, never found) becomes
    "excludes_phenotype". Of a merged concept the name is the one of the most specific source (the chest layer, HP,
    Mondo, …), the definition the longest, the semantic types all of them, sorted. Nothing in, nothing out.
    """
    described: dict[str, list[Concept]] = defaultdict(list)
    terms: set[Term] = set()
    xrefs: dict[tuple[str, str], set[str]] = defaultdict(set)
    aliases: dict[str, set[str]] = defaultdict(set)
    rows: dict[Key, list[Relation]] = defaultdict(list)
    for statement in statements:
        if isinstance(statement, Concept):
            described[statement.curie].append(statement)
        elif isinstance(statement, Term):
            terms.add(statement)
        elif statement.predicate == "consider":
            continue  # only what a person is told of an obsolete id
        elif statement.predicate == "alias":
            aliases[statement.subject].add(statement.object)
        elif statement.predicate == "xref":
            pair = (min(statement.subject, statement.object), max(statement.subject, statement.object))
            xrefs[pair].add(statement.source)
        else:
            rows[statement.subject, statement.predicate, statement.object, statement.source].append(statement)

    conflicts: list[Conflict] = []
    raw = {curie: _one(curie, versions, conflicts) for curie, versions in sorted(described.items())}
    old = _old_ids(aliases, raw, conflicts)
    links: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (left, right), sources in xrefs.items():
        left, right = old.get(left, left), old.get(right, right)
        if left != right:
            links[min(left, right), max(left, right)] |= sources
    for concept in raw.values():
        for other in _codes_as_curies(concept):
            other = old.get(other, other)
            if other != concept.curie:
                # A Concept does not say which source it is of; its code system does.
                links[min(concept.curie, other), max(concept.curie, other)].add(system_of_curie(concept.curie))

    identities = Identities(links)
    conflicts += [
        Conflict(kind="same system", curies=pair, detail=f"would also make {one} and {two} the same")
        for pair, one, two in identities.refused
    ]
    alias, extra = _canonical(raw, identities, links, conflicts)
    for gone, target in old.items():
        alias.setdefault(gone, alias[target])

    for pair, sources in links.items():
        if all(curie in alias for curie in pair) and pair not in identities.accepted:
            for source in sources:
                rows[pair[0], "xref", pair[1], source] = []
    lost: dict[str, int] = defaultdict(int)
    relations = _relations(rows, alias, lost, conflicts)
    kept_terms: set[Term] = set()
    for term in terms:
        canonical = alias.get(term.curie)
        if canonical is None:
            lost[term.curie] += 1
        else:
            kept_terms.add(term if canonical == term.curie else replace(term, curie=canonical))
    conflicts += [
        Conflict(kind="unknown concept", curies=(curie,), detail=f"{number} statements dropped")
        for curie, number in lost.items()
    ]
    return Merged(
        concepts=_concepts(raw, alias, identities, extra),
        terms=tuple(sorted(kept_terms, key=lambda t: (t.curie, _KINDS.index(t.kind), t.text, t.source))),
        relations=relations,
        alias=dict(sorted(alias.items())),
        conflicts=tuple(sorted(conflicts)),
    )


def _rank(order: tuple[str, ...], curie: str) -> tuple[int, str]:
    system = system_of_curie(curie)
    return (order.index(system) if system in order else len(order) + (system == "CHEST"), curie)


def _codes_as_curies(concept: Concept) -> list[str]:
    return [f"{system}:{code}" for system, codes in concept.codes.items() for code in codes]


def _one(curie: str, versions: list[Concept], conflicts: list[Conflict]) -> Concept:
    """One Concept of what several sources say about the same CURIE."""
    if len(versions) == 1:
        return versions[0]
    names = sorted({version.name for version in versions})
    if len({name.casefold() for name in names}) > 1:
        conflicts.append(Conflict(kind="name", curies=(curie,), detail=" | ".join(names)))
    codes: dict[str, set[str]] = defaultdict(set)
    for version in versions:
        for system, some in version.codes.items():
            codes[system].update(some)
    return Concept(
        curie=curie,
        name=names[0],
        semantic_types=tuple(sorted({kind for version in versions for kind in version.semantic_types})),
        codes={system: tuple(sorted(some)) for system, some in codes.items()},
        definition=min((version.definition for version in versions), key=lambda text: (-len(text), text)),
    )


def _old_ids(aliases: Mapping[str, set[str]], raw: Mapping[str, Concept], conflicts: list[Conflict]) -> dict[str, str]:
    """Old or alternative id → the described CURIE it stands for, through any number of steps."""
    single: dict[str, str] = {}
    for gone, targets in sorted(aliases.items()):
        if gone in raw:
            conflicts.append(Conflict(kind="alias", curies=(gone, *sorted(targets)), detail="the id is itself alive"))
        elif len(targets) > 1:
            conflicts.append(Conflict(kind="alias", curies=(gone, *sorted(targets)), detail="stands for several"))
        else:
            (single[gone],) = targets
    found: dict[str, str] = {}
    for gone in single:
        target, steps = gone, 0
        while target in single and steps <= len(single):
            target, steps = single[target], steps + 1
        if target in raw:
            found[gone] = target
    return found


def _canonical(
    raw: Mapping[str, Concept],
    identities: Identities,
    links: Mapping[tuple[str, str], set[str]],
    conflicts: list[Conflict],
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """(CURIE → canonical CURIE, canonical CURIE → the further code CURIEs it alone claims)."""
    alias: dict[str, str] = {}
    for curie in raw:
        if curie not in alias:
            members = identities.members(curie)
            umls = [member for member in members if system_of_curie(member) == "UMLS"]
            best = umls[0] if umls else min((m for m in members if m in raw), key=lambda m: _rank(_CURIE_RANK, m))
            alias.update(dict.fromkeys(members, best))

    systems: dict[str, set[str]] = defaultdict(set)
    for curie, best in alias.items():
        systems[best].add(system_of_curie(curie))
    claims: dict[str, set[str]] = defaultdict(set)
    for left, right in links:
        if left in alias and right not in alias:
            claims[right].add(alias[left])
        elif right in alias and left not in alias:
            claims[left].add(alias[right])
    extra: dict[str, set[str]] = defaultdict(set)
    for code, claimants in sorted(claims.items()):
        if len(claimants) > 1:
            detail = "claimed by several concepts"
            conflicts.append(Conflict(kind="shared code", curies=(code, *sorted(claimants)), detail=detail))
            continue
        (claimant,) = claimants
        if system_of_curie(code) not in systems[claimant]:
            extra[claimant].add(code)
    for claimant, codes in extra.items():
        alias.update(dict.fromkeys(codes, claimant))
    return alias, extra


def _concepts(
    raw: Mapping[str, Concept], alias: Mapping[str, str], identities: Identities, extra: Mapping[str, set[str]]
) -> tuple[Concept, ...]:
    groups: dict[str, list[Concept]] = defaultdict(list)
    for curie, concept in raw.items():
        groups[alias[curie]].append(concept)
    concepts = []
    for canonical, group in groups.items():
        curies = {*identities.members(group[0].curie), *extra.get(canonical, ())}
        for concept in group:
            curies.update(_codes_as_curies(concept))
        codes: dict[str, list[str]] = defaultdict(list)
        for curie in sorted(curies):
            system, _, code = curie.partition(":")
            codes[system].append(code)
        concepts.append(
            Concept(
                curie=canonical,
                name=min(group, key=lambda c: _rank(_NAME_RANK, c.curie)).name,
                semantic_types=tuple(sorted({kind for concept in group for kind in concept.semantic_types})),
                codes={system: tuple(some) for system, some in sorted(codes.items())},
                definition=min((concept.definition for concept in group), key=lambda text: (-len(text), text)),
            )
        )
    return tuple(sorted(concepts, key=lambda concept: concept.curie))


def _relations(
    rows: Mapping[Key, list[Relation]], alias: Mapping[str, str], lost: dict[str, int], conflicts: list[Conflict]
) -> tuple[Relation, ...]:
    merged: dict[Key, list[Relation]] = {}
    for (subject, predicate, object_, source), some in rows.items():
        one, two = alias.get(subject), alias.get(object_)
        if one is None or two is None:
            for curie in (subject, object_):
                if curie not in alias:
                    lost[curie] += 1
        elif one != two:
            if predicate == "xref" and two < one:
                one, two = two, one
            merged.setdefault((one, predicate, two, source), []).extend(some)
    never = [key for key, some in merged.items() if key[1] == "has_phenotype" and _pooled(some)[0] == 0]
    for key in never:
        merged.setdefault((key[0], "excludes_phenotype", key[2], key[3]), []).extend(merged.pop(key))
    has = {(key[0], key[2]) for key in merged if key[1] == "has_phenotype"}
    excluded = {(key[0], key[2]) for key in merged if key[1] == "excludes_phenotype"}
    conflicts += [
        Conflict(kind="contradiction", curies=pair, detail="both has_phenotype and excludes_phenotype")
        for pair in has & excluded
    ]
    for key in circular(key for key in merged if key[1] == "is_a"):
        del merged[key]
        conflicts.append(Conflict(kind="cycle", curies=(key[0], key[2]), detail=f"is_a of {key[3]} dropped"))
    relations = []
    for key in sorted(merged):
        frequency, count, reference = _pooled(merged[key])
        relations.append(
            Relation(
                subject=key[0],
                predicate=key[1],
                object=key[2],
                source=key[3],
                frequency=frequency,
                reference=reference,
                count=count,
            )
        )
    return tuple(relations)


def _pooled(rows: list[Relation]) -> tuple[float | None, tuple[int, int] | None, str]:
    """(frequency, count, reference) of the rows that say the same, in any order."""
    if len(rows) == 1 and ";" not in rows[0].reference:
        row = rows[0]
        return (row.count[0] / row.count[1] if row.count else row.frequency), row.count, row.reference
    counts = [row.count for row in rows if row.count is not None]
    shares = [row.frequency for row in rows if row.frequency is not None]
    reference = ";".join(sorted({part for row in rows if row.reference for part in row.reference.split(";")}))
    if counts:
        shown, examined = sum(c[0] for c in counts), sum(c[1] for c in counts)
        return shown / examined, (shown, examined), reference
    return (math.fsum(shares) / len(shares) if shares else None), None, reference
