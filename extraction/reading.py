"""Texts → sentences with the concepts that they mention, kept in the home so that nothing is linked twice.

HOME/extracted/read/KEY/ holds one source as read by one linker: shards of SHARD texts (gzipped JSON lines), each
written beside and renamed, and ``done.json`` when the source is at its end. A run that was killed goes on after its
last whole shard.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError
from extraction.source import Source, Text, TextKind, Withdrawn
from extraction.treatment import Treatments
from ontologies.concept import Presence
from ontologies.linking.context.sections import sections
from ontologies.linking.context.sentences import sentences

if TYPE_CHECKING:
    from ontologies.linking.linker import ConceptMatch, Linker

VERSION = 1  # of what is kept of a text; higher reads anew
SHARD = 1000
Progress = Callable[[str, int, int], None]
# Parts of an abstract that say what was asked or done, not what was found.
_AIMS = re.compile(
    r"(?:OBJECTIVES?|AIMS?|PATIENTS (?:AND|&) METHODS|PURPOSE|METHODS?|MATERIALS?|DESIGN|SETTING|PARTICIPANTS|"
    r"INTERVENTIONS?|MEASUREMENTS?|"
    r"STUDY|TRIAL|BACKGROUND AND (?:AIM|OBJECTIVE|PURPOSE)|HYPOTHESIS|SEARCH|SELECTION|DATA (?:SOURCES|EXTRACTION))",
)
_ANIMALS = re.compile(
    r"\b(?:mice|mouse|rats?|murine|rabbits?|dogs?|canine|pigs?|piglets?|porcine|zebrafish|cattle|calves|bovine|"
    r"sheep|lambs?|monkeys?|macaques?|hamsters?|ferrets?|chickens?|in vitro|cell lines?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """``sentence.text[start:end]`` names ``concept``: a canonical CURIE, or of a treatment its name. ``treated``: it is
    one. ``places``: where the text says it is, with its side."""

    concept: str
    start: int
    end: int
    presence: Presence
    context: str = ""
    places: tuple[str, ...] = ()
    treated: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """``aim``: it stands in a part of an abstract that says what was asked or done; ``title``: it is the title."""

    text: str
    mentions: tuple[Mention, ...]
    aim: bool = False
    title: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as read: the sentences that mention something, in order. ``animal``: it is about animals or cells."""

    doc_id: str
    kind: TextKind
    sentences: tuple[Sentence, ...]
    animal: bool = False


def read(
    home: Path, chosen: Sequence[Source], linker: Linker, *, progress: Progress | None = None
) -> tuple[list[Reading], Withdrawn]:
    """All texts of the sources that mention something, in their order, and what was withdrawn by any of them.

    A paper that comes twice counts once, in its last version; one that was retracted or deleted is not there.
    """
    withdrawn, found = Withdrawn(), {}
    treatments = Treatments()
    for source in chosen:
        for reading in _kept(
            _folder(home, source, linker, treatments), source, linker, treatments, withdrawn, progress
        ):
            found[reading.doc_id] = reading
    for gone in withdrawn.retracted | withdrawn.deleted:
        found.pop(gone, None)
    return list(found.values()), withdrawn


def _folder(home: Path, source: Source, linker: Linker, treatments: Treatments) -> Path:
    made_of = f"{source.fingerprint} {linker.fingerprint} {treatments.fingerprint} {VERSION}"
    return home / "extracted" / "read" / hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _kept(
    folder: Path,
    source: Source,
    linker: Linker,
    treatments: Treatments,
    withdrawn: Withdrawn,
    progress: Progress | None,
) -> Iterator[Reading]:
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done.json"
    if done.is_file():
        record = _json(done.read_bytes(), done)
        withdrawn.retracted.update(record["retracted"])
        withdrawn.deleted.update(record["deleted"])
        for number in range(record["shards"]):
            yield from _load(folder / f"{number:05}.jsonl.gz")
        return
    own = Withdrawn()
    texts, number, count = source.texts(own), 0, 0
    while batch := list(islice(texts, SHARD)):
        shard = folder / f"{number:05}.jsonl.gz"
        if not shard.is_file():
            _save(shard, [_stored(r) for r in readings(batch, linker, treatments) if r.sentences])
        yield from _load(shard)
        number, count = number + 1, count + len(batch)
        if progress:
            progress(f"read {source.name}", count, 0)
    record = {"shards": number, "retracted": sorted(own.retracted), "deleted": sorted(own.deleted), "texts": count}
    _save_bytes(done, json.dumps(record).encode())
    withdrawn.retracted |= own.retracted
    withdrawn.deleted |= own.deleted


