"""Pictures as cells of a terminal: two pixels a cell, fitted into a box, and why not where a file cannot be shown.

Everything here may take long and belongs in a thread. Small versions of pictures that are slow to decode are kept in
the cache folder; losing them costs nothing but time. How cells are drawn is decided by who draws.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.dataset.imagefiles import UnreadableImage, read_small
from loratui.lab.files import PART_SUFFIX, cache_folder, make_folder, open_binary
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from PIL.Image import Image

SMALL = 256  # pixels of the longer side of a version in the cache
SLOW = 300_000  # pixels from which decoding again is dearer than a small version on disk
MOST_PIXELS = 50_000_000  # a picture of more would take over 150 MB to decode
MOST_BYTES = 96 * 2**20  # of the cache
_LOOK_EVERY = 200  # new small versions between two looks at the size of the cache

Stamp = tuple[int, int]  # mtime in ns, bytes: what a file's content is known by


@dataclass(frozen=True)
class Cells:
    """A picture in a box of `columns` x `rows` cells, two pixels a cell, one above the other.

    The picture's own pixels are `width` x `height`, packed RGB, beginning at cell (`left`, `top`) of the box; where
    the height is odd its last cell has no lower pixel. `size` is the file's own (width, height). A picture that
    cannot be shown has no pixels, and `problem` says why.
    """

    columns: int
    rows: int
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0
    pixels: bytes = b""
    size: tuple[int, int] = (0, 0)
    problem: str = ""


def stamp(path: Path) -> Stamp | None:
    """What tells whether a file is still the same, without reading it; None when there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def thumbnail(path: Path, columns: int, rows: int) -> Cells:
    """The picture, as large as it fits into the box with its shape kept. Never raises for what the file holds.

    A picture smaller than the box is enlarged a whole number of times, every pixel a square; a larger one is smoothed.
    """
    from PIL import Image

    columns, rows = max(1, columns), max(1, rows)
    try:
        image, size = _load(path, max(columns, 2 * rows))
    except UnreadableImage as error:
        return Cells(columns, rows, problem=plain(f"{error.cause}; {error.remedy}", 300))
    except (MemoryError, OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        return Cells(columns, rows, problem=plain(f"cannot be shown: {error or type(error).__name__}", 300))
    width, height = fitted(size, (columns, 2 * rows))
    if image.size != (width, height):
        how = Image.Resampling.NEAREST if width > size[0] else Image.Resampling.LANCZOS
        image = image.resize((width, height), how, reducing_gap=3.0)
    left, top = (columns - width) // 2, (rows - (height + 1) // 2) // 2
    return Cells(columns, rows, left, top, width, height, image.tobytes(), size)


def fitted(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a picture in a box of pixels: whole times larger, or smaller by any factor."""
    width, height = size
    scale = min(box[0] / width, box[1] / height)
    if scale >= 1:
        return width * int(scale), height * int(scale)
    return max(1, min(box[0], round(width * scale))), max(1, min(box[1], round(height * scale)))


def _load(path: Path, longer: int) -> tuple[Image, tuple[int, int]]:
    """The upright picture with at least `longer` pixels on its longer side, unless it has fewer; and its true size."""
    known = stamp(path) if longer <= SMALL else None
    kept = _file(path, known) if known else None
    if kept is not None and (found := _read_kept(kept)):
        return found
    # Twice the pixels that are needed, so that the last step down is a good one.
    image, size = read_small(path, 2 * max(longer, SMALL), MOST_PIXELS)
    if kept is not None and size[0] * size[1] > SLOW:
        image.thumbnail((SMALL, SMALL), reducing_gap=3.0)
        _keep(kept, image, size)
    return image, size


# --- small versions on disk ---------------------------------------------------------------------------------------


def _folder() -> Path:
    return cache_folder() / "thumbs"


def _file(path: Path, known: Stamp) -> Path:
    name = os.fsencode(path.absolute()) + b"\0%d\0%d" % known
    digest = hashlib.sha256(name).hexdigest()
    return _folder() / digest[:2] / f"{digest}.jpg"


def _read_kept(file: Path) -> tuple[Image, tuple[int, int]] | None:
    from PIL import Image

    try:
        with open_binary(file) as opened, Image.open(opened, formats=("JPEG",)) as image:
            image.load()
            width, height = map(int, bytes(image.info["comment"]).split())
            if width > 0 and height > 0 and image.mode == "RGB":
                return image.copy(), (width, height)
    except FileNotFoundError:
        return None
    except Exception:  # torn by a power cut, or not ours: made again below
        with contextlib.suppress(OSError):
            file.unlink()
    return None


def _keep(file: Path, image: Image, size: tuple[int, int]) -> None:
    """Best effort: a full disk or a read-only home only means decoding again. Whole or not there for other readers."""
    part = file.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")
    try:
        make_folder(file.parent)
        try:
            image.save(part, "JPEG", quality=90, subsampling=0, comment=b"%d %d" % size)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError:
        return
    if _due():
        prune(_folder())


_lock = threading.Lock()
_written = 0


def _due() -> bool:
    global _written
    with _lock:
        _written += 1
        return _written % _LOOK_EVERY == 1


def prune(folder: Path, most: int = MOST_BYTES) -> None:
    """Remove the oldest small versions until three quarters of `most` bytes are left. Others may do so as well."""
    found: list[tuple[int, int, str]] = []
    with contextlib.suppress(OSError):
        for group in os.scandir(folder):
            with contextlib.suppress(OSError):
                for entry in os.scandir(group.path):
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        found.append((status.st_mtime_ns, status.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    if total <= most:
        return
    for _, size, path in sorted(found):
        with contextlib.suppress(OSError):
            Path(path).unlink()
        total -= size
        if total <= most * 3 // 4:
            return
