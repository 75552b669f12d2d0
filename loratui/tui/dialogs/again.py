"""Run again with one change: a key, `=`, and a value, completed and checked as it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from loratui.lab.plain import plain
from loratui.lab.project.fieldtext import field_text
from loratui.lab.project.onechange import about, current, keys_like, read_change
from loratui.lab.project.settings import RULES, Settings
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line


class RunAgain(Dialog[str]):
    """The change as KEY=VALUE; "" to run with what was changed in the project meanwhile; None to do nothing."""

    HELP = (
        "Freezes the project as it is now, with this one change on top, and trains it as a new run beside this one. "
        "Tab takes the key under the cursor. With nothing typed, what was changed in the project since is the change."
    )
    WIDTH = 92
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", show=False, id="again.down", tooltip="The next key"),
        Binding("up", "move(-1)", "Up", show=False, id="again.up", tooltip="The key before"),
        Binding("tab", "complete", "Complete", id="again.complete", priority=True, tooltip="Take this key"),
    ]
    DEFAULT_CSS = """
    RunAgain OptionList { height: 10; border: none; background: $surface; }
    RunAgain OptionList:focus { border: none; }
    RunAgain #about { height: 3; color: $text-muted; padding: 0 1; }
    RunAgain #fault { height: auto; min-height: 1; padding: 0 1; }
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__("Run again with one change")
        self._values = current(settings)
        self._keys: list[str] = []

    def content(self) -> ComposeResult:
        yield Input(placeholder="train.epochs=20   nothing: as the project is now", id="change")
        yield Static("", id="fault", classes="fault", markup=False)
        yield OptionList(id="keys")
        yield Static("", id="about", markup=False)
        yield Static("tab takes the key · enter shows the plan", classes="hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()
        self._fill("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)
        self._judge(event.value)

    def _fill(self, text: str) -> None:
        typed = text.partition("=")[0].strip()
        keys = [typed] if "=" in text and typed in RULES else [rule.key for rule in keys_like(text)]
        if keys == self._keys:
            return
        self._keys = keys
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(
            Option(Content.assemble(f"{key:<32}", (plain(field_text(self._values.get(key)), 50), "dim")))
            for key in keys
        )
        options.highlighted = 0 if keys else None
        self._tell()

    def _judge(self, text: str) -> str:
        """Say what is wrong; returns the change when it can be made."""
        change = read_change(text, self._values) if text.strip() else None
        words, style = (change.error, "$text-error") if change else ("", "")
        if change and change.override:
            words, style = f"{change.key}: {change.before} → {change.override.partition('=')[2]}", "$text-success"
        self.query_one("#fault", Static).update(line(words, 200, style))
        return change.override if change else ""

    def _tell(self) -> None:
        place = self.query_one(OptionList).highlighted
        key = self._keys[place] if place is not None and place < len(self._keys) else ""
        self.query_one("#about", Static).update(line(about(RULES[key])) if key else "")

    @on(OptionList.OptionHighlighted)
    def _stood_on(self) -> None:
        self._tell()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.action_complete()

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._keys:
            options.highlighted = ((options.highlighted or 0) + by) % len(self._keys)

    def action_complete(self) -> None:
        place, field = self.query_one(OptionList).highlighted, self.query_one(Input)
        if place is not None and "=" not in field.value:
            field.value = f"{self._keys[place]}="
            field.cursor_position = len(field.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self.dismiss("")
        elif "=" not in event.value and self._keys:
            self.action_complete()
        elif change := self._judge(event.value):
            self.dismiss(change)
