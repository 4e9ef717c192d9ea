"""wf_encode, wf_sample's decoding and wf_fid against diffusers (eager) and pytorch-fid, in turn.

    python tests/bench/bench_generation.py --photos DIRECTORY [--rounds 5] [--threads 1] [--only encode,decode,fid]

DIRECTORY holds JPEG or PNG photographs. Weights are random, of Stable Diffusion's sizes. Ours are the
complete programs, reading and cropping included; the other side computes on tensors in memory, after
a batch to warm up. Prints the images/s of each round and the median of the ratios. Needs torch,
diffusers, pytorch-fid, pillow.
"""

import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
from PIL import Image

p = argparse.ArgumentParser()
p.add_argument("--photos", required=True)
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--threads", type=int, default=1)
p.add_argument("--images", type=int, default=16)
p.add_argument("--side", type=int, default=128)
p.add_argument("--only", default="encode,decode,fid")
p.add_argument("--bin", default="build/bin")
args = p.parse_args()
torch.set_num_threads(args.threads)
environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY="passive")
work = tempfile.mkdtemp()
BATCH = 8


def program(*words):
    """The log of one of our programs."""
    ended = subprocess.run([os.path.join(args.bin, words[0]), *words[1:], "--device", "cpu"],
                           env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return ended.stderr


def rate(log):
    return float(re.findall(r"([0-9.]+) images/s", log)[-1])


def center(path):
    image = Image.open(path).convert("RGB")
    scale = args.side / min(image.size)
    image = image.resize([max(args.side, round(v * scale)) for v in image.size], Image.BICUBIC)
    left, top = [(v - args.side) // 2 for v in image.size]
    return image.crop((left, top, left + args.side, top + args.side))


def timed(call, items):
    call(items[0])
    begin = time.perf_counter()
    for item in items:
        call(item)
    return sum(len(item) for item in items) / (time.perf_counter() - begin)


photos = [f for f in sorted(glob.glob(args.photos + "/**/*.*", recursive=True))
          if f.lower().endswith((".jpg", ".png"))][:args.images]
os.makedirs(work + "/data/train/photo")
for i, photo in enumerate(photos):
    center(photo).save(f"{work}/data/train/photo/{i:05}.png")
pixels = np.stack([np.asarray(Image.open(f)) for f in sorted(glob.glob(work + "/data/train/photo/*"))])
batches = torch.from_numpy(pixels).permute(0, 3, 1, 2).split(BATCH)


def autoencoder():
    from diffusers import AutoencoderKL
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4,
                        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
    vae.save_pretrained(work + "/vae")
    return vae.eval()


def encode():
    vae = autoencoder()
    for i in range(args.rounds):
        log = program("wf_encode", "--data-path", work + "/data", "--vae", work + "/vae", "--output",
                      f"{work}/latents{i}", "--size", str(args.side), "--no-flip", "--part", str(args.images))
        with torch.no_grad():
            yield rate(log), timed(lambda x: vae.encode(x.float() / 127.5 - 1).latent_dist.mean, batches)


def decode():
    vae = autoencoder()
    side = args.side // 8
    with open(work + "/run.yaml", "w") as file:
        file.write(f"DATA: {{DATASET: latents, IMG_SIZE: {side}, BATCH_SIZE: 4, NUM_WORKERS: 1}}\n"
                   "MODEL: {TYPE: wfm_dit, NAME: dit_nano, DIM: 16, DEPTH: 1, NUM_CLASSES: 2}\n"
                   "TRAIN: {STEPS: 1, WARMUP_EPOCHS: 0}\nDIFFUSION: {CHANNELS: 4}\n")
    os.makedirs(work + "/toy")
    np.save(work + "/toy/latents.npy", np.random.randn(8, 4, side, side).astype(np.float32))
    np.save(work + "/toy/labels.npy", np.arange(8) % 2)
    program("wf_train", "--cfg", work + "/run.yaml", "--data-path", work + "/toy", "--output", work + "/out")
    latents = torch.randn(args.images, 4, side, side).split(BATCH)
    for i in range(args.rounds):
        log = program("wf_sample", "--resume", work + "/out/dit_nano/default/max_acc.pth", "--vae", work + "/vae",
                      "--output", f"{work}/samples{i}", "--images", str(args.images), "--shard", str(args.images),
                      "--steps", "1", "--scale", "1")
        share = float(re.findall(r"decoding ([0-9]+) %", log)[-1]) / 100
        with torch.no_grad():
            yield rate(log) / share, timed(lambda z: vae.decode(z / 0.18215).sample, latents)


def fid():
    from pytorch_fid import inception
    from pytorch_fid.fid_score import get_activations
    network = inception.fid_inception_v3
    inception.load_state_dict_from_url = lambda *a, **k: None  # its published weights are not there
    torch.nn.Module.load_state_dict, kept = lambda *a, **k: None, torch.nn.Module.load_state_dict
    torch.manual_seed(0)
    torch.save(network().state_dict(), work + "/inception.pth")
    torch.manual_seed(0)
    model = inception.InceptionV3([3]).eval()
    torch.nn.Module.load_state_dict = kept
    files = sorted(glob.glob(work + "/data/train/photo/*"))
    for i in range(args.rounds):
        log = program("wf_fid", work + "/data/train", "--weights", work + "/inception.pth", "--input", "pytorch",
                      "--save-stats", f"{work}/{i}.npz")
        begin = time.perf_counter()
        get_activations(files, model, batch_size=50, dims=2048, device="cpu", num_workers=args.threads)
        yield rate(log), len(files) / (time.perf_counter() - begin)


for name in args.only.split(","):
    ratios = []
    for ours, theirs in {"encode": encode, "decode": decode, "fid": fid}[name]():
        ratios.append(ours / theirs)
        print(f"{name}: ours {ours:.2f}, other {theirs:.2f} images/s, ratio {ours / theirs:.3f}", flush=True)
    print(json.dumps({"key": name, "median_ratio": round(statistics.median(ratios), 3), "rounds": args.rounds,
                      "threads": args.threads, "side": args.side}))
