"""One image file: what its header says, whether it is whole, and its pixels as training sees them.

Colour handling in one place: EXIF orientation applied, transparency laid over white, 16-bit, palette, grey and CMYK
turned into 8-bit RGB; of an animation the first frame. Colour profiles are not applied, as in the other trainers.
Files are only read. Which files make a dataset is decided in dataset.py.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from loratui.lab.errors import LabError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}
# Pillow is asked for these alone: some of its other readers start programs or guess at sizes.
_READ = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
MOST_PIXELS = 64_000_000  # what is larger costs seconds and gigabytes to look at, and is no picture to train on
LARGE = 16_000_000  # pixels from which on one is decoded at a time, whatever how many threads look at others
MOST_BYTES = 512 << 20  # of a file; so many pixels without any compression, at 16 bits, have no more
_BROKEN = "export or copy the picture again, or take it out of the folder"


class UnreadableImage(LabError):
    """An image that cannot be trained on. `cause` says why, `remedy` what to do."""

    def __init__(self, path: Path, cause: str, remedy: str = _BROKEN) -> None:
        super().__init__(f"{path}: {cause}; {remedy}")
        self.cause, self.remedy = cause, remedy


@dataclass(frozen=True)
class Header:
    """What is known of an image file without its pixels; width and height are after EXIF orientation."""

    sha256: str
    width: int
    height: int
    format: str
    animated: bool


def read_header(path: Path) -> Header:
    """Header and hash of an image that can be decoded, as far as that shows in its bytes.

    A file that is not plainly whole (checksums, end mark) is decoded to find out. Raises UnreadableImage.
    """
    data = _bytes(path)
    with _opened(path, data) as image:
        width, height = image.size
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        chunks = png_chunks(data) if kind == "PNG" else []
        if not _is_whole(data, kind, chunks):
            image.load()
        turned = _may_be_turned(kind, chunks) and image.getexif().get(_ORIENTATION) in _SIDEWAYS
    if turned:
        width, height = height, width
    return Header(hashlib.sha256(data).hexdigest(), width, height, kind, animated)


def read_rgb(path: Path) -> Image.Image:
    """The picture upright, in 8-bit RGB. Raises UnreadableImage."""
    from PIL import ImageOps

    with _opened(path, _bytes(path)) as image:
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))


def read_small(path: Path, longer: int, most: int) -> tuple[Image.Image, tuple[int, int]]:
    """The picture upright, in 8-bit RGB, and its true (width, height), for showing: not for training.

    A JPEG is decoded at a fraction of its size, as long as its longer side keeps `longer` pixels. Raises
    UnreadableImage, also where more than `most` pixels would have to be decoded.
    """
    from PIL import ImageOps

    with _opened(path, _bytes(path)) as image:
        width, height = image.size
        scale = min(1.0, longer / max(width, height))
        image.draft("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))
        if image.width * image.height > most:
            raise UnreadableImage(path, f"{width}x{height} pixels are too many to show here", "open it in a viewer")
        image.load()
        if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
            width, height = height, width
        return _to_rgb(ImageOps.exif_transpose(image)), (width, height)


def fit(image: Image.Image, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Resized to cover (width, height) and cropped around the centre: uint8 (height, width, 3).

    One LANCZOS pass over exactly the part of the picture that stays.
    """
    import numpy as np
    from PIL import Image

    if image.size != (width, height):
        scale = min(image.width / width, image.height / height)
        across, down = width * scale, height * scale
        left, top = (image.width - across) / 2, (image.height - down) / 2
        # Rounding must not push the box past the picture by a hair; Pillow refuses that.
        box = (max(left, 0.0), max(top, 0.0), min(left + across, image.width), min(top + down, image.height))
        image = image.resize((width, height), Image.Resampling.LANCZOS, box=box)
    return np.array(image, dtype=np.uint8)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Pillow's Python warnings (large picture, odd EXIF) off a screen that someone else draws."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        mode = status.st_mode
        if S_ISDIR(mode):
            raise UnreadableImage(path, "a folder, not an image", "rename it or move it elsewhere")
        if not S_ISREG(mode):  # reading a pipe would wait for ever
            raise UnreadableImage(path, "not a regular file", "put the picture itself here")
        if status.st_size > MOST_BYTES:
            size = f"{status.st_size >> 20:,} MiB is more than the {MOST_BYTES >> 20} MiB that are read of a picture"
            raise UnreadableImage(path, size, "make it smaller")
        data = path.read_bytes()
    except FileNotFoundError as error:
        cause = "a link to a file that is not there" if path.is_symlink() else "no such file"
        raise UnreadableImage(path, cause, "put the picture itself here") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableImage(path, f"cannot be read: {reason}", "put a readable picture here") from error
    if not data:
        raise UnreadableImage(path, "the file is empty")
    return data


_one_large = threading.Lock()


@contextmanager
def _opened(path: Path, data: bytes) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_READ) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS:
                raise UnreadableImage(path, _too_large(f"{image.width}x{image.height} pixels"), "make it smaller")
            with _one_large if pixels > LARGE else nullcontext():
                yield image
    except UnidentifiedImageError as error:
        cause, remedy = _what_else(data)
        raise UnreadableImage(path, cause, remedy) from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, _too_large("its size"), "make it smaller") from error
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # decoders meet broken bytes with nearly any exception; all mean: cannot be decoded
        reason = str(error) or type(error).__name__
        raise UnreadableImage(path, f"damaged or cut short ({reason})") from error


def _too_large(size: str) -> str:
    return f"{size} is more than the {MOST_PIXELS // 10**6} million pixels that are looked at"


def _what_else(data: bytes) -> tuple[str, str]:
    """What a file that is no image may be, and what to do about it."""
    start = data[:64].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer in place of the image", "run `git lfs pull`"
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page saved under an image's name", "download the picture itself"
    if data[4:8] == b"ftyp":
        return "a HEIC or AVIF picture under another name", "convert it to PNG or JPEG"
    return "not a picture in PNG, JPEG, WebP or BMP format", _BROKEN


def _is_whole(data: bytes, kind: str, chunks: list[bytes]) -> bool:
    """Whether the bytes are complete beyond doubt; False means only that decoding must tell."""
    if kind == "PNG":
        return bool(chunks) and chunks[-1].startswith(b"IEND")
    if kind == "JPEG":
        return data[-64:].rstrip(b"\0").endswith(b"\xff\xd9")
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 <= len(data)
    if kind == "BMP":
        return 54 < int.from_bytes(data[2:6], "little") <= len(data)
    return False


def _may_be_turned(kind: str, chunks: list[bytes]) -> bool:
    """Whether asking for EXIF is worth it: Pillow decodes a whole PNG to look for what is nearly never there."""
    if kind != "PNG":
        return True
    marks = (b"eXIf", b"tEXtRaw profile type", b"zTXtRaw profile type", b"iTXtXML:com.adobe.xmp")
    return any(chunk.startswith(marks) for chunk in chunks)


def png_chunks(data: bytes) -> list[bytes]:
    """The beginnings of a PNG's chunks, name first, as far as their checksums hold. A whole one ends with IEND."""
    view, at = memoryview(data), 8
    chunks: list[bytes] = []
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > len(data) or zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            break
        chunks.append(data[at + 4 : min(at + 40, end)])
        if chunks[-1].startswith(b"IEND"):
            break
        at = end + 4
    return chunks


def _to_rgb(image: Any) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion cuts everything above 255 off
        image = image.convert("I").point([round(value / 257) for value in range(65536)], "L")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        paper = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, over).convert("RGB")
    converted: Image.Image = image.convert("RGB")
    return converted
