"""Before a series is started its plan is shown: which runs, what is made already, and what can be learned from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, OptionList, Static

from loratui.lab.preferences import Preferences
from loratui.lab.run import launch
from loratui.lab.run.lock import device_name, device_turn
from loratui.lab.run.queue import tickets
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.seriesapart import PlannedRun, PlanTold
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.start import StartDialog
from loratui.tui.dialogs.startbase import PlanDialog
from loratui.tui.dialogs.startfork import ForkDialog, fork_lines
from loratui.tui.dialogs.variants import Selection, WhatToTrain, plan_lines
from loratui.tui.outlooklines import joined
from tests.tui.conftest import run, runs_of, until

VARIANTS = """
[[variant]]
name = "small"
lora.rank = 2

[[variant]]
name = "loud"
replace_tags = { myshape = "MYSHAPE" }

[matrix]
lora.alpha = [1, 8]
"""


@pytest.fixture
def project(shelf: Path) -> Iterator[Path]:
    """Its first run is the project as written, its second one trains what its variant `small` does."""
    file = shelf / "shapes" / "project.toml"
    file.write_text(file.read_text(encoding="utf-8") + VARIANTS, encoding="utf-8")
    yield shelf / "shapes"
    for made in runs_of(shelf / "shapes"):
        if made.lock_file.exists() and made.lock_file.read_text(encoding="ascii").strip():
            launch.stop(made, "kill")


@asynccontextmanager
async def asked(dialog: PlanDialog, folder: Path) -> AsyncIterator[tuple[Pilot[int], list[Path | None]]]:
    app = BenchApp(folder, preferences=Preferences())
    answers: list[Path | None] = []
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(dialog, answers.append)
        await until(pilot, lambda: "looking at" not in told(dialog))
        yield pilot, answers


def told(dialog: PlanDialog) -> str:
    return str(dialog.query_one("#found Static", Static).content)


def test_the_plan_follows_what_is_marked(project: Path) -> None:
    dialog = StartDialog(project)

    async def story() -> None:
        async with asked(dialog, project.parent) as (pilot, _):
            what = dialog.query_one(WhatToTrain)
            assert what.selection == Selection() and "nothing differs" not in told(dialog)
            await pilot.press("v")
            assert isinstance(dialog.focused, OptionList)
            await pilot.press("a")
            assert what.selection.variants == ("", "small", "loud")
            await until(pilot, lambda: dialog.plan is not None)
            words = told(dialog)
            assert words.startswith("3 runs, ")
            states = {row.label: row.state for row in dialog.plan.rows}  # type: ignore[union-attr]
            assert states["as written"] == states["small"] == "finished"
            assert {f"made: {made.id}" in words for made in runs_of(project)} == {True}, words
            assert "same tokens" in words, "law 1: captions that are the same to the model"
            await pilot.press("a", "space")  # the project alone, and then nothing
            await until(pilot, lambda: "Nothing is marked" in told(dialog))
            assert not dialog.can_start and dialog.query_one("#yes", Button).disabled

    run(story())


def test_several_runs_are_started_at_once_and_wait_in_order(project: Path) -> None:
    dialog = StartDialog(project)
    before = runs_of(project)

    async def story() -> None:
        async with asked(dialog, project.parent) as (pilot, answers):
            await pilot.press("v", "down", "space", "up", "space")  # the variant small, not the project
            await pilot.press("tab", "right", "right")  # with three training seeds
            assert dialog.query_one(WhatToTrain).selection == Selection(("small",), False, 3)
            await until(pilot, lambda: dialog.plan is not None)
            assert "3 runs, 1 of them made already, 2 runs to train" in told(dialog)
            await pilot.press("y")
            await until(pilot, lambda: answers, 90)
            made = [one for one in runs_of(project) if one not in before]
            assert answers == [made[0].path] and len(made) == 2
            said = [one.read_record()["run"] for one in made]
            assert [(record["variant"], record["repeat"]) for record in said] == [("small", 1), ("small", 2)]
            await until(pilot, lambda: [Path(t.run).name for t in tickets() if t.run] == [one.id for one in made], 60)

    with device_turn(device_name("auto"), label="someone else"):
        run(story())


def test_a_run_again_shows_what_changes_and_starts_nothing_when_nothing_does(project: Path) -> None:
    one = runs_of(project)[0]

    async def story() -> None:
        dialog = ForkDialog(one, ["lora.rank=4"])
        async with asked(dialog, project.parent) as (_, answers):
            assert "lora.rank: 8 → 4" in told(dialog) and "6 steps" in told(dialog) and dialog.can_start
            dialog.action_cancel()
        dialog = ForkDialog(one, ["lora.rank=4", "train.seed=9"])
        async with asked(dialog, project.parent) as (_, _answers):
            assert "2 factors differ from the parent" in told(dialog) and dialog.can_start
        dialog = ForkDialog(one)
        async with asked(dialog, project.parent) as (pilot, answers):
            assert "nothing differs from this run" in told(dialog) and not dialog.can_start
            await pilot.press("y")
            assert not answers and not dialog.is_starting

    run(story())
    assert len(runs_of(project)) == 2


def test_errors_are_told_and_keep_a_plan_from_starting(project: Path) -> None:
    (project / "dataset" / "circle.png").write_bytes(b"no picture")
    dialog = StartDialog(project)

    async def story() -> None:
        async with asked(dialog, project.parent) as (pilot, answers):
            await pilot.press("v", "a")
            await until(pilot, lambda: dialog.plan is not None)
            assert "✗" in told(dialog) and "circle.png" in told(dialog) and not dialog.can_start
            await pilot.press("y", "escape")
            await until(pilot, lambda: answers == [None])

    run(story())


def test_a_plan_is_told_without_marks_from_outside(tmp_path: Path) -> None:
    row = PlannedRun("evil [red]\x1b[31m", 10, 10, 60.0, 1000, ("captions",), "new")
    plan = PlanTold((row,), 10, 60.0, 1000, ("dataset: [bold]odd\x9b1m",), "from the last run", (), ("[b] → \x1b]0;x",))
    for lines in (plan_lines(plan), fork_lines(plan)):
        words = str(joined(lines))
        assert not {"\x1b", "\x9b"} & set(words) and "[bold]odd" in words
    assert RunFolder(tmp_path).id not in str(joined(plan_lines(plan)))
