"""Every operator on a device against float64 on the CPU, forward and backward, in every dtype.

    python device_parity.py libweightformer.so cuda

For machines with torch and nothing else; the C++ tests do the same under WF_DEVICE=cuda.
"""

import sys

import torch

from cases import Size, cases

torch.ops.load_library(sys.argv[1])
DEVICE = sys.argv[2]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-6, torch.float16: 6e-3, torch.bfloat16: 4e-2}
SIZES = [Size(3, 14, 14, 192), Size(3, 7, 5, 24), Size(3, 1, 3, 5), Size(3, 2, 2, 7)]


def run(case, size, inputs):
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    y = case.call(size.h, size.w, *leaves)
    weights = ((torch.arange(y.numel()) * 7 % 16 - 5) / 8.0).view(y.shape).to(y)
    return [y, *torch.autograd.grad(y, leaves, weights)]


torch.manual_seed(0)
failed = count = 0
for size, case in ((size, case) for size in SIZES for case in cases(size)):
    base = [torch.randn(shape) for shape in case.shapes]
    for dtype, allowed in TOLERANCE.items():
        inputs = [t.to(dtype) for t in base]
        want = run(case, size, [t.double() for t in inputs])
        got = run(case, size, [t.to(DEVICE) for t in inputs])
        for i, (a, e) in enumerate(zip(got, want)):
            error = ((a.detach().cpu().double() - e).norm() / e.norm().clamp_min(1e-30)).item()
            count += 1
            limit = max(allowed, TOLERANCE[a.dtype])  # a result may be shorter than its inputs
            if not error <= limit:
                failed += 1
                print(f"FAILED {case.name} {size} {dtype} result {i}: relative error {error:.2e}, allowed {limit:.0e}")
print(f"{count - failed} passed, {failed} failed")
sys.exit(failed > 0)
