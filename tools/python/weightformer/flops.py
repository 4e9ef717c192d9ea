"""Formulas for torch.utils.flop_counter: the matrix products and convolutions of each operator, two FLOPs each step.

Pooling and elementwise work are not counted, as FlopCounterMode does not count them for other operators.
"""

import logging

import torch

before = logging.root.manager.disable
logging.disable(logging.WARNING)  # flop_counter warns of a missing triton, which does not matter here
try:
    from torch.utils.flop_counter import register_flop_formula
finally:
    logging.disable(before)

wf = torch.ops.wf


def column_gain_flops(right):
    b, r, d = right
    return 2 * b * r * r * d


@register_flop_formula(wf.column_gain)
def column_gain(gram, right, *_, **__):
    return column_gain_flops(right)


@register_flop_formula(wf.column_gain_backward)
def column_gain_backward(grad, gram, right, *_, **__):
    return 2 * column_gain_flops(right)


def merges(mode, x, weight):
    """The choice of src/ops/dynamic_linear.cpp."""
    c, d = weight
    return mode == "merged" or (mode == "auto" and 4 * x[1] * (c + d) > 5 * c * d)


@register_flop_formula(wf.dynamic_linear)
def dynamic_linear(x, left, right, weight, bias, mode="auto", *_, **__):
    (b, n, c), (_, r, d) = x, right
    flops = 2 * b * r * r * c + column_gain_flops(right)
    if merges(mode, x, weight):
        return flops + 2 * b * (r * c * d + n * c * d)
    return flops + 2 * b * n * (c * d + r * c + r * d)


@register_flop_formula(wf.dynamic_linear_backward)
def dynamic_linear_backward(grad, x, left, right, weight, gained, norm, mode="auto", *_, **__):
    (b, n, c), (_, r, d) = x, right
    flops = 2 * 2 * b * r * r * c + 2 * column_gain_flops(right)
    if merges(mode, x, weight):
        return flops + 2 * b * (2 * n * c * d + 3 * r * c * d)
    return flops + 2 * b * n * (2 * c * d + 3 * r * c + 2 * r * d)


@register_flop_formula(wf.dynamic_dwconv)
def dynamic_dwconv(x, *_, **__):
    b, n, c = x
    return 2 * 9 * b * n * c


@register_flop_formula(wf.dynamic_dwconv_backward)
def dynamic_dwconv_backward(grad, x, *_, **__):
    return 2 * dynamic_dwconv(x)
