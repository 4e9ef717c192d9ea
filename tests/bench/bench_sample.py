"""Time of sampling: wf_sample, or an eager PyTorch loop that does the same. One JSON line out.

    python bench_sample.py WEIGHTS.pt [--program build/bin/wf_sample] [--model dit_s_2] [--images 8]
                           [--steps 50] [--scale 1] [--interval LOW HIGH] [--threads 2]

DDIM over --steps of 1000 steps (linear betas), float32, guidance on three channels as in DiT's
forward_with_cfg. WEIGHTS.pt is written with random numbers when it is not there. Loading is not timed.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import torch

import weightformer

p = argparse.ArgumentParser()
p.add_argument("weights", type=pathlib.Path)
p.add_argument("--program", help="wf_sample; otherwise eager PyTorch")
p.add_argument("--model", default="dit_s_2")
p.add_argument("--images", type=int, default=8)
p.add_argument("--steps", type=int, default=50)
p.add_argument("--scale", type=float, default=1)
p.add_argument("--interval", type=float, nargs=2, default=(0, 1))
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()


def write_weights():
    torch.manual_seed(0)
    model = weightformer.create(a.model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.02)
    torch.save(model.state_dict(), a.weights)


def ours():
    with tempfile.TemporaryDirectory() as output:
        command = [a.program, "--resume", a.weights, "--model", a.model, "--output", output, "--classes", "1",
                   "--per-class", a.images, "--batch-size", a.images, "--sampler", "ddim", "--steps", a.steps,
                   "--scale", a.scale, "--interval", f"[{a.interval[0]}, {a.interval[1]}]", "--device", "cpu",
                   "--opts", "THREADS", a.threads]
        environment = os.environ | {"OMP_NUM_THREADS": str(a.threads)}
        out = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
        if out.returncode:
            raise SystemExit(out.stderr)
        return float(re.search(r"samples in ([\d.]+) s", out.stdout)[1])


@torch.inference_mode()
def eager():
    torch.set_num_threads(a.threads)
    model = weightformer.create(a.model).eval()
    model.load_state_dict(torch.load(a.weights, weights_only=True))
    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    times = range(0, 1000, 1000 // a.steps)[::-1]
    labels = torch.ones(a.images, dtype=torch.long)
    guided = a.scale != 1
    start = time.perf_counter()
    x = torch.randn(a.images, 4, 32, 32)
    if guided:
        x, labels = torch.cat([x, x]), torch.cat([labels, torch.full_like(labels, 1000)])
    for t, before in zip(times, [*times[1:], None]):
        t_all = torch.full((len(x),), t)
        out = model.forward_with_cfg(x, t_all, labels, a.scale) if guided else model(x, t_all, labels)
        epsilon, now, then = out[:, :4], abar[t], abar[before] if before is not None else torch.tensor(1.0)
        data = (x - (1 - now).sqrt().float() * epsilon) / now.sqrt().float()
        x = then.sqrt().float() * data + (1 - then).sqrt().float() * epsilon
    return time.perf_counter() - start


if not a.weights.exists():
    write_weights()
seconds = ours() if a.program else eager()
print(json.dumps({"who": "wf_sample" if a.program else "torch", "images_per_s": a.images / seconds}))
