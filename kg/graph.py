"""The knowledge graph: memory-mapped compressed sparse rows over merged concepts.

Layout of a graph folder (all npy, little-endian, memory-mapped on open; ``manifest.json`` beside them):

- ``curie``, ``name``, ``definition``, ``types``, ``codes``: string tables over nodes, sorted by CURIE
- ``alias`` (sorted CURIEs of any source) with ``alias_node``; ``label`` (sorted case-folded names) with ``label_node``
- ``out_*``: edges by subject, then predicate, object, source: ``indptr`` int64, ``object`` int32, ``predicate`` uint16,
  ``source`` int32, ``reference`` int32, ``frequency`` float32 (NaN: not stated); ``in_indptr`` / ``in_edge`` list
  edges by object
- ``predicate``, ``source``, ``reference``: string tables over those numbers. The predicates that reasoning knows come
  first (``ontologies.merging.knowledge.PREDICATES``), then those that sources brought (UMLS's RELA), alphabetically
- ``ancestor_indptr`` / ``ancestor``: the reflexive transitive closure of is_a; ``information`` float32, one a node
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import InputError, UnknownConceptError
from indexes import manifest
from kg import graph_writer
from kg.graph_writer import KIND, VERSION, Progress
from kg.string_table import StringTable
from kg.triple import Triple
from ontologies.concept import Concept, parse_curie
from ontologies.prefix import written_curie

if TYPE_CHECKING:
    from ontologies.merging.knowledge import Merged

REBUILD = "whydx index build"

_LATER_TABLES = ("retired", "consider")  # graphs of before 27 November 2026 have none
_NO_STRINGS = StringTable(np.zeros(0, np.uint8), np.zeros(1, np.int64))
_NODE_TABLES = ("curie", "name", "definition", "types", "codes", "alias", "label", "predicate", "source", "reference")
_ARRAYS = (
    "alias_node",
    "label_node",
    "out_indptr",
    "out_object",
    "out_predicate",
    "out_source",
    "out_reference",
    "out_frequency",
    "in_indptr",
    "in_edge",
    "ancestor_indptr",
    "ancestor",
    "information",
)


class KnowledgeGraph:
    """A read-only graph of concepts. Nodes are numbered by sorted canonical CURIE; every method that takes a CURIE
    takes any CURIE of the concept (HP, SNOMED CT, …) and raises UnknownConceptError for one the graph does not know."""

    def __init__(
        self, path: Path, tables: dict[str, StringTable], arrays: dict[str, np.ndarray], record: manifest.Manifest
    ) -> None:
        self.path, self.manifest = path, record
        self._tables, self._arrays = tables, arrays
        self.information: np.ndarray = arrays["information"]
        self.predicates: tuple[str, ...] = tuple(tables["predicate"])  # names, by number
        self._numbers = lru_cache(maxsize=1 << 16)(self._number)

    # --- building and opening

    @classmethod
    def build(
        cls, merged: Merged, path: Path, *, inputs: dict[str, str] | None = None, progress: Progress | None = None
    ) -> KnowledgeGraph:
        """Write the graph of ``merged`` to the folder ``path`` (``graph_writer.write``) and open it."""
        graph_writer.write(merged, path, inputs=inputs, progress=progress)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> KnowledgeGraph:
        """Open a built graph. Raises ArtifactError when it is missing, damaged, or of another layout version."""
        record = manifest.read(path, kind=KIND, version=VERSION, run=REBUILD)
        tables = {name: StringTable.open(path / name) for name in _NODE_TABLES}
        for name in _LATER_TABLES:
            tables[name] = StringTable.open(path / name) if (path / f"{name}.offsets.npy").exists() else _NO_STRINGS
        arrays = {name: _mapped(path / f"{name}.npy") for name in _ARRAYS}
        return cls(path, tables, arrays, record)

    # --- concepts

    def __len__(self) -> int:
        return len(self._tables["curie"])

    def node(self, curie: str) -> int:
        """The number of the concept with this CURIE in any vocabulary. Raises InputError when there is none."""
        return self._numbers(curie)

    def _number(self, curie: str) -> int:
        parse_curie(curie)
        i = self._tables["alias"].find(curie)
        if i is None:
            near = difflib.get_close_matches(curie, self._near(curie), n=1, cutoff=0)
            hint = f"a CURIE of the graph, such as {near[0]}" if near else "a CURIE of the graph"
            raise UnknownConceptError(
                "unknown CURIE", value=curie, expected=hint, run='whydx link "<name of the finding>"'
            )
        return int(self._arrays["alias_node"][i])

    def _near(self, curie: str) -> list[str]:
        aliases = self._tables["alias"]
        start = aliases.first_at_or_after(curie)
        return [aliases[i] for i in range(max(start - 3, 0), min(start + 3, len(aliases)))]

    def written(self, text: str) -> str | None:
        """The canonical CURIE of an id in any usual spelling (``ontologies.prefix.written_curie``), or None when it is
        none, or the graph does not know it."""
        curie = text if text in self else written_curie(text)
        return None if curie is None or curie not in self else self.resolve(curie)

    def consider(self, curie: str) -> tuple[str, ...]:
        """What the source of an obsolete CURIE says to consider in its place; none of any other."""
        i = self._tables["retired"].find(curie)
        return () if i is None else tuple(self._tables["consider"][i].split("|"))

    def __contains__(self, curie: str) -> bool:
        return self._tables["alias"].find(curie) is not None

    def curie(self, node: int) -> str:
        return self._tables["curie"][node]

    def name(self, node: int) -> str:
        return self._tables["name"][node]

    def resolve(self, curie: str) -> str:
        """The canonical CURIE of any CURIE. Raises InputError when the graph does not know it."""
        return self.curie(self.node(curie))

    def find(self, text: str) -> str:
        """The canonical CURIE for a CURIE or a name, synonym or abbreviation (case and hyphens do not matter).

        Of several concepts with that name, those with annotations come before those without, those called so before
        those that have it as a synonym, those of the curated chest layer before others; of concepts that are left and
        go by one name, the one with most annotations, then the first CURIE. Raises UnknownConceptError
        when nothing has that name, InputError when concepts of different names are left.
        """
        if (known := self.written(text)) is not None:
            return known
        if (old := written_curie(text)) is not None and (instead := self.consider(old)):
            named = " or ".join(f"{c} ({self.name(self.node(c))})" for c in instead)
            raise UnknownConceptError(f"{old} is obsolete", value=text, expected=named)
        nodes = self._labelled(text) or self._labelled(text.replace("-", " "))
        if not nodes:
            raise UnknownConceptError(
                "unknown concept", value=text, expected=self._near_name(text), run='whydx link "<text>"'
            )
        annotations = {x: self._annotation_count(x) for x in nodes}
        wanted = text.casefold()
        for better in (
            lambda x: annotations[x] > 0,
            lambda x: self.name(x).casefold() == wanted,
            lambda x: any(code.startswith("CHEST:") for code in self._tables["codes"][x].split("|")),
        ):
            nodes = [x for x in nodes if better(x)] or nodes
        if len({self.name(x).casefold() for x in nodes}) > 1:
            meant = ", ".join(f"{self.curie(x)} ({self.name(x)})" for x in nodes[:4])
            raise InputError("an ambiguous name", value=text, expected=f"one of {meant}")
        return self.curie(max(nodes, key=lambda x: (annotations[x], -x)))

    def _labelled(self, text: str) -> list[int]:
        """The nodes with this name, ascending."""
        labels, wanted = self._tables["label"], text.casefold()
        found = set()
        for i in range(labels.first_at_or_after(wanted), len(labels)):
            if labels[i] != wanted:
                break
            found.add(int(self._arrays["label_node"][i]))
        return sorted(found)

    def labels(self, nodes: np.ndarray) -> Iterator[tuple[int, str]]:
        """(node, name in lower case) of every name and synonym of some nodes (int, ascending), by name."""
        labels, owner = self._tables["label"], self._arrays["label_node"]
        for i in np.flatnonzero(np.isin(owner, nodes)).tolist():
            yield int(owner[i]), labels[i]

    def _near_name(self, text: str) -> str:
        labels, wanted = self._tables["label"], text.casefold()
        first = labels.first_at_or_after(wanted)
        near = sorted({labels[i] for i in range(max(first - 200, 0), min(first + 200, len(labels)))})
        guess = difflib.get_close_matches(wanted, near, n=1, cutoff=0.6)
        return f"a CURIE or a name such as {guess[0]!r}" if guess else "a CURIE or a name of a concept"

    def _annotation_count(self, node: int) -> int:
        """has_phenotype edges from and to the node."""
        return sum(len(self.edges(node, "has_phenotype", inverse=inverse)) for inverse in (False, True))

    def concept(self, curie: str) -> Concept:
        i = self.node(curie)
        codes: dict[str, tuple[str, ...]] = {}
        for code in filter(None, self._tables["codes"][i].split("|")):
            system, local = parse_curie(code)
            codes[system] = (*codes.get(system, ()), local)
        types = tuple(filter(None, self._tables["types"][i].split("|")))
        return Concept(
            curie=self.curie(i),
            name=self.name(i),
            semantic_types=types,
            codes=codes,
            definition=self._tables["definition"][i],
        )

    # --- edges

    def _predicate(self, name: str) -> int:
        """The number of a predicate; -1, which no edge has, for a name that no source uses."""
        return self.predicates.index(name) if name in self.predicates else -1

    def edges(self, node: int, predicate: str, *, inverse: bool = False) -> np.ndarray:
        """Edge numbers (int64) with ``node`` as subject (as object if ``inverse``) and this predicate, ascending."""
        arrays = self._arrays
        if inverse:
            found = arrays["in_edge"][arrays["in_indptr"][node] : arrays["in_indptr"][node + 1]]
        else:
            found = np.arange(arrays["out_indptr"][node], arrays["out_indptr"][node + 1])
        return found[arrays["out_predicate"][found] == self._predicate(predicate)]

    def edges_from(self, nodes: np.ndarray, predicate: str) -> tuple[np.ndarray, np.ndarray]:
        """Edges with one of ``nodes`` as subject and this predicate: (edge int64, position in ``nodes`` int64), in the
        order of ``nodes``."""
        edge, which = _listed(self._arrays["out_indptr"], nodes)
        kept = self._arrays["out_predicate"][edge] == self._predicate(predicate)
        return edge[kept], which[kept]

    def neighbours(self, node: int, predicate: str, *, inverse: bool = False) -> np.ndarray:
        """Nodes (int64, ascending, without repeats) at the other end of ``edges``."""
        found = self.edges(node, predicate, inverse=inverse)
        return np.unique(self.subject_of(found) if inverse else self._arrays["out_object"][found]).astype(np.int64)

    def adjacent(self, node: int) -> np.ndarray:
        """Nodes (int64, ascending, without repeats) one edge away, whatever its predicate and direction."""
        return np.unique(self.steps(np.array([node]))[1])

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        """int64: how many edges each node has, in both directions."""
        out, back = self._arrays["out_indptr"], self._arrays["in_indptr"]
        return out[nodes + 1] - out[nodes] + back[nodes + 1] - back[nodes]

    def steps(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Every edge of the nodes, those from a node before those to it: (edge int64, node at its other end int64,
        whether it points to the node bool, position in ``nodes`` int64); all edges from, then all edges to."""
        arrays = self._arrays
        out, out_of = _listed(arrays["out_indptr"], nodes)
        place, in_of = _listed(arrays["in_indptr"], nodes)
        back = arrays["in_edge"][place]
        return (
            np.concatenate([out, back]),
            np.concatenate([arrays["out_object"][out].astype(np.int64), self.subject_of(back)]),
            np.arange(len(out) + len(back)) >= len(out),
            np.concatenate([out_of, in_of]),
        )

    def predicate_of(self, edges: np.ndarray) -> np.ndarray:
        """Positions in ``predicates``."""
        return self._arrays["out_predicate"][edges]

    def subject_of(self, edges: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._arrays["out_indptr"], edges, side="right") - 1

    def object_of(self, edges: np.ndarray) -> np.ndarray:
        return self._arrays["out_object"][edges]

    def frequency_of(self, edges: np.ndarray) -> np.ndarray:
        """float32, NaN where the source does not state it."""
        return self._arrays["out_frequency"][edges]

    def references_of(self, edges: np.ndarray) -> np.ndarray:
        """int32: the numbers of the edges' references; `reference` gives the text of a number."""
        return self._arrays["out_reference"][edges]

    def reference(self, number: int) -> str:
        return self._tables["reference"][number]

    def all_edges(self, predicate: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(subjects int64, objects int32, frequencies float32 with NaN for not stated) of every edge with this
        predicate."""
        edges = np.flatnonzero(self._arrays["out_predicate"] == self._predicate(predicate))
        return self.subject_of(edges), self._arrays["out_object"][edges], self._arrays["out_frequency"][edges]

    def triple(self, edge: int) -> Triple:
        arrays = self._arrays
        subject, obj = int(self.subject_of(np.array(edge))), int(arrays["out_object"][edge])
        frequency = float(arrays["out_frequency"][edge])
        return Triple(
            subject=self.curie(subject),
            predicate=self.predicates[arrays["out_predicate"][edge]],
            object=self.curie(obj),
            subject_name=self.name(subject),
            object_name=self.name(obj),
            source=self._tables["source"][arrays["out_source"][edge]],
            frequency=None if np.isnan(frequency) else round(frequency, 4),
            reference=self._tables["reference"][arrays["out_reference"][edge]],
        )

    def triples(self, curie: str, predicate: str | None = None, inverse: bool = False) -> tuple[Triple, ...]:
        """Triples with the concept as subject (as object if ``inverse``), by predicate, then the other end; () when
        none."""
        node = self.node(curie)
        wanted = self.predicates if predicate is None else (predicate,)
        return tuple(self.triple(int(e)) for p in wanted for e in self.edges(node, p, inverse=inverse))

    # --- hierarchy

    def ancestor_nodes(self, node: int) -> np.ndarray:
        """The node and everything above it by is_a (int32, ascending)."""
        indptr = self._arrays["ancestor_indptr"]
        return self._arrays["ancestor"][indptr[node] : indptr[node + 1]]

    def ancestors(self, curie: str) -> frozenset[str]:
        """Canonical CURIEs of the concept and all its is_a ancestors."""
        return frozenset(self.curie(int(i)) for i in self.ancestor_nodes(self.node(curie)))

    def information_content(self, curie: str) -> float:
        return float(self.information[self.node(curie)])

    @property
    def closure(self) -> tuple[np.ndarray, np.ndarray]:
        """The reflexive is_a closure as (indptr, ancestors)."""
        return self._arrays["ancestor_indptr"], self._arrays["ancestor"]

    def codes_in(self, system: str) -> dict[str, str]:
        """{code as CURIE: canonical CURIE} of all concepts that have a code in the system (a CURIE prefix)."""
        aliases, prefix = self._tables["alias"], f"{system}:"
        found = {}
        for i in range(aliases.first_at_or_after(prefix), len(aliases)):
            if not aliases[i].startswith(prefix):
                break
            found[aliases[i]] = self.curie(int(self._arrays["alias_node"][i]))
        return found


def _mapped(path: Path) -> np.ndarray:
    """A plain view of the mapping: numpy's memmap class makes each slice several times as slow."""
    try:
        return np.load(path, mmap_mode="r").view(np.ndarray)
    except ValueError:
        return np.load(path)  # an empty array cannot be mapped


def _listed(indptr: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places [indptr[node], indptr[node + 1]) of each node end to end, and each one's position in ``nodes``."""
    starts, lengths = indptr[nodes], indptr[nodes + 1] - indptr[nodes]
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return places, np.repeat(np.arange(len(nodes)), lengths)
