"""The little menu behind `g`: one letter, one screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loratui.tui.dialogs.base import Dialog
from loratui.tui.places import SCREENS


class GoMenu(Dialog[str]):
    """The name of the screen to go to."""

    TITLE_TEXT = "Go to"
    WIDTH = 30
    DEFAULT_CSS = """
    GoMenu OptionList { height: auto; border: none; background: $surface; padding: 0; }
    GoMenu OptionList:focus { border: none; }
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = [name for name in names if SCREENS[name][0]]

    def content(self) -> ComposeResult:
        yield OptionList(
            *(Option(Content.assemble((f" {SCREENS[name][0]} ", "bold reverse"), f"  {SCREENS[name][1]}"))
              for name in self._names)
        )  # fmt: skip

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])

    def on_key(self, event: events.Key) -> None:
        for name in self._names:
            if event.character == SCREENS[name][0]:
                event.stop()
                self.dismiss(name)
                return
