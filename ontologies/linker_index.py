"""The compiled dictionary of the linker: names as order-free hashes in memory-mapped arrays.

A name is a multiset of word families. Each family has a 64-bit hash (BLAKE2b) and a name's *signature* is the sum of
its words' hashes modulo 2**64, so that the signature of any run of words in a text is the difference of two prefix
sums. The signatures are sorted; a bitmap over their leading bits turns most lookups away. With n signatures and m
lookups the chance of a false hit by collision is n·m/2**64, about 1e-8 for the whole of MEDLINE over HPO's names.

Folder layout (all little endian):
    manifest.json            kind, version, normalisation fingerprint, counts, size and sha256 of every file
    words.npy                uint64 (w,) sorted hashes of the known word families
    bitmap.npy               uint8 (2**b,) 1 where some signature starts with these b bits
    signatures.npy           uint64 (s,) sorted, unique
    rows.npy                 int64 (s + 1,) entries of signature i are rows[i]:rows[i + 1]
    entries.npy              structured (e,): concept, kind, flags, order, light, term (row of the term's text)
    system_bits.npy          uint64 (concepts,) bit i is set when the concept has a code in manifest.systems[i]
    term_offsets.npy, terms.bin           names as their sources write them, UTF-8
    concept_offsets.npy, concepts.bin     concepts, one JSON object each
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from errors import ArtifactError
from ontologies import normalize
from ontologies.concept import Concept, Term
from ontologies.variants import Name, compose, mine_pairs, names_of

KIND = "whydx-linker"
VERSION = 3
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
_ARRAYS = ("words", "bitmap", "signatures", "rows", "entries", "term_offsets", "concept_offsets", "system_bits")
_FILES = (*tuple(f"{name}.npy" for name in _ARRAYS), "terms.bin", "concepts.bin")


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
    bitmap: np.ndarray
    signatures: np.ndarray
    rows: np.ndarray
    entries: np.ndarray
    term_offsets: np.ndarray
    concept_offsets: np.ndarray
    system_bits: np.ndarray
    terms: np.ndarray
    concepts: np.ndarray
    manifest: dict[str, Any]

    def term(self, row: int) -> str:
        """The text of term ``row``."""
        return self.terms[self.term_offsets[row] : self.term_offsets[row + 1]].tobytes().decode()

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


def build(
    concepts: Iterable[Concept],
    terms: Iterable[Term],
    path: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Compile concepts and their terms into the folder ``path`` (written beside, then renamed over).

    Terms of concepts that are not given are left out, as are names without a letter. Raises ArtifactError when no
    name is left.
    """
    listed = sorted({c.curie: c for c in concepts}.values(), key=lambda c: c.curie)
    row_of = {c.curie: row for row, c in enumerate(listed)}
    texts = sorted({(t.curie, t.text, t.kind) for t in terms if t.curie in row_of})
    if progress:
        progress("learn word families", 0, len(texts))
    pairs = mine_pairs(texts)
    term_rows: dict[str, int] = {}
    records: dict[tuple[int, ...], tuple[int, ...]] = {}
    hash_of: dict[str, int] = {}
    for done, (curie, text, kind) in enumerate(texts):
        if progress and done % 5000 == 0:
            progress("compile names", done, len(texts))
        concept = row_of[curie]
        for name in names_of(text, kind, pairs):
            record = _record(name, concept, term_rows.setdefault(text, len(term_rows)), kind, hash_of)
            key = _key(record)
            if key not in records or _distance(record) < _distance(records[key]):
                records[key] = record
    for curie, text, composed_kind, name in compose(texts):
        record = _record(name, row_of[curie], term_rows[text], composed_kind, hash_of)
        key = _key(record)
        if key not in records or _distance(record) < _distance(records[key]):
            records[key] = record
    if not records:
        raise ArtifactError(
            "no names to compile into the linker's dictionary", expected="at least one concept with a name"
        )
    # Of entries that match equally well the first wins: the nearer to the source, the concept with more names and
    # codes.
    weight = [len(concept.codes) for concept in listed]
    for curie, _, _ in texts:
        weight[row_of[curie]] += 1
    table = sorted(records.values(), key=lambda r: (r[0], r[8], r[5], -weight[r[1]], r[1], r[2]))
    entries = np.array([(r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8]) for r in table], dtype=ENTRY)
    signatures, first = np.unique(np.array([r[0] for r in table], dtype="<u8"), return_index=True)
    bits = max(16, min(32, int(np.ceil(np.log2(len(signatures)))) + 4))
    bitmap = np.zeros(1 << bits, dtype=np.uint8)
    bitmap[(signatures >> np.uint64(64 - bits)).astype(np.int64)] = 1
    arrays = {
        "words": np.sort(np.array(sorted(set(hash_of.values())), dtype="<u8")),
        "bitmap": bitmap,
        "signatures": signatures,
        "rows": np.append(first, len(table)).astype("<i8"),
        "entries": entries,
    }
    arrays["term_offsets"], term_bytes = _blob(text.encode() for text in term_rows)
    arrays["concept_offsets"], concept_bytes = _blob(_concept_json(c) for c in listed)
    systems = sorted({system for concept in listed for system in concept.codes})[:64]
    arrays["system_bits"] = np.array(
        [sum(1 << systems.index(s) for s in c.codes if s in systems) for c in listed], dtype="<u8"
    )
    extra = {"terms.bin": term_bytes, "concepts.bin": concept_bytes}
    counts = {
        "concepts": len(listed),
        "terms": len(term_rows),
        "signatures": len(signatures),
        "longest": int(entries["words"].max()),
        "systems": systems,
    }
    _write(Path(path), arrays, extra, counts)
    if progress:
        progress("compile names", len(texts), len(texts))


