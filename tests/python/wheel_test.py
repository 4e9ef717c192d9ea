"""tools/wheel.sh builds a small wheel that depends on no other version of torch and computes what the library computes.

    python wheel_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import functools
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
ARM_COMPILER = "aarch64-linux-gnu-g++"
ARM_TORCH = os.environ.get("WF_AARCH64_TORCH", "")  # the directory torch/ of an unpacked wheel for aarch64
ARM_PYTHON = os.environ.get("WF_AARCH64_PYTHON", "")  # a program that runs a Python with it, here or under qemu
NEWEST = os.environ.get("WF_NEWEST_TORCH", "")
TOLERANCE = {"float64": 1e-12, "float32": 5e-6, "float16": 6e-3, "bfloat16": 4e-2}

if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX"), "c++") if compiler):
    print("skipped: there is no C++ compiler; set CXX")
    sys.exit(77)


temporary = tempfile.TemporaryDirectory()
os.environ["CUDA_ARCHITECTURES"] = "90"  # one of three: minutes less

# The calls that the cases make, forward and backward, through torch.library.opcheck; prints the number of operators.
OPCHECK = """if True:
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
        with Recorder():
            y = case.call(5, 4, *[torch.randn(shape).requires_grad_() for shape in case.shapes])
            y.float().sum().backward()
    detach = lambda a: a.detach() if isinstance(a, torch.Tensor) else a
    for op, args, kwargs in calls:
        torch.library.opcheck(op, [detach(a) for a in args], {k: detach(a) for k, a in kwargs.items()})
    print(len({op for op, *_ in calls}))
"""


def run(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


@functools.lru_cache(maxsize=None)
def build(*options):
    """The wheel by tools/wheel.sh with these options, and the directory that it is installed in."""
    directory = pathlib.Path(tempfile.mkdtemp(dir=temporary.name))
    environment = {"CXX": ARM_COMPILER, "CMAKE_PREFIX_PATH": ARM_TORCH} if "--arch" in options else {}
    printed = run(TESTS.parents[1] / "tools/wheel.sh", *options, str(directory), **environment)
    wheel = pathlib.Path(printed.splitlines()[-1])
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", directory / "site"]
    if "--arch" in options:
        pip += ["--only-binary=:all:", "--platform", wheel.stem.split("-")[-1]]
    run(*pip, wheel)  # pip checks the names, the tags and the hashes
    return wheel, directory / "site"


class WithWheel(unittest.TestCase):
    options = ()
    interpreter = sys.executable

    @classmethod
    def setUpClass(cls):
        cls.wheel, cls.site = build(*cls.options)
        cls.library = cls.site / "weightformer/libweightformer_ops.so"

    def python(self, *arguments, **environment):
        """A program that sees the wheel and nothing of the build."""
        return run(self.interpreter, *arguments, PYTHONPATH=str(self.site), WEIGHTFORMER_LIBRARY="", **environment)

    def check_results(self, **environment):
        """The wheel's operators give what those of the C++ library give in the torch of the build."""
        want = library_results()
        ours = self.site / "results.pt"
        self.python(TESTS / "op_results.py", ours, **environment)
        got = torch.load(ours)
        self.assertEqual(want.keys(), got.keys())
        for case, tensors in got.items():
            for b, a in zip(want[case], tensors, strict=True):
                self.assertEqual((a.dtype, a.shape), (b.dtype, b.shape), case)
                error = (a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-30)
                dtype = "bfloat16" if "short result" in case else case.split("torch.")[1]
                self.assertLessEqual(error.item(), TOLERANCE[dtype], f"{environment}: {case}")


@functools.lru_cache(maxsize=None)
def library_results():
    file = pathlib.Path(temporary.name, "library.pt")
    run(sys.executable, TESTS / "op_results.py", file, LIBRARY)
    return torch.load(file)


