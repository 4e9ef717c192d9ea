"""The operators of WeightFormer for models in Python.

    import weightformer
    print(weightformer.accelerate(model))  # a model of the published wfm.py or wfm_dit.py, or one that contains its layers

Importing the package loads the operators torch.ops.wf.* (see library.py). docs/python.md is its page.
"""

from . import library

library.load()

from . import flops  # noqa: E402, F401, registers formulas for the operators, which are loaded now
from .classes import undo  # noqa: E402
from .models import WeightFormer_B, WeightFormer_S, WeightFormer_T  # noqa: E402
from .swap import Report, accelerate  # noqa: E402

keep_freed_memory = library.keep_freed_memory

__all__ = ["Report", "WeightFormer_B", "WeightFormer_S", "WeightFormer_T", "accelerate", "keep_freed_memory", "undo"]
