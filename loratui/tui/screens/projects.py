"""The shelf: projects, the runs of the one under the cursor, and its cover.

Painted with names alone and filled in from threads. What can be done with a project is in projectactions.py and
projectchanges.py; what is told of one is lab's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Input, Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled, Progress
from loratui.tui.places import Place
from loratui.tui.screens.projectchanges import ProjectChanges
from loratui.tui.screens.screenjobs import ScreenJobs
from loratui.tui.text import line, safe_title
from loratui.tui.widgets.coverpanel import ACROSS, DOWN, CoverPanel
from loratui.tui.widgets.header import BenchHeader
from loratui.tui.widgets.picktable import PickTable
from loratui.tui.widgets.projecttable import (
    PROJECT_COLUMNS,
    RUN_COLUMNS,
    filtered,
    no_projects,
    no_runs,
    project_row,
    run_row,
    sorted_runs,
    unread_row,
)

if TYPE_CHECKING:
    from loratui.lab.project.cover import Cover
    from loratui.lab.project.projects import ProjectSummary, RunSummary, Shelf
    from loratui.lab.run.runs import RunFolder

NEAR_SECONDS, ALL_SECONDS = 2.0, 20.0  # between two looks at the project under the cursor, and at all of them
SHOWN_EVERY = 0.2  # seconds of reading, after which rows are shown
SEEN_FIRST = 20  # runs that are compared before all others are
REST_SECONDS = 0.06  # for which the cursor has to rest before a cover is read


class ProjectsScreen(ScreenJobs, ProjectChanges):
    """Panels: 1 projects, 2 runs of the chosen one, 3 its cover, which in narrow terminals takes the runs' place."""

    TITLE_WORD = "Projects"
    HELP = (
        "Every project of this folder. Enter opens the one under the cursor: its dataset as long as it was never "
        "trained, else its last run. The signs behind the number of runs say how they stand: ▶ running, ‖ paused, "
        "✓ finished, ■ stopped, ! interrupted, ✗ failed. Below are the runs of the chosen project, each with what is "
        "new in it against the one before; mark two with space and compare them with c. R starts runs: the project's, "
        "its variants', its matrix's. F shows what was found in all of them, m writes the report.\n\n"
        "Deleting moves a project to the folder .trash beside the others and z brings it back; so it does after a "
        "rename. Putting away (x) keeps a project off the list, X shows what was put away."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "cover", "Cover", id="projects.cover",
                tooltip="Show images and settings of the project in place of its runs"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ProjectsScreen {
        #shelf { height: 1fr; }
        #lists { width: 1fr; }
        #projects { height: 1fr; min-height: 6; }
        #runs { height: 1fr; min-height: 5; }
        #cover { width: 42; height: 100%; }
        #projects, #runs { padding: 0; }
        #find { display: none; height: 1; border: none; padding: 0; background: $surface; }
        #find:focus { border: none; }
        .empty { display: none; height: 1fr; }
        .-none > .empty { display: block; }
        .-none > PickTable { display: none; }
        &.-narrow #cover { display: none; }
        &.-narrow.-cover #shelf { layout: vertical; }
        &.-narrow.-cover #lists { width: 100%; height: 9; }
        &.-narrow.-cover #runs { display: none; }
        &.-narrow.-cover #cover { display: block; width: 100%; height: 1fr; }
        &.-very-wide #lists { layout: horizontal; }
        &.-very-wide #projects { height: 100%; width: 4fr; }
        &.-very-wide #runs { height: 100%; width: 3fr; }
        &.-very-wide #cover { width: 25%; min-width: 54; }
    }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.news: dict[Path, str] = {}  # of runs
        self._listed = False
        self._chosen: Path | None = None  # the project that was chosen when this was last looked at
        self._covered: tuple[Path | None, ProjectSummary | None] | None = None  # what the cover shows, or is about to

    def body(self) -> ComposeResult:
        self.table, self.runs = PickTable(PROJECT_COLUMNS, id="table"), PickTable(RUN_COLUMNS, id="run-table")
        self.find = Input(placeholder="name or question", id="find")
        self.find.cursor_blink = False
        self.cover = CoverPanel(id="cover", classes="panel")
        self.project_panel = Container(self.table, Static("", classes="empty", markup=False), self.find,
                                       id="projects", classes="panel")  # fmt: skip
        self.run_panel = Container(self.runs, Static("", classes="empty", markup=False), id="runs", classes="panel")
        with Horizontal(id="shelf"):
            yield Vertical(self.project_panel, self.run_panel, id="lists")
            yield self.cover
        self.panels = (self.project_panel, self.run_panel, self.cover)

    def on_mount(self) -> None:
        safe_title(self.project_panel, "Projects", 1)
        safe_title(self.run_panel, "Runs", 2)
        self.table.focus()
        self.look()
        self.every(NEAR_SECONDS, self.look_near)
        self.every(ALL_SECONDS, self.look)

    def on_show_again(self) -> None:
        self._covered = None  # images and captions may be others
        self.look()

    # -- what is chosen ---------------------------------------------------------------------------------------

    @property
    def project(self) -> Path | None:
        return Path(self.table.picked) if self.table.picked else None

    @property
    def run_path(self) -> Path | None:
        """The run under the cursor of the list of runs while that is what one is at, else the last one."""
        chosen = self.chosen_run
        return chosen.run.path if chosen else None

    @property
    def chosen_run(self) -> RunSummary | None:
        runs = {str(run.run.path): run for run in self.runs_of_chosen()}
        if self.in_runs:
            return runs.get(self.runs.picked or "")
        return next(iter(runs.values()), None)

    @property
    def in_runs(self) -> bool:
        return self.focused is self.runs

    def jobs_of(self) -> RunFolder | Path | None:
        return self.project

    def runs_of_chosen(self) -> list[RunSummary]:
        """The runs of the chosen project, the newest first."""
        summary = self.summary
        return sorted_runs(summary.runs) if summary else []

    # -- reading ----------------------------------------------------------------------------------------------

    @work(exclusive=True, group="shelf", exit_on_error=False)
    async def look(self) -> None:
        """Read the whole shelf: what is not known yet in small batches, so that rows come as they are read."""
        try:
            shelf = self.shelf if self.shelf is not None else await self.aside(_new_shelf, self.bench.folder)
            self.shelf = shelf
            shelf.archived = self.with_archived
            self.folders = await self.aside(shelf.list)
            self._listed = True
            self.show_projects()
            new = [folder for folder in self.folders if folder not in shelf.summaries]
            new.sort(key=lambda folder: folder != self.project)  # what the cursor is on is read first
            while new:
                new = new[await self.aside(_read_some, shelf, new, self.bench.patience) :]
                self.show_projects()
            await self.aside(shelf.refresh, self.bench.patience)
            self.show_projects()
        except (LabError, OSError) as error:
            self.bench.fail(error)
        except Cancelled:
            pass

    @work(exclusive=True, group="near", exit_on_error=False)
    async def look_near(self) -> None:
        """Read what is likely to change: the chosen project, and those with a live run."""
        shelf = self.shelf
        if shelf is None or self.project is None:
            return
        live = {item.run.project_folder for item in self.bench.live}
        changed = False
        for folder in [folder for folder in self.folders if folder == self.project or folder in live]:
            before = shelf.summaries.get(folder)
            changed |= await self.aside(shelf.look, folder) != before
        if changed:
            self.show_projects()

    # -- showing ----------------------------------------------------------------------------------------------

    def show_projects(self, pick: Path | None = None) -> None:
        """Paint the list, and what hangs on the project under its cursor."""
        known = self.shelf.summaries if self.shelf else {}
        shown = filtered(known, self.folders, self.find.value) if self.find.value else list(self.folders)
        rows = [project_row(known[folder]) if folder in known else unread_row(folder) for folder in shown]
        self.table.show_rows(rows, str(pick) if pick else None)
        words = no_projects(self.bench.folder, bool(self.folders), self.find.value, self.bench.readonly)
        _empty(self.project_panel, words if self._listed and not rows else None)
        count = f"{len(shown)} of {len(self.folders)}" if len(shown) != len(self.folders) else ""
        safe_title(self.project_panel, f"Projects {count}".strip(), 1)
        _subtitle(self.project_panel, str(self.bench.folder))
        self.show_chosen()

    def show_chosen(self) -> None:
        """Paint the runs of the chosen project, and ask for its cover when it is another one."""
        project, summary = self.project, self.summary
        self.show_runs()
        if project != self._chosen:
            self._chosen = project
            self.query_one(BenchHeader).refresh()
            self.refresh_bindings()
        if self._covered != (project, summary) and (summary is not None or project is None):
            self._covered = project, summary
            self.read_cover()

    def show_runs(self) -> None:
        """Paint the list of runs."""
        runs = self.runs_of_chosen()
        rows = [run_row(run, run.run.path in self.marked, self.news.get(run.run.path)) for run in runs]
        self.runs.show_rows(rows)
        name = self.project.name if self.project else ""
        marked = f"  ● {len(self.marked)} marked" if self.marked else ""
        safe_title(self.run_panel, f"Runs{' of ' if name else ''}{name}{marked}", 2)
        known = self.summary is not None or self.project is None
        _empty(self.run_panel, no_runs(self.summary) if known and not rows else None)
        self.refresh_bindings()

    @work(exclusive=True, group="cover", exit_on_error=False)
    async def read_cover(self) -> None:
        """Read the cover of the chosen project once the cursor rests, then what is new in its runs."""
        project = self.project
        if project is None:
            self.cover.clear()
            return
        await asyncio.sleep(REST_SECONDS)
        cover = await self.aside(_read_cover, project)
        summary = self.summary
        self.cover.show(cover, summary.last_observation if summary else None)
        await self.read_news()

    async def read_news(self) -> None:
        """Find out what is new in each run and show it, of the newest first."""
        shelf, runs = self.shelf, self.runs_of_chosen()
        if shelf is None:
            return
        for start, end in ((0, SEEN_FIRST), (SEEN_FIRST, len(runs))):
            found = await self.aside(_news, shelf, runs, start, end)
            if any(self.news.get(path) != words for path, words in found.items()):
                self.news.update(found)
                self.show_runs()

    # -- keys and mouse ---------------------------------------------------------------------------------------

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        if event.data_table is self.table and self.project != self._chosen:
            self.show_chosen()
        else:
            self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _opened(self) -> None:
        self.action_open()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    @on(Input.Changed, "#find")
    def _filter(self) -> None:
        self.show_projects()

    @on(Input.Submitted, "#find")
    def _filtered(self) -> None:
        self.table.focus()

    def filter_widget(self) -> Widget | None:
        return self.find

    def close_filter(self) -> bool:
        if self.find.display:
            self.find.display = False
            self.find.value = ""
            self.table.focus()
            return True
        if self.marked:
            self.marked.clear()
            self.show_runs()
            return True
        return False

    def panel_widgets(self) -> Sequence[Widget]:
        return self.panels

    def focus_panel(self, number: int) -> None:
        if number in (2, 3) and self.has_class("-narrow"):
            self.set_class(number == 3, "-cover")
        super().focus_panel(number)

    def action_cover(self) -> None:
        """In a narrow terminal, the cover in place of the runs and back; in others it is there always."""
        self.toggle_class("-cover")
        if self.has_class("-cover"):
            self.cover.focus()
        elif self.focused is self.cover:
            self.table.focus()


def _new_shelf(folder: Path) -> Shelf:
    from loratui.lab.project.projects import Shelf

    return Shelf(folder)


def _read_some(shelf: Shelf, folders: Sequence[Path], progress: Progress) -> int:
    """Read projects for a moment; returns how many of them."""
    end = time.monotonic() + SHOWN_EVERY
    for number, folder in enumerate(folders, start=1):
        progress(number, len(folders))
        shelf.look(folder)
        if time.monotonic() > end:
            return number
    return len(folders)


def _read_cover(project: Path) -> Cover:
    from loratui.lab.project.cover import read_cover

    return read_cover(project, ACROSS * DOWN)


def _news(shelf: Shelf, runs: Sequence[RunSummary], start: int, end: int) -> dict[Path, str]:
    """What is new in some of the runs, of which the newest is the first."""
    before = [run.run for run in runs[1:]] + [None]
    pairs = list(zip(runs, before, strict=True))[start:end]
    return {run.run.path: shelf.news(run.run, older) for run, older in pairs}


def _empty(panel: Widget, words: Content | None) -> None:
    """Words in place of a table that has no rows; None for one that has."""
    panel.set_class(words is not None, "-none")
    shown = panel.query_one(".empty", Static)
    if words is not None and shown.content != words:
        shown.update(words)


def _subtitle(panel: Widget, words: str) -> None:
    subtitle = line(words, 60)
    if panel._border_subtitle != subtitle:
        panel.border_subtitle = subtitle
