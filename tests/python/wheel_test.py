"""tools/wheel.sh builds a small wheel that depends on no other version of torch and computes what the library computes.

    python wheel_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ops"))
import library  # noqa: E402, F401, ends the program without the right torch
import torch  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parent
LIBRARY = pathlib.Path(sys.argv[1]).resolve()
TOLERANCE = {"float64": 1e-12, "float32": 5e-6, "float16": 6e-3, "bfloat16": 4e-2}

if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX"), "c++") if compiler):
    print("skipped: there is no C++ compiler; set CXX")
    sys.exit(77)


def run(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        out = run(TESTS.parents[1] / "tools/wheel.sh", str(cls.directory))
        cls.wheel = pathlib.Path(out.splitlines()[-1])
        cls.site = cls.directory / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", cls.site]
        run(*pip, cls.wheel)  # pip checks the names, the tags and the hashes
        cls.library = cls.site / "weightformer/libweightformer_ops.so"

    def python(self, *arguments, **environment):
        """A program that sees the wheel and nothing of the build."""
        return run(sys.executable, *arguments, PYTHONPATH=str(self.site), WEIGHTFORMER_LIBRARY="", **environment)

    def test_it_is_small_and_holds_neither_torch_nor_paths_of_this_machine(self):
        self.assertLess(self.wheel.stat().st_size, 1 << 20)
        names = zipfile.ZipFile(self.wheel).namelist()
        self.assertEqual([name for name in names if ".so" in name], ["weightformer/libweightformer_ops.so"])
        content = self.library.read_bytes()
        for place in (str(TESTS.parents[1]), str(self.directory.parent) + "/tmp", sys.argv[2]):
            self.assertNotIn(place.encode(), content)
        dynamic = run("readelf", "--dynamic", "--wide", self.library)
        self.assertNotRegex(dynamic, "RPATH|RUNPATH")

    def test_it_needs_no_cpp_symbol_of_torch(self):
        needed = run("nm", "--dynamic", "--undefined-only", "--demangle", self.library)
        self.assertIn("aoti_torch_", needed)  # the stable ABI is there, so the list is the right one
        self.assertEqual(re.findall(r".*\b(?:at|c10|torch|caffe2)::.*", needed), [])

    def test_operators_equal_those_of_the_library_on_any_processor(self):
        theirs = self.directory / "library.pt"
        run(sys.executable, TESTS / "op_results.py", theirs, LIBRARY)
        want = torch.load(theirs)
        for capability in ("default", "avx2", "avx512"):  # where the processor has it
            ours = self.directory / f"{capability}.pt"
            self.python(TESTS / "op_results.py", ours, ATEN_CPU_CAPABILITY=capability)
            got = torch.load(ours)
            self.assertGreater(len(got), 100)
            for case, tensors in got.items():
                for b, a in zip(want[case], tensors, strict=True):
                    self.assertEqual((a.dtype, a.shape), (b.dtype, b.shape), case)
                    error = (a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-30)
                    self.assertLessEqual(error.item(), TOLERANCE[case.split("torch.")[1]], f"{capability}: {case}")

    def test_published_models_are_accelerated_by_it(self):
        run(sys.executable, TESTS / "accelerate_test.py", self.library, *sys.argv[2:3])

    def test_operators_pass_opcheck(self):
        program = """if True:
            import sys, torch, weightformer
            sys.path.insert(0, sys.argv[1])
            from cases import Size, cases
            from torch.utils._python_dispatch import TorchDispatchMode
            calls = []

            class Recorder(TorchDispatchMode):
                def __torch_dispatch__(self, op, types, args=(), kwargs=None):
                    if op.namespace == "wf":
                        calls.append((op, args, kwargs or {}))
                    return op(*args, **(kwargs or {}))

            for case in cases(Size(2, 5, 4, 8)):
                if not torch._C._dispatch_has_kernel("wf::" + case.name.split(",")[0]):
                    continue
                with Recorder():
                    y = case.call(5, 4, *[torch.randn(shape).requires_grad_() for shape in case.shapes])
                    y.sum().backward()
            for op, args, kwargs in calls:
                args = [a.detach() if isinstance(a, torch.Tensor) else a for a in args]
                torch.library.opcheck(op, args, kwargs)
            print(len({op for op, *_ in calls}))
        """
        self.assertEqual(self.python("-c", program, TESTS.parent / "ops").split()[-1], "10")

    def test_second_derivatives_are_refused(self):
        program = """if True:
            import torch, weightformer
            x = torch.randn(2, 16, 8, requires_grad=True)
            y = torch.ops.wf.dynamic_dwconv(x, 4, 4, None, torch.randn(8, 1, 3, 3), torch.randn(8))
            (g,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
            try:
                g.sum().backward()
            except RuntimeError as error:
                print(error)
        """
        self.assertIn("dynamic_dwconv is once differentiable", self.python("-c", program))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
