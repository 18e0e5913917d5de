"""The shipped nodule network: axial patches around candidates in, probabilities of a nodule out.

LUNA16's patches (Setio et al. 2017) are 50 × 50 pixels of the scan's own grid, −1000 to 400 HU as 0 to 255. Of ours
the same is cut, on a finer or coarser grid only where the scan's is outside of what LUNA16's scans have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from vision.ct.volume import Volume
from vision.weights_pair import WEIGHTS, read_pair

if TYPE_CHECKING:
    from vision.ct.network import NodulePatch

SIDE = 50
LOWEST_HU, HIGHEST_HU = -1000.0, 400.0
NAME = "nodules"
FORMAT = 1
_REFIT = "whydx train nodules"
_BATCH = 256
_FINEST_MM, _COARSEST_MM = 0.5, 0.9


class Nodules:
    """The members, each fitted without one fold of scans, and their manifest: ``slope`` and ``offset`` of the
    calibration, ``rate`` of nodules among the patches that it was fitted on, ``cut`` (95 % of the patches without a
    nodule are below).
    """

    def __init__(self, members: Sequence[NodulePatch], manifest: Mapping[str, Any]) -> None:
        self.members, self.manifest = tuple(members), manifest

    @classmethod
    def open(cls, folder: Path | None = None) -> Nodules:
        """Load ``nodules.safetensors`` after checking it against ``nodules.json``. Raises ArtifactError when either is
        missing, damaged or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            manifest, data = read_pair(folder, NAME, FORMAT)
            members = networks(load(data), int(manifest["members"]))
            _ = [float(manifest[key]) for key in ("slope", "offset", "rate", "cut")]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            file = (folder or WEIGHTS) / f"{NAME}.safetensors"
            raise ArtifactError("the nodule model is missing or damaged", value=file, run=_REFIT) from error
        return cls(members, manifest)

    def probabilities(self, patches: NDArray[np.uint8], rate: float | None = None) -> NDArray[np.float64]:
        """(n, 50, 50) uint8, the candidate in the middle → (n,) in [0, 1]: the chance of a nodule among candidates of
        which ``rate`` are nodules (default: as many as among LUNA16's patches).
        """
        own = float(self.manifest["rate"])
        z = float(self.manifest["slope"]) * logits(self.members, patches) + float(self.manifest["offset"])
        if rate is not None:
            z = z + np.log(rate / (1 - rate)) - np.log(own / (1 - own))
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))))


def networks(tensors: Mapping[str, Any], count: int) -> list[NodulePatch]:
    """The members of ``tensors`` ("0/…", "1/…"), for evaluation. Raises RuntimeError when they do not fit."""
    import torch

    from vision.ct.network import NodulePatch

    members = []
    for i in range(count):
        member = NodulePatch()
        own = {k.partition("/")[2]: t for k, t in tensors.items() if k.startswith(f"{i}/")}
        member.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in own.items()})
        members.append(member.eval().to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    return members


def logits(members: Sequence[NodulePatch], patches: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 50, 50) uint8 → (n,): the mean of the members."""
    import torch

    from vision.ct.network import READ

    edge = (SIDE - READ) // 2
    found = [np.zeros(0)]
    for start in range(0, len(patches), _BATCH):
        middle = patches[start : start + _BATCH, edge : edge + READ, edge : edge + READ]
        x = torch.from_numpy(middle.astype(np.float32) / 127.5 - 1)[:, None].contiguous(
            memory_format=torch.channels_last
        )
        with torch.inference_mode():
            said = torch.stack([member(x) for member in members]).mean(0)
        found.append(said.numpy().astype(np.float64))
    return np.concatenate(found)


def patch(volume: Volume, centre_mm: tuple[float, float, float]) -> NDArray[np.uint8]:
    """(50, 50) uint8 of the slice nearest to a point, the point in the middle; what is outside the volume is air.

    On the scan's own grid when its pixels are of 0.5 to 0.9 mm, else on the nearest such grid.
    """
    from scipy.ndimage import map_coordinates

    z, y, x = volume.index(centre_mm)
    rows = []
    for at, size in ((y, volume.spacing_mm[1]), (x, volume.spacing_mm[0])):
        step = float(np.clip(size, _FINEST_MM, _COARSEST_MM)) / size
        rows.append((round(at) if step == 1 else at) + (np.arange(SIDE) - SIDE // 2) * step)
    plane = volume.voxels[int(np.clip(round(z), 0, len(volume.voxels) - 1))]
    across = np.meshgrid(*rows, indexing="ij")
    values = map_coordinates(plane, across, order=1, mode="constant", cval=LOWEST_HU)
    share = (np.clip(values, LOWEST_HU, HIGHEST_HU) - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU)
    return np.asarray((share * 255).astype(np.uint8))
