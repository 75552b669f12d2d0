"""All observations of a project in time order: to read again, to find, to say better, and to take along as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widget import Widget
from textual.widgets import DataTable, Input, Static

from loratui.lab.errors import LabError
from loratui.lab.files import write_atomic
from loratui.lab.notes.notebook import FILTER_HELP, Wanted, short_run, to_markdown, wanted, when
from loratui.lab.notes.observations import Observation, project_observations
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.notewords import history_words, observation_words
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import line, safe_title
from loratui.tui.widgets.notes import ask_to_strike, text_cell, verdict_cell
from loratui.tui.widgets.table import VimTable
from loratui.tui.widgets.thumb import Thumb

THUMBS = 4
LOOK_SECONDS = 2.0  # between two looks for what others wrote
EMPTY = (
    "No observations in this project yet.\n\nOpen a run (g r), look at its samples, and press n on a picture to write "
    "what you see. Or press n here to write about a run as a whole."
)
NO_RUNS = "No runs in this project yet, so there is nothing to observe.\n\nGo to Settings (g s) and start one."


class NotesScreen(BenchScreen):
    """The list, and beside it (below it, where it is narrow) all of the observation under the cursor."""

    TITLE_WORD = "Notes"
    HELP = (
        "Every observation of this project, oldest first. Nothing here is ever overwritten: an edit keeps the wording "
        "before it, and what is struck out can be brought back.\n\n/ shows only some: " + FILTER_HELP
    )
    CHANGES = frozenset({"new", "edit", "strike", "export"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "Note", id="notebook.new", tooltip="Write an observation about a run"),
        Binding("enter", "edit", "Edit", id="notebook.edit", priority=True,
                tooltip="Say it differently; the old wording is kept"),
        Binding("d", "strike", "Strike out", id="notebook.strike",
                tooltip="Strike this observation out, or bring it back"),
        Binding("o", "open_run", "Run", id="notebook.run", tooltip="Go to the run it is about"),
        Binding("v", "view", "View", id="notebook.view", tooltip="View the picture it points at"),
        Binding("E", "export", "Export", id="notebook.export", tooltip="Write them into a Markdown file"),
        Binding("F", "findings", "Findings", show=False, id="notebook.findings",
                tooltip="Features × runs of this project: what was found"),
        Binding("y", "copy_note", "Copy", show=False, id="notebook.copy", tooltip="Copy its text to the clipboard"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    NotesScreen {
        #notebook { height: 1fr; layout: horizontal; }
        #notes { width: 5fr; height: 100%; overflow-x: hidden; }
        #observation { width: 3fr; }
        &.-narrow #notebook { layout: vertical; }
        &.-narrow #notes { width: 100%; height: 1fr; }
        &.-narrow #observation { width: 100%; height: 12; }
        &.-narrow #thumbs { grid-rows: 7; grid-columns: 13; }
        &.-narrow Thumb { width: 12; height: 6; }
        #find { display: none; border: round $primary; height: 3; }
        #find.-there { display: block; }
        #thumbs { height: auto; layout: grid; grid-columns: 17; grid-rows: 9; }
        Thumb { width: 16; height: 8; margin: 1 0 0 0; display: none; }
        Thumb.-there { display: block; }
        #words { height: auto; }
        #empty { display: none; height: 1fr; }
        &.-empty #empty { display: block; }
        &.-empty #notebook { display: none; }
    }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.everything: list[Observation] = []
        self.observations: list[Observation] = []  # those that are shown
        self._filled: tuple[object, ...] = ()
        self._wanted = Wanted()
        self._problems: list[str] = []

    def body(self) -> ComposeResult:
        yield Input(placeholder=FILTER_HELP, id="find")
        with Container(id="notebook"):
            self.table = VimTable(id="notes", classes="panel")
            yield self.table
            with VerticalScroll(id="observation", classes="panel") as self.detail:
                yield Static("", id="words", markup=False)
                with Container(id="thumbs") as self.thumbs:
                    for _ in range(THUMBS):
                        yield Thumb()
                yield Static("", id="history", markup=False)
        yield Static(EMPTY, classes="empty", id="empty", markup=False)
        self.panels = (self.table, self.detail)

    def on_mount(self) -> None:
        name = self.place.project.name if self.place.project else ""
        self._name = plain(name, 40)
        safe_title(self.table, f"Notes  {self._name}", 1)
        safe_title(self.detail, "Observation", 2)
        self.query_one("#find", Input).cursor_blink = False
        self.table.focus()
        self.load()
        self.every(LOOK_SECONDS, self.load)

    @property
    def run_path(self) -> Path | None:
        return self.selected.folder if self.selected else None

    @property
    def selected(self) -> Observation | None:
        """The observation under the cursor."""
        row = self.table.cursor_row
        return self.observations[row] if 0 <= row < len(self.observations) else None

    def on_show_again(self) -> None:
        self.load()

    @work(exclusive=True, group="load", exit_on_error=False)
    async def load(self, select: str = "") -> None:
        """Read the observations of all runs, and show what differs."""
        if self.place.project is None:
            return
        problems: list[str] = []
        found = await self.aside(project_observations, self.place.project, problems)
        self.everything = found
        for problem in problems:
            if problem not in self._problems:
                self.bench.say(problem, "error", 10)
        self._problems = problems
        if not found:
            runs = await self.aside(list_runs, self.place.project)
            empty, words = self.query_one("#empty", Static), "\n\n".join(map(plain, problems))
            words = words or (EMPTY if runs else NO_RUNS)
            if empty.content != words:
                empty.update(words)
        self.set_class(not found, "-empty")
        self.show(select)
        self.call_after_refresh(self._fit)

    def show(self, select: str = "") -> None:
        """Fill the table with those that the filter lets through; the cursor stays on its observation."""
        chosen = select or (self.selected.id if self.selected else "")
        last = not self.observations
        self.observations = self._wanted.of(self.everything)
        widths = self._widths()
        if (self.observations, widths) != self._filled:
            if self._filled[1:] != (widths,):
                self.table.clear(columns=True)
                for name, width in widths:
                    self.table.add_column(name, width=width)
            self._filled = (self.observations, widths)
            self.table.clear()
            for o in self.observations:
                self.table.add_row(*self._cells(o, dict(widths)))
        row = next((i for i, o in enumerate(self.observations) if o.id == chosen),
                   len(self.observations) - 1 if last else self.table.cursor_row)  # fmt: skip
        self.table.move_cursor(row=max(0, row))
        count = (
            f"{len(self.observations)} of {len(self.everything)}" if self._wanted.parts else f"{len(self.everything)}"
        )
        self.table.border_subtitle = f"{count} observation{'s' if len(self.everything) != 1 else ''}"
        self._tell()

    def _widths(self) -> tuple[tuple[str, int], ...]:
        """The columns, as wide as the table has room for; the note has the rest."""
        room = self.table.content_size.width or 70
        wide = room >= 110
        longest = max([len(o.feature) for o in self.observations], default=0)
        feature = max(7, min(24 if wide else 16, longest))
        widths = {"when": 16 if wide else 12, "verdict": 12, "feature": feature, "run": 24 if wide else 4}
        widths["step"] = 5
        widths["note"] = max(10, room - sum(widths.values()) - 2 * (len(widths) + 1) - 1)
        return tuple(widths.items())

    def _cells(self, o: Observation, widths: dict[str, int]) -> Sequence[Text]:
        return (
            text_cell(o, _moment(o.time, widths["when"])),
            verdict_cell(o),
            text_cell(o, o.feature, widths["feature"]),
            text_cell(o, short_run(o.run) if widths["run"] > 4 else o.run[-4:], widths["run"]),
            text_cell(o, o.step if o.step is not None else ""),
            text_cell(o, o.note, widths["note"]),
        )

    def on_resize(self, event: object) -> None:
        super().on_resize(event)  # type: ignore[arg-type]
        if self.is_mounted and self._filled:
            self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give table and pictures the room there is now."""
        one = 13 if self.has_class("-narrow") else 17
        self.thumbs.styles.grid_size_columns = max(1, self.detail.scrollable_content_region.width // one)
        self.show()

    # -- the one under the cursor -----------------------------------------------------------------------------

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._tell()

    def _tell(self) -> None:
        o = self.selected
        words, history = self.query_one("#words", Static), self.query_one("#history", Static)
        if o is None:
            found = "Nothing matches the filter; escape takes it away." if self.everything else ""
            words.update(found)
            history.update("")
        else:
            words.update(observation_words(o, THUMBS))
            history.update(history_words(o))
        pictures = o.picture_paths[:THUMBS] if o else ()
        for index, thumb in enumerate(self.query(Thumb)):
            thumb.set_class(index < len(pictures), "-there")
            thumb.show(pictures[index] if index < len(pictures) else None)
        self.refresh_bindings()

    @on(Thumb.Opened)
    def _picture_clicked(self, event: Thumb.Opened) -> None:
        self._view(event.path)

    def action_view(self) -> None:
        if self.selected and self.selected.pictures:
            self._view(self.selected.picture_paths[0])

    def _view(self, picture: Path) -> None:
        if self.selected:
            self.bench.go(Place("picture", self.place.project, (self.selected.folder,), picture))

    def action_open_run(self) -> None:
        if self.selected:
            self.bench.go(Place("run", self.place.project, (self.selected.folder,)))

    def action_findings(self) -> None:
        self.bench.go(Place("findings", self.place.project))

    def action_copy_note(self) -> None:
        if self.selected:
            self.bench.copy(self.selected.note)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("edit", "strike", "open_run", "copy_note") and self.selected is None:
            return False
        if action == "edit" and self.focused not in self.panels:
            return False  # enter belongs to the filter
        if action == "view" and not (self.selected and self.selected.pictures):
            return False
        if action == "export" and not self.everything:
            return False
        return super().check_action(action, parameters)

    # -- writing ----------------------------------------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _row_clicked(self) -> None:
        if self.check_action("edit", ()):
            self.action_edit()

    @work(exclusive=True, group="note", exit_on_error=False)
    async def action_edit(self) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        if self.selected is not None:
            saved = await self.app.push_screen_wait(
                NoteDialog(RunFolder(self.selected.folder), observation=self.selected)
            )
            if saved is not None:
                self.load(saved.id)

    @work(exclusive=True, group="note", exit_on_error=False)
    async def action_new(self) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        runs = list(reversed(await self.aside(list_runs, self.place.project))) if self.place.project else []
        if not runs:
            self.bench.say(NO_RUNS)
            return
        run: RunFolder | None = runs[0]
        if len(runs) > 1:
            run = await self.app.push_screen_wait(
                Choose(
                    "Which run is it about?", [(run, run.id, "the newest" if run is runs[0] else "") for run in runs]
                )
            )
        if run is not None:
            saved = await self.app.push_screen_wait(NoteDialog(run))
            if saved is not None:
                self.load(saved.id)

    @work(exclusive=True, group="note", exit_on_error=False)
    async def action_strike(self) -> None:
        if self.selected is not None:
            changed = await ask_to_strike(self, RunFolder(self.selected.folder), self.selected)
            if changed is not None:
                self.load(changed.id)

    @work(exclusive=True, group="note", exit_on_error=False)
    async def action_export(self) -> None:
        project = self.place.project
        if project is None:
            return
        options = [("all", f"all {len(self.everything)} as they stand now", ""),
                   ("history", "all, with their earlier wordings", "")]  # fmt: skip
        if self._wanted.parts:
            options.insert(0, ("shown", f"the {len(self.observations)} that the filter shows", ""))
        which = await self.app.push_screen_wait(Choose("Export which observations?", options))
        if not which:
            return
        hint = "A Markdown file; pictures are linked from where it is."
        name = await self.app.push_screen_wait(Ask("Export to", str(project / "notes.md"), hint, _fault))
        if not name:
            return
        file = Path(name.strip()).expanduser()
        file = file if file.is_absolute() else project / file
        if file.exists() and not await self.app.push_screen_wait(
            Confirm(f"Replace {file.name}?", f"{file} is there already.", yes="Replace it", no="Leave it")
        ):
            return
        chosen = self.observations if which == "shown" else self.everything
        try:
            text = to_markdown(chosen, f"Observations of {project.name}", file.parent, history=which == "history")
            await self.aside(write_atomic, file, text)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        self.bench.say(f"{len(chosen)} observations written to {file}")

    # -- the filter -------------------------------------------------------------------------------------------

    def filter_widget(self) -> Widget | None:
        return None if not self.everything else self.query_one("#find", Input)

    def action_filter(self) -> None:
        find = self.query_one("#find", Input)
        find.add_class("-there")
        find.focus()

    def close_filter(self) -> bool:
        find = self.query_one("#find", Input)
        if not find.has_class("-there"):
            return False
        find.value = ""
        find.remove_class("-there")
        self.table.focus()
        return True

    @on(Input.Changed, "#find")
    def _filter(self, event: Input.Changed) -> None:
        find = self.query_one("#find", Input)
        try:
            self._wanted = wanted(event.value)
        except LabError as error:
            find.border_subtitle = line(error)
            return
        find.border_subtitle = ""
        self.show()

    @on(Input.Submitted, "#find")
    def _filter_done(self) -> None:
        self.table.focus()


def _moment(moment: float, width: int) -> str:
    """Date and time; in a narrow column as on Projects, without the year."""
    if width >= 16 or not moment:
        return when(moment)
    return f"{datetime.fromtimestamp(moment):%e %b %H:%M}"


def _fault(text: str) -> str | None:
    if not text.strip():
        return "write where to"
    file = Path(text.strip()).expanduser()
    if file.is_dir():
        return f"{file} is a folder; add a file name"
    return None if not file.is_absolute() or file.parent.is_dir() else f"{file.parent}: there is no such folder"
