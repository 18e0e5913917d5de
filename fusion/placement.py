"""Where a note says an opacity is: "consolidations in both bases" are bilateral opacities and lower lobe opacities.

The linker gives a mention its side and its places; the chest layer has findings that are an opacity in a place.
"""

from __future__ import annotations

from collections.abc import Collection

from kg.graph import KnowledgeGraph

# HPO has infiltrates beside opacities, not under them.
_OPACITIES, _GROUND_GLASS = ("HP:0031457", "HP:0002113"), "HP:0025179"
_BILATERAL, _PERIPHERAL = "CHEST:bilateral-lung-opacities", "CHEST:peripheral-opacity"
_BILATERAL_PERIPHERAL_GROUND_GLASS = "CHEST:bilateral-peripheral-ground-glass"
# How the names of places end in ontologies/linking/context/modifiers.py, where a side may stand before them.
_PLACES = {
    "CHEST:lower-lobe-opacity": ("base", "lower lobe", "lower lung"),
    "CHEST:upper-lobe-opacity": ("apex", "upper lobe", "upper lung"),
    "CHEST:perihilar-opacity": ("perihilar", "hilum", "infrahilar", "suprahilar"),
    _PERIPHERAL: ("periphery", "subpleural"),
}


def placed_opacities(
    graph: KnowledgeGraph, mention: str, laterality: str | None, locations: Collection[str]
) -> tuple[str, ...]:
    """CURIEs, in a fixed order, of the findings that a mention (a canonical CURIE) of something present also is by its
    side and places; () when it is no lung opacity or nothing is said of where it is."""
    above = {mention, *graph.ancestors(mention)}
    if above.isdisjoint(graph.resolve(c) for c in _OPACITIES if c in graph):
        return ()
    placed = [curie for curie, ends in _PLACES.items() if any(place.endswith(ends) for place in locations)]
    if laterality == "bilateral" or any(place.startswith("bilateral") for place in locations):
        placed.append(_BILATERAL)
        if _GROUND_GLASS in graph and graph.resolve(_GROUND_GLASS) in above and _PERIPHERAL in placed:
            placed.append(_BILATERAL_PERIPHERAL_GROUND_GLASS)
    return tuple(graph.resolve(c) for c in placed if c in graph)
