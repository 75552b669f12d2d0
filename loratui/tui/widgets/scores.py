"""What a run learned, and how sure that is: its scores as a table, and the chosen one against steps.

Reads scores.json. Where the pictures were not measured yet, or more were drawn since, it says so and has them measured
by a child process, when it is asked to. What a suggested verdict becomes is the dialog's and the person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scores import ALL, Copies, Mean, RunScores, Score
from loratui.lab.scores.statistics import LEARNED
from loratui.tui.text import line
from loratui.tui.widgets.expectcurve import ExpectCurve, Noise, points_of
from loratui.tui.widgets.linelist import LineList
from loratui.tui.widgets.scoreslist import Measure, ScoresList, line_of, measures_of, rows_of, scales_of, why_words
from loratui.tui.widgets.scoresread import Read, read_all, repeated

if TYPE_CHECKING:
    from loratui.lab.pictures.gallery import Where
    from loratui.lab.scores.accepting import Suggestion
    from loratui.lab.scores.band import Band
    from loratui.tui.app import BenchApp

TOLD_EVERY = 0.5  # seconds between two words about how far the measuring is


class ScoresPanel(Vertical):
    """`panel.reload()` reads again; `Loaded` tells what was read."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"accept", "note", "measure"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", "Accept", id="scores.accept",
                tooltip="Make an observation of what is suggested; you may change it before it is saved"),
        Binding("n", "note", "Note", id="scores.note", tooltip="Write an observation about this in your own words"),
        Binding("enter", "seeds", "Seeds", id="scores.seeds",
                tooltip="Which seeds show it, without and with the LoRA, and their pictures"),
        Binding("o", "samples", "Pictures", id="scores.samples", show=False,
                tooltip="Go to the samples of this prompt and step"),
        Binding("comma,less_than_sign", "step(-1)", "Earlier", id="scores.earlier",
                tooltip="The numbers of the checkpoint before"),
        Binding("full_stop,greater_than_sign", "step(1)", "Later", id="scores.later",
                tooltip="The numbers of the next checkpoint; the last follows a live run"),
        Binding("x", "scale", "Scale", id="scores.scale", show=False, tooltip="The LoRA at another scale"),
        Binding("M", "measure", "Measure", id="scores.measure", tooltip="Measure pictures that were not measured yet"),
        Binding("M", "leave_off", "Leave off", id="scores.leave_off",
                tooltip="End the measuring; what was measured stays"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ScoresPanel { height: 1fr; }
    ScoresPanel > #told { height: 1; color: $text-muted; }
    ScoresPanel > ScoresList { height: 5fr; }
    ScoresPanel > #why { height: 3; color: $foreground 80%; }
    ScoresPanel > ExpectCurve { height: 6fr; min-height: 6; }
    ScoresPanel.-empty > #told, ScoresPanel.-empty > #why, ScoresPanel.-empty > ExpectCurve { display: none; }
    """

    class Loaded(Message):
        """Other scores were read."""

        def __init__(self, panel: ScoresPanel) -> None:
            super().__init__()
            self.panel = panel

        @property
        def control(self) -> ScoresPanel:
            return self.panel

    class Show(Message):
        """The pictures of a place are wanted: in the samples, or one of them large."""

        def __init__(self, where: Where, large: bool) -> None:
            super().__init__()
            self.where, self.large = where, large

    class Noted(Message):
        """An observation was written."""

    def __init__(self, run: RunFolder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.run = run
        self.read = Read()
        self.live = False  # a worker has the run: it measures what it draws
        self.step: int | None = None  # None: of each prompt the last
        self.scale = 1.0
        self._known = False  # whether it was read at all
        self._band: Band | None = None  # of runs that differ in their training seed alone
        self._band_of: RunScores | None = None  # for which it was looked for
        self._at: tuple[int, int] = (0, 0)  # how far the measuring is
        self._measuring: object | None = None  # a token of the one that is wanted
        self._clock: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="told", markup=False)
        yield ScoresList()
        yield Static("", id="why", markup=False)
        yield ExpectCurve()

    @property
    def table(self) -> ScoresList:
        return self.query_one(ScoresList)

    @property
    def scores(self) -> RunScores | None:
        return self.read.scores

    @property
    def picked(self) -> Measure | None:
        """The measure under the cursor."""
        return self.table.picked

    def on_mount(self) -> None:
        self.table.words = "reading…"
        self.set_class(True, "-empty")
        self.reload()

    # -- reading --------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="scores", exit_on_error=False)
    async def reload(self) -> None:
        """Read the file again, and show what differs."""
        found = await self._aside(read_all, self.run)
        if found != self.read or not self._known:
            self.read, self._known = found, True
            self._settle()
            self._show()
            self._look_for_repeats()
            self.post_message(self.Loaded(self))

    def on_show(self) -> None:
        self._look_for_repeats()

    @work(exclusive=True, group="band", exit_on_error=False)
    async def _look_for_repeats(self) -> None:
        """How much the training seed alone does, where there are such runs: only once somebody looks at the curve."""
        scores = self.scores
        if scores is None or scores is self._band_of or not self.region.area:
            return
        self._band_of = scores
        try:
            self._band = await self._aside(repeated, self.run)
        except (LabError, OSError):
            self._band = None  # another run's broken record is told where that run is looked at
        self._show_picked()

    def set_live(self, live: bool) -> None:
        """Say whether a worker has the run."""
        if live != self.live:
            self.live = live
            self.reload()
            self._show()

    def _aside(self, function: Callable[..., Any], *args: object) -> asyncio.Future[Any]:
        threads = getattr(self.app, "threads", None)
        return asyncio.get_running_loop().run_in_executor(threads, function, *args)

    def _settle(self) -> None:
        """A step or a scale that is gone is no longer stood at."""
        if self.step is not None and self.step not in self._steps:
            self.step = None
        if self.scales and self.scale not in self.scales:
            self.scale = 1.0 if 1.0 in self.scales else self.scales[-1]

    @property
    def _steps(self) -> tuple[int, ...]:
        return self.scores.steps if self.scores is not None else ()

    @property
    def scales(self) -> tuple[float, ...]:
        """The strengths of the LoRA that were measured."""
        return scales_of(self.scores) if self.scores is not None else ()

    # -- showing --------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        scores = self.scores
        rows = rows_of(scores, self.step, self.scale) if scores is not None else []
        self.set_class(not rows, "-empty")
        self.table.words = self._empty_words()
        self.table.show(rows)
        if not rows:
            self.table.refresh()
        self._tell()
        self._show_picked()
        self.refresh_bindings()

    def _empty_words(self) -> str:
        if self._measuring is not None:
            return f"{self._progress_words()}\n\nM leaves off; what was measured stays."
        return self.read.words(self.live) if self._known else "reading…"

    def _progress_words(self) -> str:
        done, total = self._at
        return f"measuring picture {done:,} of {total:,}" if total else "measuring: starting another process…"

    def _tell(self) -> None:
        """The line above the table: which step, and whether all pictures are counted."""
        steps, parts = self._steps, []
        if self.step is None:
            parts.append(f"last checkpoint, step {steps[-1]:,}" if steps else "")
        else:
            parts.append(f"step {self.step:,}, {steps.index(self.step) + 1} of {len(steps)}")
        if len(self.scales) > 1 or self.scale != 1:
            parts.append(f"scale {self.scale:g}")
        parts.append(self.summary)
        unread = len(self.scores.unread) if self.scores is not None else 0
        if unread:
            parts.append(f"{unread} broken picture{'s' if unread > 1 else ''} left out")
        if self._measuring is not None:
            parts = [self._progress_words(), "M leaves off"]
        elif not self.read.current and not self.live:
            parts.append("! pictures or expectations changed since: M measures")
        self._update("#told", " · ".join(part for part in parts if part))

    @property
    def summary(self) -> str:
        """Such as `2 of 3 expectations learned`; "" where nothing was expected."""
        scores = self.scores
        if scores is None:
            return ""
        told = [row.measure for row in rows_of(scores, self.step, self.scale) if isinstance(row.measure, Score)]
        longest: dict[int, int] = {}  # of each prompt, the denoising that finishes its pictures
        for score in told:
            longest[score.place.prompt] = max(longest.get(score.place.prompt, 0), score.place.inference_steps)
        asked = [s for s in told if s.name != ALL and s.place.inference_steps == longest[s.place.prompt]]
        if not asked:
            return ""
        count = sum(score.verdict.verdict == LEARNED for score in asked)
        return f"{count} of {len(asked)} expectation{'s' if len(asked) > 1 else ''} learned"

    @on(LineList.Highlighted)
    def _moved(self, event: LineList.Highlighted) -> None:
        event.stop()
        self._show_picked()
        self.refresh_bindings()

    def _show_picked(self) -> None:
        one, scores = self.picked, self.scores
        self._update("#why", why_words(one))
        curve = self.query_one(ExpectCurve)
        if scores is None or one is None:
            curve.show(())
            return
        same = [other for other in measures_of(scores, type(one)) if line_of(other) == line_of(one)]
        points = points_of(same)
        words = "It was uncertain at every checkpoint: there is nothing to draw."
        curve.show(points, last=max((other.place.step for other in same), default=1), cursor=one.place.step,
                   percent=isinstance(one, Score | Copies), noise=self._noise(one, [p.step for p in points]),
                   words=words)  # fmt: skip

    def _noise(self, one: Measure, steps: Sequence[int]) -> list[Noise]:
        if self._band is None or not isinstance(one, Score) or one.place.scale != 1:
            return []
        place = one.place
        found = [(step, self._band.of(place.text, place.inference_steps, one.name, step)) for step in steps]
        return [Noise(step, 100 * s.low, 100 * s.high, len(s.rates)) for step, s in found if s is not None]

    def _update(self, which: str, words: str) -> None:
        static = self.query_one(which, Static)
        if static.content != (content := line(words)):
            static.update(content)

    # -- keys -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CHANGES and getattr(self.app, "readonly", False):
            return False
        one = self.picked if self.is_attached and self.children else None
        if action == "accept":
            return isinstance(one, Score | Mean)
        if action == "seeds":
            return isinstance(one, Score)
        if action == "samples":
            return one is not None
        if action == "step":
            return len(self._steps) > 1
        if action == "scale":
            return len(self.scales) > 1
        if action == "measure":
            wanted = self.scores is None or not self.read.current
            return self._measuring is None and not self.live and self.read.pictures and wanted
        if action == "leave_off":
            return self._measuring is not None
        return True

    def action_step(self, by: int) -> None:
        steps = self._steps
        if not steps:
            return
        here = steps.index(self.step) if self.step is not None else len(steps) - 1
        there = min(max(here + by, 0), len(steps) - 1)
        self.step = None if there == len(steps) - 1 else steps[there]
        self._show()

    def action_scale(self) -> None:
        scales = self.scales
        self.scale = scales[(scales.index(self.scale) + 1) % len(scales)]
        self._show()

    def action_samples(self) -> None:
        one = self.picked
        if one is not None:
            seed = one.seeds[0] if isinstance(one, Score) and one.seeds else None
            self.post_message(self.Show(_where(one, seed), large=False))

    @on(LineList.Chosen)
    def _row_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        if self.check_action("seeds", ()):
            self.action_seeds()
        else:
            self.action_samples()

    @work(exclusive=True, group="seeds", exit_on_error=False)
    async def action_seeds(self) -> None:
        from loratui.lab.pictures.gallery import Gallery
        from loratui.tui.dialogs.seeds import SeedsDialog

        one = self.picked
        if not isinstance(one, Score):
            return
        gallery = Gallery(self.run)
        await self._aside(gallery.refresh)
        # Of a base picture its step says only beside which one it is looked at.
        wheres = [(_where(one, seed, base=True), _where(one, seed)) for seed in one.seeds]
        chosen = await self.app.push_screen_wait(SeedsDialog(one, wheres, gallery.path))
        if chosen is not None and chosen.note:
            from loratui.lab.scores.accepting import suggestion

            path = gallery.path(chosen.where)
            said = await self._aside(lambda: suggestion(self.run, one, bare=True))
            self._write(said, (path,) if path is not None else ())
        elif chosen is not None:
            self.post_message(self.Show(chosen.where, large=True))

    # -- observations ---------------------------------------------------------------------------------------------

    def action_accept(self) -> None:
        self._suggest(bare=False)

    def action_note(self) -> None:
        self._suggest(bare=True)

    @work(exclusive=True, group="note", exit_on_error=False)
    async def _suggest(self, bare: bool) -> None:
        from loratui.lab.scores.accepting import Suggestion, mean_suggestion, suggestion

        one = self.picked
        if isinstance(one, Score):
            said = await self._aside(lambda: suggestion(self.run, one, bare=bare))
        elif isinstance(one, Mean):
            said = await self._aside(lambda: mean_suggestion(self.run, one, bare=bare))
        else:
            said = Suggestion("", "", step=one.place.step if one is not None else None)
        self._write(said, ())

    @work(exclusive=True, group="dialog", exit_on_error=False)
    async def _write(self, said: Suggestion, pictures: Sequence[Path]) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        if pictures:
            said = replace(said, pictures=tuple(path.relative_to(self.run.path).as_posix() for path in pictures))
        if await self.app.push_screen_wait(NoteDialog(self.run, suggestion=said)) is not None:
            self.post_message(self.Noted())

    # -- measuring ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="measure", exit_on_error=False)
    async def action_measure(self) -> None:
        from loratui.lab.scores.apart import refresh_apart

        mine = self._measuring = object()
        self._at = (0, 0)

        def progress(done: int, total: int) -> None:
            if self._measuring is not mine or not self.is_attached or getattr(self.app, "leaving", False):
                raise Cancelled
            self._at = (done, total)

        self._clock = self.set_interval(TOLD_EVERY, self._tell_progress)
        self._show()
        try:
            await self._aside(refresh_apart, self.run, progress)
        except Cancelled:
            pass
        except (LabError, OSError) as error:
            cast("BenchApp", self.app).fail(error)
        finally:
            if self._measuring is mine:
                self._over()
        self.reload()

    def action_leave_off(self) -> None:
        self._over()

    def _over(self) -> None:
        self._measuring = None
        if self._clock is not None:
            self._clock.stop()
            self._clock = None
        if self.is_attached:
            self._show()

    def _tell_progress(self) -> None:
        if self.scores is None:
            self.table.words = self._empty_words()
            self.table.refresh()
        self._tell()


def _where(one: Measure, seed: int | None, base: bool = False) -> Where:
    from loratui.lab.pictures.gallery import Spot, Where

    place = one.place
    return Where(Spot(place.prompt, place.inference_steps, seed or 0), None if base else place.scale, place.step)
