"""A small model on disk: its weights and the manifest that vouches for them, side by side."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""The shipped ones."""


def read_pair(folder: Path | None, name: str, version: int) -> tuple[dict[str, Any], bytes]:
    """(manifest, bytes of the weights) of ``name``.json and ``name``.safetensors in ``folder`` (default: WEIGHTS).

    Raises OSError for a file that cannot be read, ValueError, KeyError or TypeError for a manifest that is damaged, of
    another format version, or of other weights; the caller says whose these are.
    """
    file = (folder or WEIGHTS) / f"{name}.safetensors"
    manifest = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    data = file.read_bytes()
    if manifest["format"] != version or manifest["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError("hash or format differs")
    return manifest, data


def write_pair(folder: Path, name: str, weights: bytes, manifest: Mapping[str, Any]) -> None:
    """``name``.safetensors and then ``name``.json in ``folder``, which is made; each beside and then renamed. The
    manifest's "sha256" is that of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = {**manifest, "sha256": hashlib.sha256(weights).hexdigest()}
    text = (json.dumps(said, indent=1) + "\n").encode()
    for file, content in ((f"{name}.safetensors", weights), (f"{name}.json", text)):
        beside = folder / f".{file}.new"
        beside.write_bytes(content)
        os.replace(beside, folder / file)
