"""Training the reasoner: listwise cross-entropy over the candidates of each example, with low-rank adapters on BERT.

Branches are dropped at random, so that the network
learns from any subset of the evidence: masking a branch at inference is then nothing new to it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import ArtifactError
from fusion.branch import Branch
from fusion.checkpoint import bert_files, open_tokenizer
from fusion.scorer import Scorer, corrections, none_features, questions
from fusion.training.curriculum import Curriculum, Example
from fusion.visible_matrix import collate, read_trunk
from tracking.tracker import Track, open_tracker

if TYPE_CHECKING:
    from torch import Tensor

    from fusion.reasoner import Reasoner

BRANCH_DROPOUT, NO_BRANCHES = 0.15, 0.1
CHECKPOINT_EVERY = 100
Progress = Callable[[str, int, int], None]


def adapted(network: Reasoner) -> Reasoner:
    """Put trainable low-rank adapters (peft) on BERT's linear layers and freeze the rest of BERT."""
    from peft import LoraConfig, inject_adapter_in_model
    from torch import nn

    from fusion.reasoner import is_target

    targets = [name for name, m in network.bert.named_modules() if isinstance(m, nn.Linear) and is_target(name)]
    config = LoraConfig(
        r=network.config.rank, lora_alpha=network.config.alpha, lora_dropout=0.0, target_modules=targets
    )
    for parameter in network.bert.parameters():
        parameter.requires_grad_(False)
    inject_adapter_in_model(config, network.bert)
    return network


def trained_state(network: Reasoner) -> dict[str, Tensor]:
    """The tensors that training changed, under the names that ``fusion.reasoner.merge_adapters`` reads."""
    state = {}
    for name, value in network.state_dict().items():
        if not name.startswith("bert."):
            state[name] = value
        elif ".lora_" in name:
            layer, side = name.removeprefix("bert.").removesuffix(".default.weight").rsplit(".lora_", 1)
            state[f"lora.{layer}.{side}"] = value
    return state


