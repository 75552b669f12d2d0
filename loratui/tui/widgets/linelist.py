"""A list of one-line rows to stand on, of any length: only the rows on the screen are ever made.

10,000 rows cost no memory and no time to load, and moving the cursor repaints two lines. Subclasses say how many rows
there are and draw one; what a row means is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loratui.lab.plain import plain
from loratui.tui.widgets.pad import folded

Cells = list[Segment]


class LineList(ScrollView, can_focus=True):
    """Rows with a cursor. `draw(row, width)` must not give more than `width` cells; less is filled up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The same ids as VimTable's, so that a keymap changes both; the arrows stay in any case.
        Binding("up", "cursor_up", "Up", show=False, id="list.up"),
        Binding("down", "cursor_down", "Down", show=False, id="list.down"),
        Binding("pageup", "page_up", "Page up", show=False, id="list.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="list.page_down"),
        Binding("k", "cursor_up", "Up", show=False, id="table.up"),
        Binding("j", "cursor_down", "Down", show=False, id="table.down"),
        Binding("ctrl+u", "page_up", "Page up", show=False, id="table.page_up"),
        Binding("ctrl+d", "page_down", "Page down", show=False, id="table.page_down"),
        Binding("home", "scroll_top", "First", show=False, id="table.first"),
        Binding("end,G", "scroll_bottom", "Last", show=False, id="table.last"),
        Binding("enter", "choose", "Open", show=False, id="list.choose"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-list--cursor",
        "line-list--header",
        "line-list--dim",
        "line-list--mark",
        "line-list--warning",
        "line-list--error",
    }
    DEFAULT_CSS = """
    LineList {
        scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: auto; background: $background;
        & > .line-list--cursor { background: $primary 15%; }
        &:focus > .line-list--cursor { background: $primary 45%; }
        & > .line-list--header { text-style: dim; }
        & > .line-list--dim { text-style: dim; }
        & > .line-list--mark { color: $text-accent; text-style: bold; }
        & > .line-list--warning { color: $text-warning; }
        & > .line-list--error { color: $text-error; text-style: bold; }
    }
    """

    @dataclass
    class Highlighted(Message):
        """The cursor stands on another row, or on none (-1)."""

        list: LineList
        row: int

        @property
        def control(self) -> LineList:
            return self.list

    @dataclass
    class Chosen(Message):
        """Enter or a double click on a row."""

        list: LineList
        row: int

        @property
        def control(self) -> LineList:
            return self.list

    def __init__(self, *, header: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.header = int(header)  # lines
        self.count = 0
        self.cursor = -1
        self.words = ""  # shown while there are no rows

    edits: ClassVar[bool] = False  # whether enter changes something: not there in --readonly

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "choose" and self.edits and getattr(self.app, "readonly", False):
            return False
        return self.cursor >= 0 if action in ("choose", "mark", "mark_on") else True

    # -- for subclasses ---------------------------------------------------------------------------------------

    def draw(self, row: int, width: int) -> Cells:
        """The row's segments."""
        return []

    def draw_header(self, width: int) -> Cells:
        return []

    def clicked(self, row: int, column: int) -> bool:
        """Whether a click there meant something of its own; else it moves the cursor."""
        return False

    def look(self, name: str) -> Style:
        """The style of a component class, by the end of its name."""
        return self.get_component_rich_style(f"line-list--{name}", partial=True)

    # -- rows -------------------------------------------------------------------------------------------------

    def set_rows(self, count: int, cursor: int) -> None:
        """Have other rows, with the cursor on one of them; tells where the cursor is."""
        self.count = count
        self.virtual_size = Size(0, count + self.header)
        self.cursor = max(0, min(cursor, count - 1)) if count else -1
        self.refresh()
        self.refresh_bindings()
        self.post_message(self.Highlighted(self, self.cursor))
        self.call_after_refresh(self._show_cursor)

    def move_to(self, row: int) -> None:
        """Put the cursor on a row that there is."""
        row = max(0, min(row, self.count - 1)) if self.count else -1
        if row == self.cursor:
            return
        before, self.cursor = self.cursor, row
        self.refresh_row(before)
        self.refresh_row(row)
        self._show_cursor()
        self.post_message(self.Highlighted(self, row))

    @property
    def room(self) -> Size:
        """The cells there are beside the scrollbar."""
        return self.scrollable_content_region.size

    def refresh_row(self, row: int) -> None:
        """Paint one row again, if it can be seen."""
        y = row + self.header - int(self.scroll_offset.y)
        if self.header <= y < self.room.height:
            self.refresh(Region(0, y, self.room.width, 1))

    def _show_cursor(self) -> None:
        top, height = int(self.scroll_offset.y), self.room.height - self.header
        if self.cursor < 0 or height < 1:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def on_resize(self) -> None:
        self._show_cursor()

    def render_line(self, y: int) -> Strip:
        width, base = self.room.width, self.rich_style
        if y < self.header:
            return Strip(self.draw_header(width)).adjust_cell_length(width).apply_style(base + self.look("header"))
        row = y - self.header + int(self.scroll_offset.y)
        if not self.count and self.words:
            return self._words_line(row, width)
        if row >= self.count:
            return Strip.blank(width, base)
        strip = Strip(self.draw(row, width)).adjust_cell_length(width)
        return strip.apply_style(base + self._cursor_look() if row == self.cursor else base)

    def _cursor_look(self) -> Style:
        # Not partial: only so is a background that lets something through mixed with what is behind.
        return Style(bgcolor=self.get_component_rich_style("line-list--cursor").bgcolor)

    def _words_line(self, row: int, width: int) -> Strip:
        lines = [line for part in self.words.split("\n") for line in folded(plain(part), width - 4)]
        text = f"  {lines[row - 1]}" if 0 < row <= len(lines) else ""
        return Strip([Segment(text, self.look("dim"))]).adjust_cell_length(width).apply_style(self.rich_style)

    # -- keys and mouse ---------------------------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Move the cursor by some rows."""
        self.move_to(self.cursor + by)

    def action_cursor_up(self) -> None:
        self.step(-1)

    def action_cursor_down(self) -> None:
        self.step(1)

    def action_page_up(self) -> None:
        self.step(-max(1, self.room.height - self.header - 1))

    def action_page_down(self) -> None:
        self.step(max(1, self.room.height - self.header - 1))

    def action_scroll_top(self) -> None:
        self.move_to(0)

    def action_scroll_bottom(self) -> None:
        self.move_to(self.count - 1)

    def action_choose(self) -> None:
        if self.cursor >= 0:
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.header:
            return
        row = offset.y - self.header + int(self.scroll_offset.y)
        if row >= self.count:
            return
        if event.chain == 1 and self.clicked(row, offset.x):
            return
        self.move_to(row)
        if event.chain == 2:
            self.action_choose()


def fitted(text: str, width: int, style: Style | None = None, right: bool = False) -> Segment:
    """Plain text in exactly `width` cells; what does not fit ends in `…`."""
    if width <= 0:
        return Segment("")
    cells = cell_len(text)
    if cells > width:
        text = set_cell_size(text, width - 1) + "…"
    elif right:
        text = " " * (width - cells) + text
    return Segment(set_cell_size(text, width), style)
