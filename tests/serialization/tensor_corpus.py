"""Files of tensors for compare_with_torch.py: valid ones of torch.save and safetensors, and copies of
them that are damaged or built to deceive."""

import collections
import io
import json
import struct
import zipfile

import torch
from safetensors.torch import save as save_safetensors

DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


def values(shape, dtype="float32"):
    count = 1
    for size in shape:
        count *= size
    numbers = (torch.arange(count, dtype=torch.float64) * 7 % 23 - 11).reshape(shape)
    return numbers.to(getattr(torch, dtype))


def saved(tree, **options):
    file = io.BytesIO()
    torch.save(tree, file, **options)
    return file.getvalue()


def trees():
    """Objects for torch.save, by name; the same in every call."""
    torch.manual_seed(24)
    x = values((3, 4))
    base = values((6, 5))
    out = {dtype: {"x": values((3, 5), dtype)} for dtype in DTYPES}
    out.update(
        {
            "scalar": {"x": torch.tensor(3.5)},
            "empty": {"x": torch.empty(0), "y": torch.empty(0, 3)},
            "five_dimensions": {"x": values((1, 2, 1, 3, 2))},
            "transposed": {"x": base.t()},
            "strided": {"x": base[::2, 1::2]},
            "column": {"x": base[:, 3]},
            "expanded": {"x": values((1, 4)).expand(5, 4)},
            "shared": {"x": base, "y": base[2], "z": base.t()},
            "channels_last": {"x": values((2, 3, 2, 2)).contiguous(memory_format=torch.channels_last)},
            "narrowed": {"x": base.narrow(0, 2, 2)},
            "parameter": {"x": torch.nn.Parameter(x)},
            "frozen_parameter": {"x": torch.nn.Parameter(x, requires_grad=False)},
            "requires_grad": {"x": x.clone().requires_grad_()},
            "ordered": collections.OrderedDict(b=x, a=x + 1),
            "nested": {"model": {"a.b": x, "c": {"d": [x, (x + 1, {"e": x + 2})]}}},
            "integer_keys": {0: x, 7: {1: x + 1}, -3: x},
            "unicode_keys": {"größe.重み": x, "": x + 1, "a b\n": x + 2},
            "tuple": (x, x + 1),
            "list": [x, [x + 1]],
            "bare": x,
            "module": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
            "plain_values": {
                "x": x, "i": 2**40, "huge": 2**70, "minus": -(2**63), "f": 0.1, "inf": float("inf"),
                "t": True, "n": None, "s": "text", "b": b"bytes", "set": {1, 2}, "size": x.size(),
            },
            "many": {f"layer.{i}.weight": values((i % 4, 3)) for i in range(150)},
            "long_key": {"k" * 5000: x},
            "negative_bit": {"x": torch._neg_view(x)},
            "complex": {"x": x.to(torch.complex64)},
            "conjugate": {"x": x.to(torch.complex64).conj()},
            "float8": {"x": x.to(torch.float8_e4m3fn)},
            "uint16": {"x": x.abs().to(torch.uint16)},
            "quantized": {"x": torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)},
            "sparse": {"x": x.to_sparse()},
            "nested_tensor": {"x": torch.nested.nested_tensor([values((2, 3)), values((1, 3))])},
            "meta": {"x": torch.empty(2, 3, device="meta")},
            "device_and_dtype": {"x": x, "device": torch.device("cpu"), "dtype": torch.float16},
        }
    )
    parameters = [torch.nn.Parameter(values((2, 2)))]
    optimizer = torch.optim.AdamW(parameters)
    parameters[0].grad = values((2, 2))
    optimizer.step()
    out["optimizer"] = {"model": {"x": parameters[0]}, "optimizer": optimizer.state_dict(), "epoch": 3}
    return out


# What weights files need not hold, with what the message must contain. What has no entry is to be read.
REFUSED = {
    "negative_bit": "negative",
    "complex": "Complex",
    "conjugate": "Complex",
    "float8": "float8",
    "uint16": "uint16",
    "quantized": "quantized",
    "sparse": "sparse",
    "nested_tensor": "nested",
    "meta": "meta",
}


