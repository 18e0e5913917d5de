"""Extracted edges beside what is curated and what a clinician says: ``python -m benchmarks.extraction.edges --home DIR
[--cases FILE…] [--meaning] [--write FILE] [--json]``.

Two rankings of the pairs of a disease and a finding that a sentence of the home's MEDLINE files, or of FILE, names:

- extraction: by score, of a model that saw no pair of the same disease;
- co-occurrence: by the log-likelihood ratio of the sentences alone, without cues, rules and what sentences mean.

Recall: the share of curated pairs (HPO's annotations and the chest layer; the model saw none of the disease's) among
the first K of a ranking, of those whose two ends are both named somewhere and of those that a sentence names together,
and the share of the first K that is curated. Precision: of the first 200 pairs of a ranking that are not curated (nor
is anything below or above the finding), the share that is right by ``judged.tsv``: a row a pair, with a verdict, a
reason, and the round of judging. The rule: right is what a textbook or review says of patients with the disease more
often than of others: a symptom, sign, finding or complication, or what comes before it and raises its risk. Wrong are
mere company in a sentence, what the disease is told apart from, a single patient's coincidence, effects of a treatment,
what restates the disease, and mentions that were read wrong. The verdicts are one reader's, who saw names and sentences
but not the ranking that a pair came from. Wrong pairs of half of the diseases (`looked_at`) were looked at for rules;
precision is given of each half, too, and of the pairs of each round. ``--write`` writes the pairs that have no verdict
yet, shuffled.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from extraction.extract import scored_pairs
from extraction.reading import read
from extraction.relation import Counts, Key, counted
from extraction.scorer import Scored
from extraction.source import sources
from extraction.statistics import log_likelihood_ratio, wilson
from extraction.vocabulary import Vocabulary
from home import open_linker
from kg.graph import KnowledgeGraph
from retrieval.encoder import Encoder

JUDGED = Path(__file__).parent / "judged.tsv"
DEPTHS = (200, 500, 1000, 2000, 5000, 10_000)
FIRST = 200
ROUNDS = ("1", "2", "3", "4")
COLUMNS = ("disease", "disease_name", "finding", "finding_name", "verdict", "reason", "round")


def by_score(scored: Scored) -> list[Key]:
    return [scored.keys[i] for i in np.argsort(-scored.score, kind="stable")]


def by_ratio(counts: Counts) -> list[Key]:
    """Every pair of a sentence, by its ratio."""
    keys = sorted(key for key, pair in counts.pairs.items() if pair.sentences)
    together = np.array([counts.pairs[key].sentences for key in keys], float)
    one, other = (
        np.maximum(np.array([table[key[i]] for key in keys], float), together)
        for i, table in enumerate((counts.diseases, counts.others))
    )
    ratio = log_likelihood_ratio(together, one, other, counts.texts)
    return [keys[i] for i in np.argsort(-ratio, kind="stable")]


def new(ranking: Sequence[Key], vocabulary: Vocabulary) -> Iterator[Key]:
    for disease, finding in ranking:
        graph = vocabulary.graph
        if vocabulary.standing(graph.node(disease), graph.node(finding)) == "new":
            yield disease, finding


def recall(ranking: Sequence[Key], reachable: set[Key], together: set[Key]) -> dict[str, dict[str, float]]:
    """At each depth: the share of the curated pairs that is found, of those that a sentence names together, and the
    share of what is found that is curated."""
    found, hits = {}, [key in reachable for key in ranking]
    for depth in (*[d for d in DEPTHS if d < len(ranking)], len(ranking)):
        right = sum(hits[:depth])
        found[str(depth)] = {
            "recall": round(right / max(len(reachable), 1), 4),
            "of those in a sentence": round(right / max(len(together), 1), 4),
            "curated": round(right / max(min(depth, len(ranking)), 1), 4),
        }
    return found


def curated_pairs(counts: Counts, vocabulary: Vocabulary) -> set[Key]:
    """The curated pairs, wider findings included, whose disease and finding are both named in some text."""
    graph, matrix, own = vocabulary.graph, vocabulary.annotations, set()
    rows = {int(np.searchsorted(matrix.disease, graph.node(curie))): curie for curie in counts.diseases}
    for finding in counts.others:
        node = graph.node(finding)
        for row in matrix.column(node)[0].tolist():
            if row in rows and not vocabulary.related(int(matrix.disease[row]), node):
                own.add((rows[row], finding))
    return own


def verdicts(path: Path = JUDGED, judged_in: str = "") -> dict[Key, bool]:
    """Pair → whether it is right; only those of the round ``judged_in``, when it is given."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream, delimiter="\t") if judged_in in ("", r["round"])]
    return {(r["disease"], r["finding"]): r["verdict"] == "right" for r in rows}


