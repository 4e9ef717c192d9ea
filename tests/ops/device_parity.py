"""Every operator on a device against float64 on the CPU, forward and backward, in every dtype.

    python device_parity.py libweightformer.so cuda

For machines with torch and nothing else; the C++ tests do the same under WF_DEVICE=cuda.
"""

import sys

import torch

torch.ops.load_library(sys.argv[1])
DEVICE = sys.argv[2]
wf = torch.ops.wf
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-6, torch.float16: 6e-3, torch.bfloat16: 4e-2}


def column_gain(left, right):
    wide = left.double() if left.dtype == torch.float64 else left.float()
    return wf.column_gain(wide @ wide.transpose(1, 2), right, 0.3)[0]


def dwconv(height, width, *flags):
    def call(x, weight, bias, *rest):
        rest = list(rest)
        kernel = rest.pop(0) if flags[0] else None
        shift, scale = (rest.pop(0), rest.pop(0)) if flags[1] else (None, None)
        gate = rest.pop(0) if flags[2] else None
        return wf.dynamic_dwconv(x, height, width, kernel, weight, bias, shift, scale, gate, flags[3])

    return call


def cases():
    b = 3
    for h, w, c in ((14, 14, 192), (7, 5, 24), (1, 3, 5), (2, 2, 7)):
        x = (b, h * w, c)
        yield f"token_pool {h}x{w}x{c}", lambda t, h=h, w=w: wf.token_pool(t, h, w), [x]
        yield f"grid_pool3 {h}x{w}x{c}", lambda t, h=h, w=w: wf.grid_pool3(t, h, w), [x]
        for flags in ((0, 0, 0, 0), (1, 0, 0, 1), (1, 1, 1, 1), (0, 1, 0, 0)):
            shapes = [x, (c, 1, 3, 3), (c,)] + [(b, c, 3, 3)] * flags[0] + [(b, c)] * (2 * flags[1] + flags[2])
            yield f"dynamic_dwconv {h}x{w}x{c} {flags}", dwconv(h, w, *map(bool, flags)), shapes
    for r, c, d in ((49, 192, 768), (3, 5, 7)):
        yield f"column_gain {r}x{d}", column_gain, [(b, r, c), (b, r, d)]
        for mode in ("factored", "merged"):
            yield (f"dynamic_linear {mode} {r}x{c}x{d}", lambda *t, mode=mode: wf.dynamic_linear(*t, mode)[0],
                   [(b, 4 * r, c), (b, r, c), (b, r, d), (c, d), (d,)])


def run(op, inputs):
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    y = op(*leaves)
    weights = ((torch.arange(y.numel()) * 7 % 16 - 5) / 8.0).view(y.shape).to(y)
    return [y, *torch.autograd.grad(y, leaves, weights)]


torch.manual_seed(0)
failed = count = 0
for name, op, shapes in cases():
    base = [torch.randn(shape) for shape in shapes]
    for dtype, allowed in TOLERANCE.items():
        inputs = [t.to(dtype) for t in base]
        want = run(op, [t.double() for t in inputs])
        got = run(op, [t.to(DEVICE) for t in inputs])
        for i, (a, e) in enumerate(zip(got, want)):
            error = ((a.detach().cpu().double() - e).norm() / e.norm().clamp_min(1e-30)).item()
            count += 1
            if not error <= allowed:
                failed += 1
                print(f"FAILED {name} {dtype} result {i}: relative error {error:.2e}, allowed {allowed:.0e}")
print(f"{count - failed} passed, {failed} failed")
sys.exit(failed > 0)
