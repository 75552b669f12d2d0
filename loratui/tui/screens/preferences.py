"""How one likes the bench: each preference with its meaning and default, and every key with the id that remaps it."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from loratui.lab.errors import LabError
from loratui.lab.preferences import PREFERENCE_RULES, config_file, read_preferences, write_preference
from loratui.lab.project.schema import Problem, expected_words, show
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.choose import Choose
from loratui.tui.keys import BoundKey, every_key
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import cell, line, safe_title
from loratui.tui.widgets.picktable import Column, PickTable, Row, fitted

_VALUES = (
    Column("name", "  preference", 14),
    Column("value", "value", 16, share=1),
    Column("default", "default", 14, most=40),
)
_KEYS = (
    Column("key", "  key", 14, most=24),
    Column("words", "what it does", 24, share=1),
    Column("id", "id", 12, most=24, from_width=70),
    Column("own", "as it comes", 12, most=22, from_width=116),
)


class PreferencesScreen(BenchScreen):
    """Preferences above, keys below; both are written to one file that can be edited by hand."""

    TITLE_WORD = "Preferences"
    HELP = (
        "Preferences of this bench, not of a project. Enter changes the one under the cursor, u takes it back to the "
        "default. They are kept in a TOML file that you may edit by hand; its place is in the title."
    )
    CHANGES = frozenset({"change", "default"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "change", "Change", id="preferences.change", tooltip="Change what is under the cursor",
                priority=True),
        Binding("u", "default", "Default", id="preferences.default", tooltip="Take it back to the default"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    PreferencesScreen {
        #preferences { height: 10; }
        #keys { height: 1fr; }
        #meaning { height: 3; padding: 0 2; color: $text-muted; }
    }
    """

    def body(self) -> ComposeResult:
        self.values = PickTable(_VALUES, id="preferences")
        self.keys = PickTable(_KEYS, id="keys")
        self.values.add_class("panel")
        self.keys.add_class("panel")
        with Vertical():
            yield self.values
            yield Static("", id="meaning", markup=False)
            yield self.keys
        self.panels = (self.values, self.keys)

    def on_mount(self) -> None:
        safe_title(self.values, f"Preferences  {config_file()}", 1)
        safe_title(self.keys, "Keys", 2)
        self._bound = every_key()
        self.show_values()
        self.show_keys()

    def show_values(self) -> None:
        preferences, _ = read_preferences()
        rows: list[Row] = []
        for name, rule in PREFERENCE_RULES.items():
            value = getattr(preferences, name)
            mark = "* " if value != rule.default else "  "
            rows.append((name, tuple(map(fitted, (cell(mark + name), cell(show(value)), cell(show(rule.default)))))))
        self.values.show_rows(rows)

    def show_keys(self) -> None:
        rows: list[Row] = []
        mapped = read_preferences()[0].keymap
        for bound in self._bound:
            keys = mapped.get(bound.id, bound.keys)
            mark = "* " if bound.id in mapped else "  "
            cells = (
                cell(mark + keys),
                cell(bound.words),
                cell(bound.id),
                cell(bound.keys if bound.id in mapped else "", style="dim"),
            )
            rows.append((bound.id, tuple(map(fitted, cells))))
        self.keys.show_rows(rows)

    @on(DataTable.RowHighlighted)
    def _explain(self, event: DataTable.RowHighlighted) -> None:
        name = str(event.row_key.value) if event.row_key.value else ""
        if event.data_table is self.values and name in PREFERENCE_RULES:
            rule = PREFERENCE_RULES[name]
            words = f"{rule.help} {expected_words(rule).capitalize()}{' ' + rule.unit if rule.unit else ''}."
            self.query_one("#meaning", Static).update(line(words))
        elif event.data_table is self.keys:
            self.query_one("#meaning", Static).update(line("Enter sets other keys; several are parted by commas."))

    def _chosen(self) -> tuple[str, BoundKey | None]:
        """The preference's name, or "" and the key, under the cursor of the focused table."""
        if self.focused is self.keys and self._bound:
            return "", self._bound[self.keys.cursor_row]
        return list(PREFERENCE_RULES)[self.values.cursor_row], None

    @work(exclusive=True, group="change")
    async def action_change(self) -> None:
        name, bound = self._chosen()
        preferences, _ = read_preferences()
        if bound is not None:
            keys = await self.app.push_screen_wait(
                Ask(f"Keys for {bound.id}", preferences.keymap.get(bound.id, bound.keys), bound.words)
            )
            if keys is not None and keys.strip():
                self._write("keymap", {**preferences.keymap, bound.id: keys.strip()})
            return
        rule, now = PREFERENCE_RULES[name], getattr(preferences, name)
        choices = sorted(self.app.available_themes) if name == "theme" else rule.choices
        if choices:
            value = await self.app.push_screen_wait(
                Choose(f"{name}", [(c, c, "now" if c == now else "") for c in choices])
            )
            if value is not None:
                self._write(name, value)
            return
        text = await self.app.push_screen_wait(Ask(name, str(now), rule.help, lambda typed: _fault(name, typed)))
        if text is not None:
            self._write(name, float(text) if rule.kind == "float" else text)

    def action_default(self) -> None:
        name, bound = self._chosen()
        if bound is not None:
            kept = {k: v for k, v in read_preferences()[0].keymap.items() if k != bound.id}
            self._write("keymap", kept)
        else:
            self._write(name, PREFERENCE_RULES[name].default)

    def _write(self, name: str, value: object) -> None:
        try:
            write_preference(name, value)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        self.bench.adopt(read_preferences()[0])
        self.show_values()
        self.show_keys()


def _fault(name: str, typed: str) -> str | None:
    from loratui.lab.project.checking import check

    rule = PREFERENCE_RULES[name]
    problems: list[Problem] = []
    value: object = typed
    if rule.kind == "float":
        try:
            value = float(typed)
        except ValueError:
            return f"expected {expected_words(rule)}"
    check(rule, value, (name,), problems)
    return problems[0].message if problems else None
