"""Recognizes the modules of the published wfm.py and wfm_dit.py by their parameters and children.

Class names and files do not matter, so copies in other repositories are found too. kind_and_problem() is the entry.
"""

import math

import torch
from torch import nn


def shape(module, name):
    value = getattr(module, name, None)
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def dynamic_linear_problem(m):
    """None for a dynamic linear layer, otherwise what is different."""
    w, b, w1, w2 = (shape(m, name) for name in ("w", "b", "w1", "w2"))
    if not (w and b and w1 and w2 and len(w) == len(w1) == len(w2) == 2):
        return "no parameters w, b, w1 and w2"
    wfm = shape(getattr(m, "wfm", None), "weight")
    if b != w[1:] or w1[1] != w[0] or w2[1] != w[1] or wfm != (w1[0] + w2[0], w[0]):
        return f"the sizes of w {w}, b {b}, w1 {w1}, w2 {w2} and wfm.weight {wfm} do not belong together"
    if not math.isclose(getattr(m, "scale", w[0] ** -0.5), w[0] ** -0.5):
        return f"its scale is {m.scale}, not {w[0]}^-0.5"
    return None


def dynamic_conv_problem(m):
    w, b = shape(m, "w"), shape(m, "b")
    if not (w and b and len(w) == 4):
        return "no parameters w and b of a depthwise convolution"
    wfm = getattr(m, "wfm", None)
    if w[1:] != (1, 3, 3) or b != w[:1] or not isinstance(wfm, nn.Sequential) or len(wfm) != 3:
        return f"w {w}, b {b} or wfm is not that of a depthwise 3 x 3 convolution with predicted kernels"
    pointwise = all(isinstance(conv, nn.Conv2d) and conv.kernel_size == (1, 1) for conv in (wfm[0], wfm[2]))
    if not pointwise or wfm[0].in_channels != w[0] or wfm[2].out_channels != w[0] or wfm[2].bias is not None:
        return "wfm is not a 1 x 1 convolution, an activation and a 1 x 1 convolution without bias"
    return None


def is_depthwise(m):
    return (
        isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) and m.stride == (1, 1) and m.padding == (1, 1)
        and m.dilation == (1, 1) and m.groups == m.in_channels == m.out_channels and m.padding_mode == "zeros"
        and m.bias is not None
    )  # fmt: skip


def block_problem(m):
    linear1, dwc = getattr(m, "linear1", None), getattr(m, "dwc", None)
    if not (isinstance(linear1, nn.Module) and isinstance(dwc, nn.Module) and hasattr(m, "linear2")):
        return "no children linear1, dwc and linear2"
    if dynamic_linear_problem(linear1) and not isinstance(linear1, nn.Linear):
        return f"linear1: {dynamic_linear_problem(linear1)}"
    if dynamic_conv_problem(dwc) and not is_depthwise(dwc):
        return f"dwc: {dynamic_conv_problem(dwc)}"
    return None


def classifier_block_problem(m):
    if not isinstance(getattr(m, "norm2", None), nn.LayerNorm) or not isinstance(
        getattr(m, "drop_path", None), nn.Module
    ):
        return "no children norm2 and drop_path"
    return block_problem(m)


def dit_block_problem(m):
    modulation = getattr(m, "adaLN_modulation", None)
    if not isinstance(modulation, nn.Module):
        return "no child adaLN_modulation"
    for norm in (getattr(m, name, None) for name in ("norm1", "norm2")):
        if isinstance(norm, nn.LayerNorm) and norm.elementwise_affine:
            return "norm1 or norm2 has weights"
    return block_problem(m)


def classifier_problem(m):
    children = ("patch_embed", "init_norm", "blocks", "norm")
    if not all(isinstance(getattr(m, name, None), nn.Module) for name in children) or not hasattr(
        m, "forward_features"
    ):
        return f"no children {', '.join(children)}, or no forward_features"
    proj = getattr(m.patch_embed, "proj", None)
    if not isinstance(proj, nn.Conv2d) or proj.stride != proj.kernel_size:
        return "patch_embed.proj is no convolution of patches"
    return None


PROBLEMS = {
    "dynamic_linear": dynamic_linear_problem,
    "dynamic_conv": dynamic_conv_problem,
    "dit_block": dit_block_problem,
    "block": classifier_block_problem,
    "classifier": classifier_problem,
}

# A module with these attributes was probably meant to be of the kind: if it differs, the report tells in what.
SIGNS = {
    "dynamic_linear": ("w", "b", "w1", "w2", "wfm"),
    "dynamic_conv": ("w", "b", "wfm"),
    "dit_block": ("linear1", "dwc", "linear2", "adaLN_modulation"),
    "block": ("linear1", "dwc", "linear2", "norm2"),
    "classifier": ("patch_embed", "init_norm", "blocks", "norm", "forward_features"),
}


def kind_and_problem(module):
    """(kind, None) for a module of a kind, (kind, text) for one that only resembles it, (None, None) for others."""
    for kind, signs in SIGNS.items():
        if all(hasattr(module, sign) for sign in signs):
            return kind, PROBLEMS[kind](module)
    return None, None