def readings(texts: Sequence[Text], linker: Linker, treatments: Treatments) -> Iterator[Reading]:
    """Each text as read, in order; without sentences when it mentions nothing."""
    written = [f"{_ended(t.title)} {t.text}".strip() if t.title else t.text for t in texts]
    for text, whole, matches in zip(texts, written, linker.link_all(written), strict=True):
        parts = tuple(_sentences(text, whole, matches, treatments))
        animals = len(_ANIMALS.findall(whole))
        animal = text.kind == "paper" and (animals > 1 or about_animals(text.title))
        yield Reading(text.doc_id, text.kind, parts, animal)


def about_animals(text: str) -> bool:
    """Whether a text names animals, or cells outside a body."""
    return bool(_ANIMALS.search(text))


def _ended(title: str) -> str:
    title = title.strip()
    title = title[1:].rstrip(".]") if title.startswith("[") else title  # a translated title
    return title if title.endswith((".", "?", "!")) else f"{title}."


def _sentences(text: Text, whole: str, matches: Iterable[ConceptMatch], treatments: Treatments) -> Iterator[Sentence]:
    heads = sections(whole)
    aims = [(head.start, head.end) for head in heads if _AIMS.match(whole[head.start : head.name_end])]
    cuts = [cut for head in heads for cut in (head.start, head.name_end)]
    rest = sorted(matches, key=lambda m: m.start)
    title = len(_ended(text.title)) if text.title else 0
    for start, end, _ in sentences(whole, cuts):
        own = [m for m in rest if start <= m.start and m.end <= end]
        rest = [m for m in rest if m.start >= end]
        part = whole[start:end]
        mentions = [
            Mention(
                m.concept.curie,
                m.start - start,
                m.end - start,
                m.presence,
                m.context or "",
                tuple(_place(m.laterality, place) for place in m.locations),
            )
            for m in own
        ]
        mentions += [Mention(name, a, b, "present", treated=True) for name, a, b in treatments.found(part)]
        if mentions:
            first = start + len(part) - len(part.lstrip())
            aim = any(a <= first < b for a, b in aims)
            yield Sentence(part, tuple(mentions), aim, start < title)


def _place(side: str | None, place: str) -> str:
    return place if side is None or side in place else f"{side} {place}"


def _stored(reading: Reading) -> list[Any]:
    parts = [
        [
            s.text,
            int(s.aim),
            int(s.title),
            [[m.concept, m.start, m.end, m.presence, m.context, list(m.places), int(m.treated)] for m in s.mentions],
        ]
        for s in reading.sentences
    ]
    return [reading.doc_id, reading.kind, int(reading.animal), parts]


def _loaded(row: Any) -> Reading:
    doc_id, kind, animal, parts = row
    return Reading(
        doc_id,
        kind,
        tuple(
            Sentence(
                text,
                tuple(Mention(c, a, b, said, about, tuple(at), bool(t)) for c, a, b, said, about, at, t in mentions),
                bool(aim),
                bool(title),
            )
            for text, aim, title, mentions in parts
        ),
        bool(animal),
    )


def _save(path: Path, rows: Sequence[Any]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    _save_bytes(path, gzip.compress(text.encode("utf-8", "surrogatepass"), 5, mtime=0))


def _save_bytes(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def _load(path: Path) -> Iterator[Reading]:
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8", "surrogatepass").split("\n")
        yield from (_loaded(json.loads(line)) for line in lines if line)
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise _damaged(path) from error


def _json(data: bytes, path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(data)
    except ValueError as error:
        raise _damaged(path) from error
    return found


def _damaged(path: Path) -> ArtifactError:
    return ArtifactError("damaged file of what was read", value=path, run=f"rm -r {path.parent}, then extract again")
