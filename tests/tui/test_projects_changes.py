"""Projects are made, renamed, put away and deleted from the shelf, and everything can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input, Static

from loratui.lab.project.project import load_project
from loratui.lab.project.projects import list_projects
from loratui.lab.run.lock import RunLock
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.newproject import NewProject, folder_like, images_words
from loratui.tui.places import Place
from tests.frozen import write_bare_project
from tests.tui.conftest import run, until
from tests.tui.shelves import (
    HUGE,
    dialog,
    go_to,
    opened,
    rows,
    runs,
    settled,
    three_projects,
    told,
    type_in,
    words,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return three_projects(tmp_path / "projects")


@pytest.fixture
def goes(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Where the bench was asked to go; it stays on the shelf."""
    places: list[Place] = []
    monkeypatch.setattr(BenchApp, "go", lambda self, place: places.append(place))
    return places


# -- new projects -----------------------------------------------------------------------------------------------------


def test_a_project_is_made_from_a_folder_of_images(shelf: Path, tmp_path: Path) -> None:
    photos = write_bare_project(tmp_path / "source", "", "x.png", "y.png") / "dataset"

    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("n")
            await dialog(pilot, Choose)
            await type_in(pilot, "a folder")
            await pilot.press("enter")
            form = await dialog(pilot, NewProject)
            form.query_one("#images", Input).value = str(photos)
            await until(pilot, lambda: form.query_one("#name", Input).value == "source")
            assert "2 images, 2 caption files" in words(form.query_one("#found", Static))
            assert form.query_one(Checkbox).value
            form.query_one("#question", Input).value = "what now?"
            await pilot.press("ctrl+s")
            await until(pilot, lambda: screen.is_current and screen.project == shelf / "source")
            await settled(pilot, screen)
            assert (shelf / "source" / "dataset" / "x.txt").read_text() == "myshape, x\n"
            assert rows(screen.table)[2][:2] == ["source", "2"]
            assert "2 images copied" in told(pilot)

    run(story())


