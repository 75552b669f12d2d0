"""The whole story with keys alone: a project from a folder of images, tagged, set, trained, watched, stopped, gone on
with, noted, run again with one change, and compared."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from textual.pilot import Pilot
from textual.widgets import Button, Input

from loratui.lab.notes.observations import read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run.launch import stop
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder, list_runs, read_state
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.again import RunAgain
from loratui.tui.dialogs.bulk import BulkDialog
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.newproject import NewProject
from loratui.tui.dialogs.note import NoteDialog
from loratui.tui.dialogs.start import StartDialog
from loratui.tui.dialogs.startfork import ForkDialog
from loratui.tui.screens.compare import CompareScreen
from loratui.tui.screens.dataset import DatasetScreen
from loratui.tui.screens.projects import ProjectsScreen
from loratui.tui.screens.run import RunScreen
from loratui.tui.screens.settings import SettingsScreen
from loratui.tui.widgets.runpicker import RunPicker
from tests.tui.conftest import run, until


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder of projects; in the end no worker of it is left."""
    projects = tmp_path / "projects"
    projects.mkdir()
    yield projects
    for found in projects.glob("*/runs/*"):
        if is_locked(RunFolder(found).lock_file):
            stop(RunFolder(found), "kill")


def drawings(folder: Path) -> Path:
    folder.mkdir()
    for name, draw in (("circle", "ellipse"), ("square", "rectangle")):
        picture = Image.new("RGB", (64, 64), "white")
        getattr(ImageDraw.Draw(picture), draw)((16, 16, 48, 48), fill=(128, 128, 128))
        picture.save(folder / f"{name}.png")
    return folder


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """As a paste does: all at once."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text)
    await pilot.pause()


async def screen(pilot: Pilot[Any], kind: type, seconds: float = 60) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind), seconds)
    return pilot.app.screen


async def set_value(pilot: Pilot[Any], key: str, value: str, file: Path) -> None:
    """Find a setting with `/`, edit it in place, and see it in the file."""
    await pilot.press("slash")
    await type_text(pilot, key)
    await pilot.press("enter")
    await pilot.pause()
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.focused, Input))
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.value = ""
    await type_text(pilot, value)
    await pilot.press("enter")
    table, _, name = key.partition(".")
    await until(pilot, lambda: name in tomllib.loads(file.read_text()).get(table, {}))
    await pilot.press("escape")
    await pilot.pause()


def test_from_a_folder_of_images_to_a_comparison(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    images = drawings(tmp_path / "images")
    untouched = {path.name: path.read_bytes() for path in images.iterdir()}
    project = folder / "shapes"
    file = project / "project.toml"

    async def story() -> None:
        app = BenchApp(folder, preferences=Preferences())
        async with app.run_test(size=(120, 40)) as pilot:
            await screen(pilot, ProjectsScreen)
            await new_project(pilot)
            await tag(pilot)
            await settings(pilot)
            first = await train_stop_and_resume(pilot)
            await note(pilot, first)
            second = await again(pilot, first)
            await compare(pilot, first, second)

    async def new_project(pilot: Pilot[Any]) -> None:
        await pilot.press("n")
        await screen(pilot, Choose)
        await type_text(pilot, "folder of images")
        await pilot.press("enter")
        dialog = await screen(pilot, NewProject)
        dialog.query_one("#images", Input).focus()
        await pilot.pause()
        await type_text(pilot, str(images))
        name = dialog.query_one("#name", Input)
        name.focus()
        await pilot.pause()
        name.value = "shapes"
        await pilot.press("ctrl+s")
        await until(pilot, file.is_file)
        await until(pilot, lambda: len(pilot.app.screen_stack) <= 3 and not isinstance(pilot.app.screen, NewProject))
        assert {path.name for path in (project / "dataset").iterdir()} == set(untouched)

    async def tag(pilot: Pilot[Any]) -> None:
        if not isinstance(pilot.app.screen, DatasetScreen):
            await pilot.press("g", "d")
        dataset = await screen(pilot, DatasetScreen)
        await until(pilot, lambda: len(dataset.desk.entries) == 2)
        await pilot.press("b")
        dialog = await screen(pilot, BulkDialog)
        await type_text(pilot, "myshape")
        await until(pilot, lambda: not dialog.query_one("#apply", Button).disabled)  # every change was shown
        await pilot.press("ctrl+s")
        await screen(pilot, DatasetScreen)
        captions = project / "dataset"
        await until(pilot, (captions / "square.txt").is_file)
        assert [(captions / f"{name}.txt").read_text().strip() for name in ("circle", "square")] == ["myshape"] * 2

    async def settings(pilot: Pilot[Any]) -> None:
        await pilot.press("g", "s")
        await screen(pilot, SettingsScreen)
        await pilot.app.workers.wait_for_complete()
        for key, value in (
            ("base.model", str(tiny_model)),
            ("dataset.repeats", "1"),
            ("train.epochs", "150"),
            ("train.log_every", "1"),
            ("train.checkpoint_every", "100"),
            ("sample.every", "100"),
            ("sample.seeds", "1, 2"),
            ("sample.inference_steps", "2"),
        ):
            await set_value(pilot, key, value, file)

    async def train_stop_and_resume(pilot: Pilot[Any]) -> RunFolder:
        await pilot.press("R")
        dialog = await screen(pilot, StartDialog)
        await until(pilot, lambda: dialog.preview is not None, 60)
        assert dialog.can_start, dialog.preview
        await pilot.press("y")
        await screen(pilot, RunScreen, 60)
        (started,) = list_runs(project)
        await until(pilot, lambda: read_state(started).step >= 5, 90)
        await pilot.press("s")
        await screen(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: read_state(started).name == "stopped", 60)
        stopped_at = read_state(started).step
        assert 5 <= stopped_at < 300
        await until(pilot, lambda: pilot.app.screen.check_action("resume", ()) and not is_locked(started.lock_file))
        await pilot.press("u")
        await until(pilot, lambda: read_state(started).name == "finished", 90)
        assert read_state(started).step == 300
        return started

    async def note(pilot: Pilot[Any], about: RunFolder) -> None:
        await pilot.press("n")
        dialog = await screen(pilot, NoteDialog)
        dialog.query_one("TextArea").insert("grey came first")
        await pilot.press("ctrl+s")
        await screen(pilot, RunScreen)
        (observation,) = await until(pilot, lambda: read_observations(about))
        assert observation.note == "grey came first"
        assert observation.run == about.id

    async def again(pilot: Pilot[Any], parent: RunFolder) -> RunFolder:
        await pilot.press("f")
        await screen(pilot, RunAgain)
        await type_text(pilot, "lora.rank=2")
        await pilot.press("enter")
        plan = await screen(pilot, ForkDialog)
        await until(pilot, lambda: plan.can_start)
        await pilot.press("y")
        (made,) = await until(pilot, lambda: [r for r in list_runs(project) if r.id != parent.id], 60)
        await until(pilot, lambda: read_state(made).name == "finished", 90)
        said = made.read_record()["run"]
        assert said["parent"] == parent.id
        assert said["changes_from_parent"] == ["lora.rank: 8 → 2"]
        return made

    async def compare(pilot: Pilot[Any], first: RunFolder, second: RunFolder) -> None:
        await screen(pilot, RunScreen)
        await pilot.press("g", "c")
        chooser = await screen(pilot, CompareScreen)
        picker = chooser.query_one(RunPicker)
        # The run one came from is marked already.
        await until(pilot, lambda: picker.marked == [second.path] and chooser.focused is not None)
        await pilot.press("down", "space")
        await until(pilot, lambda: set(picker.marked) == {first.path, second.path})
        await pilot.press("enter")
        await until(pilot, lambda: len(pilot.app.screen.place.runs) == 2)  # type: ignore[attr-defined]
        shown = await screen(pilot, CompareScreen)
        await until(pilot, lambda: shown.comparison is not None)
        assert list(shown.comparison.factors) == ["lora.rank"]

    run(story())
    assert {path.name: path.read_bytes() for path in images.iterdir()} == untouched
