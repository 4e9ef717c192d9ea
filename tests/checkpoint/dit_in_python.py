"""Checkpoints of an image generator go both ways between this program and DiT's or fast-DiT's train.py.

    python dit_in_python.py DIT_PROBE WF_CONVERT

The model is tests/bench/weightformer.py's, and what is saved is what their train.py saves: {model, ema, opt, args},
AdamW over all parameters in one group, the frozen pos_embed among them, args a pickled Namespace. A step after
loading gives the same on both sides. Exit code 77: this Python has no torch.
"""

import argparse
import copy
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError as problem:
    print(f"skipped: Python's torch is not there ({problem}); tools/bootstrap.sh without --light installs it")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
import weightformer  # noqa: E402

if len(sys.argv) != 3:
    sys.exit("usage: dit_in_python.py BUILD/bin/dit_probe BUILD/bin/wf_convert")
probe, convert = sys.argv[1:]
RATE, DECAY = 1e-3, 0.9


class Training:
    """The parts of train.py that a checkpoint holds."""

    def __init__(self, weights):
        self.model = weightformer.create("dit_nano").eval()
        self.model.load_state_dict(weights)
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0)

    def step(self, batch):
        self.opt.zero_grad()
        self.model(batch["x"], batch["t"], batch["y"]).square().mean().backward()
        self.opt.step()
        with torch.no_grad():
            for average, weight in zip(self.ema.parameters(), self.model.parameters()):
                average.mul_(DECAY).add_(weight, alpha=1 - DECAY)

    def load(self, checkpoint):
        self.model.load_state_dict(checkpoint["model"])
        self.ema.load_state_dict(checkpoint["ema"])
        self.opt.load_state_dict(checkpoint["opt"])

    def save(self, path):
        args = argparse.Namespace(model="DiT-S/2", num_classes=10, global_batch_size=256, results_dir="results")
        state = {"model": self.model.state_dict(), "ema": self.ema.state_dict(), "opt": self.opt.state_dict(), "args": args}
        torch.save(state, path)

    def compare(self, stepped):
        """The largest relative distance of weights, EMA and moments to those of a checkpoint of ours."""
        assert not any(k.startswith("weightformer") for k in stepped["model"])
        names = [n for n, _ in self.model.named_parameters()]
        mine = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        mine |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        theirs = {f"model.{k}": v for k, v in stepped["model"].items()}
        theirs |= {f"ema.{k}": v for k, v in stepped["model_ema"].items()}
        of_ours = dict(zip(stepped["weightformer"]["optimizer_names"], stepped["optimizer"]["state"].values()))
        for number, state in self.opt.state_dict()["state"].items():
            for slot in ("step", "exp_avg", "exp_avg_sq"):
                mine[f"{slot}.{names[number]}"] = state[slot]
                theirs[f"{slot}.{names[number]}"] = of_ours[names[number]][slot]
        assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
        apart = ((mine[k].double() - theirs[k].double()).norm() / theirs[k].double().norm() for k in mine)
        return max(float(a) for a in apart)


def load(path, **options):
    return torch.load(path, weights_only=True, **options)


with tempfile.TemporaryDirectory() as directory:
    directory = pathlib.Path(directory)
    subprocess.run([probe, "write", directory], check=True)
    batch, ours = load(directory / "batch.pth"), load(directory / "ours.pth")

    # Ours there.
    subprocess.run([convert, directory / "ours.pth", directory / "0000002.pt", "--to", "dit"], check=True)
    converted = load(directory / "0000002.pt")
    assert converted["steps"] == 2 and converted["args"]["MODEL.NAME"], converted["args"]
    training = Training(ours["model"])
    frozen = [i for i, p in enumerate(training.model.parameters()) if not p.requires_grad]
    assert frozen and not set(frozen) & converted["opt"]["state"].keys(), frozen
    training.load(converted)
    training.step(batch)
    apart = training.compare(load(directory / "ours_stepped.pth"))
    print(f"a step of DiT's trainer from ours: apart {apart:.1e}")
    assert apart < 2e-5

    # Theirs here: five steps of a fresh optimizer, so that step counts and moments are its own.
    training = Training(ours["model"])
    for _ in range(5):
        training.step(batch)
    training.save(directory / "theirs.pt")
    printed = subprocess.run([probe, "resume", directory], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["5", "2", "1", "2"], printed  # step, epoch, batch of batches
    training.step(batch)
    apart = training.compare(load(directory / "theirs_stepped.pth"))
    print(f"a step of ours from DiT's: apart {apart:.1e}")
    assert apart < 2e-5

    # Without the optimizer it is only weights.
    torch.save({"model": training.model.state_dict(), "ema": training.ema.state_dict()}, directory / "theirs.pt")
    refused = subprocess.run([probe, "resume", directory], capture_output=True, text=True)
    assert "holds weights but no training state" in refused.stderr, refused.stderr
    training.opt = torch.optim.AdamW(training.model.parameters())
    training.save(directory / "theirs.pt")
    refused = subprocess.run([probe, "resume", directory], capture_output=True, text=True)
    assert "its optimizer has counted no step" in refused.stderr, refused.stderr
