"""import package: weightformer of tools/python with the library named by the first argument, as `weightformer`.

The second argument is the directory of the torch that the library was built with. Ends the program with exit code 77,
which CTest counts as skipped, if this Python has no torch or another one.
"""

import os
import pathlib
import sys
import unittest

_tests = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_tests / "ops"))
import library  # noqa: E402, F401, ends the program without the right torch

sys.path.insert(0, str(_tests.parent / "tools/python"))
os.environ["WEIGHTFORMER_LIBRARY"] = sys.argv[1]
import weightformer  # noqa: E402

__all__ = ["main", "weightformer"]


def main():
    """Runs the tests of the calling program; every name after the library and the torch selects one."""
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
