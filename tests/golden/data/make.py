#!/usr/bin/env python3
"""Pictures in every format that temper reads, and what Pillow reads from them and scales them to.

Needs pillow 11 (13 takes the two passes of resize in another order at times), numpy and xxhash. Run it in this folder;
the files it writes are committed.
"""
import io
import struct
import zlib

import numpy as np
import xxhash
from PIL import Image

W, H = 23, 18


def picture(width=W, height=H):
    """Smooth colours with some edges; the tests make the same by the same formula."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([(x * 11 + y * 3) % 256, (x * 2 + y * 13) % 256, ((x // 5 + y // 4) % 2) * 200 + 20], axis=2)
    return rgb.astype(np.uint8)


def golden(name, image=None, mode="RGB"):
    """NAME.npy: what Pillow reads from NAME, as RGB."""
    image = image or Image.open(name)
    np.save(name + ".npy", np.asarray(image.convert(mode)))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, color, interlace, raw, extra=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def adam7(pixels):
    raw = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for row in pixels[y0::dy, x0::dx]:
            if row.size:
                raw += b"\0" + row.tobytes()
    return raw


def bmp(width, height, bits, compression, palette, body, masks=b""):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    offset = 14 + len(head) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + masks + palette + body


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def jpegs(rgb):
    image = Image.fromarray(rgb)
    image.save("rgb.jpg", quality=85)
    image.save("progressive.jpg", quality=85, progressive=True, subsampling=0)
    image.convert("L").save("gray.jpg", quality=85)
    image.convert("CMYK").save("cmyk.jpg", quality=90)
    for name in ["rgb.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg"]:
        golden(name)
    np.save("rgb.jpg.gray.npy", np.asarray(Image.open("rgb.jpg").convert("L")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(rgb[:6, :10]).save(f"orientation{orientation}.jpg", quality=85, exif=exif)
    from PIL import ImageOps
    for orientation in range(1, 9):
        name = f"orientation{orientation}.jpg"
        golden(name, ImageOps.exif_transpose(Image.open(name)))


def pngs(rgb):
    image = Image.fromarray(rgb)
    image.save("rgb.png", optimize=True)
    alpha = np.dstack([rgb, (np.arange(W * H) * 7 % 256).reshape(H, W).astype(np.uint8)])
    Image.fromarray(alpha).save("rgba.png", optimize=True)
    image.convert("L").save("gray.png", optimize=True)
    image.quantize(13).save("palette4.png")
    image.quantize(200).save("palette8.png", transparency=3)
    image.convert("1").save("bit.png")
    write("interlaced.png", png(W, H, 8, 2, 1, adam7(rgb)))
    wide = (rgb.astype(int) * 256 + 77).astype(">u2")
    write("rgb16.png", png(W, H, 16, 2, 0, b"".join(b"\0" + row.tobytes() for row in wide)))
    gray2 = np.packbits(np.unpackbits((rgb[:, :20, 0] >> 6)[..., None], axis=2)[..., 6:].reshape(H, -1), axis=1)
    write("gray2.png", png(20, H, 2, 0, 0, b"".join(b"\0" + row.tobytes() for row in gray2)))
    for name in ["rgb.png", "rgba.png", "gray.png", "palette4.png", "palette8.png", "bit.png", "interlaced.png", "gray2.png"]:
        golden(name)
    np.save("rgb16.png.npy", rgb)


def webps(rgb):
    image = Image.fromarray(rgb)
    image.save("lossy.webp", quality=80)
    image.save("lossless.webp", lossless=True)
    for name in ["lossy.webp", "lossless.webp"]:
        golden(name)
    image.save("animated.webp", save_all=True, append_images=[image.rotate(180)], lossless=True)


def runs8(indices):
    """Runs where two or more are equal, the rest as it is."""
    body = b""
    for row in indices[::-1]:
        x = 0
        while x < len(row):
            n = 1
            while x + n < len(row) and n < 255 and row[x + n] == row[x]:
                n += 1
            if n == 1 and x + 3 <= len(row):
                body += bytes([0, 3]) + bytes(row[x:x + 3]) + b"\0"
                x += 3
            else:
                body += bytes([n, row[x]])
                x += n
        body += b"\0\0"
    return body[:-2] + b"\0\1"


def bmps(rgb):
    image = Image.fromarray(rgb)
    image.save("rgb24.bmp")
    image.convert("L").save("gray8.bmp")
    image.convert("1").save("bit.bmp")
    palette = image.quantize(16)
    colors = np.array(palette.getpalette()[:48], np.uint8).reshape(-1, 3)
    table = b"".join(bytes([b, g, r, 0]) for r, g, b in colors).ljust(64, b"\0")
    indices = np.asarray(palette)
    nibbles = np.zeros((H, 24), np.uint8)
    nibbles[:, :W] = indices
    body = b"".join(bytes(row[0::2] << 4 | row[1::2]) for row in nibbles[::-1])
    write("palette4.bmp", bmp(W, H, 4, 0, table, body))
    write("runs8.bmp", bmp(W, H, 8, 1, table, runs8((indices // 4 * 4).tolist())))
    # Runs of 4 bits: as they are, two in turn, a skip (which Pillow gets wrong), ends of rows; the bottom row first.
    write("runs4.bmp", bmp(8, 4, 4, 2, table, bytes([0, 6, 0x12, 0x34, 0x56, 0, 2, 0x67, 0, 0, 0, 2, 3, 1, 4, 0x99, 0, 0, 8, 0xAB, 0, 1])))
    pixels = np.array([[10, 11] * 4, [0] * 3 + [9] * 4 + [0], [0] * 8, [1, 2, 3, 4, 5, 6, 6, 7]])
    np.save("runs4.bmp.npy", colors[pixels].astype(np.uint8))
    bgrx = np.dstack([rgb[..., ::-1], np.full((H, W), 9, np.uint8)])
    write("rgb32.bmp", bmp(W, -H, 32, 0, b"", bgrx.tobytes()))
    r, g, b = [rgb[..., i].astype(np.uint16) for i in range(3)]
    line = lambda p: b"".join(row.tobytes().ljust(48, b"\0") for row in p[::-1])
    write("rgb555.bmp", bmp(W, H, 16, 0, b"", line(r >> 3 << 10 | g >> 3 << 5 | b >> 3)))
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    write("rgb565.bmp", bmp(W, H, 16, 3, b"", line(r >> 3 << 11 | g >> 2 << 5 | b >> 3), masks))
    core = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, W, H, 1, 24)
    write("core.bmp", core + b"".join(row[:, ::-1].tobytes().ljust(72, b"\0") for row in rgb[::-1]))
    for name in ["rgb24.bmp", "gray8.bmp", "bit.bmp", "palette4.bmp", "runs8.bmp", "rgb32.bmp", "rgb555.bmp", "rgb565.bmp", "core.bmp"]:
        golden(name)


def scaled():
    """One line per case: filter, output size, box, gray, hash of the pixels."""
    filters = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    image = Image.fromarray(picture(301, 201))
    with open("resize.txt", "w", encoding="utf-8") as out:
        for name, code in filters.items():
            for size in [(224, 224), (301, 100), (64, 201), (17, 9), (640, 333), (1, 1), (301, 201)]:
                for box in [(0, 0, 301, 201), (10, 20, 150, 160), (3.25, 0.5, 299.75, 180.125)]:
                    for gray in [0, 1]:
                        source = image.convert("L") if gray else image
                        pixels = np.asarray(source.resize(size, code, box=box)).tobytes()
                        print(name, *size, *box, gray, xxhash.xxh64(pixels).hexdigest(), file=out)


def arrays():
    """.npy files as NumPy writes them."""
    numbers = np.arange(24).reshape(2, 3, 4)
    np.save("c_i32.npy", numbers.astype("<i4"))
    np.save("fortran_f64.npy", np.asfortranarray(numbers.astype("<f8")))
    np.save("big_i16.npy", numbers.astype(">i2") - 12)
    np.save("big_fortran_f32.npy", np.asfortranarray(numbers.astype(">f4")))
    np.save("scalar_bool.npy", np.array(True))
    np.save("f16.npy", np.array([1.5, -2, 65504], np.float16))
    np.save("empty_u8.npy", np.zeros((0, 3), np.uint8))
    np.save("complex.npy", np.array([1j]))
    np.save("record.npy", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]))
    with open("version2.npy", "wb") as out:
        np.lib.format.write_array(out, numbers.astype("u1"), version=(2, 0))


if __name__ == "__main__":
    rgb = picture()
    jpegs(rgb)
    pngs(rgb)
    webps(rgb)
    bmps(rgb)
    scaled()
    arrays()
