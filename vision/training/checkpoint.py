"""Training state on disk without pickle: one safetensors file and one JSON file, replaced together by renaming a
folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def save(
    folder: Path, model: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Optimizer, state: Any
) -> None:
    """Write ``folder``/checkpoint: model, averaged weights, optimiser moments, and ``state`` (JSON)."""
    from safetensors.torch import save_file

    tensors = {f"model/{k}": v.contiguous() for k, v in model.state_dict().items()}
    tensors |= {f"average/{k}": v.contiguous() for k, v in average.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{k}": v.contiguous() for k, v in moments.items()}
    new, old, final = folder / "checkpoint.new", folder / "checkpoint.old", folder / "checkpoint"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    save_file(tensors, new / "state.safetensors")
    (new / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, model: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Optimizer) -> Any:
    """Fill model, average and optimiser in place from the last checkpoint; returns its ``state``, or None without one.

    Raises ArtifactError when the checkpoint does not fit this model.
    """
    from safetensors.torch import load_file

    place = folder / "checkpoint"
    if not place.exists():
        place = folder / "checkpoint.old"  # killed between the two renames
    if not place.exists():
        return None
    tensors = load_file(place / "state.safetensors")
    try:
        model.load_state_dict({k: tensors[f"model/{k}"] for k in model.state_dict()})
        for key, value in average.items():
            value.copy_(tensors[f"average/{key}"])
    except (KeyError, RuntimeError) as error:
        raise ArtifactError("the training checkpoint does not fit", value=place, expected="the same network") from error
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser/"):
            _, index, name = key.split("/")
            moments.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return json.loads((place / "state.json").read_text(encoding="utf-8"))
