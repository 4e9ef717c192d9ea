"""What a directory may hold in place of a file, and archives of images, for hostile_runs.py."""
import io
import os
import socket
import tarfile
import zipfile

from PIL import Image


def png(size=(16, 16)):
    out = io.BytesIO()
    Image.new("RGB", size, (9, 99, 199)).save(out, "PNG")
    return out.getvalue()


def make_socket(path):
    # The name of a socket is at most 107 bytes, unlike that of its file.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


def make_hole(path):
    path.write_bytes(png())
    os.truncate(path, 1 << 40)


def bytes_of(data):
    return lambda path: path.write_bytes(data)


def link_to(target):
    return lambda path: path.symlink_to(target)


MAKERS = {
    "directory": lambda path: path.mkdir(),
    "fifo": os.mkfifo,
    "socket": make_socket,
    "device": lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 7)),  # /dev/full, of its own
    "link to nothing": link_to("nothing"),
    "link to itself": link_to("thing.png"),
    "link to its directory": link_to("."),
    "link to zeros": link_to("/dev/zero"),
    "link to a terminal": link_to("/dev/ptmx"),
    "empty": bytes_of(b""),
    "text": bytes_of(b"no image\n"),
    "a page": bytes_of(b"<!DOCTYPE html><html></html>\n"),
    "a hole of 1 TiB": make_hole,
    "zeros": bytes_of(bytes(100_000)),
    "half an image": bytes_of(png((300, 300))[:-40]),
    "an image and a tail": bytes_of(png() + b"x" * 50_000),
    "an image of one pixel": bytes_of(png((1, 1))),
    "a long image": bytes_of(png((1, 20_000))),
    "a claim of 65,535 x 65,535": bytes_of(png().replace(b"\0\0\0\x10\0\0\0\x10", b"\0\0\xff\xff\0\0\xff\xff")),
    "a PDF": bytes_of(b"%PDF-1.4\n" + bytes(1000)),
    "a GIF": bytes_of(b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"),
    "DICOM": bytes_of(bytes(128) + b"DICM" + bytes(500)),
    "OpenEXR": bytes_of(b"\x76\x2f\x31\x01" + bytes(500)),
    "Radiance": bytes_of(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 4\n" + bytes(64)),
    "a zip": bytes_of(b"PK\5\6" + bytes(18)),
}
KINDS = [kind for kind in MAKERS if kind != "device" or os.geteuid() == 0]


def put(path, kind):
    if kind == "link to itself":
        path.symlink_to(path.name)
    else:
        MAKERS[kind](path)


def files_of(directory):
    for label in sorted(os.listdir(directory)):
        for name in sorted(os.listdir(directory / label)):
            yield label, name, (directory / label / name).read_bytes()


def zip_with_map(directory, out, split):
    """SPLIT.zip and SPLIT_map.txt with a line "NAME<tab>CLASS" for each image."""
    labels = sorted(os.listdir(directory))
    lines = []
    with zipfile.ZipFile(out / f"{split}.zip", "w") as archive:
        for label, name, data in files_of(directory):
            archive.writestr(f"{label}/{name}", data)
            lines.append(f"{label}/{name}\t{labels.index(label)}\n")
    (out / f"{split}_map.txt").write_text("".join(lines))


def tar_of(directory, path):
    with tarfile.open(path, "w") as archive:
        for label, name, data in files_of(directory):
            entry = tarfile.TarInfo(f"{label}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + rng.randrange(1, 600)]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 600)]
        else:
            data[at : at + 8] = rng.choice((b"\0" * 8, b"\xff" * 8))
        if not data:
            return b""
    return bytes(data)
