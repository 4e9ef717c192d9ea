"""Packs the package and its libraries into a wheel: make_wheel.py DIRECTORY LIBRARY…; prints the path of the wheel.

A wheel is a zip archive with three files of metadata, so no build backend is needed. The platform is the oldest glibc
that has every symbol of the libraries. The version of a wheel with kernels for GPUs ends in +cuda.
"""

import base64
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROCESSORS = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "aarch64"}  # readelf's names, and those of tags
DESCRIPTION = "The layers of WeightFormer as fast operators for PyTorch"


def version(libraries):
    number = re.search(r"project\(weightformer VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    return number + ("+cuda" if any("cuda" in library.name for library in libraries) else "")


def platform_tag(libraries):
    # readelf reads the libraries of every processor; objdump those of its own.
    run = functools.partial(subprocess.run, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    symbols = run(["readelf", "--version-info", "--wide", *libraries]).stdout
    minor = max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", symbols))
    machine = re.search(r"Machine: +(.+)", run(["readelf", "--file-header", libraries[0]]).stdout)[1]
    return f"manylinux_2_{minor}_{PROCESSORS[machine]}"


def record(name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def main(directory, *libraries):
    libraries = [pathlib.Path(library) for library in libraries]
    name, tag = f"weightformer-{version(libraries)}", f"py3-none-{platform_tag(libraries)}"
    package = ROOT / "tools/python/weightformer"
    files = {f"weightformer/{path.name}": path.read_bytes() for path in sorted(package.glob("*.py"))}
    files |= {f"weightformer/{library.name}": library.read_bytes() for library in libraries}
    info = f"{name}.dist-info"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: weightformer\nVersion: {version(libraries)}\nSummary: {DESCRIPTION}\nLicense: MIT\n"
        "Requires-Python: >=3.10\nRequires-Dist: torch>=2.11\n"
    ).encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: weightformer\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    files[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[f"{info}/RECORD"] = ("".join(record(*item) for item in files.items()) + f"{info}/RECORD,,\n").encode()
    wheel = pathlib.Path(directory, f"{name}-{tag}.whl")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)  # dated 1980: equal files repeat
    print(wheel)


if __name__ == "__main__":
    main(*sys.argv[1:])
