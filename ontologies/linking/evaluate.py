"""Measure the linker against a gold standard in PubTator format.

Documents are lines ``id|t|text`` and ``id|a|text`` (title and abstract, joined by a space when both are given),
mentions are tab-separated ``id, start, end, text, type, identifier``. A line without a tab goes on with the text
before it. Metrics are micro-averaged over documents: the
set of identifiers of a document, the exact mention (start, end, identifier), and overlapping mentions with the same
identifier.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from errors import InputError
from ontologies.linking.linker import Linker

Mention = tuple[int, int, str]
_NESTED = 0.1


def read_pubtator(path: Path) -> tuple[dict[str, str], dict[str, set[Mention]]]:
    """(document id → text, document id → its mentions). Raises InputError, with the line, for what is not PubTator."""
    texts: dict[str, str] = {}
    mentions: dict[str, set[Mention]] = {}
    open_: str | None = None  # the document whose text may go on
    blank = 0
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the gold standard", value=path, expected="a PubTator file in UTF-8") from error
    for number, line in enumerate(lines, 1):
        head = line[:60]
        if "|t|" in head:
            open_, text = line.split("|t|", 1)
            texts[open_] = text
            mentions.setdefault(open_, set())
        elif "|a|" in head:
            open_, text = line.split("|a|", 1)
            if text:
                texts[open_] = f"{texts[open_]} {text}" if texts.get(open_) else text
            mentions.setdefault(open_, set())
        elif not line.strip():
            blank += 1
            continue
        elif open_ is not None and "\t" not in line:
            texts[open_] += "\n" * (blank + 1) + line
        else:
            open_ = None
            fields = line.split("\t")
            if len(fields) < 6 or not (fields[1].isdigit() and fields[2].isdigit()) or fields[0] not in texts:
                raise InputError(
                    f"{path.name}, line {number}: not PubTator",
                    value=line,
                    expected="id, start, end, text, type, identifier",
                )
            mentions[fields[0]].add((int(fields[1]), int(fields[2]), fields[5].strip()))
        blank = 0
    if not texts:
        raise InputError("no document in the gold standard", value=path, expected="lines id|t|text")
    return texts, mentions


def is_nested(mentions: Mapping[str, set[Mention]]) -> bool:
    """Whether a gold standard marks names inside names: one mention in ten or more lies within another. Of the
    published ones GSC+ does (17 to 23 %), ID-68, GeneReviews, E3C and the NCBI disease corpus do not (up to 2 %)."""
    every = [(mention, found) for found in mentions.values() for mention in found]
    inside = sum(any(a <= m[0] and m[1] <= b and (a, b) != m[:2] for a, b, _ in found) for m, found in every)
    return inside > _NESTED * len(every)


def predict(
    texts: Mapping[str, str],
    linker: Linker,
    vocab: str = "HP",
    progress: Callable[[str, int, int], None] | None = None,
    *,
    nested: bool = False,
) -> dict[str, list[tuple[int, int, str, str]]]:
    """Document id → (start, end, mention, identifier) of every match with a code in ``vocab``, by start, end,
    identifier; with ``nested`` names inside names too."""
    found: dict[str, list[tuple[int, int, str, str]]] = {}
    for done, (document, matches) in enumerate(
        zip(texts, linker.link_all(texts.values(), systems=(vocab,), nested=nested, assess=False), strict=True)
    ):
        if progress:
            progress("link", done, len(texts))
        rows = set()
        for match in matches:
            code = match.concept.code(vocab)
            if code is not None:
                rows.add((match.start, match.end, match.mention, f"{vocab}:{code}"))
        found[document] = sorted(rows)
    return found


def evaluate_link(
    gold: Path,
    linker: Linker,
    vocab: str = "HP",
    *,
    nested: bool | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Link every document of ``gold`` and score the result: (predictions in PubTator, metrics).

    ``nested``: predict names inside names too; None does as the gold does (`is_nested`).

    Metrics: "documents"; "nested"; "document", "mention" and "overlap", each {"precision", "recall", "f1"} rounded to
    four places; "documents_per_s" on one core. Identifiers of the gold standard that have no prefix are taken to be of
    ``vocab``; retired ones are not brought up to date. Raises InputError.
    """
    texts, marked = read_pubtator(gold)
    mentions = {document: set(_in_vocabulary(found, vocab)) for document, found in marked.items()}
    started = time.perf_counter()
    nested = is_nested(mentions) if nested is None else nested
    predicted = predict(texts, linker, vocab, progress, nested=nested)
    seconds = time.perf_counter() - started
    lines = []
    for document, text in texts.items():
        lines += [f"{document}|t|{text}", f"{document}|a|"]
        lines += [
            f"{document}\t{a}\t{b}\t{' '.join(mention.split())}\tPhenotype\t{code}"
            for a, b, mention, code in predicted[document]
        ]
        lines.append("")
    metrics: dict[str, Any] = {"documents": len(texts), "nested": nested}
    metrics |= score(
        mentions, {document: {(a, b, code) for a, b, _, code in rows} for document, rows in predicted.items()}
    )
    metrics["documents_per_s"] = round(len(texts) / seconds, 1)
    return "\n".join(lines), metrics


def _in_vocabulary(mentions: Iterable[Mention], vocab: str) -> Iterator[Mention]:
    """An identifier without a vocabulary is of ``vocab``; several joined by a bar are all meant; "CUI-LESS" is none."""
    for start, end, identifiers in mentions:
        for identifier in identifiers.split("|"):
            if identifier and identifier.upper() != "CUI-LESS":
                yield start, end, identifier if ":" in identifier else f"{vocab}:{identifier}"


def score(gold: Mapping[str, set[Mention]], predicted: Mapping[str, set[Mention]]) -> dict[str, dict[str, float]]:
    """Micro-averaged precision, recall and F1 at document, mention and overlap level. Documents without predictions
    count."""
    counts = {"document": [0, 0, 0], "mention": [0, 0, 0], "overlap": [0, 0, 0]}
    for document, expected in gold.items():
        found = predicted.get(document, set())
        _count(counts["document"], {code for *_, code in expected}, {code for *_, code in found})
        _count(counts["mention"], expected, found)
        counts["overlap"][0] += (hits := sum(_overlaps(mention, expected) for mention in found))
        counts["overlap"][1] += len(found) - hits
        counts["overlap"][2] += sum(not _overlaps(mention, found) for mention in expected)
    return {name: _precision_recall_f1(*three) for name, three in counts.items()}


def _count(counts: list[int], expected: set[Any], found: set[Any]) -> None:
    counts[0] += len(expected & found)
    counts[1] += len(found - expected)
    counts[2] += len(expected - found)


def _overlaps(mention: Mention, others: set[Mention]) -> bool:
    return any(mention[2] == code and mention[0] < end and start < mention[1] for start, end, code in others)


def _precision_recall_f1(tp: int, fp: int, fn: int) -> dict[str, float]:
    return {
        "precision": round(tp / max(tp + fp, 1), 4),
        "recall": round(tp / max(tp + fn, 1), 4),
        "f1": round(2 * tp / max(2 * tp + fp + fn, 1), 4),
    }
