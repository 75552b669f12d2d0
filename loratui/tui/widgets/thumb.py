"""One picture in a box of cells. Another picture is a repaint, never a layout; decoding is done in a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from loratui.lab.plain import plain
from loratui.tui.pixels import PIXELS, Drawn, Key, draw, look_of

if TYPE_CHECKING:
    from textual import events

DEBOUNCE = 0.03  # seconds: of the pictures that a held key runs through, none is decoded
PATIENCE = 0.15  # seconds for which the picture before stays; then words stand in


class Thumb(Widget):
    """`thumb.show(path)` shows a picture, `thumb.show(None)` the words for having none. Its size is that of its CSS.

    The last row holds the caption where there is one. A click posts `Thumb.Opened`.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Thumb { width: 30; height: 15; }
    """

    class Opened(Message):
        """The picture was clicked."""

        def __init__(self, thumb: Thumb, path: Path) -> None:
            super().__init__()
            self.thumb, self.path = thumb, path

        @property
        def control(self) -> Thumb:
            return self.thumb

    class Shown(Message):
        """Another picture is on the screen, or the reason why it cannot be: `drawn` knows its size."""

        def __init__(self, thumb: Thumb, path: Path, drawn: Drawn) -> None:
            super().__init__()
            self.thumb, self.path, self.drawn = thumb, path, drawn

        @property
        def control(self) -> Thumb:
            return self.thumb

    def __init__(
        self, path: Path | None = None, caption: str = "", *, empty: str = "no picture", id: str | None = None,
        classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.path = path
        self.caption = plain(caption, 500)
        self.empty = empty
        self.drawn: Drawn | None = None  # what is on the screen
        self._key: Key | None = None  # what that was drawn for
        self._words: tuple[str, ...] = (empty,)

    def show(self, path: Path | None, caption: str = "") -> None:
        """Show a picture, at once when it was shown before; `caption` is outside text and made plain here."""
        caption = plain(caption, 500)
        if (path, caption) == (self.path, self.caption):
            self.reload()
            return
        if caption != self.caption:
            self.refresh(Region(0, self.content_size.height - 1, self.content_size.width, 1))
        self.path, self.caption = path, caption
        self.reload()

    def reload(self) -> None:
        """Look whether the file is still what is shown. A picture already known for this box is painted at once."""
        if not self.is_attached:
            return
        if self.path is None:
            self.workers.cancel_node(self)
            self._put(None, None, (self.empty,))
            return
        key = self._wanted(self.path)
        if key is None:  # not laid out yet: `on_resize` comes back here
            return
        known = PIXELS.get(key)
        if known is not None:
            self._put(key, known)
        self._load(key, known)

    def _wanted(self, path: Path) -> Key | None:
        columns, rows = self.content_size
        rows -= bool(self.caption)
        return (path, columns, rows, look_of(self)) if columns > 0 and rows > 0 else None

    @work(exclusive=True, group="thumb", exit_on_error=False)
    async def _load(self, key: Key, known: Drawn | None) -> None:
        await asyncio.sleep(DEBOUNCE)
        work = asyncio.get_running_loop().run_in_executor(getattr(self.app, "threads", None), draw, key, known)
        if known is None:
            done, _ = await asyncio.wait({work}, timeout=PATIENCE)
            if not done:
                self._put(None, None, ("loading…",))
        drawn = await work
        PIXELS.put(key, drawn)
        if drawn is not known:
            self._put(key, drawn)

    def _put(self, key: Key | None, drawn: Drawn | None, words: tuple[str, ...] = ()) -> None:
        if drawn is not None and drawn.problem:
            words = ("✗ no picture here", drawn.problem)
        if (key, drawn, words) == (self._key, self.drawn, self._words):
            return
        self._key, self.drawn, self._words = key, drawn, words
        self.refresh()
        if key is not None and drawn is not None:
            self.post_message(self.Shown(self, key[0], drawn))

    def on_resize(self, event: events.Resize) -> None:
        self.reload()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._key is not None and self._key != self._wanted(self._key[0]):
            self.reload()

    def on_click(self) -> None:
        if self.path is not None:
            self.post_message(self.Opened(self, self.path))

    def render_line(self, y: int) -> Strip:
        columns, rows = self.content_size
        style = self.rich_style
        if self.caption:
            rows -= 1
            if y == rows:
                return centred(self.caption, columns, style)
        strips = self.drawn.strips if self.drawn is not None else ()
        if self._key is not None and self._key[1:3] == (columns, rows) and strips:
            return strips[y] if y < len(strips) else Strip.blank(columns, style)
        lines = [line for words in self._words for line in wrap(words, max(4, columns - 2))][: max(1, rows)]
        at = y - (rows - len(lines)) // 2
        return centred(lines[at], columns, style) if 0 <= at < len(lines) else Strip.blank(columns, style)


def centred(text: str, columns: int, style: Style) -> Strip:
    """One line of plain text in the middle, cut with … where it is too long."""
    if cell_len(text) > columns:
        text = set_cell_size(text, max(0, columns - 1)) + "…"
    left = max(0, columns - cell_len(text)) // 2
    return Strip([Segment(set_cell_size(" " * left + text, columns), style)], columns)
