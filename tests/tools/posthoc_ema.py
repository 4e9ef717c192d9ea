"""Checks a file of wf_ema against an independent solution in NumPy.

    posthoc_ema.py RUN STD FILE

Here the profile of every snapshot is a vector with the weight of each training step, and the shares
of the snapshots are the least-squares solution for these vectors: no integrals, no Gram matrix.
Prints the largest difference of a tensor, relative to its largest number.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file


def exponent(std: float) -> float:
    """Of the power function t^g on [0, 1] with this standard deviation: a root of a cubic."""
    roots = np.roots([1, 7, 16 - std**-2, 12 - std**-2])
    return float(np.max(roots[np.isreal(roots)].real))


def profile(std: float, step: int, steps: int) -> np.ndarray:
    g = exponent(std) + 1
    out = np.zeros(steps)
    t = np.arange(1, step + 1) / step
    out[:step] = t**g - (t - 1 / step) ** g
    return out


def main(run: str, std: str, made: str) -> None:
    files = sorted(pathlib.Path(run, "ema").glob("step_*_std_*.safetensors"))
    snapshots = [(int(f.stem.split("_")[1]), float(f.stem.split("_")[3])) for f in files]
    steps = max(step for step, _ in snapshots)
    columns = np.stack([profile(width, step, steps) for step, width in snapshots], axis=1)
    shares = np.linalg.lstsq(columns, profile(float(std), steps, steps), rcond=1e-9)[0]
    contents = [load_file(f) for f in files]
    worst = 0.0
    for name, tensor in load_file(made).items():
        expected = sum(w * c[name].astype(np.float64) for w, c in zip(shares, contents))
        worst = max(worst, np.abs(tensor - expected).max() / (np.abs(expected).max() + 1e-12))
    print(worst)


if __name__ == "__main__":
    main(*sys.argv[1:])
