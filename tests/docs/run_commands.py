"""Runs the commands of README.md, docs/ and cfg/, with less data and fewer steps than they name.

    run_commands.py --check              every command runs here or in another test, or its block names what it needs
    run_commands.py BUILD [PAGE …]       runs them with the programs of BUILD

A command that cannot run on any machine stands below a comment of its block, or of the head of its configuration,
that names what it needs, such as "# needs eight GPUs". The comment counts for all that follows in the block, up to the
next such comment. Exit code 77: skipped.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FASHION_MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")

# What a block may need. Commands that need only ImageNet run here on a stand-in.
NEEDS = re.compile(r"#.*\bneeds\b.*(GPU|ImageNet|SLURM|machines|nvcc|timm|diffusers|wheel|files of this page)")
STAND_IN = re.compile(r"#.*\bneeds (ImageNet\b(?!.*(GPU|machines|SLURM|scipy))|a GPU(?! and nvcc))")

# Commands that other tests run, or that these tests are run by.
ELSEWHERE = [
    (r"(\./)?tools/build\.sh$", "the build that is tested here"),
    (r"(\./)?tools/test\.sh", "runs all tests, this one too"),
    (r"(\./)?tools/format\.sh", ".ci/run"),
    (r"(\./)?tools/wheel\.sh", "PythonPackage.BuildsAWheel"),
    (r"pip install build/wheel/", "PythonPackage.BuildsAWheel"),
    (r"(\./)?tools/finetune_demo\.sh", "FinetuneDemo.Quick"),
    (r"(\./)?tools/wf_bundle\.sh", "Bundle.RunsInABareRoot"),
    (r"cmake --build build", "the build that is tested here"),
    (r"cmake --install", "Consumer.FindsTheInstalledModels"),
    (r"ctest --test-dir build", "tools/test.sh runs all tests"),
    (r"\.venv/bin/python tests/data/image/compare_with_pillow\.py", "Decode.AgreesWithPillowOnValidAndDamagedImages"),
    (r"\.venv/bin/python tests/serialization/compare_with_torch\.py", "TensorFiles.AgreeWithTorchAndSafetensors"),
    (r"\.venv/bin/python tests/faults/hostile_runs\.py", "HostileRuns"),
    (r"build/bin/wf_fuzz_torch_file", "the test Fuzz of tests/fuzz/CMakeLists.txt"),
    (r"WF_KILLS=\d+ build/bin/wf_fault_tests", "Kills.AtRandomStepsEndWithTheSameWeights"),
    (r"\.venv/bin/python tests/docs/dense_features\.py", "Features.SegmentScenesOfClothes"),
    (r"docker ", "tests/tools/replay_dockerfile.sh"),
]

TINY_RUN = (" --opts TRAIN.STEPS 2 TRAIN.WARMUP_EPOCHS 0 DATA.IMG_SIZE 64 DATA.BATCH_SIZE 2 DATA.NUM_WORKERS 1"
            " TRAIN.ACCUMULATION_STEPS 1 AMP false")
TINY_DIT = TINY_RUN.replace("IMG_SIZE 64", "IMG_SIZE 8") + " SAMPLE.EVERY 0 MODEL.NUM_CLASSES 12"
# (pattern, replacement): the same command with less to do. All that match are applied, in this order.
SMALLER = [
    (r"tools/demo\.sh", "tools/demo.sh --quick"),
    (r"wf_prepare (--output data/fashion-mnist)$", r"wf_prepare \1 --train 1000 --val 200"),
    (r"--train (60000|5000|3000)", "--train 1000"),
    (r"--val (2000|1000)", "--val 200"),
    (r"TRAIN\.EPOCHS 200 TRAIN\.WARMUP_EPOCHS 10", "TRAIN.EPOCHS 1 TRAIN.WARMUP_EPOCHS 0"),
    (r"(?s)(.*wf_train .*cfg/wfm_[tsb]\.yaml.*)", r"\1" + TINY_RUN),
    (r"(?s)(.*wf_train .*cfg/dit_\w+\.yaml.*)", r"\1" + TINY_DIT),
    (r"(?s)(.*wf_train .*cfg/demo/fashion_mnist_dit\.yaml.*)",
     r"\1 --opts TRAIN.STEPS 20 TRAIN.WARMUP_STEPS 5 SAMPLE.STEPS 2"),
    (r"(?s)(.*wf_train .*cfg/demo/fashion_mnist_(long|recipe)\.yaml.*)", r"\1 --opts TRAIN.EPOCHS 1 TRAIN.WARMUP_EPOCHS 0"),
    (r"(?s)^(mkdir -p data/imagenet/train|tar -xf|for archive in).*",
     lambda command: command[0].replace("data/imagenet/", "data/unpacked/")),
    (r"wf_encode --data-path data/imagenet", "wf_encode --data-path data/photographs"),
    (r"--size 256", "--size 64 --batch-size 2"),
    (r"--images 50000", "--images 12 --batch-size 4 --shard 4 --steps 2"),
    (r"--per-class 10", "--per-class 1 --steps 2"),
    (r"wf_fid ", "wf_fid --figures fid "),
    (r"--rounds \d", "--rounds 1"),
    (r"(--model wfm_[ts] --mode \w+) --steps 4", r"\1 --steps 1 --warmup 1 --batch 1 --size 64"),
    (r"for run in wfm_tiny:8 [^;]*;", "for run in wfm_tiny:1;"),
    (r"--steps 7 --phases", "--steps 1 --phases"),
    (r"wf_dist_probe speed$", "wf_dist_probe speed 60 1 1"),
    (r"wf_bench --ops$", "wf_bench --ops --steps 1 --batch 1"),
    (r"\.venv/bin/tensorboard (.*)", r"(timeout 30 .venv/bin/tensorboard \1 --port 0 2>&1 || true) | grep -m1 http://"),
]

# What a page takes from its reader, made here before its commands run.
PREPARE = {
    "docs/checkpoints.md": "cp output/wfm_nano/mine/max_acc.pth max_acc.pth;"
                           " for n in a b c; do cp output/wfm_nano/first/max_acc.pth $n.pth; done;"
                           " cp output/dit_s_2/demo/max_acc.pth ckpt_step_5000.pth",
    "docs/training.md": "build/bin/wf_train --cfg cfg/demo/fashion_mnist.yaml --data-path data/mine --tag other"
                        " --opts TRAIN.EPOCHS 1 TRAIN.WARMUP_EPOCHS 0",
    "docs/fid.md": "rm -rf samples reference; mkdir samples reference; cp photos/*.jpg samples; cp photos/*.jpg reference;"
                   " cp -r output/demo/dit/judged/images samples/images",
    "docs/imagenet.md": "for c in n00000001 n00000002; do tar -cf $c.tar -C data/imagenet/train/$c .; done;"
                        " tar -cf ILSVRC2012_img_train.tar n0000000*.tar; tar -cf ILSVRC2012_img_val.tar -C photos .;"
                        " mkdir -p ILSVRC2012_devkit_t12/data output/wfm_small/imagenet;"
                        " tar -czf ILSVRC2012_devkit_t12.tar.gz ILSVRC2012_devkit_t12;"
                        " cp wfm_small.safetensors output/wfm_small/imagenet/max_acc.pth",
    "docs/pipeline.md": "rm -rf samples data/latents",
    "docs/vae.md": "rm -rf data/latents",
    "docs/diffusion.md": "build/bin/wf_encode --data-path data/photographs --vae sd-vae-ft-ema --output data/latents"
                         " --size 64 --batch-size 2;"
                         f" build/bin/wf_train --cfg cfg/dit_s_2.yaml --data-path data/latents --tag seed {TINY_DIT};"
                         " build/bin/wf_convert output/dit_s_2/seed/ckpt_step_2.pth 0400000.pt --to dit;"
                         " mkdir -p output/dit_s_2/default;"
                         " cp output/dit_s_2/demo/max_acc.pth output/dit_s_2/default/ckpt_step_5000.pth",
}
# Pages whose files others use come first.
FIRST = ["docs/getting_started.md", "docs/training.md"]


class Command:
    def __init__(self, page, line, text, needs):
        self.page, self.line, self.text, self.needs = page, line, text, needs

    def __str__(self):
        return f"{self.page}:{self.line}: {self.text.splitlines()[0]}"


def logical_commands(lines):
    """(number, text) of each command of a script: joins lines that belong together."""
    begin, text, end_mark = 0, "", None
    for number, line in lines:
        begin = begin if text else number
        text += ("\n" if text else "") + line
        heredoc = re.search(r"<<-?\s*'?(\w+)'?", line)
        if end_mark is None and heredoc:
            end_mark = heredoc[1]
            continue
        if end_mark is not None:
            if line != end_mark:
                continue
            end_mark = None
        if line.endswith("\\"):
            continue
        if subprocess.run(["bash", "-n", "-c", text], stderr=subprocess.DEVNULL).returncode != 0:
            continue  # such as a loop without its end
        if text.strip():
            yield begin, text
        text = ""
    if text.strip():
        yield begin, text


def commands_of_block(page, lines):
    needs = ""
    for number, text in logical_commands(lines):
        if NEEDS.search(text.splitlines()[0] if text.startswith("#") else text):
            needs = text
        if not text.lstrip().startswith("#"):
            yield Command(page, number, text, needs)
            if not needs.startswith("#"):
                needs = ""  # behind a command: for this one only


def blocks(page, text):
    """(language, lines) of the code blocks of a page; of a configuration, the commands of its head."""
    if page.endswith(".yaml"):
        head = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.startswith("#") or line.startswith("# Time:"):
                break
            if line.startswith("# Run:"):
                head = [(number, "# " + line[6:].strip())]
            elif head:
                head.append((number, line[1:].strip()))
        return [("sh", head)]
    found, language, block = [], None, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if language is None:
                language, block = line[3:], []
            else:
                found.append((language, block))
                language = None
        elif language is not None:
            block.append((number, line))
    return found


def commands_of(page, text):
    commands = []
    for language, lines in blocks(page, text):
        if language == "sh":
            commands += commands_of_block(page, lines)
    if page.endswith(".md"):
        for number, line in enumerate(text.splitlines(), 1):
            for command in re.findall(r"`((?:[A-Z_]+=\S+ )?build/bin/wf_\w+ [^`]+)`", line):
                commands.append(Command(page, number, command, ""))
    return commands


def pages():
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")),
             *sorted(ROOT.glob("cfg/**/*.yaml"))]
    names = [str(file.relative_to(ROOT)) for file in files]
    return sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


def elsewhere(command):
    return next((test for pattern, test in ELSEWHERE if re.match(pattern, command.text)), None)


PROGRAM = re.compile(
    r"^(\w+=\S+ )*(for run in .*|export \w+=.*|mkdir -p .*|eval .*|(\./)?tools/\w+\.sh\b.*|build/bin/wf_.*"
    r"|\.venv/bin/(python|torchrun|tensorboard) .*|source tools/.*)$", re.DOTALL)


def faults(page, text):
    """What is wrong with the commands of a page."""
    found = []
    for command in commands_of(page, text):
        if command.needs or elsewhere(command):
            continue
        if not PROGRAM.match(command.text):
            found.append(f"{command}: is not run by any test, and no comment names what it needs")
        elif re.search(r"…|\[--|(?<![-\w])[A-Z]{2,}(?![-\w.=(\"'/])", re.sub(r"<<'PYTHON'.*|--opts.*|KEY|#.*", "", command.text, flags=re.DOTALL)):
            found.append(f"{command}: has a placeholder, so it cannot be run as it is printed")
    fenced = {number for _, lines in blocks(page, text) for number, _ in lines}
    for number, line in enumerate(text.splitlines(), 1):
        command = re.match(r"    (build/bin/|\./tools|\.venv/bin|python3? |cmake |ctest )", line)
        if page.endswith(".md") and command and number not in fenced:
            found.append(f"{page}:{number}: a command in an indented block: use ```sh")
    for language, lines in blocks(page, text):
        if language in ("bash", "shell", "console"):
            found.append(f"{page}:{lines[0][0]}: a block of {language}: use ```sh")
    return found


def check():
    found, count = [], 0
    for page in pages():
        text = (ROOT / page).read_text()
        count += len(commands_of(page, text))
        found += faults(page, text)
    planted = [
        ("docs/a.md", "```sh\nrm -rf x\n```", 1),
        ("docs/a.md", "```sh\nbuild/bin/wf_train --cfg A …\n```", 1),
        ("docs/a.md", "```sh\n# needs eight GPUs\nsrun x\n```", 0),
        ("docs/a.md", "```sh\nsrun x  # needs SLURM\nsrun y\n```", 1),
        ("docs/a.md", "    build/bin/wf_train --cfg a.yaml", 1),
        ("docs/a.md", "```sh\nbuild/bin/wf_train --cfg a.yaml \\\n  --tag b\n./tools/test.sh\n```", 0),
        ("cfg/a.yaml", "# A.\n# Run:\n#   srun x\n# Time: 1\n", 1),
        ("cfg/a.yaml", "# A.\n# Run:    needs eight GPUs\n#   srun x\n# Time: 1\n", 0),
    ]
    for page, text, expected in planted:
        if len(faults(page, text)) != expected:
            found.append(f"this test does not see what is wrong with {text!r}: {faults(page, text)}")
    if count < 100:
        found.append(f"only {count} commands were found")
    known = "".join(file.read_text() for file in ROOT.glob("tests/**/*_test.cpp")) + (ROOT / "tests/CMakeLists.txt").read_text()
    for _, test in ELSEWHERE:
        suite, dot, case = test.partition(".")
        if dot and " " not in test and "/" not in test and not (test in known or f"({suite}, {case})" in known):
            found.append(f"there is no test {test}")
    print("\n".join(found) or f"{count} commands: each runs in a test, or the page names what it needs")
    return 1 if found else 0


def make_images(directory, classes, images, size=(96, 80)):
    """One kind of image for each class; further ones of a class are links to the first."""
    from PIL import Image

    for k, name in enumerate(classes):
        for split in ("train", "val"):
            place = directory / split / name
            place.mkdir(parents=True)
            first = place / f"ILSVRC2012_{split}_{k + 1:08d}_0.JPEG"
            color = (37 * k % 256, 91 * k % 256, 17 * k % 256)
            Image.linear_gradient("L").resize(size).convert("RGB").point(
                [min(255, v // 2 + c // 2) for c in color for v in range(256)]).save(first)
            for i in range(1, images):
                os.link(first, place / f"ILSVRC2012_{split}_{k + 1:08d}_{i}.JPEG")


def make_sandbox(build):
    """The project's directory as a reader has it, with the programs of `build` and stand-ins for weights and images."""
    box = pathlib.Path(tempfile.mkdtemp(prefix="wf_commands_"))
    for name in ("cfg", "docs", "include", "kernels", "src", "tests", "cmake", "README.md", "CMakeLists.txt"):
        (box / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "tools", box / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for script in ("build.sh", "bootstrap.sh"):  # the build exists
        (box / "tools" / script).write_text("#!/bin/sh\n")
    (box / "build").mkdir()
    for name in ("bin", "lib"):
        (box / "build" / name).symlink_to(build / name)
    (box / ".venv/bin").mkdir(parents=True)
    venv = pathlib.Path(sys.executable).parent
    for name in ("python", "torchrun", "tensorboard"):
        source = venv / name
        if source.exists():
            (box / ".venv/bin" / name).write_text(f'#!/bin/sh\nexec {source} "$@"\n')
            (box / ".venv/bin" / name).chmod(0o755)
    run(box, "build/bin/wf_stand_ins .", time_limit=300)
    make_images(box / "data/photographs", [f"class_{k:02d}" for k in range(12)], 2)
    make_images(box / "data/imagenet", [f"n{k:08d}" for k in range(1000)], 1, (64, 64))
    run(box, "mkdir photos; cp data/photographs/val/class_0*/*_0.JPEG photos/;"
             " for f in photos/*.JPEG; do mv $f ${f%.JPEG}.jpg; done; cp photos/ILSVRC2012_val_00000001_0.jpg cat.jpg")
    shutil.copy(ROOT / "tests/golden/checkpoints/published_trainer.pth", box / "published.pth")
    return box


def run(box, command, time_limit=600):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", XDG_CACHE_HOME=str(box / "cache"))
    return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=box, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=time_limit)


