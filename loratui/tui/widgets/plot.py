"""A chart as characters: curves in braille dots, axes with round numbers, marks under the axis.

`draw` makes a picture of cells, each a character and the name of its part, from numbers reduced to dot columns; the
widget gives the parts their colours. Each part can be told from the others without any.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from loratui.lab.run.curves import Span

# The 2 × 4 dots of a braille cell: four bits of its left column and four of its right one, the topmost first.
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_BRAILLE = [
    [
        chr(0x2800 + sum(_LEFT[i] * (left >> i & 1) + _RIGHT[i] * (right >> i & 1) for i in range(4)))
        for right in range(16)
    ]
    for left in range(16)
]

Column = tuple[float, float, float] | None  # least, greatest and last value that falls into a dot column
Cell = tuple[str, str]  # a character, and the part it belongs to
Canvas = list[int]  # for each dot column its dots as bits, the topmost first

GUTTER = 7  # cells left of the plot: six for a number, one for the axis
MARK_SIGNS = {"checkpoint": "▲", "sample": "◆", "warning": "!", "nan": "x"}  # the later hides the earlier
ROUND = (1, 2, 5)


@dataclass(frozen=True)
class Curve:
    """One curve to draw. `part` names its style; `columns` are two for each cell of the plot's width."""

    part: str
    columns: Sequence[Column]
    dashed: bool = False
    thick: bool = False


@dataclass(frozen=True)
class Chart:
    """What to draw. Later curves lie above earlier ones; `points` are single values at steps, above all curves."""

    span: Span
    curves: Sequence[Curve] = ()
    points: Sequence[tuple[int, float, str, str]] = ()  # step, value, sign, part
    marks: Sequence[tuple[int, str]] = ()
    breaks: Sequence[int] = ()  # steps across which no curve is joined
    logarithmic: bool = False
    cursor: int | None = None  # a step
    bounds: tuple[float, float] | None = None  # least and greatest value to show; None for all


@dataclass
class Axis:
    """The y axis: which values the top and bottom dots stand for, and the round numbers between."""

    low: float
    high: float
    logarithmic: bool
    ticks: list[float] = field(default_factory=list)

    def dot(self, value: float, dots: int) -> int | None:
        """The row of dots, 0 at the top, that a value falls into; beyond the ends the first or last. None: no place."""
        if self.logarithmic:
            if value <= 0:
                return None
            value = math.log10(value)
        share = (self.high - value) / (self.high - self.low)
        return min(dots - 1, max(0, round(share * (dots - 1))))


def y_axis(low: float, high: float, rows: int, logarithmic: bool) -> Axis:
    """An axis that holds low and high, ends on round numbers, and has a tick about every fourth row."""
    return _log_axis(low, high, rows) if logarithmic else _linear_axis(low, high, rows)


