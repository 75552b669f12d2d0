"""The screens look as they did when somebody last looked at them.

After a change that is meant: `LORATUI_SNAPSHOTS=write pytest tests/tui/test_snapshots.py`, and look at what differs.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from loratui.lab.preferences import Preferences
from loratui.tui.app import BenchApp
from loratui.tui.places import Place
from tests.tui.conftest import run
from tests.tui.fixedshelf import FINISHED, VARIED, fixed_shelf
from tests.tui.hostile import hostile_shelf
from tests.tui.snapshot import FOLDER, dump, picture

SECONDS = 15.0  # for a screen to look as it should
STILL = 25  # looks in a row that must be the same before a snapshot is written
WRITE = os.environ.get("LORATUI_SNAPSHOTS") == "write"
NAME = "loratui-snapshot"  # in place of the folder's own name, which is as long


@dataclass(frozen=True)
class Shot:
    """A screen to look at. `runs` are of `project`."""

    name: str
    screen: str = "projects"
    project: str = "shapes"
    runs: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 40)
    theme: str = "textual-dark"
    keys: tuple[str, ...] = ()
    shelf: str = "fixed"


SMALL = (80, 24)
SHOTS = (
    Shot("projects"),
    Shot("projects-80x24", size=SMALL),
    Shot("dataset", "dataset"),
    Shot("dataset-80x24", "dataset", size=SMALL),
    Shot("settings", "settings"),
    Shot("run", "run", runs=(FINISHED,)),
    Shot("run-80x24", "run", runs=(FINISHED,), size=SMALL),
    Shot("run-light", "run", runs=(FINISHED,), theme="textual-light"),
    Shot("run-interrupted", "run", "halfway", runs=("20240316-080000-halfway-77aa",)),
    Shot("compare", "compare", runs=(FINISHED, VARIED)),
    Shot("notes", "notes"),
    Shot("help-80x24", size=SMALL, keys=("f1",)),
    Shot("empty-80x24", size=SMALL, shelf="nothing"),
    Shot("hostile-dataset", "dataset", shelf="hostile"),
)


@pytest.fixture(scope="module")
def shelves() -> Iterator[Path]:
    """The folders of projects, in a place whose name is as long on every machine."""
    folder = Path(tempfile.mkdtemp(prefix="loratui-", dir="/tmp"))
    fixed = fixed_shelf(folder / "fixed")
    (folder / "nothing").mkdir()
    (folder / "hostile").mkdir()
    hostile_shelf(folder / "hostile", fixed / "shapes")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def one_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock and the colours of these tests, whatever those of the terminal are that they run in."""
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_FILTERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_screen_looks_as_it_did(shot: Shot, shelves: Path) -> None:
    file = FOLDER / f"{shot.name}.txt"
    expected = file.read_text(encoding="utf-8") if file.is_file() else ""
    found, svg = run(look(shot, shelves, None if WRITE else expected))
    new, new_svg = file.with_suffix(".new.txt"), file.with_suffix(".new.svg")
    if WRITE:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    if WRITE or found == expected:
        new.unlink(missing_ok=True)
        new_svg.unlink(missing_ok=True)
        return
    new.write_text(found, encoding="utf-8")
    new_svg.write_text(svg, encoding="utf-8")
    differs = list(
        difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=0)
    )
    pytest.fail(
        f"{shot.name} looks different now: see {new_svg}. When that is meant, write it with LORATUI_SNAPSHOTS=write.\n"
        + "\n".join(differs[:40]),
        pytrace=False,
    )


async def look(shot: Shot, shelves: Path, expected: str | None) -> tuple[str, str]:
    """The screen as text and as an SVG: as soon as it is as expected, else when the time is over. With nothing
    expected, as soon as it stands still."""
    folder = shelves / shot.shelf
    project = folder / shot.project
    if shot.shelf == "hostile":
        project = next(path for path in folder.iterdir() if path.name.startswith("evil"))
    place = Place(shot.screen, project, tuple(project / "runs" / name for name in shot.runs))
    app = BenchApp(
        folder, preferences=Preferences(theme=shot.theme), start=None if shot.screen == "projects" else place
    )
    async with app.run_test(size=shot.size) as pilot:
        if shot.keys:
            await _settled(pilot, shelves, None)  # so that the keys find what they are for
        for key in shot.keys:
            await pilot.press(key)
        found = await _settled(pilot, shelves, expected)
        return found, picture(app, shot.name).replace(shelves.name, NAME)


async def _settled(pilot: Pilot[int], shelves: Path, expected: str | None) -> str:
    deadline, before, same = time.monotonic() + SECONDS, "", 0
    while True:
        await pilot.pause()
        found = re.sub(re.escape(shelves.name), NAME, dump(pilot.app))
        same = same + 1 if found == before else 0
        before = found
        if found == expected or (expected is None and same >= STILL) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)
