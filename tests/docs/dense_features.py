"""Segments scenes of clothes by a linear head on token grids, the use of docs/features.md.

    dense_features.py BUILD

Trains a small classifier on single garments of Fashion-MNIST, places held-out garments on scenes of 84 x 112 pixels,
and fits a linear map from the token grids of `wf_infer --blocks` to the class of the pixels below each token: ten
garments and the background. For comparison the same head on the pixels of each patch and its eight neighbors, and on
the grids of an untrained model. Exit code 77: skipped.
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FASHION_MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")
PATCH, GARMENT, CELLS = 4, 28, (3, 4)
BACKGROUND = 10
TRAINING_SCENES, TEST_SCENES = 400, 100


def read_garments(directory):
    """[(class, image [28, 28] in 0 … 1)] of a set that wf_prepare wrote."""
    import numpy as np
    from PIL import Image

    garments = []
    for label, place in enumerate(sorted(directory.iterdir())):
        for file in sorted(place.iterdir()):
            garments.append((label, np.asarray(Image.open(file), np.float32) / 255))
    return garments


def make_scenes(garments, count, rng):
    """images [count, H, W] in 0 … 1 and the class of each patch [count, H/4, W/4]; five garments in each scene."""
    import numpy as np

    height, width = CELLS[0] * GARMENT, CELLS[1] * GARMENT
    images = np.zeros((count, height, width), np.float32)
    classes = np.full((count, height, width), BACKGROUND)
    for n in range(count):
        for cell in rng.choice(CELLS[0] * CELLS[1], 5, replace=False):
            label, image = garments[rng.integers(len(garments))]
            top, left = GARMENT * (cell // CELLS[1]), GARMENT * (cell % CELLS[1])
            images[n, top:top + GARMENT, left:left + GARMENT] = image
            classes[n, top:top + GARMENT, left:left + GARMENT][image > 0.1] = label
    # A patch belongs to a garment if half of its pixels do; garments do not share a patch.
    patches = classes.reshape(count, height // PATCH, PATCH, width // PATCH, PATCH).swapaxes(2, 3).reshape(
        count, height // PATCH, width // PATCH, -1)
    covered = (patches != BACKGROUND).mean(3) >= 0.5
    return images, np.where(covered, patches.min(3), BACKGROUND)


def pixels_of(images):
    """[count, H/4, W/4, 144]: the pixels of each patch and of its neighbors."""
    import numpy as np

    padded = np.pad(images, ((0, 0), (PATCH, PATCH), (PATCH, PATCH)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3 * PATCH, 3 * PATCH), axis=(1, 2))
    return windows[:, ::PATCH, ::PATCH].reshape(*windows[:, ::PATCH, ::PATCH].shape[:3], -1)


def grids_of(build, weights, images, work):
    """[count, H/4, W/4, blocks * channels]: the token grids of all four blocks."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    save_file({"x": np.ascontiguousarray((images[:, None] - mean) / std)}, work / "x.safetensors")
    run(build / "bin/wf_infer", weights, "--input", work / "x.safetensors", "--output", work / "y.safetensors",
        "--blocks", *range(4))
    grids = load_file(work / "y.safetensors")
    return np.concatenate([grids[f"block_{i}"] for i in range(4)], axis=3)


def fit_head(features, classes):
    """The linear map to one-hot classes with the least squares, slightly damped."""
    import numpy as np

    x = with_bias(features)
    gram = x.T @ x + 1e-3 * len(x) * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ np.eye(BACKGROUND + 1)[classes.reshape(-1)])


def with_bias(features):
    import numpy as np

    x = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def score(head, features, classes):
    """Mean over the classes of intersection ÷ union, and the share of garment patches with the right class."""
    import numpy as np

    found, wanted = (with_bias(features) @ head).argmax(1), classes.reshape(-1)
    overlap = [((found == k) & (wanted == k)).sum() / ((found == k) | (wanted == k)).sum() for k in range(BACKGROUND + 1)]
    garment = wanted != BACKGROUND
    return np.mean(overlap), (found == wanted)[garment].mean()


def run(*command):
    end = subprocess.run([str(word) for word in command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if end.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{end.stdout[-2000:]}")


def train(build, data, work, tag, *opts):
    run(build / "bin/wf_train", "--cfg", "cfg/demo/fashion_mnist_long.yaml", "--data-path", data, "--output", work,
        "--tag", tag, "--opts", "TRAIN.WARMUP_EPOCHS", 0, *opts)
    return work / "wfm_nano" / tag / "max_acc.pth"


def segment(build, work):
    """{features: (mean IoU, accuracy)} on the test scenes."""
    import numpy as np

    data = work / "data"
    run(build / "bin/wf_prepare", "--output", data, "--train", 20000, "--val", 2000)
    weights = {"untrained model": train(build, data, work, "untrained", "TRAIN.STEPS", 1, "TRAIN.BASE_LR", 0,
                                        "TRAIN.WARMUP_LR", 0, "TRAIN.MIN_LR", 0),
               "trained model": train(build, data, work, "trained", "TRAIN.EPOCHS", 3)}
    rng = np.random.default_rng(0)
    training, training_classes = make_scenes(read_garments(data / "train"), TRAINING_SCENES, rng)
    test, test_classes = make_scenes(read_garments(data / "val"), TEST_SCENES, rng)
    features = {"pixels of 3 × 3 patches": pixels_of}
    for name, file in weights.items():
        features[f"token grids, {name}"] = lambda images, file=file: grids_of(build, file, images, work)
    return {name: score(fit_head(compute(training), training_classes), compute(test), test_classes)
            for name, compute in features.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not FASHION_MNIST.exists():
        print(f"skipped: no {FASHION_MNIST} (Debian's dataset-fashion-mnist)")
        return 77
    try:
        import numpy, PIL, safetensors  # noqa: F401
    except ImportError as problem:
        print(f"skipped: this Python has no {problem.name}")
        return 77
    with tempfile.TemporaryDirectory(prefix="wf_features_") as work:
        results = segment(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(work))
    print("| features | mean IoU | garment patches |\n|---|---|---|")
    for name, (overlap, accuracy) in results.items():
        print(f"| {name} | {overlap:.3f} | {100 * accuracy:.1f} % |")
    pixels, untrained, trained = (overlap for overlap, _ in results.values())
    if not (trained > untrained + 0.05 and trained > pixels + 0.1):
        print("the grids of the trained model are not clearly better than the others")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
