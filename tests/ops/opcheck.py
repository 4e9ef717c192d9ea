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

from cases import Size, cases  # noqa: E402, it needs torch
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_map_only  # noqa: E402

torch.ops.load_library(sys.argv[1])
torch.manual_seed(0)


class Recorder(TorchDispatchMode):
    """Notes every call of an operator of ours, of the backward ones too."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op.namespace == "wf":
            self.calls.append((op, args, kwargs or {}))
        return op(*args, **(kwargs or {}))


checked = set()
for case in cases(Size(2, 5, 4, 8)):
    leaves = [torch.randn(shape, requires_grad=True) for shape in case.shapes]
    with Recorder() as recorder:
        case.call(*leaves).sum().backward()
    for op, args, kwargs in recorder.calls:
        name = op.name().split("::")[1]
        if name.endswith("_backward"):  # has no derivative
            args = tree_map_only(torch.Tensor, torch.Tensor.detach, args)
        torch.library.opcheck(op, args, kwargs)
        checked.add(name)
        print("ok", name, f"({case.name})")

registered = {name.split("::")[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith("wf::")}
assert registered == checked, f"operators without a case in cases.py: {registered ^ checked}"
