"""What was found in a project: features × runs, what a person said and what the measures suggest told apart.

Nothing is measured or judged here: the table is lab's (`notes.findings`), and a suggestion becomes an observation on
the page of its run. The words of a cell are in findingwords.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Static

from loratui.lab.errors import LabError
from loratui.lab.notes.findings import COLUMNS, Cell, Findings, findings, to_csv, to_markdown
from loratui.lab.notes.notebook import short_run
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.tui.findingwords import cell_text, cell_words, foot_words, run_head
from loratui.tui.places import Place
from loratui.tui.screens.screenjobs import ScreenJobs
from loratui.tui.text import cell, safe_title
from loratui.tui.widgets.table import VimTable

LOOK_SECONDS = 5.0  # between two looks for what others wrote
FEATURE = 28  # columns of a feature's name, fewer in narrow terminals
RUN = 24  # columns of a run
EMPTY = (
    "Nothing was found in this project yet.\n\nOpen a run (g r): n on a picture writes down what you see, with a "
    "feature and a verdict. Where its prompts have an expect, m there measures the pictures, and what they "
    "suggest stands here too."
)
NO_RUNS = "No runs in this project yet, so there is nothing to find.\n\nR on Projects or Settings starts one."


class FindingsScreen(ScreenJobs):
    """Panels: 1 the table, 2 all of the cell under the cursor."""

    TITLE_WORD = "Findings"
    HELP = (
        "Features down, runs across. ✓ learned, ~ partly, ✗ not shown, ? uncertain, … too few pictures. What stands in "
        "brackets is what the measures suggest, and nobody has accepted it; without brackets a person said it, and ≠ "
        "tells that the measures suggest something else. Below stands in how many pictures it showed, with the LoRA "
        "and without.\n\nEnter shows all there is about a cell, o goes to its run, s sorts, E writes a file."
    )
    CHANGES = frozenset({"export"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="findings.open", priority=True,
                tooltip="All that was said and measured about this cell, and the way to its run"),
        Binding("o", "open_run", "Run", id="findings.run", tooltip="Go to the run of this column"),
        Binding("s", "sort", "Sort", id="findings.sort", tooltip="Sort by the next: feature, verdict, n, run, time"),
        Binding("S", "reverse", "Reverse", id="findings.reverse", show=False, tooltip="Sort the other way round"),
        Binding("E", "export", "Export", id="findings.export", tooltip="Write the table to a Markdown or CSV file"),
        Binding("m", "more", "More…", id="jobs.more",
                tooltip="Write the report of the project, and see how that stands"),
        Binding("l", "cursor(1)", "Right", id="findings.right", show=False, tooltip="The next run"),
        Binding("h", "cursor(-1)", "Left", id="findings.left", show=False, tooltip="The run before"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    FindingsScreen {
        #found { height: 1fr; }
        #table { height: 1fr; }
        #table > .datatable--fixed { background: $background; }
        #about { height: auto; min-height: 4; max-height: 11; }
        &.-short #about { max-height: 8; }
        #about Static { height: auto; }
        #foot { height: auto; max-height: 3; padding: 0 2; color: $foreground 60%; }
        #empty { display: none; height: 1fr; }
        &.-empty #empty { display: block; }
        &.-empty #found { display: none; }
    }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.told: Findings | None = None
        self._by: str | None = None  # the column that rows are sorted by; None for the order they are told in
        self._reverse = False
        self._filled: object = None
        self._problems: list[str] = []

    def body(self) -> ComposeResult:
        with Container(id="found"):
            self.table = VimTable(id="table", classes="panel")
            self.table.cursor_type = "cell"
            self.table.fixed_columns = 1
            yield self.table
            with VerticalScroll(id="about", classes="panel") as self.about:
                yield Static("", markup=False)
            yield Static("", id="foot", markup=False)
        yield Static("reading…", classes="empty", id="empty", markup=False)
        self.panels = (self.table, self.about)

    def on_mount(self) -> None:
        name = self.place.project.name if self.place.project else ""
        safe_title(self.table, f"Findings  {plain(name, 40)}", 1)
        safe_title(self.about, "This cell", 2)
        self.table.focus()
        self.load()
        self.every(LOOK_SECONDS, self.load)

    def jobs_of(self) -> RunFolder | Path | None:
        return self.place.project

    def on_show_again(self) -> None:
        self.load()

    @property
    def run_path(self) -> Path | None:
        run = self.run_at_cursor
        return run.path if run else None

    # -- reading and showing --------------------------------------------------------------------------------------

    @work(exclusive=True, group="load", exit_on_error=False)
    async def load(self) -> None:
        """Read the observations and scores of all runs, and show what differs."""
        if self.place.project is None:
            return
        problems: list[str] = []
        try:
            told = await self.aside(findings, self.place.project, problems)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        for problem in problems:
            if problem not in self._problems:
                self.bench.say(problem, "error", 10)
        self._problems = problems
        self.told = told
        self.set_class(not told.cells, "-empty")
        if not told.cells:
            words = "\n\n".join(map(plain, problems)) or (EMPTY if told.runs else NO_RUNS)
            empty = self.query_one("#empty", Static)
            if empty.content != words:
                empty.update(words)
        self.show()

    @property
    def shown(self) -> Findings | None:
        """The table as it is sorted."""
        if self.told is None or self._by is None:
            return self.told
        told = self.told.sorted(self._by, self._reverse)
        if self._by == "run":
            runs = tuple(reversed(self.told.runs)) if self._reverse else self.told.runs
            return _with_runs(told, self.told, runs)
        return told

    def show(self) -> None:
        """Fill the table; the cursor stays on its feature and run."""
        told = self.shown
        if told is None:
            return
        narrow = self.has_class("-narrow")
        runs = tuple(run for run in told.runs if any(found.run == run for found in told.cells))
        filled = (told.cells, told.features, runs, narrow)
        if filled != self._filled:
            self._filled = filled
            at = self._key_at_cursor()
            self.table.clear(columns=True)
            self.table.header_height = 2 if any(len(short_run(run.id)) > RUN for run in runs) else 1
            self.table.add_column(cell("feature"), width=20 if narrow else FEATURE, key="feature")
            for run in runs:
                self.table.add_column(run_head(run, RUN), width=RUN, key=str(run.path))
            for feature in told.features:
                texts = [cell_text(told.cell(feature, run), RUN) for run in runs]
                self.table.add_row(cell_words(feature, 20 if narrow else FEATURE), *texts, key=feature, height=2)
            self._go_to(at)
        way = f"by {self._by}{', the other way round' if self._reverse else ''}" if self._by else "as they came"
        self.table.border_subtitle = f"{way} · {len(told.features)} features × {len(runs)} runs"
        self.query_one("#foot", Static).update(foot_words(told))
        self._tell()

    def _key_at_cursor(self) -> tuple[str, str] | None:
        try:
            key = self.table.coordinate_to_cell_key(self.table.cursor_coordinate)
        except Exception:  # Textual's own kind, where the table is empty
            return None
        return str(key.row_key.value), str(key.column_key.value)

    def _go_to(self, at: tuple[str, str] | None) -> None:
        row = self.table.get_row_index(at[0]) if at and at[0] in self.table.rows else 0
        columns = [str(key.value) for key in self.table.columns]
        column = columns.index(at[1]) if at and at[1] in columns else 1
        if self.table.row_count:
            self.table.cursor_coordinate = Coordinate(row, max(1, column))

    @property
    def run_at_cursor(self) -> RunFolder | None:
        at = self._key_at_cursor() if self.is_mounted else None
        return next((run for run in self.told.runs if str(run.path) == at[1]), None) if at and self.told else None

    @property
    def selected(self) -> Cell | None:
        """The finding under the cursor."""
        at, run = self._key_at_cursor(), self.run_at_cursor
        return self.told.cell(at[0], run) if at and run and self.told else None

    @on(DataTable.CellHighlighted)
    def _moved(self) -> None:
        self._tell()

    def _tell(self) -> None:
        from loratui.tui.findingwords import about_words, nothing_words

        at, run = self._key_at_cursor(), self.run_at_cursor
        words = about_words(self.selected) if self.selected else nothing_words(at[0] if at else "", run)
        static = self.about.query_one(Static)
        if static.content != words:
            static.update(words)
        self.refresh_bindings()

    # -- keys -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("open", "open_run") and self.run_at_cursor is None:
            return False
        if action in ("sort", "reverse", "export", "cursor") and not (self.told and self.told.cells):
            return False
        return super().check_action(action, parameters)

    def action_cursor(self, by: int) -> None:
        at = self.table.cursor_coordinate
        self.table.cursor_coordinate = Coordinate(at.row, max(1, min(len(self.table.columns) - 1, at.column + by)))

    def action_sort(self) -> None:
        order = [None, *COLUMNS]
        self._by, self._reverse = order[(order.index(self._by) + 1) % len(order)], False
        self.show()

    def action_reverse(self) -> None:
        self._by, self._reverse = self._by or "feature", not self._reverse
        self.show()

    def action_open_run(self) -> None:
        run = self.run_at_cursor
        if run is not None:
            self.bench.go(Place("run", self.place.project, (run.path,)))

    @on(DataTable.CellSelected)
    def _clicked(self) -> None:
        if self.check_action("open", ()):
            self.action_open()

    @work(exclusive=True, group="open", exit_on_error=False)
    async def action_open(self) -> None:
        from loratui.lab.notes.observations import read_observations
        from loratui.tui.dialogs.finding import FindingDialog
        from loratui.tui.findingwords import all_words

        found, run = self.selected, self.run_at_cursor
        if run is None:
            return
        if found is None:
            self.action_open_run()
            return
        try:
            said = await self.aside(read_observations, run)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        words = all_words(found, said)
        if await self.app.push_screen_wait(FindingDialog(found.feature, words)):
            self.bench.go(Place("run", self.place.project, (run.path,)))

    @work(exclusive=True, group="export", exit_on_error=False)
    async def action_export(self) -> None:
        from loratui.lab.files import write_atomic
        from loratui.tui.dialogs.ask import Ask
        from loratui.tui.dialogs.choose import Choose
        from loratui.tui.dialogs.confirm import Confirm

        told, project = self.shown, self.place.project
        if told is None or project is None:
            return
        kinds = [("md", "Markdown", "a table to read"), ("csv", "CSV", "a row for each cell, for a spreadsheet")]
        kind = await self.app.push_screen_wait(Choose("Export as", kinds))
        if not kind:
            return
        name = await self.app.push_screen_wait(
            Ask("Export to", str(project / f"findings.{kind}"), "The file to write.", _fault)
        )
        if not name:
            return
        file = Path(name.strip()).expanduser()
        file = file if file.is_absolute() else project / file
        if file.exists() and not await self.app.push_screen_wait(
            Confirm(f"Replace {file.name}?", f"{file} is there already.", yes="Replace it", no="Leave it")
        ):
            return
        try:
            await self.aside(write_atomic, file, to_markdown(told) if kind == "md" else to_csv(told))
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        self.bench.say(f"written: {file}")


def _with_runs(told: Findings, before: Findings, runs: tuple[RunFolder, ...]) -> Findings:
    """The rows as they were, and the runs in this order: sorting by run moves columns."""
    from dataclasses import replace

    return replace(told, features=before.features, runs=runs)


def _fault(text: str) -> str | None:
    if not text.strip():
        return "name a file"
    file = Path(text.strip()).expanduser()
    if file.is_dir():
        return "this is a folder; name a file in it"
    if file.is_absolute() and not file.parent.is_dir():
        return f"there is no folder {plain(file.parent, 60)}"
    return None
