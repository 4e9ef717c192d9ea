"""The models of the package: weights of files and directories, images as the programs see them, bad files.

    python pretrained_test.py libweightformer.so [DIRECTORY_OF_LIBTORCH [TEST …]]
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import package
import torch

import published

weightformer = package.weightformer
BIN = pathlib.Path(sys.argv[1]).resolve().parents[1] / "bin"
NANO = {"embed_dim": 32, "depth": 5, "patch_size": 8, "img_size": 64}


def write_safetensors(path, tensors, metadata=None):
    header, data = {"__metadata__": metadata or {}}, b""
    for name, tensor in tensors.items():
        begin, data = len(data), data + tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Files(unittest.TestCase):
    """A directory, and the model whose weights are written there."""

    def setUp(self):
        torch.manual_seed(0)
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.model = published.yardstick.create("wfm_nano").eval()

    def load(self, path, **options):
        return weightformer.WeightFormer_T.from_pretrained(str(path), **NANO | options).eval()

    def check(self, model, size=(64, 64)):
        images = torch.randn(2, 3, *size)
        torch.testing.assert_close(model(images), self.model(images), rtol=1e-5, atol=1e-6)


class Pretrained(Files):
    def test_the_snippet_of_the_model_card_runs_offline(self):
        """As on a hub: model.safetensors and config.json with the arguments of the published class."""
        model = published.yardstick.create("wfm_t").eval()
        write_safetensors(self.directory / "model.safetensors", model.state_dict())
        published_arguments = {"img_size": 224, "qkv_bias": True, "distilled": False, "drop_path_rate": 0.1, "other": 1}
        (self.directory / "config.json").write_text(json.dumps(published_arguments))
        loaded = weightformer.WeightFormer_T.from_pretrained(str(self.directory)).eval()
        images = torch.randn(1, 3, 224, 224)
        torch.testing.assert_close(loaded(images), model(images), rtol=1e-5, atol=1e-5)
        self.assertAlmostEqual(loaded.blocks[-1].drop_path.rate, 0.1)
        self.assertEqual(loaded.mean, (0.485, 0.456, 0.406))
        self.assertNotIn("timm", sys.modules)

    def test_every_format_gives_the_same_model(self):
        state = self.model.state_dict()
        torch.save(state, self.directory / "plain.pth")
        torch.save({"model": state, "epoch": 3}, self.directory / "checkpoint.bin")
        write_safetensors(self.directory / "weights.safetensors", state)
        for name in ("plain.pth", "checkpoint.bin", "weights.safetensors"):
            self.check(self.load(self.directory / name), (40, 88))

    def test_a_model_is_accelerated_and_trains_as_the_original(self):
        write_safetensors(self.directory / "model.safetensors", self.model.state_dict())
        model = self.load(self.directory)
        self.assertLess(model(torch.randn(1, 3, 64, 64)).abs().max(), 10)
        images = torch.randn(2, 3, 48, 64)
        for a, b in zip(*(torch.autograd.grad(m(images).square().sum(), [*dict(m.named_parameters()).values()][:4])
                          for m in (model, self.model))):  # fmt: skip
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
        self.assertEqual(weightformer.accelerate(model).skipped, {})
        self.check(model)

    def test_a_new_model_begins_like_a_published_one(self):
        model = weightformer.WeightFormer_S(num_classes=7)
        want = {name: tuple(t.shape) for name, t in published.yardstick.create("wfm_s", classes=7).state_dict().items()}
        self.assertEqual({name: tuple(t.shape) for name, t in model.state_dict().items()}, want)
        self.assertAlmostEqual(model.blocks[1].linear1.w.std().item(), 0.02, places=3)
        self.assertAlmostEqual(model.blocks[0].linear1.weight.std().item(), 0.02, places=3)
        self.assertEqual(weightformer.WeightFormer_B().img_size, 448)

    def test_settings_and_classes_come_from_the_metadata(self):
        settings = {"DATA.IMG_SIZE": "96", "DATA.INTERPOLATION": "bilinear"}
        metadata = {"config": json.dumps(settings), "classes": json.dumps(["cat", "dog"] * 5)}
        write_safetensors(self.directory / "model.safetensors", self.model.state_dict(), metadata)
        options = {key: value for key, value in NANO.items() if key != "img_size"}
        model = weightformer.WeightFormer_T.from_pretrained(self.directory, **options)
        self.assertEqual((model.img_size, model.interpolation, model.classes[1]), (96, "bilinear", "dog"))
        self.assertEqual(model.transform().size, 96)


    def test_weights_of_other_predictors_are_refused(self):
        """They may have the shapes of the published ones, and compute something else."""
        settings = {"MODEL.LINEAR_PREDICTOR": "linear"}
        write_safetensors(self.directory / "a.safetensors", self.model.state_dict(), {"config": json.dumps(settings)})
        torch.save({"model": self.model.state_dict(), "config": {"MODEL": {"CONV_PREDICTOR": "conv"}}}, self.directory / "b.pth")
        for name, key in (("a.safetensors", "MODEL.LINEAR_PREDICTOR linear"), ("b.pth", "MODEL.CONV_PREDICTOR conv")):
            with self.assertRaisesRegex(ValueError, f"trained with {key}, and the published models have"):
                self.load(self.directory / name)


class Images(Files):
    def setUp(self):
        super().setUp()
        if not (BIN / "wf_infer").is_file():
            self.skipTest(f"{BIN / 'wf_infer'} is not built")
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("this Python has no Pillow")
        noise = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(3))
        pixels = torch.nn.functional.interpolate(noise, (150, 230), mode="bicubic").clamp(0, 1) * 255
        self.image = Image.frombytes("RGB", (230, 150), bytes(pixels[0].permute(1, 2, 0).byte().flatten().tolist()))
        self.image.save(self.directory / "image.png")

    def test_probabilities_are_those_of_wf_infer(self):
        torch.save(self.model.state_dict(), self.directory / "weights.pth")
        command = [BIN / "wf_infer", self.directory / "weights.pth", self.directory / "image.png", "--json", "--top", "10"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        want = {top["index"]: top["probability"] for top in json.loads(out.splitlines()[-1])["top"]}
        model = self.load(self.directory / "weights.pth")
        got = model(model.transform()(self.image).unsqueeze(0)).softmax(1)[0]
        self.assertEqual(len(want), 10)
        for index, probability in want.items():
            self.assertAlmostEqual(got[index].item(), probability, delta=1e-5)


class BadFiles(Files):
    def expect(self, pattern, path=None, cls=weightformer.WeightFormer_T):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            cls.from_pretrained(path or self.directory)
        self.assertNotIn("\n", str(caught.exception))

    def test_a_directory_without_weights_is_refused(self):
        self.expect("no model.safetensors, pytorch_model.bin")
        self.expect("no such file or directory; download", "RuizeHe/weightformer-t")

    def test_weights_of_another_network_are_refused(self):
        write_safetensors(self.directory / "model.safetensors", self.model.state_dict())
        self.expect(r"not the weights of WeightFormer_T: patch_embed.proj.weight is \(32, 3, 8, 8\), expected \(192, 3, 16")
        write_safetensors(self.directory / "model.safetensors", {"head.weight": torch.zeros(3)})
        self.expect("is missing, expected")

    def test_truncated_and_corrupted_files_are_refused(self):
        file = self.directory / "model.safetensors"
        write_safetensors(file, self.model.state_dict())
        content = file.read_bytes()
        for bad in (b"", content[:5], content[:100], content[:-1], b"\xff" * 8 + content[8:], content[:8] + b"[]" * 50):
            file.write_bytes(bad)
            self.expect("truncated or corrupted, or no safetensors file")

    def test_pickles_with_code_are_not_run(self):
        torch.save({"model": self.model}, self.directory / "model.pth")
        self.expect(r"not only tensors in it.*wf_convert .*model.pth .*model.safetensors --weights-only")
        torch.save([1, 2], self.directory / "model.pth")
        self.expect("expected tensors by name")


class Library(unittest.TestCase):
    """What an import reports when there is no library, or one for another torch."""

    def message(self, content=None):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "library.so")
            if content is not None:
                path.write_bytes(content)
            source = pathlib.Path(weightformer.__file__).parents[1]
            environment = {"PYTHONPATH": str(source), "WEIGHTFORMER_LIBRARY": str(path), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-c", "import weightformer"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, 1)
        return done.stderr.splitlines()[-1]

    def test_a_library_for_another_torch_is_refused_before_it_is_loaded(self):
        library = pathlib.Path(sys.argv[1]).read_bytes()
        mark = b"weightformer: built for torch "
        begin = library.index(mark) + len(mark)
        older = library[:begin] + b"2.09.3" + library[begin + 6 :]
        self.assertRegex(self.message(older), "was built for torch 2.09, this is torch .*; build it with this torch or use")

    def test_a_missing_or_broken_library_ends_in_one_line(self):
        self.assertRegex(self.message(), "WEIGHTFORMER_LIBRARY is .*, which is no file")
        self.assertRegex(self.message(b"no library"), "cannot be loaded by torch .*(invalid ELF header|file too short)")
        self.assertRegex(self.message(b""), "is empty")

    def test_keeping_freed_memory_calls_the_library(self):
        weightformer.keep_freed_memory()
        self.assertEqual(torch.ones(1000).sum().item(), 1000)


if __name__ == "__main__":
    package.main()
