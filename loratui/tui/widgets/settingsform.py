"""The form of a project's settings: a line for each key under the heading of its table, with marks of what differs.

Draws what lab's form says and tells what a key asks for; it knows no file. The value under the cursor is edited in
place by fieldeditor.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.message import Message

from loratui.lab.plain import plain
from loratui.lab.project.explain import Section
from loratui.lab.project.form import PROMPT_KEYS, Form, Row, form_sections, matches
from loratui.tui.widgets.linelist import Cells, LineList, fitted

MARKS = 4  # cells before the name
VALUE_LEAST = 14  # cells
ROOM_BELOW = 3  # lines


class SettingsForm(LineList):
    """Headings and keys. The cursor may stand on either; a heading explains its table."""

    help_text = (
        "Every setting there is. * differs from the default, Δ differs from the run in the title, ! is wrong. Enter "
        "edits the value in place, space or left and right go through choices, u goes back to the default, z undoes. "
        "Each change is saved in project.toml at once, and nothing else in the file is touched. / finds keys by their "
        "names, by the words of their help, and by what other trainers call them; [ and ] jump from table to table."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Edit", id="settings.edit", tooltip="Edit the value under the cursor in place"),
        Binding("space,right", "turn(1)", "Next value", show=False, id="settings.next",
                tooltip="The next of the choices of this key, or the other of on and off"),
        Binding("left", "turn(-1)", "Value before", show=False, id="settings.previous",
                tooltip="The choice before this one"),
        Binding("right_square_bracket", "table(1)", "Next table", show=False, id="settings.next_table",
                tooltip="To the next table of settings"),
        Binding("left_square_bracket", "table(-1)", "Table before", show=False, id="settings.previous_table",
                tooltip="To the table of settings before this one"),
    ]  # fmt: skip

    @dataclass
    class Turned(Message):
        """Another of the choices is wanted: the next (1) or the one before (-1)."""

        row: Row
        by: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.form = Form((), {})
        self.query_text = ""
        self.lines: list[Row | Section] = []

    # -- what is shown ------------------------------------------------------------------------------------------

    def show(self, form: Form, query: str | None = None) -> None:
        """Show a form, or the same one filtered, the cursor staying on its key."""
        key = self.key
        self.form = form
        changed = query is not None and query != self.query_text
        self.query_text = self.query_text if query is None else query
        self.lines = []
        for section in form_sections():
            rows = [row for row in form.rows if row.rule.table == section.name and matches(row.rule, self.query_text)]
            if rows:
                self.lines += [section, *rows] if section.name else rows
        self._names = max((len(row.rule.name) for row in form.rows), default=0) + 1
        place = next((n for n, line in enumerate(self.lines) if isinstance(line, Row) and line.key == key), None)
        if place is None:
            place = (
                next((n for n, line in enumerate(self.lines) if isinstance(line, Row)), 0) if changed else self.cursor
            )
        self.set_rows(len(self.lines), max(0, place))

    @property
    def line(self) -> Row | Section | None:
        """What is under the cursor."""
        return self.lines[self.cursor] if 0 <= self.cursor < len(self.lines) else None

    @property
    def row(self) -> Row | None:
        """The key under the cursor; None on a heading."""
        return line if isinstance(line := self.line, Row) else None

    @property
    def key(self) -> str:
        return self.row.key if self.row else ""

    def go_to(self, key: str) -> None:
        """Put the cursor on a key, if it is shown."""
        for number, line in enumerate(self.lines):
            if isinstance(line, Row) and line.key == key:
                self.move_to(number)

    # -- drawing ------------------------------------------------------------------------------------------------

    def value_place(self) -> tuple[Offset, int]:
        """Where the value under the cursor is drawn, relative to this widget's content, and how wide it may be.

        The list is scrolled so that there is room below it for a message.
        """
        lowest = self.cursor - self.size.height + ROOM_BELOW + 1
        if lowest > self.scroll_offset.y:
            self.scroll_to(y=lowest, animate=False, immediate=True)
        start = MARKS + self._name_width(self.size.width)
        return Offset(start, self.cursor - int(self.scroll_offset.y)), max(VALUE_LEAST, self.size.width - start - 1)

    def _name_width(self, width: int) -> int:
        return max(12, min(self._names, width - MARKS - VALUE_LEAST))

    def draw(self, row: int, width: int) -> Cells:
        line = self.lines[row]
        if isinstance(line, Row):
            return self._draw_row(line, width)
        name = f"[{line.name}]"
        return [fitted(f" {name}", min(width, 14), self.look("mark")), fitted(line.help, width - 14, self.look("dim"))]

    def _draw_row(self, row: Row, width: int) -> Cells:
        dim = self.look("dim")
        wrong = bool(row.error or row.clashes)
        marks = [
            Segment("!" if wrong else " ", self.look("error")),
            Segment("*" if row.is_changed else " ", self.look("mark")),
            Segment("Δ" if row.other is not None else " ", self.look("warning")),
            Segment(" "),
        ]
        names = self._name_width(width)
        room = width - MARKS - names
        value = plain(row.text, room) if row.text else '""'
        style = self.look("error") if row.error else None if row.is_changed else dim
        shown = [fitted(value, min(len(value), room), style)]
        room -= shown[0].cell_length
        for words, look in ((row.meaning, dim), (f"Δ {plain(row.other or 'empty', 40)}", self.look("warning"))):
            if words and room > 6 and (look is dim or row.other is not None):
                shown.append(fitted("  " + words, min(len(words) + 2, room), look))
                room -= shown[-1].cell_length
        return [*marks, fitted(row.rule.name, names, None if row.is_written else dim), *shown]

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_turn(self, by: int) -> None:
        row = self.row
        if row is not None and (row.rule.kind == "bool" or row.rule.choices):
            self.post_message(self.Turned(row, by))

    def action_table(self, by: int) -> None:
        heads = [n for n, line in enumerate(self.lines) if not isinstance(line, Row)]
        further = [n for n in heads if n > self.cursor] if by > 0 else [n for n in reversed(heads) if n < self.cursor]
        if further:
            self.move_to(further[0])
        elif self.lines:
            self.move_to(len(self.lines) - 1 if by > 0 else 0)


def turned(row: Row, by: int) -> str:
    """The text of the next choice of a row."""
    if row.rule.kind == "bool":
        return "false" if row.value is True else "true"
    choices = row.rule.choices
    if row.value not in choices:
        return choices[0 if by > 0 else -1]
    return choices[(choices.index(row.value) + by) % len(choices)]


def is_list_of_prompts(row: Row) -> bool:
    return row.key in PROMPT_KEYS
