"""wf::layer_norm of a wheel (see stable.py); the formulas and the meaning of its arguments are those of src/ops/layer_norm.cpp."""

import torch

from .stable_define import check, check_shape, contiguous_like, define, loops, wf, wide_dtype

PART = 32  # tokens: kNormPart of src/ops/layer_norm_params.h
SHORT = (torch.float16, torch.bfloat16)


def check_norm(op, x, vectors, tokens, pairs):
    """vectors and tokens: name → tensor of [C], [B] or [B, C] (by its name), and of the shape of x."""
    check(x.dim() == 3 and x.is_floating_point() and x.shape[2] > 0, op, "x", "a floating (B, N, C)", x.shape)
    b, _, c = x.shape
    for name, t in vectors.items():
        if t is not None:
            shapes = {"weight": (c,), "bias": (c,), "row_scale": (b,)}
            check_shape(op, name, t, *shapes.get(name, (b, c)))
    for name, t in tokens.items():
        if t is not None:
            check_shape(op, name, t, *x.shape)
    for first, second in pairs:
        given = {**vectors, **tokens}
        if (given[first] is None) != (given[second] is None):
            raise RuntimeError(f"[{op}] {first} and {second}: expected both or neither")
    if vectors["weight"] is not None and vectors["scale"] is not None:
        raise RuntimeError(f"[{op}] weight and scale: expected one of them")


def laid_out(t):
    """Contiguous, and so that packs of 16 bytes can be read."""
    t = t.contiguous()
    return t if t.data_ptr() % 16 == 0 else t.clone()


def norm_dtype(x, other):
    """The dtype that a kernel for tokens of the dtype x takes a tensor of the dtype `other` in."""
    return other if x == torch.float32 and other in SHORT else x


def vectors_of(x, weight, scale, offset, gate, row_scale):
    """Factor [C] or [B, C], offset, and the gate, which the scale of rows is in; None where not given."""

    def wide(t):
        return None if t is None else laid_out(t.to(wide_dtype(x)))

    gate = wide(gate)
    if row_scale is not None:
        rows = wide(row_scale).unsqueeze(1)
        gate = rows.expand(x.shape[0], x.shape[2]).contiguous() if gate is None else gate * rows
    return wide(weight) if scale is None else wide(scale).add(1), wide(offset), gate


def keeps_y(x, weight, scale, dtype):
    """The backward pass can do with y: it holds the normalized tokens in the dtype of x."""
    return weight is None and scale is None and dtype == x.dtype


def returns_sum(x, weight, scale, update, dtype, keep_sum):
    return update is not None and (keep_sum or not keeps_y(x, weight, scale, dtype))


def layer_norm(x, weight=None, bias=None, scale=None, shift=None, update=None, gate=None, eps=1e-6, dtype=None,
               keep_sum=True, row_scale=None):  # fmt: skip
    op = "layer_norm"
    given = {"weight": weight, "bias": bias, "scale": scale, "shift": shift, "gate": gate, "row_scale": row_scale}
    check_norm(op, x, given, {"update": update}, [("weight", "bias"), ("scale", "shift")])
    for name, t in (("gate", gate), ("row_scale", row_scale)):
        if t is not None and update is None:
            raise RuntimeError(f"[{op}] {name}: expected an update to multiply")
    dtype = dtype or x.dtype
    check(dtype.is_floating_point, op, "dtype", "a floating one", [dtype])
    x, result = laid_out(x), norm_dtype(x.dtype, dtype)
    if update is not None:
        update = laid_out(update.to(norm_dtype(x.dtype, update.dtype)))
        if update.dtype != result and result in SHORT:
            result = x.dtype  # no kernel has a long update and a short result, or two short dtypes
    factor, offset, gate = vectors_of(x, weight, scale, bias if scale is None else shift, gate, row_scale)
    y = torch.empty_like(x, dtype=result)
    total = torch.empty_like(x) if returns_sum(x, weight, scale, update, dtype, keep_sum) else None
    moments = x.new_empty(*x.shape[:2], 2, dtype=wide_dtype(x))
    if x.numel() > 0:
        loops.layer_norm(x, update, gate, factor, offset, eps, y, total, moments)
    return y.to(dtype), x.new_empty(0) if total is None else total, moments


def update_dtype_of(x, update, row_scale, update_type):
    """The dtype of a gradient of the update that has a tensor of its own, or None."""
    if update is not None:
        return update.dtype
    return x.dtype if update_type is None and row_scale is not None else update_type