def test_a_project_is_made_as_a_copy_and_from_an_example(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            for wanted, name in (("a copy of grey", "grey-2"), ("basic-grey", "basic-grey")):
                await pilot.press("n")
                await dialog(pilot, Choose)
                await type_in(pilot, wanted)
                await pilot.press("enter")
                await dialog(pilot, NewProject)
                await pilot.press("enter")
                await until(pilot, lambda name=name: screen.is_current and screen.project == shelf / name)
                await settled(pilot, screen)
            assert load_project(shelf / "grey-2").settings.question == "Is grey learned?"
            assert not (shelf / "grey-2" / "runs").exists()
            assert (shelf / "basic-grey" / "dataset" / "circle.png").is_file()

    run(story())


def test_a_name_that_will_not_do_is_told_before_anything_is_made(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, _):
            await pilot.press("n")
            await dialog(pilot, Choose)
            await pilot.press("enter")
            form = await dialog(pilot, NewProject)
            await type_in(pilot, "grey")
            await until(pilot, lambda: "is there already" in words(form.query_one("#fault", Static)))
            await pilot.press("ctrl+s")
            assert pilot.app.screen is form
            await pilot.press("escape")
            assert len(list_projects(shelf)) == 3

    run(story())


def test_a_folder_that_is_typed_is_completed_and_looked_into(tmp_path: Path) -> None:
    photos = write_bare_project(tmp_path / "Photos", "", "x.png") / "dataset"
    (tmp_path / ".hidden").mkdir()
    assert folder_like(f"{tmp_path}/Ph") == f"{tmp_path}/Photos"
    assert folder_like(f"{tmp_path}/") == f"{tmp_path}/Photos"
    assert folder_like(f"{tmp_path}/x") is None
    assert folder_like("") is None
    assert images_words(str(photos), tmp_path) == ("1 image, 1 caption file", "Photos-2")
    assert images_words(str(tmp_path), tmp_path) == ("no images in it: .png, .jpg, .jpeg, .webp or .bmp", "")
    assert images_words(str(tmp_path / "gone"), tmp_path)[0] == "there is no such folder yet"


# -- changing, and taking it back -------------------------------------------------------------------------------------


def test_a_rename_moves_the_folder_and_can_be_taken_back(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("M")
            await until(pilot, lambda: pilot.app.screen.query(Input))
            field = pilot.app.screen.query_one(Input)
            field.value = "idea"
            await pilot.press("enter")
            assert pilot.app.screen is not screen  # that name is taken
            field.value = "gray"
            await pilot.press("enter")
            await until(pilot, lambda: screen.is_current and screen.project == shelf / "gray")
            await settled(pilot, screen)
            assert len(runs(shelf / "gray")) == 3
            await pilot.press("z")
            await until(pilot, lambda: screen.project == shelf / "grey")
            assert not (shelf / "gray").exists()

    run(story())


def test_deleting_asks_defaults_to_no_and_goes_to_the_trash(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("d")
            question = await dialog(pilot, Confirm)
            assert "2 images and 3 runs" in question._detail
            await pilot.press("enter")
            await until(pilot, lambda: screen.is_current)
            assert (shelf / "grey").is_dir()
            await pilot.press("d")
            await dialog(pilot, Confirm)
            await pilot.press("y")
            await until(pilot, lambda: screen.is_current and screen.project == shelf / "idea")
            (thrown,) = (shelf / ".trash").iterdir()
            assert thrown.name.endswith("-grey") and len(runs(thrown)) == 3
            await settled(pilot, screen)
            await pilot.press("z")
            await until(pilot, lambda: screen.project == shelf / "grey")
            assert len(runs(shelf / "grey")) == 3

    run(story())


def test_what_was_deleted_earlier_is_brought_back_from_the_trash(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("z")
            await until(pilot, lambda: "the trash is empty" in told(pilot))
            (shelf / ".trash").mkdir()
            (shelf / "idea").rename(shelf / ".trash" / "20250102-030405-idea")
            await pilot.press("z")
            await dialog(pilot, Choose)
            await pilot.press("enter")
            await until(pilot, lambda: screen.is_current and screen.project == shelf / "idea")

    run(story())


def test_what_is_put_away_is_off_the_list_until_it_is_asked_for(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("x")
            await until(pilot, lambda: [row[0] for row in rows(screen.table)] == ["idea", "✗ zoo"])
            assert (shelf / "grey" / "ARCHIVED").is_file()
            await pilot.press("X")
            await until(pilot, lambda: rows(screen.table)[0][0] == "▫ grey put away")
            await settled(pilot, screen)
            await pilot.press("X")
            await until(pilot, lambda: len(rows(screen.table)) == 2)
            await settled(pilot, screen)
            await pilot.press("z")
            await until(pilot, lambda: screen.project == shelf / "grey")
            assert not (shelf / "grey" / "ARCHIVED").exists()

    run(story())


def test_a_project_that_is_being_trained_is_not_deleted(shelf: Path) -> None:
    live = runs(shelf / "grey")[-1]

    async def story() -> None:
        with RunLock(live / "lock"):
            async with opened(shelf) as (pilot, _):
                await pilot.press("d")
                await dialog(pilot, Confirm)
                await pilot.press("y")
                await until(pilot, lambda: f"{live.name} is being trained" in told(pilot))
        assert (shelf / "grey").is_dir()

    run(story())


def test_a_broken_project_is_mended_in_the_editor(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, int]] = []

    def edit_file(app: BenchApp, file: Path, line: int = 0) -> None:
        asked.append((file, line))
        file.write_text('question = "mended"\n')

    monkeypatch.setattr("loratui.tui.editor.edit_file", edit_file)

    async def story() -> None:
        async with opened(shelf, HUGE) as (pilot, screen):
            await go_to(pilot, screen, "zoo")
            await pilot.press("e")
            await until(pilot, lambda: rows(screen.table)[2][4] == "mended")
            assert asked == [(shelf / "zoo" / "project.toml", 2)]
            await settled(pilot, screen)
            assert words(screen.query_one("#question", Static)) == "mended"

    run(story())


def test_a_readonly_bench_changes_nothing(shelf: Path, goes: list[Place]) -> None:
    before = sorted(str(path) for path in shelf.rglob("*"))

    async def story() -> None:
        async with opened(shelf, readonly=True) as (pilot, screen):
            for key in ("n", "M", "x", "d", "z", "R", "u", "e"):
                await pilot.press(key)
                await pilot.pause()
                assert pilot.app.screen is screen
            await pilot.press("t", "enter")
            assert [place.screen for place in goes] == ["dataset", "run"]

    run(story())
    assert sorted(str(path) for path in shelf.rglob("*")) == before
