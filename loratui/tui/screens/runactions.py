"""What can be done to a run from its page: ask its worker for something, go on with it, run it again, throw it away.

Each action tells what came of it; what can not be done now is not offered. How the page looks is in run.py.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.settings import Settings
from loratui.lab.run import requests
from loratui.lab.run.runfacts import Facts, Standing
from loratui.lab.run.runs import RunFolder, RunState
from loratui.tui.dialogs.again import RunAgain
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.startfork import ForkDialog
from loratui.tui.places import Place, screen_at
from loratui.tui.screens.base import BenchScreen

if TYPE_CHECKING:
    from loratui.lab.run.launch import How

PATIENCE_SECONDS = 15.0  # with a worker that was asked to end, before one is told that there are harder ways

_STOPS: dict[
    int, tuple[str, str, str, How]
] = {  # how often it was asked: question, what happens, the word for yes, how
    0: (
        "Stop this run?",
        "It ends after the step it is at, and saves its state and a LoRA first; u goes on from there at any time.",
        "Stop",
        "ask",
    ),
    1: (
        "It was asked to stop and is still alive. Send it SIGTERM?",
        "It saves as well, if it still answers. A worker that is drawing pictures, or loading, ends soon by itself.",
        "Send SIGTERM",
        "term",
    ),
    2: (
        "It does not answer SIGTERM. Kill it?",
        "What it did since its last saved state is lost; that state, all checkpoints and all samples are kept.",
        "Kill",
        "kill",
    ),
}


class RunActions(BenchScreen):
    """The actions of a run's page. The page says which run, how it stands, and what is under the cursor."""

    CHANGES = frozenset({"pause", "unpause", "stop", "checkpoint", "sample", "resume", "fork", "note", "trash"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="run.pause",
                tooltip="Hold the run after its next step; its memory stays taken"),
        Binding("p", "unpause", "Go on", id="run.unpause", tooltip="Let the paused run go on"),
        Binding("s", "stop", "Stop", id="run.stop",
                tooltip="End the run after its next step; it saves, and can be resumed"),
        Binding("u", "resume", "Resume", id="run.resume",
                tooltip="Go on with this run from its last saved state, to the same bits"),
        Binding("n", "note", "Note", id="run.note",
                tooltip="Write an observation about the chart's step or the chosen picture"),
        Binding("f", "fork", "Again with…", id="run.fork", tooltip="Run again with one change, beside this run"),
        Binding("S", "sample", "Sample now", id="run.sample", show=False,
                tooltip="Draw samples now, of a prompt you type"),
        Binding("c", "checkpoint", "Checkpoint", id="run.checkpoint", show=False,
                tooltip="Save a LoRA of the step it is at, now"),
        Binding("left_square_bracket", "sibling(-1)", "Run before", id="run.before", show=False,
                tooltip="The run of this project before this one"),
        Binding("right_square_bracket", "sibling(1)", "Run after", id="run.after", show=False,
                tooltip="The run of this project after this one"),
        Binding("y", "copy", "Copy path", id="run.copy", show=False,
                tooltip="Copy the path of the chosen picture, or of the run's folder"),
        Binding("d", "trash", "Delete", id="run.trash", show=False,
                tooltip="Move the run to the trash of its project; asks first"),
    ]  # fmt: skip

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.run_folder = RunFolder(place.runs[0])
        self.standing = Standing(RunState("queued"))
        self.facts = Facts(self.run_folder)
        self.stage = 0  # how often it was asked to stop: a request, SIGTERM, SIGKILL
        self.asked_at = 0.0
        self.busy = ""  # what is being done to it, in words

    @property
    def project(self) -> Path:
        return self.place.project or self.run_folder.project_folder

    # -- said by the page -----------------------------------------------------------------------------------------

    def look_soon(self) -> None:
        """Look at the run without waiting for the next turn."""

    def under_cursor(self) -> tuple[int | None, Sequence[Path]]:
        """The step and the pictures that a note, or a copy, is about."""
        return None, ()

    def picked(self) -> Path | None:
        """The picture that is stood on, where the samples have the focus."""
        return None

    def write_note(self, step: int | None, pictures: Sequence[Path]) -> None:
        """Open the dialog for a note."""

    def hand_on(self, page: BenchScreen) -> None:
        """Let another run's page begin as this one looks."""

    # -- what can be done -----------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if super().check_action(action, parameters) is not True:
            return False
        standing = self.standing
        training = standing.alive and standing.state.name == "running"
        holds = standing.state.paused or "pause" in standing.asked
        if action in ("pause", "unpause"):
            return training and (holds == (action == "unpause"))
        if action == "stop":
            return standing.alive
        if action in ("checkpoint", "sample"):
            return training and not standing.state.paused
        if action == "resume":
            return standing.can_resume and not self.busy
        if action == "fork":
            return self.facts.settings is not None and not self.busy
        if action == "trash":
            return not standing.alive and not self.busy
        if action == "sibling":
            return len(self.facts.siblings) > 1
        return True

    # -- requests to the worker -----------------------------------------------------------------------------------

    async def _post(self, name: str, payload: object = None) -> bool:
        try:
            await self.aside(requests.post, self.run_folder, name, payload)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return False
        self.look_soon()
        return True

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_pause(self) -> None:
        await self._post("pause")

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_unpause(self) -> None:
        try:
            await self.aside(requests.take, self.run_folder, "pause")
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.look_soon()

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_checkpoint(self) -> None:
        if await self._post("checkpoint"):
            self.bench.say("asked for a checkpoint; it is saved after the next step")

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_sample(self) -> None:
        prompts = self.facts.prompts
        hint = "What to draw now, with and without the LoRA, at the seeds and scales of this run's settings."
        text = await self.app.push_screen_wait(
            Ask("Sample now", plain(prompts[0]) if prompts else "", hint, check=self._prompt_fault,
                placeholder="empty: the prompts of the settings")
        )  # fmt: skip
        if text is not None and await self._post("sample", {"prompts": [text.strip()]} if text.strip() else None):
            self.bench.say("asked for samples; they are drawn after the next step")

    def _prompt_fault(self, text: str) -> str | None:
        from dataclasses import replace

        settings: Settings | None = self.facts.settings
        if settings is not None and text.strip():
            replace(settings.sample, prompts=(text,), prompt=()).resolved([])
        return None

    # -- ending it ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="stop", exit_on_error=False)
    async def action_stop(self) -> None:
        from loratui.lab.run import launch

        stage = max(self.stage, 1 if "stop" in self.standing.asked else 0)
        question, detail, yes, how = _STOPS[min(stage, 2)]
        if not await self.app.push_screen_wait(Confirm(question, detail, yes=yes, no="Let it run")):
            return
        try:
            if self._is_alive():  # it may have ended meanwhile
                await self.aside(launch.stop, self.run_folder, how)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        self.stage, self.asked_at = min(stage + 1, 2), time.monotonic()
        self.look_soon()

    def _is_alive(self) -> bool:
        return self.standing.alive

    def mind_stopping(self) -> None:
        """Called at every look: forget what was asked of a worker that ended, and tell of one that does not."""
        if not self.standing.alive:
            self.stage, self.asked_at = 0, 0.0
        elif self.asked_at and time.monotonic() - self.asked_at > PATIENCE_SECONDS:
            self.asked_at = 0.0
            self.bench.say("it is still alive; s offers a harder way to end it", "warning")

    # -- going on, and again --------------------------------------------------------------------------------------

    @work(exclusive=True, group="start", exit_on_error=False)
    async def action_resume(self) -> None:
        overrides: tuple[str, ...] = ()
        if self.standing.state.name == "finished":  # by the clock
            question = Confirm("Go on without the time limit?", "train.max_minutes becomes 0 for this run; its old "
                               "record is kept beside the new one.", yes="Go on", no="Leave it")  # fmt: skip
            if not await self.app.push_screen_wait(question):
                return
            overrides = ("train.max_minutes=0",)
        await self._start("starting a worker…", self._resume(bool(overrides), overrides))

    async def _resume(self, allow: bool, overrides: tuple[str, ...]) -> None:
        from loratui.lab.run import launch

        try:
            notes = await self.aside(launch.resume, self.run_folder, allow, overrides)
        except LabError as error:
            if allow or "--allow-changes" not in str(error):
                raise
            changes = "\n".join(str(error).splitlines()[:-1])
            words = "It would not be the experiment it was. The old record is kept; f starts a new run instead."
            sure = Confirm("Go on all the same?", f"{changes}\n\n{words}", yes="Go on", no="Leave it")
            if not await self.app.push_screen_wait(sure):
                return
            notes = await self.aside(launch.resume, self.run_folder, True, overrides)
        if notes:
            self.bench.say("\n".join(notes))

    @work(exclusive=True, group="start", exit_on_error=False)
    async def action_fork(self) -> None:
        if self.facts.settings is None:
            return
        change = await self.app.push_screen_wait(RunAgain(self.facts.settings))
        if change is not None:
            made = await self.app.push_screen_wait(ForkDialog(self.run_folder, [change] if change else []))
            if made is not None:
                self.bench.go(Place("run", self.run_folder.project_folder, (made,)))

    async def _start(self, words: str, doing: Awaitable[None]) -> None:
        """Do something that takes seconds, and say so meanwhile."""
        self.busy = words
        self.look_soon()
        self.refresh_bindings()
        try:
            await doing
        except (LabError, OSError) as error:
            self.bench.fail(error)
        finally:
            self.busy = ""
            self.look_soon()
            self.refresh_bindings()

    # -- the rest -------------------------------------------------------------------------------------------------

    def action_note(self) -> None:
        self.write_note(*self.under_cursor())

    def action_copy(self) -> None:
        self.bench.copy(str(self.picked() or self.run_folder.path))

    def action_sibling(self, by: int) -> None:
        runs = self.facts.siblings
        here = next((place for place, run in enumerate(runs) if run.path == self.run_folder.path), None)
        there = here + by if here is not None else len(runs) - 1
        if not 0 <= there < len(runs):
            self.bench.say(f"this is the {'newest' if by > 0 else 'first'} run of the project")
            return
        page = screen_at(Place("run", self.place.project, (runs[there].path,)))
        self.hand_on(page)
        self.app.switch_screen(page)

    @work(exclusive=True, group="trash", exit_on_error=False)
    async def action_trash(self) -> None:
        from loratui.lab.project.moving import trash_run

        detail = "It moves to the trash of its project, with its checkpoints, samples and notes: runs/.trash"
        if not await self.app.push_screen_wait(Confirm(f"Delete {self.run_folder.id}?", detail)):
            return
        try:
            moved = await self.aside(trash_run, self.run_folder)
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        self.bench.say(f"moved to {moved.path}")
        self.bench.back()
