"""Writes golden/metrics/metrics.json: what SciPy, pytorch-fid and torch-fidelity compute.

    python tests/golden/make_metrics_golden.py
    # torch 2.11, numpy, scipy 1.17 (pytorch-fid 0.3.0 does not run with later ones), torchvision 0.26,
    # pytorch-fid 0.3.0, torch-fidelity 0.4.0

Features are rebuilt in float64 from their names, see tests/support/fill.h: relu(u W + shift), with u
and W from the hashes of "NAME" and "NAME.mix".
"""

import json
import os

import numpy as np
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from fill import uniform_signed


def features(name, count, dim, shift):
    u = uniform_signed(name, count * dim).reshape(count, dim)
    mix = uniform_signed(name + ".mix", dim * dim).reshape(dim, dim)
    return np.maximum(u @ mix + shift, 0)


def roots_by_svd(a, b):
    """tr (S1 S2)^(1/2), exact however few rows there are: the singular values of B A^T."""
    center = lambda x: (x - x.mean(0)) / np.sqrt(len(x) - 1)
    return np.linalg.svd(center(a) @ center(b).T, compute_uv=False).sum()


def frechet(a, b):
    s, t = (fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b))
    difference = s["mu"] - t["mu"]
    traces = np.trace(s["sigma"]) + np.trace(t["sigma"])
    return {
        "scipy": float(calculate_frechet_distance(s["mu"], s["sigma"], t["mu"], t["sigma"])),
        "torch_fidelity": fid_statistics_to_metric(s, t, False)["frechet_inception_distance"],
        "exact": float(difference @ difference + traces - 2 * roots_by_svd(a, b)),
    }


out = {"frechet": {}, "kernel": {}, "precision_recall": {}, "inception_score": {}}
for name, (rows_a, rows_b, dim) in {
    "full_rank": (500, 400, 64), "one_deficient": (40, 500, 128), "both_deficient": (100, 120, 128),
}.items():
    a, b = features(name + ".a", rows_a, dim, 1.0), features(name + ".b", rows_b, dim, 1.3)
    out["frechet"][name] = {"rows": [rows_a, rows_b], "dim": dim, **frechet(a, b)}

a, b = features("manifold.a", 300, 16, 1.0), features("manifold.b", 250, 16, 1.1)
b[:40] = 0.98 * a[:40]  # near enough to some
ta, tb = torch.from_numpy(a), torch.from_numpy(b)
for k in (3, 5):
    r = prc_features_to_metric(ta, tb, prc_neighborhood=k, prc_batch_size=100, save_cpu_ram=False,
                               verbose=False)
    out["precision_recall"][str(k)] = [r["precision"], r["recall"]]

# One subset of everything: the order of the drawn rows does not matter.
r = kid_features_to_metric(ta[:250], tb, kid_subsets=1, kid_subset_size=250, rng_seed=1, verbose=False,
                           kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None,
                           kid_kernel_poly_coef0=1)
out["kernel"]["250"] = r["kernel_inception_distance_mean"]

logits = torch.from_numpy(5 * features("logits", 600, 20, 0.0))
for splits in (1, 3):
    r = isc_features_to_metric(logits, splits=splits, shuffle=False)
    out["inception_score"][str(600 // splits)] = [r["inception_score_mean"], r["inception_score_std"]]

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(os.path.join(here, "metrics"), exist_ok=True)
with open(os.path.join(here, "metrics", "metrics.json"), "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
