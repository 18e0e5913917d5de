"""The compiled dictionary of the linker: names as order-free hashes in memory-mapped arrays.

A name is a multiset of word families. Each family has a 64-bit hash (BLAKE2b) and a name's *signature* is the sum of
its words' hashes modulo 2**64, so that the signature of any run of words in a text is the difference of two prefix
sums. The signatures are sorted; a bitmap over their leading bits turns most lookups away. With n signatures and m
lookups the chance of a false hit by collision is n·m/2**64, about 1e-8 for the whole of MEDLINE over HPO's names.

Folder layout (all little endian):
    manifest.json            kind, version, normalisation fingerprint, counts, size and sha256 of every file
    words.npy                uint64 (w,) sorted hashes of the word families of names
    others.npy               uint64 (o,) sorted hashes of the other word families that names and definitions hold
    misspelt.npy             uint64 (t,) sorted hashes of long words, whole and without one letter
    meant.npy                uint64 (t, 2) the hashes of the family and of the lighter form of each of these words
    bitmap.npy               uint8 (2**(b - 3),) bit i (from the least of each byte) is set when some signature starts
                             with the b bits of i
    signatures.npy           uint64 (s,) sorted, unique
    rows.npy                 int64 (s + 1,) entries of signature i are rows[i]:rows[i + 1]
    anchors.npy              int32 (2 s,) rows of words.npy: of each signature the two longest of its words (or the one,
                             twice), which a text that holds the name has, too
    entries.npy              structured (e,): concept, kind, flags, order, light, term (row of the term's text)
    system_bits.npy          uint64 (concepts,) bit i is set when the concept has a code in manifest.systems[i]
    parent_rows.npy          int64 (concepts + 1,) the parents of concept i: parents[parent_rows[i]:parent_rows[i + 1]]
    parents.npy              int32 (p,) rows of concepts, ascending for each concept
    term_offsets.npy, terms.bin           names as their sources write them, UTF-8
    concept_offsets.npy, concepts.bin     concepts, one JSON object each
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from errors import ArtifactError
from ontologies.concept import Concept
from ontologies.linking import normalize

KIND = "whydx-linker"
WORDS = Path(__file__).parent / "data"
VERSION = 7
REBUILD = "whydx index build"
ENTRY = np.dtype(
    [
        ("concept", "<i4"),
        ("term", "<i4"),
        ("order", "<u8"),
        ("light", "<u8"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("words", "u1"),
        ("cost", "u1"),
    ]
)
# Entry flags
GAP, COORDINATED, CASED, VARIANT = 1, 2, 4, 8
KINDS = ("preferred", "exact", "abbreviation", "layperson", "narrow", "related", "broad")
_MASK = (1 << 64) - 1
_VERIFY_BELOW = 256 << 20
ARRAYS = (
    "words",
    "others",
    "misspelt",
    "meant",
    "bitmap",
    "signatures",
    "rows",
    "anchors",
    "entries",
    "term_offsets",
    "concept_offsets",
    "system_bits",
    "parent_rows",
    "parents",
)
FILES = (*tuple(f"{name}.npy" for name in ARRAYS), "terms.bin", "concepts.bin")


@lru_cache(maxsize=1 << 16)
def word_hash(word: str) -> int:
    """The 64-bit hash of a word, never 0."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little") or 1


