"""What every part of the settings screen works on: the project's file, and saving each change to it.

No widget is made here. The form is in settings.py, the text view in settingstext.py, prompts in settingsprompts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual import work

from loratui.lab.errors import LabError
from loratui.lab.project.form import run_settings
from loratui.lab.project.project import FILE_NAME
from loratui.lab.project.projectfile import FileConflict, ProjectFile
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.tui.dialogs.choose import Choose
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen


class SettingsBase(BenchScreen):
    """`file` is None when it cannot be read at all; `unreadable` then says why."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.folder = place.project or (RunFolder(place.runs[0]).project_folder if place.runs else Path())
        self.file: ProjectFile | None = None
        self.unreadable = ""
        self.other: dict[str, object] | None = None  # the plain settings of the run to compare with
        self.against: RunFolder | None = None
        self._asking = False
        self._is_over = False  # the screen is being taken down: there is nothing left to show anything on

    def read_file(self) -> None:
        """Open the file, and the record of the run to compare with."""
        try:
            self.file = ProjectFile.open(self.folder / FILE_NAME)
            self.unreadable = ""
        except LabError as error:
            self.file, self.unreadable = None, str(error)
        runs = list_runs(self.folder)
        self.against = RunFolder(self.place.runs[0]) if self.place.runs else runs[-1] if runs else None
        self.other = None
        if self.against is not None:
            try:
                self.other = run_settings(self.against.read_record())
            except LabError as error:
                self.bench.fail(error)

    # -- hooks for the other parts ------------------------------------------------------------------------------

    def show_file(self) -> None:
        """Show what the file says now; called after every change of it."""

    def typed_text(self) -> str | None:
        """The text that is being typed and not saved yet, if there is one."""
        return None

    # -- changing -----------------------------------------------------------------------------------------------

    def change(self, edit: Callable[[ProjectFile], object]) -> bool:
        """Make an edit and save it. What goes wrong is told; a conflict is asked about."""
        if self.file is None or self.bench.readonly or self._asking:
            return False
        try:
            edit(self.file)
        except LabError as error:
            self.bench.fail(error)
            return False
        return self.save()

    def save(self, anyway: bool = False) -> bool:
        """Write what was edited. True when it is on disk."""
        if self.file is None:
            return False
        try:
            words = self.file.save(anyway)
        except FileConflict as conflict:
            if not self._is_over:
                self._ask_whose(conflict)
            return False
        except (LabError, OSError) as error:
            self.bench.fail(error)
            if not self._is_over:
                self.show_file()
            return False
        if words:
            self.bench.say(words)
        if not self._is_over:
            self.show_file()
        return True

    @work(exclusive=True, group="conflict")
    async def _ask_whose(self, conflict: FileConflict) -> None:
        """Both changed the same: nothing is written before the person has said whose is to stay."""
        self._asking = True
        options = [
            ("ours", "keep yours", "what you changed here is set in the other program's version"),
            ("theirs", "take what is there", "z brings your version back"),
        ]
        what = ", ".join(conflict.keys[:3]) or "the same lines"
        whose = await self.app.push_screen_wait(Choose(f"Another program changed {what} too", options))
        self._asking = False
        if self.file is None:
            return
        try:
            self.file.resolve("ours" if whose == "ours" else "theirs")
            if whose == "ours":
                self.file.save()
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.show_file()
