"""A made-up UMLS release in the real layout: ``python -m benchmarks.scale.synthetic_umls FOLDER --scale S``.

At scale 1: 3.4 million concepts, 17 million English names (and a twentieth more in Spanish), 40 million rows of MRREL,
each relationship stated in both directions as in a real release, semantic types, definitions, ranks, sources. Names are
of invented words, about 35 characters long with a long tail; concepts have 1 to some hundreds of names and 0 to some
hundred thousands of relations; the hierarchy is about 15 levels deep; a few is_a circles and shared codes are put in.
The same scale and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CONCEPTS, NAMES, RELATION_ROWS = 3_400_000, 17_000_000, 40_000_000
_CHUNK = 500_000
_STRIDE = 1_299_709  # a prime
# Source, share of the concepts whose main source it is, term types with their ranks.
_SOURCES = (
    ("NCBI", 0.24, ("SCN", "SY", "USN")),
    ("SNOMEDCT_US", 0.14, ("PT", "SY", "FN")),
    ("MSH", 0.13, ("MH", "ET", "NM")),
    ("RXNORM", 0.11, ("SCD", "IN", "BN")),
    ("NCI", 0.09, ("PT", "SY", "AB")),
    ("LNC", 0.09, ("LN", "OSN", "CN")),
    ("MDR", 0.05, ("PT", "LLT", "HT")),
    ("ICD10PCS", 0.05, ("PX", "MTH_PX", "HX")),
    ("ICD10CM", 0.04, ("PT", "AB", "ET")),
    ("OMIM", 0.03, ("PT", "ACR", "ET")),
    ("HPO", 0.02, ("PT", "SY", "ET")),
    ("CHV", 0.01, ("PT", "SY", "AB")),
)
# Semantic types by the last two digits of a concept's number: (TUI, type, first, end).
_TYPES = (
    ("T047", "Disease or Syndrome", 0, 8),
    ("T033", "Finding", 8, 18),
    ("T023", "Body Part, Organ, or Organ Component", 18, 25),
    ("T061", "Therapeutic or Preventive Procedure", 25, 40),
    ("T121", "Pharmacologic Substance", 40, 60),
    ("T204", "Eukaryote", 60, 100),
)
_DISEASE, _FINDING, _BODY, _PROCEDURE, _DRUG, _ORGANISM = ((first, end) for _, _, first, end in _TYPES)
_ANY = (0, 100)
_HIERARCHY = 0.25
# REL, its inverse, RELA, its inverse, subjects, objects, share. A row says what CUI2, the subject, is to CUI1.
_RELATIONSHIPS = (
    ("RN", "RB", "", "", _ANY, _ANY, 0.10),
    ("RO", "RO", "", "", _ANY, _ANY, 0.05),
    ("RO", "RO", "has_finding_site", "finding_site_of", (0, 18), _BODY, 0.10),
    ("RO", "RO", "has_associated_morphology", "associated_morphology_of", _DISEASE, _FINDING, 0.08),
    ("RO", "RO", "has_causative_agent", "causative_agent_of", _DISEASE, _ORGANISM, 0.04),
    ("RO", "RO", "has_ingredient", "ingredient_of", _DRUG, _DRUG, 0.12),
    ("RO", "RO", "may_treat", "may_be_treated_by", _DRUG, _DISEASE, 0.03),
    ("RO", "RO", "has_method", "method_of", _PROCEDURE, _PROCEDURE, 0.10),
    ("RO", "RO", "has_component", "component_of", _ANY, _BODY, 0.10),
    ("RO", "RO", "has_manifestation", "manifestation_of", _DISEASE, _FINDING, 0.03),
)
_ENDINGS = (0.75, 0.05, 0.05, 0.05, 0.05, 0.05)
_ROOTS = (
    "cardi pneum hepat nephr gastr neur oste derm arthr my angi encephal hemat lymph bronch pleur thorac cyst col enter"
)
_JOINS = "o i a e opath omeg ost ul er in al ar ic"
_ENDS = "itis osis oma pathy ectomy plasty gram scopy emia uria algia tropic genic lysis plegia trophy stenosis ectasis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Rows at a scale."""

    concepts: int
    names: int
    relation_rows: int


