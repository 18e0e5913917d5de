"""Compiling a dictionary, within bounded memory: HPO in seconds, all of UMLS with what a desktop has.

Concepts and terms arrive in any order and are sorted in runs on disk; the compiled entries are split by the leading
bits of their signatures, sorted part by part, and appended to the arrays. In memory stay the CURIEs, the known words,
the "is_a" edges, and one run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from errors import ArtifactError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
from ontologies.linking import normalize, spelling
from ontologies.linking.dictionary import (
    CASED,
    COORDINATED,
    ENTRY,
    FILES,
    GAP,
    KIND,
    KINDS,
    VARIANT,
    VERSION,
    canonical_json,
    word_hash,
)
from ontologies.linking.spill import Column, SignedRecords, SortedRows
from ontologies.linking.variants import Name, Row, compose, mine, name_of, names_of, with_usual

# Learning exchanges, and making variants by them, is for vocabularies of findings. Beyond this many names, only those
# of concepts with a code in one of these systems take part.
_LEARNT_NAMES = 1_000_000
_LEARNT_SYSTEMS = frozenset(["HP", "CHEST"])
# Codes of these alone do not say that a concept is clinical; its semantic type does (UMLS's semantic network).
_TERMINOLOGIES = frozenset(["ICD10CM", "SNOMEDCT"])
_CLINICAL = frozenset(
    [
        *(FINDING, DISEASE, "Sign or Symptom", "Neoplastic Process", "Injury or Poisoning", "Pathologic Function"),
        *("Congenital Abnormality", "Acquired Abnormality", "Anatomical Abnormality", "Laboratory or Test Result"),
        *("Mental or Behavioral Dysfunction", "Cell or Molecular Dysfunction"),
    ]
)
# A name that a text would use, or a title of a classification ("Other specified …", "Typhoid fever, unspecified").
_CLASSIFICATION = "ICD10CM"
_TITLE = re.compile(
    r"[,\[\]():;\d]|\b(?:others?|(?:un)?specified|elsewhere|not|without|and|or|due|following|encounter|sequelae?|"
    r"initial|subsequent|classified|status|history|supervision|accident|collision|nos|nec|trimester|diseases|disorders|"
    r"conditions)\b",
    re.IGNORECASE,
)
_LONGEST_TITLE = 5  # words
_HPO, _ROOT = "0000001", "0000118"  # HP: All; Phenotypic abnormality
_QUALIFIER = "Qualitative Concept"  # HPO's inheritance, onset, frequency and modifier branches
# Words of texts; two letters shorter than what may be misspelt, because inflections add letters.
_LONG_WORD = re.compile(rf"[^\W\d_]{{{spelling.LEAST_LETTERS - 2},}}")
_BELOW_ROOT = frozenset(["HP", "SNOMEDCT", "MESH"])

Progress = Callable[[str, int, int], None]


def build(
    concepts: Iterable[Concept],
    terms: Iterable[Term],
    path: Path,
    *,
    relations: Iterable[Relation] = (),
    source: str = "",
    progress: Progress | None = None,
) -> None:
    """Compile the names of ``concepts`` into the folder ``path`` (written beside, then renamed over).

    Each iterable is read once and may be in any order. Left out are HPO's qualifiers (inheritance, onset, frequency,
    modifiers), titles of ICD-10-CM that no text would use, concepts of SNOMED CT that no source gives a clinical type
    and, given the "is_a" relations, what of HPO's hierarchy does not lie below "Phenotypic abnormality" (a code of HPO
    that is nowhere in it is judged by its semantic type); terms of concepts that are not given; names without a letter.
    ``source`` names the graph that the concepts come from. Raises ArtifactError when no name is left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-runs-", dir=path.parent) as runs:
            counts = _Compiler(Path(runs), beside, progress or (lambda *_: None)).run(concepts, terms, relations)
        _finish(beside, path, {**counts, "source": source})
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class _Compiler:
    """One build: ``runs`` is for temporary files, ``out`` takes the arrays."""

    def __init__(self, runs: Path, out: Path, progress: Progress) -> None:
        self._runs, self._out, self._progress = runs, out, progress
        self._long: dict[str, int] = {}  # lighter form of a word of a name that was learnt from → hash of its family
        self._read: set[str] = set()  # words of definitions, and of the names of what is left out too
        self._entries = SignedRecords(runs)

    def run(self, concepts: Iterable[Concept], terms: Iterable[Term], relations: Iterable[Relation]) -> dict[str, Any]:
        listed = SortedRows(((c.curie, _concept_json(c)) for c in concepts), self._runs / "concepts")
        row_of, learnt, edges, systems = self._select(listed, relations)
        terms = with_usual(terms, listed)
        named = SortedRows(((t.curie, t.text, t.kind) for t in terms if t.curie in row_of), self._runs / "terms")
        # Of entries that match equally well the first wins: the nearer to the source, the concept with more names and
        # codes.
        weight = self._write_concepts(listed, row_of, systems)
        n_terms = self._compile(named, row_of, weight, self._learn(named, row_of, learnt))
        if not self._entries.total:
            raise ArtifactError(
                "no names to compile into the linker's dictionary", expected="at least one concept with a name"
            )
        self._progress("sort names", 0, 1)
        signatures, longest = self._write_entries(weight)
        self._write_parents(edges, len(row_of))
        self._write_words()
        self._progress("sort names", 1, 1)
        return {
            "concepts": len(row_of),
            "terms": n_terms,
            "signatures": signatures,
            "longest": longest,
            "systems": systems,
        }

    def _select(
        self, listed: SortedRows, relations: Iterable[Relation]
    ) -> tuple[dict[str, int], np.ndarray, np.ndarray, list[str]]:
        """Which concepts to compile: CURIE → row, which of the rows take part in learning (bool), the "is_a" edges
        (rows of child and parent), and the code systems, at most 64, the most used."""
        every: dict[str, int] = {}
        state, learnt = bytearray(), bytearray()
        hpo: list[int] = []  # the row of its root
        uses: Counter[str] = Counter()
        for curie, text in listed:
            codes, types = (data := json.loads(text))["codes"], frozenset(data["semantic_types"])
            self._read.update(_LONG_WORD.findall(f"{data['name']} {data['definition'] or ''}".lower()))
            every[curie] = len(every)
            if _HPO in codes.get("HP", ()):
                hpo.append(every[curie])
            state.append(_state(curie, data["name"], codes, types))
            learnt.append(not _LEARNT_SYSTEMS.isdisjoint(codes))
            uses.update(codes.keys())
        pairs = array("i")
        for relation in relations:
            if relation.predicate == "is_a" and relation.subject in every and relation.object in every:
                pairs.extend((every[relation.subject], every[relation.object]))
        edges = np.unique(np.frombuffer(pairs, dtype="<i4").reshape(-1, 2), axis=0)
        states = np.frombuffer(bytes(state), dtype=np.uint8)
        kept = (states == _YES) | (states == _IF_BELOW) | (states == _UNLESS_BESIDE)
        if len(edges) and (states == _TOP).any():
            below = _below(edges, np.flatnonzero(states == _TOP), len(every))
            inside = _below(edges, np.array(hpo, dtype=np.int64), len(every))
            kept &= (states == _YES) | below | ((states == _UNLESS_BESIDE) & ~inside)
        row = np.cumsum(kept) - 1
        row_of = {curie: int(row[i]) for curie, i in every.items() if kept[i]}
        both = kept[edges[:, 0]] & kept[edges[:, 1]]
        systems = sorted(system for system, _ in sorted(uses.items(), key=lambda use: (-use[1], use[0]))[:64])
        return row_of, np.frombuffer(bytes(learnt), dtype=bool)[kept], row[edges[both]], systems

    def _write_concepts(self, listed: SortedRows, row_of: Mapping[str, int], systems: list[str]) -> np.ndarray:
        """Write the kept concepts; the number of code systems of each, int64."""
        bit = {system: 1 << i for i, system in enumerate(systems)}
        weight = np.zeros(len(row_of), dtype=np.int64)
        bits = np.zeros(len(row_of), dtype="<u8")
        offsets = array("q", [0])
        with (self._out / "concepts.bin").open("wb") as out:
            for curie, text in listed:
                row = row_of.get(curie)
                if row is not None:
                    codes = json.loads(text)["codes"]
                    weight[row] = len(codes)
                    bits[row] = sum(bit.get(system, 0) for system in codes)
                    offsets.append(offsets[-1] + out.write(text.encode()))
        np.save(self._out / "concept_offsets.npy", np.frombuffer(offsets, dtype="<i8"))
        np.save(self._out / "system_bits.npy", bits)
        return weight

    def _learn(self, named: SortedRows, row_of: Mapping[str, int], learnt: np.ndarray) -> dict[Row, Name]:
        """The terms that teach which words stand for each other, each with its own name."""
        self._progress("learn word families", 0, named.total)
        every = named.total <= _LEARNT_NAMES
        found = ((term, name_of(term[1], term[2])) for term in named if every or learnt[row_of[term[0]]])
        return {term: name for term, name in found if name is not None}  # type: ignore[misc]

    def _compile(
        self, named: SortedRows, row_of: Mapping[str, int], weight: np.ndarray, taught: dict[Row, Name]
    ) -> int:
        """Write the texts of the terms and collect the entries; the number of texts."""
        offsets = array("q", [0])
        last = ("", "")
        exchanges, rows = mine(taught), {}
        with (self._out / "terms.bin").open("wb") as out:
            for done, term in enumerate(named):
                if done % 10_000 == 0:
                    self._progress("compile names", done, named.total)
                curie, text, kind = term
                concept = row_of[curie]
                if curie.startswith(_CLASSIFICATION):
                    if _is_title(text):
                        continue
                    kind = "broad"  # a name that another source has, too, is that source's
                weight[concept] += 1
                if (curie, text) != last:
                    offsets.append(offsets[-1] + out.write(text.encode()))
                    last = (curie, text)
                row = len(offsets) - 2
                own = taught.get((curie, text, kind))
                if own is not None:
                    rows[curie, text, kind] = row
                    self._long.update(
                        (light, word_hash(family))
                        for light, family in zip(own.lights, own.families, strict=True)
                        if spelling.tolerated(light)
                    )
                name = own or name_of(text, kind)
                for form in names_of(text, kind, name, exchanges if own else None) if name else ():
                    self._add(form, concept, row, kind)
        for term, name in compose(taught):
            self._add(name, row_of[term[0]], rows.get(term, -1), term[2])
        np.save(self._out / "term_offsets.npy", np.frombuffer(offsets, dtype="<i8"))
        self._progress("compile names", named.total, named.total)
        return len(offsets) - 1

    def _add(self, name: Name, concept: int, term: int, kind: str) -> None:
        flags = GAP * name.gap | COORDINATED * name.coordinated | CASED * name.cased | VARIANT * name.variant
        self._entries.add(name.families, name.lights, concept, term, KINDS.index(kind), flags, name.cost)

    def _write_entries(self, weight: np.ndarray) -> tuple[int, int]:
        """Write the sorted entries, their signatures and the bitmap: (number of signatures, words of the longest)."""
        signatures = Column(self._out / "signatures.npy", "<u8")
        known = self._entries.families()
        anchors = Column(self._out / "anchors.npy", "<i4")
        counts = Column(self._out / "rows.npy", "<i8", np.zeros(1, dtype="<i8"))
        entries = Column(self._out / "entries.npy", ENTRY)
        bits = max(16, min(32, int(np.ceil(np.log2(self._entries.total))) + 4))
        bitmap = np.zeros(1 << (bits - 3), dtype=np.uint8)
        longest = 0
        for part in self._entries.parts():
            table = _nearest(part, weight)
            unique, first = np.unique(table["signature"], return_index=True)
            counts.add(np.append(first[1:], len(table)) + entries.total)
            signatures.add(unique)
            held = np.stack([table[name][first] for name in ("anchor", "second")], axis=1)
            anchors.add(np.searchsorted(known, held.ravel()))
            entries.add(table[list(ENTRY.names or ())].astype(ENTRY))
            starts = unique >> np.uint64(64 - bits)
            np.bitwise_or.at(bitmap, (starts >> 3).astype(np.int64), (1 << (starts & 7)).astype(np.uint8))
            longest = max(longest, int(table["words"].max()))
        np.save(self._out / "bitmap.npy", bitmap)
        for column in (counts, entries, signatures, anchors):
            column.close()
        return signatures.total, longest

    def _write_words(self) -> None:
        known = self._entries.families()
        others = np.fromiter((word_hash(word) for word in set(map(normalize.family, self._read))), dtype="<u8")
        np.save(self._out / "words.npy", known)
        np.save(self._out / "others.npy", np.setdiff1d(others, known))
        for name, column in zip(("misspelt", "meant"), spelling.table(self._long), strict=True):
            np.save(self._out / f"{name}.npy", column)

    def _write_parents(self, edges: np.ndarray, n: int) -> None:
        np.save(self._out / "parent_rows.npy", np.searchsorted(edges[:, 0], np.arange(n + 1)).astype("<i8"))
        np.save(self._out / "parents.npy", edges[:, 1].astype("<i4"))


