"""Cells of a picture as strips: half blocks in colour, shades where there is no colour, and a store of them.

Used by everything that shows a picture. Decoding is lab's and belongs in a thread; `Pixels` is the store, bounded by
the segments it holds, in which a picture is found again without a look at the disk.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.console import COLOR_SYSTEMS
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from loratui.lab.pictures.thumbnails import Cells, Stamp, stamp, thumbnail

if TYPE_CHECKING:
    from textual.widget import Widget

MOST = 9_000  # segments held at once, about 9 MB: 20 photographs of 30x15, or many more flat pictures
SHADES = " ░▒▓█"
SAME = 4  # of 255: colours this near are one colour, which no eye sees and which halves what goes over the wire
SAME_LARGE, LARGE = 3, 1000  # in a picture of so many cells, where an eye would see a little more
CELL_BYTES = 42  # of a cell that has nothing in common with the one before: two colours, a half block, an end


class Look(NamedTuple):
    """What the same picture is drawn differently for."""

    background: Color
    foreground: Color
    colour: str  # the terminal's system of colours, as Rich calls it; empty for none
    dark: bool


@dataclass(frozen=True)
class Drawn:
    """A picture in a box of cells: a strip a row, or none and the reason. `size` is the file's (width, height)."""

    strips: tuple[Strip, ...]
    size: tuple[int, int]
    stamp: Stamp | None
    problem: str = ""

    @cached_property
    def segments(self) -> int:
        """How many different pieces it is made of: what it costs to keep, and to send."""
        return 1 + sum(len(strip) for strip in self.strips)

    @property
    def bytes(self) -> int:
        """About how many bytes it takes to paint in full colour."""
        return CELL_BYTES * self.segments


Key = tuple[Path, int, int, Look]


class Pixels:
    """Drawn pictures by path, box and look; those not used for longest go first."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._held = 0
        self._drawn: OrderedDict[Key, Drawn] = OrderedDict()

    def get(self, key: Key) -> Drawn | None:
        drawn = self._drawn.get(key)
        if drawn is not None:
            self._drawn.move_to_end(key)
        return drawn

    def put(self, key: Key, drawn: Drawn) -> None:
        old = self._drawn.pop(key, None)
        self._held += drawn.segments - (old.segments if old is not None else 0)
        self._drawn[key] = drawn
        while self._held > self.most and len(self._drawn) > 1:
            self._held -= self._drawn.popitem(last=False)[1].segments


PIXELS = Pixels()  # one for all screens: what it holds depends on the key alone


def draw(key: Key, known: Drawn | None = None) -> Drawn:
    """The picture as it is on disk now; `known` where it is still that. Slow: for a thread."""
    path, columns, rows, look = key
    now = stamp(path)
    if known is not None and now is not None and known.stamp == now:
        return known
    cells = thumbnail(path, columns, rows)
    return Drawn(() if cells.problem else strips(cells, look), cells.size, now, cells.problem)


def look_of(widget: Widget) -> Look:
    """How pictures are drawn on a widget as its theme and terminal are now."""
    _, background = widget.background_colors
    _, _, _, foreground = widget.colors
    app = widget.app
    colour = "" if app.no_color else app.console.color_system or ""
    return Look(background.rich_color, foreground.rich_color, colour, app.current_theme.dark)


def strips(cells: Cells, look: Look) -> tuple[Strip, ...]:
    """One strip a row of the box, each exactly as wide as the box; cells that look the same are one segment."""
    blank = Style.from_color(None, look.background)
    empty = Strip([Segment(" " * cells.columns, blank)], cells.columns)
    before = [Segment(" " * cells.left, blank)] if cells.left else []
    right = cells.columns - cells.left - cells.width
    after = [Segment(" " * right, blank)] if right else []
    same = SAME_LARGE if cells.width * cells.height > 2 * LARGE else SAME
    picture = []
    for y in range(0, cells.height, 2):
        upper = cells.pixels[3 * y * cells.width : 3 * (y + 1) * cells.width]
        lower = cells.pixels[3 * (y + 1) * cells.width : 3 * (y + 2) * cells.width]
        middle = _coloured(upper, lower, same, look) if look.colour else _shaded(upper, lower, look)
        picture.append(Strip([*before, *middle, *after], cells.columns))
    below = cells.rows - cells.top - len(picture)
    return (*[empty] * cells.top, *picture, *[empty] * below)


def _coloured(upper: bytes, lower: bytes, same: int, look: Look) -> list[Segment]:
    paper = bytes(look.background.triplet or ColorTriplet(0, 0, 0))
    found: list[Segment] = []
    count, above, below = 0, b"", b""
    for x in range(0, len(upper), 3):
        one, other = upper[x : x + 3], lower[x : x + 3] or paper
        if _near(one, other, same):
            other = one
        if count and _near(one, above, same) and _near(other, below, same):
            count += 1
            continue
        if count:
            found.append(_cells(above, below, count, look.colour))
        count, above, below = 1, one, other
    found.append(_cells(above, below, count, look.colour))
    return found


def _near(one: bytes, other: bytes, same: int) -> bool:
    return one == other or (
        abs(one[0] - other[0]) <= same and abs(one[1] - other[1]) <= same and abs(one[2] - other[2]) <= same
    )


def _cells(upper: bytes, lower: bytes, count: int, system: str) -> Segment:
    if upper == lower:  # half the bytes on the wire
        return Segment(" " * count, _style(None, lower, system))
    return Segment("▀" * count, _style(upper, lower, system))


@lru_cache(2048)
def _style(upper: bytes | None, lower: bytes, system: str) -> Style:
    style = Style.from_color(_colour(upper) if upper is not None else None, _colour(lower))
    style.render(" ", color_system=COLOR_SYSTEMS[system])  # it keeps its codes, which no one else then has to cache
    return style


def _colour(rgb: bytes) -> Color:
    return Color("", ColorType.TRUECOLOR, triplet=ColorTriplet(*rgb))


def _shaded(upper: bytes, lower: bytes, look: Look) -> list[Segment]:
    """Brightness as ink: on a dark screen white is full, on a light one black is."""
    letters = []
    for x in range(0, len(upper), 3):
        pixels = upper[x : x + 3], lower[x : x + 3] or upper[x : x + 3]
        light = sum(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] for p in pixels) / (2 * 255)
        ink = light if look.dark else 1 - light
        letters.append(SHADES[min(len(SHADES) - 1, int(ink * len(SHADES)))])
    return [Segment("".join(letters), Style.from_color(look.foreground, look.background))]
