"""Finds the library of operators and loads it into this process.

Looked for, in this order: operators that the process has loaded already, the file named by the environment
variable WEIGHTFORMER_LIBRARY, a library beside this file (a wheel), and build/lib/libweightformer.so of the
repository that this file is in.
"""

import ctypes
import mmap
import os
import pathlib
import re

import torch

# What src/ops/python_package.cpp puts into a library that runs with one minor version of torch.
BUILT_FOR = re.compile(rb"weightformer: built for torch (\d+\.\d+)[.\d]*")


def load():
    """Loads the operators unless they are there. ImportError: no library, or one for another torch."""
    if torch.torch_version.TorchVersion(torch.__version__) < (2, 11):
        raise ImportError(f"weightformer: this is torch {torch.__version__}, expected 2.11 or later")
    if not torch._C._dispatch_has_kernel("wf::dynamic_dwconv"):
        path = find()
        check_version(path)
        load_file(path)
    if torch._C._dispatch_has_kernel("wf_loops::dynamic_dwconv"):  # the library of a wheel
        from . import stable

        stable.register(["CPU", "CUDA"] if load_cuda() else ["CPU"])


def load_file(path):
    try:
        torch.ops.load_library(path)
    except OSError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ImportError(f"weightformer: {path} cannot be loaded by torch {torch.__version__} ({reason})") from None


def load_cuda():
    """Loads the kernels for GPUs, if the wheel has them and this torch is for GPUs."""
    library = pathlib.Path(__file__).resolve().parent / "libweightformer_ops_cuda.so"
    if torch.version.cuda is None or not library.is_file():
        return False
    load_file(str(library))
    return True


def find():
    named = os.environ.get("WEIGHTFORMER_LIBRARY")
    if named:
        if not os.path.isfile(named):
            raise ImportError(f"weightformer: WEIGHTFORMER_LIBRARY is {named}, which is no file")
        return named
    here = pathlib.Path(__file__).resolve().parent
    places = [here / "libweightformer_ops.so", here.parents[2] / "build/lib/libweightformer.so"]
    for place in places:
        if place.is_file():
            return str(place)
    raise ImportError(
        f"weightformer: no library of operators at {' or '.join(map(str, places))}; build it with tools/build.sh "
        "or set WEIGHTFORMER_LIBRARY"
    )


def check_version(path):
    """C++ programs of another minor version of torch may load and then crash, so the version is read from the file."""
    if os.path.getsize(path) == 0:
        raise ImportError(f"weightformer: {path} is empty")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = BUILT_FOR.search(content)
        wanted = found and found[1].decode()
    if wanted and not torch.__version__.startswith(f"{wanted}."):
        raise ImportError(
            f"weightformer: {path} was built for torch {wanted}, this is torch {torch.__version__}; "
            f"build it with this torch or use torch {wanted}"
        )


def keep_freed_memory():
    """Keeps freed memory of CPU tensors in the process, where it fits the next tensor of that size.

    Call it before the first tensor: weightformer/core/memory.h tells what it does and gains. With a wheel it sets
    malloc's limits only, not the allocator. RuntimeError: a C library without mallopt.
    """
    for path in torch.ops.loaded_libraries:
        function = getattr(ctypes.CDLL(path), "wf_keep_freed_memory", None)
        if function is not None:
            function()
            return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        raise RuntimeError("weightformer: keep_freed_memory needs the GNU C library")
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    if mallopt(mmap_threshold, 1 << 30) == 0:
        mallopt(mmap_threshold, 32 << 20)  # the most that glibc before 2.38 takes
    mallopt(trim_threshold, (1 << 31) - 1)
    mallopt(top_pad, 64 << 20)