@contextmanager
def working_folder(given: Path | None) -> Iterator[Path]:
    """``given``, where the files stay, or a temporary folder when it is None."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="whydx-umls-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def size(scale: float) -> Size:
    return Size(
        concepts=max(round(CONCEPTS * scale), 200),
        names=max(round(NAMES * scale), 1_000),
        relation_rows=max(round(RELATION_ROWS * scale / 2), 2_000) * 2,
    )


def cui(concepts: np.ndarray, total: int) -> pa.StringArray:
    """The identifiers of numbered concepts. Parents have smaller numbers than children; CUIs are in no such order."""
    modulus = total if total % _STRIDE else total + 1
    return _code("C", (concepts * _STRIDE + 17) % modulus, 7)


def write(folder: Path, scale: float, seed: int = 0) -> Size:
    """Write the release into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = size(scale)
    _write(folder / "MRCONSO.RRF", _names(rows, seed))
    _write(folder / "MRREL.RRF", _relations(rows, seed))
    _write(folder / "MRSTY.RRF", _types(rows))
    _write(folder / "MRDEF.RRF", _definitions(rows, seed))
    ranked = [(source, tty) for source, _, ttys in _SOURCES for tty in ttys]
    _text(folder / "MRRANK.RRF", [f"{len(ranked) - i:04d}|{sab}|{tty}|N|" for i, (sab, tty) in enumerate(ranked)])
    pairs = [(row[2], row[3]) for row in _RELATIONSHIPS if row[2]] + [("isa", "inverse_isa")]
    inverses = [*pairs, *((two, one) for one, two in pairs)]
    _text(folder / "MRDOC.RRF", [f"RELA|{one}|rela_inverse|{two}|" for one, two in inverses])
    versions = [f"|C0000000|{s}_2025|{s}|{s}|{s}|2025||||||9|||||||ENG|UTF-8|Y|Y|{s}||" for s, _, _ in _SOURCES]
    _text(folder / "MRSAB.RRF", versions)
    return rows


def words(count: int = 40_000) -> list[str]:
    """Invented words in the style of medicine's, no two alike, from short to long."""
    short = [f"{a}{b}{c}" for a in _ROOTS.split() for b in _JOINS.split() for c in _ENDS.split()]
    found = dict.fromkeys(short)
    for start in (f"{a}{b}" for b in _JOINS.split() for a in _ROOTS.split()):
        found.update(dict.fromkeys(start + word for word in short))
        if len(found) >= count:
            break
    return list(found)[:count]


def _names(rows: Size, seed: int) -> Iterator[pa.Array]:
    vocabulary = pa.array(words())
    rng = np.random.default_rng([seed, 1])
    weight = np.minimum(rng.pareto(1.5, rows.concepts), 300)  # further names of a concept: a long tail
    further = rows.names - rows.concepts
    concept = np.searchsorted(np.cumsum(weight), rng.random(further) * weight.sum())
    concept = np.sort(np.concatenate([np.arange(rows.concepts), concept]))
    main = rng.choice(len(_SOURCES), rows.concepts, p=[share for _, share, _ in _SOURCES])
    for number, start in enumerate(range(0, len(concept), _CHUNK)):
        part = concept[start : start + _CHUNK]
        yield _name_rows(part, start, main[part], rows, vocabulary, np.random.default_rng([seed, 2, number]))


