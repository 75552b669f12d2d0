"""Pictures for an article: bounded in size, encoded anew without what they carried, and not more than fit.

Small ones keep every pixel; larger ones become small, with a palette of their own.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from loratui.lab.files import open_binary
from loratui.lab.plain import plain
from loratui.lab.report.article import Picture

EXACT = 128  # pixels; up to here every pixel is kept
SIDE = 192  # of the longer side, for larger ones
LARGE = 1400  # for tables and sheets that have to be read
BUDGET = 5_000_000  # bytes of all pictures together


class Album:
    """The pictures of one article. `left_out` counts those that would have been too much."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.left_out = 0
        self.unread: dict[Path, str] = {}
        self._taken: dict[str, Picture] = {}

    def take(self, path: Path, name: str, alt: str, side: int = SIDE) -> Picture | None:
        """The picture at a path; None where it cannot be read, or does not fit any more. One name is one picture."""
        name = file_name(name)
        if name in self._taken:
            return self._taken[name]
        try:
            picture = _encoded(path, name, alt, side)
        except Exception as error:  # Pillow raises whatever a broken file makes it stumble over
            self.unread[path] = plain(error, 200)
            return None
        if len(picture.data) > self.budget:
            self.left_out += 1
            return None
        self.budget -= len(picture.data)
        self._taken[name] = picture
        return picture


def file_name(name: str) -> str:
    """Letters, digits, dots and dashes of ASCII."""
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", name.removesuffix(".png")).strip("-.")[:100] or "picture"
    return f"{stem}.png"


def _encoded(path: Path, name: str, alt: str, side: int) -> Picture:
    from PIL import Image, ImageOps

    with open_binary(path) as file, Image.open(file) as opened:
        if opened.width * opened.height > 100_000_000:
            raise ValueError(f"{opened.width}x{opened.height} pixels are too many")
        opened.draft("RGB", (2 * side, 2 * side))
        upright = ImageOps.exif_transpose(opened)
        if upright.has_transparency_data:
            clear = upright.convert("RGBA")
            upright = Image.new("RGB", clear.size, "white")
            upright.paste(clear, mask=clear.getchannel("A"))
        image = upright.convert("RGB")
    longer = max(image.size)
    if longer > max(EXACT, side):
        size = tuple(max(1, math.ceil(length * side / longer)) for length in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if longer > EXACT:
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return Picture(name, out.getvalue(), *image.size, plain(alt, 300))