def layer_norm_backward(grad, grad_sum, x, moments, weight=None, scale=None, update=None, gate=None, normalized=False,
                        row_scale=None, update_type=None):  # fmt: skip
    op = "layer_norm_backward"
    given = {"weight": weight, "scale": scale, "gate": gate, "row_scale": row_scale}
    check_norm(op, x, given, {"grad": grad, "grad_sum": grad_sum, "update": update}, [("update", "gate")])
    check_shape(op, "moments", moments, *x.shape[:2], 2)
    x, moments = laid_out(x), laid_out(moments)
    factor, _, wide_gate = vectors_of(x, weight, scale, None, gate, row_scale)
    result, grad_update = norm_dtype(x.dtype, grad.dtype), None
    update_dtype = update_dtype_of(x, update, row_scale, update_type)
    if update_dtype is not None:
        kernel_dtype = norm_dtype(x.dtype, update_dtype)
        if kernel_dtype != result and result in SHORT:
            result = x.dtype
        update = None if update is None else laid_out(update.to(kernel_dtype))
        grad_update = torch.empty_like(x, dtype=kernel_dtype)
    if grad_sum is not None:
        grad_sum = laid_out(grad_sum.to(x.dtype))
    parts = x.shape[0], (x.shape[1] + PART - 1) // PART, x.shape[2]
    sums = [None if v is None else moments.new_empty(parts) for v in (factor, factor, gate)]
    grad_x = torch.empty_like(x)
    if x.numel() > 0:
        loops.layer_norm_backward(
            laid_out(grad.to(result)), grad_sum, x, moments, factor, update, wide_gate, normalized, grad_x, grad_update,
            *sums,
        )  # fmt: skip
    over = (0, 1) if scale is None else 1  # affine parameters are shared by all samples
    reduced = [None if s is None else s.sum(dim) for s, dim in ((sums[2], 1), (sums[0], over), (sums[1], over))]
    if gate is not None and row_scale is not None:
        reduced[0] = reduced[0] * row_scale.to(reduced[0].dtype).unsqueeze(1)
    grad_update = None if grad_update is None else grad_update.to(update_dtype)
    return grad_x, *[moments.new_empty(0) if t is None else t for t in (grad_update, *reduced)]


def fake(x, weight=None, bias=None, scale=None, shift=None, update=None, gate=None, eps=1e-6, dtype=None, keep_sum=True,
         row_scale=None):  # fmt: skip
    dtype = dtype or x.dtype
    keeps = returns_sum(x, weight, scale, update, dtype, keep_sum)
    y = x.new_empty(x.shape, dtype=dtype)
    return y, x.new_empty(x.shape if keeps else 0), x.new_empty(*x.shape[:2], 2, dtype=wide_dtype(x))


def fake_backward(grad, grad_sum, x, moments, weight=None, scale=None, update=None, gate=None, normalized=False,
                  row_scale=None, update_type=None):  # fmt: skip
    b, _, c = x.shape

    def sums(shape):
        return x.new_empty(shape, dtype=wide_dtype(x))

    vector = (c,) if weight is not None else (b, c) if scale is not None else (0,)
    dtype = update_dtype_of(x, update, row_scale, update_type)
    grad_update = sums((0,)) if dtype is None else x.new_empty(x.shape, dtype=dtype)
    return contiguous_like(x), grad_update, sums((b, c) if gate is not None else (0,)), sums(vector), sums(vector)


def saved(ctx, inputs, output):
    x, weight, bias, scale, shift, update, gate, _, dtype, keep_sum, row_scale = inputs
    y, total, moments = output
    ctx.normalized = keeps_y(x, weight, scale, dtype or x.dtype)
    kept = y if ctx.normalized else x if update is None else total
    ctx.save_for_backward(kept, moments, weight, scale, None if gate is None else update, gate, row_scale)
    ctx.dtypes = [None if t is None else t.dtype for t in inputs[:7]]
    ctx.of_y = y.dtype
    ctx.set_materialize_grads(False)
    constants = [moments] if returns_sum(x, weight, scale, update, y.dtype, keep_sum) else [total, moments]
    ctx.mark_non_differentiable(*constants)


def backward(ctx, grad, grad_sum, _):
    x, moments, weight, scale, update, gate, rows = ctx.saved_tensors
    if grad is None:  # only the sum counts
        grad = torch.zeros_like(x, dtype=ctx.of_y)
    # Without a gate or another dtype the gradient of an update is that of x.
    update_type = ctx.dtypes[5]
    own = update_type is not None and (gate is not None or rows is not None or update_type != x.dtype)
    grad_x, grad_update, grad_gate, factor, offset = wf.layer_norm_backward(
        grad, grad_sum, x, moments, weight, scale, update, gate, ctx.normalized, rows, update_type if own else None
    )
    out = [grad_x, factor, offset, factor, offset, grad_update if own else grad_x, grad_gate]
    return *(None if dtype is None else t.to(dtype) for t, dtype in zip(out, ctx.dtypes)), *[None] * 4


def define_norm():
    define("layer_norm", layer_norm, fake, backward, saved)
    define("layer_norm_backward", layer_norm_backward, fake_backward)
