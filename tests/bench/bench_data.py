"""The baseline of `wf_bench --data`: torchvision, timm and DALI's CPU path on the same images.

    python bench_data.py --data DIRECTORY --who torchvision|timm|dali [--rows crop,recipe,eval]

One process and one thread; images per second of CPU time, best and median over the passes through
the directory. Prints one JSON line with the keys of wf_bench. DIRECTORY is searched for images.
Needs torchvision (0.26.0), timm, or nvidia-dali-cuda130 (which runs without a GPU).
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

p = argparse.ArgumentParser()
p.add_argument("--data", required=True)
p.add_argument("--who", required=True, choices=["torchvision", "timm", "dali"])
p.add_argument("--rows", default="crop,recipe,eval")
p.add_argument("--size", type=int, default=224)
p.add_argument("--images", type=int, default=512, help="maximum number of images")
p.add_argument("--passes", type=int, default=3)
args = p.parse_args()

try:
    __import__("nvidia.dali" if args.who == "dali" else args.who)
    __import__("torchvision" if args.who == "timm" else args.who.replace("dali", "nvidia.dali"))
except ImportError as problem:
    raise SystemExit(f"{problem}: the environment of tools/bootstrap.sh has only what the project needs; "
                     "pip install torchvision==0.26.0 timm, or nvidia-dali-cuda130")

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
files = sorted(os.path.join(directory, name) for directory, _, names in os.walk(args.data) for name in names
               if name.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".bmp")))[: args.images]
if not files:
    raise SystemExit(f"{args.data}: no images")


def rate(one_pass):
    """Images per second of this process's CPU time; the first pass is not counted."""
    one_pass()
    seconds = []
    for _ in range(args.passes):
        begin = time.process_time()
        one_pass()
        seconds.append(time.process_time() - begin)
    return len(files) / min(seconds), len(files) / statistics.median(seconds)


def python_rows():
    import torch
    from PIL import Image
    from torchvision import transforms as T

    torch.set_num_threads(1)
    bicubic, last = T.InterpolationMode.BICUBIC, [T.ToTensor(), T.Normalize(MEAN, STD)]
    rows = {
        "crop": T.Compose([T.RandomResizedCrop(args.size, interpolation=bicubic), T.RandomHorizontalFlip()] + last),
        "eval": T.Compose([T.Resize((args.size * 256 // 224,) * 2, interpolation=bicubic), T.CenterCrop(args.size)] + last),
    }
    if args.who == "timm":
        from PIL import ImageOps
        from timm.data import create_transform

        # timm asks for 0 bits at the highest magnitudes, which Pillow 13 refuses.
        posterize = ImageOps.posterize
        ImageOps.posterize = lambda image, bits: posterize(image, max(1, bits))
        rows["recipe"] = create_transform(
            input_size=args.size, is_training=True, color_jitter=0.4, auto_augment="rand-m9-mstd0.5-inc1",
            re_prob=0.25, re_mode="pixel", re_count=1, interpolation="bicubic")

    def loader(transform):
        # What a worker of a DataLoader does for each sample and batch, without the processes.
        def one_pass():
            batch = []
            for file in files:
                with open(file, "rb") as stream:
                    batch.append(transform(Image.open(stream).convert("RGB")))
                if len(batch) == 64:
                    torch.stack(batch)
                    batch = []
            if batch:
                torch.stack(batch)
        return one_pass

    return {name: loader(t) for name, t in rows.items()}


def dali_rows():
    from nvidia.dali import fn, pipeline_def, types

    batch = 62 if len(files) % 62 == 0 else 64

    def pipeline(crop):
        @pipeline_def(batch_size=batch, num_threads=1, device_id=None, seed=1, prefetch_queue_depth=1)
        def made():
            bytes_, _ = fn.readers.file(files=files, labels=[0] * len(files), random_shuffle=False, name="files")
            if crop:
                image = fn.decoders.image_random_crop(bytes_, device="cpu", random_aspect_ratio=[0.75, 4 / 3],
                                                        random_area=[0.08, 1.0], num_attempts=10)
                image = fn.resize(image, size=(args.size, args.size), interp_type=types.INTERP_CUBIC, antialias=True)
                mirror = fn.random.coin_flip()
            else:
                image = fn.decoders.image(bytes_, device="cpu")
                image = fn.resize(image, size=(args.size * 256 // 224,) * 2, interp_type=types.INTERP_CUBIC,
                                    antialias=True)
                mirror = 0
            return fn.crop_mirror_normalize(image, crop=(args.size, args.size), mirror=mirror, output_layout="CHW",
                                            dtype=types.FLOAT, mean=[255 * m for m in MEAN], std=[255 * s for s in STD])

        built = made()
        built.build()
        return built

    def runner(crop):
        built = pipeline(crop)

        def one_pass():
            for _ in range(-(-len(files) // batch)):
                built.run()
        return one_pass

    return {"crop": runner(True), "eval": runner(False)}


rows = dali_rows() if args.who == "dali" else python_rows()
line = {"who": args.who, "data": "bench", "images": len(files), "size": args.size, "workers": 1}
bytes_mean = sum(os.path.getsize(f) for f in files) / len(files)
for name in args.rows.split(","):
    if name not in rows:
        continue
    best, median = rate(rows[name])
    line[name], line[name + "_best"] = round(median, 1), round(best, 1)
    if name == "crop":
        line["mb_per_s"] = round(median * bytes_mean / 1e6, 2)
print(json.dumps(line))
