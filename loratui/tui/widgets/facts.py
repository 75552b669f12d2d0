"""Names and values in two columns, wrapped to the width there is; it scrolls where they are more than fit."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loratui.lab.plain import plain

if TYPE_CHECKING:
    from textual import events

NAME = 10  # columns of the names
LONGEST = 4000  # characters of a value that are shown


class Facts(ScrollView, can_focus=True):
    """`show(rows)`; outside text is made plain here. New values of the same shape are a repaint and not a layout."""

    COMPONENT_CLASSES: ClassVar = {"facts--name", "facts--title"}
    DEFAULT_CSS = """
    Facts { scrollbar-size: 1 1; overflow-x: hidden; background: $background; }
    Facts > .facts--name { color: $foreground 55%; }
    Facts > .facts--title { text-style: bold; }
    """
    help_text = "Everything that made the picture. Up and down scroll where it is more than fits."

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._rows: tuple[tuple[str, str], ...] = ()
        self._lines: list[tuple[str, str]] = []

    @property
    def text(self) -> str:
        """All that is shown, for copying and for tests."""
        return "\n".join(f"{name:<{NAME}} {value}".rstrip() for name, value in [(self._title, ""), *self._rows])

    def show(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        values = tuple((plain(name, NAME), plain(value, LONGEST)) for name, value in rows)
        if (title, values) != (self._title, self._rows):
            self._title, self._rows = plain(title, 100), values
            self._arrange()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        width = max(4, self.scrollable_content_region.width - NAME - 1)
        before = self._lines
        self._lines = [(self._title, ""), ("", "")] if self._title else []
        for name, value in self._rows:
            narrow = len(value) == cell_len(value)
            parts = wrap(value, width, break_on_hyphens=False) if narrow else chop_cells(value, width)
            parts = parts or [""]
            self._lines += [(name, parts[0]), *(("", part) for part in parts[1:])]
        size = Size(self.scrollable_content_region.width, len(self._lines))
        if size != self.virtual_size or len(before) != len(self._lines):
            self.virtual_size = size
            self.refresh()
            return
        changed = [y - self.scroll_offset.y for y, line in enumerate(self._lines) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed if 0 <= y < self.size.height))

    def render_line(self, y: int) -> Strip:
        at = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if not 0 <= at < len(self._lines):
            return Strip.blank(width, self.rich_style)
        name, value = self._lines[at]
        if self._title and at == 0:
            style = self.get_component_rich_style("facts--title")
            return Strip([Segment(set_cell_size(name, width), style)], width)
        names = Segment(set_cell_size(name, NAME) + " ", self.get_component_rich_style("facts--name"))
        return Strip([names, Segment(value, self.rich_style)]).adjust_cell_length(width, self.rich_style)
