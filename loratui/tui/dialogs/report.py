"""Something to read."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from loratui.tui.dialogs.base import Dialog


class Report(Dialog[None]):
    """Text that scrolls. Whoever makes it has made outside text plain."""

    WIDTH = 100
    DEFAULT_CSS = "Report VerticalScroll { height: auto; max-height: 30; }"

    def __init__(self, title: str, text: Content | str) -> None:
        super().__init__(title)
        self._text = text

    def content(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._text, markup=False)
