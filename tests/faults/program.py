"""Runs programs for hostile_runs.py, and judges how they end."""
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time

from PIL import Image

SECONDS = 120  # more is a hang, not a slow machine
TRACES = ("terminate called", "frame #", "Traceback", "what():", "Sanitizer", "Aborted", "Segmentation")
CONFIG = """
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 2, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 1, WARMUP_EPOCHS: 0}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0}
DEVICE: cpu
THREADS: 1
"""


class Finished:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Bench:
    """A directory with images, settings and a trained run, and counts of cases and failures."""

    def __init__(self, bin_directory, directory):
        self.bin, self.directory = bin_directory, directory
        directory.mkdir(exist_ok=True)
        self.group, self.cases, self.wrong, self.now = "", 0, [], ""
        (directory / "run.yaml").write_text(CONFIG)
        (directory / "data.txt").write_text("x")
        self.write_images(directory / "data")
        self.weights = directory / "first/wfm_nano/first/max_acc.pth"
        self.begin("first")
        first = self.run("first", self.train_command(["--tag", "first"], output=directory / "first"), codes={0})
        assert self.weights.exists(), first.err
        assert self.end() == 0

    def write_images(self, root):
        rng = random.Random(1)
        for split, count in (("train", 12), ("val", 7)):
            for label in ("upright", "level"):
                directory = root / split / label
                directory.mkdir(parents=True, exist_ok=True)
                for number in range(count):
                    image = Image.new("RGB", (16, 16), tuple(rng.randrange(60) for _ in range(3)))
                    at = rng.randrange(16)
                    for i in range(16):
                        image.putpixel((at, i) if label == "upright" else (i, at), (220, 230, 240))
                    image.save(directory / f"{number}.png")

    def path(self, name):
        return self.directory / name

    def program(self, name):
        return self.bin / name

    def copy_of_data(self, name):
        data = self.path(name)
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(self.path("data"), data)
        return data

    def train_command(self, more=(), opts=(), data=None, output=None):
        words = [self.program("wf_train"), "--cfg", self.path("run.yaml"), "--data-path", data or self.path("data"),
                 "--output", self.path("out") if output is None else output, *more]
        if opts:
            words += list(opts) if "--opts" in words else ["--opts", *opts]
        return [str(word) for word in words]

    def infer_command(self, images):
        return [str(word) for word in (self.program("wf_infer"), self.weights, *images, "--json", "--top", "2")]

    def train(self, name, more=(), opts=(), codes=frozenset({0}), data=None, gigabytes=None):
        return self.run(name, self.train_command(more, opts, data=data), codes, gigabytes=gigabytes)

    def shell(self, name, redirection, command, codes):
        words = ["bash", "-c", f'exec "$@" {redirection}', "bash", *map(str, command)]
        return self.run(name, words, codes, lines=redirection == "")

    def run(self, name, command, codes, lines=True, gigabytes=None, ranks=1):
        """The end of the program: of rank 0, if it is run in several processes."""
        self.case(name)
        processes = [self.start(command, gigabytes, env) for env in environments(ranks)]
        ends = [self.wait(process) for process in processes]
        for done in ends:
            self.judge(done, codes, lines)
        return ends[0]

    def start(self, command, gigabytes, environment):
        def limit():
            os.setsid()
            if gigabytes:
                resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))

        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, preexec_fn=limit, env={**os.environ, **environment},
                                text=True, errors="surrogateescape")

    def wait(self, process):
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.fail(f"no end after {SECONDS} s")
        return Finished(process.returncode, out, err)

    def judge(self, done, codes, lines):
        if done.code not in codes:
            self.fail(f"exit code {done.code}: {done.err[-400:]}")
        for trace in TRACES:
            self.expect(trace not in done.err, f"{trace}: {done.err[-400:]}")
        if not lines or done.code not in codes:
            return
        errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
        wanted = 1 if done.code else 0
        self.expect(len(errors) == wanted, f"{len(errors)} lines of an error: {done.err[-400:]}")
        if wanted and errors:
            last = done.err.rstrip("\n").splitlines()[-1]
            self.expect(last == errors[-1], f"the error is not last: {done.err[-400:]}")
            self.expect(len(errors[0]) < 700, f"an error of {len(errors[0])} characters")

    def case(self, name):
        self.cases += 1
        self.now = name

    def expect(self, right, problem):
        if not right:
            self.fail(problem)

    def fail(self, problem):
        self.wrong.append(self.now)
        print(f"  wrong: {self.group}: {self.now}: {problem!r}", flush=True)

    def begin(self, group):
        self.group, self.cases, self.wrong, self.started = group, 0, [], time.monotonic()

    def end(self):
        failed = len(set(self.wrong))
        print(f"{self.group}: {self.cases} cases, {failed} failed, {time.monotonic() - self.started:.0f} s", flush=True)
        return failed


def environments(ranks):
    if ranks == 1:
        yield {}
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for rank in range(ranks):
        yield {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(ranks),
               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
