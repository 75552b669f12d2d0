"""The settings of a project: a form of every key with its help, what a run would be, its prompts, and the text itself.

Every change is saved in project.toml as it is made, with comments and formatting kept. What a change means is worked
out in lab (form, outlook, preview); here it is shown. Saving is in settingsbase.py, the text view in settingstext.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.fieldtext import Entered, entered
from loratui.lab.project.form import Form, Row, make_form
from loratui.lab.project.project import FILE_NAME
from loratui.lab.toml.places import line_at, lines_of
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.start import StartDialog
from loratui.tui.editor import edit_file
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.screens.settingshelp import help_of
from loratui.tui.screens.settingslook import StepsLook, tell
from loratui.tui.screens.settingsprompts import PromptEdits
from loratui.tui.screens.settingstext import TextMode
from loratui.tui.text import lines, safe_title
from loratui.tui.widgets.fieldeditor import FieldEditor
from loratui.tui.widgets.promptlist import PromptList
from loratui.tui.widgets.settingsform import SettingsForm, is_list_of_prompts, turned
from loratui.tui.widgets.tomlview import TomlView

LOOK_SECONDS = 2.0  # between two looks for what another program wrote


class SettingsScreen(TextMode, PromptEdits, StepsLook):
    """The form on the left; help, steps and prompts beside it, or below it where it is narrow."""

    TITLE_WORD = "Settings"
    HELP = (
        "What a run of this project is made of. Panel 1 has every setting, panel 2 what the one under the cursor "
        "means, panel 3 the steps it comes to and what differs from the last run, panel 4 the prompts that are drawn. "
        "Changes are saved at once and can be undone with z; comments in project.toml stay. R starts a run."
    )
    CHANGES = frozenset({"default", "undo", "redo", "editor", "run"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "default", "Default", id="settings.default", tooltip="Take this key out, so its default counts"),
        Binding("z", "undo", "Undo", id="settings.undo", tooltip="Take back the last change of project.toml"),
        Binding("Z", "redo", "Redo", show=False, id="settings.redo", tooltip="Make again what was taken back"),
        Binding("R", "run", "Run now", id="settings.run", tooltip="Start a run with these settings"),
        Binding("e", "editor", "Editor", show=False, id="settings.editor", tooltip="project.toml in $EDITOR"),
    ]
    DEFAULT_CSS = """
    SettingsScreen {
        #settings-body { height: 1fr; }
        #form-panel { width: 1fr; layers: form editor; padding: 0; }
        #toml { width: 1fr; display: none; padding: 0; }
        SettingsForm { height: 1fr; scrollbar-gutter: stable; }
        #find { height: 1; border: none; padding: 0 1; display: none; background: $surface; }
        #beside { width: 44%; max-width: 90; }
        #help { height: auto; min-height: 8; max-height: 50%; }
        #steps { height: 1fr; }
        #prompts { height: auto; min-height: 3; max-height: 30%; }
        #beside Static { height: auto; }
        #beside .panel { scrollbar-size-vertical: 1; }
        &.-text #form-panel { display: none; }
        &.-text #toml { display: block; }
        &.-text #help { display: none; }
        &.-narrow #settings-body { layout: vertical; }
        &.-narrow #beside { width: 1fr; max-width: 100%; height: 9; layout: horizontal; }
        &.-narrow #help, &.-narrow #steps, &.-narrow #prompts {
            width: 1fr; height: 1fr; max-height: 100%; min-height: 3;
        }
        &.-narrow #prompts { display: none; }
        &.-narrow.-prompts #prompts { display: block; }
        &.-narrow.-prompts #steps { display: none; }
    }
    """

    def body(self) -> ComposeResult:
        self.form_list = SettingsForm(id="form")
        self.find = Input(
            placeholder="find keys: a name, a word of the help, or what other trainers call it", id="find"
        )
        self.find.cursor_blink = False
        self.view = TomlView(id="toml", classes="panel")
        self.help_panel = VerticalScroll(Static(markup=False), id="help", classes="panel")
        self.steps_panel = VerticalScroll(Static(markup=False), id="steps", classes="panel")
        self.prompts = PromptList(id="prompts", classes="panel")
        with Horizontal(id="settings-body"):
            with Container(id="form-panel", classes="panel") as self.form_panel:
                yield self.form_list
                yield self.find
                yield self.editor
            yield self.view
            with Vertical(id="beside"):
                yield self.help_panel
                yield self.steps_panel
                yield self.prompts

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.editor = FieldEditor()
        self.form = Form((), {})

    def on_mount(self) -> None:
        safe_title(self.help_panel, "Help", 2)
        safe_title(self.steps_panel, "Steps", 3)
        safe_title(self.prompts, "Prompts", 4)
        self.read_file()
        self.show_file()
        self.form_list.focus()
        self.find_measured()
        self.every(LOOK_SECONDS, self._look_outside)
        faults = self.file.problems() if self.file is not None else ()
        shown = any(row.error or row.clashes for row in self.form.rows)
        if self.file is not None and faults and (self.file.document is None or not shown):
            self.open_text(faults[0].line or 1)

    @property
    def project(self) -> Path | None:
        return self.folder

    def panel_widgets(self) -> list[Widget]:
        first = self.view.area if self.text_mode else self.form_list
        return [first, self.help_panel, self.steps_panel, self.prompts]

    # -- showing ------------------------------------------------------------------------------------------------

    def show_mode(self) -> None:
        self.set_class(self.text_mode, "-text")
        if not self.text_mode:
            self.form_list.focus()
        self.refresh_bindings()

    def show_typed(self) -> None:
        self.show_steps()

    def show_file(self) -> None:
        if self.file is None:
            tell(self.help_panel, lines(f"{self.unreadable}\n\ne opens it in your editor, ctrl+r reads it again."))
            tell(self.steps_panel, Content(""))
            self.form_list.show(Form((), {}))
            self._title()
            return
        self.form = make_form(self.file.document, self.other)
        self.form_list.show(self.form)
        self.show_prompts()
        self._title()
        self._show_help()
        self.show_steps()
        self.refresh_bindings()
        self.look_at_project()

    def _title(self) -> None:
        changed = sum(row.is_changed for row in self.form.rows)
        words = [f"Settings  {plain(self.folder.name, 30)}", f"{changed} *"]
        if self.against is not None:
            others = sum(row.other is not None for row in self.form.rows)
            words.append(f"{others} Δ from {self.against.id[-4:]}")
        safe_title(self.form_panel, " · ".join(words), 1)

    def _show_help(self) -> None:
        if self.file is None:
            remedy = "e opens it in your editor, ctrl+r reads it again."
            tell(self.help_panel, lines(f"{self.unreadable}\n\n{remedy}"))
            return
        run = self.against.id if self.against is not None else ""
        tell(self.help_panel, help_of(self.form_list.line, run))

    @on(SettingsForm.Highlighted)
    def _highlighted(self, event: SettingsForm.Highlighted) -> None:
        if event.list is self.form_list:
            if self.editor.is_open:
                self.editor.close()
            self._show_help()
            self.refresh_bindings()

    # -- other programs --------------------------------------------------------------------------------------------

    def _look_outside(self) -> None:
        if self.file is None or self._asking or self.editor.is_open or not self.file.changed_outside():
            return
        if self.is_typed:
            self.bench.say("project.toml was changed by another program; saving merges the two, or asks", "warning")
            return
        try:
            self.file.reload()
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        if self.text_mode:
            self.drop_text()
        self.show_file()
        self.bench.say("project.toml was changed by another program; this is what it says now")

    def on_show_again(self) -> None:
        if self._asking:
            return
        self.find_measured()
        if self.text_mode:
            self._look_outside()
            return
        file = self.file
        self.read_file()
        if file is not None and self.file is not None:
            try:
                file.reload()  # with its undo
                self.file = file
            except LabError as error:
                self.bench.fail(error)
        self.show_file()

    def action_reload(self) -> None:
        if self.text_mode:
            self.ask_to_drop()
        else:
            self.on_show_again()

    # -- editing a value ----------------------------------------------------------------------------------------

    @on(SettingsForm.Chosen)
    def _chosen(self, event: SettingsForm.Chosen) -> None:
        row = self.form_list.row
        if event.list is not self.form_list or row is None or self.bench.readonly or self.file is None:
            return
        if is_list_of_prompts(row):
            self.action_panel(4)
        elif row.rule.kind == "bool":
            self._turn(row, 1)
        elif row.rule.choices and row.rule.kind == "str":
            self._choose(row)
        else:
            place, width = self.form_list.value_place()
            self.editor.open(row.rule, row.text, place, width)

    @on(SettingsForm.Turned)
    def _turned(self, event: SettingsForm.Turned) -> None:
        self._turn(event.row, event.by)

    def _turn(self, row: Row, by: int) -> None:
        if not self.bench.readonly:
            self._set(row.key, entered(row.rule, turned(row, by)))

    @work(exclusive=True, group="choose")
    async def _choose(self, row: Row) -> None:
        notes = {row.value: "now", row.rule.default: "the default"}
        options = [(choice, choice, notes.get(choice, "")) for choice in row.rule.choices]
        choice = await self.app.push_screen_wait(Choose(row.key, options))
        if choice is not None:
            self._set(row.key, entered(row.rule, choice))

    def _set(self, key: str, found: Entered) -> None:
        self.change(lambda file: file.set(key, found.value, found.written))

    @on(FieldEditor.Done)
    def _done(self, event: FieldEditor.Done) -> None:
        if self.editor.rule is None:
            return
        self.editor.close()
        self.form_list.focus()
        self._set(event.rule.key, event.found)
        if event.then:
            self.form_list.move_to(self.form_list.cursor + event.then)

    @on(FieldEditor.Left)
    def _left(self) -> None:
        if self.editor.is_open:
            self.editor.close()
            self.form_list.focus()

    def action_default(self) -> None:
        row = self.form_list.row
        if row is not None and row.is_written:
            self.change(lambda file: file.unset(row.key))

    def action_undo(self) -> None:
        self._step(back=True)

    def action_redo(self) -> None:
        self._step(back=False)

    def _step(self, back: bool) -> None:
        file = self.file
        what = "" if file is None else file.can_undo if back else file.can_redo
        if what and self.change(lambda file: file.undo() if back else file.redo()):
            self.bench.say(f"{'taken back' if back else 'made again'}: {what}")

    # -- finding ------------------------------------------------------------------------------------------------

    def filter_widget(self) -> Widget | None:
        return None if self.text_mode else self.find

    @on(Input.Changed, "#find")
    def _found(self, event: Input.Changed) -> None:
        self.form_list.show(self.form, event.value)

    @on(Input.Submitted, "#find")
    def _found_enough(self) -> None:
        self.form_list.focus()

    def close_filter(self) -> bool:
        if self.text_mode:
            self.leave_text()
            return True
        if not self.find.display:
            return False
        self.find.value = ""
        self.find.display = False
        self.form_list.show(self.form, "")
        self.form_list.focus()
        return True

    # -- elsewhere ----------------------------------------------------------------------------------------------

    def action_panel(self, number: int) -> None:
        self.set_class(number == 4, "-prompts")
        self.call_after_refresh(self.focus_panel, number)

    def line_under_cursor(self) -> int | None:
        row = self.form_list.row
        if row is None or self.file is None or self.file.document is None:
            return None
        return line_at(lines_of(self.file.text), tuple(row.key.split(".")))

    def action_editor(self) -> None:
        try:
            edit_file(self.bench, self.folder / FILE_NAME, self.line_under_cursor() or 0)
        except LabError as error:
            self.bench.fail(error)
        self.on_show_again()

    @work(exclusive=True, group="run")
    async def action_run(self) -> None:
        run = await self.app.push_screen_wait(StartDialog(self.folder))
        if run is not None:
            self.bench.go(Place("run", self.folder, (run,)))

    def on_screen_suspend(self) -> None:
        if isinstance(self.app.screen, BenchScreen):  # under a dialog nothing is left yet
            self.flush()

    def on_unmount(self) -> None:
        self._is_over = True
        self.flush()

    def flush(self) -> None:
        super().flush()
        rule = self.editor.rule
        if rule is not None and self.editor.is_open and self.editor.input.value != self.form.row(rule.key).text:
            found = entered(rule, self.editor.input.value)
            self.editor.close()
            if not found.error:
                self._set(rule.key, found)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("default", "undo", "redo", "run", "editor") and self.text_mode:
            return False
        if action == "default":
            row = self.form_list.row if self.is_mounted else None
            if row is None or not row.is_written or not self.form_list.has_focus:
                return False
        if action == "undo" and (self.file is None or not self.file.can_undo):
            return False
        if action == "redo" and (self.file is None or not self.file.can_redo):
            return False
        if action == "run" and self.file is None:
            return False
        return super().check_action(action, parameters)