_NO, _YES, _IF_BELOW, _UNLESS_BESIDE, _TOP = range(5)


def _state(curie: str, name: str, codes: Mapping[str, list[str]], types: frozenset[str]) -> int:
    """Whether a concept's names are compiled: no, yes, if it lies below "Phenotypic abnormality", unless it lies
    elsewhere in HPO, or it is that class (no)."""
    systems = codes.keys() - {"UMLS"} or {curie.partition(":")[0]}
    if _ROOT in codes.get("HP", ()):
        return _TOP
    if _QUALIFIER in types and not types & {FINDING, DISEASE}:
        return _NO
    # DICOM's table gives SNOMED CT codes of views, colours and body parts no type; a release does. A UMLS that gives no
    # types (no MRSTY) leaves it open.
    clinical = not _CLINICAL.isdisjoint(types) or (not types and curie.startswith("UMLS:"))
    if systems <= _BELOW_ROOT and ("HP" in systems or not clinical):
        if clinical:
            return _UNLESS_BESIDE
        return _IF_BELOW if systems & {"HP", "MESH"} else _NO
    if systems <= _TERMINOLOGIES:
        return _NO if not clinical or (curie.startswith(_CLASSIFICATION) and _is_title(name)) else _YES
    return _YES


def _is_title(name: str) -> bool:
    return _TITLE.search(name) is not None or len(name.split()) > _LONGEST_TITLE


