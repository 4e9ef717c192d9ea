"""Writes tar files as people have them, by Python's tarfile, GNU tar and webdataset.

    make_tars.py DIRECTORY

expected.json has for each file, or pattern of shards, its images in order: name, class and content.
Where webdataset is not installed its shards are missing.
"""

import io
import json
import pathlib
import subprocess
import sys
import tarfile

CLASSES = ("n01440764", "n01443537", "n02123045")
LONG = "a_directory_with_a_long_name/" * 6


def content(name: str) -> bytes:
    return f"the bytes of {name} ".encode() * (1 + len(name) % 40)


def images(directory: str) -> list[str]:
    return [f"{directory}{c}/{c}_{i}.JPEG" for c in CLASSES for i in (1, 10, 2)]


def tar(files: list[tuple[str, bytes]], form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def rows(names: list[str], inner: bool = False) -> list[list[str]]:
    # In bytewise order, as an image directory has them.
    out = []
    for name in sorted(names):
        label = name.split("/")[-2]
        shown = name.replace(f"{label}/", f"{label}.tar/") if inner else name
        out.append([shown, label, content(name).decode()])
    return out


def write_by_tarfile(to: pathlib.Path, expected: dict) -> None:
    forms = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for form, number in forms.items():
        # ustar splits names of up to 255 bytes; the others have longer ones.
        names = images("./train/" + LONG[:120] + "/") if form == "ustar" else images(f"./{LONG}{LONG}é/")
        (to / f"{form}.tar").write_bytes(tar([(n, content(n.removeprefix("./"))) for n in names[::-1]], number))
        expected[f"{form}.tar"] = rows([n.removeprefix("./") for n in names])
    inner = [
        (f"{c}.tar", tar([(n.split("/")[1], content(n)) for n in images("") if n.startswith(c)], tarfile.GNU_FORMAT))
        for c in CLASSES
    ]
    (to / "ILSVRC2012_img_train.tar").write_bytes(tar(inner, tarfile.GNU_FORMAT))
    expected["ILSVRC2012_img_train.tar"] = rows(images(""), inner=True)


def write_by_gnu_tar(to: pathlib.Path, expected: dict) -> None:
    source = to / "source"
    for name in images(""):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content(name))
    (source / CLASSES[0] / "link.jpg").symlink_to(f"{CLASSES[0]}_1.JPEG")
    (source / CLASSES[0] / "hard.jpg").hardlink_to(source / images("")[0])
    with open(source / CLASSES[0] / "sparse.jpg", "wb") as sparse:
        sparse.truncate(1 << 20)
    for form in ("gnu", "posix", "ustar", "oldgnu"):
        options = ["--sparse"] if form != "ustar" else ["--exclude=sparse.jpg"]
        command = ["tar", f"--format={form}", "--sort=name", *options, "-C", source, "-cf", to / f"tar_{form}.tar", "."]
        if subprocess.run(command).returncode == 0:
            expected[f"tar_{form}.tar"] = None  # its hard link may be either of the two names


def write_by_webdataset(to: pathlib.Path, expected: dict) -> None:
    try:
        import webdataset
    except ImportError:
        return
    expected["shards/imagenet-train-{000000..000002}.tar"] = []
    (to / "shards").mkdir()
    with webdataset.ShardWriter(str(to / "shards/imagenet-train-%06d.tar"), maxcount=7, verbose=0) as out:
        for i in range(20):
            key = f"{LONG if i == 5 else ''}sample{i:04d}"
            data = content(key)
            out.write({"__key__": key, "jpg": data, "cls": i % 3, "json": {"label": 9, "text": "é"}})
            expected["shards/imagenet-train-{000000..000002}.tar"].append([f"{key}.jpg", str(i % 3), data.decode()])
    for suffix, label in (("txt", lambda i: "cat" if i % 2 else "dog"), ("json", lambda i: {"class": f"c{i % 2}"})):
        with webdataset.TarWriter(str(to / f"{suffix}.tar")) as out:
            for i in range(4):
                out.write({"__key__": f"{i}", "png": content(str(i)), suffix: label(i)})
        names = ("dog", "cat") if suffix == "txt" else ("c0", "c1")
        expected[f"{suffix}.tar"] = [[f"{i}.png", names[i % 2], content(str(i)).decode()] for i in range(4)]


if __name__ == "__main__":
    directory, found = pathlib.Path(sys.argv[1]), {}
    write_by_tarfile(directory, found)
    write_by_gnu_tar(directory, found)
    write_by_webdataset(directory, found)
    (directory / "expected.json").write_text(json.dumps(found))
