"""Kernels, bytes and operations of a block in the original's order of operations, as a GPU would run it.

Nothing is computed: eager PyTorch is counted on tensors without data, torch.compile by the bytes that its own
scheduler (Inductor, in the form for CPUs) gives to the kernels that it fuses. Prints the lines of wf_bench
--traffic --device meta for the other two columns of docs/performance.md:

    .venv/bin/python tests/bench/traffic_torch.py --model wfm_s --batch 256
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch._functorch.aot_autograd import aot_function, make_boxed_func
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import flop_registry

sys.path.insert(0, str(Path(__file__).parent))
import weightformer  # noqa: E402

# Assumed of an H100, as in tools/bench_kernels.cpp: bytes per second, operations per second, shortest kernel.
COPY, NORM, NORM_BACKWARD, SUM = 2.75e12, 2.4e12, 2.0e12, 2.3e12
SHORT, WIDE, KERNEL = 600e12, 25e12, 2.2e-6

SHORT_FUNCTIONS = {"linear", "conv2d", "matmul", "__matmul__"}
WIDE_FUNCTIONS = {"layer_norm"}
VIEWS = set(
    "view _unsafe_view t transpose permute expand unsqueeze squeeze slice select split split_with_sizes detach alias "
    "unbind empty empty_like new_empty empty_strided new_empty_strided as_strided _reshape_alias".split()
)


class Autocast(TorchFunctionMode):
    """The casts of CUDA's autocast to bfloat16; those of a weight are done once."""

    def __init__(self):
        super().__init__()
        self.weights = {}

    def cast(self, t, dtype):
        if not isinstance(t, torch.Tensor) or not t.is_floating_point() or t.dtype == dtype:
            return t
        if not isinstance(t, torch.nn.Parameter):
            return t.to(dtype)
        if id(t) not in self.weights:
            self.weights[id(t)] = t.to(dtype)
        return self.weights[id(t)]

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        dtype = torch.bfloat16 if name in SHORT_FUNCTIONS else torch.float32 if name in WIDE_FUNCTIONS else None
        if dtype is not None:
            args = [self.cast(t, dtype) if name in SHORT_FUNCTIONS or i == 0 else t for i, t in enumerate(args)]
        if name == "norm":  # which reads short numbers and adds up in float32
            kwargs = {**(kwargs or {}), "dtype": torch.float32}
        return func(*args, **(kwargs or {}))


def size_in_memory(t):
    """What an expanded tensor repeats is in memory once."""
    count = t.element_size()
    for size, stride in zip(t.shape, t.stride()):
        count *= size if stride else 1
    return count


class Count(TorchDispatchMode):
    """Adds up what the operators would do."""

    def __init__(self):
        super().__init__()
        self.kernels, self.bytes, self.flop, self.seconds = 0, 0, 0, 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.split("::")[1]
        if name not in VIEWS:
            self.add(name, func, args, kwargs, out)
        return out

    def add(self, name, func, args, kwargs, out):
        inputs = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        outputs = [t for t in tree_flatten(out)[0] if isinstance(t, torch.Tensor)]
        moved, kernels, flop = sum(map(size_in_memory, inputs + outputs)), 1, 0
        if name.rstrip("_") in ("fill", "zero", "zeros", "zeros_like", "ones", "full", "bernoulli", "new_zeros"):
            moved = sum(map(size_in_memory, outputs))
        if func._overloadpacket in flop_registry:
            flop = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
        if name == "native_layer_norm_backward":
            grad, x = size_in_memory(args[0]), size_in_memory(args[1])
            affine = args[5] is not None
            moved, kernels = 2 * grad + x + (grad + x) * affine, 2 + affine
        if name == "convolution_backward":
            grad, x, weight = map(size_in_memory, args[:3])
            mask = args[-1]
            moved = (grad + x + weight) * (mask[0] + mask[1]) + grad * mask[2]
            kernels, flop = sum(mask) + 1, 0  # depthwise, or small
        wide = any(t.dtype == torch.float32 for t in inputs)
        bandwidth = {"native_layer_norm": NORM, "native_layer_norm_backward": NORM_BACKWARD}.get(name, COPY)
        if name in ("sum", "mean", "linalg_vector_norm"):
            bandwidth = SUM
        self.kernels += kernels
        self.bytes += moved
        self.flop += flop
        self.seconds += max(moved / bandwidth, flop / (WIDE if wide else SHORT), kernels * KERNEL)

    def minus(self, other):
        return {
            "kernels": self.kernels - other.kernels,
            "gb": round((self.bytes - other.bytes) / 1e9, 3),
            "gflop": round((self.flop - other.flop) / 1e9, 1),
            "h100_ms": round((self.seconds - other.seconds) * 1e3, 3),
        }


