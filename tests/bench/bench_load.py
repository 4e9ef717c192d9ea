"""Loading 150 million parameters: this program against torch.load(mmap=True) + load_state_dict.

    python bench_load.py WF_BENCH [DIRECTORY] [--millions N] [--threads T]

Writes two files of 4 bytes a parameter to DIRECTORY (a temporary one) and prints a line of JSON for
each format: seconds of both (best of five, file in the page cache; PyTorch reads the .pth in both),
their ratio, also without comparing checksums (PyTorch compares none), and the memory that this
program needs at most, as a multiple of the parameters.
"""

import argparse
import json
import subprocess
import tempfile
import time

import torch

arguments = argparse.ArgumentParser()
arguments.add_argument("wf_bench")
arguments.add_argument("directory", nargs="?")
arguments.add_argument("--millions", type=int, default=150)
arguments.add_argument("--threads", type=int, default=2)
a = arguments.parse_args()
torch.set_num_threads(a.threads)


class Net(torch.nn.Module):
    def __init__(self, millions):
        super().__init__()
        for i in range(millions // 3):
            setattr(self, f"layer{i}", torch.nn.Linear(1500, 2000, bias=False, device="meta"))


def torch_seconds(path, module):
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        state = torch.load(path, mmap=True, weights_only=True)
        module.load_state_dict(state)
        times.append(time.perf_counter() - begin)
        del state
    return min(times)


with tempfile.TemporaryDirectory(dir=a.directory) as directory:
    module = Net(a.millions).to_empty(device="cpu")
    state = {k: torch.randn_like(v) for k, v in module.state_dict().items()}
    torch.save(state, f"{directory}/w.pth")
    convert = a.wf_bench.replace("wf_bench", "wf_convert")
    subprocess.run([convert, f"{directory}/w.pth", f"{directory}/w.safetensors", "--weights-only"], check=True,
                   stdout=subprocess.DEVNULL)
    del state
    for name in ("w.pth", "w.safetensors"):
        path = f"{directory}/{name}"
        def ours(*more):
            line = subprocess.run([a.wf_bench, "--load", "--weights", path, "--steps", "5", "--warmup", "1", "--threads",
                                   str(a.threads), *more], check=True, capture_output=True, text=True).stdout
            return json.loads(line)

        checked, unchecked = ours(), ours("--unverified")
        theirs = torch_seconds(f"{directory}/w.pth", module)
        print(json.dumps({"file": name, "ours_s": checked["seconds_best"], "unverified_s": unchecked["seconds_best"],
                          "torch_s": round(theirs, 4), "ratio": round(checked["seconds_best"] / theirs, 3),
                          "unverified_ratio": round(unchecked["seconds_best"] / theirs, 3),
                          "peak_per_parameters": round(checked["peak_mib"] / checked["parameters_mib"], 3)}))
