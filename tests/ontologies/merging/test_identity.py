from __future__ import annotations

import random

import numpy as np

from ontologies.merging import identity

from . import identity_oracle

SYSTEMS = ("DOID", "HP", "MESH", "SNOMEDCT", "UMLS")
Pair = tuple[str, str]


def identities(links: list[Pair]) -> tuple[dict[str, tuple[str, ...]], set[Pair], list[tuple[Pair, str, str]]]:
    """(members by CURIE, accepted, refused) of links between CURIEs, by way of numbers."""
    pairs = sorted({(min(pair), max(pair)) for pair in links})
    curies = sorted({curie for pair in pairs for curie in pair})
    one, two = (np.array([curies.index(pair[i]) for pair in pairs], np.int32) for i in (0, 1))
    system = np.array([SYSTEMS.index(curie.partition(":")[0]) for curie in curies], np.int64)
    found = identity.identities(one, two, system, SYSTEMS)
    members = {a: tuple(b for b, y in zip(curies, found.label) if x == y) for a, x in zip(curies, found.label)}  # noqa: B905
    refused = [(pairs[link], curies[this], curies[that]) for link, this, that in found.refused]
    return members, {pairs[link] for link in np.flatnonzero(found.accepted)}, refused


def test_a_chain_is_one_class() -> None:
    links = [("HP:1", "UMLS:C1"), ("DOID:1", "UMLS:C1"), ("DOID:1", "MESH:D1")]
    members, accepted, refused = identities(links)
    assert set(members.values()) == {("DOID:1", "HP:1", "MESH:D1", "UMLS:C1")}
    assert accepted == set(links)
    assert refused == []


def test_two_of_one_system_are_linked_to_nothing() -> None:
    links = [("HP:1", "HP:2"), ("HP:3", "UMLS:C1"), ("HP:3", "UMLS:C2"), ("HP:4", "UMLS:C2")]
    members, accepted, _ = identities(links)
    assert all(members[curie] == (curie,) for curie in members)
    assert accepted == set()


def test_the_more_trusted_links_win() -> None:
    """HP:1 = UMLS:C1 and HP:2 = SNOMEDCT:2; joining MESH:D1 to both classes would make HP:1 and HP:2 one."""
    links = [("HP:1", "UMLS:C1"), ("HP:2", "SNOMEDCT:2"), ("MESH:D1", "UMLS:C1"), ("MESH:D1", "SNOMEDCT:2")]
    members, _, refused = identities(links)
    assert members["HP:1"] == ("HP:1", "MESH:D1", "UMLS:C1")
    assert members["HP:2"] == ("HP:2", "SNOMEDCT:2")
    assert refused == [(("MESH:D1", "SNOMEDCT:2"), "HP:1", "HP:2")]


def test_random_links_agree_with_union_find() -> None:
    rng = random.Random(4)
    curies = [f"{system}:{n}" for system in SYSTEMS for n in range(6)]
    clashes = 0
    for _ in range(200):
        links = [tuple(sorted(rng.sample(curies, 2))) for _ in range(rng.randint(0, 25))]
        members, accepted, refused = identities(links)  # type: ignore[arg-type]
        oracle = identity_oracle.Identities(set(links))
        assert all(found == oracle.members(curie) for curie, found in members.items())
        assert accepted == oracle.accepted
        assert refused == oracle.refused
        clashes += len(refused)
    assert clashes > 20


def circular(edges: list[str]) -> list[str]:
    edges = sorted(edges)
    child, parent = (np.array([ord(edge[i]) for edge in edges], np.int32) for i in (0, 1))
    return [edges[i] for i in identity.circular(child, parent)]


def test_circles_lose_their_last_edge() -> None:
    assert circular(["ab", "bc", "ca", "cd", "xa"]) == ["ca"]
    assert circular([]) == []
    assert circular(["ba", "ab", "ab"]) == ["ba"]


def test_random_circles_are_cut_where_the_oracle_cuts() -> None:
    rng = random.Random(5)
    for _ in range(100):
        pairs = sorted({tuple(rng.sample("abcdefgh", 2)) for _ in range(rng.randint(1, 20))})
        dropped = identity_oracle.circular((child, "is_a", parent, "S") for child, parent in pairs)
        assert circular(["".join(pair) for pair in pairs]) == [child + parent for child, _, parent, _ in dropped]