def _name_rows(
    concept: np.ndarray, start: int, main: np.ndarray, rows: Size, vocabulary: pa.Array, rng: np.random.Generator
) -> pa.Array:
    n = len(concept)
    atom = start + np.arange(n)
    types = [tty for _, _, ttys in _SOURCES for tty in ttys]
    source = np.where(rng.random(n) < 0.7, main, (main + 1 + concept % 3) % len(_SOURCES))
    code = np.where(concept % 50 == 1, concept - 1, concept)  # a few neighbouring concepts share theirs
    code = _code("", code, 8)
    english = _lines(
        cui(concept, rows.concepts),
        "ENG",
        _pick(["P", "S"], rng.choice(2, n, p=[0.3, 0.7])),
        _code("L", atom, 8),
        _pick(["PF", "VO", "VC"], rng.choice(3, n, p=[0.6, 0.3, 0.1])),
        _code("S", atom, 8),
        _pick(["Y", "N"], rng.choice(2, n)),
        _code("A", atom, 8),
        "",
        "",
        "",
        _pick([name for name, _, _ in _SOURCES], source),
        _pick(types, source * 3 + rng.choice(3, n, p=[0.5, 0.4, 0.1])),
        code,
        _phrases(concept, rng, vocabulary),
        "0",
        _pick(["N", "O"], rng.choice(2, n, p=[0.98, 0.02])),
        "",
    )
    spanish = pc.replace_substring(english.take(pa.array(np.arange(0, n, 20))), "|ENG|", "|SPA|")
    return pa.concat_arrays([english, spanish])


def _phrases(concept: np.ndarray, rng: np.random.Generator, vocabulary: pa.Array) -> pa.Array:
    """Names: words that depend on the concept, one of them often exchanged, and an ending."""
    n = len(concept)
    length = 1 + (_hash(concept, 0) % 97) // 32 + (_hash(concept, 1) % 31 == 0) * 5
    exchanged = np.where(rng.random(n) < 0.6, rng.integers(0, 10, n) % length, -1)
    columns: list[Any] = []
    for place in range(int(length.max())):
        share = np.where(exchanged == place, rng.random(n), (_hash(concept, 2 + place) % 1_000_003) / 1_000_003)
        index = (share**2.5 * len(vocabulary)).astype(np.int32)  # short words are the common ones
        columns.append(vocabulary.take(pa.array(index, mask=length <= place)))
    columns.append(_pick([None, "NOS", "(disorder)", "[finding]", "type 2", "left"], rng.choice(6, n, p=_ENDINGS)))
    return pc.binary_join_element_wise(*columns, " ", null_handling="skip")


def _relations(rows: Size, seed: int) -> Iterator[pa.Array]:
    pairs = rows.relation_rows // 2
    hierarchy = int(pairs * _HIERARCHY)
    ends = np.cumsum([hierarchy, *(int(pairs * row[-1]) for row in _RELATIONSHIPS)])
    ends[-1] = pairs
    for kind, end in enumerate(ends):
        first = 0 if kind == 0 else int(ends[kind - 1])
        for number, start in enumerate(range(first, int(end), _CHUNK)):
            rng = np.random.default_rng([seed, 3, kind, number])
            place = np.arange(start, min(start + _CHUNK, int(end)))
            yield _relation_rows(kind, place, rows, rng)


def _relation_rows(kind: int, place: np.ndarray, rows: Size, rng: np.random.Generator) -> pa.Array:
    """The rows of relationships of one kind, each with its inverse."""
    n = len(place)
    source = rng.integers(0, 6, n)
    if kind == 0:
        rel, inverse, rela, inverse_rela = "CHD", "PAR", "isa", "inverse_isa"
        subject = 100 + place % (rows.concepts - 100)
        again = place // (rows.concepts - 100)
        object_ = parent(subject, np.where(subject % 7 == 0, again, 0))
        source = (subject + again) % 6  # another source says it again, or says something else
        circle = place % 100_003 == 5  # and a few have it the wrong way round
        subject, object_ = np.where(circle, object_, subject), np.where(circle, subject, object_)
    else:
        rel, inverse, rela, inverse_rela, subjects, objects, _ = _RELATIONSHIPS[kind - 1]
        subject = _draw(rng, n, rows.concepts, subjects, 1.5)
        object_ = _draw(rng, n, rows.concepts, objects, 4.0)  # hubs
    sab = _pick([name for name, _, _ in _SOURCES], source)
    left, right = cui(object_, rows.concepts), cui(subject, rows.concepts)
    one, two = _code("A", object_, 8), _code("A", subject, 8)
    tail = (sab, sab, "", "", "N", "")
    return pa.concat_arrays(
        [
            _lines(left, one, "AUI", rel, right, two, "AUI", rela, _code("R", place * 2, 9), "", *tail),
            _lines(right, two, "AUI", inverse, left, one, "AUI", inverse_rela, _code("R", place * 2 + 1, 9), "", *tail),
        ]
    )


