"""Writes seeds: small files of the kinds that once took a reader much time or memory.

    .venv/bin/python tests/fuzz/make_seeds.py
"""

import io
import pathlib
import struct
import tarfile
import zipfile
import zlib

from PIL import Image

here = pathlib.Path(__file__).parent


def segments(jpeg):
    """The segments after the first marker; a scan includes its data."""
    at, out = 2, []
    while jpeg[at + 1] != 0xD9:
        begin, marker = at, jpeg[at + 1]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        while marker == 0xDA and (jpeg[at] != 0xFF or jpeg[at + 1] == 0):
            at += 1
        out.append(jpeg[begin:at])
    return out


def many_scans():
    """Every bit of every coefficient of a flat image in a scan of its own."""
    file = io.BytesIO()
    Image.new("L", (64, 64), 100).save(file, "JPEG", progressive=True)
    parts = segments(file.getvalue())
    first_ac = next(i for i, part in enumerate(parts) if part[1] == 0xDA and part[-4:] and part[7] == 1)
    scan = parts[first_ac]
    header = 2 + int.from_bytes(scan[2:4], "big")
    out = file.getvalue()[:2] + b"".join(parts[:first_ac])
    for coefficient in range(1, 64):
        for low in range(13, -1, -1):
            high = 0 if low == 13 else low + 1
            spectrum = bytes([coefficient, coefficient, high << 4 | low])
            out += scan[: header - 3] + spectrum + scan[header:]
    return out + b"\xff\xd9"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def shared(opener, item, closer, levels=60):
    """A container that holds the one below several times, and so on."""
    out = opener
    for slot in range(1, levels + 1):
        out += b"q%c0" % slot + opener + b"(" + item(b"h%c" % slot) + closer
    return out


def pickles():
    begin = b"\x80\x04"
    long_text = begin + text(b"A" * 4000) + b"q\x000"
    name = long_text + b"h\x00h\x00\x93q\x010"
    storage = b"(" + text(b"storage") + b"ctorch\nFloatStorage\nh\x00" + text(b"cpu") + b"K\x00tq\x030"
    times = 300
    return {
        "global_of_long_text": long_text + b"h\x00h\x00\x930" * times + b"}.",
        "call_of_long_name": name + b"h\x01)R0" * times + b"}.",
        "class_of_long_name": name + b"h\x01)\x810" * times + b"}.",
        "storage_of_long_key": long_text + storage + b"h\x03Q0" * times + b"}.",
        "bytes_of_long_text": long_text
        + b"c_codecs\nencode\nq\x010"
        + (b"h\x01h\x00" + text(b"latin1") + b"\x86R0") * times
        + b"}.",
        "copies_of_a_dict": begin
        + b"ccollections\nOrderedDict\nq\x000}("
        + b"K\x01K\x02" * 100
        + b"uq\x010"
        + b"h\x00h\x01\x85R0" * times
        + b"}.",
        "shared_dicts": begin + shared(b"}", lambda old: text(b"a") + old + text(b"b") + old, b"u") + b".",
        "shared_lists": begin + shared(b"]", lambda old: old * 10, b"e") + b".",
        "nested_lists": begin + b"]" * 2000 + b"a" * 1999 + b".",
        "instance_of_a_function": b"(S'id'\nios\nsystem\n.",
        "object_of_a_function": b"(cos\nsystem\nS'id'\no.",
    }


def archive(*trees):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for tree in trees:
            out.writestr(zipfile.ZipInfo("archive/data.pkl"), tree)
        out.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    return file.getvalue()


def safetensors(header, data=b""):
    return struct.pack("<Q", len(header)) + header.encode() + data


def entry(name, begin, end):
    return f'"{name}":{{"dtype":"U8","shape":[{end - begin}],"data_offsets":[{begin},{end}]}}'


def tar(files, form=tarfile.USTAR_FORMAT, links=()):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        for name, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a/1.jpg"
            out.addfile(info)
    # Without the padding to 10,240 bytes, in which a change has no effect.
    return file.getvalue().rstrip(b"\0") + b"\0" * 1024


