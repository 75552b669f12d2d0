"""Jobs from a page: what they do is seen while they run, what they found afterwards, and why when they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from loratui.lab.preferences import Preferences
from loratui.lab.run.jobs import Job, jobs_folder, list_jobs, start_job
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import RunFolder
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.jobs import JobsDialog
from loratui.tui.dialogs.jobsform import RUN_JOBS, JobForm, arguments_of
from loratui.tui.dialogs.report import Report
from loratui.tui.jobresults import found_in, result_text
from loratui.tui.places import Place
from loratui.tui.screens.run import RunScreen
from loratui.tui.screens.screenjobs import JobLine
from tests.frozen import finish, freeze_run, log_steps, write_bare_project
from tests.processes import new_run
from tests.tui.conftest import run, runs_of, until

KINDS = {kind.verb: kind for kind in RUN_JOBS}


@asynccontextmanager
async def page(one: RunFolder, readonly: bool = False) -> AsyncIterator[tuple[Pilot[int], RunScreen]]:
    project = one.project_folder
    start = Place("run", project, (one.path,))
    app = BenchApp(project.parent, preferences=Preferences(), readonly=readonly, start=start)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.facts.siblings)
        yield pilot, screen


async def screen_of(pilot: Pilot[int], kind: type[Any]) -> Any:
    return await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen)


def job_line(screen: RunScreen) -> str:
    shown = [line for line in screen.query(JobLine) if line.display]
    return str(shown[0].content) if shown else ""


def options(dialog: JobsDialog) -> str:
    return "\n".join(str(option.prompt) for option in dialog.query_one(OptionList).options)


@pytest.fixture
def bare(tmp_path: Path) -> RunFolder:
    """A finished run without a checkpoint."""
    one = freeze_run(write_bare_project(tmp_path / "shapes", 'question = "What?"\n', "circle.png"))
    finish(one)
    return one


def test_more_pictures_are_drawn_by_a_process_of_their_own_and_shown(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[0]
    before = set(one.samples.rglob("*.png"))

    async def story() -> None:
        async with page(one) as (pilot, screen):
            await pilot.press("m", "s")
            form = await screen_of(pilot, JobForm)
            form.query_one("#seeds", Input).value = "1-"
            await pilot.press("enter")
            assert pilot.app.screen is form, "what is no seed is not taken"
            form.query_one("#seeds", Input).value = "7"
            await until(pilot, lambda: "2 pictures with the LoRA, 2 without" in str(form.query_one("#count").content))
            await pilot.press("enter")
            await until(pilot, lambda: job_line(screen).startswith("▶ running  sample --seeds=7"))
            (job,) = list_jobs(one)
            await until(pilot, lambda: job.poll().is_over, 120)
            assert job.poll().state == "done", job.tail()
            await until(pilot, lambda: not job_line(screen))

    run(story())
    assert len(set(one.samples.rglob("*.png")) - before) >= 4  # two prompts, with the LoRA and without, and sheets


def test_a_job_that_fails_says_so_with_its_last_lines(shelf: Path) -> None:
    one = new_run(shelf / "shapes")

    async def story() -> None:
        async with page(one) as (pilot, screen):
            await pilot.press("m")
            dialog = await screen_of(pilot, JobsDialog)
            assert "Draw more pictures" not in options(dialog) and "needs a checkpoint" in options(dialog)
            await pilot.press("escape")
            start_job(one, "sample", ["--seeds=1"])
            screen.look_at_jobs()
            await until(pilot, lambda: "✗ failed  sample --seeds=1" in job_line(screen), 90)
            await pilot.press("m")
            dialog = await screen_of(pilot, JobsDialog)
            assert "✗ failed  sample --seeds=1" in options(dialog) and "checkpoint" in options(dialog)
            await pilot.press("down", "enter")
            report = await screen_of(pilot, Report)
            assert "checkpoint" in str(report.query_one(Static).content)

    run(story())


def test_a_running_job_is_cancelled_after_asking(shelf: Path) -> None:
    live = new_run(shelf / "shapes")
    log_steps(live, [0.5], 4)

    async def story(job: Job) -> None:
        async with page(live) as (pilot, screen):
            await until(pilot, lambda: job_line(screen).startswith("▶ running  attach"))
            await pilot.press("m")
            dialog = await screen_of(pilot, JobsDialog)
            assert "when the run has ended" in options(dialog)
            dialog.query_one(OptionList).action_last()
            await pilot.press("x")
            await screen_of(pilot, Confirm)
            await pilot.press("y")
            await until(pilot, lambda: job.poll().state == "cancelled")
            await until(pilot, lambda: not job_line(screen))

    with RunLock(live.lock_file):
        run(story(start_job(live, "attach")))


def test_readonly_starts_nothing_and_shows_what_was_said(bare: RunFolder) -> None:
    folder = jobs_folder(bare)
    folder.mkdir()
    (folder / "20250101T000000-drift.txt").write_text("evil [red]\x1b[31m\n", encoding="utf-8")

    async def story() -> None:
        async with page(bare, readonly=True) as (pilot, _screen):
            await pilot.press("m")
            dialog = await screen_of(pilot, JobsDialog)
            words = options(dialog)
            assert "readonly: nothing is started" in words and "Measure its pictures" not in words
            assert "! interrupted  drift: evil [red]" in words and "\x1b" not in words
            await pilot.press("e", "s", "x")
            assert pilot.app.screen is dialog

    run(story())


def test_what_is_left_empty_is_left_to_the_verb() -> None:
    sample, weights = KINDS["sample"], KINDS["weights"]
    assert arguments_of(sample, {}) == []
    given = {"prompt": "-x, y", "seeds": "1-3, 7", "scale": "", "checkpoint": "all"}
    assert arguments_of(sample, given) == ["--prompt=-x, y", "--seeds=1-3,7", "--checkpoint=all"]
    assert arguments_of(sample, {"prompt": '""'}) == ["--prompt="]
    assert arguments_of(weights, {"knock-out": "yes"}) == ["--knock-out"]
    assert arguments_of(weights, {"knock-out": "no"}) == []


def test_a_damaged_result_is_an_error_with_its_file(bare: RunFolder) -> None:
    from loratui.lab.errors import LabError

    assert found_in(bare) == [] == found_in(bare.project_folder)
    (bare.path / "weights.json").write_text("{", encoding="utf-8")
    assert [name for name, _, _ in found_in(bare)] == ["weights"]
    with pytest.raises(LabError, match=r"weights\.json"):
        result_text(bare, "weights")