def _linear_axis(low: float, high: float, rows: int) -> Axis:
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        spread = abs(high) / 10 or 1.0
        low, high = low - spread, high + spread
    if not math.isfinite(high - low):
        low, high = low / 4, high / 4
    step = round_up((high - low) / max(1, rows // 4))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [number * step for number in range(first, last + 1)]
    return Axis(ticks[0], ticks[-1], False, ticks)


def _log_axis(low: float, high: float, rows: int) -> Axis:
    """Ends and ticks at 1, 2 and 5 times powers of ten, or at powers only where there are many."""
    ladder = [
        (power, number) for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        for number in ROUND
    ]  # fmt: skip
    values = [number * 10.0**power for power, number in ladder]
    first = max(index for index, value in enumerate(values) if value <= low * (1 + 1e-9) or index == 0)
    last = min(index for index, value in enumerate(values) if value >= high * (1 - 1e-9) or index == len(values) - 1)
    last = max(last, first + 1) if first + 1 < len(values) else last
    shown = range(first, last + 1)
    ticks = [values[index] for index in shown]
    if len(ticks) > max(2, rows // 2):
        ticks = [values[index] for index in shown if ladder[index][1] == 1]
    ticks = ticks[:: -(-len(ticks) // max(2, rows // 2))]
    return Axis(math.log10(values[first]), math.log10(values[last]), True, ticks)


def round_up(value: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not less than a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((number * power for number in ROUND if number * power >= value * (1 - 1e-9)), 10 * power)


def draw(chart: Chart, width: int, height: int) -> list[list[Cell]]:
    """The chart in `width` × `height` cells: the plot, under it the axis with its marks, and the steps."""
    rows = max(1, height - 2)
    limits = chart.bounds or limits_of(chart)
    if limits is None or width <= GUTTER:
        return [[(" ", "")] * width for _ in range(height)]
    axis = y_axis(*limits, rows, chart.logarithmic)
    labels = dict(_labels(axis, rows))
    cells: list[list[Cell]] = []
    for row, line in enumerate(_plot(chart, axis, width - GUTTER, rows)):
        label = labels.get(row, "")
        cells.append([*_text(f"{label:>{GUTTER - 1}}"[: GUTTER - 1], "label"), ("┤" if label else "│", "axis"), *line])
    cells.append([*_text(" " * (GUTTER - 1), "label"), ("└", "axis"), *_axis_row(chart, width - GUTTER)])
    cells.append([*_text(" " * GUTTER, "label"), *_step_row(chart.span, width - GUTTER)])
    return cells[:height]


def dot_columns(width: int) -> int:
    """How many columns of dots a chart of this width has: what its curves are to be reduced to."""
    return 2 * max(1, width - GUTTER)


def limits_of(chart: Chart) -> tuple[float, float] | None:
    """The least and greatest value of everything; None when there is nothing that can be shown."""
    values = [value for curve in chart.curves for column in curve.columns if column for value in column[:2]]
    values += [value for _, value, _, _ in chart.points]
    return limits(values, chart.logarithmic)


def limits(values: Iterable[float], logarithmic: bool) -> tuple[float, float] | None:
    """The least and greatest of the values that the axis can show."""
    shown = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)]
    return (min(shown), max(shown)) if shown else None


# -- the plot -----------------------------------------------------------------------------------------------------


def _plot(chart: Chart, axis: Axis, width: int, rows: int) -> list[list[Cell]]:
    cells: list[list[Cell]] = [[(" ", "")] * width for _ in range(rows)]
    broken = {chart.span.column(step, 2 * width) for step in chart.breaks}
    for curve in chart.curves:
        canvas = _dots(curve, axis, 4 * rows, broken)
        if curve.dashed:
            canvas = [column_dots if column % 3 else 0 for column, column_dots in enumerate(canvas)]
        if curve.thick:
            canvas = [(column_dots | column_dots << 1) & (1 << 4 * rows) - 1 for column_dots in canvas]
        for row in range(rows):
            line, shift = cells[row], 4 * row
            for column in range(width):
                left, right = canvas[2 * column] >> shift & 15, canvas[2 * column + 1] >> shift & 15
                if left or right:
                    line[column] = (_BRAILLE[left][right], curve.part)
    for step, value, sign, part in chart.points:
        dot = axis.dot(value, 4 * rows) if math.isfinite(value) else None
        if dot is not None:
            cells[dot // 4][chart.span.column(step, width)] = (sign, part)
    if chart.cursor is not None:
        column = chart.span.column(chart.cursor, width)
        for line in cells:
            sign, part = line[column]
            line[column] = ("│", "cursor") if sign == " " else (sign, f"{part} cursor")
    return cells


def _dots(curve: Curve, axis: Axis, dots: int, broken: set[int]) -> Canvas:
    """Bars from least to greatest, each joined to the one before."""
    canvas = [0] * len(curve.columns)
    before: tuple[int, int] | None = None  # column and dot of the last value
    for column, values in enumerate(curve.columns):
        if values is None:
            continue
        high, last = axis.dot(values[1], dots), axis.dot(values[2], dots)
        low = axis.dot(values[0], dots)
        if high is None:
            continue
        low = dots - 1 if low is None else low
        last = low if last is None else last
        canvas[column] |= _bar(high, low)
        if before is not None and not any(before[0] < between <= column for between in broken):
            _join(canvas, before, (column, min(low, max(high, before[1]))))
        before = (column, last)
    return canvas


def _join(canvas: Canvas, start: tuple[int, int], end: tuple[int, int]) -> None:
    """A line between two dots, without gaps."""
    (column, dot), (last, target) = start, end
    previous = dot
    for x in range(column + 1, last + 1):
        y = dot + round((target - dot) * (x - column) / (last - column))
        # Half of a jump is drawn in either column.
        middle = (previous + y) // 2
        canvas[x - 1] |= _bar(min(previous, middle), max(previous, middle))
        canvas[x] |= _bar(min(middle, y), max(middle, y))
        previous = y


def _bar(top: int, bottom: int) -> int:
    return ((1 << (bottom - top + 1)) - 1) << top


# -- the axes -----------------------------------------------------------------------------------------------------


def _labels(axis: Axis, rows: int) -> list[tuple[int, str]]:
    texts = [_short(tick) for tick in axis.ticks] if axis.logarithmic else tick_words(axis.ticks)
    found: dict[int, str] = {}
    for tick, text in zip(axis.ticks, texts, strict=True):
        dot = axis.dot(tick, 4 * rows)
        if dot is not None:
            found.setdefault(dot // 4, text)
    return list(found.items())


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Ticks as text, as short as tells them apart."""
    if not ticks:
        return []
    greatest = max(abs(tick) for tick in ticks)
    gaps = [abs(b - a) for a, b in pairwise(ticks)]
    least = min([gap for gap in gaps if gap] or [greatest or 1.0])
    digits = max(0, -math.floor(math.log10(least) + 1e-9))
    words = [f"{0.0 if abs(tick) < least / 2 else tick:.{digits}f}" for tick in ticks] if digits < GUTTER else []
    if words and max(map(len, words)) < GUTTER:
        return words
    return [_short(tick) for tick in ticks]


def _short(tick: float) -> str:
    """0.02, 50000, 2e-5."""
    words = f"{tick:g}"
    if len(words) < GUTTER and "e" not in words:
        return words
    return re.sub(r"e([-+])0?", lambda found: "e" + found[1].strip("+"), f"{tick:.0e}")


def _axis_row(chart: Chart, width: int) -> list[Cell]:
    row: list[Cell] = [("─", "axis")] * width
    for step in step_ticks(chart.span, width):
        row[chart.span.column(step, width)] = ("┴", "axis")
    signs = list(MARK_SIGNS)
    for step, kind in sorted(chart.marks, key=lambda mark: signs.index(mark[1])):
        row[chart.span.column(step, width)] = (MARK_SIGNS[kind], kind)
    if chart.cursor is not None:
        column = chart.span.column(chart.cursor, width)
        row[column] = (row[column][0], f"{row[column][1]} cursor")
    return row


def _step_row(span: Span, width: int) -> list[Cell]:
    row: list[Cell] = [(" ", "label")] * width
    free = 0
    for step in step_ticks(span, width):
        text = step_words(step)
        start = min(width - len(text), max(0, span.column(step, width) - len(text) // 2))
        if start >= free:
            row[start : start + len(text)] = _text(text, "label")
            free = start + len(text) + 1
    return row


def step_ticks(span: Span, width: int) -> list[int]:
    """Round steps of the span, about every twelfth cell."""
    stride = max(1, round(round_up(max(1, span.last - span.first) / max(1, width // 12))))
    first = -(-span.first // stride)
    return [number * stride for number in range(first, span.last // stride + 1)]


def step_words(step: int) -> str:
    """1200, 20k, 1.5M: as on an axis."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(step) >= 10 * size or (abs(step) >= size == 1_000_000):
            return f"{step / size:g}{letter}"
    return str(step)


def _text(text: str, part: str) -> list[Cell]:
    return [(letter, part) for letter in text]
