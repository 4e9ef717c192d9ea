"""The effective receptive field by torch.autograd and the plain PyTorch model, for wf_erf.

    erf_in_python.py WEIGHTS IMAGES OUT   (safetensors; IMAGES has x, OUT gets map)
"""

import sys

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, sys.path[0] + "/../bench")
from weightformer import create  # noqa: E402  (the plain model, not the package)


def tokens_of(model, x):
    x, grid = model.patch_embed(x)
    x = model.init_norm(x)
    for block in model.blocks:
        x = block(x, grid)
    return model.norm(x).unflatten(1, grid)


weights, images, out = sys.argv[1:]
model = create("wfm_nano").double().eval()
model.load_state_dict(load_file(weights))
total = 0
for image in load_file(images)["x"].double():
    image.requires_grad_()
    tokens = tokens_of(model, image[None])[0]
    rows, columns = (slice((n - 1) // 2, n // 2 + 1) for n in tokens.shape[:2])
    torch.relu(tokens[rows, columns]).mean((0, 1)).sum().backward()
    total = total + torch.relu(image.grad).mean(0)
save_file({"map": total / len(load_file(images)["x"])}, out)