def _key(record: tuple[int, ...]) -> tuple[int, ...]:
    """One entry for each signature, concept and order; names of one word are also kept apart by their lighter form."""
    return record[0], record[1], record[3], record[4] if record[7] == 1 else 0


def _distance(record: tuple[int, ...]) -> tuple[int, ...]:
    """Nearer to a source's wording first: cost, kind, then term."""
    return record[8], record[5], record[2]


def _record(name: Name, concept: int, term: int, kind: str, hash_of: dict[str, int]) -> tuple[int, ...]:
    hashes = []
    for word in name.families:
        if word not in hash_of:
            hash_of[word] = word_hash(word)
        hashes.append(hash_of[word])
    flags = GAP * name.gap | COORDINATED * name.coordinated | CASED * name.cased | VARIANT * name.variant
    light = sum(word_hash(word) for word in name.lights) & _MASK
    return sum(hashes) & _MASK, concept, term, ordered(hashes), light, KINDS.index(kind), flags, len(hashes), name.cost


def _blob(chunks: Iterable[bytes]) -> tuple[np.ndarray, bytes]:
    parts = list(chunks)
    return np.concatenate([[0], np.cumsum([len(p) for p in parts], dtype="<i8")]).astype("<i8"), b"".join(parts)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _concept_json(concept: Concept) -> bytes:
    return _json(
        {
            "curie": concept.curie,
            "name": concept.name,
            "semantic_types": list(concept.semantic_types),
            "codes": {system: list(codes) for system, codes in concept.codes.items()},
            "definition": concept.definition,
        }
    )


def _write(path: Path, arrays: dict[str, np.ndarray], extra: dict[str, bytes], counts: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        for name, array in arrays.items():
            np.save(beside / f"{name}.npy", array, allow_pickle=False)
        for name, data in extra.items():
            (beside / name).write_bytes(data)
        files = {}
        for name in _FILES:
            data = (beside / name).read_bytes()
            files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest = {
            "kind": KIND,
            "version": VERSION,
            "normalisation": normalize.fingerprint(),
            **counts,
            "files": files,
        }
        (beside / "manifest.json").write_bytes(_json(manifest))
        if path.exists():
            shutil.rmtree(path)
        os.replace(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def open_index(path: Path) -> LinkerIndex:
    """Open the folder ``path``. Raises ArtifactError when it is missing, damaged, empty or compiled by other rules.

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
    for name in _FILES:
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
    # As plain arrays over the same mapped memory: the memmap class is slow at small reads.
    loaded = {
        name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray) for name in _ARRAYS
    }
    blobs = {
        name: np.memmap(path / f"{name}.bin", dtype=np.uint8, mode="r").view(np.ndarray)
        for name in ("terms", "concepts")
    }
    return LinkerIndex(path=path, manifest=manifest, **loaded, **blobs)


def fingerprint(index: LinkerIndex) -> str:
    """Sixteen hexadecimal digits of the manifest, which holds the hash of every file."""
    return hashlib.sha256(_json(index.manifest)).hexdigest()[:16]
