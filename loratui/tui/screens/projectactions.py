"""What can be done with the projects and runs of the shelf: opening, starting, making, renaming, putting away, undoing.

Each is asked for here and done by lab in a thread. What is shown is in projects.py.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.binding import Binding, BindingType

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen

if TYPE_CHECKING:
    from loratui.lab.project.projects import ProjectSummary, RunSummary, Shelf
    from loratui.lab.run.runs import RunFolder

T = TypeVar("T")
_ON_A_PROJECT = frozenset(
    {"dataset", "settings", "run_now", "notes", "rename", "archive", "delete", "edit", "mend", "copy_path"}
)
_ON_A_RUN = frozenset({"mark", "mark_all"})


class ProjectActions(BenchScreen):
    """The keys of the shelf. The subclass says what is chosen and shows what became of it."""

    CHANGES = frozenset({"run_now", "resume", "new", "rename", "archive", "delete", "undo", "edit", "mend"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="projects.open", priority=True,
                tooltip="Open the run, or the project's last run, or its dataset when it was never trained"),
        Binding("space", "mark", "Mark", id="projects.mark", tooltip="Mark the run under the cursor to compare it"),
        Binding("c", "compare", "Compare", id="projects.compare",
                tooltip="Compare the marked runs; with one marked, that and the one under the cursor"),
        Binding("u", "resume", "Resume", id="projects.resume", tooltip="Go on with the unfinished run"),
        Binding("n", "new", "New", id="projects.new",
                tooltip="New project: from nothing, from a folder of images, from an example, as a copy"),
        Binding("t", "dataset", "Dataset", id="projects.dataset", tooltip="Open its images, captions and tags"),
        Binding("s", "settings", "Settings", id="projects.settings", tooltip="Open the settings"),
        Binding("R", "run_now", "Run now", id="projects.run",
                tooltip="Show what a run would be, and start it in a process of its own"),
        Binding("N", "notes", "Notes", id="projects.notes", tooltip="Open all observations of the project"),
        Binding("M", "rename", "Rename", id="projects.rename", show=False, tooltip="Give the project another name"),
        Binding("x", "archive", "Put away", id="projects.archive", show=False,
                tooltip="Keep the project off the list, or bring it back to it"),
        Binding("X", "archived", "Show put away", id="projects.archived", show=False,
                tooltip="Show the projects that were put away, or hide them again"),
        Binding("d,delete", "delete", "Delete", id="projects.delete", show=False,
                tooltip="Move the project to the trash; asks first, and z brings it back"),
        Binding("z", "undo", "Undo", id="projects.undo", show=False,
                tooltip="Take back the last rename, putting away or deleting; then choose from the trash"),
        Binding("e", "mend", "Mend project.toml", id="projects.mend",
                tooltip="Open project.toml, which is not in order, in your editor"),
        Binding("e", "edit", "Edit project.toml", id="projects.edit", show=False,
                tooltip="Open project.toml in your editor"),
        Binding("a", "mark_all", "Mark all", id="projects.mark_all", show=False,
                tooltip="Mark all runs of the project, or none"),
        Binding("y", "copy_path", "Copy path", id="projects.copy_path", show=False,
                tooltip="Copy the path of the project or run to the clipboard"),
    ]  # fmt: skip

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.shelf: Shelf | None = None
        self.folders: tuple[Path, ...] = ()  # the projects as listed
        self.marked: set[Path] = set()  # runs, of any project
        self.with_archived = False
        self._done: list[tuple[str, Callable[[], Path]]] = []  # what can be taken back: its words, and how

    # -- from the subclass --------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def chosen_run(self) -> RunSummary | None:
        """The run under the cursor, else the last one of the chosen project."""

    @property
    @abstractmethod
    def in_runs(self) -> bool:
        """Whether the list of runs has the focus."""

    @abstractmethod
    def runs_of_chosen(self) -> list[RunSummary]:
        """The runs of the chosen project, as they are listed."""

    @abstractmethod
    def show_projects(self, pick: Path | None = None) -> None:
        """Paint the list, and what hangs on the project under its cursor."""

    @abstractmethod
    def show_runs(self) -> None:
        """Paint the runs of the chosen project."""

    @property
    def summary(self) -> ProjectSummary | None:
        """What is known of the chosen project."""
        return self.shelf.summaries.get(self.project) if self.shelf and self.project else None

    # -- what can be done now -----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if super().check_action(action, parameters) is False:
            return False
        broken = self.summary is not None and bool(self.summary.error)
        if broken if action in ("run_now", "dataset", "settings", "edit") else not broken and action == "mend":
            return False
        if action in _ON_A_PROJECT:
            return self.project is not None and not (self.in_runs and action in ("rename", "archive", "delete"))
        if action in _ON_A_RUN:
            return self.in_runs and self.chosen_run is not None
        if action == "open":
            return self.project is not None or self.focused is not None
        if action == "compare":
            return len(self._to_compare()) > 1
        if action == "resume":
            run = self.chosen_run
            return run is not None and run.is_unfinished
        if action == "cover":
            return self.has_class("-narrow") and self.project is not None
        return True

    # -- going places -------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        if self.focused is self.filter_widget():
            self.focus_panel(1)
            return
        run = self.chosen_run
        if self.project is None:
            return
        if run is not None:
            self.bench.go(Place("run", self.project, (run.run.path,)))
        elif self.summary is not None and self.summary.error:
            self.bench.say("project.toml is not in order; e opens it in your editor", "warning")
        else:
            self.action_dataset()

    def action_dataset(self) -> None:
        self.bench.go(Place("dataset", self.project))

    def action_settings(self) -> None:
        self.bench.go(Place("settings", self.project))

    def action_notes(self) -> None:
        self.bench.go(Place("notes", self.project))

    def action_copy_path(self) -> None:
        run = self.chosen_run if self.in_runs else None
        self.bench.copy(str(run.run.path if run else self.project))

    # -- runs ---------------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        run = self.chosen_run
        if run is not None:
            self.marked ^= {run.run.path}
            self.show_runs()

    def action_mark_all(self) -> None:
        mine = {run.run.path for run in self.runs_of_chosen()}
        self.marked = self.marked - mine if mine <= self.marked else self.marked | mine
        self.show_runs()

    def _to_compare(self) -> tuple[Path, ...]:
        """The marked runs in time order; of a single one, that and the run under the cursor."""
        runs = set(self.marked)
        if len(runs) == 1 and self.in_runs and self.chosen_run is not None:
            runs.add(self.chosen_run.run.path)
        return tuple(sorted(runs, key=lambda path: path.name))

    def action_compare(self) -> None:
        self.bench.go(Place("compare", self.project, self._to_compare()))

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_run_now(self) -> None:
        from loratui.tui.dialogs.start import StartDialog

        project = self.project
        if project is None:
            return
        run = await self.app.push_screen_wait(StartDialog(project))
        if run is not None:
            self.bench.go(Place("run", project, (run,)))

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_resume(self) -> None:
        from loratui.tui.dialogs.confirm import Confirm

        chosen, project = self.chosen_run, self.project
        if chosen is None:
            return
        place = Place("run", project, (chosen.run.path,))
        if chosen.state.name == "finished":  # by the clock, which its own page can take away
            self.bench.go(place)
            self.bench.say("its time limit is over; u goes on without one")
            return
        self.bench.say("starting a worker…", seconds=3)
        try:
            notes = await self.aside(_resumed, chosen.run, False)
        except (LabError, OSError) as error:
            if "--allow-changes" not in str(error):
                self.bench.fail(error)
                return
            changes = "\n".join(str(error).splitlines()[:-1])
            words = "It would not be the experiment it was. Its old record is kept; R starts a new run instead."
            sure = Confirm("Go on all the same?", f"{changes}\n\n{words}", yes="Go on", no="Leave it")
            if not await self.app.push_screen_wait(sure):
                return
            notes = await self._do(partial(_resumed, chosen.run, True)) or []
        if notes:
            self.bench.say("\n".join(notes))
        self.bench.go(place)

    def action_mend(self) -> None:
        self.action_edit()

    def action_edit(self) -> None:
        from loratui.tui.editor import edit_file

        if self.project is None:
            return
        try:
            at = re.search(r"project\.toml:(\d+)", self.summary.error if self.summary else "")
            edit_file(self.bench, self.project / "project.toml", int(at[1]) if at else 0)
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.action_reload()

    # -- how ----------------------------------------------------------------------------------------------------

    async def _do(self, function: Callable[[], T]) -> T | None:
        """The result of something done in a thread; None, and its words told, when it could not be done."""
        try:
            return await self.aside(function)
        except (LabError, OSError, Cancelled) as error:
            self.bench.fail(error)
            return None

    async def _show_again(self, pick: Path | None = None) -> None:
        """Read the list again, and go to a project that came."""
        if self.shelf is not None:
            await self.aside(self.shelf.refresh, self.bench.patience)
            self.folders = await self.aside(self.shelf.list)
        self.show_projects(pick)
        self.focus_panel(1)


def _resumed(run: RunFolder, allow_changes: bool) -> list[str]:
    from loratui.lab.run.launch import resume

    return resume(run, allow_changes)
