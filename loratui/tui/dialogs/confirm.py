"""Shall this be done? The answer that is ready under the cursor is no."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line, lines


class Confirm(Dialog[bool]):
    """True only for a deliberate yes: its button, or `y`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding("n", "cancel", "No", id="confirm.no", tooltip="Do not"),
        Binding("left,right", "other", "Other", show=False, id="confirm.other", tooltip="The other button"),
    ]
    WIDTH = 64

    def __init__(self, question: str, detail: str = "", yes: str = "Delete", no: str = "Keep it") -> None:
        super().__init__(question)
        self._detail, self._yes, self._no = detail, yes, no

    def content(self) -> ComposeResult:
        if self._detail:
            yield Static(lines(self._detail, 4000), markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line(f"{self._no} (n)"), id="no", variant="primary", compact=False)
            yield Button(line(f"{self._yes} (y)"), id="yes", variant="default")

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_other(self) -> None:
        self.focus_next(Button)

    def nothing(self) -> bool:
        return False
