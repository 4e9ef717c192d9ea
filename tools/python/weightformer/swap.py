"""accelerate(model): recognizes, tries and swaps, and reports what it did."""

import dataclasses

import torch

from . import layers, structure, trial
from .classes import MODES, accelerated_class, original_class

__all__ = ["Report", "accelerate"]


@dataclasses.dataclass
class Report:
    """What accelerate() has changed: {name: kind}, and what it has left: {name: reason}."""

    model: str
    accelerated: dict = dataclasses.field(default_factory=dict)
    skipped: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        kinds = list(self.accelerated.values())
        counts = [f"{kinds.count(kind)} x {kind}" for kind in structure.PROBLEMS if kind in kinds]
        lines = [f"{self.model}: accelerated {', '.join(counts)}"]
        lines += [f"  left as it is: {name or 'the model'}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def accelerate(model, *, linear="auto", verify=True):
    """Lets the WeightFormer layers and blocks of `model` compute with the operators; returns a Report.

    model: a module of the published code, or any module that contains such layers. linear: the mode of the dynamic
    linear layers, as of wf::dynamic_linear. verify: try one module of each kind and size against its own forward
    function in float64, and leave it as it is if they differ (seconds); pass False for a model whose parameters are
    sharded. Accelerating twice changes nothing. ValueError: nothing in `model` can be accelerated.
    """
    if linear not in MODES:
        raise ValueError(f"weightformer.accelerate: linear is {linear!r}, expected {', '.join(MODES)}")
    report = Report(type(model).__name__)
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"weightformer.accelerate: expected a torch.nn.Module, got {report.model}")
    tried = {}
    # Children before parents: a block calls its accelerated layers with the grid.
    for name, module in reversed(list(model.named_modules())):
        kind, problem = structure.kind_and_problem(module)
        if kind is None:
            continue
        problem = problem or why_not(module, kind, verify, tried)
        if problem is None:
            module.__class__ = accelerated_class(original_class(module), kind, linear)
            report.accelerated[name] = kind
        else:
            report.skipped[name] = problem
    if not report.accelerated:
        found = "; ".join(f"{name}: {reason}" for name, reason in report.skipped.items())
        raise ValueError(
            f"weightformer.accelerate: {report.model} has no layer or block of WeightFormer as in the published wfm.py "
            f"and wfm_dit.py ({found or 'no module with w, b and wfm, or with linear1, dwc and linear2'})"
        )
    return report


def why_not(module, kind, verify, tried):
    """None if a recognized module can be accelerated, otherwise the reason."""
    if "forward" in module.__dict__:
        return "its forward is replaced on the instance"
    if kind in ("block", "dit_block") and structure.dynamic_linear_problem(module.linear1) is None:
        if layers.kind_of(module.linear1) is None:
            return "its linear1 is left as it is"
    if not verify or layers.kind_of(module):
        return None
    key = original_class(module), kind, tuple((name, tuple(p.shape)) for name, p in module.named_parameters())
    if kind == "classifier":
        key = key[:2]
    if key not in tried:
        tried[key] = trial.problem(module, kind)
    return tried[key]
