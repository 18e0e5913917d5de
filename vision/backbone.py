"""Any Hugging Face ViT or DINOv2 in the place of the convolutional stem: its patch tokens are the patches, its class
token their common context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F

from errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KINDS = ("vit", "dinov2", "dinov2_with_registers")


class Backbone(nn.Module):
    """Grey standardised image (B, 1, S, S) → patch tokens (B, H, G, G) and class token (B, H, 1, 1), G = S // patch.

    The grey channel is repeated, and the picture is resized to a multiple of the patch where it is none.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.patch: int = model.config.patch_size
        self.channels: tuple[int, int] = (model.config.hidden_size, model.config.hidden_size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        grid = x.shape[2] // self.patch
        side = grid * self.patch
        if side != x.shape[2]:
            x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
        colour = x.expand(-1, self.model.config.num_channels, -1, -1)
        options = {"interpolate_pos_encoding": True} if self.model.config.model_type == "vit" else {}
        tokens = self.model(pixel_values=colour, **options).last_hidden_state  # (B, 1 + registers + G², H)
        patches = tokens[:, -grid * grid :].transpose(1, 2).reshape(len(x), -1, grid, grid)
        return patches, tokens[:, 0, :, None, None]

    @property
    def config(self) -> dict[str, Any]:
        """What ``of_config`` rebuilds the architecture from; no path in it."""
        kept: dict[str, Any] = self.model.config.to_diff_dict()
        return {k: v for k, v in kept.items() if not k.startswith("_") and k != "transformers_version"}


def load(name: str) -> Backbone:
    """A pretrained model by its Hugging Face name or its folder. Raises InputError when there is none, or when it is no
    ViT or DINOv2.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(name)
        _check(config.model_type)
        return Backbone(AutoModel.from_pretrained(name))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        expected = "a Hugging Face name, or a folder with config.json and model.safetensors"
        raise InputError("the backbone cannot be loaded", value=name, expected=expected) from error


def of_config(config: Mapping[str, Any]) -> Backbone:
    """The untrained architecture, whose weights follow. Raises ValueError for what transformers does not know."""
    from transformers import AutoConfig, AutoModel

    _check(config["model_type"])
    return Backbone(AutoModel.from_config(AutoConfig.for_model(**config)))


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise InputError("this backbone is of another kind", value=kind, expected=", ".join(KINDS))
