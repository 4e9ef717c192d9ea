"""What the definitions of operators in stable.py and stable_norm.py share: checks and registration."""

import functools

import torch

loops = torch.ops.wf_loops
wf = torch.ops.wf
no_autocast = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU) | torch._C.DispatchKeySet(
    torch._C.DispatchKey.AutocastCUDA
)
lib = None  # keeps the registrations
on_devices = ()


def begin(devices):
    global lib, on_devices
    lib, on_devices = torch.library.Library("wf", "FRAGMENT"), devices


def check(holds, op, what, expected, got):
    if not holds:
        raise RuntimeError(f"[{op}] {what}: expected {expected}, got {tuple(got)}")


def check_shape(op, name, tensor, *expected):
    check(tuple(tensor.shape) == expected, op, name, expected, tensor.shape)


def check_tokens(op, x, h, w):
    check(x.dim() == 3 and x.shape[1] == h * w, op, "x", f"(B, {h}*{w}, C)", x.shape)
    check(x.is_floating_point(), op, "x", "a floating dtype", [x.dtype])


def wide_dtype(x):
    """That of sums."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def contiguous_like(t):
    return torch.empty_like(t, memory_format=torch.contiguous_format)


def define(name, kernel, fake, backward=None, saved=None):
    """The functions of one operator: its kernel, results without data and derivative.

    backward(ctx, *grads) with what saved(ctx, inputs, output) keeps; None: it cannot be differentiated again.
    """

    @functools.wraps(kernel)
    def on_device(*args, **kwargs):
        with torch._C._ExcludeDispatchKeyGuard(no_autocast):
            return kernel(*args, **kwargs)

    for device in on_devices:
        lib.impl(name, on_device, device)
    torch.library.register_fake(f"wf::{name}", fake, lib=lib)

    def refuse(ctx, *grads):
        op = name.removesuffix("_backward")
        raise RuntimeError(f"{op} is once differentiable: for second derivatives use its formula in plain PyTorch")

    torch.library.register_autograd(f"wf::{name}", backward or refuse, setup_context=saved, lib=lib)


def define_autocast(name, tensors):
    """Under autocast the first `tensors` arguments are cast, as those of a linear layer."""

    def on(device):
        def autocast(*args, **kwargs):
            dtype = torch.get_autocast_dtype(device)
            with torch._C._ExcludeDispatchKeyGuard(no_autocast):
                return getattr(wf, name)(*(t.to(dtype) for t in args[:tensors]), *args[tensors:], **kwargs)

        return autocast

    for device in on_devices:
        lib.impl(name, on(device.lower()), f"Autocast{device}")
