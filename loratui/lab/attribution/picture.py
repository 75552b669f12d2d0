"""An attribution as one picture: its table with counts and intervals, and beside each row what was drawn for it.

In the manner of the contact sheets, whose lettering it uses; words of the captions are drawn as far as the font has
their letters. Nothing is judged here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from loratui.lab.attribution.attribution import CARRIED, UNASKED, Attribution, Cell
from loratui.lab.attribution.plan import NONE, UNTRAINED, WORD, Feature, Unit
from loratui.lab.errors import LabError
from loratui.lab.files import open_binary
from loratui.lab.pictures.sheet import _drawable, _font, _line_height, _wrapped
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN, Rate

if TYPE_CHECKING:
    from loratui.lab.attribution.attribution import Example

MARGIN, GAP, THUMB, CELL, ROW, GUTTER = 18, 6, 64, 132, 76, 150  # pixels
SEEDS = 2  # pictures each way in a row
_TITLE, _TEXT, _SMALL = 21, 14, 12
_INK, _MUTED, _LINE, _TRACK, _INTERVAL = "#1a1a1a", "#6a6a6a", "#d4d4d4", "#e3e3e3", "#303030"
# Of each word: the ground of its cell, and the ink of the word and of the LoRA's bar.
_COLOURS = {
    CARRIED: ("#d9f0dd", "#13672c"),
    PARTLY: ("#fbf0c9", "#7d5a00"),
    UNASKED: ("#f1dff5", "#77297f"),
    NOT_SHOWN: ("#f5f5f5", "#767676"),
    UNCERTAIN: ("#e0ecf7", "#2b5a86"),
    TOO_FEW: ("#e0ecf7", "#2b5a86"),
}
_MEANINGS = (
    (CARRIED, "alone in most pictures, more often than the base and an untrained word; goes when left out or replaced"),
    (PARTLY, "shown alone, but not in most pictures, or it stays without the tag; or shown only in company"),
    (UNASKED, "the LoRA shows it as often for an untrained word, or for no tag at all"),
    (NOT_SHOWN, "alone no more often than by the base"),
    (TOO_FEW, "the pictures do not decide it; uncertain, in the same colour: nor is it known that more of them would"),
)  # fmt: skip
_SWATCHES = {
    "red": "#de1a22", "orange": "#ff8a00", "yellow": "#ffe21c", "green": "#1c9e3e", "blue": "#1e4cde",
    "purple": "#7c28a4", "pink": "#ff8ec4", "brown": "#7a461e", "gray": "#868686", "black": "#121214",
    "white": "#fcfcfc",
}  # fmt: skip


def attribution_picture(run: RunFolder, one: Attribution) -> Image.Image:
    """The table of one checkpoint. Pictures that are gone leave an empty place."""
    columns = len(one.features)
    pictures = MARGIN + GUTTER
    cells = pictures + 2 * (SEEDS * (THUMB + GAP) + GAP)
    width = max(cells + columns * (CELL + GAP) - GAP + MARGIN, 900)
    heading = _wrapped("Which tag took in what?", _font(_TITLE), width - 2 * MARGIN, 1)
    about = _wrapped(_about(one), _font(_SMALL), width - 2 * MARGIN, 3)
    top = MARGIN + _line_height(_TITLE) + 4 + len(about) * _line_height(_SMALL) + 10
    body = top + 54
    foot = body + sum(ROW + _before(one, number) for number in range(len(one.units))) + 14
    notes = _notes(one, width)
    height = foot + len(_MEANINGS) * 22 + 8 + len(notes) * _line_height(_SMALL) + MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    _text(draw, (MARGIN, MARGIN), heading[0], _TITLE, _INK)
    for number, line in enumerate(about):
        _text(draw, (MARGIN, MARGIN + _line_height(_TITLE) + 4 + number * _line_height(_SMALL)), line, _SMALL, _MUTED)
    for label, left in (("base", pictures), ("LoRA", cells - SEEDS * (THUMB + GAP) - GAP)):
        middle = left + (SEEDS * (THUMB + GAP) - GAP) / 2
        draw.text((middle, body - 22), label, fill=_INK, font=_font(_TEXT), anchor="ma")
    for number, feature in enumerate(one.features):
        _feature(draw, feature, (cells + number * (CELL + GAP), top))
    y = body
    for number, unit in enumerate(one.units):
        y += _before(one, number)
        if unit.kind != WORD or number == 0:
            draw.line((MARGIN, y - 4, width - MARGIN, y - 4), fill=_LINE)
        _label(draw, unit, y)
        _examples(sheet, draw, run, one.examples_of(unit)[:SEEDS], (pictures, y + (ROW - THUMB) // 2 - 2))
        for column in range(columns):
            _cell(draw, one.cell(unit, column), (cells + column * (CELL + GAP), y))
        y += ROW
    _legend(draw, foot, notes, width)
    return sheet


def _before(one: Attribution, number: int) -> int:
    """Space above a row: tags stand apart, words stay with their tag."""
    return 8 if number and one.units[number].kind != WORD else 0


def _about(one: Attribution) -> str:
    scale = f" at scale {one.scale:g}" if one.scale != 1 else ""
    return (f"{one.project} · step {one.step}{scale} · {len(one.seeds)} seeds, the same for every prompt · "
            f"{one.inference_steps} denoising steps · each cell: the prompt alone, upper bar with the LoRA, "
            "lower bar the base model; lines are 95 % intervals")  # fmt: skip


def _label(draw: ImageDraw.ImageDraw, unit: Unit, y: int) -> None:
    indent = 16 if unit.kind == WORD else 0
    quiet = unit.kind in (NONE, UNTRAINED)
    lines = _wrapped(unit.label, _font(_TEXT), GUTTER - indent - 12, 3)
    what = {NONE: "the empty prompt", UNTRAINED: "", WORD: "word"}.get(unit.kind, f"{unit.images} images")
    what = "1 image" if what == "1 images" else what
    height = len(lines) * _line_height(_TEXT) + (_line_height(_SMALL) if what else 0)
    at = y + (ROW - 8 - height) // 2
    if unit.kind == WORD:
        draw.line((MARGIN + 4, y - 2, MARGIN + 4, y + ROW // 2 - 4, MARGIN + 11, y + ROW // 2 - 4), fill=_LINE)
    for line in lines:
        _text(draw, (MARGIN + indent, at), line, _TEXT, _MUTED if quiet else _INK)
        at += _line_height(_TEXT)
    _text(draw, (MARGIN + indent, at), what, _SMALL, _MUTED)


def _feature(draw: ImageDraw.ImageDraw, feature: Feature, at: tuple[int, int]) -> None:
    x, y = at
    if isinstance(feature.value, str):
        measure, value = feature.measure, feature.value
    else:
        measure, value = feature.measure.replace("_", " "), f"{feature.value[0]:.2g} to {feature.value[1]:.2g}"
    _text(draw, (x, y + 4), measure, _SMALL, _MUTED)
    left = x
    if feature.measure in ("colour", "background") and value in _SWATCHES:
        draw.rectangle((x, y + 24, x + 15, y + 39), fill=_SWATCHES[value], outline=_MUTED)
        left += 22
    elif feature.measure == "shape":
        _shape(draw, value, (x, y + 24, x + 15, y + 39))
        left += 22
    line = _wrapped(value, _font(_TEXT), x + CELL - left, 1)[0]
    _text(draw, (left, y + 22), line, _TEXT, _INK)


def _shape(draw: ImageDraw.ImageDraw, name: str, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    if name == "circle":
        draw.ellipse(box, fill=_MUTED)
    elif name == "triangle":
        draw.polygon([((left + right) / 2, top), (right, bottom), (left, bottom)], fill=_MUTED)
    elif name == "rounded rectangle":
        draw.rounded_rectangle((left, top + 2, right, bottom - 2), 4, fill=_MUTED)
    else:
        draw.rectangle(box, fill=_MUTED)


def _examples(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, run: RunFolder, examples: Sequence[Example], at: tuple[int, int]
) -> None:
    """Base pictures, then the LoRA's of the same seeds."""
    x, y = at
    for paths in ([one.base for one in examples], [one.lora for one in examples]):
        for number in range(SEEDS):
            draw.rectangle((x - 1, y - 1, x + THUMB, y + THUMB), outline=_LINE)
            if number < len(paths):
                with (
                    contextlib.suppress(OSError, ValueError, SyntaxError, LabError),
                    open_binary(run.path / paths[number]) as file,
                    Image.open(file) as found,
                ):
                    picture = found.convert("RGB")
                    picture.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
                    sheet.paste(picture, (x + (THUMB - picture.width) // 2, y + (THUMB - picture.height) // 2))
            x += THUMB + GAP
        x += GAP


def _cell(draw: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int]) -> None:
    x, y = at
    word = cell.verdict.verdict
    ground, ink = _COLOURS[word]
    draw.rounded_rectangle((x, y, x + CELL - 1, y + ROW - 9), 4, fill=ground)
    _text(draw, (x + 8, y + 5), word, _TEXT, ink)
    draw.text((x + CELL - 7, y + 7), cell.partly, fill=ink, font=_font(_SMALL - 1), anchor="ra")
    _bar(draw, "LoRA", cell.lora, (x + 8, y + 28), ink)
    _bar(draw, "base", cell.base, (x + 8, y + 47), "#9a9a9a")


def _bar(draw: ImageDraw.ImageDraw, name: str, rate: Rate, at: tuple[int, int], colour: str) -> None:
    """k/n, and the share as a bar with its interval."""
    x, y = at
    known = f"{rate.k}/{rate.n}"
    _text(draw, (x, y), known, _SMALL, _INK if name == "LoRA" else _MUTED)
    left, right, middle = x + 46, x + CELL - 18, y + 8
    draw.rectangle((left, middle - 3, right, middle + 3), fill="#ffffff", outline=_TRACK)
    if not rate.n:
        return
    wide = right - left
    if rate.k:
        draw.rectangle((left, middle - 3, left + wide * rate.k / rate.n, middle + 3), fill=colour)
    ends = [left + wide * end for end in rate.interval]
    draw.line((ends[0], middle, ends[1], middle), fill=_INTERVAL)
    for end in ends:
        draw.line((end, middle - 3, end, middle + 3), fill=_INTERVAL)


def _notes(one: Attribution, width: int) -> list[str]:
    """What is not in the table, as lines."""
    unsure = sum(cell.lora.unsure + cell.base.unsure for cell in one.cells)
    sentences = [f"The untrained word is “{one.untrained}”; another could do otherwise."]
    sentences += [f"{unsure} times a measure was not sure of a picture; it then counts neither way."] if unsure else []
    few = sum(cell.verdict.verdict == TOO_FEW for cell in one.cells)
    if few and one.needed:
        sentences.append(
            f"{few} of {len(one.cells)} cells have too few pictures; about {one.needed} seeds would do for half."
        )
    sentences += [f"Left out: {sentence}." for sentence in one.left_out]
    return [line for sentence in sentences for line in _wrapped(sentence, _font(_SMALL), width - 2 * MARGIN, 3)]


def _legend(draw: ImageDraw.ImageDraw, top: int, notes: Sequence[str], width: int) -> None:
    draw.line((MARGIN, top - 8, width - MARGIN, top - 8), fill=_LINE)
    for number, (word, meaning) in enumerate(_MEANINGS):
        y = top + number * 22
        ground, ink = _COLOURS[word]
        draw.rounded_rectangle((MARGIN, y, MARGIN + 114, y + 18), 4, fill=ground)
        _text(draw, (MARGIN + 7, y + 1), word, _SMALL, ink)
        _text(draw, (MARGIN + 124, y + 1), _wrapped(meaning, _font(_SMALL), width - 2 * MARGIN - 124, 1)[0], _SMALL,
              _MUTED)  # fmt: skip
    y = top + len(_MEANINGS) * 22 + 8
    for line in notes:
        _text(draw, (MARGIN, y), line, _SMALL, _MUTED)
        y += _line_height(_SMALL)


def _text(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: str) -> None:
    draw.text(at, _drawable(text), fill=colour, font=_font(size))
