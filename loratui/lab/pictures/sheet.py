"""Contact sheets: many pictures on one page, base beside LoRA, labelled so that the page explains itself.

Small pictures are enlarged without smoothing, so that every pixel shows; nothing is measured here.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import itertools
import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from PIL import Image, ImageDraw, ImageFont

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import open_binary
from loratui.lab.pictures.pictures import PictureFacts
from loratui.lab.plain import plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Picture = Union[Path, Image.Image, "NDArray[np.uint8]"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SMALLEST, GREATEST = 128, 256  # pixels of the longer side of a cell
ROWS, HEIGHT = 60, 12_000  # no page has more rows, or is (much) taller in pixels
GAP, MARGIN, GUTTER = 4, 16, 190
_INK, _MUTED, _LINE, _EMPTY = "#1a1a1a", "#6e6e6e", "#d4d4d4", "#f4f4f4"
_TITLE, _TEXT, _SMALL = 19, 14, 12  # font sizes
_SUBSTITUTES = {"×": "x", "→": "->", "–": "-", "—": "-", "−": "-", "•": "·"}


@dataclass(frozen=True)
class Column:
    """Columns next to each other with the same group share a heading above their labels."""

    label: str
    group: str = ""


@dataclass(frozen=True)
class SheetRow:
    """One picture a column, None for an empty cell. Rows below each other with the same group show it once.

    `captions`, where there are any, are one line below each cell.
    """

    label: str
    cells: tuple[Picture | None, ...]
    group: str = ""
    captions: tuple[str, ...] = ()


def arrange(pictures: Sequence[tuple[PictureFacts, Picture]]) -> tuple[list[SheetRow], list[Column]]:
    """Rows of prompts and seeds as they come; columns by inference steps, each with the base model first.

    Only what varies is named.
    """
    facts = [one for one, _ in pictures]
    several = {name: len({getattr(one, name) for one in facts}) > 1
               for name in ("negative_prompt", "inference_steps", "guidance_scale", "width", "height")}  # fmt: skip
    several["scale"] = {one.scale for one in facts if one.scale is not None} - {1.0} != set()
    several["step"] = len({one.step for one in facts if one.scale is not None}) > 1
    loras = len({(one.run, one.lora) for one in facts if one.scale is not None}) > 1

    def row_of(one: PictureFacts) -> tuple[str, int]:
        negative = f" (negative prompt: {one.negative_prompt or 'none'})" if several["negative_prompt"] else ""
        return one.prompt + negative, one.seed

    def column_of(one: PictureFacts) -> Column:
        group = []
        if several["inference_steps"]:
            group.append(f"{one.inference_steps} inference step{'s' if one.inference_steps != 1 else ''}")
        if several["guidance_scale"]:
            group.append(f"guidance {one.guidance_scale:g}")
        if several["width"] or several["height"]:
            group.append(f"{one.width}x{one.height}")
        label = "base" if one.scale is None else one.lora if loras else "LoRA"
        if several["step"] and one.scale is not None:
            label += f", step {one.step}"
        if several["scale"] and one.scale is not None:
            label += f", scale {one.scale:g}"
        return Column(label, ", ".join(group))

    cells: dict[tuple[str, int], dict[Column, Picture]] = {}
    columns: dict[Column, tuple[float, ...]] = {}
    for one, picture in pictures:
        column = column_of(one)
        cells.setdefault(row_of(one), {})[column] = picture
        shown_first = -1.0 if one.scale is None else float(one.step)  # the base model goes before any LoRA
        columns.setdefault(column, (one.inference_steps, one.guidance_scale, shown_first, one.scale or 0.0))
    ordered = sorted(columns, key=lambda column: columns[column])
    prompts = list(dict.fromkeys(prompt for prompt, _ in cells))
    rows = [
        SheetRow(f"seed {seed}", tuple(by_column.get(column) for column in ordered), prompt)
        for (prompt, seed), by_column in sorted(cells.items(), key=lambda item: prompts.index(item[0][0]))
    ]
    return rows, ordered


def contact_sheet(rows: Sequence[SheetRow], columns: Sequence[Column], title: str, subtitle: str = "") -> Image.Image:
    """One page, (height, width) as they come out. ValueError when it would need more than one."""
    pages = contact_sheets(rows, columns, title, subtitle)
    if len(pages) != 1:
        raise ValueError(f"{len(rows)} rows need {len(pages)} pages")
    return pages[0]


def contact_sheets(
    rows: Sequence[SheetRow], columns: Sequence[Column], title: str, subtitle: str = ""
) -> list[Image.Image]:
    """Pages of at most 60 rows; each repeats the title and the headings. At least one row and one column."""
    if not rows or not columns or any(len(row.cells) != len(columns) for row in rows):
        raise ValueError("a contact sheet needs rows, columns, and as many cells in each row as there are columns")
    cell = _cell_size([picture for row in rows for picture in row.cells if picture is not None])
    per_page = max(1, min(ROWS, HEIGHT // (cell[1] + _below(rows) + GAP)))
    parts = [rows[start : start + per_page] for start in range(0, len(rows), per_page)]
    pages = []
    for number, part in enumerate(parts, 1):
        page = f" · page {number} of {len(parts)}" if len(parts) > 1 else ""
        pages.append(_page(part, columns, title + page, subtitle, cell))
    return pages


def dataset_sheet(images: Sequence[Picture], captions: Sequence[str], title: str = "") -> Image.Image:
    """Training images with their captions below, six in a row; of more than 60 images the first 60."""
    shown = list(zip(images, captions, strict=True))[:ROWS]
    if not shown:
        raise ValueError("a dataset sheet needs an image")
    left_out = len(images) - len(shown)
    cell = _cell_size([image for image, _ in shown])
    width = max(cell[0], 160)
    across = min(6, len(shown))
    font = _font(_SMALL)
    texts = [_wrapped(caption or "(no caption)", font, width, 5) for _, caption in shown]
    total = max(2 * MARGIN + across * width + (across - 1) * 2 * MARGIN, 480)
    note = f"{len(images)} images" + (f", {left_out} not shown" if left_out else "")
    heading = _Heading(title, note, total)
    tops = [MARGIN + heading.height]
    for start in range(0, len(shown), across):
        lines = max(len(text) for text in texts[start : start + across])
        tops.append(tops[-1] + cell[1] + 8 + lines * _line_height(_SMALL) + MARGIN)
    sheet = Image.new("RGB", (total, tops[-1]), "white")
    draw = ImageDraw.Draw(sheet)
    heading.draw(draw)
    for index, ((image, caption), text) in enumerate(zip(shown, texts, strict=True)):
        left, top = MARGIN + index % across * (width + 2 * MARGIN), tops[index // across]
        _paste(sheet, draw, image, (left, top), cell)
        _lines(draw, text, (left, top + cell[1] + 8), _SMALL, _INK if caption else _MUTED)
    return sheet


def _page(
    rows: Sequence[SheetRow], columns: Sequence[Column], title: str, subtitle: str, cell: tuple[int, int]
) -> Image.Image:
    label_font = _font(_SMALL)
    labels = max(int(label_font.getlength(_drawable(row.label))) for row in rows) + 8
    gutter = min(GUTTER, max(int(_font(_TEXT).getlength(_drawable(row.group))) for row in rows) + 1)
    left = MARGIN + (gutter + 16 if gutter > 1 else 0) + labels
    lefts = [left]
    for one, other in itertools.pairwise(columns):
        # A wider gap sets groups apart: by it, a reader knows which base belongs to which LoRA.
        lefts.append(lefts[-1] + cell[0] + (GAP if one.group == other.group else 4 * GAP))
    width = max(lefts[-1] + cell[0] + MARGIN, 480)
    heading = _Heading(title, subtitle, width)
    headers = [_wrapped(column.label, _font(_TEXT), cell[0], 2) for column in columns]
    grouped = any(column.group for column in columns)
    group_height = _line_height(_TEXT) + 8 if grouped else 0
    top = MARGIN + heading.height + group_height + max(map(len, headers)) * _line_height(_TEXT) + 4
    row_tops, tall = [top], cell[1] + _below(rows)
    for one_row, other_row in itertools.pairwise(rows):
        row_tops.append(row_tops[-1] + tall + (GAP if one_row.group == other_row.group else 4 * GAP))

    sheet = Image.new("RGB", (width, row_tops[-1] + tall + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    heading.draw(draw)
    header_top = MARGIN + heading.height
    for name, first, last in _spans([column.group for column in columns]):
        if name:
            start, end = lefts[first], lefts[last] + cell[0]
            text = _wrapped(name, _font(_TEXT), end - start, 1)[0]
            _centred(draw, text, (start, header_top, end), _TEXT, _INK)
            draw.line((start, header_top + group_height - 4, end, header_top + group_height - 4), fill=_LINE)
    for x, lines in zip(lefts, headers, strict=True):
        y = top - 4 - len(lines) * _line_height(_TEXT)  # labels stand on the pictures
        for number, line in enumerate(lines):
            _centred(draw, line, (x, y + number * _line_height(_TEXT), x + cell[0]), _TEXT, _INK)
    for name, first, last in _spans([row.group for row in rows]):
        height = row_tops[last] + cell[1] - row_tops[first]
        lines = _wrapped(name, _font(_TEXT), gutter, max(1, min(12, height // _line_height(_TEXT))))
        _lines(draw, lines, (MARGIN, row_tops[first]), _TEXT, _INK)
    for row, y in zip(rows, row_tops, strict=True):
        draw.text((left - 8, y + _TEXT - _SMALL), _drawable(row.label), fill=_MUTED, font=label_font, anchor="ra")
        for picture, x in zip(row.cells, lefts, strict=True):
            _paste(sheet, draw, picture, (x, y), cell)
        for caption, x in zip(row.captions, lefts, strict=False):
            text = _wrapped(caption, label_font, cell[0], 1)[0]
            _centred(draw, text, (x, y + cell[1] + 2, x + cell[0]), _SMALL, _MUTED)
    return sheet


def _below(rows: Sequence[SheetRow]) -> int:
    """Pixels that captions take below the cells."""
    return _line_height(_SMALL) + 4 if any(row.captions for row in rows) else 0


class _Heading:
    """Title and subtitle, wrapped to the page."""

    def __init__(self, title: str, subtitle: str, width: int) -> None:
        room = width - 2 * MARGIN
        self._title = _wrapped(title, _font(_TITLE), room, 4) if title else []
        self._subtitle = _wrapped(subtitle, _font(_SMALL), room, 4) if subtitle else []
        self._below_title = len(self._title) * _line_height(_TITLE) + 2
        self.height = self._below_title + len(self._subtitle) * _line_height(_SMALL) + 12

    def draw(self, draw: ImageDraw.ImageDraw) -> None:
        _lines(draw, self._title, (MARGIN, MARGIN), _TITLE, _INK)
        _lines(draw, self._subtitle, (MARGIN, MARGIN + self._below_title), _SMALL, _MUTED)


@contextlib.contextmanager
def _file(path: Path) -> Iterator[Image.Image]:
    try:
        with open_binary(path) as file, Image.open(file) as image:
            yield image
    except (OSError, ValueError, SyntaxError) as error:
        raise LabError(f"{path}: cannot be read as a picture: {cause_of(error)}") from error


def _opened(picture: Picture) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    if isinstance(picture, Path):
        with _file(picture) as image:
            return image.convert("RGB")
    return Image.fromarray(picture).convert("RGB")


def _size(picture: Picture) -> tuple[int, int]:
    if isinstance(picture, Path):
        with _file(picture) as image:
            return image.size
    if isinstance(picture, Image.Image):
        return picture.size
    return picture.shape[1], picture.shape[0]


def _scaled(width: int, height: int) -> tuple[int, int]:
    longer = max(width, height)
    if longer > GREATEST:
        return max(1, width * GREATEST // longer), max(1, height * GREATEST // longer)
    times = math.ceil(SMALLEST / longer)
    return width * times, height * times


def _cell_size(pictures: Sequence[Picture]) -> tuple[int, int]:
    sizes = [_scaled(*_size(picture)) for picture in pictures] or [(SMALLEST, SMALLEST)]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, picture: Picture | None, at: tuple[int, int], cell: tuple[int, int]
) -> None:
    """The picture in the middle of its cell, with a thin frame: many pictures are as white as the page."""
    if picture is None:
        draw.rectangle((at[0], at[1], at[0] + cell[0] - 1, at[1] + cell[1] - 1), fill=_EMPTY)
        return
    image = _opened(picture)
    size = _scaled(*image.size)
    how = Image.Resampling.NEAREST if size[0] >= image.width else Image.Resampling.LANCZOS
    x, y = at[0] + (cell[0] - size[0]) // 2, at[1] + (cell[1] - size[1]) // 2
    draw.rectangle((x - 1, y - 1, x + size[0], y + size[1]), outline=_LINE)
    sheet.paste(image.resize(size, how) if size != image.size else image, (x, y))


def _spans(names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Runs of equal names as (name, first index, last index)."""
    start = 0
    for name, run in itertools.groupby(names):
        length = len(list(run))
        yield name, start, start + length - 1
        start += length


