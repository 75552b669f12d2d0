"""A page of prepared lines to scroll in. A new page is a repaint and never a layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

Cells = list[Segment]


class Pad(ScrollView, can_focus=True):
    """Lines of segments; `lines_for(width)` makes them, and makes them again when the width changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False, id="pad.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="pad.down"),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False, id="pad.page_up"),
        Binding("pagedown,ctrl+d", "page_down", "Page down", show=False, id="pad.page_down"),
        Binding("home", "scroll_home", "Top", show=False, id="pad.top"),
        Binding("end,G", "scroll_end", "End", show=False, id="pad.end"),
    ]
    DEFAULT_CSS = """
    Pad { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: auto; background: $background; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Cells] = ()
        self._made_for = 0

    def lines_for(self, width: int) -> Sequence[Cells]:
        """The whole page for a width, in cells."""
        return ()

    @property
    def room(self) -> int:
        """The cells of a line: the scrollbar has its own, so that it may come and go."""
        return max(0, self.size.width - 1)

    def remake(self, *, top: bool = False) -> None:
        """Make the page again, and go to its beginning when it is another page."""
        self._made_for = self.room
        self._lines = self.lines_for(self._made_for) if self._made_for else ()
        size = Size(0, len(self._lines))
        if self.virtual_size != size:
            self.virtual_size = size
        if top and self.scroll_offset.y:
            self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def on_resize(self) -> None:
        if self.room != self._made_for:
            self.remake()

    def render_line(self, y: int) -> Strip:
        row = y + int(self.scroll_offset.y)
        width, base = self.size.width, self.rich_style
        if row >= len(self._lines):
            return Strip.blank(width, base)
        return Strip(self._lines[row]).adjust_cell_length(width).apply_style(base)


def folded(text: str, width: int) -> list[str]:
    """Plain text as lines of at most `width` cells, broken between words where that is possible."""
    width = max(1, width)
    lines, line, room = [], "", width
    for word in text.split(" "):
        cells = cell_len(word)
        if line and cells + 1 <= room:
            line, room = f"{line} {word}", room - cells - 1
            continue
        if line:
            lines.append(line)
        *whole, word = chop_cells(word, width) or [""]
        lines += whole
        line, room = word, width - cell_len(word)
    return [*lines, line]
