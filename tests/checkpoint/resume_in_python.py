"""Checkpoints go both ways between this program and PyTorch, and a step gives the same on both sides.

    python resume_in_python.py RESUME_PROBE WF_CONVERT GOLDEN_FOLDER

Exit code 77: this Python has no torch.
"""

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

if len(sys.argv) != 4:
    sys.exit("usage: resume_in_python.py BUILD/bin/resume_probe BUILD/bin/wf_convert tests/golden/checkpoints")
probe, convert, golden = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


def load(path):
    return torch.load(path, weights_only=True)


def distance(ours, theirs):
    """The largest relative L2 distance between tensors of the same name."""
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    return max(float((ours[k].double() - theirs[k].double()).norm() / theirs[k].double().norm()) for k in ours)


def resumed(checkpoint):
    """Model and optimizer as the original trainer builds and restores them."""
    model = weightformer.create("wfm_nano")
    model.load_state_dict(checkpoint["model"])
    plain = [p for n, p in model.named_parameters() if p.ndim < 2 or n.endswith(".bias")]
    decayed = [p for n, p in model.named_parameters() if not (p.ndim < 2 or n.endswith(".bias"))]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": plain, "weight_decay": 0.0}], lr=1, weight_decay=9)
    optimizer.load_state_dict(checkpoint["optimizer"])
    return model, optimizer


def step(model, optimizer, batch):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"]).backward()
    optimizer.step()


with tempfile.TemporaryDirectory() as directory:
    directory = pathlib.Path(directory)
    subprocess.run([probe, "write", directory], check=True)
    batch, ours = load(directory / "batch.pth"), load(directory / "ours.pth")
    assert {"model", "optimizer", "lr_scheduler", "max_accuracy", "epoch", "config"} <= ours.keys(), ours.keys()
    # The original trainer resumes with the epoch of this index: START_EPOCH = checkpoint["epoch"].
    assert (ours["epoch"], ours["max_accuracy"]) == (1, 12.5)
    assert ours["config"]["TRAIN"]["OPTIMIZER"]["BETAS"] == [0.9, 0.999]
    assert [g["weight_decay"] for g in ours["optimizer"]["param_groups"]] == [0.05, 0.0]

    model, optimizer = resumed(ours)
    step(model, optimizer, batch)
    stepped = load(directory / "ours_stepped.pth")
    moved = distance(dict(ours["model"]), dict(stepped["model"]))
    apart = distance(dict(model.state_dict()), dict(stepped["model"]))
    print(f"a step from ours.pth: moved {moved:.1e}, apart {apart:.1e}")
    assert apart < 2e-6 < moved, "the step differs from PyTorch's"
    for mine, theirs in zip(optimizer.state_dict()["state"].values(), stepped["optimizer"]["state"].values()):
        assert distance(mine, theirs) < 1e-5

    # And back: Python's checkpoint, in both formats of torch.save, with prefixes.
    state = {"model": {f"module.{k}": v for k, v in model.state_dict().items()}, "optimizer": optimizer.state_dict(),
             "lr_scheduler": {}, "max_accuracy": 1.0, "epoch": 1, "config": {}}  # one finished epoch
    for zipped in (True, False):
        torch.save(state, directory / "theirs.pth", _use_new_zipfile_serialization=zipped)
        subprocess.run([probe, "resume", directory], check=True)
        again, other = resumed({**state, "model": dict(model.state_dict())})
        back = load(directory / "theirs_stepped.pth")
        for group, lr in zip(other.param_groups, (1e-5 + 2 * (1e-3 - 1e-5) / 8,) * 2):
            group["lr"] = lr  # of our schedule after one epoch of three steps
        step(again, other, batch)
        apart = distance(dict(again.state_dict()), dict(back["model"]))
        print(f"a step from theirs.pth (zip {zipped}): apart {apart:.1e}")
        assert apart < 2e-6, "the step differs from PyTorch's"

    # Files that PyTorch itself refuses with weights_only become files that it takes.
    for name in ("published_trainer.pth", "views.pth", "legacy_not_zip.pth", "bfloat16.pth"):
        subprocess.run([convert, golden / name, directory / "c.pth"], check=True, stdout=subprocess.DEVNULL)
        converted = load(directory / "c.pth")
        if name != "published_trainer.pth":
            for key, value in load(golden / name).items():
                assert torch.equal(converted[key], value) and converted[key].dtype == value.dtype, (name, key)
    print("everything that was converted is equal")
