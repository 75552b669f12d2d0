"""The loss of a run as a chart that grows: raw, smoothed and probe loss, marks on the axis, and a cursor to ask with.

Draws what `lab.curves` has read, at most twice a second and only when something came; only cells that differ are
painted. Other runs can be laid over the first. It reads no file and needs nobody to poll: whoever owns the curves does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from loratui.lab.plain import plain
from loratui.lab.run.curves import Span
from loratui.tui.widgets.chartparts import SHORTEST, ChartSeries, Shown, cells, chart_of, span_of, words_above
from loratui.tui.widgets.plot import GUTTER, MARK_SIGNS, Cell, draw

__all__ = ["ChartSeries", "LossChart"]

REDRAW_SECONDS = 0.5  # at least this long between two drawings of a growing run
PIECES = 12
_PARTS = ("raw", "smooth", "probe", "other", "otherprobe", "axis", "label", "cursor", *MARK_SIGNS)


class _Piece(Widget):
    """A part of the chart's width. Textual writes a line of a widget from its beginning to the last changed cell, and
    a run grows on the right: in pieces, only the last of them is written."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "_Piece { width: 1fr; height: 1fr; }"

    def __init__(self, chart: LossChart) -> None:
        super().__init__()
        self._chart = chart

    @property
    def _start(self) -> int:
        return self.region.x - self._chart.content_region.x

    def paint(self, y: int, columns: Sequence[int]) -> None:
        """Paint the line as far as these columns of the chart are in this piece."""
        start, end = self._start, self._start + self.size.width
        inside = [column for column in columns if start <= column < end]
        if inside:
            self.refresh(Region(inside[0] - start, y, inside[-1] + 1 - inside[0], 1))

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        return self._chart.line_between(y, self._start, self._start + self.size.width)