@functools.cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


@functools.cache
def _line_height(size: int) -> int:
    return round(size * 1.35)


@functools.cache
def _has_glyph(character: str) -> bool:
    """Whether the built-in font can draw it; what it cannot, it draws as its sign for a missing glyph."""
    font = _font(_TEXT)
    return character == " " or bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))


@functools.cache
def _glyphs(character: str) -> str:
    """The character, else the letters it is made of (é is e), else a question mark: the font has little but ASCII."""
    if _has_glyph(character):
        return character
    if character in _SUBSTITUTES:
        return _SUBSTITUTES[character]
    parts = "".join(part for part in unicodedata.normalize("NFKD", character) if _has_glyph(part))
    return parts or "?"


def _drawable(text: str) -> str:
    flat = plain(" ".join(text.split()), 1000)
    return "".join(map(_glyphs, flat))


def _wrapped(text: str, font: Font, width: int, lines: int) -> list[str]:
    """`text` in at most `lines` lines of `width` pixels; words that are too long are broken; … where it was cut."""
    found = [""]
    for word in _drawable(text).split(" "):
        line = f"{found[-1]} {word}".strip()
        if font.getlength(line) <= width:
            found[-1] = line
            continue
        if found[-1]:
            found.append("")
        while font.getlength(word) > width and len(word) > 1 and len(found) <= lines:
            fits = _fitting(word, font, width)
            found[-1] = word[:fits]
            word = word[fits:]
            found.append("")
        found[-1] = word
        if len(found) > lines:
            break
    if len(found) > lines:
        found = found[:lines]
        while found[-1] and font.getlength(found[-1] + "…") > width:
            found[-1] = found[-1][:-1]
        found[-1] += "…"
    return found


def _fitting(word: str, font: Font, width: int) -> int:
    """How many of its letters fit, at least one."""
    return bisect.bisect_right(range(2, len(word)), width, key=lambda n: math.ceil(font.getlength(word[:n]))) + 1


def _lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], at: tuple[int, int], size: int, colour: str) -> None:
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * _line_height(size)), line, fill=colour, font=_font(size))


def _centred(draw: ImageDraw.ImageDraw, text: str, place: tuple[int, int, int], size: int, colour: str) -> None:
    left, top, right = place
    draw.text(((left + right) / 2, top), text, fill=colour, font=_font(size), anchor="ma")
