"""One [[sample.prompt]]: its words, and what it has of its own; what is left empty is as in [sample]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from loratui.lab.plain import plain
from loratui.lab.project.fieldtext import Entered, entered, field_text
from loratui.lab.project.form import allowed_words
from loratui.lab.project.prompts import PROMPT_RULES
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line


@dataclass(frozen=True)
class PromptEdit:
    """What was changed: a value for each name that is to be written, and the names that are as in [sample] again."""

    set: Mapping[str, Entered]
    unset: tuple[str, ...]


class PromptDialog(Dialog[PromptEdit]):
    """A field for each of a prompt's keys. `sample` is what [sample] says, shown where nothing is written."""

    HELP = (
        "text is what is drawn, and an empty one draws without words. Whatever else is left empty is as in [sample], "
        'which is shown dim. expect is what should be seen, such as colour = "gray", shape = "circle"; measures are '
        "held against it."
    )
    WIDTH = 86
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="prompt.save", tooltip="Save the prompt"),
        Binding("down", "app.focus_next", show=False, id="prompt.next"),
        Binding("up", "app.focus_previous", show=False, id="prompt.before"),
    ]
    DEFAULT_CSS = """
    PromptDialog {
        #fields { height: auto; max-height: 20; }
        .field { height: 1; }
        Label { width: 18; }
        Label.-changed { color: $text-accent; text-style: bold; }
        Label.-wrong { color: $text-error; text-style: bold; }
        Input, Input:focus { height: 1; border: none; padding: 0 1; width: 1fr; background: $boost; }
        Input:focus { background: $primary 30%; }
        #about { height: 3; margin-top: 1; color: $text-muted; }
        #about.-wrong { color: $text-error; }
    }
    """

    def __init__(self, title: str, table: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
        super().__init__(title)
        self._before = {name: field_text(table[name]) if name in table else "" for name in PROMPT_RULES}
        self._sample = sample
        self._is_new = not table

    def content(self) -> ComposeResult:
        with VerticalScroll(id="fields", can_focus=False):
            for name in PROMPT_RULES:
                hint = field_text(self._sample[name]) if name in self._sample else ""
                with Horizontal(classes="field"):
                    yield Label(name, markup=False)
                    yield Input(plain(self._before[name]), placeholder=plain(hint, 60), id=name, select_on_focus=False)
        yield Static("", id="about", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line("Leave (esc)"), id="no")
            yield Button(line("Save (enter)"), id="yes", variant="primary")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#text", Input).focus()

    def _found(self, name: str) -> Entered | None:
        """What is in a field; None when it is to be as in [sample]."""
        text = self.query_one(f"#{name}", Input).value
        if name != "text" and not text.strip():
            return None
        return entered(PROMPT_RULES[name], text)

    @on(events.DescendantFocus)
    @on(Input.Changed)
    def _explain(self) -> None:
        if not self.is_mounted or not isinstance(self.focused, Input):
            return
        name = str(self.focused.id)
        rule, found = PROMPT_RULES[name], self._found(name)
        error = found.error if found else ""
        about = self.query_one("#about", Static)
        about.set_class(bool(error), "-wrong")
        words = allowed_words(rule) if not rule.kind.startswith("Mapping") else "a table, without its braces"
        about.update(line(error or f"{rule.help} {words[:1].upper()}{words[1:]}.", 500))
        label = self.focused.parent.query_one(Label) if self.focused.parent else None
        if label is not None:
            label.set_class(bool(error), "-wrong")
            label.set_class(self.focused.value != plain(self._before[name]), "-changed")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_save()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_save()
        else:
            self.action_cancel()

    def action_save(self) -> None:
        changed: dict[str, Entered] = {}
        unset: list[str] = []
        for name, before in self._before.items():
            field = self.query_one(f"#{name}", Input)
            if field.value == plain(before) and not (self._is_new and name == "text"):
                continue
            found = self._found(name)
            if found is None:
                unset.append(name)
            elif found.error:
                field.focus()
                self.app.bell()
                return
            else:
                changed[name] = found
        self.dismiss(PromptEdit(changed, tuple(unset)))
