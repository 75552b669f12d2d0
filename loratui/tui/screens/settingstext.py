"""The settings screen's view of project.toml as text: shown in place of the form, saved when it is in order.

Text that is not in order stays in the editor and in a draft beside the project, and is saved only on a deliberate yes.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from loratui.lab.errors import LabError
from loratui.lab.project.projectfile import Fault, shown_text
from loratui.lab.project.textdraft import drop_draft, find_draft, keep_draft
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.screens.settingsbase import SettingsBase
from loratui.tui.text import safe_title
from loratui.tui.widgets.tomlview import TomlView


class TextMode(SettingsBase):
    """`text_mode` says which of the two views is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("T,ctrl+t", "toggle_text", "TOML", id="settings.text", tooltip="The text of project.toml, and back"),
    ]
    text_mode = False
    view: TomlView

    # -- in and out ---------------------------------------------------------------------------------------------

    def open_text(self, line: int | None = None) -> None:
        """Show the text: a draft when one was left, else the file's."""
        if self.file is None:
            return
        self.text_mode = True
        self.show_mode()
        saved = shown_text(self.file.text)
        draft = None if self.bench.readonly else find_draft(self.folder)
        self.view.area.read_only = self.bench.readonly
        self.view.load(saved if draft is None else draft, line)
        if draft is not None and draft != saved:
            self.bench.say("this is a draft that was not saved: ctrl+s saves it, ctrl+r drops it", "warning")
        self.view.show_faults(self._faults())
        self._title_text()
        self.view.area.focus()

    def show_mode(self) -> None:
        """Show the form or the text; the screen says how."""

    def action_toggle_text(self) -> None:
        if self.text_mode:
            self.leave_text()
        elif self.file is not None:
            key = self.line_under_cursor()
            self.open_text(key)

    def show_typed(self) -> None:
        """Show what the typed text comes to; the screen says how."""

    def line_under_cursor(self) -> int | None:
        """The line of the text where what is under the form's cursor is written."""
        return None

    def leave_text(self) -> None:
        """Back to the form. Text that is in order is saved; other text is kept as a draft."""
        saved = self.keep_text()
        self.text_mode = False
        self.show_mode()
        if not saved:
            self.bench.say("not saved, since it is not in order: kept as a draft, T goes on with it", "warning")
        self.show_file()

    # -- what was typed -----------------------------------------------------------------------------------------

    @property
    def is_typed(self) -> bool:
        """Whether the editor holds something that the file does not."""
        return self.file is not None and self.text_mode and self.view.text != shown_text(self.file.text)

    def typed_text(self) -> str | None:
        return self.file.restored(self.view.text) if self.file is not None and self.is_typed else None

    def _faults(self) -> tuple[Fault, ...]:
        return self.file.problems(self.file.restored(self.view.text)) if self.file is not None else ()

    def keep_text(self) -> bool:
        """Save what was typed when nothing is wrong with it, else keep it as a draft. True when nothing is left."""
        if self.file is None or not self.is_typed or self.bench.readonly:
            return True
        if not self._faults() and self._save_text(anyway=False):
            return True
        try:
            keep_draft(self.folder, self.view.text)
        except OSError as error:
            self.bench.fail(error)
        return False

    def _save_text(self, anyway: bool) -> bool:
        if self.file is None:
            return False
        try:
            self.file.replace_text(self.view.text)
        except LabError as error:
            self.bench.fail(error)
            return False
        if not self.save(anyway):
            return False
        drop_draft(self.folder)
        return True

    @on(TomlView.Typed)
    def _typed(self) -> None:
        if not self.text_mode or self.file is None:
            return
        self.view.show_faults(self._faults())
        self.show_typed()
        self._title_text()
        if self.is_typed and not self.bench.readonly:
            try:
                keep_draft(self.folder, self.view.text)
            except OSError as error:
                self.bench.fail(error)
        elif not self.bench.readonly:
            drop_draft(self.folder)

    @on(TomlView.Saved)
    @work(exclusive=True, group="save-text")
    async def _saved(self) -> None:
        if self.file is None or self.bench.readonly:
            return
        if not self.is_typed:
            self.bench.say("nothing was changed")
            return
        faults = self._faults()
        if faults:
            what = "is not valid TOML" if faults[0].text.startswith("not valid TOML") else f"has {len(faults)} faults"
            detail = "\n".join(f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in faults[:6])
            question = f"The text {what}. Save it as it is?"
            if not await self.app.push_screen_wait(Confirm(question, detail, yes="Save it", no="Not yet")):
                return
        if self._save_text(anyway=bool(faults)):
            self.view.load(shown_text(self.file.text))
            self._title_text()
            self.bench.say("saved")

    def drop_text(self) -> None:
        """Show the file's own text again, whatever was typed; ctrl+z in the editor does not bring that back."""
        if self.file is not None:
            drop_draft(self.folder)
            self.view.load(shown_text(self.file.text))
            self.view.show_faults(self._faults())
            self._title_text()

    @work(exclusive=True, group="drop-text")
    async def ask_to_drop(self) -> None:
        if not self.is_typed or await self.app.push_screen_wait(
            Confirm("Drop what you typed?", "The file's own text is shown again.", yes="Drop it", no="Keep it")
        ):
            self.drop_text()

    def _title_text(self) -> None:
        safe_title(self.view, "project.toml  " + ("not saved yet" if self.is_typed else "as saved"), 1)

    def flush(self) -> None:
        """Before the bench ends: what is in order is saved, all else is a draft."""
        if self.text_mode:
            self.keep_text()
