"""The prompts of a project: the lines of sample.prompts, and then the [[sample.prompt]] tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message

from loratui.lab.plain import plain
from loratui.lab.project.fieldtext import field_text
from loratui.tui.widgets.linelist import Cells, LineList, fitted

NONE = "none: up to four captions are drawn; n adds a prompt"


class PromptList(LineList):
    """One line a prompt. What is to be done with one is told as `Asked`."""

    help_text = (
        "What is drawn with and without the LoRA, from the same noise. n adds a prompt, enter edits the one under the "
        "cursor, d removes it (z brings it back), J and K move it. Without any, up to four of the training captions "
        "are drawn. What a prompt leaves open is as in [sample]."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Edit", id="prompts.edit", tooltip="Edit the prompt under the cursor"),
        Binding("n", "ask('add')", "New", id="prompts.new", tooltip="Add a prompt"),
        Binding("d", "ask('remove')", "Remove", id="prompts.remove", tooltip="Remove the prompt under the cursor"),
        Binding("J", "ask('down')", "Move down", show=False, id="prompts.down", tooltip="Draw it later"),
        Binding("K", "ask('up')", "Move up", show=False, id="prompts.up", tooltip="Draw it earlier"),
    ]

    @dataclass
    class Asked(Message):
        """`what` is add, edit, remove, up or down; `line` or `table` is the number of the prompt among its kind."""

        what: str
        line: int | None
        table: int | None

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: tuple[str, ...] = ()
        self.tables: tuple[Mapping[str, Any], ...] = ()

    def show(self, lines: Sequence[str], tables: Sequence[Mapping[str, Any]]) -> None:
        self.lines, self.tables = tuple(lines), tuple(tables)
        self.set_rows(max(1, len(self.lines) + len(self.tables)), max(0, self.cursor))

    @property
    def is_empty(self) -> bool:
        return not self.lines and not self.tables

    def draw(self, row: int, width: int) -> Cells:
        if self.is_empty:
            return [fitted(NONE, width, self.look("dim"))]
        if row < len(self.lines):
            return [Segment("– ", self.look("dim")), fitted(plain(self.lines[row], 400), width - 2)]
        table = self.tables[row - len(self.lines)]
        number = f"{row - len(self.lines) + 1} "
        text = plain(table.get("text", ""), 200) or '""'
        rest = ", ".join(
            f"{plain(name, 30)} {plain(field_text(value), 80)}" for name, value in table.items() if name != "text"
        )
        left = width - len(number)
        shown = fitted(text, min(len(text), left if not rest else max(12, left // 2)))
        return [Segment(number, self.look("mark")), shown, fitted(f"  {rest}" if rest else "",
                left - shown.cell_length, self.look("dim"))]  # fmt: skip

    def action_choose(self) -> None:
        self.action_ask("add" if self.is_empty else "edit")

    def action_ask(self, what: str) -> None:
        if self.is_empty and what != "add":
            return
        line = self.cursor if self.cursor < len(self.lines) else None
        table = None if line is not None or self.is_empty else self.cursor - len(self.lines)
        self.post_message(self.Asked(what, line, table))
