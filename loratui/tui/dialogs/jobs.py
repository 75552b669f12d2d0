"""The menu behind `m`: what can be done by a process of its own, what such processes found, and how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from loratui.lab.plain import plain
from loratui.lab.run.jobs import Job, JobState
from loratui.lab.words import STATE_SIGNS
from loratui.tui.dialogs.base import Dialog
from loratui.tui.dialogs.jobsform import JobKind
from loratui.tui.text import line

LOOK_SECONDS = 1.0  # between two looks at jobs that are running
MOST_JOBS = 8
_SIGNS = {"running": STATE_SIGNS["running"], "done": STATE_SIGNS["finished"], "failed": STATE_SIGNS["failed"],
          "cancelled": STATE_SIGNS["stopped"], "interrupted": STATE_SIGNS["interrupted"]}  # fmt: skip
_STYLES = {"running": "$text-success", "done": "$text-success", "failed": "$text-error", "interrupted": "$text-warning"}


def job_words(job: Job, state: JobState, limit: int = 200) -> Content:
    """`▶ running  sample --seeds=1-8: drew 3 of 24`; outside text made plain."""
    said = state.last_line or ("waiting for its first words" if not state.is_over else "it said nothing")
    return Content.assemble(
        (f"{_SIGNS[state.state]} {state.state}", f"bold {_STYLES.get(state.state, '')}".strip()),
        f"  {plain(job.words, 60)}: {plain(said, limit)}",
    )


@dataclass(frozen=True)
class Chosen:
    """What was chosen: a kind of job to start, something found to read, a job's words to read, or a job to end."""

    what: Literal["start", "read", "job", "cancel"]
    name: str = ""  # of the verb, or of what was found
    job: Job | None = None


class JobsDialog(Dialog[Chosen | None]):
    """`found` are (name, key, words) of what there is to read."""

    HELP = (
        "Each of these is a process of its own: it goes on when the bench is closed, and what it said stays in the "
        "folder jobs of the run. Enter on a job reads that; x ends one that is running."
    )
    WIDTH = 84
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel_job", "Cancel the job", id="jobs.cancel", tooltip="End the job under the cursor"),
    ]
    DEFAULT_CSS = """
    JobsDialog OptionList { height: auto; max-height: 15; border: none; background: $surface; padding: 0; }
    JobsDialog OptionList:focus { border: none; }
    JobsDialog #about { height: 2; margin: 1 1 0 1; color: $text-muted; }
    """

    def __init__(
        self,
        title: str,
        kinds: Sequence[JobKind],
        found: Sequence[tuple[str, str, str]],
        jobs: Sequence[Job],
        why_not: str = "",
    ) -> None:
        """`why_not`: why nothing can be started now, in words."""
        super().__init__(title)
        self._kinds, self._found, self._why_not = tuple(kinds), tuple(found), why_not
        self._jobs = tuple(reversed(jobs))[:MOST_JOBS]
        self._states: dict[Job, JobState] = {}
        self._keys: dict[str, Chosen] = {}

    def content(self) -> ComposeResult:
        yield OptionList(*self._options(), markup=False)
        yield Static("", id="about", markup=False)

    def _options(self) -> list[Option]:
        options: list[Option] = []
        if self._kinds:
            for kind in self._kinds:
                self._keys[kind.key] = Chosen("start", kind.verb)
                options.append(_option(f"start-{kind.verb}", kind.key, kind.words))
        if self._why_not:
            options.append(Option(Content.styled(plain(self._why_not, 200), "$foreground 60%"), disabled=True))
        if self._found:
            options.append(_heading("Found", bool(options)))
            for name, key, words in self._found:
                self._keys[key] = Chosen("read", name)
                options.append(_option(f"read-{name}", key, words))
        if self._jobs:
            options.append(_heading("Started", bool(options)))
            options += [Option(self._told(job), id=f"job-{place}") for place, job in enumerate(self._jobs)]
        return options

    def _told(self, job: Job) -> Content:
        state = self._states.get(job) or job.poll()
        self._states[job] = state
        began = f"{datetime.fromtimestamp(job.began):%H:%M}  " if job.began else ""
        return Content.assemble((began, "$foreground 60%"), job_words(job, state, 100))

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.focus()
        options.highlighted = next((n for n, option in enumerate(options.options) if not option.disabled), None)
        if any(not state.is_over for state in self._states.values()):
            self.set_interval(LOOK_SECONDS, self._look)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        options = self.query_one(OptionList)
        for place, job in enumerate(self._jobs):
            before = self._states[job]
            if before.is_over:
                continue
            self._states[job] = await loop.run_in_executor(None, job.poll)
            if self._states[job] != before:
                options.replace_option_prompt(f"job-{place}", self._told(job))
        self.refresh_bindings()

    @property
    def _job(self) -> Job | None:
        """The job under the cursor."""
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return None
        kind, _, place = (options.get_option_at_index(options.highlighted).id or "").partition("-")
        return self._jobs[int(place)] if kind == "job" else None

    @on(OptionList.OptionHighlighted)
    def _stood_on(self, event: OptionList.OptionHighlighted) -> None:
        kind = next((kind for kind in self._kinds if event.option.id == f"start-{kind.verb}"), None)
        words = kind.about if kind else "enter reads what it said · x ends it while it runs" if self._job else ""
        self.query_one("#about", Static).update(line(words))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "cancel_job":
            if not self.is_mounted or getattr(self.app, "readonly", False):
                return False
            return self._job is not None and not self._states[self._job].is_over
        return True

    def action_cancel_job(self) -> None:
        self.dismiss(Chosen("cancel", job=self._job))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option.id or "").partition("-")
        if kind == "job":
            self.dismiss(Chosen("job", job=self._jobs[int(name)]))
        elif kind == "start":
            self.dismiss(Chosen("start", name))
        elif kind == "read":
            self.dismiss(Chosen("read", name))

    def on_key(self, event: events.Key) -> None:
        chosen = self._keys.get(event.character or "")
        if chosen is not None:
            event.stop()
            self.dismiss(chosen)


def _option(id: str, key: str, words: str) -> Option:
    return Option(Content.assemble((f" {key} ", "bold reverse"), f"  {plain(words, 60)}"), id=id)


def _heading(words: str, with_gap: bool) -> Option:
    return Option(Content.assemble("\n" if with_gap else "", (words, "bold $foreground 70%")), disabled=True)