def parent(child: np.ndarray, again: np.ndarray) -> np.ndarray:
    """A concept of the same type and a smaller number, so that the hierarchy is about 15 levels deep."""
    share = 0.1 + 0.5 * ((_hash(child, 50) + 7_919 * again) % 10_007) / 10_007
    above = (child * share).astype(np.int64)
    return np.where(child < 1_000, child % 100, above - above % 100 + child % 100)


def _draw(rng: np.random.Generator, n: int, concepts: int, kind: tuple[int, int], tail: float) -> np.ndarray:
    """Concepts of a type; those of small numbers more often, the more so the larger ``tail``."""
    block = (rng.random(n) ** tail * (concepts // 100)).astype(np.int64)
    return block * 100 + rng.integers(*kind, n)


def _types(rows: Size) -> Iterator[pa.Array]:
    tui = np.repeat(np.arange(len(_TYPES)), [end - first for _, _, first, end in _TYPES])
    for start in range(0, rows.concepts, _CHUNK):
        concept = np.arange(start, min(start + _CHUNK, rows.concepts))
        kind = tui[concept % 100]
        yield _lines(
            cui(concept, rows.concepts),
            _pick([row[0] for row in _TYPES], kind),
            "A1.2",
            _pick([row[1] for row in _TYPES], kind),
            _code("AT", concept, 8),
            "",
        )


def _definitions(rows: Size, seed: int) -> Iterator[pa.Array]:
    vocabulary = pa.array(words())
    for number, start in enumerate(range(0, rows.concepts, _CHUNK * 12)):
        concept = np.arange(start, min(start + _CHUNK * 12, rows.concepts), 12)
        rng = np.random.default_rng([seed, 4, number])
        text = [_phrases(concept, rng, vocabulary) for _ in range(4)]
        atom = _code("A", concept, 8)
        defined = pc.binary_join_element_wise(*text, " of ")
        yield _lines(cui(concept, rows.concepts), atom, _code("AT", concept, 8), "", "MSH", defined, "N", "")


def _hash(numbers: np.ndarray, salt: int) -> np.ndarray:
    """int64, not negative: numbers that look random and depend on ``numbers`` and ``salt`` only (SplitMix64)."""
    x = (numbers.astype(np.uint64) + np.uint64(salt + 1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x >> np.uint64(2)).astype(np.int64)


def _pick(values: list[Any], index: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(index))


def _code(prefix: str, numbers: np.ndarray, width: int) -> pa.StringArray:
    """``prefix`` and the numbers in ``width`` digits."""
    head = prefix.encode()
    characters = np.empty((len(numbers), len(head) + width), np.uint8)
    characters[:, : len(head)] = np.frombuffer(head, np.uint8)
    rest = numbers.astype(np.int64)
    for place in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        characters[:, len(head) + place] = 48 + digit
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * characters.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(characters))


def _lines(*fields: Any) -> pa.Array:
    """Rows of RRF, each field ended by "|", each row by a line end."""
    return pc.binary_join_element_wise(*fields, "\n", "|")


def _write(path: Path, parts: Iterator[pa.Array]) -> None:
    with open(path, "wb") as stream:
        for part in parts:
            _, offsets, data = part.buffers()
            ends = np.frombuffer(offsets, np.int32)[part.offset : part.offset + len(part) + 1]
            stream.write(memoryview(data)[ends[0] : ends[-1]])


def _text(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(write(arguments.folder, arguments.scale, arguments.seed))


if __name__ == "__main__":
    main()
