"""The classifiers, with the names and arguments of the published model cards.

    from weightformer import WeightFormer_T
    model = WeightFormer_T.from_pretrained("directory").eval()
    logits = model(model.transform(PIL.Image.open("cat.jpg")).unsqueeze(0))

Parameters have the published names, so state dicts go both ways, also to and from the programs wf_*. timm is not needed.
"""

from torch import nn

from . import layers
from .classes import METHODS
from .pretrained import load_pretrained
from .transform import EvalTransform

# What the published training normalized with; the model cards give 0.5, which the weights have never seen.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DynamicLinear(nn.Module):
    """[B, H*W, in] → [B, H*W, out] with a weight predicted from the input (wf::dynamic_linear)."""

    weightformer_kind, weightformer_mode = "dynamic_linear", "auto"

    def __init__(self, in_features, out_features):
        super().__init__()
        narrow_in, narrow_out = in_features // 4, out_features // 4
        self.w, self.b = parameter(in_features, out_features), parameter(out_features)
        self.wfm = nn.Linear(in_features, narrow_in + narrow_out)
        self.w1, self.w2 = parameter(narrow_in, in_features), parameter(narrow_out, out_features)

    forward = METHODS["dynamic_linear"]["forward"]


class DynamicConv(nn.Module):
    """[B, C, H, W] → the same, by 3 x 3 kernels predicted for every sample and channel (wf::dynamic_dwconv)."""

    weightformer_kind, weightformer_mode = "dynamic_conv", "auto"

    def __init__(self, dim):
        super().__init__()
        self.w, self.b = parameter(dim, 1, 3, 3), parameter(dim)
        self.wfm = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.GELU(), nn.Conv2d(dim, dim, 1, bias=False))

    forward = METHODS["dynamic_conv"]["forward"]


class DropPath(nn.Module):
    """Drops the samples of a batch with probability `rate` in training, and divides the others by 1 - rate."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        return x * x.new_empty(x.shape[0], 1, 1).bernoulli_(keep) / keep


class Block(nn.Module):
    """[B, H*W, C] → the same; every third block, from the second on, is dynamic."""

    weightformer_kind, weightformer_mode = "block", "auto"

    def __init__(self, dim, layer, mlp_ratio, drop, drop_path):
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.drop, self.act, self.drop_path = nn.Dropout(drop), nn.GELU(), DropPath(drop_path)
        if (layer + 2) % 3 == 0:
            self.norm1 = nn.LayerNorm(dim, eps=1e-6)
            self.linear1, self.dwc = DynamicLinear(dim, hidden), DynamicConv(dim)
        else:
            self.linear1, self.dwc = nn.Linear(dim, hidden), nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.linear2 = nn.Linear(hidden, dim)

    forward = layers.block


class PatchEmbed(nn.Module):
    def __init__(self, in_chans, dim, patch_size):
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, patch_size, patch_size)


def parameter(*shape):
    return nn.init.trunc_normal_(nn.Parameter(nn.Linear(1, 1).weight.new_empty(*shape)), std=0.02)


class WeightFormer(nn.Module):
    """Images [B, in_chans, height, width] of any size → logits [B, num_classes].

    img_size is the one that transform() makes. The other arguments are those of the published classes; ValueError for
    representation_size and distilled, which no published model uses.
    """

    def __init__(
        self, img_size=224, patch_size=16, in_chans=3, num_classes=1000, embed_dim=192, depth=17, mlp_ratio=4.0,
        qkv_bias=True, representation_size=None, distilled=False, drop_rate=0.0, attn_drop_rate=0.0,
        drop_path_rate=0.0,
    ):  # fmt: skip
        super().__init__()
        if representation_size or distilled:
            raise ValueError(f"{type(self).__name__}: representation_size and distilled are not supported")
        self.img_size, self.num_classes, self.embed_dim, self.grad_checkpointing = img_size, num_classes, embed_dim, False
        self.mean, self.std, self.interpolation, self.classes = IMAGENET_MEAN, IMAGENET_STD, "bicubic", []
        self.patch_embed = PatchEmbed(in_chans, embed_dim, patch_size)
        self.init_norm = nn.LayerNorm(embed_dim, eps=1e-6)
        rates = [drop_path_rate * i / max(1, depth - 1) for i in range(depth)]
        self.blocks = nn.Sequential(*(Block(embed_dim, i, mlp_ratio, drop_rate, rate) for i, rate in enumerate(rates)))
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.head = nn.Linear(embed_dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    forward_features = layers.features

    def forward(self, images):
        return self.head(self.forward_features(images))

    def transform(self):
        """PIL image → tensor [3, img_size, img_size] as in the published evaluation, which wf_infer repeats."""
        return EvalTransform(self.img_size, self.interpolation, self.mean, self.std)

    @classmethod
    def from_pretrained(cls, path, **overrides):
        """The model of a directory or file: safetensors or PyTorch's format, with or without a config.json.

        `overrides` are arguments of the class. Classes, image size and interpolation come from the file, as far as it
        has them. ValueError in one line: no weights there, or those of another network.
        """
        return load_pretrained(cls, path, overrides)


class WeightFormer_T(WeightFormer):
    pass


class WeightFormer_S(WeightFormer):
    def __init__(self, img_size=224, embed_dim=384, **options):
        super().__init__(img_size=img_size, embed_dim=embed_dim, **options)


class WeightFormer_B(WeightFormer):
    """The network of WeightFormer_S for images of 448 x 448."""

    def __init__(self, img_size=448, embed_dim=384, **options):
        super().__init__(img_size=img_size, embed_dim=embed_dim, **options)
