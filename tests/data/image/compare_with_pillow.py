"""Compares our decoder with Pillow on the images of image_corpus.py and on damaged copies of them.

usage: compare_with_pillow.py PROBE [--read N] [--seed S] [--keep DIRECTORY]

What both read must be the same pixels as Image.open(file).convert("RGB"). A valid image must be read,
or refused for the reason in REFUSED. A damaged one that only this decoder reads must have the pixels
of the undamaged one: what is damaged is no part of the image. Exits with 77 where Pillow is missing.
"""
import argparse
import collections
import itertools
import pathlib
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from PIL import Image, __version__ as pillow_version
except ImportError as missing:
    print(f"skipped: {missing}; tools/bootstrap.sh installs Pillow and NumPy")
    sys.exit(77)

import image_corpus

# Of 255, for damaged JPEG data. Valid files are equal bit by bit: both decoders are libjpeg-turbo with
# the accurate inverse transform. Its versions 2 and 3 smooth a progressive image that lost some of its
# scans in different ways.
DAMAGED_JPEG_TOLERANCE = 8

# Valid images that Pillow reads and this does not, with the reason that is to be given.
UNKNOWN = "not an image of a known format"
PLANES = "separate planes"
REFUSED = {
    "YCbCr_lzw.tif": "YCbCr that is subsampled, or compressed other than by JPEG",
    "LAB.tif": "CIE L*a*b* colours",
    "rgb_16_planes_raw_little.tif": PLANES,  # Pillow takes each byte for a sample
    "rgb_16_planes_raw_big.tif": PLANES,
    "rgb_8_extra_1_planes_deflate_little.tif": PLANES,
    "rgb_8_extra_1_planes_deflate_big.tif": PLANES,
    "animated.webp": "animated WebP",
    **{f"x.{ending}": UNKNOWN for ending in ("gif", "ico", "tga", "pcx", "pfm", "j2k")},
}

# Valid images that Pillow refuses, and those that have the same pixels.
SAME = {
    "rgb_8_extra_0_planes_raw_little.tif": "rgb_8_extra_0_pixels_raw_little.tif",
    "rgb_8_extra_0_planes_raw_big.tif": "rgb_8_extra_0_pixels_raw_big.tif",
}


def by_pillow(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB"))
        except Exception:  # Pillow raises many types for damaged files
            return None


def by_probe(probe, paths, directory):
    """The pixels of each file, or the message that refuses it."""
    (directory / "list").write_text("".join(f"{path}\n" for path in paths))
    subprocess.run([probe, directory / "list", directory / "sizes", directory / "pixels"], check=True)
    pixels = np.fromfile(directory / "pixels", np.uint8)
    at = 0
    for line in (directory / "sizes").read_text(errors="replace").splitlines():
        width, height, *message = line.split(" ", 2)
        size = int(width) * int(height) * 3
        if size == 0:
            yield message[0]
            continue
        yield pixels[at : at + size].reshape(int(height), int(width), 3)
        at += size


def difference(ours, pillow, tolerance):
    """None where they agree."""
    if ours.shape != pillow.shape:
        return f"{ours.shape[1]} x {ours.shape[0]}, by Pillow {pillow.shape[1]} x {pillow.shape[0]}"
    most = int(np.abs(ours.astype(int) - pillow).max())
    return f"differs by up to {most}" if most > tolerance else None


class Comparison:
    """Counts and problems of some files."""

    def __init__(self, probe, directory, damaged):
        self.probe, self.directory, self.damaged = probe, directory, damaged
        self.counts, self.wrong, self.notes = collections.Counter(), [], []

    def add(self, files, original):
        """files: (name, bytes); original(name): the pixels that a file should have if only we read it."""
        paths = []
        for name, data in files:
            paths.append(self.directory / name)
            paths[-1].write_bytes(data)
        for path, ours in zip(paths, by_probe(self.probe, paths, self.directory), strict=True):
            self.judge(path, ours, by_pillow(path), original)

    def judge(self, path, ours, pillow, original):
        refused = isinstance(ours, str)
        kind = f"{'refused' if refused else 'read'} here, {'refused' if pillow is None else 'read'} by Pillow"
        self.counts[kind] += 1
        if refused:
            self.judge_message(path, ours, pillow)
        elif pillow is None:
            problem = difference(ours, original(path.name), 0)
            if problem:
                self.wrong.append(f"{path.name}: refused by Pillow, read here, and {problem}")
            else:
                self.notes.append(f"{path.name}: refused by Pillow; here it has the right pixels")
        else:
            jpeg = self.damaged and "jp" in path.name
            problem = difference(ours, pillow, DAMAGED_JPEG_TOLERANCE if jpeg else 0)
            if problem:
                self.wrong.append(f"{path.name}: {problem}")

    def judge_message(self, path, message, pillow):
        reason = message.removeprefix(f"{path}: ")
        if reason == message or not 10 < len(reason) < 300:
            self.wrong.append(f"{path.name}: refused with {message!r}")
        if self.damaged or pillow is None:
            return
        expected = REFUSED.get(path.name)
        known = expected is not None and expected in reason
        (self.notes if known else self.wrong).append(f"{path.name}: refused: {reason}")

    def report(self, what):
        print(f"{what}: {sum(self.counts.values())} files")
        for kind, count in sorted(self.counts.items()):
            print(f"  {count:5d} {kind}")
        for line in self.notes:
            print(f"  note: {line}")
        for line in self.wrong:
            print(f"  wrong: {line}")


def read_by_both(comparison):
    return comparison.counts["read here, read by Pillow"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--read", type=int, default=1187, help="damaged images that both are to read")
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--keep", help="a directory for the files, to look at what failed")
    arguments = parser.parse_args()
    images = list(image_corpus.valid_images())
    print(f"Pillow {pillow_version}, NumPy {np.__version__}")
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(arguments.keep or temporary)
        directory.mkdir(exist_ok=True)
        valid = Comparison(arguments.probe, directory, damaged=False)
        valid.add(images, lambda name: by_pillow(directory / SAME[name]))
        valid.report("valid images")
        # Raw pixels have no checksum: for files that Pillow cannot read there is no reference.
        sources = [image for image in images if image[0] not in SAME]
        damaged = Comparison(arguments.probe, directory, damaged=True)
        mutants = image_corpus.mutants(sources, arguments.seed)
        while read_by_both(damaged) < arguments.read:
            damaged.add(itertools.islice(mutants, 200),
                        lambda name: by_pillow(directory / name.split("_", 1)[1]))
        damaged.report("damaged images")
    wrong = len(valid.wrong) + len(damaged.wrong)
    print(f"{wrong} wrong" if wrong else "passed")
    return 1 if wrong or read_by_both(valid) < 330 else 0


if __name__ == "__main__":
    sys.exit(main())
