"""Writes golden/diffusion/schedulers.safetensors: what diffusers' schedulers compute.

    python tests/golden/make_diffusion_golden.py   # torch 2.11, numpy, safetensors, diffusers 0.42.1

The denoiser is a toy, so that no weights are needed: epsilon(x, t) = 0.3 x + 0.001 t (and
0.1 tanh(x) for the variance) on the original step t; the velocity of a flow is 0.3 x + t / 1000 with
t from 0 to 1000. Inputs are rebuilt from their names, see tests/support/fill.h.
"""

import json
import os
import zlib

import diffusers
import numpy as np
import torch
from safetensors.torch import save_file

from fill import uniform_signed

SHAPE = (4, 4, 8, 8)
out = {}


def filled(name, shape=SHAPE):
    """fill.h's tensors for inputs, sqrt(3) v."""
    v = uniform_signed(name, shape)
    return torch.from_numpy(np.sqrt(3) * v).float()


def epsilon(x, t):
    return 0.3 * x + 0.001 * float(t)


x_T, x0, noise = filled("input.x0"), 0.5 * filled("input.x0"), filled("input.noise")

for steps in (10, 14, 20):
    s = diffusers.DPMSolverMultistepScheduler(
        beta_start=1e-4, beta_end=0.02, beta_schedule="linear", solver_order=2, variance_type=None)
    s.set_timesteps(steps)
    x = x_T.clone()
    for t in s.timesteps:
        x = s.step(epsilon(x, t), t, x).prev_sample
    out[f"dpmpp_2m.{steps}"] = x
    out[f"dpmpp_2m.{steps}.timesteps"] = s.timesteps.clone()

s = diffusers.DDIMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False,
                            set_alpha_to_one=True, steps_offset=0, timestep_spacing="leading")
s.set_timesteps(50)
x = x_T.clone()
for t in s.timesteps:
    x = s.step(epsilon(x, t), t, x).prev_sample
out["ddim.50"] = x

for prediction, name in (("v_prediction", "v"), ("sample", "x0")):
    s = diffusers.DDIMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False,
                                set_alpha_to_one=True, steps_offset=0, timestep_spacing="leading",
                                prediction_type=prediction)
    s.set_timesteps(50)
    x = x_T.clone()
    for t in s.timesteps:
        x = s.step(epsilon(x, t), t, x).prev_sample
    out[f"ddim.50.{name}"] = x

s = diffusers.DDPMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
t = torch.tensor([0, 1, 500, 999])
out["velocity"] = s.get_velocity(x0, noise, t)
snr = diffusers.training_utils.compute_snr(s, t)
clipped = snr.clamp(max=5)
out["min_snr.epsilon"], out["min_snr.v"], out["min_snr.x0"] = clipped / snr, clipped / (snr + 1), clipped

s = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2")
out["cosine.betas"] = s.betas.clone()

for shift in (1.0, 0.3, 3.0):
    s = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    s.set_timesteps(sigmas=np.linspace(1, 1 / 10, 10))
    x = x_T.clone()
    for t in s.timesteps:
        x = s.step(epsilon(x, t), t, x).prev_sample
    out[f"euler.10.shift{shift:g}"] = x

digest = 0
for n in range(2, 1001):  # DiT's space_timesteps(1000, str(n)): added up, rounded half to even
    at, kept, stride = 0.0, [], 999 / (n - 1)
    for _ in range(n):
        kept.append(round(at))
        at += stride
    digest = zlib.crc32(np.array(kept, dtype="<i8").tobytes(), digest)

about = {"what": __doc__.strip(), "diffusers": diffusers.__version__, "spaced_steps": digest}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "diffusion", "schedulers.safetensors")
save_file({k: v.contiguous() for k, v in out.items()}, path, metadata={"about": json.dumps(about)})
print(path, about)
