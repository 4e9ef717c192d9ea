"""The Python of docs/python.md runs as it is printed, in order, with small stand-ins for what a reader has.

    python docs_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import os
import pathlib
import re
import sys
import tempfile
import types
import unittest

import package
import torch

import published

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/python.md"


class Docs(unittest.TestCase):
    def test_every_block_of_python_runs(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("this Python has no Pillow")
        # The original's repository, with a small model.
        wfm = types.SimpleNamespace(VisionTransformer=lambda **_: published.classifier()[0])
        sys.modules |= {"model": types.ModuleType("model"), "model.wfm": wfm}
        names = {}
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            os.mkdir("directory")
            torch.save(package.weightformer.WeightFormer_T().state_dict(), "directory/pytorch_model.bin")
            Image.new("RGB", (300, 200), "orange").save("cat.jpg")
            for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
                exec(block, names)
            os.chdir(here)
        self.assertEqual(names["logits"].shape, (3, 10))
        self.assertAlmostEqual(names["probabilities"].sum().item(), 1, places=4)


if __name__ == "__main__":
    package.main()
