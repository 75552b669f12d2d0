"""One change to many captions: what to do, how many it is about, and each caption before and after it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Static

from loratui.lab.dataset.bulk import Add, Change, Deduplicate, Operation, Remove, Reorder, Replace, matches, preview
from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.captionstore import Entry
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line, safe_title
from loratui.tui.widgets.changelist import ChangeList
from loratui.tui.widgets.choicerow import ChoiceRow

DEBOUNCE = 0.15  # seconds
_SHOWN = {  # what can be seen of the form for each operation
    "add": ("tag", "position"),
    "remove": ("tag",),
    "replace": ("tag", "by", "how"),
    "reorder": ("order", "keep"),
    "deduplicate": (),
}
_HINTS = {
    "add": "the tag to add, or several with commas between; where it is already it is not added again",
    "remove": "the tag to remove, or several with commas between",
    "replace": "what to replace",
    "reorder": "the tags to put first, with commas between",
    "deduplicate": "",
}


@dataclass(frozen=True)
class Bulk:
    """What the person decided on: the changes they saw, and what it is in words, for undo."""

    changes: tuple[Change, ...]
    what: str


class BulkDialog(Dialog[Bulk]):
    """The changes to make, or None. They are made by whoever asked."""

    WIDTH = 110
    HELP = (
        "Changes many captions at once: the marked images, or without marks all that the filter shows. Nothing is "
        "done before Apply, and z takes the whole step back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "apply", "Apply", id="bulk.apply", priority=True, tooltip="Make these changes"),
        Binding("ctrl+n", "operation(1)", "Next kind", id="bulk.next", priority=True,
                tooltip="Another kind of change"),
        Binding("ctrl+b", "operation(-1)", "Kind before", show=False, id="bulk.previous", priority=True,
                tooltip="The kind of change before"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    BulkDialog {
        & > #box { height: 94%; }
        & #form { height: auto; margin: 1 0 0 0; }
        & #form Input { height: 1; border: none; padding: 0; background: $panel; margin-bottom: 1; }
        & #form Input:focus { border: none; background: $primary 25%; }
        & #form ChoiceRow { margin-bottom: 1; }
        & #at, & #keep { width: 1fr; }
        & #said { height: auto; max-height: 3; }
        & #said.fault { color: $text-error; }
        & ChangeList { height: 1fr; border: round $foreground 30%; background: $surface; }
        & ChangeList:focus { border: round $primary; }
    }
    """

    def __init__(self, about: str, entries: Sequence[Entry], tags: Sequence[str] = ()) -> None:
        """`about` says which images these are; `tags` are offered while typing."""
        super().__init__(f"Change the captions of {about}")
        self._entries = entries
        self._tags = [tag for tag in tags[:5000] if plain(tag) == tag]
        self._changes: tuple[Change, ...] = ()
        self._operation: Operation | None = None

    def content(self) -> ComposeResult:
        suggester = SuggestFromList(self._tags, case_sensitive=False)
        yield ChoiceRow(
            [("add", "Add"), ("remove", "Remove"), ("replace", "Replace"), ("reorder", "Reorder"),
             ("deduplicate", "De-duplicate")], id="operation",
        )  # fmt: skip
        with Vertical(id="form"):
            yield ChoiceRow(
                [("alphabet", "by the alphabet"), ("frequency", "most frequent first"), ("first", "these first")],
                label="order", id="order",
            )  # fmt: skip
            yield Input(id="tag", suggester=suggester)
            yield Input(id="by", placeholder="what to put there; nothing takes it out", suggester=suggester)
            yield ChoiceRow(
                [("text", "text"), ("tags", "whole tags"), ("regex", "regular expression"),
                 ("regex tags", "regex on whole tags")], label="find", id="how",
            )  # fmt: skip
            yield ChoiceRow(
                [("end", "at the end"), ("start", "at the start"), ("number", "as tag number")], label="put it",
                id="position",
            )  # fmt: skip
            yield Input("2", id="at", type="integer", placeholder="number of the tag, from 1")
            yield Input("0", id="keep", type="integer", placeholder="how many tags at the start stay in place")
        yield Static("", id="said", markup=False)
        yield ChangeList(id="changes")
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel")
            yield Button("Apply (ctrl+s)", id="apply", variant="primary", disabled=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        safe_title(self.query_one(ChangeList), "Preview")
        self.query_one("#box").border_subtitle = "tab next field  ctrl+n another kind  ctrl+s applies  esc leaves"
        self._arrange()
        self.query_one("#tag", Input).focus()

    def row(self, name: str) -> str:
        return self.query_one(f"#{name}", ChoiceRow).value

    def text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _arrange(self) -> None:
        """Show what belongs to the operation, and look at it."""
        kind = self.row("operation")
        shown = set(_SHOWN[kind])
        if kind == "add" and self.row("position") == "number":
            shown.add("at")
        if kind == "reorder" and self.row("order") == "first":
            shown.add("tag")
        for widget in self.query_one("#form").children:
            widget.display = widget.id in shown
        tag = self.query_one("#tag", Input)
        tag.placeholder = "what to replace" if kind == "replace" else "tag, another tag"
        self._look()

    def asked(self) -> Operation | None:
        """The operation as the form says; None while a field that it needs is empty. LabError for a wrong one."""
        kind, tag = self.row("operation"), self.text("tag")
        if kind == "deduplicate":
            return Deduplicate()
        if kind == "reorder":
            keep = _number(self.text("keep"), "how many tags stay", 0)
            if self.row("order") == "alphabet":
                return Reorder("alphabet", keep)
            if self.row("order") == "frequency":
                return Reorder("frequency", keep)
            first = tuple(split_tags(tag))
            return Reorder(first, keep) if first else None
        if not tag.strip():
            return None
        if kind == "add":
            where = self.row("position")
            if where == "number":
                return Add(tag, _number(self.text("at"), "the number of the tag", 1) - 1)
            return Add(tag, "start" if where == "start" else "end")
        if kind == "remove":
            return Remove(tag)
        how = self.row("how")
        find = tag.strip() if how == "tags" else tag
        return Replace(find, self.text("by"), regex="regex" in how, whole_tags="tags" in how)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._look()

    @on(ChoiceRow.Changed)
    def _chosen(self) -> None:
        self._arrange()

    @work(exclusive=True, group="preview", exit_on_error=False)
    async def _look(self) -> None:
        """The changes, worked out in a thread once nothing was typed for a moment."""
        self._ready(None, (), "working it out…")
        await asyncio.sleep(DEBOUNCE)
        try:
            operation = self.asked()
            if operation is None:
                self._ready(None, (), _HINTS[self.row("operation")])
                return
            loop = asyncio.get_running_loop()
            threads = getattr(self.app, "threads", None)
            changes = await loop.run_in_executor(threads, preview, operation, self._entries)
            found = await loop.run_in_executor(threads, matches, operation, self._entries)
        except (LabError, OSError) as error:
            self._ready(None, (), str(error), fault=True)
            return
        words = f"changes {len(changes):,} of {_count(len(self._entries), 'caption')}"
        if not isinstance(operation, Reorder):
            words += f", in {_count(found, 'place')}"
        self._ready(operation, tuple(changes), words)

    def _ready(self, operation: Operation | None, changes: tuple[Change, ...], words: str, fault: bool = False) -> None:
        self._operation, self._changes = operation, changes
        said = self.query_one("#said", Static)
        said.update(line(("✗ " if fault else "") + words))
        said.set_class(fault, "fault")
        if operation is not None or fault:
            self.query_one(ChangeList).show(changes)
        self.query_one("#apply", Button).disabled = not changes

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.action_cancel()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        """Enter leads on to what would be changed; only Apply changes it."""
        self.query_one(ChangeList).focus()

    def action_apply(self) -> None:
        if self._changes and self._operation is not None:
            self.dismiss(Bulk(self._changes, in_words(self._operation)))

    def action_operation(self, by: int) -> None:
        self.query_one("#operation", ChoiceRow).action_move(by)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._changes) if action == "apply" else True


def in_words(operation: Operation) -> str:
    """What an operation does, for the toast and for undo."""
    if isinstance(operation, Add):
        at = operation.position
        where = f"at the {at}" if isinstance(at, str) else f"as tag {at + 1}"
        return f"add “{operation.tag.strip()}” {where}"
    if isinstance(operation, Remove):
        return f"remove “{operation.tag.strip()}”"
    if isinstance(operation, Replace):
        return f"replace “{operation.find}” by “{operation.by}”"
    if isinstance(operation, Reorder):
        by = operation.by
        order = f"by {by}" if isinstance(by, str) else f"with “{', '.join(by)}” first"
        return f"reorder tags {order}"
    return "de-duplicate tags"


def _number(text: str, what: str, least: int) -> int:
    if not text.strip().isdigit() or not least <= int(text) <= 1000:
        raise LabError(f"{what}: expected a whole number from {least} to 1000, got {plain(text, 20) or 'nothing'}")
    return int(text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