class Wheel(WithWheel):
    def test_it_is_small_and_holds_neither_torch_nor_paths_of_this_machine(self):
        self.assertLess(self.wheel.stat().st_size, 1 << 20)
        names = zipfile.ZipFile(self.wheel).namelist()
        self.assertEqual([name for name in names if ".so" in name], ["weightformer/libweightformer_ops.so"])
        check_library(self, self.library)

    def test_operators_equal_those_of_the_library_on_any_processor(self):
        self.assertGreater(len(library_results()), 250)
        for capability in ("default", "avx2", "avx512"):  # where the processor has it
            self.check_results(ATEN_CPU_CAPABILITY=capability)

    def test_published_models_are_accelerated_by_it(self):
        run(sys.executable, TESTS / "accelerate_test.py", self.library, *sys.argv[2:3])

    def test_operators_have_the_schemas_of_the_library(self):
        program = """if True:
            import sys, torch
            torch.ops.load_library(sys.argv[1]) if len(sys.argv) > 1 else __import__("weightformer")
            names = sorted(n for n in torch._C._dispatch_get_all_op_names() if n.startswith("wf::"))
            print([str(getattr(torch.ops.wf, n[4:]).default._schema) for n in names])
        """
        self.assertEqual(self.python("-c", program), run(sys.executable, "-c", program, str(LIBRARY)))

    def test_operators_pass_opcheck(self):
        self.assertEqual(self.python("-c", OPCHECK, TESTS.parent / "ops").split()[-1], "12")

    def test_second_derivatives_are_refused(self):
        program = """if True:
            import torch, weightformer
            x = torch.randn(2, 16, 8, requires_grad=True)
            conv = torch.ops.wf.dynamic_dwconv(x, 4, 4, None, torch.randn(8, 1, 3, 3), torch.randn(8))
            for y in (conv, torch.ops.wf.layer_norm(x)[0]):
                (g,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
                try:
                    g.sum().backward()
                except RuntimeError as error:
                    print(error)
        """
        errors = self.python("-c", program)
        self.assertIn("dynamic_dwconv is once differentiable", errors)
        self.assertIn("layer_norm is once differentiable", errors)

    def test_wrong_arguments_of_layer_norm_end_in_one_line(self):
        program = """if True:
            import torch, weightformer
            norm, x, c, bc = torch.ops.wf.layer_norm, torch.randn(2, 5, 8), torch.randn(8), torch.randn(2, 8)
            for arguments in ({"weight": c}, {"scale": bc}, {"weight": c, "bias": c, "scale": bc, "shift": bc},
                              {"gate": bc}, {"update": x[:, :4]}, {"dtype": torch.int32}):
                try:
                    norm(x, **arguments)
                except RuntimeError as error:
                    print(error)
        """
        self.assertEqual(self.python("-c", program).splitlines(), [
            "[layer_norm] weight and bias: expected both or neither",
            "[layer_norm] scale and shift: expected both or neither",
            "[layer_norm] weight and scale: expected one of them",
            "[layer_norm] gate: expected an update to multiply",
            "[layer_norm] update: expected (2, 5, 8), got (2, 4, 8)",
            "[layer_norm] dtype: expected a floating one, got (torch.int32,)",
        ])  # fmt: skip

    def test_a_torch_that_is_too_old_is_named(self):
        program = "import torch; torch.__version__ = '2.10.1'; import weightformer"
        with self.assertRaisesRegex(AssertionError, "ImportError: weightformer: this is torch 2.10.1, expected 2.11 or later"):
            self.python("-c", program)


def check_library(test, library):
    """It depends on torch's stable ABI, on no C++ symbol of torch and on no place of this machine."""
    content = library.read_bytes()
    for place in (str(TESTS.parents[1]), temporary.name, sys.argv[2]):
        test.assertNotIn(place.encode(), content)
    test.assertNotRegex(run("readelf", "--dynamic", "--wide", library), "RPATH|RUNPATH")
    needed = run("nm", "--dynamic", "--undefined-only", "--demangle", library)
    test.assertIn("aoti_torch_", needed)  # the stable ABI is there, so the list is the right one
    test.assertEqual(re.findall(r".*\b(?:at|c10|torch|caffe2)::.*", needed), [])


