"""The classes of accelerated modules: made from the original class, to which undo() returns.

Only the class of a module changes. Parameters, buffers, hooks, the state dict and the optimizer that holds the
parameters stay as they are; the new class derives from the old one, so isinstance and inherited methods work.
"""

import functools

from . import layers

MODES = ("auto", "factored", "merged")


class Accelerated:
    """Base of the classes made here: original class, kind (structure.PROBLEMS) and mode of the linear layers."""

    weightformer_original = weightformer_kind = weightformer_mode = None

    def __reduce_ex__(self, protocol):
        # The class has no module to be found in, so pickles and copies make it again.
        _, _, *state = super().__reduce_ex__(protocol)
        return rebuild, (self.weightformer_original, self.weightformer_kind, self.weightformer_mode), *state


def linear_forward(self, x, grid=None):
    return layers.dynamic_linear(self, x, grid or layers.square_grid(x), self.weightformer_mode)


def conv_forward(self, image):
    height, width = image.shape[2:]
    y = layers.dynamic_conv(self, image.flatten(2).transpose(1, 2), (height, width))
    return y.transpose(1, 2).unflatten(2, (height, width))


METHODS = {
    "dynamic_linear": {"forward": linear_forward},
    "dynamic_conv": {"forward": conv_forward},
    "block": {"forward": layers.block},
    "dit_block": {"forward": layers.dit_block},
    "classifier": {"forward_features": layers.features},
}


@functools.lru_cache(maxsize=None)
def accelerated_class(original, kind, mode="auto"):
    members = {
        "weightformer_original": original, "weightformer_kind": kind, "weightformer_mode": mode,
        "__module__": original.__module__, "__doc__": original.__doc__, **METHODS[kind],
    }  # fmt: skip
    return type(f"Accelerated{original.__name__}", (Accelerated, original), members)


def rebuild(original, kind, mode):
    cls = accelerated_class(original, kind, mode)
    return cls.__new__(cls)


def original_class(module):
    return getattr(type(module), "weightformer_original", None) or type(module)


def undo(model):
    """Gives every accelerated module of `model` its own class back; returns their number."""
    changed = [module for module in model.modules() if isinstance(module, Accelerated)]
    for module in changed:
        module.__class__ = module.weightformer_original
    return len(changed)
