"""Writing a small model: its weights and the manifest that vouches for them, side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_pair(folder: Path, name: str, weights: bytes, manifest: Mapping[str, Any]) -> None:
    """``name``.safetensors and then ``name``.json in ``folder``, which is made; each beside and then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (json.dumps(manifest, indent=1) + "\n").encode()
    for file, content in ((f"{name}.safetensors", weights), (f"{name}.json", text)):
        beside = folder / f".{file}.new"
        beside.write_bytes(content)
        os.replace(beside, folder / file)
