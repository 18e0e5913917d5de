"""The shipped nodule-patch network: axial CT patches in, probabilities of a nodule out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError

if TYPE_CHECKING:
    from vision.nodule.network import NodulePatch

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
NAME = "nodules"
FORMAT = 1
_REFIT = "whydx train nodules"
_BATCH = 256


class Nodules:
    """The network and its manifest, which holds ``cut``: where 95 % of the candidates that are no nodules are below."""

    def __init__(self, model: NodulePatch, manifest: Mapping[str, Any]) -> None:
        self._model, self.manifest = model, manifest

    @classmethod
    def open(cls, folder: Path | None = None) -> Nodules:
        """Load ``nodules.safetensors`` after checking it against ``nodules.json``. Raises ArtifactError when either is
        missing, damaged or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        from vision.nodule.network import NodulePatch

        file = (folder or WEIGHTS) / f"{NAME}.safetensors"
        try:
            manifest = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            data = file.read_bytes()
            if manifest["format"] != FORMAT or manifest["sha256"] != hashlib.sha256(data).hexdigest():
                raise ValueError("hash or format differs")
            model = NodulePatch()
            model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load(data).items()})
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ArtifactError("the nodule model is missing or damaged", value=file, run=_REFIT) from error
        return cls(model.eval(), manifest)

    def probabilities(self, patches: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, 50, 50) uint8, −1000 to 400 HU as 0 to 255, the candidate in the middle → (n,) in [0, 1], the mean over
        the patch and its mirrorings.
        """
        import torch

        found = []
        for start in range(0, len(patches), _BATCH):
            x = torch.from_numpy(patches[start : start + _BATCH].astype(np.float32) / 127.5 - 1)[:, None]
            with torch.inference_mode():
                turned = (x, x.flip(2), x.flip(3), x.flip(2, 3))
                found.append(torch.stack([self._model(t).sigmoid() for t in turned]).mean(0).numpy())
        return np.concatenate(found).astype(np.float64) if found else np.zeros(0)
