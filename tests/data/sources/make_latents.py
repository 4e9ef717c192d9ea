"""Writes the same latents in every layout that people have them in, by the usual Python packages.

    make_latents.py DIRECTORY

Sample i of 12 has the numbers ramp + i and the label i % 3; flipped ones are mirrored.
"""

import json
import pathlib
import sys
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file

COUNT, SHAPE = 12, (4, 8, 8)


def latents() -> np.ndarray:
    ramp = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE) / 64
    return np.stack([ramp + i for i in range(COUNT)])


def labels() -> np.ndarray:
    return np.arange(COUNT, dtype=np.int64) % 3


def write_fast_dit(to: pathlib.Path) -> None:
    for kind in ("features", "labels"):
        (to / f"imagenet256_{kind}").mkdir(parents=True)
    for i in range(COUNT):
        np.save(to / f"imagenet256_features/{i:02}.npy", latents()[i : i + 1])
        np.save(to / f"imagenet256_labels/{i:02}.npy", labels()[i : i + 1])


def mean_and_std(i: int) -> tuple[str, np.ndarray]:
    name = f"{i // 1000:05}/img-mean-std-{i:08}.npy"
    return name, np.concatenate([latents()[i], np.full(SHAPE, 0.5, np.float32)])


def write_edm2(to: pathlib.Path) -> None:
    listed = json.dumps({"labels": [[mean_and_std(i)[0], int(labels()[i])] for i in range(COUNT)]})
    for i in range(COUNT):
        name, array = mean_and_std(i)
        (to / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(to / "plain" / name, array)
    (to / "plain/dataset.json").write_text(listed)
    for kind in ("STORED", "DEFLATED"):
        with zipfile.ZipFile(to / f"{kind}.zip", "w", getattr(zipfile, "ZIP_" + kind)) as archive:
            for i in range(COUNT):
                name, array = mean_and_std(i)
                with archive.open(name, "w") as file:
                    np.save(file, array)
            archive.writestr("dataset.json", listed)


def write_shards(to: pathlib.Path, dtype: torch.dtype) -> None:
    to.mkdir()
    every, classes = torch.from_numpy(latents()), torch.from_numpy(labels())
    for shard, part in enumerate((slice(0, 5), slice(5, COUNT))):
        tensors = {
            "latents": every[part].to(dtype),
            "latents_flip": every[part].flip(3).to(dtype).contiguous(),
            "labels": classes[part].clone(),
        }
        save_file(tensors, str(to / f"latents_rank00_shard{shard:03}.safetensors"))
    statistics = {
        "mean": torch.arange(4.0).view(1, 4, 1, 1),
        "std": torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 4, 1, 1),
    }
    torch.save(statistics, to / "latents_stats.pt")


def write_arrays(to: pathlib.Path) -> None:
    to.mkdir()
    np.savez(to / "stored.npz", latents=latents(), labels=labels())
    np.savez_compressed(to / "deflated.npz", latents=latents(), labels=labels().astype(np.int32))
    np.savez(to / "positional.npz", latents().astype(np.float16), labels())
    (to / "npy").mkdir()
    np.save(to / "npy/latents.npy", latents())
    np.save(to / "npy/labels.npy", labels())


def write_bad(to: pathlib.Path) -> None:
    to.mkdir()
    for name, array in (
        ("fortran", np.asfortranarray(latents())),
        ("big_endian", latents().astype(">f4")),
        ("not_finite", np.where(latents() > 14, np.nan, latents())),
        ("double", latents().astype(np.float64)),
    ):
        (to / name).mkdir()
        np.save(to / name / "latents.npy", array)
        np.save(to / name / "labels.npy", labels())
    (to / "cut").mkdir()
    np.save(to / "cut/labels.npy", labels())
    complete = pathlib.Path(to / "double/latents.npy").read_bytes()
    (to / "cut/latents.npy").write_bytes(complete[:-100])
    (to / "no_labels").mkdir()
    np.save(to / "no_labels/latents.npy", latents())
    np.savez(to / "no_labels.npz", latents=latents())
    (to / "shards_without_labels").mkdir()
    save_file({"latents": torch.from_numpy(latents())}, str(to / "shards_without_labels/a.safetensors"))
    with zipfile.ZipFile(to / "unlabeled.zip", "w") as archive:
        for i in range(2):
            name, array = mean_and_std(i)
            with archive.open(name, "w") as file:
                np.save(file, array)
        archive.writestr("dataset.json", json.dumps({"labels": [[mean_and_std(0)[0], 1]]}))
    with zipfile.ZipFile(to / "null.zip", "w") as archive:
        archive.writestr("dataset.json", json.dumps({"labels": None}))


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[1])
    write_fast_dit(directory / "fast_dit")
    write_edm2(directory / "edm2")
    write_shards(directory / "shards", torch.float32)
    write_shards(directory / "shards_bf16", torch.bfloat16)
    write_arrays(directory / "arrays")
    write_bad(directory / "bad")