def valid():
    """(name, bytes) of files that torch or safetensors wrote."""
    x = {"x": values((3, 4)), "y": values((2,), "int64")}
    for name, tree in trees().items():
        yield f"{name}.pth", saved(tree)
    for name in ("float32", "bool", "shared", "strided", "nested", "unicode_keys", "module", "optimizer", "many"):
        yield f"{name}_legacy.pth", saved(trees()[name], _use_new_zipfile_serialization=False)
    for protocol in (3, 4, 5):
        yield f"protocol_{protocol}.pth", saved(x, pickle_protocol=protocol)
        yield f"legacy_protocol_{protocol}.pth", saved(
            x, pickle_protocol=protocol, _use_new_zipfile_serialization=False
        )
    for dtype in DTYPES:
        yield f"{dtype}.safetensors", save_safetensors({"x": values((3, 5), dtype)})
    yield "several.safetensors", save_safetensors(
        {"a": values((2, 3)), "größe": values((4,), "int16"), "empty": values((0, 2)), "scalar": torch.tensor(2)},
        {"format": "pt", "note": "ü\n"},
    )
    yield "none.safetensors", save_safetensors({})
    yield "many.safetensors", save_safetensors({f"layer.{i}": values((i % 5,)) for i in range(200)})


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(begin, end, dtype="U8", shape=None):
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def crafted_safetensors():
    a, b = entry(0, 4), entry(4, 8)
    data = b"12345678"
    yield "overlap", safetensors({"a": a, "b": entry(2, 6)}, data[:6])
    yield "gap", safetensors({"a": a, "b": entry(5, 9)}, data + b"9")
    yield "tail", safetensors({"a": a}, data)
    yield "short", safetensors({"a": a, "b": b}, data[:7])
    yield "same_name", safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(a).encode(),) * 2), data[:4])
    yield "same_range", safetensors({"a": a, "b": a}, data[:4])
    yield "reversed", safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}}, data[:4])
    yield "wrong_shape", safetensors({"a": entry(0, 4, shape=[5])}, data[:4])
    yield "wrong_dtype", safetensors({"a": entry(0, 4, "F32", [4])}, data[:4])
    yield "overflow", safetensors({"a": entry(0, 4, shape=[2**32, 2**32, 4])}, data[:4])
    yield "overflow_to_zero", safetensors({"a": entry(0, 0, shape=[2**32, 2**32])})
    yield "negative_size", safetensors({"a": entry(0, 4, shape=[-4])}, data[:4])
    yield "negative_offset", safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [-4, 0]}}, data[:4])
    yield "huge_offsets", safetensors({"a": entry(2**63, 2**63 + 4)}, data[:4])
    yield "real_offset", safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0.0, 4.0]}}, data[:4])
    yield "text_offset", safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": ["0", "4"]}}, data[:4])
    yield "three_offsets", safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4, 8]}}, data[:4])
    yield "no_offsets", safetensors({"a": {"dtype": "U8", "shape": [4]}}, data[:4])
    yield "no_dtype", safetensors({"a": {"shape": [4], "data_offsets": [0, 4]}}, data[:4])
    yield "unknown_dtype", safetensors({"a": entry(0, 4, "F33")}, data[:4])
    yield "unknown_field", safetensors({"a": {**a, "strides": [1]}}, data[:4])
    yield "null_shape", safetensors({"a": {**a, "shape": None}}, data[:4])
    yield "list", safetensors([a], data[:4])
    yield "text", safetensors(b'"a"')
    yield "number", safetensors(b"1")
    yield "no_header", b""
    yield "half_length", b"\1\0\0"
    yield "zero_header", safetensors(b"")
    yield "empty_object", safetensors(b"{}")
    yield "empty_object_tail", safetensors(b"{}", b"1")
    yield "blanks", safetensors(b"{}      ")
    yield "leading_blank", safetensors(b" {}")
    yield "header_too_long", safetensors(b"{}", length=3)
    yield "header_huge", safetensors(b"{}", length=2**63)
    yield "header_all_ones", safetensors(b"{}", length=2**64 - 1)
    yield "header_over_limit", safetensors(b"{}", length=100_000_001)
    yield "comment", safetensors(b"{/* */}")
    yield "trailing_comma", safetensors(b'{"a":%s,}' % json.dumps(a).encode(), data[:4])
    yield "two_objects", safetensors(b"{}{}")
    yield "not_utf8", safetensors(b'{"\xff":%s}' % json.dumps(a).encode(), data[:4])
    yield "surrogate", safetensors(b'{"\\ud800":%s}' % json.dumps(a).encode(), data[:4])
    yield "nested", safetensors(b'{"a":' + b"[" * 600 + b"]" * 600 + b"}")
    yield "deeply_nested", safetensors(b"[" * 100_000)
    yield "metadata_number", safetensors({"__metadata__": {"a": 1}, "a": a}, data[:4])
    yield "metadata_list", safetensors({"__metadata__": ["a"], "a": a}, data[:4])
    yield "metadata_nested", safetensors({"__metadata__": {"a": {"b": "c"}}, "a": a}, data[:4])
    yield "metadata_only", safetensors({"__metadata__": {"a": "b"}})
    yield "metadata_tensor", safetensors({"__metadata__": a}, data[:4])
    yield "in_another_order", safetensors({"b": b, "a": a}, data)
    yield "empty_tensors", safetensors({"a": a, "e": entry(4, 4, shape=[0, 3]), "b": b}, data)
    yield "empty_at_the_front", safetensors({"e": entry(0, 0, shape=[0]), "a": a}, data[:4])
    yield "scalar", safetensors({"a": entry(0, 8, "F64", [])}, data)
    yield "unaligned", safetensors({"a": entry(0, 1), "b": entry(1, 5, "F32", [1])}, data[:5])


