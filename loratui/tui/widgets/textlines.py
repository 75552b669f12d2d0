"""Lines of text to read and scroll: each a few styled pieces, wrapped to the width; only lines that differ are painted.

Whoever gives the lines has made outside text plain. What they say is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

Piece = tuple[str, str]  # text, and the name of its style: "", "dim", "good", "warning", "error", "strong"
Line = tuple[Piece, ...]


class TextLines(ScrollView, can_focus=True):
    """`set_lines(lines)`. With `follows`, the end stays in sight for as long as nobody scrolled away from it."""

    COMPONENT_CLASSES: ClassVar = {f"text-lines--{part}" for part in ("dim", "good", "warning", "error", "strong")}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "Up", show=False, id="lines.up"),
        Binding("down,j", "scroll_by(1)", "Down", show=False, id="lines.down"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", "Page up", show=False, id="lines.page_up"),
        Binding("pagedown,ctrl+d", "scroll_pages(1)", "Page down", show=False, id="lines.page_down"),
        Binding("home", "scroll_to_start", "First", show=False, id="lines.first"),
        Binding("end,G", "scroll_to_end", "Last", show=False, id="lines.last"),
    ]
    DEFAULT_CSS = """
    TextLines {
        height: 1fr; overflow-x: hidden; overflow-y: auto; background: $background;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        & > .text-lines--dim { color: $foreground 60%; }
        & > .text-lines--good { color: $text-success; text-style: bold; }
        & > .text-lines--warning { color: $text-warning; }
        & > .text-lines--error { color: $text-error; text-style: bold; }
        & > .text-lines--strong { text-style: bold; }
    }
    """

    follows: ClassVar[bool] = False
    empty_words = ""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self._rows: list[Line] = []  # the lines, wrapped
        self._styles: dict[str, Style] = {}
        self._width = 0
        self.is_following = True

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines; what stays the same is not painted again."""
        new = list(lines) or ([((self.empty_words, "dim"),)] if self.empty_words else [])
        if new == self.lines and self._width == self._room:
            return
        self.lines = new
        self._lay_out()

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width

    def _lay_out(self) -> None:
        self._width = self._room
        if self._width <= 0:
            return
        before, self._rows = self._rows, [row for line in self.lines for row in _wrapped(line, self._width)]
        self.virtual_size = Size(self._width, len(self._rows))
        if self.follows and self.is_following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)
        top = self.scroll_offset.y
        for y in range(self.size.height):
            row = top + y
            old = before[row] if row < len(before) else ()
            new = self._rows[row] if row < len(self._rows) else ()
            if old != new:
                wide = max(sum(cell_len(text) for text, _ in line) for line in (old, new))
                self.refresh(Region(0, y, wide, 1))

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y >= self.max_scroll_y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value:
            self.is_following = False
        if self.is_at_end:
            self.is_following = True

    def on_resize(self, event: events.Resize) -> None:
        if self._room != self._width:
            self._lay_out()
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        width, row = self.size.width, self.scroll_offset.y + y
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        pieces = [Segment(text, self._style(part)) for text, part in self._rows[row] if text]
        return Strip(pieces).adjust_cell_length(width, self.rich_style)

    def _style(self, part: str) -> Style:
        if part not in self._styles:
            name = (f"text-lines--{part}",) if part else ()
            self._styles[part] = self.get_visual_style(*name).rich_style
        return self._styles[part]

    def action_scroll_by(self, rows: int) -> None:
        self.scroll_relative(y=rows, animate=False)

    def action_scroll_pages(self, pages: int) -> None:
        self.scroll_relative(y=pages * max(1, self.size.height - 1), animate=False)

    def action_scroll_to_start(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_to_end(self) -> None:
        self.scroll_end(animate=False)


@lru_cache(maxsize=8192)  # a log that grows by a line is laid out anew
def _wrapped(line: Line, width: int) -> tuple[Line, ...]:
    """A line as rows of at most `width` cells. Further rows stand as far in as the first piece is wide."""
    if sum(len(text) for text, _ in line) <= width and all(text.isascii() for text, _ in line):
        return (line,)
    indent = cell_len(line[0][0]) if len(line) > 1 and cell_len(line[0][0]) <= width // 2 else 0
    rows: list[list[Piece]] = [[]]
    used = 0
    for text, part in line:
        for word in _words(text, max(1, width - indent)):
            wide = cell_len(word)
            if used + cell_len(word.rstrip()) > width and used > 0:
                rows.append([(" " * indent, "")] if indent else [])
                used, word = indent, word.lstrip()
                wide = cell_len(word)
            if word:
                rows[-1].append((word if used + wide <= width else word.rstrip(), part))
                used += wide
    return tuple(tuple(row) for row in rows)


def _words(text: str, width: int) -> list[str]:
    """Words with the spaces behind them; a word longer than a row in pieces."""
    words: list[str] = []
    for word in text.replace(" ", " \0").split("\0"):
        words += chop_cells(word, width) if cell_len(word) > width else [word]
    return words
