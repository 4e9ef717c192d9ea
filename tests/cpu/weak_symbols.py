"""Code that is shared between files must run on any processor.

kernels/cpu/ is compiled for several instruction sets. An inline function that two files share (an
error message, a piece of the standard library) becomes a weak symbol in both, and the linker keeps
the first. If that were the one compiled with AVX, the program would die on a processor without it,
far away from any kernel. So: of each weak function in an AVX object, the first one linked must come
from an ordinary object, unless no ordinary object knows it.

    python3 weak_symbols.py BUILD_FOLDER LIBRARY     (the library as ninja names it)
"""

import re
import shlex
import subprocess
import sys

build, library = sys.argv[1:]
commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", library], text=True,
                          capture_output=True, check=True).stdout
objects = [word for word in shlex.split(commands.strip().splitlines()[-1]) if word.endswith(".o")]


def is_avx(path):
    return re.search(r"_AVX\d+\.dir/", path) is not None


def symbols(path):
    """{name: kind}, for functions that are weak, and for those that are used but not defined."""
    lines = subprocess.run(["nm", f"{build}/{path}"], text=True, capture_output=True,
                           check=True).stdout.splitlines()
    pairs = [line.split()[-2:] for line in lines]
    return {name: kind for kind, name in pairs if kind in "WU"}


tables = {path: symbols(path) for path in objects}
avx = [path for path in objects if is_avx(path)]
if len(avx) < 2 or len(avx) == len(objects):
    sys.exit(f"expected AVX objects and others in the link of {library}, got {objects}")
ordinary = {name for path in objects if not is_avx(path) for name in tables[path]}
first = {}
for path in objects:
    for name, kind in tables[path].items():
        if kind == "W":
            first.setdefault(name, path)
bad = [f"{name} is taken from {path}" for name, path in first.items()
       if is_avx(path) and name in ordinary]
shared = sum(name in ordinary for path in avx for name, kind in tables[path].items() if kind == "W")
if bad or not shared:
    sys.exit("\n".join(bad[:20]) or "no shared weak symbol was found: this test looks at nothing")
print(f"{shared} weak symbols of {len(avx)} AVX objects are shared, none is taken from them")
