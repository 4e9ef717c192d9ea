"""What the operators are tried with; opcheck.py, compile.py and device_parity.py walk this table.

A case is a function that calls one operator, of the height and width of the token grid and of tensors, and
the shapes of those tensors, which are filled with normal numbers. The first one is the tokens x, where the
operator has them. The backward operators need no cases: they run when a case is differentiated.
"""

from typing import Callable, NamedTuple

import torch

wf = torch.ops.wf


class Size(NamedTuple):
    """A layer: batch, grid of tokens, channels."""

    b: int
    h: int
    w: int
    c: int

    def __str__(self):
        return f"{self.h}x{self.w}x{self.c}"


class Case(NamedTuple):
    name: str  # of the operator, then what is special about the case
    call: Callable  # (height, width, *tensors) -> the differentiable result
    shapes: list  # of the tensors


def column_gain(h, w, left, right):
    wide = left.double() if left.dtype == torch.float64 else left.float()
    return wf.column_gain(wide @ wide.transpose(1, 2), right, 0.3)[0]


def dwconv_case(size, name, kernel=False, modulated=False, gated=False, residual=False):
    b, h, w, c = size

    def call(h, w, x, weight, bias, *rest):
        rest = list(rest)
        predicted = rest.pop(0) if kernel else None
        shift, scale = (rest.pop(0), rest.pop(0)) if modulated else (None, None)
        gate = rest.pop(0) if gated else None
        return wf.dynamic_dwconv(x, h, w, predicted, weight, bias, shift, scale, gate, residual)

    optional = [(b, c, 3, 3)] * kernel + [(b, c)] * (2 * modulated + gated)
    return Case(f"dynamic_dwconv, {name}", call, [(b, h * w, c), (c, 1, 3, 3), (c,), *optional])


def norm_case(size, name, vectors, fork=False, **options):
    """`vectors`: the names of the arguments after the tokens; with `fork` both results count."""
    b, h, w, c = size
    shapes = {"weight": (c,), "bias": (c,), "update": (b, h * w, c)}

    def call(h, w, x, *given):
        y, total, _ = wf.layer_norm(x, **dict(zip(vectors, given)), keep_sum=fork, **options)
        return torch.cat([y, total.to(y.dtype)], 2) if fork else y

    return Case(f"layer_norm, {name}", call, [(b, h * w, c), *[shapes.get(v, (b, c)) for v in vectors]])


def cases(size):
    b, h, w, c = size
    tokens = (b, h * w, c)
    # Of a dynamic linear layer: pooled tokens, and outputs, an odd number where c is odd.
    r, d = max(1, (h // 2) * (w // 2)), 4 * c + c % 2
    linear = [tokens, (b, r, c), (b, r, d), (c, d), (d,)]
    return [
        Case("token_pool", lambda h, w, x: wf.token_pool(x, h, w), [tokens]),
        Case("grid_pool3", lambda h, w, x: wf.grid_pool3(x, h, w), [tokens]),
        Case("column_gain", column_gain, [(b, r, c), (b, r, d)]),
        dwconv_case(size, "static kernel"),
        dwconv_case(size, "dynamic", kernel=True, residual=True),
        dwconv_case(size, "modulated", modulated=True),
        dwconv_case(size, "everything", kernel=True, modulated=True, gated=True, residual=True),
        norm_case(size, "plain", []),
        norm_case(size, "affine", ["weight", "bias"]),
        norm_case(size, "modulated, short result", ["scale", "shift"], dtype=torch.bfloat16),
        norm_case(size, "gated update", ["update", "gate"]),
        Case(
            "layer_norm, scaled rows of an update",
            lambda h, w, x, u: wf.layer_norm(x, update=u, row_scale=torch.arange(x.shape[0], device=x.device) / 2.0)[0],
            [tokens, tokens],
        ),
        norm_case(size, "fork", ["update", "gate", "scale", "shift"], fork=True),
        Case("dynamic_linear, factored", lambda h, w, *t: wf.dynamic_linear(*t, "factored")[0], linear),
        Case("dynamic_linear, merged", lambda h, w, *t: wf.dynamic_linear(*t, "merged")[0], linear),
    ]
