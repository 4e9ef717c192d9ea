"""The operators wf::* on the loops wf_loops::* of a wheel, whose library is on torch's stable ABI.

The stable ABI has no autograd, no symbolic sizes and no autocast, so checks, layouts, matrix products and derivatives are
here and in stable_norm.py; they are those of src/ops/, where the formulas are explained. The schemas come with the
library.
"""

import functools

import torch

from . import stable_norm
from .stable_define import (
    begin, check, check_shape, check_tokens, contiguous_like, define, define_autocast, loops, wf, wide_dtype,
)  # fmt: skip

TOKEN_GRIDS = {"token_pool": lambda h, w: (h // 2, w // 2), "grid_pool3": lambda h, w: (3, 3)}


# --- pooling: two operators, each the derivative of the other ---------------------------------------


def define_token_op(name, result_grid):
    def both(forward):
        own, other = (name, f"{name}_backward") if forward else (f"{name}_backward", name)

        def sizes(h, w):
            (rows, columns), tokens = result_grid(h, w), h * w
            return (h, w, rows * columns) if forward else (rows, columns, tokens)

        def kernel(x, h, w):
            *grid, tokens = sizes(h, w)
            check_tokens(own, x, *grid)
            x = x.contiguous()
            y = x.new_empty(x.shape[0], tokens, x.shape[2])
            if y.numel() > 0:
                getattr(loops, own)(x, h, w, y)
            return y

        def fake(x, h, w):
            *grid, tokens = sizes(h, w)
            torch._check(x.shape[1] == grid[0] * grid[1])
            return x.new_empty(x.shape[0], tokens, x.shape[2])

        def saved(ctx, inputs, output):
            ctx.grid = inputs[1:]

        def backward(ctx, grad):
            return getattr(wf, other)(grad, *ctx.grid), None, None

        define(own, kernel, fake, backward, saved)

    both(True)
    both(False)


# --- column_gain -------------------------------------------------------------------------------------


def column_gain(gram, right, scale):
    b, r, d = right.shape
    check_shape("column_gain", "gram", gram, b, r, r)
    q = right.contiguous()
    gained, norm = torch.empty_like(q), gram.new_empty(b, d)
    if norm.numel() > 0:
        loops.column_gain(q, torch.bmm(gram, q.to(gram.dtype)), scale, gained, norm)
    return gained, norm


def column_gain_backward(grad, gram, right, norm, scale):
    check_shape("column_gain_backward", "grad", grad, *right.shape)
    q = right.contiguous()
    wide = q.to(gram.dtype)
    grad_right, weighted = torch.empty_like(q), torch.empty_like(wide)
    if q.numel() > 0:
        product = torch.bmm(gram, wide)
        loops.column_gain_backward(
            grad.to(q.dtype).contiguous(), q, product, norm.contiguous(), scale, grad_right, weighted
        )
    return torch.bmm(weighted, wide.transpose(1, 2)), grad_right


def define_column_gain():
    def saved(ctx, inputs, output):
        gram, right, ctx.scale = inputs
        ctx.save_for_backward(gram, right, output[1])
        ctx.mark_non_differentiable(output[1])

    def backward(ctx, grad, _):
        return *wf.column_gain_backward(grad, *ctx.saved_tensors, ctx.scale), None

    like = contiguous_like
    define(
        "column_gain", column_gain,
        lambda gram, right, scale: (like(right), gram.new_empty(right.shape[0], right.shape[2])), backward, saved,
    )  # fmt: skip
    define(
        "column_gain_backward", column_gain_backward,
        lambda grad, gram, right, norm, scale: (like(gram), like(right)),
    )  # fmt: skip


# --- dynamic_dwconv ----------------------------------------------------------------------------------


def lay_out(op, x, h, w, kernel, weight, bias, shift, scale, gate):
    """The arguments as the loops expect them."""
    check_tokens(op, x, h, w)
    (b, _, c), dtype = x.shape, wide_dtype(x)
    check_shape(op, "weight", weight, c, 1, 3, 3)
    check_shape(op, "bias", bias, c)
    if (shift is None) != (scale is None):
        raise RuntimeError(f"[{op}] shift and scale: expected both or neither")
    if kernel is not None:
        check_shape(op, "kernel", kernel, b, c, 3, 3)
        kernel = kernel.permute(0, 2, 3, 1).flatten(1, 2).to(dtype).contiguous()
    per_sample = []
    for name, t in (("shift", shift), ("scale", scale), ("gate", gate)):
        if t is not None:
            check_shape(op, name, t, b, c)
            t = t.to(dtype).contiguous()
        per_sample.append(t)
    weight = weight.to(dtype).reshape(c, 9).t().contiguous()
    return x.contiguous(), h, w, kernel, weight, bias.to(dtype).contiguous(), *per_sample


def dynamic_dwconv(x, height, width, kernel, weight, bias, shift=None, scale=None, gate=None, residual=False):
    arguments = lay_out("dynamic_dwconv", x, height, width, kernel, weight, bias, shift, scale, gate)
    y = torch.empty_like(arguments[0])
    if y.numel() > 0:
        loops.dynamic_dwconv(*arguments, residual, y)
    return y


def dwconv_gradients(new, x, kernel, weight, bias, shift, scale, gate):
    """The memory that the loops fill, by new(*shape)."""
    b, _, c = x.shape
    per_sample = [None if t is None else new(b, c) for t in (shift, scale, gate)]
    return new(b, 9, c), new(b, c), None if kernel is None else new(b, 9, c), *per_sample


def dwconv_results(x, grads, kernel, weight, bias, shift, scale, gate):
    """The gradients in the shapes and dtypes of their inputs; an empty tensor for an input that is not given."""
    taps, grad_bias, grad_kernel, *per_sample = grads
    c = x.shape[2]
    return (
        taps.new_empty(0) if kernel is None else grad_kernel.transpose(1, 2).unflatten(2, (3, 3)).to(kernel.dtype),
        taps.sum(0).t().reshape(c, 1, 3, 3).to(weight.dtype),
        grad_bias.sum(0).to(bias.dtype),
        *[taps.new_empty(0) if t is None else g.to(t.dtype) for g, t in zip(per_sample, (shift, scale, gate))],
    )


def dynamic_dwconv_backward(grad, x, height, width, kernel, weight, bias, shift=None, scale=None, gate=None,
                            residual=False):  # fmt: skip
    op, inputs = "dynamic_dwconv_backward", (kernel, weight, bias, shift, scale, gate)
    arguments = lay_out(op, x, height, width, *inputs)
    check_shape(op, "grad", grad, *x.shape)
    grad_x = torch.empty_like(arguments[0])
    grads = dwconv_gradients(functools.partial(x.new_zeros, dtype=wide_dtype(x)), x, *inputs)
    if x.numel() > 0:
        loops.dynamic_dwconv_backward(*arguments, residual, grad.to(x.dtype).contiguous(), grad_x, *grads)
    return grad_x, *dwconv_results(x, grads, *inputs)


def define_dwconv():
    def saved(ctx, inputs, output):
        x, *ctx.grid = inputs[:3]
        ctx.save_for_backward(x, *inputs[3:9])
        ctx.residual = inputs[9]

    def backward(ctx, grad):
        x, *inputs = ctx.saved_tensors
        out = wf.dynamic_dwconv_backward(grad, x, *ctx.grid, *inputs, ctx.residual)
        grads = [None if t is None else g for t, g in zip((x, *inputs), out)]
        return grads[0], None, None, *grads[1:], None

    def fake(x, height, width, *_, **__):
        torch._check(x.shape[1] == height * width)
        return contiguous_like(x)

    def fake_backward(grad, x, height, width, kernel, weight, bias, shift=None, scale=None, gate=None, residual=False):
        inputs = kernel, weight, bias, shift, scale, gate
        grads = dwconv_gradients(functools.partial(x.new_empty, dtype=wide_dtype(x)), x, *inputs)
        return contiguous_like(x), *dwconv_results(x, grads, *inputs)

    define("dynamic_dwconv", dynamic_dwconv, fake, backward, saved)
    define("dynamic_dwconv_backward", dynamic_dwconv_backward, fake_backward)


# --- dynamic_linear ----------------------------------------------------------------------------------


def check_linear(op, x, left, right, weight, bias, mode):
    check(x.dim() == 3 and weight.dim() == 2 and x.shape[2] == weight.shape[0], op, "x", "(B, N, C)", x.shape)
    (b, _, c), d = x.shape, weight.shape[1]
    check_shape(op, "left", left, b, left.shape[1], c)
    check_shape(op, "right", right, b, left.shape[1], d)
    check_shape(op, "bias", bias, d)
    check(all(t.dtype == x.dtype for t in (left, right, weight, bias)), op, "dtype", x.dtype, [weight.dtype])
    check(mode in ("auto", "factored", "merged"), op, "mode", "auto, factored or merged", [mode])


def merges(mode, x, weight):
    c, d = weight.shape
    return mode == "merged" or (mode == "auto" and 4 * x.shape[1] * (c + d) > 5 * c * d)


def scale_of(x):
    return 1 / (x.shape[2] ** 0.5 * x.shape[1])


def gram_of(left):
    wide = left.to(wide_dtype(left))  # float16 cannot hold the squares
    return torch.bmm(wide, wide.transpose(1, 2))


def merged_weight(weight, left, gained, scale):
    return torch.baddbmm(weight.unsqueeze(0), left.transpose(1, 2), gained, alpha=scale)


def scaled_bmm(a, b, scale):
    """scale * a b, scaled before it is rounded to the dtype."""
    return torch.baddbmm(a.new_empty(1, 1, 1), a, b, beta=0, alpha=scale)


def dynamic_linear(x, left, right, weight, bias, mode="auto"):
    check_linear("dynamic_linear", x, left, right, weight, bias, mode)
    scale = scale_of(x)
    gained, norm = column_gain(gram_of(left), right, scale)
    if merges(mode, x, weight):
        return torch.baddbmm(bias.view(1, 1, -1), x, merged_weight(weight, left, gained, scale)), gained, norm
    y = torch.addmm(bias, x.flatten(0, 1), weight).view(*x.shape[:2], weight.shape[1])
    return y.baddbmm_(torch.bmm(x, left.transpose(1, 2)), gained, alpha=scale), gained, norm


def dynamic_linear_backward(grad, x, left, right, weight, gained, norm, mode="auto"):
    scale, dy = scale_of(x), grad.contiguous()
    if merges(mode, x, weight):
        per_sample = torch.bmm(x.transpose(1, 2), dy)
        grad_weight = per_sample.sum(0)
        grad_gained = scaled_bmm(left, per_sample, scale)
        grad_left = scaled_bmm(gained, per_sample.transpose(1, 2), scale)
        grad_x = torch.bmm(dy, merged_weight(weight, left, gained, scale).transpose(1, 2))
    else:
        grad_weight = x.flatten(0, 1).t() @ dy.flatten(0, 1)
        seen, asked = torch.bmm(x, left.transpose(1, 2)), scaled_bmm(dy, gained.transpose(1, 2), scale)
        grad_gained = scaled_bmm(seen.transpose(1, 2), dy, scale)
        grad_left = torch.bmm(asked.transpose(1, 2), x)
        grad_x = (dy.flatten(0, 1) @ weight.t()).view(x.shape).baddbmm_(asked, left)
    gram = gram_of(left)
    grad_gram, grad_right = column_gain_backward(grad_gained, gram, right, norm, scale)
    grad_left = grad_left + (torch.bmm(grad_gram, left.to(gram.dtype)) * 2).to(left.dtype)
    return grad_x, grad_left, grad_right, grad_weight, dy.flatten(0, 1).sum(0)


def define_linear():
    def saved(ctx, inputs, output):
        *tensors, bias, ctx.mode = inputs
        ctx.save_for_backward(*tensors, *output[1:])
        ctx.mark_non_differentiable(*output[1:])

    def backward(ctx, grad, *_):
        return *wf.dynamic_linear_backward(grad, *ctx.saved_tensors, ctx.mode), None

    def fake(x, left, right, weight, bias, mode="auto"):
        b, d = x.shape[0], weight.shape[1]
        return x.new_empty(b, x.shape[1], d), contiguous_like(right), x.new_empty(b, d, dtype=wide_dtype(x))

    def fake_backward(grad, x, left, right, weight, gained, norm, mode="auto"):
        return *(contiguous_like(t) for t in (x, left, right, weight)), weight.new_empty(weight.shape[1])

    define("dynamic_linear", dynamic_linear, fake, backward, saved)
    define("dynamic_linear_backward", dynamic_linear_backward, fake_backward)
    define_autocast("dynamic_linear", 5)


def register(devices):
    """Gives the operators their functions on `devices` ("CPU", "CUDA"), whose loops must be loaded."""
    begin(devices)
    for name, result_grid in TOKEN_GRIDS.items():
        define_token_op(name, result_grid)
    define_column_gain()
    define_dwconv()
    define_linear()
    stable_norm.define_norm()
