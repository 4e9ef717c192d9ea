"""Writes golden/inception/: what pytorch-fid and torch-fidelity compute with weights from a formula.

    python tests/golden/make_inception_golden.py
    # torch 2.11, torchvision 0.26, numpy, scipy, safetensors, pytorch-fid 0.3.0, torch-fidelity 0.4.0

Weights and images are rebuilt from their names, see tests/support/inception_weights.h, so that no
weights are needed and the file holds results only.
"""

import json
import os
import tempfile

import numpy as np
import pytorch_fid.inception
import torch
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from PIL import Image
from pytorch_fid.fid_score import calculate_fid_given_paths
from torch_fidelity import calculate_metrics

from fill import uniform_signed

SIZES = [(64, 64), (299, 299), (310, 256)]


def weight(name, shape):
    v = uniform_signed(name, shape)
    if name.endswith("running_var"):
        v = 1 + 0.2 * v
    elif len(shape) == 1:
        v = 1 + 0.1 * v if name.endswith("bn.weight") else 0.1 * v
    else:  # variance 2 / fan_in, for ReLU
        v = np.sqrt(6 * shape[0] / v.size) * v
    return torch.from_numpy(v).float()


def image(height, width):
    v = uniform_signed(f"image.{height}x{width}", (1, 3, height, width))
    return torch.from_numpy(np.floor((v + 1) * 128).astype(np.uint8))


pytorch_fid.inception.load_state_dict_from_url = lambda *a, **k: None
torch.nn.Module.load_state_dict, load = lambda *a, **k: None, torch.nn.Module.load_state_dict
layout = pytorch_fid.inception.fid_inception_v3().state_dict()
torch.nn.Module.load_state_dict = load
names = [name for name in layout if not name.endswith("num_batches_tracked")]
weights = {name: weight(name, tuple(layout[name].shape)) for name in names}
pytorch_fid.inception.load_state_dict_from_url = lambda *a, **k: weights | {
    name: t for name, t in layout.items() if name not in weights}

out = {}
with tempfile.TemporaryDirectory() as directory, torch.no_grad():
    path = os.path.join(directory, "weights.pth")
    torch.save(weights, path)
    fidelity = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"],
                                           feature_extractor_weights_path=path)
    spatial = []
    fidelity.Mixed_6d.branch1x1.register_forward_hook(lambda m, i, o: spatial.append(o.clone()))
    reference = pytorch_fid.inception.InceptionV3([3]).eval()
    for height, width in SIZES:
        x, key = image(height, width), f"{height}x{width}"
        out[f"tensorflow.{key}.pooled"], out[f"tensorflow.{key}.logits"] = fidelity(x)
        out[f"tensorflow.{key}.spatial"] = spatial.pop()[:, :7].permute(0, 2, 3, 1).reshape(1, -1).contiguous()
        out[f"pytorch.{key}.pooled"] = reference(x.float() / 255)[0][:, :, 0, 0].contiguous()

    # Whole programs on image files: 12 samples and 10 references: most of the same kind, the last
    # samples dark, the last references bright.
    for side, count, (height, width) in (("a", 12, (48, 48)), ("b", 10, (40, 64))):
        os.mkdir(os.path.join(directory, side))
        for i in range(count):
            v = uniform_signed(f"{side}.{i}", (height, width, 3))
            shift = 0 if i < count - 4 else -0.7 if side == "a" else 0.7
            v = v * (1 - i / 16 if shift == 0 else 0.2) + shift
            pixels = np.floor((v + 1) * 128).astype(np.uint8)
            Image.fromarray(pixels).save(os.path.join(directory, side, f"{i:02}.png"))
    paths = [os.path.join(directory, side) for side in "ab"]
    figures = {"pytorch": {"fid": float(calculate_fid_given_paths(paths, 5, "cpu", 2048, 0))}}
    found = calculate_metrics(input1=paths[0], input2=paths[1], cuda=False, cache=False, verbose=False,
                              feature_extractor="inception-v3-compat",
                              feature_extractor_weights_path=path, fid=True, isc=True, isc_splits=1,
                              prc=True)
    figures["tensorflow"] = {
        "fid": found["frechet_inception_distance"], "inception_score": found["inception_score_mean"],
        "precision": found["precision"], "recall": found["recall"]}

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inception")
os.makedirs(here, exist_ok=True)
about = {"sizes": SIZES, "shapes": {name: list(weights[name].shape) for name in names}}
save_file(out, os.path.join(here, "features.safetensors"), {"about": json.dumps(about)})
with open(os.path.join(here, "figures.json"), "w") as file:
    json.dump(figures, file, indent=1)
    file.write("\n")
for name, t in out.items():
    print(name, tuple(t.shape), float(t.std()))
