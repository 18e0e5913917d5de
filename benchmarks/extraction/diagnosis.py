"""Whether extracted edges improve diagnoses: ``python -m benchmarks.extraction.diagnosis PATH… --home DIR
[--least X…] [--seeds N] [--out FILE]``.

PATH is a source of patients in words whose diagnosis is known (`fusion.training.text_cases`), none of whose texts was
read by ``whydx ontology extract``. Every condition ranks the same patients, read once, with the shipped settings, each
over a graph of its own:

- off: the curated graph;
- on X: with the edges of the home's layer of at least the score X;
- shuffled X: with as many edges of each disease, whose findings were dealt out anew among the diseases.

Given are how many patients have a right diagnosis among the first 1, 3, 5 and 10, the mean reciprocal rank, the
difference to "off" with the 95 % interval of a paired bootstrap over patients (2,000 resamples), and how many moved up
and down. A patient that shares twelve words in a row, thirty times or more, with a text that was read is left out.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chest.text import Bench
from benchmarks.machine import stamp
from extraction.layer import Edge, Layer
from extraction.promotion import chosen, joined
from extraction.review import Review
from extraction.vocabulary import Vocabulary
from fusion.training import words_fit
from kg import overlay
from kg.graph import KnowledgeGraph
from kg.weight_of_evidence import Settings

RESAMPLES = 2000
_WORDS, _SHARED = 12, 30


def dealt(edges: Sequence[Edge], graph: KnowledgeGraph, seed: int) -> list[Edge]:
    """The edges with their findings dealt out anew, without pairs that the graph has or that come twice."""
    objects = [edge.object for edge in edges]
    random.Random(seed).shuffle(objects)
    known = Vocabulary(graph).frequency
    return [
        replace(edge, object=other)
        for edge, other in zip(edges, objects, strict=True)
        if edge.subject != other and known(graph.node(edge.subject), graph.node(other)) is None
    ]


def ranks(bench: Bench, graph: Path) -> dict[str, int]:
    """Case → rank of its best right answer among all annotated diseases, over the graph in the folder ``graph``, whose
    nodes and diseases are those that the cases were read with."""
    bench.graph = KnowledgeGraph.open(graph)
    cases = [c for c in bench.cases if c.right.any()]
    told = words_fit.told(cases, bench.weigh(Settings()), bench.persons, np.arange(len(bench.disease)))
    found = words_fit.ranks(told, Settings().weights)
    return {f"{case.source} {case.case_id}": rank for case, rank in zip(cases, found, strict=True)}


def figures(own: Sequence[int]) -> dict[str, float]:
    return {**words_fit.top(own), "mrr": round(float(np.mean([1 / r for r in own])), 4)}


def difference(on: Sequence[int], off: Sequence[int]) -> dict[str, Any]:
    """On minus off, of the top 1, top 10 and the reciprocal rank, with intervals."""
    rng = np.random.default_rng(20261128)
    one, two = np.array(on, float), np.array(off, float)
    rows = rng.integers(0, len(one), (RESAMPLES, len(one)))
    out: dict[str, Any] = {"up": int((one < two).sum()), "down": int((one > two).sum())}
    for name, measure in (
        ("top1", lambda r: (r <= 1).astype(float)),
        ("top10", lambda r: (r <= 10).astype(float)),
        ("mrr", lambda r: 1 / r),
    ):
        gain = measure(one) - measure(two)
        low, high = np.percentile(gain[rows].mean(axis=1), [2.5, 97.5])
        out[name] = [round(float(x), 4) for x in (gain.mean(), low, high)]
    return out


def _shingles(text: str) -> set[int]:
    words = text.lower().split()
    return {hash(tuple(words[i : i + _WORDS])) for i in range(len(words) - _WORDS + 1)}


def seen(paths: Sequence[Path], read: Sequence[Path]) -> Iterator[str]:
    """The ids of patients whose note repeats a text of the JSON lines files ``read``."""
    known: set[int] = set()
    for path in read:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                known |= _shingles(json.loads(line)["text"])
    for path in paths:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                row = json.loads(line)
                if len(_shingles(row["note"]) & known) >= _SHARED:
                    yield row["id"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--read", type=Path, nargs="*", default=[], help="JSON lines that were read, to find repeats")
    parser.add_argument("--least", type=float, nargs="+", default=[0.5])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the ranks here, and go on from there")
    arguments = parser.parse_args()
    home, layer = arguments.home, Layer.open(arguments.home)
    graph = KnowledgeGraph.open(home / "graph")
    repeated = set(seen(arguments.paths, arguments.read))
    kept = json.loads(arguments.out.read_text()) if arguments.out and arguments.out.exists() else {}
    conditions: list[tuple[str, float | None, int | None]] = [("off", None, None)]
    for least in arguments.least:
        conditions += [(f"on {least}", least, None)]
        conditions += [(f"shuffled {least} {seed}", least, seed) for seed in range(arguments.seeds)]
    result: dict[str, Any] = {"repeated": sorted(repeated)}
    review, bench = Review(home), None
    for name, least, seed in conditions:
        if name not in kept:
            with tempfile.TemporaryDirectory() as scratch:
                folder, count = home / "graph", 0
                if least is not None:
                    edges = chosen(layer, review, "on", least)
                    edges = edges if seed is None else dealt(edges, graph, seed)
                    folder = Path(scratch) / "graph"
                    count = len(rows := list(joined(graph, edges, layer.record.sha256[:12])))
                    overlay.join(graph, rows, folder)
                bench = bench or Bench(home, arguments.paths)
                kept[name] = {"edges": count, "ranks": ranks(bench, folder)}
            if arguments.out:
                arguments.out.write_text(json.dumps(kept))
        own, off = kept[name]["ranks"], kept["off"]["ranks"]
        result[name] = {"edges": kept[name]["edges"]}
        families = dict.fromkeys(case.partition("/")[0] for case in off)
        for family in ("all", *families):
            cases = [c for c in off if family in ("all", c.partition("/")[0]) and c.rpartition(" ")[2] not in repeated]
            mine, base = [own[c] for c in cases], [off[c] for c in cases]
            result[name][family] = {"n": len(cases)} | figures(mine)
            if name != "off":
                result[name][family]["against off"] = difference(mine, base)
        print(name, json.dumps(result[name]), flush=True)
    print(json.dumps({"repeated": result["repeated"], "machine": stamp()}))


if __name__ == "__main__":
    main()
