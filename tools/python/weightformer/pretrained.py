"""Reads weights and what is saved with them: a file of wf_convert, or a directory as on a model hub."""

import inspect
import json
import pathlib
import pickle
import struct

import torch

CONTAINERS = ("model", "state_dict")  # of tensors, in the order in which the programs look for them
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
PREDICTORS = {"MODEL.LINEAR_PREDICTOR": "bilateral", "MODEL.CONV_PREDICTOR": "adaptive"}  # of the published models
MAX_HEADER = 100 << 20  # as the safetensors library


def weights_in(path):
    """The file of weights that `path` names: itself, or the one in a directory."""
    path = pathlib.Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise ValueError(f"{path}: no such file or directory; download a model of a hub into a directory first")
    for pattern in ("model.safetensors", "pytorch_model.bin", "*.safetensors", "*.pth"):
        found = sorted(path.glob(pattern))
        if len(found) > 1:
            raise ValueError(f"{path}: {len(found)} files {pattern}; name one of them")
        if found:
            return found[0]
    raise ValueError(f"{path}: no model.safetensors, pytorch_model.bin, *.safetensors or *.pth in it")


def read_safetensors(path):
    """({name: tensor}, {key: text of the metadata})"""
    content = bytearray(path.read_bytes())
    try:
        (size,) = struct.unpack_from("<Q", content)
        if size > min(MAX_HEADER, len(content) - 8):
            raise ValueError
        header, data = json.loads(content[8 : 8 + size]), memoryview(content)[8 + size :]
        metadata = header.pop("__metadata__", {})
        tensors = {name: tensor_of(entry, data) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        raise ValueError(f"{path}: truncated or corrupted, or no safetensors file") from None
    return tensors, metadata


def tensor_of(entry, data):
    (begin, end), dtype = entry["data_offsets"], DTYPES[entry["dtype"]]
    tensor = torch.empty(entry["shape"], dtype=dtype)
    if not 0 <= begin <= end <= len(data) or end - begin != tensor.numel() * tensor.element_size():
        raise ValueError
    if begin < end:
        tensor = torch.frombuffer(data[begin:end], dtype=dtype).view(entry["shape"]).clone()
    return tensor


def predictors_in(content):
    """From the nested configuration of a checkpoint, by dotted keys."""
    config = content.get("config") if isinstance(content, dict) else None
    model = config.get("MODEL") if isinstance(config, dict) else None
    model = model if isinstance(model, dict) else {}
    return {key: model[key[6:]] for key in PREDICTORS if isinstance(model.get(key[6:]), str)}


def read_pickle(path):
    """({name: tensor}, metadata); only tensors and plain containers are accepted, so no code of the file runs."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError):
        raise ValueError(
            f"{path}: not only tensors in it, or no file of torch.save; convert it with "
            f"wf_convert {path} {path.with_suffix('.safetensors')} --weights-only"
        ) from None
    metadata = {"config": json.dumps(predictors_in(content))}
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{path}: expected tensors by name, or a dict of them under {' or '.join(CONTAINERS)}")
    return content, metadata


def as_json(text, kind):
    try:
        value = json.loads(text)
    except (ValueError, TypeError):
        return kind()
    return value if isinstance(value, kind) else kind()


def arguments(cls, directory, tensors, settings):
    """What the class is constructed with: its defaults, then what the weights tell, then config.json."""
    head = tensors.get("head.weight")
    out = {} if head is None or head.dim() != 2 else {"num_classes": head.shape[0]}
    if settings.get("DATA.IMG_SIZE", "").isdigit():
        out["img_size"] = int(settings["DATA.IMG_SIZE"])
    config = directory / "config.json"
    if config.is_file():
        own = cls.__mro__[: cls.__mro__.index(torch.nn.Module)]
        known = {name for base in own for name in inspect.signature(base).parameters}
        out |= {key: value for key, value in as_json(config.read_text(), dict).items() if key in known}
    return out


def check_predictors(file, settings):
    for key, published in PREDICTORS.items():
        found = settings.get(key, published)
        if found != published:
            raise ValueError(f"{file}: trained with {key} {found}, and the published models have {published} only")


def load_pretrained(cls, path, overrides):
    file = weights_in(path)
    tensors, metadata = (read_safetensors if file.suffix == ".safetensors" else read_pickle)(file)
    settings = as_json(metadata.get("config"), dict)
    check_predictors(file, settings)
    model = cls(**arguments(cls, file.parent, tensors, settings) | overrides)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = [name for name in [*expected, *got] if expected.get(name) != got.get(name)]
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{file}: not the weights of {cls.__name__}: {name} is {got.get(name, 'missing')}, expected "
            f"{expected.get(name, 'no such tensor')} ({len(wrong)} of {len(expected)} tensors differ)"
        )
    model.load_state_dict(tensors)
    model.classes = as_json(metadata.get("classes"), list)
    if settings.get("DATA.INTERPOLATION") in ("bilinear", "bicubic", "lanczos", "nearest"):
        model.interpolation = settings["DATA.INTERPOLATION"]
    return model
