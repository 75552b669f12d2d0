"""The line in which a filter is typed, with what is wrong with it as it is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from loratui.lab.dataset.filtering import Query, parse, term
from loratui.lab.errors import LabError
from loratui.tui.text import line

DEBOUNCE = 0.12  # seconds


class FilterBar(Vertical):
    """Posts `Filtered` with a query that was understood, or None for everything. Hidden while nobody filters."""

    help_text = (
        "Type what to show only. A word is looked for in names and captions. tag:red has exactly that tag, "
        'tag:"dark red" one with a space, tag:*shape any that ends so; name: and caption: look inside those; '
        "problem:any has a finding of the check, problem:caption-missing that one; tokens:>75, tokens:10..20 count. "
        "Side by side means AND; OR, NOT (or -) and parentheses work too. Enter goes to the list and keeps the "
        "filter, escape shows everything again."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,tab", "leave", "To the list", show=False, id="filter.leave", priority=True),
    ]
    DEFAULT_CSS = """
    FilterBar {
        height: auto; display: none; background: $background;
        & > Input { height: 1; border: none; padding: 0; background: $surface; }
        & > Input:focus { border: none; background: $surface; }
        & > Static { height: auto; max-height: 3; color: $text-error; display: none; }
    }
    """

    @dataclass
    class Filtered(Message):
        query: Query | None

    class Left(Message):
        """The person goes to the list."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._timer: Timer | None = None
        self._posted = ""

    def compose(self) -> ComposeResult:
        field = Input(placeholder="word  tag:red  -tag:red  name:a*  tokens:>75  problem:any  AND OR NOT ( )")
        field.cursor_blink = False
        yield field
        yield Static("", markup=False)

    @property
    def field(self) -> Input:
        return self.query_one(Input)

    def open(self) -> None:
        self.display = True
        self.field.focus()

    def close(self) -> bool:
        """Show everything again and go away; whether there was anything to close."""
        was_there = bool(self.display)
        self.display = False
        self.set_text("")
        return was_there

    def toggle_tag(self, tag: str) -> None:
        """Ask for a tag, or no longer."""
        part, text = term("tag", tag), self.field.value
        text = " ".join(text.replace(part, "").split()) if part in text else f"{text} {part}".strip()
        self.display = bool(text)
        self.set_text(text)

    def asks_for(self, tag: str) -> bool:
        return term("tag", tag) in self.field.value

    def set_text(self, text: str) -> None:
        """Filter by a text at once."""
        with self.prevent(Input.Changed):
            self.field.value = text
        self._understand()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DEBOUNCE, self._understand)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._understand()
        self.action_leave()

    def action_leave(self) -> None:
        if not self.field.value.strip():
            self.close()
        self.post_message(self.Left())

    def _understand(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        text = self.field.value
        fault = self.query_one(Static)
        try:
            query = parse(text) if text.strip() else None
        except LabError as error:
            fault.update(line(error))
            fault.display = True
            return
        fault.display = False
        if text != self._posted:
            self._posted = text
            self.post_message(self.Filtered(query))
