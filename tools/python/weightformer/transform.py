"""The transform of the published evaluation: resize to 256/224 of the size, crop the center, normalize."""

import dataclasses

import torch

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}  # as PIL.Image.Resampling
SMALL = 32  # no crop up to here


@dataclasses.dataclass(frozen=True)
class EvalTransform:
    """PIL image of any size and mode → float32 [3, size, size]."""

    size: int
    interpolation: str
    mean: tuple
    std: tuple

    def __call__(self, image):
        larger = int(256 / 224 * self.size) if self.size > SMALL else self.size
        # The aspect ratio is not kept: the published code resizes to a square.
        image = image.convert("RGB").resize((larger, larger), RESAMPLING[self.interpolation])
        margin = round((larger - self.size) / 2)
        image = image.crop((margin, margin, margin + self.size, margin + self.size))
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(self.size, self.size, 3)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (pixels.permute(2, 0, 1).float() / 255 - mean) / std
