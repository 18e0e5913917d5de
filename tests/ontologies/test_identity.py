from __future__ import annotations

import random

from ontologies.identity import Identities, circular


def pair(one: str, two: str) -> tuple[str, str]:
    return (one, two) if one < two else (two, one)


def test_nothing_is_only_itself() -> None:
    assert Identities([]).members("HP:1") == ("HP:1",)


def test_a_chain_is_one_class() -> None:
    links = [pair("HP:1", "UMLS:C1"), pair("UMLS:C1", "DOID:1"), pair("DOID:1", "MESH:D1")]
    identities = Identities(links)
    for curie in ("HP:1", "UMLS:C1", "DOID:1", "MESH:D1"):
        assert identities.members(curie) == ("DOID:1", "HP:1", "MESH:D1", "UMLS:C1")
    assert identities.accepted == set(links)
    assert identities.refused == []


def test_two_of_one_system_are_linked_to_nothing() -> None:
    identities = Identities([("HP:1", "HP:2"), ("HP:3", "UMLS:C1"), ("HP:3", "UMLS:C2"), ("HP:4", "UMLS:C2")])
    assert all(identities.members(f"HP:{n}") == (f"HP:{n}",) for n in (1, 2, 3, 4))
    assert identities.accepted == set()


def test_the_more_trusted_links_win() -> None:
    """HP:1 = UMLS:C1 and HP:2 = SNOMEDCT:2; joining MESH:D1 to both classes would make HP:1 and HP:2 one."""
    links = [
        ("HP:1", "UMLS:C1"),
        ("HP:2", "SNOMEDCT:2"),
        ("MESH:D1", "UMLS:C1"),
        ("MESH:D1", "SNOMEDCT:2"),
    ]
    for seed in range(10):
        random.Random(seed).shuffle(links)
        identities = Identities(links)
        assert identities.members("HP:1") == ("HP:1", "MESH:D1", "UMLS:C1")
        assert identities.members("HP:2") == ("HP:2", "SNOMEDCT:2")
        assert identities.refused == [(("MESH:D1", "SNOMEDCT:2"), "HP:1", "HP:2")]


def test_circles_lose_their_last_edge() -> None:
    edges = [(child, "is_a", parent, "S") for child, parent in ("ab", "bc", "ca", "cd", "xa")]
    assert circular(edges) == [("c", "is_a", "a", "S")]
    assert circular(reversed(edges)) == [("c", "is_a", "a", "S")]
    assert circular([]) == []
    both = [("a", "is_a", "b", "S"), ("b", "is_a", "a", "T"), ("a", "is_a", "b", "T")]
    assert circular(both) == [("b", "is_a", "a", "T")]
