"""Images of every kind that the decoder promises, and damaged copies of them, made from a seed."""
import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 37, 29  # odd, and no multiple of a block, so that the edges count


def photo(channels=3, height=HEIGHT, width=WIDTH, seed=0):
    """Smooth gradients with noise: every value occurs, and JPEG has something to keep."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 120 * np.sin((x * (k + 1) + y * (3 - k)) / 11 + k) for k in range(channels)]
    noisy = np.stack(planes, -1) + rng.normal(0, 8, (height, width, channels))
    return noisy.clip(0, 255).astype(np.uint8)


def deep(channels=3, seed=0):
    rng = np.random.default_rng(seed + 50)
    return photo(channels, seed=seed).astype(np.uint16) * 256 + rng.integers(
        0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint16)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def image_of(mode):
    rgb = Image.fromarray(photo())
    if mode == "RGBA":
        return Image.fromarray(photo(4))
    if mode == "LA":
        return Image.merge("LA", [rgb.convert("L"), Image.fromarray(photo(1, seed=3)[..., 0])])
    if mode == "I;16":
        return Image.fromarray(deep(1)[..., 0])
    return rgb.convert(mode)


# --- JPEG ------------------------------------------------------------------------------------


def without_segment(jpeg, marker):
    """The file without its segments of one kind, such as Adobe's (0xee)."""
    out, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        size = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != marker:
            out += jpeg[at : at + size]
        at += size
    return out + jpeg[at:]


