"""Functions that save only their inputs for the backward pass and compute the rest again.

The first two follow src/nn/fused_linear.cpp and src/nn/modulate.cpp; GELU and the modulation are cheap beside the matrix
products, and their results are as large as the inputs.
"""

import contextlib

import torch
from torch.nn import functional as F

aten = torch.ops.aten
top_hooks = torch._C._autograd._top_saved_tensors_default_hooks


def has_hooks(module):
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


class GeluLinear(torch.autograd.Function):
    @staticmethod
    def forward(context, x, weight, bias, approximate):
        context.save_for_backward(x, weight, bias)
        context.approximate = approximate
        return F.linear(F.gelu(x, approximate=approximate), weight.to(x.dtype), bias.to(x.dtype))

    @staticmethod
    def backward(context, grad):
        x, weight, bias = context.saved_tensors
        dy = grad.to(x.dtype).flatten(0, -2)
        grad_weight = dy.t() @ F.gelu(x, approximate=context.approximate).flatten(0, -2)
        grad_hidden = (dy @ weight.to(x.dtype)).view(x.shape)
        grad_x = aten.gelu_backward(grad_hidden, x, approximate=context.approximate)
        return grad_x, grad_weight.to(weight.dtype), dy.sum(0).to(bias.dtype), None


def gelu_linear(x, weight, bias, approximate):
    """linear(gelu(x), weight, bias) for x [..., C], weight [D, C] and bias [D] → [..., D] in the dtype of x.

    weight and bias are cast to the dtype of x, which under autocast is that of the linear layer before.
    """
    if bias is None or not torch.is_grad_enabled():
        return F.linear(F.gelu(x, approximate=approximate), weight, bias)
    return GeluLinear.apply(x, weight, bias, approximate)


class ModulatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(context, x, shift, scale, eps):
        y, mean, rstd = aten.native_layer_norm(x, x.shape[-1:], None, None, eps)
        context.save_for_backward(x, scale, mean, rstd)
        context.shift_dtype = shift.dtype
        return torch.addcmul(shift.to(y.dtype).unsqueeze(1), y, scale.to(y.dtype).unsqueeze(1) + 1)

    # With x̂ the normalized x: dshift = Σ_n dy, dscale = Σ_n dy x̂, dx̂ = dy (1 + scale).
    @staticmethod
    def backward(context, grad):
        x, scale, mean, rstd = context.saved_tensors
        dy = grad.to(x.dtype)
        grad_normed = dy * (scale.to(x.dtype).unsqueeze(1) + 1)
        grad_x = aten.native_layer_norm_backward(
            grad_normed, x, x.shape[-1:], mean, rstd, None, None, [True, False, False]
        )[0]
        grad_scale = ((x - mean) * rstd * dy).sum(1)
        return grad_x, dy.sum(1).to(context.shift_dtype), grad_scale.to(scale.dtype), None


def modulated_norm(x, shift, scale, eps):
    """layer_norm(x) * (1 + scale) + shift for x [B, N, C], shift and scale [B, C] → [B, N, C]."""
    return ModulatedNorm.apply(x, shift, scale, eps)


def computed_again(compute, *inputs):
    """(y, context) with y = compute(*inputs): what runs inside the context saves `inputs` in place of y.

    For a y that costs less than the memory it takes, such as a normalization whose inputs are saved anyway. Inside
    torch.compile and torch.utils.checkpoint, which decide by themselves what to save, the context does nothing.
    """
    y = compute(*inputs)
    leave = torch.compiler.is_compiling() or not torch.is_grad_enabled() or top_hooks(True)
    if leave or (isinstance(compute, torch.nn.Module) and has_hooks(compute)):
        return y, contextlib.nullcontext()
    detached = [t.detach() for t in inputs]
    of_y = y.data_ptr(), y.numel(), y.dtype  # the graph keeps the two functions, which must not keep y

    def pack(t):
        return t.shape if (t.data_ptr(), t.numel(), t.dtype) == of_y and t.is_contiguous() else t

    def unpack(saved):
        if isinstance(saved, torch.Tensor):
            return saved
        with torch.no_grad():
            return compute(*detached).view(saved)

    return y, torch.autograd.graph.saved_tensors_hooks(pack, unpack)
