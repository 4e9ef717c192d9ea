"""A tar file against the packed file of the same images, and how soon training begins on it.

    python bench_tar.py [--bin build/bin] [--images 20000] [--packed-images 2000] [--rounds 5]

Makes a tar file of JPEGs of noise in a temporary directory, then prints one JSON line:
  index_s        seconds of the first run of wf_train, one step, which makes the index
  start_s        the median of later ones, from the start of the program to its end
  start_cpu_s    the same in seconds of processor time, which hardly depends on other programs
  ratio          images per second of processor time that wf_pack --side reads, decodes and reduces from the
                 tar file, over that from the packed file: the median of `rounds` pairs that ran in turn
"""

import argparse
import io
import json
import os
import pathlib
import resource
import statistics
import subprocess
import tarfile
import tempfile
import time

import numpy as np
from PIL import Image

p = argparse.ArgumentParser()
p.add_argument("--bin", default="build/bin")
p.add_argument("--images", type=int, default=20000)
p.add_argument("--packed-images", type=int, default=2000, help="of a second tar file, for the ratio")
p.add_argument("--rounds", type=int, default=5)
args = p.parse_args()


def jpegs(count):
    noise = np.random.default_rng(0)
    for i in range(count):
        small = noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(small).resize((256, 224), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
        yield f"c{i % 10}/{i:06d}.jpg", file.getvalue()


def write_tar(path, count):
    with tarfile.open(path, "w") as out:
        for name, data in jpegs(count):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    os.utime(path, (1e9, 1e9))  # a file that just changed gets no index that is kept


def seconds(*command):
    """Of the clock and of the processor."""

    def processor():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    begin = time.perf_counter(), processor()
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return time.perf_counter() - begin[0], processor() - begin[1]


with tempfile.TemporaryDirectory() as temporary:
    root, programs = pathlib.Path(temporary), pathlib.Path(args.bin)
    write_tar(root / "train.tar", args.images)
    write_tar(root / "val.tar", 10)
    (root / "run.yaml").write_text(
        "MODEL: {NAME: wfm_nano, NUM_CLASSES: 10}\n"
        "DATA: {IMG_SIZE: 64, BATCH_SIZE: 8, NUM_WORKERS: 1}\n"
        "TRAIN: {STEPS: 1, WARMUP_EPOCHS: 0}\n"
    )

    def start(tag):
        return seconds(programs / "wf_train", "--cfg", root / "run.yaml", "--data-path", root, "--output",
                       root / "out", "--tag", tag, "--device", "cpu")

    first, later = start("first"), [start(f"later{i}") for i in range(args.rounds)]
    write_tar(root / "few.tar", args.packed_images)
    seconds(programs / "wf_pack", "--input", root / "few.tar", "--output", root / "few.wfpack")

    def rate(source):
        return args.packed_images / seconds(programs / "wf_pack", "--input", root / source, "--output",
                                     root / "small.wfpack", "--side", 112, "--threads", 1)[1]

    rate("few.tar"), rate("few.wfpack")
    ratios = [rate("few.tar") / rate("few.wfpack") for _ in range(args.rounds)]
    clock, processor = (statistics.median(column) for column in zip(*later))
    print(json.dumps({"images": args.images, "index_s": round(first[0], 2), "start_s": round(clock, 2),
                      "start_cpu_s": round(processor, 2), "ratio": round(statistics.median(ratios), 3),
                      "ratios": [round(r, 3) for r in ratios]}))
