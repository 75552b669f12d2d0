"""Sixels, read back by a decoder that knows nothing of the encoder."""

from __future__ import annotations

import re

from PIL import Image, ImageDraw

from loratui.lab.pictures.sixel import sixel


def decoded(text: str) -> Image.Image:
    """The picture that a terminal draws of a sixel sequence."""
    match = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert match, text[:80]
    image = Image.new("RGB", (int(match[1]), int(match[2])), (1, 2, 3))
    palette: dict[int, tuple[int, int, int]] = {}
    x = top = colour = 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|(\$)|(-)", match[3]):
        if token[2] is not None:
            palette[int(token[1])] = tuple(round(int(token[n]) * 255 / 100) for n in (2, 3, 4))  # type: ignore[assignment]
        elif token[1] is not None:
            colour = int(token[1])
        elif token[8]:
            x = 0
        elif token[9]:
            x, top = 0, top + 6
        else:
            bits = ord(token[6] or token[7]) - 63
            count = int(token[5] or 1)
            for row in [row for row in range(6) if bits >> row & 1]:
                for column in range(x, x + count):
                    image.putpixel((column, top + row), palette[colour])
            x += count
    assert "".join(token[0] for token in re.finditer(r"[#!$\-?-~0-9;]+", match[3])) == match[3]
    return image


def test_a_picture_comes_back_as_it_was() -> None:
    image = Image.new("RGB", (50, 20), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((5, 3, 20, 15), fill=(255, 0, 0))
    draw.ellipse((25, 2, 40, 18), fill=(0, 0, 255))
    back = decoded(sixel(image))
    assert back.size == image.size
    pairs = zip(back.tobytes(), image.tobytes(), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 3  # colours are told in hundredths


def test_a_photograph_is_near_what_it_was() -> None:
    image = Image.merge("RGB", [Image.linear_gradient("L").resize((60, 31)).rotate(90 * n) for n in range(3)])
    back = decoded(sixel(image)).resize((6, 3), Image.Resampling.BOX).tobytes()
    small = image.resize((6, 3), Image.Resampling.BOX).tobytes()
    assert max(abs(one - other) for one, other in zip(back, small, strict=True)) < 30


def test_flat_colour_is_short() -> None:
    assert len(sixel(Image.new("RGB", (800, 600), "red"))) < 3000