def loss_of(network: Reasoner, scorer: Scorer, example: Example, rng: np.random.Generator) -> tuple[Tensor, bool]:
    """Listwise cross-entropy of one example under branch dropout, and whether the right candidate came first."""
    import torch

    asked = questions(example.workup)
    trunk = read_trunk(example.workup.patient, scorer.tokenize)
    # Now and then no evidence at all: that, too, must be a case the network knows.
    share = 1.0 if rng.random() < NO_BRANCHES else BRANCH_DROPOUT
    # What a finding's paths say is dropped for every candidate, or the candidates would not be judged alike.
    pieces = sorted({_piece(b) for q in asked for b in q.candidate.branches})
    gone = {piece for piece in pieces if rng.random() < share}
    left = [
        replace(q, removed=tuple(n for n, b in enumerate(q.candidate.branches) if _piece(b) in gone)) for q in asked
    ]
    encoded = [scorer.encode(trunk, q) for q in left]
    context = network.read_trunk(torch.from_numpy(trunk.ids))
    # Two batches of like lengths pad less than one.
    order = sorted(range(len(asked)), key=lambda i: len(encoded[i].ids))
    halves = [part for part in (order[: len(order) // 2], order[len(order) // 2 :]) if part]
    batches = [collate(trunk, [encoded[i] for i in part], network.config.region_dim) for part in halves]
    corrected = torch.cat([corrections(network, b, context) for b in batches])[torch.tensor(np.argsort(order))]
    base = [network.base(q.features, none_features(q)) for q in left]
    scores = torch.tensor(base, dtype=torch.float32) + corrected  # (C,)
    loss = torch.nn.functional.cross_entropy(scores[None], torch.tensor([example.truth]), label_smoothing=0.02)
    return loss, int(scores.argmax()) == example.truth


def _piece(branch: Branch) -> tuple[str, str]:
    return branch.kind, branch.anchor if branch.kind == "kg_path" else branch.reference


def run(
    network: Reasoner,
    curriculum: Curriculum,
    out: Path,
    *,
    steps: int,
    seconds: float | None = None,
    accumulate: int = 4,
    rate: float = 3e-4,
    seed: int = 0,
    settings: dict[str, object] | None = None,
    track: Track = "tensorboard",
    progress: Progress | None = None,
) -> int:
    """Train for ``steps`` examples, or until ``seconds`` have passed; returns the number of examples seen.

    Writes scalars where ``track`` says, ``log.jsonl``, and ``last.safetensors`` + ``last.json`` (weights, optimiser,
    position) to ``out``; a run that finds them there goes on from them, or raises ArtifactError when they belong to
    other settings.
    """
    import torch
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True, exist_ok=True)
    scorer = Scorer(network, open_tokenizer())
    network.train()
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([p for _, p in named], lr=rate, weight_decay=0.01)
    scheme = {"steps": steps, "accumulate": accumulate, "rate": rate, "seed": seed, **(settings or {})}
    start, seen, kept = 0, 0, out / "last.safetensors"
    if kept.is_file():
        record = json.loads((out / "last.json").read_text())
        if record["settings"] != json.loads(json.dumps(scheme)):
            raise ArtifactError(
                "the checkpoint belongs to other settings",
                value=out,
                expected="the settings it was begun with, or an empty folder",
            )
        state = load_file(kept)
        network.load_state_dict(
            {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}, strict=False
        )
        moments = optimiser.state_dict()
        moments["state"] = {
            int(k): {
                "step": torch.tensor(float(record["updates"])),
                **{m: state[f"optimiser.{k}.{m}"] for m in ("exp_avg", "exp_avg_sq")},
            }
            for k in {k.split(".")[1] for k in state if k.startswith("optimiser.")}
        }
        optimiser.load_state_dict(moments)
        start, seen = record["next"], record["seen"]
    tracker = open_tracker(track, out, seen, scheme)
    began, updates, recent = time.monotonic(), seen // accumulate, list[tuple[float, bool]]()

    def keep(position: int) -> None:
        tensors = {
            f"model.{k}": v.detach().clone()
            for k, v in network.state_dict().items()
            if not k.startswith("bert.") or ".lora_" in k
        }
        for k, s in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{k}.{m}": s[m].clone() for m in ("exp_avg", "exp_avg_sq")}
        save_file(tensors, out / "part.safetensors")
        (out / "part.json").write_text(
            json.dumps({"settings": scheme, "next": position, "seen": seen, "updates": updates})
        )
        (out / "part.safetensors").replace(kept)
        (out / "part.json").replace(out / "last.json")

    i = start
    while seen < steps and (seconds is None or time.monotonic() - began < seconds):
        example = curriculum.example(i)
        i += 1
        if example is None:
            continue
        portion = min(1.0, (seen + 1) / (0.06 * steps)) * (1 - 0.95 * seen / steps)
        if seconds is not None:
            portion = min(portion, 1.05 - (time.monotonic() - began) / seconds)
        for group in optimiser.param_groups:
            group["lr"] = rate * max(portion, 0.02)
        loss, right = loss_of(network, scorer, example, np.random.default_rng([seed, i, 1]))
        (loss / accumulate).backward()
        seen += 1
        recent.append((float(loss.detach()), right))
        if seen % accumulate == 0:
            torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
            optimiser.step()
            optimiser.zero_grad()
            updates += 1
        if seen % 25 == 0:
            mean_loss, top1 = np.mean(recent[-100:], axis=0).tolist()
            tracker.scalar("train/loss", mean_loss, seen)
            tracker.scalar("train/top1", top1, seen)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"seen": seen, "loss": round(mean_loss, 4), "top1": round(top1, 3)}) + "\n")
        if seen % CHECKPOINT_EVERY == 0:
            keep(i)
        if progress:
            progress("train reasoner", seen, steps)
    keep(i)
    tracker.close()
    return seen


def fresh_network(weights: np.ndarray, none: np.ndarray, region_dim: int) -> Reasoner:
    """A reasoner on the packaged BERT that ranks as features · ``weights`` does, with ``none`` (2,) for "none of
    these"."""
    import torch

    from fusion.reasoner import ReasonerConfig, build

    torch.manual_seed(0)
    network = build(*bert_files(), ReasonerConfig(region_dim=region_dim))
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(weights))
        network.none.copy_(torch.from_numpy(none))
    return adapted(network)