def smaller(text):
    if "<<" not in text:
        text = re.sub(r"[ \t]+# .*$", "", text, flags=re.MULTILINE)  # arguments follow
    for pattern, replacement in SMALLER:
        text = re.sub(pattern, replacement, text)
    return text


# The file of weights that a page means by weights.pth.
def choose_weights(box, page):
    name = "wfm_small" if page == "README.md" else "wfm_tiny"
    shutil.copy(box / f"{name}.safetensors", box / "weights.pth")


def run_page(box, page, report):
    choose_weights(box, page)
    if page in PREPARE:
        prepared = run(box, PREPARE[page])
        if prepared.returncode != 0:
            report(f"{page}: what it needs cannot be made")
            return [f"{page}: what it needs cannot be made: {prepared.stdout}"]
    failed = []
    for command in commands_of(page, (ROOT / page).read_text()):
        if elsewhere(command) or command.needs and not STAND_IN.search(command.needs):
            continue
        begin = time.monotonic()
        try:
            end = run(box, smaller(command.text))
            code, output = end.returncode, end.stdout
        except subprocess.TimeoutExpired as problem:
            code, output = "time limit", str(problem)
        report(f"{time.monotonic() - begin:6.1f} s  {code}  {command}")
        if code != 0:
            failed.append(f"{command}\n  run as: {smaller(command.text)}\n" + output[-1500:])
    return failed


def main():
    if sys.argv[1:] == ["--check"]:
        return check()
    build = pathlib.Path(sys.argv[1]).resolve()
    if not FASHION_MNIST.exists():
        print(f"skipped: no {FASHION_MNIST} (Debian's dataset-fashion-mnist)")
        return 77
    try:
        import PIL, torch  # noqa: F401
    except ImportError as problem:
        print(f"skipped: this Python has no {problem.name}")
        return 77
    wanted = sys.argv[2:] or pages()
    box = make_sandbox(build)
    failed = []
    try:
        for page in wanted:
            failed += run_page(box, page, lambda line: print(line, flush=True))
    finally:
        if not os.environ.get("WF_KEEP"):
            shutil.rmtree(box)
    print("\n".join(failed) or "all commands ran")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