def ordered(hashes: Iterable[int]) -> int:
    """A hash of the sequence, unlike the signature sensitive to the order of the words."""
    return sum(h * (2 * i + 3) for i, h in enumerate(hashes)) & _MASK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkerIndex:
    """The arrays of a compiled dictionary, memory-mapped; see the module's docstring."""

    path: Path
    words: np.ndarray
    others: np.ndarray
    misspelt: np.ndarray
    meant: np.ndarray
    bitmap: np.ndarray
    signatures: np.ndarray
    rows: np.ndarray
    anchors: np.ndarray
    entries: np.ndarray
    term_offsets: np.ndarray
    concept_offsets: np.ndarray
    system_bits: np.ndarray
    parent_rows: np.ndarray
    parents: np.ndarray
    terms: np.ndarray
    concepts: np.ndarray
    manifest: dict[str, Any]

    def term(self, row: int) -> str:
        """The text of term ``row``."""
        return self.terms[self.term_offsets[row] : self.term_offsets[row + 1]].tobytes().decode()

    def above(self, row: int) -> frozenset[int]:
        """Concept ``row`` and all its ancestors."""
        found, rest = {row}, [row]
        while rest:
            at = rest.pop()
            fresh = set(self.parents[self.parent_rows[at] : self.parent_rows[at + 1]].tolist()) - found
            found |= fresh
            rest.extend(fresh)
        return frozenset(found)

    def concept(self, row: int) -> Concept:
        """Concept ``row``."""
        data = json.loads(self.concepts[self.concept_offsets[row] : self.concept_offsets[row + 1]].tobytes())
        return Concept(
            curie=data["curie"],
            name=data["name"],
            semantic_types=tuple(data["semantic_types"]),
            codes={system: tuple(codes) for system, codes in data["codes"].items()},
            definition=data["definition"],
        )

    @property
    def systems(self) -> list[str]:
        """The code systems, in the order of their bits in ``system_bits``."""
        return list(self.manifest["systems"])

    @property
    def longest(self) -> int:
        """Words in the longest name."""
        return int(self.manifest["longest"])


def canonical_json(value: object) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def open_index(path: Path) -> LinkerIndex:
    """Open the folder ``path``. Raises ArtifactError when it is missing, damaged, empty, compiled by other rules or
    from another graph than the one beside it.

    Sizes are always checked; contents too when the dictionary has less than 256 MB (HPO's: a few hundredths of a
    second).
    """
    path = Path(path)
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        files, version, counts = manifest["files"], manifest["version"], (manifest["signatures"], manifest["longest"])
        kind, normalisation = manifest["kind"], manifest["normalisation"]
    except FileNotFoundError:
        raise ArtifactError("the linker's dictionary is missing", value=path, run=REBUILD) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ArtifactError("the linker's dictionary is damaged", value=path / "manifest.json", run=REBUILD) from None
    if kind != KIND or version != VERSION or normalisation != normalize.fingerprint():
        raise ArtifactError(
            "the linker's dictionary is stale",
            value=path,
            expected=f"version {VERSION} and this release's rules",
            run=REBUILD,
        )
    whole = isinstance(files, dict) and sum(f.get("size", 0) for f in files.values()) < _VERIFY_BELOW
    for name in FILES:
        file = path / name
        try:
            sound = file.stat().st_size == files[name]["size"]
            if sound and whole:
                sound = hashlib.sha256(file.read_bytes()).hexdigest() == files[name]["sha256"]
        except (OSError, KeyError, TypeError):
            sound = False
        if not sound:
            raise ArtifactError("the linker's dictionary is damaged", value=file, run=REBUILD)
    if not all(counts):
        raise ArtifactError("the linker's dictionary is empty", value=path, run=REBUILD)
    source, graph = manifest.get("source", ""), _graph_beside(path)
    if source and graph and source != graph:
        raise ArtifactError(
            "the linker's dictionary is stale: the graph was built anew since",
            value=path,
            expected=f"names of graph {graph[:12]}, not {source[:12]}",
            run=REBUILD,
        )
    # As plain arrays over the same mapped memory: the memmap class is slow at small reads.
    loaded = {
        name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray) for name in ARRAYS
    }
    blobs = {
        name: np.memmap(path / f"{name}.bin", dtype=np.uint8, mode="r").view(np.ndarray)
        for name in ("terms", "concepts")
    }
    return LinkerIndex(path=path, manifest=manifest, **loaded, **blobs)


def _graph_beside(path: Path) -> str:
    """The hash of what the graph beside the dictionary was built from, as the home records it; "" when it does not."""
    try:
        return str(json.loads((path.parent / "built.json").read_bytes())["graph"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def fingerprint(index: LinkerIndex) -> str:
    """Sixteen hexadecimal digits of the manifest, which holds the hash of every file."""
    return hashlib.sha256(canonical_json(index.manifest)).hexdigest()[:16]
