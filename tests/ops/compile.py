"""Every operator under torch.compile, forward and backward, and under torch.export, at fixed and dynamic sizes.

    python compile.py libweightformer.so [FOLDER_OF_LIBTORCH]

Exit code 77: this Python has no torch, or another one than the library was built with, or there is no C++
compiler for Inductor (what needs none has passed then).
"""

import os
import shutil
import sys
import sysconfig
import tempfile

# Nothing of an earlier run, and nothing left behind.
caches = tempfile.TemporaryDirectory()
os.environ["TORCHINDUCTOR_CACHE_DIR"] = caches.name
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import library  # noqa: E402, F401, first: it loads the operators or ends the program
import torch  # noqa: E402
from torch._inductor import config as inductor  # noqa: E402

from cases import Size, cases  # noqa: E402

inductor.cpp_cache_precompile_headers = False  # it would leave some behind

# Batch, height, width, and with them the number of pooled tokens, all differ; the channels do not.
SIZES = [Size(2, 5, 4, 8), Size(3, 7, 6, 8), Size(4, 6, 9, 8)]
CASES = [cases(size) for size in SIZES]


def inputs(case):
    return [torch.randn(shape) for shape in case.shapes]


def results(function, size, tensors):
    """The result and the gradient of every tensor."""
    leaves = [t.clone().requires_grad_() for t in tensors]
    y = function(size.h, size.w, *leaves)
    weights = (torch.arange(y.numel()) * 7 % 16 - 5).view(y.shape) / 8.0
    return [y, *torch.autograd.grad(y, leaves, weights)]


def expect_equal(got, want, what):
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, msg=lambda m: f"{what}: result {i}: {m}")


def check_compiled(case, function, sizes, **options):
    """One graph serves all the sizes: `case` gives it at each of them."""
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=len(sizes) > 1, **options)
    for i, size in enumerate(sizes):
        tensors = inputs(CASES[i][case])
        want = results(function, size, tensors)
        with torch.compiler.set_stance("default" if i == 0 else "fail_on_recompile"):
            expect_equal(results(compiled, size, tensors), want, f"{CASES[i][case].name}, {options}, {size}")


def check_exported(case):
    """A program exported at one size, with every size but the channels dynamic, runs at the others."""
    takes_tokens = CASES[0][case].shapes[0][1] == SIZES[0].h * SIZES[0].w

    class Layer(torch.nn.Module):
        def forward(self, tensors):
            first, *rest = tensors
            if not takes_tokens:
                return CASES[0][case].call(None, None, first, *rest)
            return CASES[0][case].call(first.shape[1], first.shape[2], first.flatten(1, 2), *rest)

    def arguments(i):
        first, *rest = inputs(CASES[i][case])
        return [first.unflatten(1, SIZES[i][1:3]) if takes_tokens else first, *rest]

    dynamic = [
        {d: torch.export.Dim.DYNAMIC for d, (m, n) in enumerate(zip(a.shape, b.shape)) if m != n}
        for a, b in zip(arguments(0), arguments(1), strict=True)
    ]
    program = torch.export.export(Layer(), (arguments(0),), dynamic_shapes=(dynamic,)).module()
    for i, size in enumerate(SIZES):
        tensors = arguments(i)
        expect_equal([program(tensors)], [Layer()(tensors)], f"{CASES[i][case].name}, exported, {size}")


last_of_op = {}
for case, (name, call, _) in enumerate(CASES[0]):
    check_exported(case)
    check_compiled(case, call, SIZES[:1], backend="aot_eager")
    check_compiled(case, call, SIZES, backend="aot_eager")
    last_of_op[name.split(",")[0]] = case
    print("ok", name, flush=True)

if not any(shutil.which(compiler) for compiler in inductor.cpp.cxx if compiler):
    print(f"skipped: Inductor found no C++ compiler ({inductor.cpp.cxx}); set CXX")
    sys.exit(77)
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print(f"skipped: Inductor needs {sysconfig.get_path('include')}/Python.h (Debian: python3-dev)")
    sys.exit(77)
for name, case in last_of_op.items():
    call = CASES[0][case].call
    check_compiled(case, call, SIZES[:1], backend="inductor")
    check_compiled(case, call, SIZES, backend="inductor")
    print("ok", name, "(Inductor)", flush=True)


def amid_others(h, w, *tensors):
    """The last operator between operations that Inductor generates code for."""
    return call(h, w, *[t * 0.5 for t in tensors]).tanh()


check_compiled(case, amid_others, SIZES, backend="inductor")
print("ok", name, "(Inductor, amid others)")
