"""A small real run for each weight predictor: accuracy, parameters and processor time, as a table.

    python predictors.py BUILD --data DIRECTORY --output DIRECTORY [--steps 400] [--seeds 0 1 2]

DIRECTORY is what wf_prepare writes. Each predictor of a dynamic linear layer is trained with the
static convolution, each of a convolution with the static linear layer, and the published pair, by
cfg/demo/fashion_mnist.yaml shortened to --steps. A run that is finished is not repeated, so the
program can be stopped and started again. Times are those of the processor, since a machine that
does other work too changes the time of the clock more than a predictor does.
"""

import argparse
import json
import pathlib
import re
import resource
import statistics
import subprocess

LINEAR = ("static", "gap", "linear", "nonlinear", "deep", "bilateral")
CONV = ("gap", "adaptive", "amp-dir", "conv")
PAIRS = [(linear, "static") for linear in LINEAR] + [("static", conv) for conv in CONV]
PAIRS.append(("bilateral", "adaptive"))

p = argparse.ArgumentParser()
p.add_argument("build", type=pathlib.Path)
p.add_argument("--data", required=True)
p.add_argument("--output", type=pathlib.Path, required=True)
p.add_argument("--steps", type=int, default=400)
p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
args = p.parse_args()
cfg = pathlib.Path(__file__).parents[2] / "cfg/demo/fashion_mnist.yaml"


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(linear, conv, seed):
    tag = f"{linear}_{conv}_{args.steps}_{seed}"
    done = args.output / f"{tag}.json"
    if done.exists():
        return json.loads(done.read_text())
    begin = processor_seconds()
    end = subprocess.run(
        [args.build / "bin/wf_train", "--cfg", cfg, "--data-path", args.data, "--output",
         args.output, "--tag", tag, "--device", "cpu", "--opts", "SEED", str(seed),
         "TRAIN.STEPS", str(args.steps), "TRAIN.WARMUP_STEPS", str(args.steps // 5),
         "TEST.EVERY_EPOCHS", "0", "TRAIN.AUTO_RESUME", "false", "TENSORBOARD", "false",
         "MODEL.LINEAR_PREDICTOR", linear, "MODEL.CONV_PREDICTOR", conv],
        capture_output=True, text=True)
    if end.returncode:
        raise SystemExit(f"{tag}: {end.stderr.splitlines()[-1]}")
    lines = (args.output / "wfm_nano" / tag / "metrics.jsonl").read_text().splitlines()
    out = {"accuracy": json.loads(lines[-1])["val_acc1"],
           "parameters": int(re.search(r": ([\d,]+) parameters", end.stderr)[1].replace(",", "")),
           "seconds": processor_seconds() - begin}
    done.write_text(json.dumps(out))
    print(tag, out, flush=True)
    return out


args.output.mkdir(parents=True, exist_ok=True)
runs = {pair: [] for pair in PAIRS}
for seed in args.seeds:
    for pair in PAIRS:
        runs[pair].append(train(*pair, seed))
print("| linear | convolution | parameters | processor seconds | top-1, mean | lowest to highest |")
print("|---|---|---|---|---|---|")
for (linear, conv), found in runs.items():
    top1 = [run["accuracy"] for run in found]
    print(f"| `{linear}` | `{conv}` | {found[0]['parameters']:,} "
          f"| {statistics.median(run['seconds'] for run in found):.0f} "
          f"| {statistics.mean(top1):.1f} | {min(top1):.1f} to {max(top1):.1f} |")
