"""The queue as a panel: what waits is seen as it changes, and keys put it in another order or take it out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import ComposeResult

from loratui.lab.preferences import Preferences
from loratui.lab.run import requests
from loratui.lab.run.lock import queue_folder
from loratui.lab.run.runs import RunFolder, create_run
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.widgets.queue import QueuePanel
from tests.talking import Process
from tests.tui.conftest import run as run_async
from tests.tui.conftest import until

WAIT = """
import sys; from pathlib import Path; from loratui.lab.run.lock import RunLock, device_turn
run = Path(sys.argv[2])
with RunLock(run / "lock"), device_turn("cpu", Path(sys.argv[1]), lambda *_: print("waits", flush=True), run=run,
                                        label=run.name, poll=0.01):
    print("turn", flush=True); sys.stdin.readline()
"""


class QueueScreen(BenchScreen):
    def body(self) -> ComposeResult:
        yield QueuePanel(classes="panel")


class QueueApp(BenchApp):
    def first_screen(self) -> QueueScreen:
        return QueueScreen(Place("projects"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def line(folder: Path) -> Iterator[list[RunFolder]]:
    """Three runs: the first has the device, two wait. The third has a name that would be markup."""
    runs, processes = [], []
    for project in ("a", "b", "c[red]\x1b[2J"):
        run = create_run(folder / "projects" / project, "x")
        run.freeze({"run": {"project": project}}, [])
        processes.append(Process(WAIT, str(queue_folder("cpu")), str(run.path)))
        assert processes[-1].says() == ("waits" if runs else "turn")
        runs.append(run)
    yield runs
    for process in processes:
        process.kill()


def told(panel: QueuePanel) -> list[list[str]]:
    return [[str(cell) for cell in panel.table.get_row_at(row)] for row in range(panel.table.row_count)]


def app(folder: Path, **how: Any) -> QueueApp:
    return QueueApp(folder / "projects", preferences=Preferences(), **how)


def test_nothing_that_waits_is_told_in_words(folder: Path) -> None:
    async def story() -> None:
        async with app(folder).run_test() as pilot:
            panel = pilot.app.screen.query_one(QueuePanel)
            await until(pilot, lambda: panel.has_class("-empty"))
            assert "nothing waits" in str(panel.query_one(".empty").render())

    run_async(story())


def test_runs_are_put_in_another_order_by_keys(folder: Path, line: list[RunFolder]) -> None:
    async def story() -> None:
        async with app(folder).run_test() as pilot:
            panel = pilot.app.screen.query_one(QueuePanel)
            await until(pilot, lambda: len(told(panel)) == 3)
            assert [(row[0], row[1], row[3]) for row in told(panel)] == [
                ("▶ now", "cpu", "a"), ("◌ 1", "cpu", "b"), ("◌ 2", "cpu", "c[red]␛[2J"),
            ]  # fmt: skip
            panel.table.focus()
            await pilot.press("J", "K")  # the one that has the device stays
            await pilot.press("j", "j", "K")
            await until(pilot, lambda: [row[3] for row in told(panel)] == ["a", "c[red]␛[2J", "b"])
            assert panel.table.cursor_row == 1  # still on the run that was moved
            assert panel.check_action("earlier", ()) is None
            await pilot.press("J")
            await until(pilot, lambda: [row[3] for row in told(panel)] == ["a", "b", "c[red]␛[2J"])

    run_async(story())


def test_a_run_is_taken_out_only_after_a_yes(folder: Path, line: list[RunFolder]) -> None:
    async def story() -> None:
        async with app(folder).run_test() as pilot:
            panel = pilot.app.screen.query_one(QueuePanel)
            await until(pilot, lambda: len(told(panel)) == 3)
            panel.table.focus()
            await pilot.press("j", "d")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("enter")  # the answer that is ready is no
            await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
            assert requests.pending(line[1]) == {}
            await pilot.press("d")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("y")
            await until(pilot, lambda: "stop" in requests.pending(line[1]))
            assert requests.pending(line[0]) == requests.pending(line[2]) == {}

    run_async(story())


def test_whoever_only_looks_changes_nothing(folder: Path, line: list[RunFolder]) -> None:
    async def story() -> None:
        async with app(folder, readonly=True).run_test() as pilot:
            panel = pilot.app.screen.query_one(QueuePanel)
            await until(pilot, lambda: len(told(panel)) == 3)
            panel.table.focus()
            await pilot.press("j", "J", "d", "K")
            await pilot.pause()
            assert not isinstance(pilot.app.screen, Confirm)
            assert [row[3] for row in told(panel)] == ["a", "b", "c[red]␛[2J"]
            assert all(requests.pending(run) == {} for run in line)

    run_async(story())