def archive(entries, compression=zipfile.ZIP_STORED, comment=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        for name, data in entries:
            out.writestr(zipfile.ZipInfo(name), data, compression)
        out.comment = comment
    return file.getvalue()


def crafted_archives():
    """Changes to the archive of one checkpoint, not to its entries."""
    file = saved({"x": values((3, 4)), "y": values((4,), "int16")})
    with zipfile.ZipFile(io.BytesIO(file)) as content:
        entries = [(item.filename, content.read(item)) for item in content.infolist()]
    tree = next(data for name, data in entries if name.endswith("data.pkl"))
    root = entries[0][0].split("/")[0]
    yield "again", archive(entries)
    yield "deflated", archive(entries, zipfile.ZIP_DEFLATED)
    yield "comment", archive(entries, comment=b"a comment")
    yield "comment_like_an_end", archive(entries, comment=file[-22:])
    yield "before", b"#!/bin/sh\n" + file
    yield "after", file + b"\0" * 50
    yield "two_archives", file + file
    yield "reversed", archive(entries[::-1])
    yield "other_root", archive([(name.replace(root, "other"), data) for name, data in entries])
    yield "no_root", archive([(name.split("/", 1)[1], data) for name, data in entries])
    yield "no_tree", archive([e for e in entries if not e[0].endswith("data.pkl")])
    yield "no_version", archive([e for e in entries if not e[0].endswith("version")])
    yield "no_data", archive([e for e in entries if "/data/" not in e[0]])
    yield "no_byteorder", archive([e for e in entries if not e[0].endswith("byteorder")])
    yield "big_endian", archive([(n, b"big" if n.endswith("byteorder") else d) for n, d in entries])
    yield "odd_byteorder", archive([(n, b"odd" if n.endswith("byteorder") else d) for n, d in entries])
    yield "version_99", archive([(n, b"99" if n.endswith("version") else d) for n, d in entries])
    yield "version_text", archive([(n, b"abc" if n.endswith("version") else d) for n, d in entries])
    for first, second in ((tree, b"\x80\x02}."), (b"\x80\x02}.", tree)):
        rest = [e for e in entries if e[1] != tree]
        name = "two_trees_" + ("first" if first == tree else "second")
        yield name, archive([(root + "/data.pkl", first), (root + "/data.pkl", second), *rest])
    yield "two_roots", archive(entries + [("other/data.pkl", b"\x80\x02}.")])
    yield "tree_in_a_directory", archive(entries + [(root + "/sub/data.pkl", b"\x80\x02}.")])
    yield "two_storages", archive(entries + [(root + "/data/0", b"\1" * 48)])
    yield "short_storage", archive([(n, d[:-1] if n.endswith("data/0") else d) for n, d in entries])
    yield "long_storage", archive([(n, d + b"\0" * 8 if n.endswith("data/0") else d) for n, d in entries])
    yield "directories", archive([(root + "/", b""), (root + "/data/", b"")] + entries)
    yield "backslashes", archive([(n.replace("/", "\\"), d) for n, d in entries])
    yield "dots", archive([("./" + n, d) for n, d in entries])
    yield "absolute", archive([("/" + n, d) for n, d in entries])
    yield "upper_case", archive([(n.replace("data.pkl", "DATA.PKL"), d) for n, d in entries])
    yield "empty_archive", archive([])
    yield "zeros", b"PK" + bytes(60)
    end = file.rfind(b"PK\5\6")
    for name, offset, value in (
        ("entries_more", 10, 99), ("entries_less", 10, 1), ("directory_size", 12, 1), ("directory_offset", 16, 0),
        ("directory_far", 16, 0x7FFFFFF0), ("disk", 4, 1), ("comment_length", 20, 9),
    ):
        yield name, file[: end + offset] + struct.pack("<H", value & 0xFFFF) + file[end + offset + 2 :]
    central = file.find(b"PK\1\2")
    for name, offset, width, value in (
        ("method_9", 10, 2, 9), ("encrypted", 8, 2, 1), ("crc", 16, 4, 1), ("size", 24, 4, 2**31),
        ("compressed_size", 20, 4, 2**31), ("local_offset", 42, 4, 2**31), ("name_length", 28, 2, 60000),
    ):
        at = central + offset
        yield name, file[:at] + value.to_bytes(width, "little") + file[at + width :]


def text_opcode(value):
    return b"X" + struct.pack("<I", len(value)) + value


# Each would create the file "executed".
COMMANDS = {
    b"os system": text_opcode(b"touch executed"),
    b"posix system": text_opcode(b"touch executed"),
    b"subprocess getoutput": text_opcode(b"touch executed"),
    b"builtins exec": text_opcode(b"open('executed', 'w')"),
    b"builtins eval": text_opcode(b"open('executed', 'w')"),
    b"builtins open": text_opcode(b"executed") + text_opcode(b"w"),
}


def tensor_of(arguments, count=b"K\x0c", key=b"0"):
    """{"x": a float tensor rebuilt from these opcodes after its storage}."""
    location = text_opcode(b"storage") + b"ctorch\nFloatStorage\n" + text_opcode(key) + text_opcode(b"cpu") + count
    return (b"}" + text_opcode(b"x") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + location + b"tQ" + arguments
            + b"\x89ccollections\nOrderedDict\n)RtRs.")


def crafted_pickles():
    """Pickles that call functions by every opcode, and tensors that do not fit their storage. NEWOBJ is
    not among them: it makes an object of a class and calls no function."""
    for function, arguments in COMMANDS.items():
        module, name = function.split()
        by_name = b"c" + module + b"\n" + name + b"\n"
        ways = {
            "global": by_name + b"(" + arguments + b"tR.",
            "stack_global": text_opcode(module) + text_opcode(name) + b"\x93(" + arguments + b"tR.",
            "inst": b"(" + arguments + b"i" + module + b"\n" + name + b"\n.",
            "obj": b"(" + by_name + arguments + b"o.",
            "late": b"(" + b"".join(b"cargs\nName%d\n)R" % i for i in range(40)) + by_name + b"(" + arguments + b"tRt.",
            "memo": by_name + b"q\x00" + b"0h\x00(" + arguments + b"tR.",
            "in_a_dict": b"}" + text_opcode(b"x") + by_name + b"(" + arguments + b"tRs.",
            "as_state": b"ccollections\nOrderedDict\n)R" + by_name + b"(" + arguments + b"tRb.",
            "as_reference": by_name + b"(" + arguments + b"tRQ.",
            "of_a_parameter": b"ctorch._utils\n_rebuild_parameter\n(" + by_name + b"(" + arguments
            + b"tR\x89ccollections\nOrderedDict\n)RtR.",
        }
        for way, program in ways.items():
            yield f"{name.decode()}_of_{module.decode()}_by_{way}", b"\x80\x04" + program
    one = b"K\x00K\x03K\x04\x86K\x04K\x01\x86"
    yield "tensor", b"\x80\x02" + tensor_of(one)
    for name, arguments in {
        "too_large": b"K\x00K\x05K\x04\x86K\x04K\x01\x86",
        "too_far": b"K\x01K\x03K\x04\x86K\x04K\x01\x86",
        "negative_offset": b"J\xff\xff\xff\xffK\x03K\x04\x86K\x04K\x01\x86",
        "negative_size": b"K\x00J\xff\xff\xff\xffK\x04\x86K\x04K\x01\x86",
        "negative_stride": b"K\x00K\x03K\x04\x86J\xff\xff\xff\xffK\x01\x86",
        "huge_stride": b"K\x00K\x03K\x04\x86\x8a\x08" + b"\xff" * 7 + b"\x7fK\x01\x86",
        "huge_size": b"K\x00\x8a\x08" + b"\xff" * 7 + b"\x7fK\x04\x86K\x00K\x01\x86",
        "overflowing_sizes": b"K\x00\x8a\x05\0\0\0\0\1\x8a\x05\0\0\0\0\1\x86K\x01K\x01\x86",
        "stride_too_few": b"K\x00K\x03K\x04\x86K\x01\x85",
        "sizes_of_text": b"K\x00" + text_opcode(b"3") + text_opcode(b"4") + b"\x86K\x04K\x01\x86",
    }.items():
        yield f"tensor_{name}", b"\x80\x02" + tensor_of(arguments)
    yield "tensor_of_another_count", b"\x80\x02" + tensor_of(one, count=b"K\x7f")
    yield "tensor_without_its_storage", b"\x80\x02" + tensor_of(one, key=b"9")
    yield "tensor_of_a_path", b"\x80\x02" + tensor_of(one, key=b"../data.pkl")
    yield "empty", b""
    yield "only_a_stop", b"."
    yield "no_stop", b"\x80\x02}"
    yield "protocol_9", b"\x80\x09}."
    yield "list_in_itself", b"]q\0h\0a."
    yield "extension", b"\x82\x01."
    yield "text_not_utf8", text_opcode(b"\xff") + b"."


def crafted_trees():
    """Archives of torch.save with those pickles as their tree."""
    file = saved({"x": values((3, 4))})
    with zipfile.ZipFile(io.BytesIO(file)) as content:
        entries = [(item.filename, content.read(item)) for item in content.infolist()]
    for name, program in crafted_pickles():
        yield name, archive([(n, program if n.endswith("data.pkl") else data) for n, data in entries])


def seeds():
    """What is damaged: files small enough that a change is likely to matter."""
    keep = 4500
    return [(name, data) for name, data in valid() if len(data) < keep]


def damaged(random, count):
    """(name, bytes, name of the undamaged file): seeds with one to four changes."""
    files = seeds()
    for number in range(count):
        name, data = random.choice(files)
        data = bytearray(data)
        other = random.choice(files)[1]
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            at = random.randrange(max(1, len(data)))
            length = random.randrange(1, 40)
            kind = random.randrange(7)
            if kind == 0 and data:
                data[at] ^= 1 << random.randrange(8)
            elif kind == 1 and data:
                data[at] = random.randrange(256)
            elif kind == 2:
                del data[at:]
            elif kind == 3:
                del data[at : at + length]
            elif kind == 4:
                data[at:at] = data[at : at + length]
            elif kind == 5:
                start = random.randrange(len(other))
                data[at : at + length] = other[start : start + length]
            else:
                width = random.choice((1, 2, 4, 8))
                number_there = random.choice((0, 1, 2**7, 2**15, 2**31, 2**31 - 1, 2**63, 2**64 - 1))
                data[at : at + width] = (number_there & (256**width - 1)).to_bytes(width, "little")
        stem, _, kind_of_file = name.rpartition(".")
        yield f"damaged_{number}_{stem}.{kind_of_file}", bytes(data), name
