"""Models whose modules are arranged and called as those of the published wfm.py and wfm_dit.py.

The computation is that of tests/bench/weightformer.py, which is loaded from its file because the package under test
has the same name. There, the grid is an argument; here, as published, blocks take the image to be square, blocks and
models have the published children, and the patch embedding insists on its image size.
"""

import importlib.util
import math
import pathlib
import sys

import torch
from torch import nn

_path = pathlib.Path(__file__).resolve().parents[1] / "bench/weightformer.py"
_spec = importlib.util.spec_from_file_location("yardstick", _path)
yardstick = importlib.util.module_from_spec(_spec)
sys.modules["yardstick"] = yardstick  # pickled models name it
_spec.loader.exec_module(yardstick)


def square(x):
    return (math.isqrt(x.shape[1]),) * 2


class DynLinear(yardstick.DynLinear):
    def __init__(self, in_features, out_features):
        super().__init__(in_features, out_features)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return super().forward(x, square(x))


class DynCnn(yardstick.DynCnn):
    def __init__(self, dim):
        super().__init__(dim)
        self.pool = nn.AdaptiveAvgPool2d(3)


def make_mixers(dim, layer):
    if not yardstick.is_dynamic(layer):
        return yardstick.make_mixers(dim, layer)
    return DynLinear(dim, 4 * dim), DynCnn(dim), nn.Linear(4 * dim, dim)


def to_image(x):
    return yardstick.tokens_to_image(x, square(x))


class Block(nn.Module):
    def __init__(self, dim, layer, drop=0.0, drop_path=0.0):
        super().__init__()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.drop, self.act = nn.Dropout(drop), nn.GELU()
        self.drop_path = yardstick.DropPath(drop_path) if drop_path else nn.Identity()
        if yardstick.is_dynamic(layer):
            self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.linear1, self.dwc, self.linear2 = make_mixers(dim, layer)

    def mlp_forward(self, x):
        return self.drop(self.linear2(self.drop(self.act(self.linear1(x)))))

    def forward(self, x):
        if hasattr(self, "norm1"):
            x = self.norm1(x)
        x = x + yardstick.image_to_tokens(self.dwc(to_image(x)))
        return x + self.drop_path(self.mlp_forward(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self, size, patch, chans, dim):
        super().__init__()
        self.img_size, self.patch_size = (size, size), (patch, patch)
        self.num_patches = (size // patch) ** 2
        self.proj, self.norm = nn.Conv2d(chans, dim, patch, patch), nn.Identity()

    def forward(self, x):
        assert tuple(x.shape[2:]) == self.img_size, f"image size {tuple(x.shape[2:])} is not {self.img_size}"
        return self.norm(yardstick.image_to_tokens(self.proj(x)))


class VisionTransformer(nn.Module):
    def __init__(self, size=64, dim=32, depth=5, patch=8, classes=10, drop=0.0, drop_path=0.0):
        super().__init__()
        self.patch_embed = PatchEmbed(size, patch, 3, dim)
        self.init_norm = nn.LayerNorm(dim, eps=1e-6)
        self.blocks = nn.Sequential(*(Block(dim, i, drop, drop_path * i / (depth - 1)) for i in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pre_logits, self.head, self.grad_checkpointing = nn.Identity(), nn.Linear(dim, classes), False

    def forward_features(self, x):
        x = self.init_norm(self.patch_embed(x))
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean(1)

    def forward(self, x):
        return self.head(self.forward_features(x))


class DiTBlock(nn.Module):
    def __init__(self, dim, layer):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.approx_gelu = nn.GELU(approximate="tanh").forward
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.linear1, self.dwc, self.linear2 = make_mixers(dim, layer)

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(c).chunk(6, dim=1)
        x = self.norm1(x)
        mixed = self.dwc(to_image(yardstick.modulate(x, shift1, scale1)))
        x = x + gate1.unsqueeze(1) * yardstick.image_to_tokens(mixed)
        hidden = self.linear1(yardstick.modulate(self.norm2(x), shift2, scale2))
        return x + gate2.unsqueeze(1) * self.linear2(self.approx_gelu(hidden))


class DiT(nn.Module):
    def __init__(self, size=8, dim=32, depth=5, patch=2, classes=10):
        super().__init__()
        self.patch, self.out_channels = patch, 8
        self.x_embedder = PatchEmbed(size, patch, 4, dim)
        self.t_embedder = yardstick.TimestepEmbedder(dim)
        self.y_embedder = yardstick.LabelEmbedder(classes, dim, 0.1)
        self.pos_embed = nn.Parameter(torch.randn(1, self.x_embedder.num_patches, dim), requires_grad=False)
        self.blocks = nn.ModuleList(DiTBlock(dim, i) for i in range(depth))
        self.final_layer = yardstick.FinalLayer(dim, patch * patch * self.out_channels)

    def forward(self, x, t, y):
        c = self.t_embedder(t) + self.y_embedder(y)
        tokens = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens, c)
        grid, p = square(tokens), self.patch
        image = self.final_layer(tokens, c).reshape(x.shape[0], *grid, p, p, self.out_channels).permute(0, 5, 1, 3, 2, 4)
        return image.reshape(x.shape[0], self.out_channels, grid[0] * p, grid[1] * p)


def classifier(**options):
    return VisionTransformer(**options), (torch.randn(3, 3, 64, 64),)


def dit():
    """Every parameter random: the gates of a new DiT are zero, which would hide the blocks."""
    model = DiT().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model, (torch.randn(3, 4, 8, 8), torch.tensor([3.0, 500.0, 999.0]), torch.tensor([1, 4, 9]))


def yardstick_classifier():
    """Its blocks take the grid, so that any height and width works without acceleration too."""
    return yardstick.create("wfm_nano"), (torch.randn(2, 3, 56, 104),)


MODELS = {"classifier": classifier, "dit": dit, "classifier with a grid": yardstick_classifier}
