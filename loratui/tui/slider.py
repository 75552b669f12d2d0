"""A line with a knob on a track: which of several steps is shown. Painting and arithmetic only."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

LEAST = 8  # columns of a track that says anything


def track(width: int, count: int, at: int, line: Style, knob: Style) -> list[Segment]:
    """A track of `width` cells with a tick for each of `count` places where there is room, and a knob on place `at`."""
    cells = ["─"] * width
    if count <= width // 2:
        for place in range(count):
            cells[_column(width, count, place)] = "┼"
    here = _column(width, count, at)
    return [
        Segment("".join(cells[:here]).replace("─", "━"), line),
        Segment("●", knob),
        Segment("".join(cells[here + 1 :]), line),
    ]


def place_at(width: int, count: int, x: int) -> int:
    """The place nearest to a click on column `x` of the track."""
    return min(range(count), key=lambda place: abs(_column(width, count, place) - x))


def _column(width: int, count: int, place: int) -> int:
    return width - 1 if count < 2 else round(place * (width - 1) / (count - 1))