def facts(model):
    """The class of its blocks, their width and the grid of tokens in training."""
    network = weightformer.create(model)
    if model.startswith("wfm"):
        side = weightformer.image_size(model) // network.patch_embed.proj.kernel_size[0]
    else:
        side = int(network.pos_embed.shape[1] ** 0.5)
    return type(network.blocks[0]), network.blocks[0].linear2.out_features, (side, side)


def run_blocks(blocks, x, condition, grid):
    for block in blocks:
        x = block(x, grid) if isinstance(block, weightformer.Block) else block(x, condition, grid)
    return x


def eager(block, dim, grid, batch, layers):
    blocks = [block(dim, layer).to("meta").train() for layer in layers]
    x = torch.empty(batch, grid[0] * grid[1], dim, device="meta", requires_grad=True)
    condition = torch.empty(batch, dim, device="meta", requires_grad=True)
    forward, backward = Count(), Count()
    with forward, Autocast():
        y = run_blocks(blocks, x, condition, grid)
    with backward:
        y.backward(torch.empty_like(y))
    return forward, backward


class Fused:
    """The kernels and bytes that Inductor plans for a graph."""

    kernels = bytes = flop = seconds = 0

    def __init__(self, graph_module, inputs):
        from torch._inductor.compile_fx import _recursive_post_grad_passes, fake_tensor_prop
        from torch._inductor.debug import DebugContext
        from torch._inductor.graph import GraphLowering
        from torch._inductor.virtualized import V

        mode = fake_tensor_prop(graph_module, inputs)
        with V.set_fake_mode(mode):
            _recursive_post_grad_passes(graph_module, False)
        graph = GraphLowering(graph_module, shape_env=None, is_inference=False)
        with V.set_debug_handler(DebugContext()), V.set_fake_mode(mode), V.set_graph_handler(graph):
            with V.set_real_inputs(inputs):
                graph.run(*inputs)
                graph._update_scheduler()
                _, nodes, _ = graph.count_bytes()
        for node, elements in nodes:
            if type(node).__name__ == "NopKernelSchedulerNode":
                continue
            self.kernels += 1
            self.bytes += 4 * elements  # count_bytes() returns bytes / 4
            self.seconds += max(4 * elements / COPY, KERNEL)

    minus = Count.minus


def compiled(block, dim, grid, batch, layers):
    from torch._inductor.decomposition import select_decomp_table

    found = []

    def plan(graph_module, inputs):
        found.append(Fused(graph_module, inputs))
        return make_boxed_func(graph_module.forward)

    def partition(*args, **kwargs):
        kept = {k: v for k, v in kwargs.items() if k in ("num_fwd_outputs", "static_lifetime_input_indices")}
        return min_cut_rematerialization_partition(*args, compiler="inductor", **kept)

    with FakeTensorMode(allow_non_fake_inputs=True):
        blocks = [block(dim, layer).train() for layer in layers]
        x = torch.empty(batch, grid[0] * grid[1], dim, requires_grad=True)
        condition = torch.empty(batch, dim, requires_grad=True)
        names = [[name for name, _ in one.named_parameters()] for one in blocks]

        def call(x, condition, *parameters):
            rest = iter(parameters)
            with Autocast():
                for one, own in zip(blocks, names):
                    values = {name: next(rest) for name in own}
                    inputs = (x, grid) if block is weightformer.Block else (x, condition, grid)
                    x = torch.func.functional_call(one, values, inputs)
            return x

        parameters = [p for one in blocks for p in one.parameters()]
        function = aot_function(
            call, plan, plan, partition_fn=partition, decompositions=select_decomp_table()
        )
        y = function(x, condition, *parameters)
        y.backward(torch.empty_like(y))
    return found[0], found[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="wfm_s")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--who", default="eager,compile")
    args = parser.parse_args()
    torch.set_num_threads(1)
    shape = facts(args.model)
    for who in args.who.split(","):
        count = eager if who == "eager" else compiled
        # A block by the difference that it makes behind two others.
        base = count(*shape, args.batch, [0, 2])
        for part, layers in (("static block", [0, 2, 3]), ("dynamic block", [0, 1, 2])):
            forward, backward = count(*shape, args.batch, layers)
            line = {"predicted": True, "who": who, "model": args.model, "batch": args.batch, "part": part}
            line |= {"forward": forward.minus(base[0]), "backward": backward.minus(base[1])}
            if who == "compile":  # the plan has no operations, and products as kernels among others
                for side in ("forward", "backward"):
                    del line[side]["gflop"], line[side]["h100_ms"]
            print(json.dumps(line))


if __name__ == "__main__":
    main()
