"""Accelerated models under torch.compile and torch.export: few graphs, any batch, height and width.

    python compile_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import unittest

import package
import torch

import published

weightformer = package.weightformer

# Four batches and three sizes; a published model takes one size.
SHAPES = [(2, 64, 64), (3, 64, 64), (5, 96, 96), (7, 40, 104), (2, 96, 96), (7, 64, 64), (3, 40, 104)]


class Compiled:
    """A model under torch.compile(fullgraph=True) with ahead-of-time autograd."""

    def __init__(self, model, **options):
        torch.compiler.reset()
        self.code = type(model).forward.__code__
        self.function = torch.compile(model, fullgraph=True, backend="aot_eager", **options)

    def graphs(self):
        """The number of graphs that calls choose from; one that was discarded during compilation is not there."""
        return len(torch._dynamo.eval_frame._debug_get_cache_entry_list(self.code))


def results(function, parameters, *inputs):
    y = function(*inputs)
    weights = (torch.arange(y.numel()) % 7 - 2).view(y.shape) / 5.0
    return [y, *torch.autograd.grad((y * weights).sum(), parameters)]


class Compile(unittest.TestCase):
    def check(self, model, functions, inputs):
        parameters = [p for p in model.parameters() if p.requires_grad]
        for got, want in zip(results(functions[0], parameters, *inputs), results(functions[1], parameters, *inputs)):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)

    def test_two_graphs_at_most_serve_four_batches_and_three_sizes(self):
        model, _ = published.classifier()
        weightformer.accelerate(model)
        # Left to itself, torch.compile makes one for the first shape, one for batches and one for sizes.
        for options, graphs in (({"dynamic": True}, 2), ({}, 3)):
            compiled = Compiled(model, **options)
            for shape in SHAPES:
                self.check(model, (compiled.function, model), [torch.randn(shape[0], 3, *shape[1:])])
            self.assertIn(compiled.graphs(), range(1, graphs + 1), options)

    def test_two_graphs_at_most_serve_four_batches_of_the_dit(self):
        model, inputs = published.dit()
        weightformer.accelerate(model)
        compiled = Compiled(model)
        for batch in (2, 3, 5, 7):
            x, t, y = (torch.cat([i, i, i])[:batch] for i in inputs)
            self.check(model, (compiled.function, model), (x, t, y))
        self.assertIn(compiled.graphs(), (1, 2))

    def test_a_single_layer_finds_its_grid_while_it_is_compiled(self):
        layer = published.DynLinear(8, 16)
        weightformer.accelerate(layer)
        compiled = Compiled(layer)
        for batch, tokens in ((2, 16), (3, 36), (2, 25)):
            self.check(layer, (compiled.function, layer), [torch.randn(batch, tokens, 8)])

    def test_drop_path_and_dropout_compile(self):
        model, inputs = published.classifier(drop=0.1, drop_path=0.2)
        weightformer.accelerate(model.train())
        self.assertTrue(Compiled(model).function(*inputs).isfinite().all())


class Export(unittest.TestCase):
    def check(self, model, dynamic, inputs, others):
        program = torch.export.export(model, inputs, dynamic_shapes=dynamic).module()
        for arguments in (inputs, *others):
            torch.testing.assert_close(program(*arguments), model(*arguments), rtol=1e-5, atol=1e-5)

    def test_a_classifier_exports_with_dynamic_batch_height_and_width(self):
        model, _ = published.classifier()
        weightformer.accelerate(model.eval())
        patches = torch.export.Dim("rows", min=2, max=64), torch.export.Dim("columns", min=2, max=64)
        dynamic = ({0: torch.export.Dim("batch", min=1, max=64), 2: 8 * patches[0], 3: 8 * patches[1]},)
        shapes = [(1, 64, 64), (5, 96, 40), (2, 16, 104)]
        self.check(model, dynamic, (torch.randn(3, 3, 64, 80),), [(torch.randn(b, 3, h, w),) for b, h, w in shapes])

    def test_a_dit_exports_with_dynamic_batch(self):
        model, inputs = published.dit()
        weightformer.accelerate(model)
        batch = torch.export.Dim("batch", min=1, max=64)
        self.check(model, ({0: batch},) * 3, inputs, [[t[:1] for t in inputs], [torch.cat([t, t]) for t in inputs]])

    def test_compiling_again_after_undo_gives_the_original(self):
        model, inputs = published.classifier()
        want = model(*inputs)
        weightformer.accelerate(model)
        function = Compiled(model).function
        function(*inputs)
        weightformer.undo(model)
        torch.testing.assert_close(function(*inputs), want, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    package.main()
