"""The way outside text takes into widgets: made harmless, and never read as markup.

Captions, names, paths, notes, messages and log lines all pass here (or through lab's `plain`, where a widget takes a
plain string). `ControlGuard` is the second line: whatever passed by, no control character leaves the app.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

from loratui.lab.plain import plain

if TYPE_CHECKING:
    from textual.widget import Widget


def line(text: object, limit: int | None = None, style: str = "") -> Content:
    """One line of outside text for Static, Label, OptionList and the like."""
    shown = plain(text, limit)
    return Content.styled(shown, style) if style else Content(shown)


def tint(style: str) -> str:
    """A style with a named colour, such as `bold red`; nothing under NO_COLOR, where red and blue come out so dark a
    grey that they cannot be read. What it tells must be told by a sign as well."""
    return "" if os.environ.get("NO_COLOR") else style


def lines(text: object, limit: int | None = None, style: str = "") -> Content:
    """The same with its line ends kept."""
    shown = plain(text, limit, newlines=True)
    return Content.styled(shown, style) if style else Content(shown)


def cell(text: object, limit: int | None = None, style: str = "") -> Text:
    """One line of outside text for a DataTable."""
    return Text(plain(text, limit), style=style, no_wrap=True, end="")


def panel_title(number: int | None, text: object, limit: int = 60) -> Content:
    """A panel's title with the key that goes there: `1 Images`."""
    words = plain(text, limit)
    return Content.assemble((f"{number} ", "bold"), words) if number is not None else Content(words)


def safe_title(widget: Widget, text: object, number: int | None = None) -> None:
    """Set the title on a widget's border."""
    title = panel_title(number, text)
    if widget._border_title != title:
        widget.border_title = title


class ControlGuard(LineFilter):
    """Shows every control, format and surrogate character as a sign, in whatever any widget rendered."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or _harmless(segment.text) for segment in segments):
            return segments
        return [
            segment if segment.control or _harmless(segment.text) else Segment(_signs(segment.text), segment.style)
            for segment in segments
        ]


def _harmless(text: str) -> bool:
    return text.isprintable()


def _signs(text: str) -> str:
    """As many cells as before where that is possible: one sign for one character that had a width of none or one."""
    return "".join(c if c.isprintable() else (plain(c) if len(plain(c)) == 1 else "�") for c in text)
