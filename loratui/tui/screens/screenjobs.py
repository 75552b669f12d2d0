"""Jobs on a screen: the menu behind `m`, one line that says how a running job does, and what follows when it ends.

A screen that mixes this in says what its jobs are of, and shows again what one has changed. The jobs are processes of
their own (`lab.run.jobs`); what they find is told by jobresults.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.jobs import Job, JobState, list_jobs, start_job
from loratui.lab.run.runs import RunFolder
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import lines
from loratui.tui.widgets.footer import BenchFooter

if TYPE_CHECKING:
    from loratui.tui.dialogs.jobsform import JobKind

LOOK_SECONDS = 1.0  # between two looks at running jobs
FAILED_LINES = 4  # of what a job said last that are told when it failed


class JobLine(Static):
    """One line at the foot of a screen, there only while there is something to say."""

    DEFAULT_CSS = """
    JobLine { height: 1; padding: 0 1; background: $panel; display: none; }
    JobLine.-there { display: block; }
    """

    def show(self, words: Content | None) -> None:
        self.set_class(words is not None, "-there")
        if words is not None and self.content != words:
            self.update(words)


class ScreenJobs(BenchScreen):
    """`m` offers the jobs; a subclass says of what, and which."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "more", "More…", id="jobs.more", show=False,
                tooltip="Draw more pictures, measure, attribute, write the report, and see how such jobs stand"),
        Binding("F", "findings", "Findings", id="jobs.findings", show=False,
                tooltip="Features × runs of this project: what was found"),
    ]  # fmt: skip

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._watched: dict[Job, JobState] = {}  # those that were running when they were last looked at
        self._over: set[Path] = set()  # the files of jobs that need no more looking at
        self._jobs_of: object = None  # what was looked at last
        self._failed: tuple[Job, JobState] | None = None  # one that failed and was not read yet

    # -- said by the screen -------------------------------------------------------------------------------------

    def jobs_of(self) -> RunFolder | Path | None:
        """The run, or the project's folder, whose jobs these are; None for none."""
        return None

    def job_kinds(self) -> tuple[Sequence[JobKind], str]:
        """What may be started now, and why not more, in words. Here what can be done with a project."""
        from loratui.tui.dialogs.jobsform import PROJECT_JOBS

        return PROJECT_JOBS, ""

    def job_hints(self) -> Mapping[str, str]:
        """What counts where an option is left empty."""
        return {}

    def job_over(self, job: Job, state: JobState) -> None:
        """A job has ended: show what it made."""

    # -- looking ------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.look_at_jobs()
        self.every(LOOK_SECONDS, self.look_at_jobs)

    @work(exclusive=True, group="jobs", exit_on_error=False)
    async def look_at_jobs(self) -> None:
        """See how the jobs stand, and tell of those that ended since."""
        of = self.jobs_of()
        if of != self._jobs_of:
            self._jobs_of, self._watched, self._failed = of, {}, None
        if of is None:
            self._tell_jobs()
            return
        found = await self.aside(_looked, of, self._over)
        for job, state in found:
            was_running = job in self._watched
            if state.is_over:
                self._over.add(job.file)
                self._watched.pop(job, None)
                if was_running:
                    self._ended(job, state)
            else:
                self._watched[job] = state
        self._tell_jobs()

    def _tell_jobs(self) -> None:
        from loratui.tui.dialogs.jobs import job_words

        shown = next(iter(self._watched.items()), None) or self._failed
        if shown is None:
            words = None
        else:
            more = f"  +{len(self._watched) - 1}" if len(self._watched) > 1 else ""
            words = Content.assemble(job_words(*shown), (f"{more}   m more", "$foreground 60%"))
        there = self.query(JobLine)
        if there:
            there.first().show(words)
        elif words is not None:
            line = JobLine("", markup=False)
            self.mount(line, before=self.query_one(BenchFooter))
            line.show(words)

    def _ended(self, job: Job, state: JobState) -> None:
        if state.state == "done":
            self.bench.say(
                f"{job.verb}: done{'; m shows what was found' if self._finds(job) else ''}\n{state.last_line}"
            )
        elif state.state != "cancelled":
            self._failed = job, state
            said = "\n".join(job.tail(FAILED_LINES)) or "it said nothing"
            self.bench.say(f"{job.verb} {state.state}:\n{said}", "error", 10)
        self.job_over(job, state)

    def _finds(self, job: Job) -> bool:
        from loratui.tui.jobresults import found_in

        of = self.jobs_of()
        return of is not None and any(name == job.verb for name, _, _ in found_in(of))

    # -- the menu -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "more" and self.jobs_of() is None:
            return False
        if action == "findings" and self.project is None:
            return False
        return super().check_action(action, parameters)

    def action_findings(self) -> None:
        self.bench.go(Place("findings", self.project))

    @work(exclusive=True, group="more", exit_on_error=False)
    async def action_more(self) -> None:
        from loratui.tui.dialogs.jobs import JobsDialog
        from loratui.tui.jobresults import found_in

        of = self.jobs_of()
        if of is None:
            return
        self._failed = None
        kinds, why_not = ((), "readonly: nothing is started") if self.bench.readonly else self.job_kinds()
        found, jobs = await self.aside(lambda: (found_in(of), list_jobs(of)))
        name = of.id if isinstance(of, RunFolder) else of.name
        chosen = await self.app.push_screen_wait(
            JobsDialog(f"More about {plain(name, 50)}", kinds, found, jobs, why_not)
        )
        try:
            if chosen is None:
                self._tell_jobs()
            elif chosen.what == "start":
                await self._start_job(of, next(kind for kind in kinds if kind.verb == chosen.name))
            elif chosen.what == "read":
                await self._read_result(of, chosen.name)
            elif chosen.job is not None and chosen.what == "cancel":
                await self._cancel(chosen.job)
            elif chosen.job is not None:
                await self._read_job(chosen.job)
        except (LabError, OSError) as error:
            self.bench.fail(error)

    async def _start_job(self, of: RunFolder | Path, kind: JobKind) -> None:
        from loratui.lab.run.record import read_record
        from loratui.tui.dialogs.jobsform import JobForm

        run = of if isinstance(of, RunFolder) else None
        record = await self.aside(read_record, run) if run is not None else None
        arguments = await self.app.push_screen_wait(JobForm(kind, self.job_hints(), run, record))
        if arguments is None:
            return
        job = await self.aside(start_job, of, kind.verb, arguments)
        self._watched[job] = JobState("running")
        self._tell_jobs()

    async def _read_result(self, of: RunFolder | Path, name: str) -> None:
        from loratui.tui.dialogs.report import Report
        from loratui.tui.jobresults import result_text

        title, text = await self.aside(result_text, of, name, min(92, self.size.width * 94 // 100 - 6))
        await self.app.push_screen_wait(Report(title, text))

    async def _read_job(self, job: Job) -> None:
        from loratui.tui.dialogs.report import Report

        said = await self.aside(job.tail, 200)
        await self.app.push_screen_wait(Report(job.words, lines("\n".join(said) or "It said nothing.")))

    async def _cancel(self, job: Job) -> None:
        from loratui.tui.dialogs.confirm import Confirm

        detail = f"{job.words}\n\nWhat it has finished so far is kept."
        if await self.app.push_screen_wait(Confirm("End this job?", detail, yes="End it", no="Let it run")):
            await self.aside(job.cancel)
            self.look_at_jobs()


def _looked(of: RunFolder | Path, over: set[Path]) -> list[tuple[Job, JobState]]:
    return [(job, job.poll()) for job in list_jobs(of) if job.file not in over]
