"""import library: this Python's torch with the operators of the library named by the first argument.

The second argument, if given, is the directory of the torch that the library was built with. Ends the program
with exit code 77, which CTest counts as skipped, if this Python has no torch or another one.
"""

import os
import pathlib
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
if torch._C._dispatch_has_kernel("wf_loops::token_pool"):  # of a wheel: the rest of the operators is in Python
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools/python"))
    import weightformer  # noqa: F401
torch.manual_seed(0)
