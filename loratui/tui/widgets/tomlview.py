"""A project.toml as text: with line numbers, and with what is wrong marked where it stands, as it is typed.

Shows and takes text; saving, merging and drafts are for the screen. Characters that would hide or move things are
shown as signs, and lines that hold them keep their bytes unless they are edited.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from loratui.lab.plain import plain
from loratui.lab.project.projectfile import Fault

DEBOUNCE = 0.2  # seconds
MOST_SHOWN = 4  # faults below the text
_LONGEST_COLOURED = 2000
_COMMENT = re.compile(r"""(?:[^"'#]|"(?:\\.|[^"\\])*"|'[^']*')*+(\#.*)""")


class TomlArea(TextArea):
    """The text itself: comments dim, table headers bold, lines with faults red."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *TextArea.COMPONENT_CLASSES, "toml-area--comment", "toml-area--header", "toml-area--fault"
    }  # fmt: skip
    DEFAULT_CSS = """
    TomlArea {
        border: none; padding: 0; background: $background;
        &:focus { border: none; }
        & > .toml-area--comment { text-style: dim; }
        & > .toml-area--header { text-style: bold; color: $text-accent; }
        & > .toml-area--fault { color: $text-error; text-style: bold underline; }
    }
    """

    def __init__(self) -> None:
        super().__init__(soft_wrap=True, show_line_numbers=True, tab_behavior="focus", compact=True)
        self.cursor_blink = False
        self.faulty: frozenset[int] = frozenset()  # lines, from 0

    def mark(self, faulty: frozenset[int]) -> None:
        if faulty != self.faulty:
            self.faulty = faulty
            self.notify_style_update()  # lines are kept as they were drawn
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        text = super().get_line(line_index)
        if line_index in self.faulty:
            text.stylize(self.get_component_rich_style("toml-area--fault", partial=True))
        elif len(text) <= _LONGEST_COLOURED:
            if text.plain.lstrip().startswith("["):
                text.stylize(self.get_component_rich_style("toml-area--header", partial=True))
            comment = _COMMENT.match(text.plain)
            if comment:
                text.stylize(self.get_component_rich_style("toml-area--comment", partial=True), comment.start(1))
        return text


class TomlView(Vertical):
    """The text with its faults below."""

    help_text = (
        "project.toml itself. What is wrong is said below while you type, with its line. ctrl+s saves; leaving with "
        "escape saves too when nothing is wrong. What cannot be saved yet is kept as a draft beside the project and is "
        "here when you come back. ctrl+g goes to the next fault, ctrl+z undoes typing, ctrl+r drops the draft."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="toml.save", tooltip="Save the text in project.toml"),
        Binding("ctrl+g", "next_fault", "Next fault", id="toml.fault", tooltip="Go to the next line that is wrong"),
    ]
    DEFAULT_CSS = """
    TomlView {
        #faults { height: auto; max-height: 6; border-top: solid $foreground 20%; color: $text-error; }
        #faults.-none { color: $text-success; }
    }
    """

    @dataclass
    class Typed(Message):
        """The text rests after it was changed."""

        text: str

    class Saved(Message):
        """ctrl+s."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.faults: tuple[Fault, ...] = ()
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        self.area = TomlArea()
        self.said = Static("", id="faults", markup=False)
        yield self.area
        yield self.said

    @property
    def text(self) -> str:
        return self.area.text

    def load(self, text: str, line: int | None = None) -> None:
        """Show a text (made harmless already), with the cursor on a line, from 1, or where it was."""
        place = (line - 1, 0) if line else self.area.cursor_location
        if self.area.text != text:
            self.area.load_text(text)
        last = self.area.document.line_count - 1
        self.area.move_cursor((min(place[0], last), 0 if line else place[1]))
        self.area.scroll_cursor_visible()

    def show_faults(self, faults: Sequence[Fault]) -> None:
        """Mark the lines that are wrong, and say what is."""
        self.faults = tuple(faults)
        self.area.mark(frozenset(fault.line - 1 for fault in faults if fault.line))
        shown = [f"{f'line {f.line}: ' if f.line else ''}{plain(f.text, 300)}" for f in faults[:MOST_SHOWN]]
        if len(faults) > MOST_SHOWN:
            shown.append(f"and {len(faults) - MOST_SHOWN} more")
        self.said.set_class(not shown, "-none")
        said = Content("\n".join(shown) if shown else "✓ nothing is wrong with it")
        if self.said.content != said:
            self.said.update(said)
            self.refresh_bindings()

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(DEBOUNCE, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self.post_message(self.Typed(self.text))

    def action_save(self) -> None:
        self.post_message(self.Saved())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next_fault":
            return any(fault.line for fault in self.faults)
        return not (action == "save" and self.area.read_only)

    def action_next_fault(self) -> None:
        lines = sorted({fault.line for fault in self.faults if fault.line})
        if lines:
            here = self.area.cursor_location[0] + 1
            self.load(self.text, next((line for line in lines if line > here), lines[0]))
