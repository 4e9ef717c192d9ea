"""Runs wf_train and wf_infer on hostile values, streams, directories, limits and files.

usage: hostile_runs.py BIN_DIRECTORY [--only GROUP] [--seed S] [--values N] [--archives N] [--keep DIRECTORY]

A run must end in time with an exit code of docs/training.md, and with exactly one line "error: …"
unless the code is 0. A code 0 must be right: losses are finite, and an evaluation gives the same
result for any batch, workers, processes and storage. Cases that need root say so and are skipped
without it. Exits with 77 where Pillow or torch is missing.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data/image"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
try:
    import numpy as np
    import torch
    import yaml
    from PIL import Image

    import hostile_things
    import image_corpus
    import weightformer
    from program import Bench
except ImportError as missing:
    print(f"skipped: {missing}; tools/bootstrap.sh installs Pillow, PyYAML and PyTorch")
    sys.exit(77)

# --- values ----------------------------------------------------------------------------------

NUMBERS = "-1 0 1 1e-308 -1e308 1e308 .nan .inf 0.5 9223372036854775807 1000000000 65536 -0.0".split()
# What a test cannot wait for, or what is about something else than the value.
NOT_TRIED = {"TRAIN.EPOCHS", "TRAIN.STEPS", "DIST.TIMEOUT_S", "SAVE_FREQ"}


def numeric_keys(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from numeric_keys(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and prefix + key not in NOT_TRIED:
            yield prefix + key


def values(bench, arguments):
    """Numbers at the ends of their types for every numeric key of a classifier, in short real runs."""
    printed = bench.run("print", bench.train_command(["--print-config"]), codes={0})
    keys = sorted(numeric_keys(yaml.safe_load(printed.out)))
    pairs = [(key, value) for key in keys for value in NUMBERS if not key.startswith(("DIFFUSION", "SAMPLE", "FID"))]
    for key, value in random.Random(arguments.seed).sample(pairs, min(arguments.values, len(pairs))):
        shutil.rmtree(bench.path("out"), ignore_errors=True)
        done = bench.train(f"{key} {value}", ["--tag", "value"], [key, value], codes={0, 1, 2, 3}, gigabytes=12)
        if done.code == 1 and not any(word in done.err for word in ("out of memory", "limit of memory")):
            bench.fail("exit code 1 for a bad value")
        if done.code == 0:
            metrics = next(bench.path("out").rglob("metrics.jsonl"), None)
            for line in metrics.read_text().splitlines() if metrics else []:
                bench.expect(np.isfinite(json.loads(line).get("train_loss", 0.0)), f"a loss that is not finite: {line}")


# --- streams, run directories, limits --------------------------------------------------------


def saved(bench, tag):
    return any(bench.path("out").rglob(f"{tag}/ckpt_epoch_1.pth"))


def streams(bench, arguments):
    for number, (name, redirection) in enumerate((
        ("standard input closed", "<&-"), ("standard output closed", ">&-"), ("standard error closed", "2>&-"),
        ("all streams closed", "<&- >&- 2>&-"), ("standard output full", ">/dev/full"),
        ("standard error full", "2>/dev/full"), ("both full", ">/dev/full 2>/dev/full"),
        ("standard input of a directory", "</"),
        ("a reader that ends in training", "2> >(grep -m1 'train \\[1/1\\]' >/dev/null)"),
    )):
        tag = f"stream_{number}"
        bench.shell(name, redirection, bench.train_command(["--tag", tag]), codes={0})
        bench.expect(saved(bench, tag), "no checkpoint was saved")
        bench.expect(b"epoch" not in next(bench.path("out").rglob(f"{tag}/.lock"), bench.path("data.txt")).read_bytes(),
                     "the log is in the lock file")
    evaluation = bench.train_command(["--tag", "lost", "--eval", "--resume", bench.weights])
    bench.shell("result to a full device", ">/dev/full", evaluation, codes={1, 2})
    bench.shell("result to a closed stream", ">&-", evaluation, codes={0, 1, 2})


def run_directories(bench, arguments):
    """Things where a run has its files."""
    for name in ("log.txt", "metrics.jsonl", "config.yaml", ".lock", "max_acc.pth", "ckpt_epoch_1.pth"):
        for kind in ("directory", "fifo", "link to nothing", "link to itself", "device", "empty", "text"):
            if kind == "device" and os.geteuid() != 0:
                continue
            tag = f"{name}_{kind.replace(' ', '_')}"
            directory = bench.path("out/wfm_nano") / tag
            directory.mkdir(parents=True)
            hostile_things.put(directory / name, kind)
            bench.train(f"{name} is {kind}", ["--tag", tag], codes={0, 2})
            if kind == "device":
                bench.expect((directory / name).is_char_device(), "the device was replaced")
    for line in ("{", '{"epoch":"x"}', "[]", "null", '{"epoch":1e99}', "\xff", "x" * 100000):
        directory = bench.path("out/wfm_nano/line")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        (directory / "metrics.jsonl").write_text(line + "\n")
        bench.train(f"metrics.jsonl with {line[:20]}", ["--tag", "line"], codes={0, 2})
    bench.path("a_file").write_text("x")
    for output in ("", "/dev/null/x", bench.path("a_file"), bench.path("a_file/x"), "/proc/x", "x" * 300):
        words = bench.train_command(["--tag", "o"], output=output)
        done = bench.run(f"--output {str(output)[:20]!r}", words, codes={2})
        bench.expect(not pathlib.Path("/wfm_nano").exists(), f"it wrote into the root directory: {done.err}")
    if os.geteuid() == 0 and shutil.which("unshare"):
        for size in ("64k", "300k", "1m"):
            bench.shell(f"a disk of {size}", "", mounted(bench, f"size={size}", ["--tag", "d"]), codes={0, 1, 2})
        bench.shell("a disk that is read only", "", mounted(bench, "ro", ["--tag", "d"]), codes={2})
        device = bench.path("device")
        hostile_things.put(device, "device")
        words = [bench.program("wf_pack"), "--input", bench.path("data/val"), "--output", device]
        bench.run("wf_pack to a device", words, codes={2})
        bench.expect(device.is_char_device(), "the device was replaced")
    else:
        print("  skipped: devices, full and read-only disks need root and unshare")


def mounted(bench, options, more):
    directory = bench.path("mounted")
    directory.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o {options} tmpfs {directory} && exec "$@"'
    return ["unshare", "-m", "sh", "-c", mount, "sh", *bench.train_command(more, output=str(directory))]


def limits(bench, arguments):
    for number, (name, limit, codes) in enumerate((
        ("4 open files", "-n 4", {0, 1, 2, 127}), ("8 open files", "-n 8", {0, 2}), ("12 open files", "-n 12", {0, 2}),
        ("files of 1 KiB", "-f 1", {2}), ("files of 100 KiB", "-f 100", {0, 1, 2}),
        ("stack of 256 KiB", "-s 256", {0, 1, 2}),
        ("1 GiB of address space", "-v 1000000", {0, 1, 127}), ("2 GiB of address space", "-v 2000000", {0, 1, 127}),
        ("3 GiB of address space", "-v 3000000", {0, 1}), ("locked memory", "-l 0", {0}), ("core files", "-c 0", {0}),
    )):
        words = bench.train_command(["--tag", f"limit_{number}"])
        command = ["bash", "-c", f'ulimit {limit}; exec "$@"', "bash", *words]
        # The loader of the system ends a program that it cannot load, with 127 and its own words.
        done = bench.run(name, command, codes=codes, lines=127 not in codes)
        bench.expect("unreadable" not in done.err, f"a limit is taken for a damaged image: {done.err}")
    many = bench.train_command(["--tag", "threads", "--opts", "DATA.NUM_WORKERS", "2000"])
    bench.run("2,000 workers in 4 GiB", ["bash", "-c", 'ulimit -v 4000000; exec "$@"', "bash", *many], codes={0, 1, 2})


# --- things among the images -----------------------------------------------------------------


def things(bench, arguments):
    """What is no image, among the training images, the validation images and those of wf_infer."""
    for kind in hostile_things.KINDS:
        for split in ("train", "val"):
            data = bench.copy_of_data("things")
            hostile_things.put(data / split / "level" / "thing.png", kind)
            done = bench.train(f"{kind} in {split}", ["--tag", "t"], data=data, codes={0, 2})
            bench.expect(done.code == 0 or "thing" in done.err, f"the file is not named: {done.err}")
            shutil.rmtree(bench.path("out/wfm_nano/t"), ignore_errors=True)
        good = bench.path("data/val/level")
        directory = bench.path("infer")
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(good, directory)
        hostile_things.put(directory / "thing.png", kind)
        done = bench.run(f"{kind} for wf_infer", bench.infer_command([directory]), codes={0, 1, 2}, lines=False)
        expected = len(list(good.iterdir()))
        answers = [json.loads(line) for line in done.out.splitlines()]
        bench.expect(sum("top" in answer for answer in answers) >= expected,
                     f"{len(answers)} answers for {expected} images: {done.err[-300:]}")
    for name in (b"\xff\xfe.png", b"line\nbreak.png", b"\x1b[31m.png", b"-rf.png", b"%s%n.png", b" .png",
                 "größe.png".encode(), b"n" * 251 + b".png"):
        data = bench.copy_of_data("names")
        source = next((data / "val/level").iterdir())
        for split in (b"train", b"val"):
            shutil.copy(source, os.fsencode(data) + b"/" + split + b"/level/" + name)
        (data / "train/level/broken.png").write_bytes(b"x")
        done = bench.train(f"an image named {name[:12]}", ["--tag", "t"], data=data, codes={0})
        bench.expect("\x1b" not in done.err, "an escape code in the log")
        shutil.rmtree(bench.path("out/wfm_nano/t"), ignore_errors=True)
        done = bench.run(f"wf_infer and {name[:12]}", bench.infer_command([data / "val/level"]), codes={0}, lines=False)
        bench.expect(all(json.loads(line) for line in done.out.splitlines()), "no JSON")


# --- evaluation ------------------------------------------------------------------------------


def evaluate(bench, name, more=(), opts=(), data=None, ranks=1, codes=frozenset({0})):
    words = bench.train_command(["--tag", "e", "--eval", "--resume", bench.weights, *more], opts, data=data)
    done = bench.run(name, words, codes=codes, ranks=ranks)
    return (json.loads(done.out) if done.code == 0 else None), done


def archives_of(bench):
    """The data as zip archives with maps, packed files, and tar files."""
    out = {}
    for form in ("zip", "wfpack", "tar"):
        out[form] = bench.path(f"as_{form}")
        shutil.rmtree(out[form], ignore_errors=True)
        out[form].mkdir()
    for split in ("train", "val"):
        source = bench.path("data") / split
        hostile_things.zip_with_map(source, out["zip"], split)
        hostile_things.tar_of(source, out["tar"] / f"{split}.tar")
        packed = out["wfpack"] / f"{split}.wfpack"
        bench.run(f"pack {split}", [bench.program("wf_pack"), "--input", source, "--output", packed], codes={0})
    return out


OPTS = {"zip": ["DATA.ZIP_MODE", "true"], "wfpack": [], "tar": []}


def agrees(a, b):
    return a["val_acc1"] == b["val_acc1"] and abs(a["val_loss"] - b["val_loss"]) < 1e-6 and a["images"] == b["images"]


def evaluation(bench, arguments):
    expected, _ = evaluate(bench, "evaluation")
    cases = [(f"batch {batch}, {workers} workers, {ranks} ranks",
              dict(opts=["DATA.BATCH_SIZE", str(batch), "DATA.NUM_WORKERS", str(workers)], ranks=ranks))
             for batch in (1, 7, 64) for workers in (0, 3) for ranks in (1, 2, 3) if ranks == 1 or batch == 7]
    cases += [(f"{threads} threads", dict(opts=["THREADS", str(threads)])) for threads in (1, 2)]
    cases += [(f"as {form}", dict(data=directory, opts=OPTS[form])) for form, directory in archives_of(bench).items()]
    cases += [(f"as {form} on 2 ranks", dict(data=bench.path(f"as_{form}"), opts=OPTS[form], ranks=2)) for form in OPTS]
    for name, how in cases:
        result, _ = evaluate(bench, name, **how)
        bench.expect(result is not None and agrees(result, expected), f"{result} in place of {expected}")
    safetensors = bench.path("weights.safetensors")
    bench.run("convert", [bench.program("wf_convert"), bench.weights, safetensors], codes={0})
    done = bench.run("safetensors", bench.train_command(["--tag", "e", "--eval", "--resume", safetensors]), codes={0})
    bench.expect(agrees(json.loads(done.out), expected), f"{done.out} in place of {expected}")


def archives(bench, arguments):
    """Damaged archives: refused, or what was read of them is right or reported to be unreadable."""
    rng = random.Random(arguments.seed)
    undamaged = archives_of(bench)
    expected, _ = evaluate(bench, "evaluation")
    for number in range(arguments.archives):
        form = ("zip", "wfpack", "tar")[number % 3]
        data = bench.path("damaged")
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(undamaged[form], data)
        file = data / f"val.{form}"
        file.write_bytes(hostile_things.damage(file.read_bytes(), rng))
        for left in data.rglob("*.wfindex"):
            left.unlink()
        result, done = evaluate(bench, f"damaged {form} {number}", data=data, opts=OPTS[form], codes={0, 2})
        reported = any(word in done.err for word in ("unreadable", "cannot be decoded", "damaged"))
        # A changed pixel of an archive without checksums (tar) is another image.
        bench.expect(result is None or reported or form == "tar" or agrees(result, expected), f"{result}: {done.err}")


# --- wf_infer against the reference model with Pillow ----------------------------------------


def reference(weights):
    model = weightformer.WeightFormer(dim=32, depth=5, patch=4, classes=2).double().eval()
    model.load_state_dict(torch.load(weights, weights_only=True)["model"])
    return model


def pillow_input(path, size=16):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    with Image.open(path) as image:
        image = image.convert("RGB")
    image = image.resize((size, size), Image.BICUBIC)  # images so small are not cropped
    pixels = np.asarray(image, np.float64) / 255
    return torch.from_numpy(((pixels - mean) / std).transpose(2, 0, 1)[None])


def inference(bench, arguments):
    """Probabilities of every valid image, as the reference model gives them for Pillow's pixels."""
    warnings.simplefilter("ignore")
    directory = bench.path("corpus")
    directory.mkdir(exist_ok=True)
    files = [(name, data) for name, data in image_corpus.valid_images()]
    for name, data in files:
        (directory / name).write_bytes(data)
    done = bench.run("wf_infer on the corpus", bench.infer_command([directory]), codes={0, 1, 2}, lines=False)
    answers = {pathlib.Path(a["image"]).name: a for a in map(json.loads, done.out.splitlines())}
    model, compared, worst = reference(bench.weights), 0, 0.0
    for name, _ in files:
        answer = answers.get(name)
        try:
            x = pillow_input(directory / name)
        except Exception:  # Pillow raises many types for what it does not know
            continue
        if answer is None or "top" not in answer:
            continue
        with torch.no_grad():
            probabilities = model(x).softmax(-1)[0]
        difference = max(abs(float(probabilities[e["index"]]) - e["probability"]) for e in answer["top"])
        compared, worst = compared + 1, max(worst, difference)
        bench.case(f"wf_infer of {name}")
        bench.expect(difference < 1e-6, f"differs by {difference}")
    print(f"  {compared} images as the reference model has them, within {worst:.1e}")
    bench.expect(compared > 300, f"only {compared} images were compared")


GROUPS = (values, streams, run_directories, limits, things, evaluation, archives, inference)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--only", choices=[group.__name__ for group in GROUPS])
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--values", type=int, default=40, help="how many settings are tried")
    parser.add_argument("--archives", type=int, default=30, help="how many damaged archives")
    parser.add_argument("--keep", help="a directory for the files, to look at what failed")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(pathlib.Path(arguments.bin).resolve(), pathlib.Path(arguments.keep or temporary))
        for group in GROUPS:
            if arguments.only in (None, group.__name__):
                bench.begin(group.__name__)
                group(bench, arguments)
                wrong += bench.end()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
