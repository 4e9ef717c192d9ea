"""What ptxas makes of the kernels: registers, shared memory, occupancy. Fails where one spills
registers into memory, or where a kernel for packs stores numbers one by one.

    python3 ptxas_report.py [--nvcc nvcc] [-I directory]... [--archs 80 90 100] instantiate.cu
    python3 ptxas_report.py --self-test
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REGISTERS, WARPS, BLOCKS = 65536, 64, 32  # of an SM, the same for all of these
SHARED_KB = {80: 164, 90: 228, 100: 228}


def demangle(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    short = [re.match(r"(?:void )?(.*?)\((?!anonymous)", line + "(").group(1) for line in text.splitlines()]
    return [re.sub(r"\b(wf::)?(cuda|c10)::", "", name) for name in short]


def occupancy(arch, registers, threads, shared):
    """Percent of the warps an SM can hold. Registers come in units of 256 per warp, and each quarter
    of an SM has a quarter of them; a block takes 1 KB of shared memory for itself."""
    warps = -(-threads // 32)
    by_registers = 4 * (REGISTERS // 4 // (-(-registers // 8) * 256)) // warps
    by_shared = SHARED_KB[arch] * 1024 // (shared + 1024)
    return 100 * min(by_registers, by_shared, WARPS // warps, BLOCKS) * warps // WARPS


def parse(log, ptx, arch):
    """One dict per kernel, from the output of ptxas -v and the PTX it read."""
    kernels = []
    for entry in re.split(r"Compiling entry function '", log)[1:]:
        name = entry.split("'")[0]
        numbers = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", entry)
        shared = re.search(r"(\d+) bytes smem", entry)
        body = re.search(rf"\.entry {re.escape(name)}\(.*?\n}}", ptx, re.DOTALL).group()
        kernels.append({
            "mangled": name, "arch": arch,
            "stack": int(numbers[1]), "spills": int(numbers[2]) + int(numbers[3]),
            "registers": int(re.search(r"Used (\d+) registers", entry)[1]),
            "shared": int(shared[1]) if shared else 0,
            "threads": int(re.search(r"\.maxntid (\d+)", body)[1]),
            "scalar_stores": len(re.findall(r"st\.global\.[a-z]\d+\s", body)),
        })
    for kernel, name in zip(kernels, demangle([k["mangled"] for k in kernels])):
        kernel["name"] = name
    return kernels


def problems(kernel):
    where = f"{kernel['name']} for sm_{kernel['arch']}"
    if kernel["spills"] or kernel["stack"]:
        yield f"{where}: {kernel['spills']} bytes of spills, {kernel['stack']} of stack"
    pack = re.search(r"<(?:\w+, )+(\d+)", kernel["name"])
    # The gradients of the taps leave channel by channel.
    if pack and int(pack[1]) > 1 and "grad_taps" not in kernel["name"] and kernel["scalar_stores"]:
        yield f"{where}: {kernel['scalar_stores']} stores of single numbers, though it has packs of {pack[1]}"


def compile_for(arch, args):
    with tempfile.TemporaryDirectory() as directory:
        cubin = str(Path(directory) / "kernels.cubin")
        command = [args.nvcc, "-std=c++17", f"-arch=sm_{arch}", "-cubin", "-Xptxas", "-v", "--keep", "--keep-dir",
                   directory, "-o", cubin, *[f"-I{i}" for i in args.include], args.source]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        ptx = (Path(directory) / (Path(args.source).stem + ".ptx")).read_text()
        return parse(done.stdout + done.stderr, ptx, arch)


def table(kernels):
    yield f"{'kernel':56} {'arch':>6} {'registers':>9} {'shared':>6} {'block':>5} {'occupancy':>9}"
    for k in sorted(kernels, key=lambda k: (k["name"], k["arch"])):
        share = occupancy(k["arch"], k["registers"], k["threads"], k["shared"])
        yield f"{k['name']:56} sm_{k['arch']:<3} {k['registers']:9} {k['shared']:6} {k['threads']:5} {share:8}%"


def self_test():
    log = """ptxas info    : Compiling entry function '_Z1kIfLi4EEvPf' for 'sm_90'
ptxas info    : Function properties for _Z1kIfLi4EEvPf
    {stack} bytes stack frame, {stack} bytes spill stores, 0 bytes spill loads
ptxas info    : Used 80 registers, used 1 barriers, 2048 bytes smem
"""
    ptx = ".visible .entry _Z1kIfLi4EEvPf(\n)\n.maxntid 128\n{{\n{store} [%rd1], 1;\n}}\n"

    def found(stack, store):
        (kernel,) = parse(log.format(stack=stack), ptx.format(store=store), 90)
        assert (kernel["registers"], kernel["shared"], kernel["threads"]) == (80, 2048, 128), kernel
        return list(problems(kernel))

    assert found(0, "st.global.v4.f32") == [], found(0, "st.global.v4.f32")
    assert found(8, "st.global.v4.f32") == ["k<float, 4> for sm_90: 8 bytes of spills, 8 of stack"]
    assert found(0, "st.global.f32") == ["k<float, 4> for sm_90: 1 stores of single numbers, though it has packs of 4"]
    assert occupancy(90, 32, 256, 0) == 100 and occupancy(90, 33, 1024, 0) == 50
    assert occupancy(90, 80, 128, 2048) == 37 and occupancy(80, 32, 128, 40 * 1024) == 25
    print("a spill and a store of single numbers are found")


parser = argparse.ArgumentParser()
parser.add_argument("source", nargs="?")
parser.add_argument("--nvcc", default="nvcc")
parser.add_argument("-I", dest="include", action="append", default=[])
parser.add_argument("--archs", type=int, nargs="+", default=sorted(SHARED_KB))
parser.add_argument("--self-test", action="store_true")
args = parser.parse_args()
if args.self_test:
    self_test()
elif not args.source:
    parser.error("which file instantiates the kernels?")
else:
    kernels = [k for arch in args.archs for k in compile_for(arch, args)]
    print("\n".join(table(kernels)))
    found = [p for k in kernels for p in problems(k)]
    if found or not kernels:
        sys.exit("\n".join(found or ["no kernels found"]))
