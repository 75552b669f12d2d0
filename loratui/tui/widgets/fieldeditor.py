"""One value being edited where it stands: a line to type in, and below it what is wrong with what was typed.

There is one of these for a whole form. What may be typed is the rule's; saving is for whoever opened it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Offset
from textual.message import Message
from textual.widgets import Input, Static

from loratui.lab.plain import plain
from loratui.lab.project.fieldtext import Entered, entered
from loratui.lab.project.form import allowed_words
from loratui.lab.project.schema import Rule
from loratui.tui.text import line


class FieldEditor(Vertical):
    """Hidden until `open`. Tells `Done` with a value that fits, or `Left` when it was given up."""

    help_text = (
        "The value under the cursor. What is wrong with it is said below while you type; enter saves it, down and up "
        "save it and go on to the next key, escape leaves it as it was. Strings need no quotes, lists no brackets."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave as it was", id="field.leave", tooltip="Stop editing; nothing is changed"),
        Binding("down", "done(1)", "Save, next key", show=False, id="field.next"),
        Binding("up", "done(-1)", "Save, key above", show=False, id="field.previous"),
    ]
    DEFAULT_CSS = """
    FieldEditor {
        display: none; position: absolute; layer: editor; height: auto; width: 30; background: $surface;
        Input { height: 1; border: none; padding: 0; background: $primary 25%; }
        Input:focus { border: none; background: $primary 35%; }
        Static { height: auto; max-height: 3; color: $text-muted; padding: 0; background: $surface; }
        Static.-wrong { color: $text-error; text-style: bold; }
    }
    """

    @dataclass
    class Done(Message):
        """A value that fits was entered; `then` is by how many rows the cursor is to move."""

        rule: Rule
        found: Entered
        then: int

    @dataclass
    class Left(Message):
        """Editing was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.rule: Rule | None = None
        self._before = ""

    def compose(self) -> ComposeResult:
        self.input = Input()
        self.input.cursor_blink = False
        self.message = Static("", markup=False)
        yield self.input
        yield self.message

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    def open(self, rule: Rule, text: str, place: Offset, width: int) -> None:
        """Edit a value at a place in the parent."""
        self.rule, self._before = rule, text
        self.styles.width, self.styles.offset = width, (place.x, place.y)
        self.display = True
        self.input.value = plain(text)
        self.input.cursor_position = len(self.input.value)
        self._say(Entered(), allowed_words(rule))
        self.input.focus()

    def close(self) -> None:
        self.rule = None
        self.display = False

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.rule is not None:
            found = entered(self.rule, event.value)
            self._say(found, allowed_words(self.rule))

    def _say(self, found: Entered, otherwise: str) -> None:
        self.message.set_class(bool(found.error), "-wrong")
        self.message.update(line(found.error or otherwise, 400))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_done(0)

    def action_done(self, then: int) -> None:
        if self.rule is None:
            return
        if self.input.value == plain(self._before):
            self.post_message(self.Left())
            return
        found = entered(self.rule, self.input.value)
        if found.error:
            self._say(found, "")
            self.app.bell()
        else:
            self.post_message(self.Done(self.rule, found, then))

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        # A click elsewhere gives up what does not fit, and keeps what does.
        if self.is_open and self.rule is not None and event.widget is self.input:
            found = entered(self.rule, self.input.value)
            unchanged = self.input.value == plain(self._before)
            self.post_message(self.Left() if found.error or unchanged else self.Done(self.rule, found, 0))
