"""The .pt2 package of docs/deployment.md: its Python makes one, its program runs it, both give what the model gives.

    python pt2_test.py libweightformer.so DIRECTORY_OF_LIBTORCH BUILD_DIRECTORY

Exit code 77, which CTest counts as skipped: this Python has no torch or another one than the library was built with, or
there is no C++ compiler with Python's headers for Inductor.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

# Nothing of an earlier run, and nothing left behind.
caches = tempfile.TemporaryDirectory()
os.environ["TORCHINDUCTOR_CACHE_DIR"] = caches.name
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import package  # noqa: E402
import torch  # noqa: E402
from torch._inductor import config as inductor  # noqa: E402

import published  # noqa: E402

inductor.cpp_cache_precompile_headers = False  # it would leave some behind
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = sys.argv[3]

if not any(shutil.which(compiler) for compiler in inductor.cpp.cxx if compiler):
    print(f"skipped: Inductor found no C++ compiler ({inductor.cpp.cxx}); set CXX")
    sys.exit(77)
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print(f"skipped: Inductor needs {sysconfig.get_path('include')}/Python.h (Debian: python3-dev)")
    sys.exit(77)


def images(batch):
    """Those of the program."""
    return torch.linspace(-1, 1, batch * 3 * 64 * 96).view(batch, 3, 64, 96)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


class Pt2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.model, _ = published.classifier()
        package.weightformer.accelerate(cls.model.eval())

        class Stub:  # a smaller model than the page's, which compiles faster
            from_pretrained = staticmethod(lambda directory: cls.model)

        package.weightformer.WeightFormer_T = Stub
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        page = (ROOT / "docs/deployment.md").read_text()
        block = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
        here = os.getcwd()
        os.chdir(cls.directory)
        try:
            exec(block, {})
        finally:
            os.chdir(here)
        cls.package = cls.directory / "model.pt2"

    def test_python_runs_it_at_other_sizes(self):
        compiled = torch._inductor.aoti_load_package(str(self.package))
        for shape in ((1, 3, 64, 96), (5, 3, 96, 40)):
            x = torch.randn(shape)
            with torch.no_grad():
                torch.testing.assert_close(compiled(x), self.model(x), rtol=1e-5, atol=1e-5)

    def test_the_program_of_the_page_runs_it(self):
        prefix, build = self.directory / "prefix", self.directory / "build"
        run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "core")
        run("cmake", "-S", ROOT / "tests/consumer", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
            f"-DWEIGHTFORMER_DIR={ROOT}", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCONSUMER_FINDS=core",
            "-DCONSUMER_PACKAGE=ON")  # fmt: skip
        run("cmake", "--build", build, "--target", "run_pt2")
        lines = run(build / "run_pt2", self.package).splitlines()
        self.assertEqual(len(lines), 2)
        for line, batch in zip(lines, (1, 4)):
            shape, *numbers = re.fullmatch(r"\[(.*)\] (\S+) (\S+) (\S+)", line).groups()
            self.assertEqual(shape, f"{batch}, 10")
            with torch.no_grad():
                want = self.model(images(batch))[-1, :3]
            torch.testing.assert_close(torch.tensor([float(n) for n in numbers]), want, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
