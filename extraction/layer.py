"""The layer of a home: edges read out of texts, with all that speaks for each. Nothing of it is in the curated graph.

HOME/extracted/
    read/           texts as read (`extraction.reading`)
    layer/          edges.jsonl, frequencies.jsonl, manifest.json (what was read, by which model)
    review.jsonl    what reviewers decided (`extraction.review`)
    state.json      whether the layer takes part in diagnoses, and graph/, what then does (`kg.overlay`)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from errors import ArtifactError, InputError
from extraction.relation import Evidence, Kind
from extraction.vocabulary import Standing
from indexes import manifest
from kg import overlay

KIND, VERSION = "extracted layer", 1
RUN = "whydx ontology extract --from medline"
Predicate = Literal["has_phenotype", "excludes_phenotype", "treated_with", "located_in"]
_LONGEST = 400  # characters of a sentence that is kept
_QUOTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A sentence that speaks for an edge. ``said`` is what its words say; ``doubt``: it says so with a doubt."""

    doc_id: str
    sentence: str
    said: str
    doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A relation read out of texts. ``object`` is a CURIE, or the name of a treatment or place.

    ``standing``: beside the curated edges (`extraction.vocabulary`); ``against``: the curated edge that it contradicts,
    in words. ``earlier``: the finding comes before the disease (a risk, an exposure). ``score`` in [0, 1], ``llr`` and
    ``ppmi`` (bits) by sentence; ``sentences``, ``texts`` and ``cases``: how many texts say it in a sentence, as a
    whole, and of these how many are cases; ``hedged`` and ``denied`` as in `extraction.relation.Pair`. ``shown`` of
    ``examined`` cases with the disease have the finding; both 0 without cases. ``curated``: the curated frequency.
    """

    id: str
    kind: Kind
    subject: str
    subject_name: str
    predicate: Predicate
    object: str
    object_name: str
    standing: Standing
    score: float
    llr: float
    ppmi: float
    sentences: int
    texts: int
    cases: int
    model: str
    against: str = ""
    earlier: bool = False
    hedged: int = 0
    denied: int = 0
    shown: int = 0
    examined: int = 0
    curated: float | None = None
    chest: bool = False
    said: Mapping[str, int] | None = None
    quotes: tuple[Quote, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        """The papers and cases that are named for it, each once, those with a sentence first."""
        return tuple(dict.fromkeys([*(q.doc_id for q in self.quotes), *self.documents]))

    @property
    def frequency(self) -> float | None:
        """The share of cases that show it, of at least MOST_OF cases; None of fewer."""
        return self.shown / self.examined if self.examined >= LEAST_CASES else None


LEAST_CASES = 8
_NAMES = [f.name for f in fields(Edge)]


def edge_id(subject: str, predicate: str, other: str) -> str:
    """Ten hexadecimal digits that stay when the edge is read again."""
    return hashlib.sha256(f"{subject}|{predicate}|{other}".encode()).hexdigest()[:10]


def quotes(evidence: Sequence[Evidence]) -> tuple[Quote, ...]:
    """The clearest sentences, one a text."""
    found = {e.doc_id: e for e in reversed(evidence)}
    kept = [e for e in evidence if found[e.doc_id] is e][:_QUOTED]
    return tuple(Quote(doc_id=e.doc_id, sentence=_around(e), said=e.said, doubt=e.hedged) for e in kept)


def _around(evidence: Evidence) -> str:
    """The sentence without the blanks around it; of a long one the part that holds the two ends."""
    text, start = evidence.sentence, min(evidence.disease[0], evidence.other[0])
    end = max(evidence.disease[1], evidence.other[1])
    if len(text) <= _LONGEST:
        return " ".join(text.split())
    spare = max(_LONGEST - (end - start), 0) // 2
    first, last = max(start - spare, 0), min(end + spare, len(text))
    return ("…" if first else "") + " ".join(text[first:last].split()) + ("…" if last < len(text) else "")


def write(
    home: Path,
    edges: Iterable[Edge],
    frequencies: Iterable[Mapping[str, Any]],
    *,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
) -> None:
    """Write the layer in place of the one before; by kind, falling score and id. Decisions of reviewers stay."""
    ordered = sorted(edges, key=lambda e: (e.kind, -e.score, e.id))
    with manifest.atomic_directory(overlay.folder(home) / "layer") as beside:
        _lines(beside / "edges.jsonl", (asdict(e) for e in ordered))
        _lines(beside / "frequencies.jsonl", frequencies)
        manifest.write(beside, kind=KIND, version=VERSION, inputs=inputs, settings={**settings, "edges": len(ordered)})


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogatepass") as stream:
        for row in rows:
            kept = {name: value for name, value in row.items() if value not in (None, "", False, ())}
            stream.write(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")


class Layer:
    """An opened layer: ``edges`` by kind and falling score, ``record`` its manifest."""

    def __init__(self, path: Path, record: manifest.Manifest) -> None:
        self.path, self.record = path, record
        self.edges: tuple[Edge, ...] = tuple(_edge(row) for row in _rows(path / "edges.jsonl"))
        self.by_id = {edge.id: edge for edge in self.edges}

    @classmethod
    def open(cls, home: Path) -> Layer:
        """Raises ArtifactError when nothing was extracted yet, or the layer is damaged."""
        path = overlay.folder(home) / "layer"
        return cls(path, manifest.read(path, kind=KIND, version=VERSION, run=RUN))

    def edge(self, name: str) -> Edge:
        """The edge whose id begins with ``name`` (four letters or more). Raises InputError when none or several do."""
        found = [e for e in self.edges if e.id.startswith(name)] if len(name) > 3 else []
        if len(found) != 1:
            what = "several edges begin so" if found else "no such edge"
            raise InputError(what, value=name, expected="an id", run="whydx ontology review --list")
        return found[0]

    def frequencies(self) -> list[dict[str, Any]]:
        """Rows of `extraction.frequency.Counted` as JSON values."""
        return list(_rows(self.path / "frequencies.jsonl"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for line in path.read_text(encoding="utf-8", errors="surrogatepass").split("\n"):
            if line:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise ArtifactError("the extracted layer is damaged", value=path, run=RUN) from error


def _edge(row: Mapping[str, Any]) -> Edge:
    known = {name: row[name] for name in _NAMES if name in row}
    known["quotes"] = tuple(Quote(**quote) for quote in row.get("quotes", ()))
    known["documents"] = tuple(row.get("documents", ()))
    for name in ("score", "llr", "ppmi", "sentences", "texts", "cases"):
        known.setdefault(name, 0)
    return Edge(**known)
