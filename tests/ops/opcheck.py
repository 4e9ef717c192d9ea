"""The operators as Python sees them: loads the library and asks torch.library.opcheck about each.

    python opcheck.py libweightformer.so [FOLDER_OF_LIBTORCH]

Exit code 77: this Python has no torch, or another one than the library was built with.
"""

import os
import sys

try:
    import torch
except ImportError as problem:
    print(f"skipped: Python's torch is not there ({problem}); tools/bootstrap.sh without --light installs it")
    sys.exit(77)

if len(sys.argv) > 2 and not os.path.samefile(torch.__path__[0], sys.argv[2]):
    print(f"skipped: Python's torch is {torch.__path__[0]}, the library was built with {sys.argv[2]}")
    sys.exit(77)

torch.ops.load_library(sys.argv[1])
torch.manual_seed(0)
wf = torch.ops.wf


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def gram(rank, width):
    left = torch.randn(2, rank, width)
    return (left @ left.transpose(1, 2)).requires_grad_()


B, H, W, C, D, R = 2, 5, 4, 8, 12, 4
N = H * W
x = leaf(B, N, C)
CASES = {
    "token_pool": [(x, H, W)],
    "token_pool_backward": [(torch.randn(B, 4, C), H, W)],
    "grid_pool3": [(x, H, W)],
    "grid_pool3_backward": [(torch.randn(B, 9, C), H, W)],
    "column_gain": [(gram(R, C), leaf(B, R, D), 0.5)],
    "column_gain_backward": [(torch.randn(B, R, D), gram(R, C).detach(), torch.randn(B, R, D), torch.rand(B, D), 0.5)],
    "dynamic_dwconv": [
        (x, H, W, leaf(B, C, 3, 3), leaf(C, 1, 3, 3), leaf(C)),
        (x, H, W, None, leaf(C, 1, 3, 3), leaf(C), leaf(B, C), leaf(B, C), leaf(B, C), True),
    ],
    "dynamic_dwconv_backward": [
        (torch.randn(B, N, C), x.detach(), H, W, torch.randn(B, C, 3, 3), torch.randn(C, 1, 3, 3), torch.randn(C)),
    ],
    "dynamic_linear": [(x, leaf(B, R, C), leaf(B, R, D), leaf(C, D), leaf(D), mode) for mode in ("factored", "merged")],
    "dynamic_linear_backward": [
        (torch.randn(B, N, D), x.detach(), torch.randn(B, R, C), torch.randn(B, R, D), torch.randn(C, D),
         torch.randn(B, R, D), torch.rand(B, D), mode)
        for mode in ("factored", "merged")
    ],
}

registered = {name.split("::")[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith("wf::")}
assert registered == set(CASES), f"operators without a case here: {registered ^ set(CASES)}"
for name, cases in CASES.items():
    for case in cases:
        torch.library.opcheck(getattr(wf, name).default, case)
    print("ok", name)
