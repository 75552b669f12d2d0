"""A caption that another program changed while it was being edited: what it was, both texts, and which is kept."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from loratui.lab.dataset.captionstore import Conflict
from loratui.lab.dataset.worddiff import word_diff
from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog
from loratui.tui.widgets.captionedit import CaptionEdit, why_locked

_LONGEST = 1000  # characters shown of each text


class ConflictDialog(Dialog[str]):
    """The caption to save, or None: nothing is decided, and nothing written."""

    WIDTH = 100
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "take('theirs')", "Take theirs", id="conflict.theirs", priority=True,
                tooltip="Leave the file as the other program wrote it"),
        Binding("ctrl+o", "take('ours')", "Take ours", id="conflict.ours", priority=True,
                tooltip="Put our text into the field below"),
        Binding("ctrl+s", "save", "Save", id="conflict.save", priority=True, tooltip="Save what stands in the field"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ConflictDialog {
        & .text { height: auto; max-height: 6; margin-bottom: 1; }
        & #mine { height: 5; border: round $foreground 30%; padding: 0 1; }
        & #mine:focus-within { border: round $primary; }
        & #mine CaptionEdit { background: $surface; }
    }
    """

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(f"{plain(conflict.name, 50)}: another program changed this caption")
        self.conflict = conflict

    def content(self) -> ComposeResult:
        base, ours, theirs = (plain(text, _LONGEST) for text in self._texts())
        yield Static(_labelled("it was", [(base, False)]), classes="text", markup=False)
        yield Static(_labelled("ours, not saved", word_diff(base, ours)[1]), classes="text", id="ours", markup=False)
        yield Static(_labelled("theirs, in the file", word_diff(base, theirs)[1]), classes="text", markup=False)
        yield Static("save this:", classes="hint", markup=False)
        with Vertical(id="mine"):
            yield CaptionEdit(id="choice")
        with Horizontal(classes="buttons"):
            yield Button("Later (esc)", id="later", variant="primary")
            yield Button("Theirs (ctrl+t)", id="theirs")
            yield Button("Ours (ctrl+o)", id="take")
            yield Button("Save (ctrl+s)", id="save")

    def _texts(self) -> tuple[str, str, str]:
        return self.conflict.base, self.conflict.ours, self.conflict.theirs

    def on_mount(self) -> None:
        self.query_one(CaptionEdit).present(self.conflict.name, self.conflict.ours)
        self.query_one("#later", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "save":
                self.action_save()
            case "theirs":
                self.action_take("theirs")
            case "take":
                self.action_take("ours")
            case _:
                self.action_cancel()

    @on(CaptionEdit.Done)
    def _done(self) -> None:
        self.query_one("#save", Button).focus()

    def action_take(self, which: str) -> None:
        """Theirs is decided at once, as nothing is written; ours comes into the field, to be saved from there."""
        if which == "theirs":
            self.dismiss(self.conflict.theirs)
            return
        self.query_one(CaptionEdit).present(self.conflict.name, self.conflict.ours)
        self.query_one("#save", Button).focus()

    def action_save(self) -> None:
        field = self.query_one(CaptionEdit)
        # What could not be shown as it is was not edited either, so it is ours as it was.
        self.dismiss(self.conflict.ours if why_locked(self.conflict.ours) else field.text)


def _labelled(label: str, parts: list[tuple[str, bool]]) -> Content:
    styled = [(text, "bold underline" if differs else "") for text, differs in parts]
    return Content.assemble(
        (f"{label}: ", "dim"), *(styled if any(text for text, _ in parts) else [("(empty)", "dim")])
    )