def _below(edges: np.ndarray, roots: np.ndarray, n: int) -> np.ndarray:
    """bool (n,): which of n rows are ``roots`` or below them along ``edges`` (child, parent)."""
    found = np.zeros(n, dtype=bool)
    found[roots] = True
    while True:
        fresh = edges[found[edges[:, 1]] & ~found[edges[:, 0]], 0]
        if not len(fresh):
            return found
        found[fresh] = True


def _nearest(part: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The entries of a part in the order of the dictionary, of equal ones the nearest to a source's wording.

    Equal are entries of one signature, concept and order; of one word also by their lighter form.
    """
    light = np.where(part["words"] == 1, part["light"], 0)
    key = (part["signature"], part["concept"], part["order"], light)
    part = part[np.lexsort((part["term"], part["kind"], part["cost"], *key[::-1]))]
    light = np.where(part["words"] == 1, part["light"], 0)
    same = (
        (part["signature"][1:] == part["signature"][:-1])
        & (part["concept"][1:] == part["concept"][:-1])
        & (part["order"][1:] == part["order"][:-1])
        & (light[1:] == light[:-1])
    )
    part = part[np.append(True, ~same)]
    heavier = -weight[part["concept"]]
    return part[np.lexsort((part["term"], part["concept"], heavier, part["kind"], part["cost"], part["signature"]))]


def _concept_json(concept: Concept) -> str:
    return canonical_json(
        {
            "curie": concept.curie,
            "name": concept.name,
            "semantic_types": list(concept.semantic_types),
            "codes": {system: list(codes) for system, codes in concept.codes.items()},
            "definition": concept.definition,
        }
    ).decode()


def _finish(beside: Path, path: Path, counts: dict[str, Any]) -> None:
    """Write the manifest and move the folder to its place."""
    files = {}
    for name in FILES:
        with (beside / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[name] = {"size": (beside / name).stat().st_size, "sha256": digest}
    manifest = {
        "kind": KIND,
        "version": VERSION,
        "normalisation": normalize.fingerprint(),
        **counts,
        "files": files,
    }
    (beside / "manifest.json").write_bytes(canonical_json(manifest))
    if path.exists():
        shutil.rmtree(path)
    os.replace(beside, path)
