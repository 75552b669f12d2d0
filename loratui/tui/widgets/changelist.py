"""Changes of captions to look through before they are made: the text before, the text after, what differs emphasised.

Only what can be seen is compared, so that 10,000 changes can be scrolled at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from loratui.lab.dataset.bulk import Change
from loratui.lab.dataset.worddiff import word_diff
from loratui.lab.plain import plain
from loratui.tui.widgets.pad import Cells, Pad

_LONGEST = 4000  # characters of a caption


class ChangeList(Pad):
    """A name, a line that begins with - and one with +, for each change; long captions go on below."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"change-list--name", "change-list--old", "change-list--new"}
    DEFAULT_CSS = """
    ChangeList {
        & > .change-list--name { text-style: dim; }
        & > .change-list--old { color: $text-error; text-style: strike; }
        & > .change-list--new { color: $text-success; text-style: bold underline; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.changes: Sequence[Change] = ()
        self._ends: list[int] = []  # the line behind each change
        self._laid = lru_cache(maxsize=200)(self._lay)

    def show(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.remake(top=True)

    def remake(self, *, top: bool = False) -> None:
        self._made_for = self.room
        room = max(1, self._made_for - 2)
        self._laid.cache_clear()
        self._ends = list(accumulate(1 + _height(c.before, room) + _height(c.after, room) for c in self.changes))
        self.virtual_size = Size(0, self._ends[-1] if self._ends else 0)
        if top:
            self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        line = y + int(self.scroll_offset.y)
        place = bisect_right(self._ends, line)
        width, base = self.size.width, self.rich_style
        if place >= len(self._ends):
            return Strip.blank(width, base)
        lines = self._laid(place)
        at = line - (self._ends[place - 1] if place else 0)
        cells = lines[at] if at < len(lines) else []
        return Strip(cells).adjust_cell_length(width).apply_style(base)

    def _lay(self, place: int) -> list[Cells]:
        change = self.changes[place]
        name, old, new = (
            self.get_component_rich_style(f"change-list--{part}", partial=True) for part in ("name", "old", "new")
        )
        before, after = word_diff(_shown(change.before), _shown(change.after))
        room = max(1, self._made_for - 2)
        return [[Segment(plain(change.name, 200), name)], *_folded("- ", before, old, room),
                *_folded("+ ", after, new, room)]  # fmt: skip


def _shown(caption: str) -> str:
    return plain(caption, _LONGEST)


def _height(caption: str, room: int) -> int:
    shown = _shown(caption)
    cells = cell_len(shown)
    return 1 if cells <= room else len(chop_cells(shown, room))


def _folded(sign: str, parts: Sequence[tuple[str, bool]], style: Style, room: int) -> list[Cells]:
    """Parts as lines of `room` cells, broken anywhere: a change of spaces must not be lost at a line's end."""
    whole = "".join(text for text, _ in parts)
    marks = [differs for text, differs in parts for _ in text]
    lines: list[Cells] = []
    at = 0
    for piece in chop_cells(whole, room) or [""]:
        cells: Cells = [Segment(sign if not lines else "  ")]
        start = at
        while start < at + len(piece):
            end = start
            while end < at + len(piece) and marks[end] == marks[start]:
                end += 1
            cells.append(Segment(whole[start:end], style if marks[start] else None))
            start = end
        lines.append(cells)
        at += len(piece)
    return lines