def looked_at(pair: Key) -> bool:
    """Whether a pair belongs to the half of the diseases whose wrong pairs were looked at for rules."""
    return int(hashlib.sha256(pair[0].encode()).hexdigest(), 16) % 2 == 0


def precision(pairs: Sequence[Key], judged: Mapping[Key, bool]) -> dict[str, Any]:
    known = [judged[key] for key in pairs if key in judged]
    low, high = wilson(sum(known), len(known))
    share = round(sum(known) / max(len(known), 1), 3)
    return {"judged": len(known), "right": share, "interval": [round(low, 3), round(high, 3)]}


def unjudged(lists: Sequence[Sequence[Key]], judged: Mapping[Key, bool], counts: Counts, graph: KnowledgeGraph) -> str:
    """The pairs without a verdict, shuffled, each with its two clearest sentences."""
    wanted = sorted({key for pairs in lists for key in pairs} - judged.keys())
    random.Random(0).shuffle(wanted)
    lines = []
    for disease, finding in wanted:
        pair = counts.pairs[disease, finding]
        told = " // ".join(f"[{e.said}] {' '.join(e.sentence.split())[:260]}" for e in pair.evidence[:2])
        names = graph.name(graph.node(disease)), graph.name(graph.node(finding))
        lines.append("\t".join((disease, names[0], finding, names[1], "", "", f"{pair.sentences}/{pair.texts}", told)))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--meaning", action="store_true")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    started = time.process_time()
    graph, linker = KnowledgeGraph.open(arguments.home / "graph"), open_linker(arguments.home)
    vocabulary = Vocabulary(graph)
    readings, _ = read(arguments.home, sources(arguments.home, ["medline", *arguments.cases]), linker)
    counts = counted(readings, vocabulary, "finding-disease")
    encoder = Encoder.load() if arguments.meaning else None
    scored = scored_pairs(counts, vocabulary, "finding-disease", encoder)
    rankings = {"extraction": by_score(scored), "co-occurrence": by_ratio(counts)}
    fresh = {name: list(new(ranking, vocabulary))[:FIRST] for name, ranking in rankings.items()}
    judged, reachable = verdicts() if JUDGED.exists() else {}, curated_pairs(counts, vocabulary)
    if arguments.write:
        arguments.write.write_text(unjudged(list(fresh.values()), judged, counts, graph), encoding="utf-8")
    found: dict[str, Any] = {"texts": counts.texts, "papers": counts.papers, "cases": counts.cases}
    together = reachable & set(rankings["co-occurrence"])
    found |= {"curated and named": len(reachable), "in a sentence": len(together), "model": dict(scored.card)}
    for name, ranking in rankings.items():
        found[name] = {
            "pairs": len(ranking),
            "recall": recall(ranking, reachable, together),
            f"first {FIRST} new": precision(fresh[name], judged),
            "first 50 new": precision(fresh[name][:50], judged),
            "half looked at": precision([p for p in fresh[name] if looked_at(p)], judged),
            "other half": precision([p for p in fresh[name] if not looked_at(p)], judged),
        } | {
            f"judged in round {number}": precision(fresh[name], verdicts(judged_in=number) if judged else {})
            for number in ROUNDS
        }
    found |= {"cpu seconds": round(time.process_time() - started), "machine": stamp()}
    print(json.dumps(found, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
