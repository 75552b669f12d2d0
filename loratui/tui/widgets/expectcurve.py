"""One expectation against steps: the LoRA's rate with its interval, the base's, and what the training seed alone does.

It draws what it is given and reads nothing. Each part can be told from the others without colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from loratui.lab.run.curves import Span
from loratui.lab.scores.scores import Copies, Mean, Moved, Score
from loratui.lab.scores.statistics import Change, Rate
from loratui.tui.widgets.chartparts import cells
from loratui.tui.widgets.plot import GUTTER, Cell, Chart, Column, Curve, dot_columns, draw

_PARTS = ("band", "lora", "base", "noise", "axis", "label", "cursor")


@dataclass(frozen=True)
class Point:
    """A number at a step, with its interval, and what the base's pictures give. Shares are in percent."""

    step: int
    value: float
    low: float
    high: float
    base: float | None
    told: str = ""  # k/n or the like
    base_told: str = ""


@dataclass(frozen=True)
class Noise:
    """The least and the greatest over runs that differ in their training seed alone."""

    step: int
    low: float
    high: float
    runs: int


def points_of(curve: Sequence[Score | Mean | Copies | Moved]) -> tuple[Point, ...]:
    """The points of a measure against steps; what could not be measured is left out."""
    found = [point for one in curve if (point := _point(one)) is not None]
    return tuple(sorted(found, key=lambda point: point.step))


def _point(one: Score | Mean | Copies | Moved) -> Point | None:
    step = one.place.step
    if isinstance(one, Score):
        return _share(step, one.lora, one.base)
    if isinstance(one, Copies):
        return _share(step, Rate(one.copies, one.n), Rate(one.base_copies, one.n))
    if isinstance(one, Moved):
        return _number(step, one.rmse, one.rmse_middle, None)
    return _number(step, one.lora, one.lora_middle, one.base) if one.lora is not None else None


def _share(step: int, lora: Rate, base: Rate) -> Point | None:
    if not lora.n:
        return None
    low, high = lora.interval
    without = 100 * base.k / base.n if base.n else None
    told = (f"{lora.k}/{lora.n}", f"{base.k}/{base.n}")
    return Point(step, 100 * lora.k / lora.n, 100 * low, 100 * high, without, *told)


def _number(step: int, value: float, middle: Change | None, base: float | None) -> Point:
    sure = middle is not None and abs(middle.low) != float("inf") and abs(middle.high) != float("inf")
    low, high = (middle.low, middle.high) if middle is not None and sure else (value, value)
    return Point(step, value, min(low, value), max(high, value), base, f"{value:.3g}",
                 f"{base:.3g}" if base is not None else "")  # fmt: skip


