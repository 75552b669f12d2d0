"""Sixel: pictures for terminals that take them six rows at a time. Encodes only; who can show it is told elsewhere.

The form is that of the VT340 (DEC STD 070): up to 256 colours, named once, then bands of six rows in which each colour
draws its own pixels. Pillow chooses the colours; everything per pixel is done by bytes methods, so that a picture of
800x800 takes a fraction of a second in plain Python.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def sixel(image: Image, colours: int = 256) -> str:
    """An RGB picture as the characters that draw it where the cursor is."""
    from PIL import Image as Images

    few = image.quantize(colours, Images.Quantize.FASTOCTREE, dither=Images.Dither.FLOYDSTEINBERG)
    palette = few.getpalette("RGB") or []
    pixels = few.tobytes()
    width, height = few.size
    parts = [f'\x1bP0;1q"1;1;{width};{height}']
    for number in sorted(set(pixels)):
        red, green, blue = (round(value * 100 / 255) for value in palette[3 * number : 3 * number + 3])
        parts.append(f"#{number};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        rows = [pixels[y * width : (y + 1) * width] for y in range(top, min(top + 6, height))]
        parts.append("$".join(_colour(number, rows) for number in sorted(set(b"".join(rows)))) + "-")
    parts.append("\x1b\\")
    return "".join(parts)


def _colour(number: int, rows: list[bytes]) -> str:
    """One colour's pixels of a band: a character for six pixels of a column, runs of it as `!count`."""
    together = 0
    for bit, row in enumerate(rows):
        together |= int.from_bytes(row.translate(_mask(number, bit)), "big")
    signs = together.to_bytes(len(rows[0]), "big").rstrip(b"\0").translate(_SIGNS)
    return f"#{number}" + _RUN.sub(lambda run: b"!%d%c" % (len(run[0]), run[1][0]), signs).decode("ascii")


_SIGNS = bytes(min(value + 63, 126) for value in range(256))
_masks: dict[tuple[int, int], bytes] = {}


def _mask(number: int, bit: int) -> bytes:
    """A table that turns the pixels of one colour into one bit and all others into none."""
    found = _masks.get((number, bit))
    if found is None:
        found = _masks[number, bit] = bytes(1 << bit if value == number else 0 for value in range(256))
    return found
