"""weightformer.accelerate on models of the published structure: same numbers, same state, and back.

    python accelerate_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import copy
import io
import math
import os
import pickle
import tempfile
import unittest

import package
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import published
from published import MODELS

weightformer = package.weightformer


def pair(name, dtype=torch.float32, **options):
    """A model, its accelerated copy, and inputs of both."""
    torch.manual_seed(0)
    model, inputs = MODELS[name](**options)
    model = model.to(dtype)
    faster = copy.deepcopy(model)
    weightformer.accelerate(faster)
    return model, faster, [t.to(dtype) if t.is_floating_point() and t.dim() > 1 else t for t in inputs]


def loss_of(y):
    return (y * (torch.arange(y.numel()) % 7 - 2).view(y.shape) / 5.0).sum() + y.square().sum()


def gradients(model, inputs):
    y = model(*inputs)
    names, parameters = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad))
    return y, dict(zip(names, torch.autograd.grad(loss_of(y), parameters)))


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-30)).item()


class Parity(unittest.TestCase):
    def test_outputs_and_gradients_are_those_of_the_original(self):
        for name in MODELS:
            for dtype, output, gradient in ((torch.float32, 1e-5, 1e-4), (torch.float64, 1e-12, 1e-9)):
                model, faster, inputs = pair(name, dtype)
                y, grads = gradients(model, inputs)
                z, fast_grads = gradients(faster, inputs)
                self.assertLess(relative(z, y), output, f"{name} {dtype}")
                for key in grads:
                    self.assertLess(relative(fast_grads[key], grads[key]), gradient, f"{name} {dtype} {key}")

    def test_every_mode_of_the_linear_layers_is_right(self):
        for mode in ("factored", "merged"):
            model, faster, inputs = pair("classifier")
            weightformer.accelerate(faster, linear=mode)
            self.assertEqual(faster.blocks[1].linear1.weightformer_mode, mode)
            self.assertLess(relative(faster(*inputs), model(*inputs)), 1e-5)

    def test_layers_work_outside_blocks_and_with_any_grid(self):
        torch.manual_seed(0)
        linear, conv = published.DynLinear(12, 20), published.DynCnn(8)
        x, image = torch.randn(2, 25, 12), torch.randn(2, 8, 5, 9)
        want = linear(x), published.yardstick.DynLinear.forward(linear, x[:, :24], (4, 6)), conv(image)
        weightformer.accelerate(nn.ModuleList([linear, conv]))
        for got, expected in zip((linear(x), linear(x[:, :24], (4, 6)), conv(image)), want):
            self.assertLess(relative(got, expected), 1e-5)

    def test_a_published_classifier_takes_images_of_any_size(self):
        _, faster, _ = pair("classifier")
        same = published.yardstick.create("wfm_nano")
        same.load_state_dict(faster.state_dict())
        for height, width in ((64, 64), (40, 96), (104, 56)):
            images = torch.randn(2, 3, height, width)
            self.assertLess(relative(faster(images), same(images)), 1e-5, (height, width))

    def test_bfloat16_is_no_worse_than_the_original(self):
        for name in MODELS:
            errors = []
            for seed in range(3):
                torch.manual_seed(seed)
                model, inputs = MODELS[name]()
                exact = copy.deepcopy(model).double()
                want = exact(*[t.double() if t.is_floating_point() else t for t in inputs])
                faster = copy.deepcopy(model)
                weightformer.accelerate(faster)
                for autocast in (True, False):
                    for m in (model, faster):
                        if not autocast:
                            m = copy.deepcopy(m).bfloat16()
                        cast = [t.bfloat16() if t.dim() > 1 and not autocast else t for t in inputs]
                        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                            errors.append(relative(m(*cast), want))
            original, ours = sum(errors[0::2]), sum(errors[1::2])
            self.assertLess(ours, 1.05 * original, name)

    def test_gradients_under_autocast_are_no_worse_than_the_original(self):
        for name in MODELS:
            model, faster, inputs = pair(name)
            exact = gradients(copy.deepcopy(model).double(), [t.double() if t.dim() > 1 else t for t in inputs])[1]
            total = {}
            for which, m in (("original", model), ("ours", faster)):
                with torch.autocast("cpu", torch.bfloat16):
                    y = m(*inputs)
                loss_of(y.float()).backward()
                total[which] = sum(relative(p.grad, exact[n]) for n, p in m.named_parameters() if p.requires_grad)
            self.assertLess(total["ours"], 1.05 * total["original"], name)


class Training(unittest.TestCase):
    def train(self, model, inputs, steps=10):
        model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
        losses = []
        for step in range(steps):
            torch.manual_seed(step)  # both models drop the same paths and labels
            optimizer.zero_grad()
            loss = model(*inputs).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return torch.tensor(losses)

    def test_ten_steps_of_adamw_give_the_same_losses(self):
        for name, options in (("classifier", {"drop_path": 0.3}), ("dit", {}), ("classifier with a grid", {})):
            model, faster, inputs = pair(name, **options)
            a, b = self.train(model, inputs), self.train(faster, inputs)
            self.assertLess(((a - b).abs() / a.abs()).max().item(), 1e-5, name)
            self.assertNotEqual(a[0], a[-1])

    def test_dropout_draws_the_same_numbers(self):
        model, faster, inputs = pair("classifier", drop=0.2, drop_path=0.3)
        losses = [self.train(m, inputs, 3) for m in (model, faster)]
        self.assertLess((losses[0] - losses[1]).abs().max().item(), 1e-5)

    def test_activation_checkpointing_changes_no_gradient(self):
        _, faster, inputs = pair("classifier")
        y, want = gradients(faster.train(), inputs)
        faster.grad_checkpointing = True
        z, got = gradients(faster, inputs)
        self.assertTrue(torch.equal(y, z))
        for key in want:
            self.assertLess(relative(got[key], want[key]), 1e-6, key)

    def test_fewer_numbers_are_saved_for_the_backward_pass(self):
        saved = []
        for m in pair("classifier", size=64)[:2]:
            storages = {}

            def pack(t):
                storages[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
                return t

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
                m(torch.randn(4, 3, 64, 64))
            saved.append(sum(storages.values()))
        self.assertLess(saved[1], 0.8 * saved[0])


class State(unittest.TestCase):
    def test_the_state_dict_and_the_classes_stay(self):
        for name in MODELS:
            model, faster, _ = pair(name)
            a, b = model.state_dict(), faster.state_dict()
            self.assertEqual(list(a), list(b))
            self.assertTrue(all(torch.equal(a[key], b[key]) for key in a))
            for m, f in zip(model.modules(), faster.modules()):
                self.assertIsInstance(f, type(m))

    def test_pickles_and_copies_are_accelerated_too(self):
        _, faster, inputs = pair("dit")
        want = faster(*inputs)
        file = io.BytesIO()
        torch.save(faster, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        for other in (pickle.loads(pickle.dumps(faster)), copy.deepcopy(faster), loaded):
            self.assertEqual([type(m) for m in other.modules()], [type(m) for m in faster.modules()])
            self.assertTrue(torch.equal(other(*inputs), want))

    def test_undo_returns_to_the_original(self):
        for name in MODELS:
            model, faster, inputs = pair(name)
            self.assertGreater(weightformer.undo(faster), 0)
            self.assertEqual([type(m) for m in faster.modules()], [type(m) for m in model.modules()])
            self.assertEqual([set(m.__dict__) for m in faster.modules()], [set(m.__dict__) for m in model.modules()])
            self.assertTrue(torch.equal(faster(*inputs), model(*inputs)))
            self.assertEqual(weightformer.undo(faster), 0)

    def test_no_random_number_is_drawn(self):
        model, _ = published.classifier()
        torch.manual_seed(5)
        want = torch.rand(3)
        torch.manual_seed(5)
        weightformer.accelerate(model)
        self.assertTrue(torch.equal(torch.rand(3), want))

    def test_hooks_and_replaced_children_are_called(self):
        model, faster, inputs = pair("classifier")

        class Doubled(nn.Linear):
            def forward(self, x):
                return 2 * super().forward(x)

        for m in (model, faster):
            m.seen = []
            for i, child in ((0, "dwc"), (1, "dwc"), (1, "linear1"), (2, "linear2"), (1, "norm2")):
                hook = lambda module, args, y, m=m: m.seen.append(y.mean().item())  # noqa: E731
                m.blocks[i].get_submodule(child).register_forward_hook(hook)
            m.blocks[3].linear2.__class__ = Doubled
            m.blocks[3].linear1.__class__ = Doubled
        self.assertLess(relative(faster(*inputs), model(*inputs)), 1e-5)
        self.assertEqual(len(faster.seen), 5)
        for a, b in zip(faster.seen, model.seen):
            self.assertAlmostEqual(a, b, places=6)


class Selection(unittest.TestCase):
    def test_the_report_names_what_was_changed(self):
        model, _ = published.classifier()
        report = weightformer.accelerate(model)
        kinds = list(report.accelerated.values())
        self.assertEqual({kind: kinds.count(kind) for kind in kinds},
                         {"dynamic_linear": 2, "dynamic_conv": 2, "block": 5, "classifier": 1})
        self.assertEqual(report.accelerated["blocks.1.linear1"], "dynamic_linear")
        self.assertEqual(report.skipped, {})
        self.assertIn("2 x dynamic_linear, 2 x dynamic_conv, 5 x block, 1 x classifier", str(report))
        self.assertEqual(weightformer.accelerate(model).accelerated, report.accelerated)

    def test_layers_inside_another_model_are_found(self):
        class Other(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem, self.mixer = nn.Conv2d(3, 8, 4, 4), published.DynCnn(8)

            def forward(self, x):
                return self.mixer(self.stem(x))

        report = weightformer.accelerate(nn.Sequential(Other()))
        self.assertEqual(report.accelerated, {"0.mixer": "dynamic_conv"})

    def test_a_layer_that_computes_something_else_is_left(self):
        class Shifted(published.DynLinear):
            def forward(self, x):
                return super().forward(x) + 1

        class Wide(published.DynCnn):
            def __init__(self, dim):
                super().__init__(dim)
                self.w = nn.Parameter(torch.randn(dim, 1, 5, 5))

        model, _ = published.classifier()
        model.blocks[1].linear1 = Shifted(32, 128)
        model.blocks[4].dwc = Wide(32)
        report = weightformer.accelerate(model)
        self.assertIn("computes something else", report.skipped["blocks.1.linear1"])
        self.assertIn("linear1 is left", report.skipped["blocks.1"])
        self.assertIn("w (32, 1, 5, 5)", report.skipped["blocks.4.dwc"])
        self.assertEqual(report.accelerated["blocks.4.linear1"], "dynamic_linear")
        self.assertIs(type(model.blocks[1]), published.Block)

    def test_bad_input_ends_in_one_line(self):
        with self.assertRaises(ValueError) as caught:
            weightformer.accelerate(nn.Sequential(nn.Linear(3, 4)))
        self.assertRegex(str(caught.exception), "^weightformer.accelerate: Sequential has no layer or block of WeightFo")
        self.assertNotIn("\n", str(caught.exception))
        with self.assertRaisesRegex(ValueError, "expected a torch.nn.Module, got list"):
            weightformer.accelerate([])
        with self.assertRaisesRegex(ValueError, "linear is 'fast', expected auto, factored, merged"):
            weightformer.accelerate(published.DynCnn(8), linear="fast")
        block = published.Block(32, 0)
        weightformer.accelerate(block)
        with self.assertRaisesRegex(ValueError, "15 tokens are not those of a square image"):
            block(torch.randn(1, 15, 32))


def product_in_place(out, a, b, out_shape=None, **_):
    return 2 * math.prod(a) * b[2]


def product_by_onednn(y, a, b, *_, out_shape=None, **__):
    return 2 * math.prod(a) * b[-1]


def linear_by_onednn(x, weight, *_, out_shape=None, **__):
    return 2 * math.prod(x) * weight[0]


def formulas():
    """Of operators that ours call and that PyTorch has no formula for."""
    known = {torch.ops.aten.baddbmm_: product_in_place, torch.ops.mkldnn._linear_pointwise: linear_by_onednn}
    if hasattr(torch.ops.wf_internal, "gemm_"):  # in the C++ library, not in the wheel
        known[torch.ops.wf_internal.gemm_] = product_by_onednn
    return known


def inner_key(op):
    """What computes without calling `op` again: the formula in the C++ library, the CPU kernel in a wheel."""
    name = op.default.name()
    formula = torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeExplicitAutograd")
    return torch._C.DispatchKey.CompositeExplicitAutograd if formula else torch._C.DispatchKey.CPU


class Flops(unittest.TestCase):
    def counted(self, function, *tensors):
        with FlopCounterMode(display=False, custom_mapping=formulas()) as counter:
            function(*tensors)
        return counter.get_total_flops()

    def test_formulas_count_the_products_that_the_operators_make(self):
        wf = torch.ops.wf
        b, n, r, c, d = 2, 60, 15, 8, 20
        x, left, right = torch.randn(b, n, c), torch.randn(b, r, c), torch.randn(b, r, d)
        weight, bias, gram = torch.randn(c, d), torch.randn(d), left @ left.mT
        gained, norm = wf.column_gain(gram, right, 0.3)
        calls = [(wf.column_gain, gram, right, 0.3), (wf.column_gain_backward, right, gram, right, norm, 0.3)]
        for mode in ("factored", "merged", "auto"):
            calls.append((wf.dynamic_linear, x, left, right, weight, bias, mode))
            y = torch.randn(b, n, d)
            calls.append((wf.dynamic_linear_backward, y, x, left, right, weight, gained, norm, mode))
        for op, *arguments in calls:
            products = self.counted(lambda *a: op.default._op_dk(inner_key(op), *a), *arguments)
            self.assertEqual(self.counted(op, *arguments), products, op)
            self.assertGreater(products, 0)

    def test_convolutions_count_as_those_of_the_original(self):
        torch.manual_seed(0)
        conv, faster = published.DynCnn(8), published.DynCnn(8)
        weightformer.accelerate(faster)
        image = torch.randn(2, 8, 6, 7)
        self.assertEqual(self.counted(faster, image), self.counted(conv, image))


def reduce_gradients(rank, path, directory):
    """One of two processes: half of a batch through DistributedDataParallel."""
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    _, faster, (images,) = pair("classifier")
    parallel = nn.parallel.DistributedDataParallel(faster)
    parallel(images[rank : rank + 1]).square().sum().backward()
    torch.save({n: p.grad for n, p in faster.named_parameters()}, f"{directory}/{rank}.pt")
    dist.destroy_process_group()


class Parallel(unittest.TestCase):
    def test_two_processes_reduce_to_the_gradients_of_one(self):
        with tempfile.TemporaryDirectory() as directory:
            torch.multiprocessing.spawn(reduce_gradients, (os.path.join(directory, "store"), directory), nprocs=2)
            ranks = [torch.load(f"{directory}/{rank}.pt") for rank in range(2)]
        _, faster, (images,) = pair("classifier")
        (faster(images[:2]).square().sum() / 2).backward()
        for name, parameter in faster.named_parameters():
            self.assertTrue(torch.equal(ranks[0][name], ranks[1][name]), name)
            self.assertLess(relative(ranks[0][name], parameter.grad), 1e-5, name)


if __name__ == "__main__":
    package.main()
