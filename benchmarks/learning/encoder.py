"""What fitting the sentence encoder to a hospital's reports brings: ``python -m benchmarks.learning.encoder --home DIR
[--reports NAME=JSONL]… [--judged BEIR]… [--lora] [--repeats 5] [--most 1500]``.

Hospitals: Open-i (findings and impression; without the 1,000 reports that the guard set judges by), and each file of
``--reports`` (JSON lines with ``text``; its last third of sentences asks for the rest). Of each, two reports in five
judge; a matrix is fitted on 50, 100, 200, 400 and all of the others, and followed as far as the guard set bears
(`learning.encoder`). Given are, over the repeats:

- the mean reciprocal rank of a report when its impression asks all that judge, by vectors alone, and by vectors and
  words as the product fuses them; the gain with its 95 % interval (bootstrap over reports, each with the mean of the
  repeats in which it judged);
- the change of nDCG@10 on the guard set, and on the judged questions of ``--judged``, of which the fit knows nothing
  (of more than 600 every fourth).

``--lora`` fits query and value of every layer of the network instead (rank 8, three rounds), once, on 400 reports of
Open-i. Vectors are kept in the home, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from learning import encoder_guard
from learning.encoder import Ranks, Sides, fit, followed, gain, sides_of
from learning.encoder_guard import Guard, guards
from learning.report_pairs import Pair, distinct, halves
from ontologies.sources.store import member_path
from retrieval import openi
from retrieval.encoder import PACKAGED_FILES, Encoder, _embed_sorted, packaged_folder
from retrieval.evaluation import beir
from retrieval.evaluation.evaluate import encoded
from retrieval.minilm import MiniLM

SIZES = (50, 100, 200, 400)
_MANY = 600
_RANK, _ROUNDS, _BATCH, _RATE, _TOKENS, _LORA_REPORTS = 8, 3, 32, 5e-4, 128, 400


def open_i(home: Path) -> list[Pair]:
    """The reports that the guard set does not judge by, in the order of the archive."""
    read = [r for r in openi.read(member_path(home, "openi", "NLMCXR_reports.tgz")) if r.findings or r.impression]
    ids = [r.report_id for r in read]
    judged = set(encoder_guard.drawn(ids, ids, encoder_guard.REPORTS))
    return distinct(Pair(seen=r.findings, made=r.impression) for r in read if r.report_id not in judged)


def reports(path: Path, most: int) -> list[Pair]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    chosen = np.random.default_rng(0).permutation(len(rows))[:most]
    sides = (halves(rows[i]["text"]) for i in chosen.tolist())
    return distinct(Pair(seen=seen, made=made) for seen, made in sides)


def questions(folder: Path, home: Path, encoder: Encoder) -> Guard:
    """A judged collection; of many questions every fourth."""
    whole = beir.read(folder)
    documents = encoded(whole.texts, encoder, home, "", None)
    asked = encoded(list(whole.queries.values()), encoder, home, "", None)
    names, row = list(whole.queries), {name: at for at, name in enumerate(whole.ids)}
    rows = [at for at, name in enumerate(names) if any(doc in row for doc in whole.judged[name])]
    rows = rows[::4] if len(rows) > _MANY else rows
    gains = np.zeros((len(rows), len(documents)))
    for at, query in enumerate(rows):
        for doc, grade in whole.judged[names[query]].items():
            if doc in row:
                gains[at, row[doc]] = 2.0**grade - 1
    return Guard(name=folder.name, queries=asked[rows], documents=documents, gains=gains, own=np.full(len(rows), -1))


def hospital(
    pairs: Sequence[Pair], sides: Sides, guard: Sequence[Guard], apart: Sequence[Guard], repeats: int
) -> dict[str, Any]:
    """Size → what the adapted encoder does on reports of the same place, and elsewhere."""
    before = {one.name: float(one.ndcg().mean()) for one in (*guard, *apart)}
    found: dict[str, Any] = {"reports": len(pairs), "nDCG@10 as shipped": {k: round(v, 4) for k, v in before.items()}}
    judging = 2 * len(pairs) // 5
    sizes = [size for size in SIZES if size < len(pairs) - judging] + [len(pairs) - judging]
    held: dict[int, dict[str, list[Any]]] = {size: {} for size in sizes}
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(pairs))
        rows, rest = order[:judging], order[judging:]
        test = sides.at(rows)
        for size in sizes:
            started = time.process_time()
            train = sides.at(rest[:size])
            move, way = followed(fit(train), train, guard)
            kept = held[size]
            kept.setdefault("seconds", []).append(time.process_time() - started)
            kept.setdefault("way", []).append(way)
            kept.setdefault("lift", []).append(move.lift)
            old, new = Ranks.of(test, None, move)
            kept.setdefault("vectors", []).append((rows, old.vectors, new.vectors))
            kept.setdefault("vectors and words", []).append((rows, old.fused, new.fused))
            for judged in (*guard, *apart):
                kept.setdefault(judged.name, []).append(float(judged.ndcg(move).mean()) - before[judged.name])
    for size, kept in held.items():
        found[f"{size} reports"] = {
            "way, median": float(np.median(kept["way"])),
            "lift, median": float(np.median(kept["lift"])),
            "seconds": round(float(np.mean(kept["seconds"])), 1),
            **{name: _ranks(kept[name], len(pairs)) for name in ("vectors", "vectors and words")},
            "nDCG@10, mean and worst change": {
                one.name: [round(float(f(kept[one.name])), 4) for f in (np.mean, np.min)] for one in (*guard, *apart)
            },
        }
    return found


def _ranks(kept: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], n: int) -> dict[str, Any]:
    """MRR before and after, and the gain with its interval, each report with the mean of its repeats."""
    times, total = np.zeros(n), np.zeros((2, n))
    for rows, *values in kept:
        times[rows] += 1
        for side, own in zip(total, values, strict=True):
            side[rows] += own
    seen = times > 0
    old, new = total[:, seen] / times[seen]
    return {"MRR": [round(float(old.mean()), 4), round(float(new.mean()), 4)], "gain": gain(new - old)}


def lora(pairs: Sequence[Pair], guard_of: Any, home: Path) -> dict[str, Any]:
    """The network's own layers, fitted on the first repeat's 400 reports: what it costs and brings."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from torch.nn.functional import cross_entropy

    folder = packaged_folder()
    config = json.loads((folder / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_TOKENS)
    tokenizer.enable_padding()
    plain = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    names = [
        f"encoder.layer.{layer}.attention.self.{part}.weight"
        for layer in range(config["num_hidden_layers"])
        for part in ("query", "value")
    ]
    width = config["hidden_size"]
    down = {name: (torch.randn(_RANK, width, generator=generator) / width**0.5).requires_grad_() for name in names}
    up = {name: torch.zeros(width, _RANK, requires_grad=True) for name in names}

    def network() -> MiniLM:
        moved = {name: plain[name] + up[name] @ down[name] for name in names}
        return MiniLM({**plain, **moved}, layers=config["num_hidden_layers"], heads=config["num_attention_heads"])

    def vectors(texts: Sequence[str]) -> Any:
        batch = tokenizer.encode_batch(list(texts))
        return network()(torch.tensor([e.ids for e in batch]), torch.tensor([e.attention_mask for e in batch]))

    order = np.random.default_rng(0).permutation(len(pairs))
    judging = 2 * len(pairs) // 5
    train = [pairs[i] for i in order[judging:][:_LORA_REPORTS].tolist()]
    test = [pairs[i] for i in order[:judging].tolist()]
    optimiser = torch.optim.Adam([*down.values(), *up.values()], lr=_RATE)
    started = time.process_time()
    for _ in range(_ROUNDS):
        rows = torch.randperm(len(train), generator=generator).tolist()
        for at in range(0, len(rows) - _BATCH + 1, _BATCH):
            some = [train[i] for i in rows[at : at + _BATCH]]
            scores = vectors([p.seen for p in some]) @ vectors([p.made for p in some]).T / 0.05
            own = torch.arange(len(some))
            loss = (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    seconds = time.process_time() - started
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    with torch.no_grad():
        fitted = network()

    def embed(texts: Sequence[str], longest: int | None, progress: Any) -> np.ndarray:
        return _embed_sorted(fitted, [e.ids for e in tokenizer.encode_batch(list(texts))], progress, False)

    moved = Encoder("lora", "lora", width, embed)
    shipped = Ranks.of(sides_of(test, Encoder.load(), home), None)[0]
    adapted = Ranks.of(sides_of(test, moved, None), None)[0]
    guarded = {one.name: round(float(one.ndcg().mean()), 4) for one in guard_of(moved)}
    return {
        "reports": len(train),
        "seconds of fitting": round(seconds),
        "vectors, MRR": [round(float(one.vectors.mean()), 4) for one in (shipped, adapted)],
        "vectors and words, MRR": [round(float(one.fused.mean()), 4) for one in (shipped, adapted)],
        "gain of vectors": gain(adapted.vectors - shipped.vectors),
        "guard, nDCG@10": guarded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--reports", action="append", default=[], metavar="NAME=JSONL")
    parser.add_argument("--judged", type=Path, action="append", default=[], metavar="BEIR")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--most", type=int, default=1500)
    given = parser.parse_args()
    encoder, home = Encoder.load(), given.home
    assert encoder.fingerprint == PACKAGED_FILES["model.safetensors"]
    guard = guards(home, encoder)
    apart = [questions(folder, home, encoder) for folder in given.judged]
    places = {"Open-i": open_i(home)}
    for one in given.reports:
        name, _, path = one.partition("=")
        places[name] = reports(Path(path), given.most)
    for name, pairs in places.items():
        sides = sides_of(pairs, encoder, home)
        print(json.dumps({name: hospital(pairs, sides, guard, apart, given.repeats)}, indent=1), flush=True)
    if given.lora:
        found = lora(places["Open-i"], lambda moved: (encoder_guard.papers(home, moved, keep=False),), home)
        print(json.dumps({"LoRA": found}, indent=1), flush=True)
    print(stamp())


if __name__ == "__main__":
    main()
