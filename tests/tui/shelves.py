"""A shelf of projects written by hand, the bench opened on it, and reading what is on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from loratui.lab.preferences import Preferences
from loratui.tui.app import BenchApp
from loratui.tui.screens.projects import ProjectsScreen
from tests.frozen import finish, freeze_run, log_steps, write_bare_project
from tests.tui.conftest import until

WIDE, SMALL, HUGE = (120, 40), (80, 24), (300, 80)


def three_projects(folder: Path) -> Path:
    """`grey` with two finished runs and an interrupted one, `idea` that never ran, and `zoo` that is broken."""
    write_bare_project(folder / "grey", 'question = "Is grey learned?"\n', "a.png", "b.png")
    finish(freeze_run(folder / "grey", 0))
    finish(freeze_run(folder / "grey", 1, rank=4))
    log_steps(freeze_run(folder / "grey", 2, rank=2), [0.5, 0.25], total=10)
    write_bare_project(folder / "idea", 'question = "Must a trigger be rare?"\n')
    write_bare_project(folder / "zoo", "[lora]\nrnak = 4\n")
    return folder


def runs(project: Path) -> list[Path]:
    return sorted((project / "runs").iterdir())


@asynccontextmanager
async def opened(
    folder: Path, size: tuple[int, int] = WIDE, *, readonly: bool = False
) -> AsyncIterator[tuple[Pilot[int], ProjectsScreen]]:
    """The bench on a folder, when all of it was read."""
    app = BenchApp(folder, preferences=Preferences(), readonly=readonly)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ProjectsScreen)
        await settled(pilot, screen)
        yield pilot, screen


async def settled(pilot: Pilot[int], screen: ProjectsScreen) -> None:
    """Wait until everything on the shelf was read and is shown."""

    def done() -> bool:
        busy = [w for w in screen.workers if w.group in ("shelf", "cover", "near", "do") and not w.is_finished]
        covered = screen.cover.cover.folder if screen.cover.cover else None
        return not busy and screen._listed and covered == screen.project

    await until(pilot, done)


def rows(table: Any) -> list[list[str]]:
    return [[str(cell).strip() for cell in table.get_row_at(number)] for number in range(table.row_count)]


def words(widget: Any) -> str:
    return str(widget.content)


def told(pilot: Pilot[int]) -> str:
    """All messages that are on the screen."""
    return "\n".join(str(notification.message) for notification in pilot.app._notifications)


async def go_to(pilot: Pilot[int], screen: ProjectsScreen, name: str) -> None:
    keys = [Path(key).name for key in screen.table._keys]
    screen.table.move_cursor(row=keys.index(name))
    await settled(pilot, screen)


async def dialog(pilot: Pilot[int], kind: type) -> Any:
    return await until(
        pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.is_mounted and pilot.app.screen
    )


async def type_in(pilot: Pilot[int], text: str) -> None:
    await pilot.press(*({" ": "space"}.get(letter, letter) for letter in text))