@unittest.skipUnless(os.path.exists(NEWEST), f"there is no newest torch at {NEWEST or 'WF_NEWEST_TORCH'}")
class WheelInTheNewestTorch(WithWheel):
    """The wheel that was built with the torch of the build, in an environment with the newest."""

    interpreter = NEWEST

    def test_its_torch_is_another(self):
        self.assertNotEqual(self.python("-c", "import torch; print(torch.__version__)").strip(), torch.__version__)

    def test_operators_equal_those_of_the_library(self):
        self.check_results()

    def test_published_models_are_accelerated_by_it(self):
        run(NEWEST, TESTS / "accelerate_test.py", self.library)

    def test_accelerated_models_compile_and_export(self):
        run(NEWEST, TESTS / "compile_test.py", self.library)

    def test_operators_compile_and_export_with_any_batch_height_and_width(self):
        done = subprocess.run([NEWEST, TESTS.parent / "ops/compile.py", self.library], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 77), done.stderr)  # 77: what needs no compiler for Inductor has passed
        self.assertIn("ok dynamic_linear, merged", done.stdout)

    def test_operators_pass_opcheck(self):
        self.assertEqual(self.python("-c", OPCHECK, TESTS.parent / "ops").split()[-1], "12")

    def test_the_library_of_the_build_is_refused_in_one_line(self):
        with self.assertRaisesRegex(AssertionError, "ImportError: weightformer: .* was built for torch 2.11, this is torch"):
            run(NEWEST, "-c", "import weightformer", PYTHONPATH=str(self.site), WEIGHTFORMER_LIBRARY=str(LIBRARY))


@unittest.skipUnless(shutil.which(ARM_COMPILER), f"there is no {ARM_COMPILER}")
@unittest.skipUnless(os.path.exists(ARM_TORCH), f"there is no torch for aarch64 at {ARM_TORCH or 'WF_AARCH64_TORCH'}")
class WheelForArm(WithWheel):
    options = ("--arch", "aarch64")
    interpreter = ARM_PYTHON

    def test_its_loops_are_neon(self):
        self.assertRegex(self.wheel.name, r"-manylinux_2_\d+_aarch64\.whl$")
        code = run("aarch64-linux-gnu-objdump", "--disassemble", self.library)
        for arrangement in ("4s", "2d"):
            self.assertGreater(len(re.findall(rf"\bfmla\s+v\d+\.{arrangement}", code)), 100)

    @unittest.skipUnless(shutil.which(ARM_PYTHON), f"there is no Python for aarch64 at {ARM_PYTHON or 'WF_AARCH64_PYTHON'}")
    def test_operators_equal_those_of_the_library(self):
        self.check_results()


@unittest.skipUnless(shutil.which("nvcc"), "there is no nvcc")
class WheelForGpus(WithWheel):
    """No GPU is needed: the kernels are compiled, for one architecture, and their registration is loaded."""

    options = ("--cuda",)

    def test_it_has_kernels_in_a_library_of_their_own(self):
        self.assertIn("+cuda-", self.wheel.name)
        cuda = self.site / "weightformer/libweightformer_ops_cuda.so"
        check_library(self, cuda)
        check_library(self, self.library)
        self.assertNotIn("cuda", run("readelf", "--dynamic", "--wide", self.library))
        run(sys.executable, TESTS.parent / "cuda/architectures.py", cuda, "90-real", "90-virtual")

    @unittest.skipUnless(torch.version.cuda, "this torch is for the CPU")
    def test_its_operators_are_registered_for_gpus(self):
        program = """if True:
            import torch, weightformer
            names = [n for n in torch._C._dispatch_get_all_op_names() if n.startswith(("wf::", "wf_loops::"))]
            for device in ("CPU", "CUDA"):
                print(len([n for n in names if torch._C._dispatch_has_kernel_for_dispatch_key(n, device)]))
            print(torch.ops.wf.token_pool(torch.ones(1, 4, 2), 2, 2).tolist())
        """
        self.assertEqual(self.python("-c", program).splitlines(), ["22", "22", "[[[1.0, 1.0]]]"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
