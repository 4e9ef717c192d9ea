"""The operators as Python sees them: loads the library and asks torch.library.opcheck about each.

    python opcheck.py libweightformer.so [FOLDER_OF_LIBTORCH]

Exit code 77: this Python has no torch, or another one than the library was built with.
"""

import library  # noqa: F401, first: it loads the operators or ends the program
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from cases import Size, cases


class Recorder(TorchDispatchMode):
    """Notes every call of an operator of ours, of the backward ones too."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op.namespace == "wf":
            self.calls.append((op, args, kwargs or {}))
        return op(*args, **(kwargs or {}))


LAYOUTS = {
    "contiguous": lambda t: t,
    "transposed": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    "every other": lambda t: torch.stack([t, t], -1)[..., 0],
    "expanded": lambda t: t[:1].expand_as(t),
}


def recorded(case, layout, dtype):
    """The calls of our operators for inputs and a gradient of this layout, as (name, operator, args, kwargs)."""
    laid = [layout(torch.randn(shape, dtype=dtype)).requires_grad_() for shape in case.shapes]
    with Recorder() as recorder:
        y = case.call(SIZE.h, SIZE.w, *laid)
        y.backward(layout(torch.randn_like(y)))
    for op, args, kwargs in recorder.calls:
        yield op.name().split("::")[1], op, *tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs))


def described(results):
    """What compiled code relies on: dtype, shape and strides; a stride along one element does not matter."""
    return [
        (t.dtype, tuple(t.shape), tuple(stride for n, stride in zip(t.shape, t.stride()) if n != 1))
        for t in tree_leaves(results)
    ]


def check_results_without_data(name, op, args, kwargs):
    """Kernels, formulas and results without data (meta) agree about the memory of their results."""
    real = described(op(*args, **kwargs))
    with FakeTensorMode() as mode:
        fake = described(op(*tree_map_only(torch.Tensor, mode.from_tensor, args), **kwargs))
    assert fake == real, f"{name}: results without data are {fake}, the kernel's {real}"
    # What a device without kernels runs.
    formula = described(op._op_dk(torch._C.DispatchKey.CompositeExplicitAutograd, *args, **kwargs))
    assert formula == real, f"{name}: the formula's results are {formula}, the kernel's {real}"


SIZE = Size(2, 5, 4, 8)
checked = set()
for case in cases(SIZE):
    for layout in LAYOUTS:
        for dtype in (torch.float32, torch.bfloat16):
            for name, op, args, kwargs in recorded(case, LAYOUTS[layout], dtype):
                check_results_without_data(f"{case.name}, {layout}, {dtype}: {name}", op, args, kwargs)
    for name, op, args, kwargs in recorded(case, LAYOUTS["contiguous"], torch.float32):
        if not name.endswith("_backward"):
            args = tree_map_only(torch.Tensor, torch.Tensor.requires_grad_, args)
        torch.library.opcheck(op, args, kwargs)
        checked.add(name)
        print("ok", name, f"({case.name})")

registered = {name.split("::")[1] for name in torch._C._dispatch_get_all_op_names() if name.startswith("wf::")}
assert registered == checked, f"operators without a case in cases.py: {registered ^ checked}"
