"""Two or more runs beside each other: what differs first, then losses, pictures and observations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from loratui.lab.errors import LabError
from loratui.lab.notes.comparison import Comparison, MeasureRow, Row, compare, letter, measure_rows
from loratui.lab.notes.notebook import short_run
from loratui.lab.notes.sidebyside import Aligned, FeatureRow, observations_by_feature
from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.lab.run.curves import Curves
from loratui.lab.run.runs import RunFolder
from loratui.tui.dialogs.report import Report
from loratui.tui.notewords import all_seen, difference_cells, difference_label, seen_words, verdict_on
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import cell, safe_title
from loratui.tui.widgets.alignedpictures import AlignedPictures
from loratui.tui.widgets.losschart import ChartSeries, LossChart
from loratui.tui.widgets.runpanels import PanelTabs
from loratui.tui.widgets.runpicker import RunPicker
from loratui.tui.widgets.table import VimTable

LOOK_SECONDS = 2.0  # between two looks at runs that may grow
_NO_OBSERVATIONS = "No observations in these runs yet. Press n on a picture, and write what you see."
_NAMES = ("What differs", "Loss", "Pictures", "Observations", "Measures")


class CompareScreen(BenchScreen):
    """With fewer than two runs in its place it lets one choose; small terminals show one panel at a time."""

    TITLE_WORD = "Compare"
    HELP = (
        "A comparison shows something when its runs differ in one factor: what differs stands first, with a warning "
        "where it is more, and a refusal where the runs train the same thing. Comma and full stop move the slider of "
        "all pictures. A is what the others are compared with."
    )
    CHANGES = frozenset({"note"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("comma,less_than_sign", "step(-1)", "Earlier", id="compare.earlier",
                tooltip="The pictures of all runs at the step before"),
        Binding("full_stop,greater_than_sign", "step(1)", "Later", id="compare.later",
                tooltip="The pictures of all runs at the next step"),
        Binding("n", "note", "Note", id="compare.note",
                tooltip="Write an observation about the run, step and picture under the cursor"),
        Binding("o", "open_run", "Run", id="compare.run", tooltip="Go to the run under the cursor"),
        Binding("c", "choose", "Choose runs", id="compare.choose", tooltip="Compare other runs"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareScreen {
        #sides { height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 3fr 2fr; grid-rows: 2fr 3fr; }
        &.-measured #sides { grid-size: 2 3; grid-rows: 2fr 3fr 2fr; }
        &.-measured #measures { column-span: 2; }
        #runs { height: auto; padding: 0 1; color: $foreground 80%; }
        #differs, #seen { height: 100%; }
        #differs > #verdict { height: auto; max-height: 8; margin-bottom: 1; }
        #rows, #features { height: 1fr; }
        #rows, #features, #measures { overflow-x: hidden; }
        #measures { display: none; }
        &.-measured #measures { display: block; }
        PanelTabs { display: none; }
        &.-one PanelTabs { display: block; }
        &.-one #sides { layout: vertical; }
        &.-one #sides > .panel { display: none; height: 1fr; }
        &.-one #sides > .panel.-current { display: block; }
    }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.runs = tuple(RunFolder(path) for path in place.runs)
        self.choosing = len(self.runs) < 2
        self.comparison: Comparison | None = None
        self.features: list[FeatureRow] = []
        self.measured: list[MeasureRow] = []
        self.aligned: Aligned | None = None
        self._current = 0  # the panel that is shown where there is room for one
        self._problems: list[str] = []
        self._fitted: dict[str, int] = {}  # the room that a table was filled for, by its id

    def body(self) -> ComposeResult:
        if self.choosing:
            before = [
                screen for screen in self.app.screen_stack if isinstance(screen, BenchScreen) and screen is not self
            ]
            marked = self.place.runs or (before[-1].place.runs if before else ())  # those one comes from
            yield RunPicker(self.bench.folder, self.place.project, marked, id="picker", classes="panel")
            return
        yield Static(self._named(), id="runs", markup=False)
        yield PanelTabs()
        with Container(id="sides"):
            with Vertical(id="differs", classes="panel -current"):
                yield Static("reading the records…", id="verdict", markup=False)
                yield VimTable(id="rows")
            yield LossChart(id="loss", classes="panel")
            yield AlignedPictures(id="pictures", classes="panel")
            with Vertical(id="seen", classes="panel"):
                yield VimTable(id="features")
            yield VimTable(id="measures", classes="panel")

    def on_mount(self) -> None:
        if self.choosing:
            picker = self.query_one(RunPicker)
            self.panels = (picker,)
            safe_title(picker, "Runs to compare", 1)
            picker.table.focus()
            return
        sides = self.query_one("#sides")
        self.panels = tuple(sides.children)[:4]
        for number, (panel, name) in enumerate(zip(sides.children, _NAMES, strict=True), 1):
            safe_title(panel, name, number)
        self.curves = [Curves(run) for run in self.runs]
        self.query_one(LossChart).empty_words = "No losses in these runs yet."
        self.query_one("#rows").focus()
        self.load()
        self.every(LOOK_SECONDS, self.look)

    def _named(self) -> Content:
        """Which letter is which run."""
        parts: list[tuple[str, str]] = []
        for index, run in enumerate(self.runs):
            parts += [(f" {letter(index)} ", "bold reverse"), (f" {plain(short_run(run.id), 60)}   ", "")]
        return Content.assemble(*parts)

    # -- reading ----------------------------------------------------------------------------------------------

    def on_show_again(self) -> None:
        if self.choosing:
            self.query_one(RunPicker).reload()
        else:
            self.look()

    def action_reload(self) -> None:
        self.on_show_again()
        if not self.choosing:
            self.load()

    @work(exclusive=True, group="load", exit_on_error=False)
    async def load(self) -> None:
        """The records, and then all that grows."""
        verdict = self.query_one("#verdict", Static)
        try:
            self.comparison = await self.aside(compare, self.runs)
        except LabError as error:
            verdict.update(Content.styled(plain(error, 1000), "bold $text-error"))
        else:
            self._show_differences(self.comparison)
        self.look()

    @work(exclusive=True, group="look", exit_on_error=False)
    async def look(self) -> None:
        """What has grown since: pictures, losses, observations, measures."""
        try:
            if self.aligned is None:
                self.aligned = await self.aside(Aligned, self.runs)
            aligned = self.aligned
            changed = await self.aside(aligned.refresh)
            panel = self.query_one(AlignedPictures)
            if changed or panel.aligned is None:
                panel.show(aligned)
            await self._show_losses()
            problems: list[str] = []
            features = await self.aside(observations_by_feature, self.runs, problems)
            measured = await self.aside(measure_rows, self.runs)
        except (LabError, OSError, Cancelled) as error:
            self.bench.fail(error)
            return
        for problem in problems:
            if problem not in self._problems:
                self.bench.say(problem, "error", 10)
        self._problems = problems
        if features != self.features or not self.query_one("#features", VimTable).columns:
            self.features = features
            self._show_features()
        if measured != self.measured:
            self.measured = measured
            self._show_measures()

    async def _show_losses(self) -> None:
        chart = self.query_one(LossChart)
        for curves in self.curves:
            await self.aside(curves.poll, self.bench.patience)
        if not chart.series:
            chart.show([ChartSeries(f"{letter(i)} {short_run(c.run.id)}", c) for i, c in enumerate(self.curves)])
        chart.refresh_chart()

    # -- showing ----------------------------------------------------------------------------------------------

    def _show_differences(self, found: Comparison) -> None:
        self.query_one("#verdict", Static).update(verdict_on(found))
        self._fill_differences(found.rows)
        self.refresh_bindings()

    def _fill_differences(self, rows: Sequence[Row]) -> None:
        table = self.query_one("#rows", VimTable)
        widths = self._columns(table, "what", max([len(difference_label(row)) for row in rows], default=4))
        for row in rows:
            table.add_row(*difference_cells(row, widths))

    def _show_features(self) -> None:
        table = self.query_one("#features", VimTable)
        table.clear(columns=True)
        if not self.features:
            table.add_column("observations")
            table.add_row(cell(_NO_OBSERVATIONS, style="dim"))
            return
        names = [row.feature or "(no feature)" for row in self.features]
        widths = self._columns(table, "feature", max(map(len, names)))
        for name, row in zip(names, self.features, strict=True):
            tall = min(4, max(len(seen) for seen in row.observations))
            cells = ["\n".join(seen_words(o, widths[1]) for o in seen[-4:]) for seen in row.observations]
            table.add_row(cell(name, widths[0]), *(Text(text, no_wrap=True) for text in cells), height=tall)

    def _columns(self, table: VimTable, first: str, longest: int) -> tuple[int, int]:
        """Make the columns: the first as wide as it has to be, the runs share the rest. Returns both widths."""
        room = self._room(table)
        wide = min(max(longest, len(first)), max(10, room - 16 * len(self.runs)))
        each = max(8, (room - wide - 2) // len(self.runs) - 2)
        table.clear(columns=True)
        table.add_column(first, width=wide)
        for index in range(len(self.runs)):
            table.add_column(letter(index), width=each)
        self._fitted[table.id or ""] = room
        return wide, each

    def _room(self, table: VimTable) -> int:
        return table.scrollable_content_region.width or self.size.width // 2

    def _show_measures(self) -> None:
        self._fill_measures()
        self.set_class(bool(self.measured), "-measured")
        self.panels = tuple(self.query_one("#sides").children)[: 5 if self.measured else 4]
        self._show_one()

    def _fill_measures(self) -> None:
        """Columns that all fit, in rows as tall as what they tell needs: a rate without its base says nothing."""
        table = self.query_one("#measures", VimTable)
        room = table.scrollable_content_region.width or self.size.width - 4
        longest = max([len(row.label) for row in self.measured], default=7)
        wide = min(max(longest, 7), room // 4)
        each = max(8, (room - wide - 4) // (len(self.runs) + 1) - 2)
        table.clear(columns=True)
        table.add_column("measure", width=wide)
        for name in (*(letter(index) for index in range(len(self.runs))), ""):
            table.add_column(name, width=each)
        for row in self.measured:
            texts = (Text(plain(text, 400)) for text in (row.label, *row.texts))
            table.add_row(*texts, Text(plain(row.note, 400), style="dim"), height=None)
        self._fitted["measures"] = self._room(table)

    # -- one panel at a time ----------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if not self.choosing:
            self.set_class(event.size.width < 100 or event.size.height < 30, "-one")
            self._show_one()

    def _fit(self) -> None:
        """Give the columns of the tables the room there is now."""
        shown: object
        for name, shown in (("rows", self.comparison), ("features", self.features), ("measures", self.measured)):
            table = self.query_one(f"#{name}", VimTable)
            if shown and table.size.width and self._room(table) != self._fitted.get(name):
                at = table.cursor_row
                if isinstance(shown, Comparison):
                    self._fill_differences(shown.rows)
                elif name == "features":
                    self._show_features()
                else:
                    self._fill_measures()
                table.move_cursor(row=at)

    def _show_one(self) -> None:
        if not self.panels:
            return
        for index, panel in enumerate(self.panels):
            panel.set_class(index == self._current, "-current")
        self.query_one(PanelTabs).show(_NAMES[: len(self.panels)], self._current + 1)
        self.call_after_refresh(self._fit)

    def focus_panel(self, number: int) -> None:
        if not self.choosing and 1 <= number <= len(self.panels):
            self._current = number - 1
            self._show_one()
        super().focus_panel(number)

    @on(PanelTabs.Picked)
    def _tab_clicked(self, event: PanelTabs.Picked) -> None:
        self.focus_panel(event.number)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for index, panel in enumerate(self.panels):
            if index != self._current and panel in event.widget.ancestors_with_self:
                self._current = index
                self._show_one()

    # -- keys -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.choosing and action in ("step", "note", "choose"):
            return False
        if action == "step":
            return self.aligned is not None and len(self.aligned.steps) > 1
        if action == "open_run" and self.choosing:
            return self.query_one(RunPicker).picked is not None if self.is_mounted else False
        return super().check_action(action, parameters)

    def action_step(self, by: int) -> None:
        self.query_one(AlignedPictures).action_step(by)

    @on(AlignedPictures.Stepped)
    def _stepped(self, event: AlignedPictures.Stepped) -> None:
        self.query_one(LossChart).move_to(event.step)

    def _under_cursor(self) -> tuple[RunFolder, int | None, Sequence[Path]]:
        """The run, step and picture that a note would be about: of the pictures, where they are focused."""
        pictures = self.query_one(AlignedPictures)
        picked = pictures.selected
        if picked is not None and pictures.has_focus:
            column, found = picked
            run = self.runs[column.run]
            own = found.path is not None and found.path.is_relative_to(run.path)
            return run, found.step, (found.path,) if own and found.path is not None else ()
        focused = self.focused
        if isinstance(focused, VimTable) and focused.id == "features" and self.features:
            row = self.features[min(focused.cursor_row, len(self.features) - 1)]
            index = next((i for i, seen in enumerate(row.observations) if seen), 0)
            return self.runs[index], None, ()
        return self.runs[0], self.query_one(LossChart).cursor, ()

    @work(exclusive=True, group="note", exit_on_error=False)
    async def action_note(self) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        if await self.app.push_screen_wait(NoteDialog(*self._under_cursor())) is not None:
            self.look()

    @property
    def run_path(self) -> Path | None:
        if not self.choosing and self.is_mounted:
            return self._under_cursor()[0].path
        return self.place.runs[0] if self.place.runs else None

    def action_open_run(self) -> None:
        path = self.query_one(RunPicker).picked if self.choosing else self.run_path
        if path is not None:
            self.bench.go(Place("run", path.parent.parent, (path,)))

    def action_choose(self) -> None:
        self.bench.go(Place("compare", self.place.project))

    @on(RunPicker.Chosen)
    def _chosen(self, event: RunPicker.Chosen) -> None:
        self.bench.go(Place("compare", self.place.project, event.runs))

    @on(DataTable.RowSelected)
    def _row_opened(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "features" and self.features:
            row = self.features[min(event.cursor_row, len(self.features) - 1)]
            self.app.push_screen(Report(plain(row.feature or "no feature", 60), all_seen(row, self.runs)))
        elif event.data_table.id == "rows" and self.comparison and self.comparison.rows:
            told = self.comparison.rows[min(event.cursor_row, len(self.comparison.rows) - 1)]
            texts = "\n\n".join(f"{letter(index)}  {text}" for index, text in enumerate(told.texts))
            self.app.push_screen(Report(told.label, Content(texts)))

    def panel_widgets(self) -> Sequence[Widget]:
        return self.panels
