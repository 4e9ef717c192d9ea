"""Compares our readers of .pth and safetensors with torch and safetensors, on the files of
tensor_corpus.py: valid ones, damaged copies, and files built to deceive.

usage: compare_with_torch.py PROBE [--damaged N] [--seed S] [--keep DIRECTORY]

What both read must be the same tensors. A valid file must be read, or refused for the reason in
REFUSED. What safetensors refuses must be refused. A file of torch.save that torch refuses and we read
must have the tensors of the undamaged one. A refusal is one line that begins with the file. Exits with
77 where Python has no torch or no safetensors.
"""
import argparse
import collections
import json
import os
import pathlib
import pickle
import random
import resource
import signal
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    import torch
    from safetensors.torch import load as load_safetensors
except ImportError as missing:
    print(f"skipped: {missing}; tools/bootstrap.sh installs PyTorch and safetensors")
    sys.exit(77)

import tensor_corpus

GIB = 1 << 30
SECONDS = 60  # of computing: more is a hang, not a slow machine


def described(tensor):
    plain = tensor.detach().resolve_neg().contiguous()
    data = bytes(plain.reshape(-1).view(torch.uint8).tolist()) if plain.numel() else b""
    return [str(plain.dtype).removeprefix("torch."), list(plain.shape), zlib.crc32(data)]


def walk(value, path, out):
    if isinstance(value, torch.Tensor):
        out[path] = described(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            name = str(key) if isinstance(key, str) or type(key) is int else "?"
            walk(item, f"{path}/{name}", out)
    elif isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        for index, item in enumerate(value):
            walk(item, f"{path}/{index}", out)


def read_by_torch(path, trusted):
    out = {}
    if path.suffix == ".safetensors":
        walk(load_safetensors(path.read_bytes()), "", out)
    else:
        walk(torch.load(path, weights_only=not trusted, map_location="cpu"), "", out)
    return out


def answer_all(paths, trusted, out):
    """Writes the tensors of each file, None for one that torch refuses."""
    resource.setrlimit(resource.RLIMIT_DATA, (8 * GIB, 8 * GIB))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for path in paths:
        signal.alarm(SECONDS)
        try:
            answer = read_by_torch(path, trusted)
        except Exception:  # damaged files raise many types
            answer = None
        pickle.dump(answer, out)
        out.flush()


def by_torch(paths, trusted=False):
    """The tensors of each file, or None where torch refuses it. In a process of its own, since a damaged
    file may end it or take all memory; another one then begins behind that file."""
    answers = []
    while len(answers) < len(paths):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                with os.fdopen(writing, "wb") as out:
                    answer_all(paths[len(answers) :], trusted, out)
            except BaseException:
                os._exit(1)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            while True:
                try:
                    answers.append(pickle.load(stream))
                except (EOFError, pickle.UnpicklingError):
                    break
        _, status = os.waitpid(child, 0)
        if status != 0:
            answers.append(None)
    return answers


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS * 10, SECONDS * 10))
    resource.setrlimit(resource.RLIMIT_DATA, (8 * GIB, 8 * GIB))


def by_probe(probe, paths, directory):
    """For each file {"tensors": …} or {"error": …}; a crash is the error of the file that caused it."""
    at = 0
    while at < len(paths):
        (directory / "list").write_text("".join(f"{path}\n" for path in paths[at:]))
        done = subprocess.run(
            [probe, directory / "list", directory / "report"], preexec_fn=limit, capture_output=True, cwd=directory
        )
        for line in (directory / "report").read_text().splitlines():
            yield json.loads(line)
            at += 1
        if done.returncode != 0:
            yield {"error": "", "crash": f"exit code {done.returncode}: {done.stderr[-200:]!r}"}
            at += 1


class Comparison:
    """Counts and problems of some files."""

    def __init__(self, probe, directory):
        self.probe, self.directory = probe, directory
        self.counts, self.wrong, self.notes = collections.Counter(), [], []

    def add(self, files, kind):
        """files: (name, bytes, name of the undamaged file or None)."""
        files = [(self.directory / name, data, original) for name, data, original in files]
        for path, data, _ in files:
            path.write_bytes(data)
        paths = [path for path, _, _ in files]
        answers = by_probe(self.probe, paths, self.directory)
        theirs = dict(zip(paths, by_torch(paths), strict=True))
        # What torch reads only without its restrictions is no wrong number; crafted files it must not
        # trust.
        refused = [path for path in paths if theirs[path] is None and kind != "crafted"]
        theirs.update(zip(refused, by_torch(refused, trusted=True), strict=True))
        for (path, _, original), ours in zip(files, answers, strict=True):
            problem = self.judge(path, ours, theirs[path], kind, original)
            if problem:
                self.wrong.append(f"{path.name}: {problem}")

    def judge(self, path, ours, theirs, kind, original):
        refused = "error" in ours
        count = f"{'refused' if refused else 'read'} here, {'refused' if theirs is None else 'read'} by torch"
        self.counts[count] += 1
        if refused:
            return self.judge_message(path, ours, theirs, kind)
        if theirs is not None:
            return None if ours["tensors"] == theirs else f"other tensors: {ours['tensors']}, by torch {theirs}"
        if path.suffix == ".safetensors":
            return "read here, refused by safetensors"
        undamaged = by_torch([self.directory / original], trusted=True)[0] if original else None
        if ours["tensors"] != undamaged:
            return f"refused by torch, read here as {ours['tensors']}"
        self.notes.append(f"{path.name}: refused by torch; here it has the right tensors")
        return None

    def judge_message(self, path, ours, theirs, kind):
        if "crash" in ours:
            return ours["crash"]
        message = ours["error"].removeprefix(str(path))
        if message == ours["error"] or "\n" in message or not 8 < len(message) < 400:
            return f"refused with {ours['error']!r}"
        expected = tensor_corpus.REFUSED.get(path.stem)
        if kind == "valid" and (expected is None or expected not in message):
            return f"refused: {message}"
        if kind == "damaged" or theirs is None:
            return None
        self.notes.append(f"{path.name}: refused{message}")
        return None

    def report(self, what):
        print(f"{what}: {sum(self.counts.values())} files")
        for kind, count in sorted(self.counts.items()):
            print(f"  {count:5d} {kind}")
        for line in self.notes:
            print(f"  note: {line[:300]}")
        for line in self.wrong:
            print(f"  wrong: {line[:600]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--damaged", type=int, default=600, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--keep", help="a directory for the files, to look at what failed")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # threads do not survive a fork
    arguments.probe = pathlib.Path(arguments.probe).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(arguments.keep or temporary).resolve()
        directory.mkdir(exist_ok=True)
        crafted = [(f"crafted_{name}.pth", data, None) for name, data in tensor_corpus.crafted_archives()]
        crafted += [(f"crafted_{name}.pth", data, None) for name, data in tensor_corpus.crafted_trees()]
        crafted += [(f"crafted_{name}.safetensors", data, None) for name, data in tensor_corpus.crafted_safetensors()]
        groups = {
            "valid": [(name, data, name) for name, data in tensor_corpus.valid()],
            "crafted": crafted,
            "damaged": list(tensor_corpus.damaged(random.Random(arguments.seed), arguments.damaged)),
        }
        wrong = 0
        for kind, files in groups.items():
            comparison = Comparison(arguments.probe, directory)
            comparison.add(files, kind)
            comparison.report(kind)
            wrong += len(comparison.wrong)
        if (directory / "executed").exists():
            print("wrong: a pickle was executed")
            wrong += 1
        # Otherwise nothing was compared.
        assert comparison.counts["read here, read by torch"] > arguments.damaged // 50, comparison.counts
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