def jpegs():
    for mode, quality, progressive in itertools.product(("L", "RGB", "CMYK"), (30, 75, 95), (0, 1)):
        for sampling in (0, 1, 2) if mode == "RGB" else (0,):
            yield (f"{mode}_q{quality}_{'progressive' if progressive else 'baseline'}_{sampling}.jpg",
                   saved(image_of(mode), "JPEG", quality=quality, progressive=bool(progressive),
                         subsampling=sampling))
    cmyk = saved(image_of("CMYK"), "JPEG", quality=90)
    yield "CMYK_without_adobe.jpg", without_segment(cmyk, 0xEE)
    # The same data, declared to be YCCK.
    yield "YCCK.jpg", cmyk.replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2")
    yield "RGB_without_jfif.jpg", without_segment(saved(image_of("RGB"), "JPEG"), 0xE0)
    yield "RGB_kept.jpg", saved(image_of("RGB"), "JPEG", keep_rgb=True)
    yield "RGB_restarts.jpg", saved(image_of("RGB"), "JPEG", restart_marker_blocks=2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        yield f"exif_{orientation}.jpg", saved(image_of("RGB"), "JPEG", exif=exif.tobytes())


# --- PNG -------------------------------------------------------------------------------------


def png(samples, width, height, bits, kind, interlaced=False, extra=b"", filters=(0, 1, 2, 3, 4)):
    """samples: [height, width, channels], as they are to be stored."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    def rows(part):
        flat = part.reshape(part.shape[0], -1)
        if bits == 16:
            return flat.astype(">u2").view(np.uint8)
        if bits == 8:
            return flat.astype(np.uint8)
        places = np.unpackbits(flat.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        return np.packbits(places.reshape(flat.shape[0], -1), axis=1)

    pixel = max(1, samples.shape[2] * bits // 8)

    def filtered(part):
        data, before = b"", None
        for number, row in enumerate(rows(part).astype(int)):
            up = before if before is not None else np.zeros_like(row)
            left = np.concatenate([np.zeros(pixel, int), row])[: len(row)]
            corner = np.concatenate([np.zeros(pixel, int), up])[: len(row)]
            estimate = left + up - corner
            near = [abs(estimate - other) for other in (left, up, corner)]
            paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left,
                             np.where(near[1] <= near[2], up, corner))
            kind = filters[number % len(filters)]
            guess = (0 * row, left, up, (left + up) // 2, paeth)[kind]
            data += bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()
            before = row
        return data

    passes = [samples]
    if interlaced:
        starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
                  (1, 0, 2, 1))
        passes = [samples[top::down, left::across] for top, left, down, across in starts]
    data = b"".join(filtered(part) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + b"".join(chunk(name, body) for name, body in extra or ())
            + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def pngs():
    palette = photo(3, 1, 256, seed=7)[0]
    for interlaced in (False, True):
        end = "_interlaced.png" if interlaced else ".png"
        for kind, name, channels, depths in ((0, "gray", 1, (1, 2, 4, 8, 16)), (2, "rgb", 3, (8, 16)),
                                             (3, "palette", 1, (1, 2, 4, 8)),
                                             (4, "gray_alpha", 2, (8, 16)), (6, "rgba", 4, (8, 16))):
            for bits in depths:
                samples = deep(channels) >> (16 - bits)
                extra = [(b"PLTE", palette[: 1 << bits].tobytes())] if kind == 3 else []
                yield f"{name}_{bits}{end}", png(samples, WIDTH, HEIGHT, bits, kind, interlaced, extra)
                if kind in (0, 2, 3):
                    color = [int(v) for v in samples[0, 0]]
                    clear = bytes([0, 128]) if kind == 3 else struct.pack(f">{channels}H", *color)
                    yield (f"{name}_{bits}_transparent{end}",
                           png(samples, WIDTH, HEIGHT, bits, kind, interlaced,
                               extra + [(b"tRNS", clear)]))
    small = deep(1) >> 15  # far fewer values than the clipping of 16-bit gray knows
    yield "gray_16_dark.png", png(small * 200, WIDTH, HEIGHT, 16, 0)
    gamma = [(b"gAMA", struct.pack(">I", 30000))]
    yield "rgb_8_gamma.png", png(photo(), WIDTH, HEIGHT, 8, 2, extra=gamma)
    for side in ((1, 1), (1, 9), (9, 1), (300, 2)):
        yield f"rgb_{side[0]}x{side[1]}.png", png(photo(3, side[1], side[0]), *side, 8, 2)


# --- BMP -------------------------------------------------------------------------------------


def bmp(bits, rows, header=40, palette=b"", compression=0, masks=(), top_down=False, colors=0,
        width=WIDTH, height=HEIGHT):
    """rows: the bytes of the pixels as they are to be stored."""
    fields = b"".join(struct.pack("<I", mask) for mask in masks)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits,
                           compression, len(rows), 2835, 2835, colors, 0)
        info += fields[: header - 40].ljust(header - 40, b"\0")
        fields = fields if header == 40 else b""
    begin = 14 + len(info) + len(fields) + len(palette)
    return (b"BM" + struct.pack("<IHHI", begin + len(rows), 0, 0, begin) + info + fields + palette
            + rows)


def packed_rows(samples, bits):
    """Rows of indices or of little-endian pixels, each padded to 4 bytes."""
    if bits < 8:
        places = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        rows = np.packbits(places.reshape(len(samples), -1), axis=1)
    else:
        rows = samples.astype("<u4")[..., None].view(np.uint8)[..., : bits // 8]
        rows = rows.reshape(len(samples), -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


def run_lengths(indices, bits):
    """RLE8 or RLE4 with runs, literals, and a jump over what is 0."""
    out = bytearray()
    for number, row in enumerate(indices):
        if number == 5:
            out += bytes([0, 2, 0, 1])  # a jump over row 5, which stays 0
            continue
        at = 0
        while at < len(row):
            end = at
            while end < len(row) and row[end] == row[at] and end - at < 200:
                end += 1
            value = int(row[at])
            if end - at > 1 or len(row) - at < 3:
                out += bytes([end - at, value if bits == 8 else value * 17])
                at = end
                continue
            part = [int(v) for v in row[at : at + 7]]
            if bits == 4:
                part_bytes = bytes(a * 16 + b for a, b in itertools.zip_longest(
                    part[::2], part[1::2], fillvalue=0))
            else:
                part_bytes = bytes(part)
            out += bytes([0, len(part)]) + part_bytes + b"\0" * (len(part_bytes) % 2)
            at += len(part)
        out += b"\0\0"
    return bytes(out + b"\0\1")


def bmps():
    palette = photo(4, 1, 256, seed=9)[0]
    palette[:, 3] = 0
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, 1)
    black_white = bytes([0, 0, 0, 0, 255, 255, 255, 0])
    for bits in (1, 4, 8):
        indices = photo(1)[..., 0] >> (8 - bits)
        rows = packed_rows(indices, bits)
        entries = palette[: 1 << bits].tobytes()
        yield f"palette_{bits}.bmp", bmp(bits, rows, palette=entries)
        yield f"palette_{bits}_top_down.bmp", bmp(bits, rows, palette=entries, top_down=True)
        yield f"palette_{bits}_v5.bmp", bmp(bits, rows, header=124, palette=entries)
        yield (f"palette_{bits}_os2.bmp",
               bmp(bits, rows, header=12, palette=palette[: 1 << bits, :3].tobytes()))
        short = max(2, (1 << bits) * 2 // 3)
        yield (f"palette_{bits}_short.bmp",
               bmp(bits, rows, palette=palette[:short].tobytes(), colors=short))
    yield "gray_8.bmp", bmp(8, packed_rows(photo(1)[..., 0], 8), palette=gray.tobytes())
    yield "gray_1.bmp", bmp(1, packed_rows(photo(1)[..., 0] >> 7, 1), palette=black_white)
    yield "white_black_1.bmp", bmp(1, packed_rows(photo(1)[..., 0] >> 7, 1),
                                   palette=black_white[4:] + black_white[:4])
    for bits in (4, 8):
        indices = np.repeat(photo(1)[:, ::3, 0] >> (8 - bits), 3, 1)[:, :WIDTH]
        indices[:, 20:29] = photo(1, seed=4)[:, 20:29, 0] >> (8 - bits)
        yield (f"rle{bits}.bmp", bmp(bits, run_lengths(indices, bits), compression=3 - bits // 4,
                                     palette=palette[: 1 << bits].tobytes()))
    pixels = deep(1)[..., 0].astype(np.uint32) * 65537 ^ 0x5A5A1234
    yield "rgb_555.bmp", bmp(16, packed_rows(pixels & 0xFFFF, 16))
    for header in (40, 52, 56, 108, 124):
        for name, masks in (("555", (0x7C00, 0x3E0, 0x1F, 0)), ("565", (0xF800, 0x7E0, 0x1F, 0))):
            kept = masks[:3] if header < 56 else masks
            yield (f"rgb_{name}_fields_{header}.bmp",
                   bmp(16, packed_rows(pixels & 0xFFFF, 16), header, compression=3, masks=kept))
    for bits in (24, 32):
        for top_down in (False, True):
            yield (f"rgb_{bits}{'_top_down' if top_down else ''}.bmp",
                   bmp(bits, packed_rows(pixels, bits), top_down=top_down))
        yield f"rgb_{bits}_os2.bmp", bmp(bits, packed_rows(pixels, bits), header=12)
    for number, masks in enumerate(((0xFF0000, 0xFF00, 0xFF, 0), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                                    (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
                                    (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
                                    (0xFF000000, 0xFF0000, 0xFF00, 0))):
        yield f"fields_32_{number}.bmp", bmp(32, packed_rows(pixels, 32), 124, compression=3, masks=masks)


# --- TIFF ------------------------------------------------------------------------------------

SHORT, LONG = 3, 4


def tiff(samples, bits, photometric, order="<", planar=1, extra=(), rows=None, sample_format=None,
         palette=None, orientation=None, fill_order=None, deflate=False, tile=None):
    """Strips of `rows` rows, or square tiles; samples: [height, width, channels] as to be stored."""
    height, width, channels = samples.shape
    rows = rows or height

    def stored(part):
        flat = part.reshape(part.shape[0], -1)
        if bits >= 16:
            return flat.astype(flat.dtype.newbyteorder(order)).tobytes()
        if bits == 8:
            return flat.astype(np.uint8).tobytes()
        places = np.unpackbits(flat.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        return np.packbits(places.reshape(flat.shape[0], -1), axis=1).tobytes()

    planes = [samples] if planar == 1 else [samples[..., c : c + 1] for c in range(channels)]
    if tile:
        planes = [np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0))) for plane in planes]
        strips = [stored(plane[top : top + tile, left : left + tile]) for plane in planes
                  for top in range(0, height, tile) for left in range(0, width, tile)]
    else:
        strips = [stored(plane[top : top + rows]) for plane in planes for top in range(0, height, rows)]
    if fill_order == 2:
        strips = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in strip) for strip in strips]
    if deflate:
        strips = [zlib.compress(strip) for strip in strips]
    tags = {256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [bits] * channels),
            259: (SHORT, [8 if deflate else 1]), 262: (SHORT, [photometric]), 277: (SHORT, [channels]),
            284: (SHORT, [planar])}
    sizes = (LONG, [len(strip) for strip in strips])
    tags.update({322: (LONG, [tile]), 323: (LONG, [tile]), 325: sizes} if tile else
                {278: (LONG, [rows]), 279: sizes})
    if extra:
        tags[338] = (SHORT, list(extra))
    if sample_format:
        tags[339] = (SHORT, [sample_format] * channels)
    if palette is not None:
        tags[320] = (SHORT, [int(v) * 257 for v in palette.T.reshape(-1)])
    for tag, value in ((274, orientation), (266, fill_order)):
        if value:
            tags[tag] = (SHORT, [value])
    at, offsets = 8, []
    for strip in strips:
        offsets.append(at)
        at += len(strip) + len(strip) % 2
    tags[324 if tile else 273] = (LONG, offsets)
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    directory, tail = struct.pack(order + "H", len(tags)), b""
    tail_at = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(data) > 4:
            place = struct.pack(order + "I", tail_at + len(tail))
            tail += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", at) + body + directory + b"\0\0\0\0" + tail


def saved_tiffs():
    compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
    for mode, how in itertools.product(("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"), compressions):
        yield f"{mode.replace(';', '_')}_{how}.tif", saved(image_of(mode), "TIFF", compression=how)
    for how in ("group3", "group4"):
        yield f"1_{how}.tif", saved(image_of("1"), "TIFF", compression=how)
    for mode in ("L", "RGB", "CMYK", "YCbCr"):
        yield f"{mode}_jpeg.tif", saved(image_of(mode), "TIFF", compression="jpeg", quality=80)
    for mode in ("RGB", "L"):
        for how in ("zstd", "lzma"):
            yield f"{mode}_{how}.tif", saved(image_of(mode), "TIFF", compression=how)
    for how in ("tiff_lzw", "tiff_adobe_deflate"):
        yield f"RGB_{how}_predictor.tif", saved(image_of("RGB"), "TIFF", compression=how, tiffinfo={317: 2})
    yield "YCbCr_raw.tif", saved(image_of("YCbCr"), "TIFF")
    yield "YCbCr_lzw.tif", saved(image_of("YCbCr"), "TIFF", compression="tiff_lzw")
    yield "LAB.tif", saved(Image.merge("LAB", Image.fromarray(photo()).split()), "TIFF")
    yield "I_32.tif", saved(image_of("I"), "TIFF")
    yield "F_32.tif", saved(Image.fromarray((photo(1)[..., 0] * 1.3 - 20).astype("f4")), "TIFF")
    yield "big.tif", saved(image_of("RGB"), "TIFF", big_tiff=True)
    yield "two_pages.tif", saved(image_of("RGB"), "TIFF", save_all=True, append_images=[image_of("L")])


def built_tiffs():
    palette = photo(3, 1, 256, seed=7)[0]
    for order, side in (("<", "little"), (">", "big")):
        for bits in (1, 2, 4, 8, 16):
            gray = deep(1) >> (16 - bits)
            for photometric in (0, 1) if bits < 16 else (1,):
                yield f"gray_{photometric}_{bits}_{side}.tif", tiff(gray, bits, photometric, order, rows=7)
            if bits <= 8:
                yield (f"palette_{bits}_{side}.tif",
                       tiff(gray, bits, 3, order, palette=palette[: 1 << bits]))
        for planar, deflate in itertools.product((1, 2), (False, True)):
            end = f"{'planes' if planar == 2 else 'pixels'}_{'deflate' if deflate else 'raw'}_{side}.tif"
            yield f"rgb_8_{end}", tiff(photo(), 8, 2, order, planar, rows=8, deflate=deflate)
            yield f"rgb_16_{end}", tiff(deep(), 16, 2, order, planar, rows=8, deflate=deflate)
            yield f"cmyk_8_{end}", tiff(photo(4), 8, 5, order, planar, deflate=deflate)
            for extra in (0, 1, 2):
                yield (f"rgb_8_extra_{extra}_{end}",
                       tiff(photo(4), 8, 2, order, planar, (extra,), rows=8, deflate=deflate))
        for extra in (0, 1, 2):
            yield f"rgb_16_extra_{extra}_{side}.tif", tiff(deep(4), 16, 2, order, extra=(extra,))
        yield f"gray_alpha_{side}.tif", tiff(photo(2), 8, 1, order, extra=(2,))
        yield f"cmyk_16_{side}.tif", tiff(deep(4), 16, 5, order)
        yield f"signed_8_{side}.tif", tiff(photo(1), 8, 1, order, sample_format=2)
        yield (f"signed_16_{side}.tif",
               tiff((deep(1).astype(np.int32) // 64 - 300).astype(np.int16), 16, 1, order, sample_format=2))
        yield (f"float_{side}.tif",
               tiff((photo(1) * 1.5 - 60).astype(np.float32), 32, 1, order, sample_format=3))
    for tile, deflate in itertools.product((16, 48), (False, True)):
        end = f"tiles_{tile}_{'deflate' if deflate else 'raw'}.tif"
        yield f"rgb_{end}", tiff(photo(), 8, 2, tile=tile, deflate=deflate)
        yield f"rgba_{end}", tiff(photo(4), 8, 2, extra=(2,), tile=tile, deflate=deflate)
        yield f"gray_1_{end}", tiff(photo(1) >> 7, 1, 1, tile=tile, deflate=deflate)
        yield f"gray_16_{end}", tiff(deep(1), 16, 1, tile=tile, deflate=deflate)
        yield f"planes_{end}", tiff(photo(), 8, 2, planar=2, tile=tile, deflate=deflate)
    yield "fill_order_8.tif", tiff(photo(1), 8, 1, fill_order=2)
    yield "fill_order_1.tif", tiff(photo(1) >> 7, 1, 1, fill_order=2)
    for orientation in range(1, 9):
        yield f"orientation_{orientation}.tif", tiff(photo(), 8, 2, orientation=orientation)


# --- PNM and WebP ----------------------------------------------------------------------------


def pnms():
    for maxval in (1, 15, 100, 254, 255, 256, 1023, 4095, 65534, 65535):
        for channels, kind in ((1, 5), (3, 6)):
            samples = (deep(channels).astype(np.float64) / 65535 * maxval).round().astype(np.uint16)
            head = f"{WIDTH} {HEIGHT}\n{maxval}\n".encode()
            stored = samples.astype(">u2" if maxval > 255 else np.uint8).tobytes()
            yield f"P{kind}_{maxval}.{'pgm' if kind == 5 else 'ppm'}", b"P%d\n" % kind + head + stored
            text = " ".join(str(v) for v in samples.reshape(-1)).encode()
            yield (f"P{kind - 3}_{maxval}.{'pgm' if kind == 5 else 'ppm'}",
                   b"P%d\n# a comment\n" % (kind - 3) + head + text + b"\n" * (maxval % 2))
    bits = photo(1)[..., 0] >> 7
    head = f"{WIDTH} {HEIGHT}\n".encode()
    yield "P4.pbm.ppm", b"P4\n" + head + np.packbits(bits, axis=1).tobytes()
    yield "P1.pbm.ppm", b"P1\n" + head + "".join(str(v) for v in bits.reshape(-1)).encode()
    yield "P1_spaced.ppm", b"P1 # c\n" + head + b"\n".join(b" ".join(b"%d" % v for v in row) for row in bits)
    yield "P6_above_maxval.ppm", b"P6 2 1 100 " + bytes([0, 50, 100, 150, 200, 255])


def webps():
    for mode in ("RGB", "RGBA", "L"):
        yield f"{mode}_lossless.webp", saved(image_of(mode), "WEBP", lossless=True, exact=True)
        for quality in (20, 80):
            yield f"{mode}_q{quality}.webp", saved(image_of(mode), "WEBP", quality=quality)
    yield "exif.webp", saved(image_of("RGB"), "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    yield "animated.webp", saved(image_of("RGB"), "WEBP", save_all=True,
                                 append_images=[Image.fromarray(photo(seed=5))])


def unsupported():
    yield "x.gif", saved(image_of("P"), "GIF")
    yield "x.ico", saved(image_of("RGB"), "ICO", sizes=[(16, 16)])
    yield "x.tga", saved(image_of("RGB"), "TGA")
    yield "x.pcx", saved(image_of("RGB"), "PCX")
    yield "x.pfm", b"Pf\n2 1\n-1.0\n" + struct.pack("<ff", 3, 4)
    yield "x.j2k", saved(image_of("RGB"), "JPEG2000")


def valid_images():
    """(name, bytes) of each."""
    for files in (jpegs, pngs, bmps, saved_tiffs, built_tiffs, pnms, webps, unsupported):
        yield from files()


def mutants(images, seed):
    """Damaged copies without end: bits, bytes, headers, cuts, holes, and parts that moved."""
    rng = np.random.default_rng(seed)
    for number in itertools.count():
        name, data = images[int(rng.integers(len(images)))]
        data = bytearray(data)
        size = len(data)
        kind = int(rng.integers(6))
        if kind == 0:
            data[int(rng.integers(size))] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            for _ in range(int(rng.integers(1, 9))):
                data[int(rng.integers(size))] = int(rng.integers(256))
        elif kind == 2:
            data[int(rng.integers(min(size, 128)))] = int(rng.choice([0, 1, 2, 3, 8, 127, 128, 255]))
        elif kind == 3:
            del data[int(rng.integers(1, size)) :]
        elif kind == 4:
            begin = int(rng.integers(size))
            end = min(size, begin + int(rng.integers(1, 65)))
            data[begin:end] = bytes(end - begin)
        else:
            begin, to = (int(v) for v in rng.integers(size, size=2))
            part = bytes(data[begin : begin + int(rng.integers(1, 33))])
            data[to : to + len(part)] = part
        yield f"m{number:05d}_{name}", bytes(data)
