"""The shelf: what it tells of projects and runs, where its keys lead, and what they leave on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from loratui.lab.errors import LabError
from loratui.lab.notes.observations import observe
from loratui.lab.project.project import load_project
from loratui.lab.run.runs import RunFolder
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.newproject import NewProject
from loratui.tui.dialogs.start import StartDialog
from loratui.tui.places import Place
from loratui.tui.widgets.picktable import Column, PickTable, widths
from loratui.tui.widgets.thumb import Thumb
from tests.frozen import freeze_run, log, write_bare_project
from tests.tui.conftest import run, until
from tests.tui.shelves import (
    HUGE,
    SMALL,
    WIDE,
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


# -- what is told -----------------------------------------------------------------------------------------------------


def test_the_list_tells_images_runs_states_and_question(shelf: Path) -> None:
    observe(RunFolder(runs(shelf / "grey")[0]), "grey it is", feature="colour", verdict="learned")

    async def story() -> None:
        async with opened(shelf, HUGE) as (_, screen):
            grey, idea, zoo = rows(screen.table)
            assert grey[:3] == ["grey", "2", "3 ✓2 !1"]
            assert len(grey[3]) == 2 and grey[3][0] > grey[3][1]  # the loss falls
            assert grey[4:] == ["Is grey learned?", "✓ colour: grey it is"]
            assert idea[:3] == ["idea", "none", "none"]
            assert zoo[0] == "✗ zoo" and "rnak" in zoo[4]

    run(story())


def test_runs_are_told_newest_first_with_what_is_new_in_each(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf, HUGE) as (_, screen):
            last, second, first = rows(screen.runs)
            assert last[2:4] == ["! interrupted", "2/10"] and last[6] == "lora.rank: 4 → 2"
            assert second[2:4] == ["✓ finished", "4/4"] and second[6] == "lora.rank: 8 → 4"
            assert first[6] == "the first run"
            assert runs(shelf / "grey")[-1].name.endswith(last[1][-4:])

    run(story())


def test_the_cover_shows_images_with_captions_and_what_is_set(shelf: Path) -> None:
    (shelf / "grey" / "project.toml").write_text('question = "Is grey learned?"\n[lora]\nrank = 4\n')

    async def story() -> None:
        async with opened(shelf) as (_, screen):
            shown = [(thumb.path, thumb.caption) for thumb in screen.cover.query(Thumb) if thumb.path]
            assert [(path.name, caption) for path, caption in shown] == [
                ("a.png", "myshape, a"),
                ("b.png", "myshape, b"),
            ]
            assert words(screen.query_one("#question", Static)) == "Is grey learned?"
            told = words(screen.query_one("#told", Static))
            assert "2 images" in told and "lora.rank  4  (8)" in told

    run(story())


@pytest.mark.parametrize(("name", "key"), [("idea", "t opens the dataset"), ("zoo", "e opens it in your editor")])
def test_a_project_that_lacks_something_says_which_key_helps(shelf: Path, name: str, key: str) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await go_to(pilot, screen, name)
            assert key in words(screen.query_one("#told", Static))
            assert screen.query_one("#runs .empty").display

    run(story())


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_shelf_teaches_the_first_key(tmp_path: Path, there: bool, goes: list[Place]) -> None:
    folder = tmp_path / "projects"
    if there:
        folder.mkdir()

    async def story() -> None:
        async with opened(folder) as (pilot, screen):
            said = words(screen.query_one("#projects .empty", Static))
            assert str(folder) in said and "n makes the first one" in said
            await pilot.press("enter", "t", "s", "R", "d", "x", "e", "space", "c", "u")
            assert goes == []
            await pilot.press("n")
            await dialog(pilot, Choose)
            await pilot.press("enter")
            await dialog(pilot, NewProject)
            await type_in(pilot, "first")
            await pilot.press("enter", "enter")
            await until(pilot, lambda: screen.is_current and screen.project == folder / "first")
            assert load_project(folder / "first").settings.train.epochs == 10

    run(story())


def test_what_changes_on_disk_is_followed(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf, HUGE) as (pilot, screen):
            log(RunFolder(runs(shelf / "grey")[-1]), "state", state="stopped", step=2, total=10)
            screen.look_near()
            await until(pilot, lambda: rows(screen.runs)[0][2] == "■ stopped")
            assert rows(screen.table)[0][2] == "3 ✓2 ■1"
            write_bare_project(shelf / "fresh")
            (shelf / "idea").rename(shelf / ".gone")
            await pilot.press("ctrl+r")
            await until(pilot, lambda: [row[0] for row in rows(screen.table)] == ["fresh", "grey", "✗ zoo"])
            assert screen.project == shelf / "grey"  # the cursor stays with its project

    run(story())


def test_looking_again_at_what_did_not_change_paints_nothing(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[str] = []

    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await until(pilot, lambda: all(thumb.drawn for thumb in screen.cover.query(Thumb) if thumb.path))
            for kind, name in ((PickTable, "_put"), (PickTable, "update_cell"), (Static, "update"), (Thumb, "refresh")):
                monkeypatch.setattr(kind, name, lambda *_, name=name, **__: painted.append(name))
            screen.look_near()
            screen.look()
            await settled(pilot, screen)
            assert painted == []
            log(RunFolder(runs(shelf / "grey")[-1]), "state", state="failed", step=2, total=10)
            screen.look_near()
            await until(pilot, lambda: "update_cell" in painted)

    run(story())


def test_a_hostile_project_is_shown_as_text(shelf: Path, goes: list[Place]) -> None:
    name = "[red]evil[b] \x1b[31m\u202e"
    write_bare_project(shelf / name, 'question = "[/nope] \\u001b]52;c;x\\u0007 [@click=app.bell]x[/]"\n', "[a].png")
    freeze_run(shelf / name)

    async def story() -> None:
        async with opened(shelf, HUGE) as (pilot, screen):
            shown = rows(screen.table)[0]
            assert shown[0] == "[red]evil[b] ␛[31m<U+202E>"
            assert shown[4] == "[/nope] ␛]52;c;x␇ [@click=app.bell]x[/]"
            await pilot.press("M")
            await pilot.pause()
            assert pilot.app.screen.query_one(Input).value == "[red]evil[b] ␛[31m<U+202E>"
            await pilot.press("escape", "d")
            await dialog(pilot, Confirm)
            await pilot.press("escape", "enter")
            assert goes == [Place("run", shelf / name, (runs(shelf / name)[0],))]

    run(story())


# -- finding and going ------------------------------------------------------------------------------------------------


def test_a_filter_looks_in_names_and_questions(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("slash")
            await type_in(pilot, "trigger")
            await until(pilot, lambda: [row[0] for row in rows(screen.table)] == ["idea"])
            await pilot.press("enter")
            assert screen.focused is screen.table and screen.project == shelf / "idea"
            await pilot.press("slash", *"xyz")
            await until(pilot, lambda: screen.table.row_count == 0)
            assert "esc shows all" in words(screen.query_one("#projects .empty", Static))
            await pilot.press("escape")
            await until(pilot, lambda: screen.table.row_count == 3)
            assert screen.focused is screen.table

    run(story())


def test_enter_opens_what_is_most_wanted(shelf: Path, goes: list[Place]) -> None:
    _, second, last = runs(shelf / "grey")

    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("enter")
            assert goes.pop() == Place("run", shelf / "grey", (last,))
            await pilot.press("2", "j", "enter")
            assert goes.pop() == Place("run", shelf / "grey", (second,))
            await pilot.press("1")
            await go_to(pilot, screen, "idea")
            await pilot.press("enter")
            assert goes.pop() == Place("dataset", shelf / "idea")
            await go_to(pilot, screen, "zoo")
            await pilot.press("enter")
            assert goes == [] and "e opens it" in told(pilot)

    run(story())


def test_letters_lead_to_the_screens_of_the_project(shelf: Path, goes: list[Place]) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await go_to(pilot, screen, "idea")
            await pilot.press("t", "s", "N")
            assert [place.screen for place in goes] == ["dataset", "settings", "notes"]
            assert {place.project for place in goes} == {shelf / "idea"}
            await go_to(pilot, screen, "zoo")
            await pilot.press("t", "s", "R")
            assert len(goes) == 3  # nothing can be opened of a project that is not in order

    run(story())


def test_marked_runs_are_compared(shelf: Path, goes: list[Place]) -> None:
    first, second, last = runs(shelf / "grey")

    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("space", "c")
            assert goes == []
            await pilot.press("2", "space", "j", "j", "c")
            assert goes.pop() == Place("compare", shelf / "grey", (first, last))  # the one under the cursor counts
            await pilot.press("k", "space", "1", "c")
            assert goes.pop() == Place("compare", shelf / "grey", (second, last))
            assert [row[0] for row in rows(screen.runs)] == ["●", "●", ""]
            await pilot.press("2", "a", "c")
            assert goes.pop().runs == (first, second, last)
            await pilot.press("escape", "c")
            assert goes == [] and screen.marked == set()

    run(story())


def test_a_click_goes_to_a_row_and_two_open_it(shelf: Path, goes: list[Place]) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.click(screen.runs, offset=(10, 2))
            await pilot.pause()
            assert screen.focused is screen.runs and screen.runs.cursor_row == 1 and goes == []
            await pilot.click(screen.runs, offset=(10, 2), times=2)
            await until(pilot, lambda: goes == [Place("run", shelf / "grey", (runs(shelf / "grey")[1],))])

    run(story())


def test_run_now_shows_what_the_run_would_be_first(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf) as (pilot, screen):
            await pilot.press("R")
            shown = await dialog(pilot, StartDialog)
            assert shown.project == shelf / "grey"
            await pilot.press("escape")
            await until(pilot, lambda: screen.is_current)
            assert len(runs(shelf / "grey")) == 3

    run(story())


def test_an_unfinished_run_goes_on(shelf: Path, goes: list[Place], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def resume(run: RunFolder, allow_changes: bool = False) -> list[str]:
        asked.append((run.id, allow_changes))
        if not allow_changes:
            raise LabError("changed since this run began:\n  lora.rank: 8 → 4\nor go on with --allow-changes.")
        return ["going on with changes"]

    monkeypatch.setattr("loratui.lab.run.launch.resume", resume)
    last = runs(shelf / "grey")[-1]

    async def story() -> None:
        async with opened(shelf) as (pilot, _):
            await pilot.press("u")
            question = await dialog(pilot, Confirm)
            assert "lora.rank: 8 → 4" in question._detail
            await pilot.press("enter")  # which is no
            await pilot.app.workers.wait_for_complete()
            assert (asked, goes) == ([(last.name, False)], [])
            await pilot.press("u")
            await dialog(pilot, Confirm)
            await pilot.press("y")
            await until(pilot, lambda: goes == [Place("run", shelf / "grey", (last,))])
            assert asked[1:] == [(last.name, False), (last.name, True)]
            await pilot.press("2", "j", "u")  # that one is finished
            assert len(asked) == 3

    run(story())


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_panels_fit_the_terminal(shelf: Path) -> None:
    async def story() -> None:
        async with opened(shelf, SMALL) as (pilot, screen):
            projects, run_list, cover = (panel.region for panel in screen.panels)
            assert projects.width == run_list.width == 80 and projects.bottom == run_list.y
            assert not screen.cover.display or cover.area == 0
            await pilot.press("p")
            await pilot.pause()
            assert screen.cover.region.width == 80 and screen.focused is screen.cover
            await pilot.press("2")
            await pilot.pause()
            assert screen.run_panel.region.height > 5 and screen.focused is screen.runs
            assert screen.table.max_scroll_x == screen.runs.max_scroll_x == 0
            for size in (WIDE, HUGE):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                projects, run_list, cover = (panel.region for panel in screen.panels)
                assert cover.right == size[0] and cover.height == size[1] - 2
                assert (run_list.x == projects.right) == (size is HUGE)
                assert screen.table.max_scroll_x == screen.runs.max_scroll_x == 0
            assert rows(screen.table)[0][0] == "grey" and screen.table.picked == str(shelf / "grey")

    run(story())


def test_columns_share_the_room_there_is_and_the_least_needed_go_first() -> None:
    columns = (Column("name", "", 4, most=10), Column("wide", "", 6, from_width=30), Column("rest", "", 5, share=1))
    assert widths(columns, 40, {"name": 7}) == {"name": 7, "wide": 6, "rest": 21}
    assert widths(columns, 40, {"name": 99}) == {"name": 10, "wide": 6, "rest": 18}
    assert widths(columns, 20, {"name": 7}) == {"name": 7, "rest": 9}
    assert widths(columns, 14, {"name": 7}) == {"name": 5, "rest": 5}
    crowded = (*columns, Column("more", "", 20, from_width=25))
    assert "wide" not in widths(crowded, 36, {}) and "more" in widths(crowded, 36, {})
