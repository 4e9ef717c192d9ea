"""Does a recognized module compute what the published one does? It is tried, in float64 with random parameters."""

import copy

import torch
from torch import nn

from . import structure
from .classes import accelerated_class, undo

def example(module, kind):
    """Inputs of the module's forward function: tokens of a 4 x 4 grid, an image of them, or images."""
    generator = torch.Generator().manual_seed(0)

    def random(*sizes):
        return torch.randn(*sizes, generator=generator, dtype=torch.float64)

    if kind == "classifier":
        proj, size = module.patch_embed.proj, getattr(module.patch_embed, "img_size", None)
        height, width = size if isinstance(size, tuple) else [4 * side for side in proj.kernel_size]
        return (random(1, proj.in_channels, height, width),)
    if kind == "dynamic_conv":
        return (random(2, module.w.shape[0], 4, 4),)
    if kind == "dynamic_linear":
        return (random(2, 16, module.w.shape[0]),)
    width = module.linear2.out_features
    tokens, condition = random(2, 16, width), random(2, width)
    return (tokens, condition) if kind == "dit_block" else (tokens,)


def trial_copy(module, kind):
    """A copy in float64 on the CPU whose parameters are random: a gate of zero, as DiT begins with, hides differences."""
    memo = {id(module.blocks): nn.Sequential()} if kind == "classifier" else {}  # blocks are tried one by one
    trial = copy.deepcopy(module, memo)
    undo(trial)
    if any(p.is_meta for p in trial.parameters()):
        trial.to_empty(device="cpu")
    trial = trial.to("cpu", torch.float64).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in trial.parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = values * max(1, parameter[0].numel()) ** -0.5
    return trial


def call_with_grid(function, inputs, kind):
    """The published forward functions take no grid; the yardsticks of other repositories do."""
    try:
        return function(*inputs)
    except TypeError:
        return function(*inputs, (4, 4)) if kind not in ("classifier", "dynamic_conv") else function(*inputs)


@torch.no_grad()
def difference(module, kind):
    """The largest relative difference between the module's own results and those of the accelerated class."""
    trial = trial_copy(module, kind)
    inputs = example(trial, kind)
    want = call_with_grid(trial, inputs, kind)
    for name in ("linear1", "dwc"):
        child = getattr(trial, name, None)
        inner, problem = structure.kind_and_problem(child)
        if inner and not problem:
            child.__class__ = accelerated_class(type(child), inner)
    trial.__class__ = accelerated_class(type(trial), kind)
    return ((trial(*inputs) - want).norm() / want.norm()).item()


def problem(module, kind):
    """None if the accelerated class computes what the module does, otherwise a reason to leave it as it is."""
    try:
        found = difference(module, kind)
    except (RuntimeError, ValueError, TypeError, AttributeError, AssertionError) as error:
        text = str(error).splitlines()
        return f"it could not be tried ({type(error).__name__}: {text[0] if text else ''})"
    return None if found < 1e-9 else f"its forward computes something else (relative difference {found:.1e})"
