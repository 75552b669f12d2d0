"""One line of text, checked as it is typed."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from loratui.lab.errors import LabError
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line, lines


class Ask(Dialog[str]):
    """The text, or None. `check(text)` returns what is wrong with it, or None; a LabError counts as its words."""

    def __init__(
        self,
        title: str,
        value: str = "",
        hint: str = "",
        check: Callable[[str], str | None] | None = None,
        placeholder: str = "",
    ) -> None:
        super().__init__(title)
        self._value, self._hint, self._check, self._placeholder = value, hint, check, placeholder

    def content(self) -> ComposeResult:
        if self._hint:
            yield Static(lines(self._hint), classes="hint", markup=False)
        yield Input(self._value, placeholder=self._placeholder)
        yield Static("", id="fault", classes="fault", markup=False)

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self.query_one("#fault", Static).update(line(self._fault(event.value) or ""))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        fault = self._fault(event.value)
        if fault:
            self.query_one("#fault", Static).update(line(fault))
        else:
            self.dismiss(event.value)

    def _fault(self, text: str) -> str | None:
        try:
            return self._check(text) if self._check else None
        except LabError as error:
            return str(error)
