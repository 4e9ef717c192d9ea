"""Writes golden/vae/vae.safetensors: what diffusers' AutoencoderKL and AutoencoderTiny compute.

    python tests/golden/make_vae_golden.py   # torch 2.11, numpy, safetensors, diffusers 0.42.1

Weights and inputs are rebuilt from their names, see tests/support/fill.h; networks in float64. The
configurations are in the file's metadata.
"""

import json
import os

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from safetensors.torch import save_file

from fill import uniform_signed


def filled(name, shape):
    """As in fill.h."""
    v = uniform_signed(name, shape)
    if name.startswith("input"):
        v = np.sqrt(3) * v
    elif len(shape) == 1:
        v = 1 + 0.1 * v if "norm" in name and name.endswith(".weight") else 0.1 * v
    else:
        v = np.sqrt(3 * shape[0] / v.size) * v
    return torch.from_numpy(v).float().double().reshape(shape)


def fill(model):
    state = {name: filled(name, tuple(t.shape)) for name, t in model.state_dict().items()}
    model.double().load_state_dict(state)
    return model.eval()


KL = {
    "usual": dict(block_out_channels=[32, 64], layers_per_block=1, norm_num_groups=8, sample_size=16),
    "three": dict(block_out_channels=[16, 32, 32], layers_per_block=2, norm_num_groups=4,
                  latent_channels=8, use_quant_conv=False, use_post_quant_conv=False,
                  mid_block_add_attention=False, scaling_factor=0.5, shift_factor=0.1),
}
TINY = dict(decoder_block_out_channels=[16, 16, 16], num_decoder_blocks=[2, 1, 1],
            encoder_block_out_channels=[16, 16, 16], num_encoder_blocks=[1, 1, 1])
SIZES = [(2, 32, 24), (1, 35, 29)]  # batch, height, width

out = {}
with torch.no_grad():
    for name, config in KL.items():
        blocks = len(config["block_out_channels"])
        vae = fill(AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * blocks,
                                 up_block_types=["UpDecoderBlock2D"] * blocks, **config))
        for batch, height, width in SIZES:
            key = f"{name}.{height}x{width}"
            posterior = vae.encode(filled(f"input.image.{key}", (batch, 3, height, width))).latent_dist
            out[key + ".mean"], out[key + ".logvar"] = posterior.mean, posterior.logvar
            z = filled(f"input.z.{key}", (batch, vae.config.latent_channels, height // 4, width // 5))
            out[key + ".decoded"] = vae.decode(z).sample
        if name == "usual":
            vae.enable_tiling()
            image = filled("input.tiled.image", (1, 3, 40, 22))
            out["tiled.mean"] = vae.encode(image).latent_dist.mean
            out["tiled.decoded"] = vae.decode(filled("input.tiled.z", (1, 4, 20, 11))).sample
    tiny = fill(AutoencoderTiny(**TINY))
    out["tiny.decoded"] = tiny.decode(filled("input.tiny", (2, 4, 7, 5))).sample

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vae")
os.makedirs(here, exist_ok=True)
about = {"kl": KL, "tiny": TINY, "sizes": SIZES}
save_file({k: v.float().contiguous() for k, v in out.items()}, os.path.join(here, "vae.safetensors"),
          {"about": json.dumps(about)})
for name, t in out.items():
    print(name, tuple(t.shape), float(t.std()))
