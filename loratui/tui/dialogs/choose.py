"""One of several, found by typing a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog

V = TypeVar("V")


class Choose(Dialog[V], Generic[V]):
    """The value of the option chosen, or None. Options are (value, label, hint)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", show=False, id="choose.down", tooltip="The next one"),
        Binding("up", "move(-1)", "Up", show=False, id="choose.up", tooltip="The one before"),
    ]
    DEFAULT_CSS = """
    Choose OptionList { height: auto; max-height: 16; border: none; background: $surface; }
    Choose OptionList:focus { border: none; }
    """

    def __init__(self, title: str, options: Sequence[tuple[V, str, str]]) -> None:
        super().__init__(title)
        self._options = list(options)
        self._shown = list(options)

    def content(self) -> ComposeResult:
        yield Input(placeholder="type to find")
        yield OptionList()

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()
        self._fill("")

    @on(Input.Changed)
    def _fill_matching(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, text: str) -> None:
        words = text.casefold().split()
        self._shown = [o for o in self._options if all(word in f"{o[1]} {o[2]}".casefold() for word in words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(
            Option(Content.assemble(plain(label, 60), ("  " + plain(hint, 120) if hint else "", "dim")))
            for _, label, hint in self._shown
        )
        if self._shown:
            options.highlighted = 0

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._shown:
            options.highlighted = ((options.highlighted or 0) + by) % len(self._shown)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        place = self.query_one(OptionList).highlighted
        if self._shown and place is not None:
            self.dismiss(self._shown[place][0])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index][0])
