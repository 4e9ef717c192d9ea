"""What the accelerated modules compute, by the operators torch.ops.wf.*.

x is [B, H*W, C] everywhere, `grid` is (H, W). Every function takes a module that structure.py has recognized; its
parameters have the names that the published code gives them. A child of another class than the published one, or
with hooks, is called and not fused, so that adapters and hooks work.
"""

import functools

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .fused import computed_again, gelu_linear, has_hooks, modulated_norm

wf = torch.ops.wf


def square_grid(x):
    """The published blocks know only the number of tokens, and take their images to be square."""
    tokens = x.shape[1]
    side = int(tokens**0.5)
    if side * side != tokens:
        raise ValueError(
            f"weightformer: {tokens} tokens are not those of a square image; call the block with grid=(H, W), or "
            "accelerate the model that contains it"
        )
    return side, side


def kind_of(module):
    """What swap.py has made of the module, or None."""
    return getattr(type(module), "weightformer_kind", None)


def is_plain(module, kind):
    """True if a call of the module computes what `kind` does and nothing else."""
    return type(module) is kind and not has_hooks(module)


def dynamic_linear(layer, x, grid, mode):
    hidden = F.silu(layer.wfm(wf.token_pool(x, *grid)))
    left, right = hidden.split([layer.w1.shape[0], layer.w2.shape[0]], dim=-1)
    return wf.dynamic_linear(x, left @ layer.w1, right @ layer.w2, layer.w, layer.b, mode)[0]


def dynamic_conv(layer, x, grid, shift=None, scale=None, gate=None, residual=False):
    cells = wf.grid_pool3(x, *grid)
    if scale is not None:
        # Modulation is affine and pooling takes means: nine cells instead of all tokens.
        cells = modulate(cells, shift, scale)
    narrow, activation, wide = layer.wfm
    # Over tokens a 1 x 1 convolution is a linear layer, whose result has the memory layout that the operator prefers.
    cells = activation(F.linear(cells, narrow.weight.flatten(1), narrow.bias))
    kernel = F.linear(cells, wide.weight.flatten(1)).transpose(1, 2).unflatten(2, (3, 3))
    return wf.dynamic_dwconv(x, *grid, kernel, layer.w, layer.b, shift, scale, gate, residual)


def convolve(block, x, grid, shift=None, scale=None, gate=None):
    """x + gate * dwc(x * (1 + scale) + shift), without what is None."""
    dwc = block.dwc
    if kind_of(dwc) == "dynamic_conv" and not has_hooks(dwc):
        return dynamic_conv(dwc, x, grid, shift, scale, gate, residual=True)
    if is_plain(dwc, torch.nn.Conv2d):
        return wf.dynamic_dwconv(x, *grid, None, dwc.weight, dwc.bias, shift, scale, gate, True)
    image = (x if scale is None else modulate(x, shift, scale)).transpose(1, 2).unflatten(2, grid)
    tokens = dwc(image).flatten(2).transpose(1, 2)
    return x + (tokens if gate is None else gate.unsqueeze(1) * tokens)


def mlp(block, norm, inputs, grid, activation, approximate, drop=None):
    """drop(linear2(drop(activation(linear1(norm(*inputs))))))"""
    x, saving_inputs = computed_again(norm, *inputs)
    with saving_inputs:
        hidden = block.linear1(x, grid) if kind_of(block.linear1) == "dynamic_linear" else block.linear1(x)
    drops = drop is not None and (not is_plain(drop, torch.nn.Dropout) or (drop.training and drop.p > 0))
    linear2 = block.linear2
    if not drops and is_plain(linear2, torch.nn.Linear) and (activation is None or is_plain(activation, torch.nn.GELU)):
        return gelu_linear(hidden, linear2.weight, linear2.bias, approximate)
    hidden = F.gelu(hidden, approximate=approximate) if activation is None else activation(hidden)
    return drop(linear2(drop(hidden))) if drops else linear2(hidden)


def block(block, x, grid=None):
    """A block of the classifier."""
    grid = grid or square_grid(x)
    if hasattr(block, "norm1"):
        x, saving_inputs = computed_again(block.norm1, x)
        with saving_inputs:
            x = convolve(block, x, grid)
    else:
        x = convolve(block, x, grid)
    activation = getattr(block, "act", None)
    approximate = getattr(activation, "approximate", "none")
    drop = getattr(block, "drop", None)
    return x + block.drop_path(mlp(block, block.norm2, [x], grid, activation, approximate, drop))


def dit_block(block, x, condition, grid=None):
    """A block of the DiT variant; `condition` is [B, C]."""
    grid = grid or square_grid(x)
    shift1, scale1, gate1, shift2, scale2, gate2 = block.adaLN_modulation(condition).chunk(6, dim=1)
    eps = norm_eps(block)
    x, saving_inputs = computed_again(lambda t: F.layer_norm(t, t.shape[-1:], eps=eps), x)
    with saving_inputs:
        x = convolve(block, x, grid, shift1, scale1, gate1)
    norm = functools.partial(modulated_norm, eps=eps)
    update = mlp(block, norm, [x, shift2, scale2], grid, None, "tanh")
    return torch.addcmul(x, gate2.unsqueeze(1), update)


def norm_eps(block):
    return block.norm2.eps if hasattr(block, "norm2") else 1e-6


def features(model, images):
    """The part of the classifier before its head, of images of any height and width: [B, C]."""
    embed = model.patch_embed
    x = embed.proj(images)
    grid = tuple(x.shape[2:])
    x = x.flatten(2).transpose(1, 2)
    if hasattr(embed, "norm"):
        x = embed.norm(x)
    x = model.init_norm(x)
    for block in model.blocks:
        if model.training and getattr(model, "grad_checkpointing", False):
            x = checkpoint(block, x, grid, use_reentrant=False)
        else:
            x = block(x, grid)
    return model.norm(x).mean(dim=1)


def modulate(x, shift, scale):
    return torch.addcmul(shift.unsqueeze(1), x, scale.unsqueeze(1) + 1)