def tar_index():
    def words(text):
        return struct.pack("<Q", len(text)) + text

    body = struct.pack("<IQqQQ", 0, 4096, 0, 1, 1) + words(b"a/x") + words(b"a/l (a hard link)")
    body += struct.pack("<Q", 2) + words(b"a") + words(b"b") + struct.pack("<Q", 2)
    body += struct.pack("<QQQIIQQQII", 512, 9, 7, 0, 0, 1536, 9, 14, 1, 0) + b"a/1.jpgb/2.jpg"
    return b"wftidx1\n" + struct.pack("<I", zlib.crc32(body)) + body


def tars():
    image, long_name = b"an image!" * 3, "d/" * 70 + "long.jpg"
    shard = {"1.jpg": image, "1.cls": b"3", "2.png": image, "2.json": b'{"label": 4}', "3.jpg": image, "3.txt": b"cat\n"}
    sparse = bytearray(tar({"s.jpg": image}))
    sparse[156:157], sparse[482:483] = b"S", b"\1"
    return {
        "directories.tar": tar({"a/1.jpg": image, "b/2.jpg": image, "b/read.me": b"x"}),
        "shard.tar": tar(shard),
        "gnu.tar": tar({long_name: image}, tarfile.GNU_FORMAT, [("l.jpg", tarfile.LNKTYPE), ("s.jpg", tarfile.SYMTYPE)]),
        "pax.tar": tar({long_name + "é": image, "1.jpg": image}, tarfile.PAX_FORMAT),
        "inner.tar": tar({"n1.tar": tar({"1.jpg": image}), "n2.tar": tar({"2.jpg": image, "3.jpg": image})}),
        "nested_json.tar": tar({"1.jpg": image, "1.json": b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"}),
        "long_inner.tar": tar({"d/" * 1500 + "n.tar": tar({f"{i}.jpg": b"" for i in range(40)})}, tarfile.GNU_FORMAT),
        "sparse.tar": bytes(sparse),
        "index.wfindex": tar_index(),
    }


def write(directory, files):
    (here / directory).mkdir(exist_ok=True)
    for name, data in files.items():
        (here / directory / name).write_bytes(data)


trees = pickles()
write("tars", tars())
write("images", {"many_scans.jpg": many_scans()})
write("checkpoints", {name + ".pkl": tree for name, tree in trees.items()})
write("checkpoints", {name + ".pth": archive(trees[name]) for name in ("shared_dicts", "storage_of_long_key")})
write("checkpoints", {"twice.pth": archive(b"\x80\x02}.", b"\x80\x02].")})
write(
    "checkpoints",
    {
        "many.safetensors": safetensors("{" + ",".join(entry(f"t{i}", 0, 0) for i in range(100)) + "}"),
        "overlap.safetensors": safetensors("{" + entry("a", 0, 4) + "," + entry("b", 2, 6) + "}", b"123456"),
        "twice.safetensors": safetensors("{" + entry("a", 0, 4) + "," + entry("a", 0, 4) + "}", b"1234"),
        "nested.safetensors": safetensors('{"a":' + "[" * 600 + "]" * 600 + "}"),
    },
)
aliases = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
write(
    "configs",
    {
        "aliases.yaml": "\n".join(aliases + ["TRAIN: {EPOCHS: *a29}", ""]).encode(),
        "alias_of_alias.yaml": "\n".join(
            ["TRAIN: &t", "  EPOCHS: 3", "MODEL: *t", ""]
        ).encode(),
        "bases.yaml": b"BASE: [base_0.yaml, base_0.yaml]\n",
        "nested.yaml": b"TRAIN: " + b"{a: " * 300 + b"1" + b"}" * 300 + b"\n",
        "brackets.yaml": b"[" * 600,
        "two_documents.yaml": b"TRAIN: {EPOCHS: 3}\n---\nTRAIN: {EPOCHS: 4}\n",
        "huge_numbers.yaml": b"TRAIN: {EPOCHS: 4611686018427387904, CLIP_GRAD: 1e308}\nMODEL: {DEPTH: 1000000000}\n",
    },
)
