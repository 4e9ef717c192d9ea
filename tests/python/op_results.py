"""Every operator case of tests/ops/cases.py in every dtype, forward and backward, saved to a file.

    python op_results.py OUTPUT [LIBRARY]   (the operators of LIBRARY, or those of the installed package)

wheel_test.py compares what the library of the C++ build and the wheel give.
"""

import math
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ops"))
if len(sys.argv) > 2:
    torch.ops.load_library(sys.argv[2])
else:
    import weightformer  # noqa: F401

from cases import Size, cases  # noqa: E402

# Of layers, with an odd tail of channels, a single row, and no sample.
SIZES = [Size(3, 14, 14, 48), Size(2, 7, 5, 21), Size(2, 1, 3, 5), Size(2, 2, 2, 7), Size(0, 4, 4, 8)]


def numbers(shape):
    """Between -1 and 1, the same on every processor, unlike torch.randn."""
    return ((torch.arange(math.prod(shape)) * 7919 % 1009) / 504.0 - 1).view(shape)


results = {}
for size in SIZES:
    for case in cases(size):
        base = [numbers(shape) for shape in case.shapes]
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            leaves = [t.to(dtype).requires_grad_() for t in base]
            y = case.call(size.h, size.w, *leaves)
            weights = ((torch.arange(y.numel()) * 7 % 16 - 5) / 8.0).view(y.shape).to(y)
            results[f"{case.name} {size} batch {size.b} {dtype}"] = [y.detach(), *torch.autograd.grad(y, leaves, weights)]
torch.save(results, sys.argv[1])