class ExpectCurve(Widget):
    """`show(points, …)`. It has no keys of its own: who shows it has."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {f"expectcurve--{part}" for part in _PARTS}
    DEFAULT_CSS = """
    ExpectCurve { height: 1fr; min-height: 3; }
    ExpectCurve > .expectcurve--band { color: $primary 55%; }
    ExpectCurve > .expectcurve--lora { color: $primary; text-style: bold; }
    ExpectCurve:nocolor > .expectcurve--lora { color: $foreground; }
    ExpectCurve > .expectcurve--base { color: $text-warning; text-style: bold; }
    ExpectCurve > .expectcurve--noise { color: $text-success; }
    ExpectCurve > .expectcurve--axis { color: $foreground 40%; }
    ExpectCurve > .expectcurve--label { color: $foreground 60%; }
    ExpectCurve > .expectcurve--cursor { color: $foreground; background: $foreground 15%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[object, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._noise: tuple[Noise, ...] = ()
        self._percent, self._last, self._cursor, self._words = True, 1, None, ""
        self._rows: list[list[Cell]] = []
        self._styles: dict[str, Style] = {}

    _cursor: int | None

    def show(
        self, points: Sequence[Point], *, last: int = 1, cursor: int | None = None, percent: bool = True,
        noise: Sequence[Noise] = (), words: str = "",
    ) -> None:  # fmt: skip
        """Draw these against steps up to `last`; `words` stand where there are none."""
        wanted = (tuple(points), tuple(noise), percent, last, cursor, words)
        if wanted != self._shown:
            self._shown = wanted
            self._points, self._noise, self._percent, self._last, self._cursor, self._words = wanted
            self._redraw()

    @property
    def text(self) -> str:
        """What is drawn, for tests."""
        return "\n".join("".join(sign for sign, _ in row).rstrip() for row in self._rows)

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.size
        rows = self._draw(width, height) if width > 0 and height > 0 else []
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def _draw(self, width: int, height: int) -> list[list[Cell]]:
        blank: list[Cell] = [(" ", "label")] * width
        if not self._points or width <= 2 * GUTTER or height < 5:
            rows = [list(blank) for _ in range(height)]
            words = cells(self._words, "label")[:width] if not self._points else self._legend(width)
            rows[min(1, height - 1) if not self._points else 0] = [*words, *blank[len(words) :]]
            return rows
        legend = self._legend(width)
        return [[*legend, *blank[len(legend) :]], *draw(self._chart(width), width, height - 1)]

    def _chart(self, width: int) -> Chart:
        span, columns = Span(0, max(1, self._last)), dot_columns(width)
        points, noise = self._points, self._noise
        band = [(p.step, p.low, p.high) for p in points]
        base = [(p.step, p.base, p.base) for p in points if p.base is not None]
        curves = [Curve("band", _band(band, span, columns))]
        for edge in (0, 1):
            line = [(one.step, *2 * ((one.low, one.high)[edge],)) for one in noise]
            curves.append(Curve("noise", _band(line, span, columns), dashed=True))
        curves.append(Curve("base", _band(base, span, columns), dashed=True))
        curves.append(Curve("lora", _band([(p.step, p.value, p.value) for p in points], span, columns)))
        marks = [(p.step, p.value, "●", "lora") for p in points]
        if len(base) == 1:
            marks.insert(0, (base[0][0], base[0][1] or 0.0, "○", "base"))
        return Chart(span, curves, marks, cursor=self._cursor, bounds=(0.0, 100.0) if self._percent else None)

    def _legend(self, width: int) -> list[Cell]:
        at = next((p for p in self._points if p.step == self._cursor), self._points[-1])
        unit = " %" if self._percent else ""
        parts = [("●", "lora"), (f" LoRA {at.told} at step {at.step:,}", "label")]
        parts += [("  ⣿", "band"), (" 95 %", "label")]
        parts += [("  ⠒⠂", "base"), (f" base {at.base_told}", "label")] if at.base is not None else []
        if self._noise:
            runs = max(one.runs for one in self._noise)
            parts += [("  ⠒⠂", "noise"), (f" {runs} training seeds", "label")]
        found: list[Cell] = []
        for text, part in parts:
            if len(found) + cell_len(text) <= width:
                found += cells(text, part)
        note = "share of pictures, %" if unit else ""
        if note and len(found) + len(note) + 2 <= width:
            found += cells(" " * (width - len(found) - len(note)) + note, "label")
        return found

    # -- painting -------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        row = self._rows[y]
        return Strip([Segment(sign, self._style(part)) for sign, part in row], len(row)).simplify()

    def _style(self, part: str) -> Style:
        if part not in self._styles:
            name, _, over = part.partition(" ")
            style = self.get_visual_style(f"expectcurve--{name}").rich_style if name else self.rich_style
            if over:
                style += Style(bgcolor=self.get_visual_style(f"expectcurve--{over}").rich_style.bgcolor)
            self._styles[part] = style
        return self._styles[part]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self.refresh()


def _band(points: Sequence[tuple[int, float, float]], span: Span, columns: int) -> list[Column]:
    """From least to greatest in every dot column, straight between the points; nothing before the first."""
    found: list[Column] = [None] * columns
    for step, low, high in points:
        found[span.column(step, columns)] = (low, high, high)
    for (step, low, high), (then, low2, high2) in pairwise(points):
        first, last = span.column(step, columns), span.column(then, columns)
        for column in range(first + 1, last):
            share = (column - first) / (last - first)
            top = high + share * (high2 - high)
            found[column] = (low + share * (low2 - low), top, top)
    return found
