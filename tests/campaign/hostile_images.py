"""Images that are broken, that lie, or that are only unusual: built here, by Pillow and by hand, one function a kind.

A name says what a file claims to be and what it is. Each is small on disk, whatever it asks of memory.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

Made = tuple[str, bytes]  # file name, content


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(
    width: int, height: int, depth: int, colour: int, rows: bytes, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A PNG by hand: its header may promise what its rows do not hold."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + before
        + _png_chunk(b"IDAT", zlib.compress(rows, 9))
        + after
        + _png_chunk(b"IEND", b"")
    )


def _picture(mode: str = "RGB", size: tuple[int, int] = (96, 96)) -> Image.Image:
    image = Image.linear_gradient("L").resize(size)
    if mode in ("I;16", "I", "F"):
        return image.convert("I").point(lambda v: v * 256).convert(mode) if mode != "F" else image.convert("F")
    return image.convert(mode)


def _saved(image: Image.Image, kind: str, **given: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **given)
    return buffer.getvalue()


def _bomb(side: int, mode: str = "L") -> bytes:
    """Millions of pixels of one colour: some kilobytes on disk."""
    bytes_each = {"1": 0, "L": 1, "RGB": 3}[mode]
    row = b"\0" + (b"\0" * (side * bytes_each) if bytes_each else b"\0" * ((side + 7) // 8))
    squeezer = zlib.compressobj(9)
    packed = b"".join([*(squeezer.compress(row) for _ in range(side)), squeezer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1 if mode == "1" else 8, 2 if mode == "RGB" else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", packed) + _png_chunk(b"IEND", b"")


def _kinds() -> Iterator[tuple[str, Callable[[], Made]]]:
    good_png, good_jpg = _saved(_picture(), "PNG"), _saved(_picture(), "JPEG")
    good_gif, good_webp = _saved(_picture("P"), "GIF"), _saved(_picture(), "WEBP")
    good_bmp, good_tiff = _saved(_picture(), "BMP"), _saved(_picture(), "TIFF")
    plain: dict[str, Made] = {
        "zero bytes": ("a.png", b""),
        "one byte": ("a.png", b"\x89"),
        "text": ("a.png", b"this is no picture\n"),
        "html": ("a.jpg", b"<html><body>404</body></html>"),
        "escape sequences": ("a.png", b"\x1b]52;c;aGk=\x07" * 50),
        "noise": ("a.png", bytes((i * 197 + 31) % 256 for i in range(5_000))),
        "NUL": ("a.jpg", b"\0" * 10_000),
        "svg as png": ("a.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        "svg": ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        "pdf as png": ("a.png", b"%PDF-1.4\n1 0 obj\n"),
        "zip as png": ("a.png", b"PK\x03\x04" + b"\0" * 60),
        "heic header": ("a.png", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500),
        "avif header": ("a.jpg", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 500),
        "jpeg xl header": ("a.png", b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 90),
        "postscript as png": ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 96\n%%EndComments\n(x) show\n"),
        "ppm as png": ("a.png", _saved(_picture(), "PPM")),
        "psd header": ("a.png", b"8BPS\0\1" + b"\0" * 40),
        "ico as png": ("a.png", _saved(_picture(size=(32, 32)), "ICO")),
        "pcx as png": ("a.png", _saved(_picture(), "PCX")),
        "half a png": ("a.png", good_png[: len(good_png) // 2]),
        "png header alone": ("a.png", good_png[:33]),
        "png without its end": ("a.png", good_png[:-12]),
        "png with a bad checksum": ("a.png", good_png[:40] + b"\xff" + good_png[41:]),
        "png with more behind": ("a.png", good_png + b"more" * 1_000),
        "jpeg as png": ("a.png", good_jpg),
        "png as jpeg": ("a.jpg", good_png),
        "half a jpeg": ("a.jpg", good_jpg[: len(good_jpg) // 2]),
        "jpeg header alone": ("a.jpg", good_jpg[:20]),
        "jpeg with a hole": ("a.jpg", good_jpg[:400] + b"\0" * 300 + good_jpg[700:]),
        "gif": ("a.gif", good_gif),
        "gif as png": ("a.png", good_gif),
        "half a gif": ("a.gif", good_gif[: len(good_gif) // 2]),
        "webp": ("a.webp", good_webp),
        "half a webp": ("a.webp", good_webp[: len(good_webp) // 2]),
        "bmp": ("a.bmp", good_bmp),
        "half a bmp": ("a.bmp", good_bmp[: len(good_bmp) // 2]),
        "bmp as png": ("a.png", good_bmp),
        "bmp of huge size": ("a.bmp", good_bmp[:18] + struct.pack("<ii", 2**30, 2**30) + good_bmp[26:]),
        "bmp of negative size": ("a.bmp", good_bmp[:18] + struct.pack("<ii", -96, -(2**31)) + good_bmp[26:]),
        "tiff as png": ("a.png", good_tiff),
        "half a tiff": ("a.tif", good_tiff[: len(good_tiff) // 2]),
        "tiff that loops": ("a.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + b"\0" * 90),
    }
    for name, made in plain.items():
        yield name, lambda made=made: made
    yield "png of 0x0", lambda: ("a.png", _png(0, 0, 8, 2, b""))
    yield "png of 1x1", lambda: ("a.png", _saved(_picture(size=(1, 1)), "PNG"))
    yield "png of 1x5000", lambda: ("a.png", _saved(_picture(size=(1, 5000)), "PNG"))
    yield "png of 5000x1", lambda: ("a.png", _saved(_picture(size=(5000, 1)), "PNG"))
    yield "png that says 2^31-1", lambda: ("a.png", _png(2**31 - 1, 2**31 - 1, 8, 2, b"\0" * 100))
    yield "png that says 50000x50000", lambda: ("a.png", _png(50_000, 50_000, 8, 2, b"\0" * 100))
    yield "png with too few rows", lambda: ("a.png", _png(96, 96, 8, 2, b"\0" * 500))
    yield "png with too many rows", lambda: ("a.png", _png(96, 96, 8, 2, b"\0" * (289 * 9_000)))
    yield "png of an impossible depth", lambda: ("a.png", _png(96, 96, 7, 2, b"\0" * 30_000))
    yield "png of an unknown colour type", lambda: ("a.png", _png(96, 96, 8, 5, b"\0" * 30_000))
    yield "palette png without a palette", lambda: ("a.png", _png(96, 96, 8, 3, b"\0" * 97 * 96))
    yield "bomb of 8,000x8,000", lambda: ("a.png", _bomb(8_000))
    yield "bomb of 13,000x13,000", lambda: ("a.png", _bomb(13_000))
    yield "bomb of 13,000x13,000 in colour", lambda: ("a.png", _bomb(13_000, "RGB"))
    yield "bomb of 13,000x13,000 of bits", lambda: ("a.png", _bomb(13_000, "1"))
    yield "bomb of 20,000x20,000", lambda: ("a.png", _bomb(20_000))
    yield "bomb of text", lambda: ("a.png", _png(96, 96, 8, 0, b"\0" * 97 * 96, _ztxt(200 << 20)))
    yield "bomb of an ICC profile", lambda: ("a.png", _png(96, 96, 8, 0, b"\0" * 97 * 96, _iccp(200 << 20)))
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        yield f"png of mode {mode}", lambda mode=mode: ("a.png", _saved(_picture(mode), "PNG"))
    for mode in ("L", "CMYK"):
        yield f"jpeg of mode {mode}", lambda mode=mode: ("a.jpg", _saved(_picture(mode), "JPEG"))
    yield "tiff of floats", lambda: ("a.tif", _saved(_picture("F"), "TIFF"))
    yield "tiff of floats as png", lambda: ("a.png", _saved(_picture("F"), "TIFF"))
    yield "palette with transparency", lambda: ("a.png", _saved(_picture("P"), "PNG", transparency=0))
    yield "wholly transparent", lambda: ("a.png", _saved(Image.new("RGBA", (96, 96), (9, 9, 9, 0)), "PNG"))
    yield "broken ICC profile", lambda: ("a.png", _saved(_picture(), "PNG", icc_profile=b"no profile" * 20))
    yield "16 bits of colour", lambda: ("a.png", _png(96, 96, 16, 2, (b"\0" + bytes(range(192)) * 3) * 96))
    for number in (1, 2, 3, 6, 8, 0, 99):
        yield f"EXIF turn {number}", lambda number=number: ("a.jpg", _turned(number))
    yield "broken EXIF", lambda: ("a.jpg", _saved(_picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    yield "animated gif", lambda: ("a.gif", _animated("GIF"))
    yield "animated png", lambda: ("a.png", _animated("PNG"))
    yield "animated webp", lambda: ("a.webp", _animated("WEBP"))
    yield "several pages", lambda: ("a.tif", _animated("TIFF"))
    yield "progressive jpeg", lambda: ("a.jpg", _saved(_picture(), "JPEG", progressive=True))
    for name in ("a\x1b[31m.png", "a\u202egnp.png", "a\n.png", "-rf.png", "a" * 250 + ".png", " .png", "ä%s{0}.png"):
        yield f"named {name[:12]!r}", lambda name=name: (name, good_png)


def _ztxt(length: int) -> bytes:
    squeezer = zlib.compressobj(9)
    packed = b"".join([*(squeezer.compress(b" " * (1 << 20)) for _ in range(length >> 20)), squeezer.flush()])
    return _png_chunk(b"zTXt", b"Comment\0\0" + packed)


def _iccp(length: int) -> bytes:
    squeezer = zlib.compressobj(9)
    packed = b"".join([*(squeezer.compress(b"\0" * (1 << 20)) for _ in range(length >> 20)), squeezer.flush()])
    return _png_chunk(b"iCCP", b"profile\0\0" + packed)


def _turned(number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = number
    return _saved(_picture(size=(96, 64)), "JPEG", exif=exif.tobytes())


def _animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (96, 96), (40 * number, 0, 0)) for number in range(4)]
    return _saved(frames[0], kind, save_all=True, append_images=frames[1:])


KINDS: dict[str, Callable[[], Made]] = dict(_kinds())
