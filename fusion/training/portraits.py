"""The vectors of the chest layer's portraits: ``python -m fusion.training.portraits``.

Writes ``kg/weights/portraits.safetensors``: one vector a portrait, float16, of the packaged encoder.
"""

from __future__ import annotations

import numpy as np

from kg.portraits import VECTORS, digest
from ontologies.chest import layer as chest
from retrieval.encoder import Encoder


def main() -> None:
    from safetensors.numpy import save_file

    encoder = Encoder.load()
    made = encoder.encode([portrait.text for portrait in chest.load().portraits]).astype(np.float16)
    part = VECTORS.with_suffix(".part")
    save_file({"portraits": made}, part, metadata={"texts": digest(), "encoder": encoder.fingerprint})
    part.replace(VECTORS)


if __name__ == "__main__":
    main()
