"""The dialog that starts a run: it says what the run would be, and starts nothing without a deliberate yes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Button, Static

from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder, read_state
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.start import StartDialog
from tests.tui.conftest import run, runs_of, until


@asynccontextmanager
async def asked(
    project: Path, overrides: Sequence[str] = (), ready: bool = True
) -> AsyncIterator[tuple[Pilot[int], StartDialog, list[Path | None]]]:
    """The dialog over the bench, everything looked at, and where its answer will be."""
    app = BenchApp(project.parent, preferences=Preferences())
    answers: list[Path | None] = []
    async with app.run_test(size=(100, 30)) as pilot:
        dialog = StartDialog(project, overrides)
        app.push_screen(dialog, answers.append)
        await until(pilot, lambda: dialog.can_start if ready else "✗" in told(dialog))
        yield pilot, dialog, answers


def told(dialog: StartDialog) -> str:
    return str(dialog.query_one("#found Static", Static).content)


def test_it_says_what_the_run_would_be_and_no_is_the_answer_under_the_cursor(shelf: Path) -> None:
    project = shelf / "shapes"
    before = runs_of(project)

    async def story() -> None:
        async with asked(project, ["train.epochs=9", "lora.rank=2"]) as (pilot, dialog, answers):
            words = told(dialog)
            assert "changed for this run: train.epochs=9, lora.rank=2" in words
            assert "3 images × 1 repeat × 9 epochs ÷ batch 1 = 27 steps, about" in words
            assert " here" in words and "of this kind" in words
            assert "one thing differs" in words  # steps and epochs are one thing
            assert f"against {before[-1].id}" in words
            await pilot.press("enter")
            await until(pilot, lambda: answers)
            assert answers == [None]

    run(story())
    assert runs_of(project) == before


def test_yes_starts_a_worker_on_a_frozen_run_and_answers_with_its_folder(shelf: Path) -> None:
    project = shelf / "shapes"
    before = runs_of(project)

    async def story() -> Path:
        async with asked(project, ["train.seed=7"]) as (pilot, _, answers):
            await pilot.press("y")
            await until(pilot, lambda: answers, 60)
            assert answers[0] is not None
            await until(pilot, lambda: read_state(RunFolder(answers[0])).name == "finished", 90)
            return answers[0]

    made = RunFolder(run(story()))
    assert [made] == [found for found in runs_of(project) if found not in before]
    record = made.read_record()
    assert record["run"]["overrides"] == ["train.seed=7"] and record["settings"]["train"]["seed"] == 7


def test_errors_of_the_check_keep_a_run_from_starting(shelf: Path) -> None:
    project = shelf / "shapes"
    (project / "dataset" / "circle.png").write_bytes(b"no picture [red]\x1b[31m")
    before = runs_of(project)

    async def story() -> None:
        async with asked(project, ready=False) as (pilot, dialog, answers):
            assert "no run starts before the errors are mended" in told(dialog)
            assert dialog.query_one("#yes", Button).disabled
            await pilot.press("y", "R")
            assert not dialog.is_starting and not answers

    run(story())
    assert runs_of(project) == before


def test_a_project_that_is_not_in_order_is_told_line_by_line(shelf: Path) -> None:
    project = shelf / "shapes"
    (project / "project.toml").write_text("[train]\nepochs = 0\n[nonsense]\n", encoding="utf-8")

    async def story() -> None:
        async with asked(project, ready=False) as (pilot, dialog, answers):
            assert "project.toml:2: train.epochs" in told(dialog) and "project.toml:3: nonsense" in told(dialog)
            await pilot.press("escape")
            await until(pilot, lambda: answers == [None])

    run(story())


def test_law_one_is_said_before_a_run_is_started(shelf: Path) -> None:
    project = shelf / "shapes"

    async def story() -> None:
        async with asked(project, ["lora.rank=2"]) as (_, dialog, _answers):
            assert "nothing differs: the same run again shows nothing new" in told(dialog)
        async with asked(project, ["lora.rank=2", "train.seed=3"]) as (_, dialog, _answers):
            assert "✓" in told(dialog) and "one thing differs" in told(dialog)
        async with asked(project) as (_, dialog, _answers):
            assert "lora.rank: 2 → 8" in told(dialog)
        (project / "dataset" / "circle.txt").write_text("MYSHAPE, circle\n", encoding="utf-8")
        async with asked(project, ["lora.rank=2"]) as (_, dialog, _answers):
            assert "the tokens are the same: it cannot show anything" in told(dialog)
        async with asked(project, ["train.seed=3"]) as (_, dialog, _answers):
            assert "2 things differ" in told(dialog)

    run(story())


def test_what_goes_wrong_after_the_yes_is_told_and_leaves_nothing(shelf: Path) -> None:
    project = shelf / "shapes"
    before = runs_of(project)

    async def story() -> None:
        async with asked(project) as (pilot, dialog, answers):
            shutil.rmtree(project / "dataset")
            await pilot.press("y")
            await until(pilot, lambda: "nothing was started" in told(dialog))
            assert "there is no such folder" in told(dialog) and not dialog.can_start
            await pilot.press("escape")
            await until(pilot, lambda: answers == [None])

    run(story())
    assert runs_of(project) == before
