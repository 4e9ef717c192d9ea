"""Fails unless PROGRAM holds machine code and PTX for every architecture asked for.

    python3 architectures.py PROGRAM 80-real 90-real 100-virtual

Reads the fat binary itself: cuobjdump is not part of every toolkit installation. Its entries carry
kind (1 PTX, 2 machine code), header size, size and architecture, as seen in what nvcc 13.0 writes.
"""

import struct
import subprocess
import sys
import tempfile

MAGIC = 0xBA55ED50


def contents(program):
    with tempfile.NamedTemporaryFile() as section:
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.nv_fatbin", program, section.name], check=True)
        data = section.read()
    found, at = set(), 0
    while at + 16 <= len(data):
        magic, _, header, size = struct.unpack_from("<IHHQ", data, at)
        if magic != MAGIC:
            at += 8
            continue
        entry, at = at + header, at + header + size
        while entry < at:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, entry)
            (architecture,) = struct.unpack_from("<I", data, entry + 28)
            found.add((architecture, {1: "virtual", 2: "real"}.get(kind, "other")))
            entry += header + size
    return found


program, *wanted = sys.argv[1:]
missing = [w for w in wanted if (int(w.split("-")[0]), w.split("-")[1]) not in contents(program)]
if missing or not wanted:
    sys.exit(f"{program} lacks {missing}, it has {sorted(contents(program))}")
print("found code for", *wanted)
