"""Makes report.json and report.md of the lines that tools/gpu_check.sh collected.

    python gpu_report.py lines.jsonl OUTPUT_FOLDER DEVICE
"""

import json
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import torch

lines = [json.loads(line) for line in open(sys.argv[1])]
out, device = Path(sys.argv[2]), sys.argv[3]
models = defaultdict(lambda: defaultdict(list))
for line in lines:
    if "who" in line:
        models[line["model"], line["mode"], line["dtype"], line["batch"], line["size"]][line["who"]].append(line)
packed = Path(__file__).parents[2] / "commit.txt"  # of tools/gpu_pack.sh
try:
    commit = packed.read_text().strip() if packed.exists() else subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
except OSError:  # no git on this machine
    commit = ""
about = {
    "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine(),
    "torch": torch.__version__,
    "cuda": torch.version.cuda,
    "commit": commit or "unknown",
}


def median(rows, key):
    return statistics.median(row[key] for row in rows) if rows else None


def ratio(ours, theirs, key):
    return f"{median(ours, key) / median(theirs, key):.2f}" if ours and theirs else "–"


def number(rows, key, form):
    """The median of those runs that have it."""
    values = [row[key] for row in rows if key in row]
    return format(statistics.median(values), form) if values else "–"


table = ["| model | mode | dtype | batch | images/s | ÷ eager | ÷ compiled | share of GEMMs | memory, MiB | ÷ eager |", "|---|---|---|---|---|---|---|---|---|---|"]
for (model, mode, dtype, batch, _), who in models.items():
    ours, eager, compiled = who["weightformer"], who["torch"], who["torch.compile"]
    if not ours:
        continue
    speed = "images_per_s_median"
    table.append(
        f"| {model} | {mode} | {dtype} | {batch} | {median(ours, speed):.1f} | {ratio(ours, eager, speed)} | "
        f"{ratio(ours, compiled, speed)} | {number(ours, 'floor_share', '.2f')} | {median(ours, 'peak_mib'):.0f} | {ratio(ours, eager, 'peak_mib')} |"
    )
table += ["", "| op | dtype | forward, µs | GB/s | ÷ reference | with backward, µs | ÷ reference |", "|---|---|---|---|---|---|---|"]
for line in lines:
    if "op" in line:
        table.append(
            f"| {line['op']} | {line['dtype']} | {line['forward_us']} | {line['forward_gb_per_s']} | "
            f"{line['forward_ratio']} | {line['both_us']} | {line['both_ratio']} |"
        )
title = f"{about['device']}, torch {about['torch']}, commit {about['commit']}: `tools/gpu_check.sh`"
out.joinpath("report.md").write_text("\n".join([title, "", *table, ""]))
out.joinpath("report.json").write_text(json.dumps({"about": about, "lines": lines}, indent=1))
print("\n".join(table))
