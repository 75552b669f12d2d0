"""One run on one page, live or finished: its loss, numbers, samples, log and notes, and what waits for its device.

A live run and the replay of a finished one are the same code: what the page shows is read from the run folder, a few
times a second in a thread, and only what changed is painted. What can be done to the run is in runactions.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.lab.run.curves import Curves
from loratui.lab.run.glance import signature
from loratui.lab.run.logtail import LogTail
from loratui.lab.run.queue import tickets
from loratui.lab.run.runfacts import Standing, numbers, read_facts, read_standing, state_sentence
from loratui.lab.run.story import duration
from loratui.lab.scores.onepicture import answers, short_words
from loratui.lab.scores.scores import scores_file
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.screens.runjobs import RunJobs
from loratui.tui.text import safe_title
from loratui.tui.widgets.chartparts import ChartSeries
from loratui.tui.widgets.losschart import LossChart
from loratui.tui.widgets.notes import NotesPanel
from loratui.tui.widgets.runpanels import NumbersPanel, PanelTabs, RunLog, StateLine
from loratui.tui.widgets.samples import SamplesPanel
from loratui.tui.widgets.scores import ScoresPanel

NUMBERS_SECONDS = 0.9  # between two changes of the numbers; the chart has its own pace
SELDOM = 4  # a run that nobody trains is looked at so much less often
NAMES = ("Loss", "Numbers", "Samples", "Log", "Notes", "Learned", "Queue")
LEARNED, QUEUE = 6, 7
ROOMY = 58  # lines of a terminal from which loss and scores are seen one above the other


@dataclass(frozen=True)
class Look:
    """What one look at the folder found."""

    standing: Standing
    log_changed: bool
    notes: object  # changes when the file of observations does
    scores: object  # the same of the scores
    waiting: int  # runs that wait for a device of this machine


class RunScreen(RunJobs):
    """The page of a run."""

    TITLE_WORD = "Run"
    HELP = (
        "One run, live or finished. The panels have numbers: 1 the loss, 2 the numbers, 3 the samples, 4 the log, "
        "5 the notes, 6 what was learned and how sure that is, in the place of the loss; in a small terminal one of "
        "them is shown at a time. [ and ] go to the other runs of the project."
        "\n\n"
        "A live run is another process: it goes on when you leave. p holds it, s asks it to stop and save, u goes on "
        "with one that was stopped or interrupted, f runs it again with one change, n writes down what you see."
    )
    DEFAULT_CSS = """
    RunScreen {
        #page, #main, #side { height: 1fr; }
        #main { width: 1fr; }
        #side { width: 46; }
        #loss { height: 2fr; }
        #samples { height: 3fr; }
        #learned { height: 5fr; display: none; }
        &.-learning #learned, &.-roomy #learned { display: block; }
        &.-learning #loss { display: none; }
        &.-roomy #loss { display: block; }
        #numbers { height: 9fr; max-height: 22; }
        #log, #notes { height: 4fr; }
        #queue { height: auto; max-height: 9; display: none; }
        #queue.-waiting { display: block; }
        #tabs { display: none; }
        &.-very-wide #side { width: 70; }
        &.-tabs {
            #tabs { display: block; }
            #main, #side, #main > *, #side > * { display: none; }
            #main.-shown, #side.-shown { display: block; width: 1fr; }
            #main > .-shown, #side > .-shown { display: block; height: 1fr; max-height: 100%; }
        }
    }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.curves = Curves(self.run_folder)
        self.log_tail = LogTail(self.run_folder)
        self.current = 1  # the panel that is shown where there is room for one
        self.learning = False  # whether the scores stand in the place of the loss
        self._looking = self._again = False
        self._turn = 0
        self._known: Look | None = None
        self._samples = self._measured = 0
        self._told_at = 0.0
        self._fault = ""

    def body(self) -> ComposeResult:
        from loratui.tui.widgets.queue import QueuePanel

        self.state_line = StateLine(id="state")
        self.tabs = PanelTabs(id="tabs")
        self.chart = LossChart([ChartSeries(self.run_folder.id, self.curves)], id="loss", classes="panel")
        self.numbers = NumbersPanel(id="numbers", classes="panel")
        self.samples = SamplesPanel(self.run_folder, id="samples", classes="panel")
        self.log_panel = RunLog(id="log", classes="panel")
        self.notes = NotesPanel(self.run_folder, id="notes", classes="panel")
        self.learned = ScoresPanel(self.run_folder, id="learned", classes="panel")
        self.queue = QueuePanel(id="queue", classes="panel")
        self.notes.context = self.under_cursor
        self.panels = (self.chart, self.numbers, self.samples, self.log_panel, self.notes, self.learned, self.queue)
        yield self.state_line
        yield self.tabs
        with Horizontal(id="page"):
            with Vertical(id="main"):
                yield self.chart
                yield self.learned
                yield self.samples
            with Vertical(id="side"):
                yield self.numbers
                yield self.log_panel
                yield self.queue
                yield self.notes

    def on_mount(self) -> None:
        for number, (panel, name) in enumerate(zip(self.panels, NAMES, strict=True), start=1):
            safe_title(panel, name, number)
        self.chart.border_subtitle, self.learned.border_subtitle = "6 what it learned", "enter: its seeds · 1 the loss"
        self.chart.empty_words = "reading…"
        self.read_facts()
        self.look()
        self.every(1 / self.bench.preferences.refresh, self._tick)
        self._arrange()
        if self.current != 1:
            self.call_after_refresh(self.focus_panel, self.current)

    def on_show_again(self) -> None:
        self.read_facts()
        self.look_soon()
        self.samples.refresh_samples()
        self.notes.reload()
        self.learned.reload()

    # -- looking --------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._turn += 1
        if self._looking:  # a long log is still being read: draw what there is
            self.chart.refresh_chart()
        elif self.standing.alive or self._turn % SELDOM == 0:
            self.look()

    def look_soon(self) -> None:
        self._told_at = 0.0
        if self._looking:
            self._again = True
        else:
            self.look()

    @work(group="look", exit_on_error=False)
    async def look(self) -> None:
        """Read what is new in the run's folder, then show what changed."""
        if self._looking:
            return
        self._looking = True
        try:
            found = await self.aside(self._read)
        except Cancelled:
            return
        except (LabError, OSError) as error:
            if str(error) != self._fault:  # told once, not at every look
                self._fault = str(error)
                self.bench.fail(error)
            return
        finally:
            self._looking = False
        self._show(found)
        if self._again:
            self._again = False
            self.look()

    def _read(self) -> Look:
        self.curves.poll(self._patience)
        changed = self.log_tail.poll()
        waiting = sum(not ticket.has_device for ticket in tickets())
        notes, scores = signature(self.run_folder.observations_file), signature(scores_file(self.run_folder))
        return Look(read_standing(self.curves), changed, notes, scores, waiting)

    def _patience(self, done: int, total: int) -> None:
        self.bench.patience(done, total)
        if not self.is_attached:
            raise Cancelled

    @work(group="facts", exclusive=True, exit_on_error=False)
    async def read_facts(self) -> None:
        """Read what the run was made from; it does not change while the run lives, its neighbours do."""
        facts = await self.aside(read_facts, self.run_folder)
        self.facts = facts
        self.chart.epoch_of = facts.plan.epoch_of if facts.plan else None
        self.refresh_bindings()
        if self._known is not None:
            self._told_at = 0.0
            self._show(self._known)

    # -- showing --------------------------------------------------------------------------------------------------

    def _show(self, found: Look) -> None:
        if not self.is_attached:
            return
        before, self._known, self.standing = self._known, found, found.standing
        curves, standing = self.curves, found.standing
        self.mind_stopping()
        if not curves.total and self.facts.total:
            curves.total = self.facts.total
        news = before is None or _offered(before.standing) != _offered(standing)
        if news or not standing.alive or time.monotonic() - self._told_at >= NUMBERS_SECONDS:
            self._tell(standing)
        self.chart.empty_words = self._no_losses(standing)
        self.chart.refresh_chart()
        if found.log_changed or before is None:
            self.log_panel.show(self.log_tail)
        if curves.samples != self._samples:
            self._samples = curves.samples
            self.samples.refresh_samples()
        if before is not None and before.notes != found.notes:
            self.notes.reload()
        drawn = not standing.alive and curves.samples != self._measured  # a live run counts its pictures itself
        self.learned.set_live(standing.alive)
        if before is not None and (before.scores != found.scores or drawn):
            self.learned.reload()
        self._measured = curves.samples
        if before is None or before.waiting != found.waiting:
            self._show_queue(found.waiting)
        if news:
            self.refresh_bindings()

    def _tell(self, standing: Standing) -> None:
        """Say how it stands, and its numbers."""
        curves, self._told_at = self.curves, time.monotonic()
        left = curves.pace.seconds_left
        sentence = self.busy or state_sentence(standing, curves)
        if not self.busy and standing.state.name == "finished" and self.learned.summary:
            sentence += f" · {self.learned.summary}: 6 says how sure"
        self.state_line.show(
            standing, curves.total, sentence, duration(left) if left is not None else "", self._which()
        )
        self.numbers.show(numbers(curves, self.facts, standing))

    def _which(self) -> str:
        """Which run this is, and which of how many."""
        runs = [run.path for run in self.facts.siblings]
        place = runs.index(self.run_folder.path) + 1 if self.run_folder.path in runs else 0
        return f"{plain(self.run_folder.id, 60)}  {place} of {len(runs)}" if place else plain(self.run_folder.id, 60)

    @staticmethod
    def _no_losses(standing: Standing) -> str:
        if standing.state.name == "queued" and not standing.alive:
            return "No losses yet: press u to start this run."
        if standing.alive:
            return "No losses yet: the first come after the base model is loaded and the images are cached."
        return "No losses: the run ended before its first step."

    def _show_queue(self, waiting: int) -> None:
        self.queue.set_class(waiting > 0, "-waiting")
        if waiting or self.queue.has_class("-waiting"):
            self.queue.reload()
        self._arrange()

    # -- the arrangement ------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.set_class(event.size.width < 100 or event.size.height < 30, "-tabs")
        self.set_class(not self.has_class("-tabs") and event.size.height >= ROOMY, "-roomy")
        self._arrange()

    def _arrange(self) -> None:
        """Say which panel is shown where there is room for one only."""
        waiting = self.queue.has_class("-waiting")
        names = NAMES if waiting else NAMES[: QUEUE - 1]
        self.current = min(self.current, len(names))
        self.tabs.show(names, self.current)
        self.set_class(self.learning and not self.has_class("-tabs"), "-learning")
        for number, panel in enumerate(self.panels, start=1):
            panel.set_class(number == self.current, "-shown")
        for column in ("#main", "#side"):
            self.query_one(column).set_class(self.panels[self.current - 1].parent is self.query_one(column), "-shown")

    def panel_widgets(self) -> Sequence[Widget]:
        return self.panels if self.queue.has_class("-waiting") else self.panels[: QUEUE - 1]

    def focus_panel(self, number: int) -> None:
        if 1 <= number <= len(self.panel_widgets()):
            self.current = number
            turned = number in (1, LEARNED) and self.learning != (number == LEARNED)
            self.learning = self.learning != turned
            # Where all other panels are shown, nothing moves and nothing is painted anew.
            if turned or self.has_class("-tabs"):
                self._arrange()
        super().focus_panel(number)

    @on(PanelTabs.Picked)
    def _tab_clicked(self, event: PanelTabs.Picked) -> None:
        self.focus_panel(event.number)

    def hand_on(self, page: BenchScreen) -> None:
        if isinstance(page, RunScreen):
            page.current, page.learning = self.current, self.learning

    # -- what is under the cursor ---------------------------------------------------------------------------------

    def picked(self) -> Path | None:
        return self.samples.selected if self.focused is self.samples else None

    def under_cursor(self) -> tuple[int | None, Sequence[Path]]:
        picture = self.picked()
        if picture is not None:
            chosen = self.samples.state.chosen
            return (chosen.step if chosen is not None else None), (picture,)
        return self.chart.step, ()

    def write_note(self, step: int | None, pictures: Sequence[Path]) -> None:
        self.notes.write(step, pictures)

    # -- what was learned -----------------------------------------------------------------------------------------

    @on(ScoresPanel.Loaded)
    def _scores_loaded(self) -> None:
        scores = self.learned.scores
        self.samples.tell_measures(self._answers_below if scores is not None and scores.scores else None)
        if self._known is not None:
            self._tell(self.standing)
        self.refresh_bindings()

    def _answers_below(self, path: Path) -> str:
        """Which expectations a picture meets, under it."""
        scores, where = self.learned.scores, self.samples.gallery.locate(path)
        if scores is None or where is None:
            return ""
        return short_words(answers(scores.scores, where), self.samples.picture_columns)

    @on(ScoresPanel.Noted)
    def _noted(self) -> None:
        self.notes.reload()

    @on(ScoresPanel.Show)
    def _show_pictures(self, event: ScoresPanel.Show) -> None:
        path = self.samples.gallery.path(event.where)
        if event.large and path is not None:
            self.bench.go(Place("picture", self.place.project, (self.run_folder.path,), path))
        else:
            self.samples.stand_at(event.where)
            self.focus_panel(3)


def _offered(standing: Standing) -> tuple[object, ...]:
    """What decides which actions are offered."""
    return standing.alive, standing.state.name, standing.state.paused, standing.asked, standing.can_resume