class LossChart(Widget, can_focus=True):
    """`chart.show([ChartSeries(run.id, curves)])`, then `chart.refresh_chart()` after every poll."""

    help_text = (
        "Loss over steps. The grey area is the raw loss from least to greatest, the bright line its running mean, the "
        "dots are the probe loss: the same noise and timesteps each time, so that two steps can be compared. Marks on "
        "the axis: ▲ checkpoint, ◆ samples (with a checkpoint), ! warning, x a loss that is not finite.\n\n"
        "Left and right move a cursor and read the numbers below it; notes are attached to its step. While a run grows "
        "the axis is at least half full, and doubles when it is full."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Earlier", show=False, id="chart.left", tooltip="Move the cursor to earlier steps"),
        Binding("right", "move(1)", "Later", show=False, id="chart.right", tooltip="Move the cursor to later steps"),
        Binding("shift+left,ctrl+left", "move(-10)", "Much earlier", show=False, id="chart.left10",
                tooltip="Move the cursor ten columns back"),
        Binding("shift+right,ctrl+right", "move(10)", "Much later", show=False, id="chart.right10",
                tooltip="Move the cursor ten columns on"),
        Binding("home", "first", "First step", show=False, id="chart.home", tooltip="Move to the first step"),
        Binding("end", "follow", "Last step", show=False, id="chart.end",
                tooltip="Put the cursor away: the newest numbers are shown"),
        Binding("l", "logarithmic", "Log axis", show=False, id="chart.log",
                tooltip="Logarithmic or linear loss axis"),
        Binding("w", "whole", "Whole range", show=False, id="chart.whole",
                tooltip="Show the whole range of the raw loss, or close up on the smoothed one"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar = {f"losschart--{part}" for part in _PARTS}
    DEFAULT_CSS = """
    LossChart { height: 1fr; min-height: 3; layout: horizontal; overflow: hidden hidden; }
    LossChart > .losschart--raw { color: $foreground 45%; }
    LossChart > .losschart--smooth { color: $primary; text-style: bold; }
    LossChart:nocolor > .losschart--smooth { color: $foreground; }
    LossChart > .losschart--probe { color: $text-warning; text-style: bold; }
    LossChart > .losschart--other { color: $text-success; text-style: bold; }
    LossChart > .losschart--otherprobe { color: $text-success; }
    LossChart > .losschart--axis { color: $foreground 40%; }
    LossChart > .losschart--label { color: $foreground 60%; }
    LossChart > .losschart--cursor { color: $foreground; background: $foreground 15%; }
    LossChart > .losschart--checkpoint { color: $foreground; }
    LossChart > .losschart--sample { color: $text-accent; }
    LossChart > .losschart--warning { color: $text-warning; text-style: bold; }
    LossChart > .losschart--nan { color: $text-error; text-style: bold; }
    """

    class Moved(Message):
        """The cursor stands at another step; None when it was put away."""

        def __init__(self, chart: LossChart, step: int | None) -> None:
            super().__init__()
            self.chart, self.step = chart, step

        @property
        def control(self) -> LossChart:
            return self.chart

    def __init__(
        self, series: Sequence[ChartSeries] = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.series: tuple[ChartSeries, ...] = tuple(series)
        self.cursor: int | None = None
        self.logarithmic = False
        self.whole = False  # else close up on smoothed and probe loss: single raw losses may be fifty times as great
        self.epoch_of: Callable[[int], int] | None = None  # of the first run, where its plan is known
        self.empty_words = "No losses yet."
        self._rows: list[list[Cell]] = []
        self._strips: list[Strip | None] = []  # of each row, None until it is painted
        self._styles: dict[str, Style] = {}
        self._span = Span(0, SHORTEST)
        self._drawn: tuple[object, ...] = ()
        self._drawn_at = 0.0
        self._waiting: Timer | None = None
        self._pieces = [_Piece(self) for _ in range(PIECES)]

    # -- what to show ---------------------------------------------------------------------------------------------

    def show(self, series: Sequence[ChartSeries]) -> None:
        """Draw these runs from now on, the first one with all it has, and put the cursor away."""
        self.series, self.cursor = tuple(series), None
        self.redraw()

    def refresh_chart(self) -> None:
        """Draw what is new, now or when half a second is over since the last time. Cheap when nothing is new."""
        if self._key() == self._drawn or self._waiting is not None:
            return
        wait = self._drawn_at + REDRAW_SECONDS - time.monotonic()
        if wait <= 0:
            self.redraw()
        else:
            self._waiting = self.set_timer(wait, self._redraw_late)

    def _redraw_late(self) -> None:
        self._waiting = None
        self.redraw()

    @property
    def step(self) -> int | None:
        """The step the chart tells about: the cursor's, else the last. None when there is none."""
        if self.cursor is not None:
            return self.cursor
        return self.series[0].curves.walk(math.inf, 0) if self.series else None

    # -- drawing --------------------------------------------------------------------------------------------------

    def _key(self) -> tuple[object, ...]:
        versions = tuple((id(item.curves), item.curves.version) for item in self.series)
        return (self.size, versions, self.cursor, self.logarithmic, self.whole, self.empty_words)

    def redraw(self) -> None:
        """Draw everything anew, and paint the cells that came out different."""
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        self._drawn, self._drawn_at = self._key(), time.monotonic()
        rows = self._draw(width, height)
        before, self._rows = self._rows, rows
        if len(before) != len(rows) or any(len(a) != len(b) for a, b in zip(before, rows, strict=True)):
            self._strips = [None] * len(rows)
            self._paint_all()
            return
        for y, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self._strips[y] = None
                differ = [x for x in range(width) if old[x] != new[x]]
                for piece in self._pieces:
                    piece.paint(y, differ)

    def _paint_all(self) -> None:
        for piece in self._pieces:
            piece.refresh()

    def _draw(self, width: int, height: int) -> list[list[Cell]]:
        plot_height = height - 1 if height >= 5 else height
        shown = Shown(self.logarithmic, self.whole, self.cursor)
        self._span = span_of(self.series)
        chart = chart_of(self.series, self._span, shown, width)
        rows = draw(chart, width, plot_height) if chart.curves or chart.points else []
        if not any(sign != " " for row in rows for sign, _ in row):
            return self._empty(width, height)
        return [words_above(self.series, shown, width, self.epoch_of), *rows] if plot_height < height else rows

    def _empty(self, width: int, height: int) -> list[list[Cell]]:
        rows: list[list[Cell]] = [[(" ", "label")] * width for _ in range(height)]
        bad = any(kind == "nan" for item in self.series for _, kind in item.curves.marks)
        words = plain("No loss to draw: all are not finite." if bad else self.empty_words, width)
        rows[height // 2] = cells(words.center(width), "label")[:width]
        return rows

    # -- painting -------------------------------------------------------------------------------------------------

    def _strip(self, row: Sequence[Cell]) -> Strip:
        segments: list[Segment] = []
        start = 0
        for x in range(1, len(row) + 1):
            if x == len(row) or (row[x][1] != row[start][1] and row[x] != (" ", "")):
                segments.append(Segment("".join(sign for sign, _ in row[start:x]), self._style(row[start][1])))
                start = x
        return Strip(segments, len(row))

    def _style(self, part: str) -> Style:
        if part not in self._styles:
            name, _, over = part.partition(" ")
            # Not get_component_rich_style, which takes a colour of 35 % for the whole of it.
            style = self.get_visual_style(f"losschart--{name}").rich_style if name else self.rich_style
            if over:
                style += Style(bgcolor=self.get_visual_style(f"losschart--{over}").rich_style.bgcolor)
            self._styles[part] = style
        return self._styles[part]

    def compose(self) -> ComposeResult:
        yield from self._pieces

    def line_between(self, y: int, start: int, end: int) -> Strip:
        """The cells of a line from column `start` to `end` (excluded)."""
        if y < len(self._strips):
            strip = self._strips[y]
            if strip is None:
                strip = self._strips[y] = self._strip(self._rows[y])
            return strip.crop(start, end)
        return Strip.blank(end - start, self.rich_style)

    def notify_style_update(self) -> None:
        """Another theme, or another focus: the same cells in other colours. They are looked up when next painted:
        Textual sets the colours of a widget's parts only after it has told the widget."""
        super().notify_style_update()
        self._styles.clear()
        self._strips = [None] * len(self._rows)
        self._paint_all()

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 12

    # -- the cursor -----------------------------------------------------------------------------------------------

    def move_to(self, step: int | None) -> None:
        """Put the cursor on a step, or away."""
        if step != self.cursor:
            self.cursor = step
            self.redraw()
            self.post_message(self.Moved(self, step))

    def action_move(self, columns: int) -> None:
        if not self.series:
            return
        curves = self.series[0].curves
        if self.cursor is None:
            self.move_to(curves.walk(self._span.last, 0))
            return
        cell = (self._span.last - self._span.first) / max(1, self.size.width - GUTTER)
        self.move_to(curves.walk(self.cursor, columns * cell))

    def action_first(self) -> None:
        if self.series:
            self.move_to(self.series[0].curves.walk(self._span.first, 0))

    def action_follow(self) -> None:
        self.move_to(None)

    def action_logarithmic(self) -> None:
        self.logarithmic = not self.logarithmic
        self.redraw()

    def action_whole(self) -> None:
        self.whole = not self.whole
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        x = event.screen_x - self.content_region.x
        if not self.series or not GUTTER <= x < self.size.width:
            return
        share = (x - GUTTER + 0.5) / max(1, self.size.width - GUTTER)
        step = self._span.first + share * (self._span.last - self._span.first)
        self.move_to(self.series[0].curves.walk(step, 0))
