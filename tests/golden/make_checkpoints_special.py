"""Writes checkpoints_special/: files of torch.save with a tensor that has no plain bytes, and the
format before zip archives in later protocols of pickle.

    .venv/bin/python tests/golden/make_checkpoints_special.py
"""

import pathlib

import torch

directory = pathlib.Path(__file__).parent / "checkpoints_special"
values = torch.tensor([[1.0, 0.0], [0.0, -2.0]])
special = {
    "negative.pth": torch._neg_view(values),
    "quantized.pth": torch.quantize_per_tensor(values, 0.1, 0, torch.qint8),
    "sparse.pth": values.to_sparse(),
}
directory.mkdir(exist_ok=True)
for name, tensor in special.items():
    torch.save({"plain": values, "special": tensor}, directory / name)
for protocol in (3, 4, 5):
    torch.save(
        {"plain": values},
        directory / f"legacy_protocol_{protocol}.pth",
        _use_new_zipfile_serialization=False,
        pickle_protocol=protocol,
    )
